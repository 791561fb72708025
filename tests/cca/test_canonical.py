"""Canonical correlation: the laws, scikit-learn and QR, and what scoring on other recordings is for."""

import numpy as np
import pytest
import reference_spaces as reference
from sklearn.cross_decomposition import CCA

from methods.cca import canonical
from methods.core.errors import UserError

RNG = np.random.default_rng(0)
CLOSE = 1e-7  # covariances square the condition number; ours here is about 10


def pair(n: int = 400, p: int = 6, q: int = 4, common: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two views with `common` directions of decreasing correlation."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, common))
    x = np.hstack([shared, rng.normal(size=(n, p - common))]) @ rng.normal(size=(p, p))
    noisy = shared + np.linspace(0.2, 2, common) * rng.normal(size=(n, common))
    y = np.hstack([noisy, rng.normal(size=(n, q - common))]) @ rng.normal(size=(q, q))
    return x, y


def fitted(x, y, ridge=0.0, measure="pwcca"):
    return canonical.fit(canonical.moments(x - x.mean(0), y - y.mean(0)), ridge, measure)


def test_correlations_are_those_of_principal_angles_and_of_scikit_learn():
    x, y = pair()
    found = fitted(x, y)
    np.testing.assert_allclose(found.rho, reference.canonical_correlations(x, y), atol=CLOSE)
    u, v = CCA(n_components=2, scale=False, max_iter=5000, tol=1e-10).fit_transform(x, y)
    np.testing.assert_allclose([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(2)], found.rho[:2], atol=1e-5)


def test_directions_have_the_correlations_they_claim():
    x, y = pair()
    found = fitted(x, y)
    u, v = (x - x.mean(0)) @ found.a, (y - y.mean(0)) @ found.b
    both = np.corrcoef(u.T, v.T)
    np.testing.assert_allclose(np.diag(both[:4, 4:]), found.rho, atol=CLOSE)
    np.testing.assert_allclose(both[:4, :4], np.eye(4), atol=CLOSE)


@pytest.mark.parametrize(("p", "q"), [(6, 4), (4, 6), (5, 5)])
def test_pwcca_and_svcca_are_their_definitions(p, q):
    x, y = pair(p=p, q=q)
    assert canonical.in_sample(x, y, "pwcca") == pytest.approx(reference.pwcca(x, y), abs=CLOSE)
    assert canonical.in_sample(x, y, "svcca") == pytest.approx(reference.svcca(x, y), abs=CLOSE)
    assert canonical.in_sample(x, y, "mean") == pytest.approx(reference.canonical_correlations(x, y).mean(), abs=CLOSE)


def test_invertible_maps_change_nothing_that_cka_would_change():
    x, y = pair()
    maps = RNG.normal(size=(6, 6)), RNG.normal(size=(4, 4))
    moved = x @ maps[0] + 3, y @ maps[1] - 1
    np.testing.assert_allclose(fitted(*moved).rho, fitted(x, y).rho, atol=1e-6)
    assert canonical.in_sample(*moved, "mean") == pytest.approx(canonical.in_sample(x, y, "mean"), abs=1e-6)


def test_a_linear_image_is_all_in_common():
    x, _ = pair()
    for measure in ("pwcca", "mean"):
        assert canonical.in_sample(x, x @ RNG.normal(size=(6, 6)), measure) == pytest.approx(1, abs=1e-6)
    # SVCCA first looks at variance, which only a rotation leaves alone.
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert canonical.in_sample(x, x @ rotation, "svcca") == pytest.approx(1, abs=1e-6)


def test_pwcca_lies_between_the_extremes_and_is_the_mean_of_equals():
    for seed in range(5):
        x, y = pair(seed=seed)
        rho = fitted(x, y).rho
        assert rho.min() - CLOSE <= canonical.in_sample(x, y, "pwcca") <= rho.max() + CLOSE
    # Orthonormal variates paired one to one with the same noise: all correlations are equal.
    q = np.linalg.qr(RNG.normal(size=(60, 9)) - 0)[0]
    q = np.linalg.qr(q - q.mean(0))[0]
    x, y = q[:, :3], 0.6 * q[:, :3] + 0.8 * q[:, 3:6]
    assert canonical.in_sample(x, y, "pwcca") == pytest.approx(0.6, abs=CLOSE)
    assert canonical.in_sample(x, y, "mean") == pytest.approx(0.6, abs=CLOSE)


def test_in_sample_noise_scores_as_published_and_too_few_items_are_refused():
    """methods.md A7, measured elsewhere: mean CCA of independent Gaussians, p = 384, q = 80."""
    for n, published in ((500, 0.87), (1000, 0.61)):
        x, y = RNG.normal(size=(n, 384)), RNG.normal(size=(n, 80))
        assert canonical.in_sample(x, y, "mean") == pytest.approx(published, abs=0.01)
    with pytest.raises(UserError, match="384 and 80 dimensions needs more than 464 items, better 9280"):
        canonical.in_sample(x[:400], y[:400])


def test_held_out_noise_scores_nothing_and_what_is_there_is_found():
    groups = np.repeat(np.arange(40), 25)
    x, y = RNG.normal(size=(1000, 100)), RNG.normal(size=(1000, 30))
    part = canonical.parts(groups)
    found = canonical.held_out(x, y, part)
    # 100 test items per trial: a correlation of noise has a spread of 0.1, the mean of 3 x 30 of them far less.
    assert abs(found.score) < 0.05 and found.trials.shape == (3,)
    assert canonical.in_sample(x, y) > 0.3
    x, y = pair(n=1000)
    there = canonical.held_out(x, y, part, "mean")
    assert there.score == pytest.approx(canonical.in_sample(x, y, "mean"), abs=0.06)
    assert (np.diff(there.fitted) <= 1e-9).all()


def test_held_out_trial_is_fitting_and_scoring_by_hand():
    x, y = pair(n=300)
    part = np.repeat(np.arange(10), 30)
    found = canonical.held_out(x, y, part, "mean", ridges=(0.0,), trials=1)
    train, test = part >= 2, part == 0
    model = fitted(x[train], y[train])
    u, v = x[test] @ model.a, y[test] @ model.b
    by_hand = np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(4)])
    assert found.score == pytest.approx(by_hand, abs=CLOSE)


def test_ridge_is_chosen_on_dev_and_helps_where_items_are_few():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(150, 120))
    y = x[:, :3] + 0.5 * rng.normal(size=(150, 3))
    part = canonical.parts(np.arange(150) // 5)
    chosen = canonical.held_out(x, y, part)
    least = canonical.held_out(x, y, part, ridges=(1e-10,))
    assert chosen.score > least.score + 0.1 and (chosen.ridges > 1e-4).all()


def test_rounding_chooses_no_ridge():
    """A view and itself: every ridge fits alike, and the fitted directions must not depend on the last digits."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12))
    part = canonical.parts(np.arange(300) // 10)
    first = canonical.held_out(x, x, part)
    assert (first.ridges == min(canonical.RIDGES)).all()
    for number in range(5):
        rounded = x * (1 + 1e-13 * np.random.default_rng(number).normal(size=x.shape))
        again = canonical.held_out(x, rounded, part)
        np.testing.assert_array_equal(again.ridges, first.ridges)
        np.testing.assert_allclose(again.fitted, first.fitted, atol=1e-6)


def test_parts_never_split_a_recording_unless_there_is_only_one():
    groups = np.repeat(np.arange(7), [50, 1, 20, 30, 5, 60, 10])
    part = canonical.parts(groups)
    assert len(np.unique(part)) == 7
    assert all(len(np.unique(part[groups == g])) == 1 for g in range(7))
    sizes = np.bincount(canonical.parts(np.arange(1000) // 10))
    assert len(sizes) == 10 and sizes.min() == sizes.max() == 100
    one = canonical.parts(np.zeros(100))
    assert (np.diff(one) >= 0).all() and len(np.unique(one)) == 10
    with pytest.raises(UserError, match="at least 30 items and there are 20"):
        canonical.parts(np.zeros(20))


def test_bad_options_and_constant_views_are_refused():
    x, y = pair()
    with pytest.raises(UserError, match="no measure"):
        fitted(x, y, measure="cka")
    with pytest.raises(UserError, match="the same for all items"):
        fitted(np.ones((50, 2)), y[:50])
