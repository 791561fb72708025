"""Taking pieces away: additive toys, Shapley by all orders, scikit-learn's ridge."""

from functools import partial

import numpy as np
import pytest
from reference_attribution import shapley_by_orders
from sklearn.linear_model import Ridge

from methods.core.errors import UserError
from methods.core.explain import removal
from methods.core.progress import finish

WEIGHTS = np.array([2.0, -1.0, 0.0, 0.5, 3.0, -0.25])
RANDOM = np.random.default_rng(7)
TABLE = RANDOM.standard_normal(2**6)


def additive(kept):
    return 1.0 + float(WEIGHTS[: len(kept)][kept].sum())


def tangled(kept):
    """Any game at all: a number for every choice."""
    return float(TABLE[sum(1 << int(place) for place in np.flatnonzero(kept))])


# Removal on toy models


def test_in_an_additive_model_all_methods_give_the_weights():
    for method in (removal.leave_one_out, removal.shapley, partial(removal.shapley, samples=80),
                   partial(removal.lime, samples=400, ridge=0.0)):  # fmt: skip
        np.testing.assert_allclose(finish(method(additive, 6)).values, WEIGHTS, atol=1e-9)
    assert finish(removal.lime(additive, 6, samples=400, ridge=0.0)).fit == pytest.approx(1)
    shrunk = finish(removal.lime(additive, 6, samples=400, ridge=200.0)).values
    assert np.abs(shrunk).sum() < 0.9 * np.abs(WEIGHTS).sum()


def test_exact_shapley_is_the_mean_over_all_orders():
    for pieces in (1, 2, 5, 6):
        ours = finish(removal.shapley(tangled, pieces)).values
        np.testing.assert_allclose(ours, shapley_by_orders(tangled, pieces), atol=1e-12)
        whole = tangled(np.ones(pieces, bool)) - tangled(np.zeros(pieces, bool))
        assert ours.sum() == pytest.approx(whole)


def test_an_interaction_is_split_between_those_who_make_it():
    found = finish(removal.shapley(lambda kept: 6.0 * kept[0] * kept[1] * kept[2] + 1.0 * kept[3], 5)).values
    np.testing.assert_allclose(found, [2, 2, 2, 1, 0], atol=1e-12)  # symmetric pieces alike, a dummy nothing
    alone = finish(removal.leave_one_out(lambda kept: float(kept[0] or kept[1]), 2)).values
    np.testing.assert_array_equal(alone, [0, 0])  # each stands in for the other


def test_kernel_shap_adds_up_and_comes_close_with_many_samples():
    ours = finish(removal.shapley(tangled, 6, samples=6000, seed=1)).values
    truth = shapley_by_orders(tangled, 6)
    assert ours.sum() == pytest.approx(truth.sum())
    # 6,000 paired samples of a game whose values spread by 1: standard error about 1 / sqrt(6000 / 6) = 0.03.
    np.testing.assert_allclose(ours, truth, atol=0.12)


def test_kernel_shap_works_beyond_exact_enumeration():
    weights = np.linspace(-1, 1, 14)
    found = finish(removal.shapley(lambda kept: float(weights[kept].sum()), 14))
    np.testing.assert_allclose(found.values, weights, atol=1e-9)
    assert found.runs == 142 and found.fit == pytest.approx(1)


def test_lime_is_scikit_learns_weighted_ridge():
    asked = []

    def value(kept):
        asked.append(kept.copy())
        return tangled(kept)

    ours = finish(removal.lime(value, 6, samples=100, seed=3, ridge=0.7))
    chosen = np.array(asked, float)
    cosine = 1 - chosen.sum(1) / (np.sqrt(chosen.sum(1)) * np.sqrt(6) + (chosen.sum(1) == 0))
    cosine[chosen.sum(1) == 0] = 1
    weights = np.sqrt(np.exp(-((100 * cosine) ** 2) / 25**2))
    answers = [tangled(kept) for kept in asked]
    theirs = Ridge(alpha=0.7).fit(chosen, answers, sample_weight=weights / weights.mean())
    np.testing.assert_allclose(ours.values, theirs.coef_, atol=1e-8)
    assert ours.fit == pytest.approx(theirs.score(chosen, answers, sample_weight=weights))


def test_too_few_pieces_or_samples_are_one_sentence():
    with pytest.raises(UserError, match="LIME needs at least two pieces to tell apart and this clip has 1"):
        finish(removal.lime(additive, 1))
    with pytest.raises(UserError, match="30 samples for 6 pieces is underdetermined; take at least 60"):
        finish(removal.lime(additive, 6, samples=30))
    with pytest.raises(UserError, match="KernelSHAP with 30 samples"):
        finish(removal.shapley(additive, 6, samples=30))


class Summed:
    """Weighted sum of the samples: an additive model of sound."""

    def __init__(self, weights):
        self.weights, self.base = weights, None

    def score(self, samples):
        return float(self.weights @ samples)


def test_occlusion_of_an_additive_model_is_the_mean_of_its_windows():
    samples = RANDOM.standard_normal(8000).astype(np.float32)
    target = Summed(RANDOM.standard_normal(8000))
    found, places = finish(removal.occlusion(target, samples, width=0.1, stride=0.1))
    assert [round(place.start, 3) for place in places] == [0.0, 0.1, 0.2, 0.3, 0.4]
    lost = np.add.reduceat(target.weights * samples, np.arange(0, 8000, 1600))
    # The 5 ms fades reach 40 samples into the neighbours: sums of 80 products of spread 0.3 to 1.
    np.testing.assert_allclose(found[800::1600], lost, atol=10)
    with pytest.raises(UserError, match=r"A window of 0\.1 s every 0\.2 s does not cover"):
        removal.sliding_windows(0.5, 0.1, 0.2)
