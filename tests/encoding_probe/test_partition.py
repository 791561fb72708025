"""Shares of variance: scikit-learn, planted data whose shares are known, and what must not change a share."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from methods.core.progress import finish
from methods.core.statistics import linear_probe, splits
from methods.core.statistics.intervals import Parts
from methods.encoding_probe import partition
from methods.encoding_probe.partition import Task, explained

RECORDINGS, OF_EACH = 20, 30
RECORDING = np.repeat(np.arange(RECORDINGS), OF_EACH)
FOLD = splits.group_folds(RECORDING)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def task(values):
    return Task(values, FOLD, Parts.of(RECORDING))


def r2(values, sets, *layers, penalties=linear_probe.PENALTIES):
    return finish(explained(task(values), [np.array(s) for s in sets], layers, penalties)).r2()


# Against scikit-learn


def said_by_sklearn(values, states):
    """Plain loops: standardise, fit and predict for every penalty, keep the best on the judging fold."""
    said = np.empty_like(states)
    for k in range(5):
        judge, held = (k + 1) % 5 == FOLD, k == FOLD

        def fitted(known, penalty):
            probe = make_pipeline(StandardScaler(), Ridge(alpha=penalty))
            return probe.fit(values[known], states[known])

        errors = [
            ((fitted(~judge & ~held, p).predict(values[judge]) - states[judge]) ** 2).sum()
            for p in linear_probe.PENALTIES
        ]
        said[held] = fitted(~held, linear_probe.PENALTIES[np.argmin(errors)]).predict(values[held])
    return said


def by_sklearn(values, states):
    """R²"""
    return r2_score(states, said_by_sklearn(values, states), multioutput="variance_weighted")


def test_shares_are_those_of_plain_loops_of_scikit_learn():
    values = drawn(600, 7) * [1, 40, 0.01, 1, 1, 1, 1] + 3
    loud = values @ drawn(7, 5, seed=1) * 0.1 + drawn(600, 5, seed=2) * [1, 5, 0.1, 1, 2]
    faint = values[:, :2] @ drawn(2, 3, seed=3) * 0.01 + drawn(600, 3, seed=4)  # a large penalty is best here
    sets = [range(7), [0, 1, 4], [2]]
    found = r2(values, sets, loud, faint)
    expected = [[by_sklearn(values[:, list(s)], layer) for layer in (loud, faint)] for s in sets]
    np.testing.assert_allclose(found, expected, atol=1e-10)  # sums of 600 · 5 squares in double precision
    assert found[0, 0] > 0.3 and abs(found[0, 1]) < 0.1


def test_losses_without_predictions_are_those_of_predictions():
    values, targets = drawn(300, 6), drawn(300, 4, seed=1)
    known, tried = slice(0, 200), slice(200, 300)
    fit = linear_probe.Fit(linear_probe.moments(values[known], targets[known]))
    rotated, span = fit.rotated(values[tried]), slice(1, 4)
    gap = targets[tried, span] - fit.target_mean[span]
    found = partition.losses(fit, rotated, gap, span, linear_probe.PENALTIES)
    for penalty, loss in zip(linear_probe.PENALTIES, found, strict=True):
        probe = make_pipeline(StandardScaler(), Ridge(alpha=penalty)).fit(values[known], targets[known])
        assert loss == pytest.approx(((probe.predict(values[tried]) - targets[tried])[:, span] ** 2).sum(), rel=1e-9)


def test_many_dimensions_are_worked_on_in_groups(monkeypatch):
    values, layers = drawn(600, 4), [drawn(600, d, seed=d) for d in (3, 5, 2, 9)]
    layers[1] += values @ drawn(4, 5, seed=9)
    whole = finish(explained(task(values), [np.arange(4), np.array([1])], layers))
    monkeypatch.setattr(partition, "MOST_TARGETS", 8)
    assert partition._groups(layers) == [[0, 1], [2], [3]]
    parted = finish(explained(task(values), [np.arange(4), np.array([1])], layers))
    np.testing.assert_allclose(parted.left, whole.left, rtol=1e-9)
    np.testing.assert_allclose(parted.whole, whole.whole, rtol=1e-12)


# Planted shares. A share over 600 items varies by about 2 / √600 = .08 for one dimension, by .02 for sixteen: ± 3 sd.


def planted(*parts):
    """(600, 16) states of unit variance: each part (features, share) on its own, the rest noise."""
    left = 1 - sum(share for _, share in parts)
    states = np.sqrt(left) * drawn(600, 16, seed=99)
    for number, (features, share) in enumerate(parts):
        maps = drawn(features.shape[1], 16, seed=50 + number)
        states += np.sqrt(share) * features @ (maps / np.linalg.norm(maps, axis=0))
    return states


def test_independent_blocks_have_their_own_shares():
    a, b, nothing = drawn(600, 3, seed=1), drawn(600, 4, seed=2), drawn(600, 5, seed=3)
    values, states = np.hstack([a, b, nothing]), planted((a, 0.5), (b, 0.2))
    every, own_a, own_b, none = range(12), range(3), range(3, 7), range(7, 12)
    whole, no_a, no_b, no_c, alone = r2(
        values, [every, [*own_b, *none], [*own_a, *none], [*own_a, *own_b], own_a], states
    )
    assert whole[0] == pytest.approx(0.7, abs=0.06)
    assert whole[0] - no_a[0] == pytest.approx(0.5, abs=0.06) and alone[0] == pytest.approx(0.5, abs=0.06)
    assert whole[0] - no_b[0] == pytest.approx(0.2, abs=0.06)
    assert -0.03 < whole[0] - no_c[0] <= 0.002  # it only adds noise: about 5 features / 480 items of what is left


def test_what_two_blocks_hold_alike_is_shared():
    a = drawn(600, 3, seed=1)
    values, states = np.hstack([a, a @ drawn(3, 3, seed=2)]), planted((a, 0.6))
    whole, first, second = r2(values, [range(6), range(3), range(3, 6)], states)[:, 0]
    assert whole == pytest.approx(0.6, abs=0.06)
    assert abs(whole - first) < 0.005 and abs(whole - second) < 0.005  # only the penalty weighs otherwise


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_unique_shares_of_correlated_features_are_those_of_the_closed_form(rho):
    first = drawn(600, 1, seed=1)
    second = rho * first + np.sqrt(1 - rho**2) * drawn(600, 1, seed=2)
    states = (first + second) @ np.ones((1, 16)) + drawn(600, 16, seed=3)
    whole, alone = r2(np.hstack([first, second]), [[0, 1], [0]], states)[:, 0]
    # Of y = x₁ + x₂ + e the variance is 2 + 2ρ + 1; x₁ leaves of x₂ what is not in it, 1 − ρ².
    assert whole - alone == pytest.approx((1 - rho**2) / (3 + 2 * rho), abs=0.04)
    assert whole == pytest.approx((2 + 2 * rho) / (3 + 2 * rho), abs=0.06)


def test_a_block_that_follows_from_the_others_has_no_unique_share():
    a = drawn(600, 4, seed=1)
    values = np.hstack([a, a @ drawn(4, 2, seed=2)])
    states = planted((a, 0.5))
    # Without a penalty (1e-9 beside eigenvalues of some hundreds) the plane of the features is the same.
    both, alone = r2(values, [range(6), range(4)], states, penalties=np.array([1e-9]))[:, 0]
    assert abs(both - alone) < 1e-8


def test_a_block_in_random_order_takes_from_the_whole():
    a, b = drawn(600, 3, seed=1), drawn(600, 6, seed=2)
    states = planted((a, 0.4), (b, 0.3))
    shares = []
    for seed in range(10):
        values = np.hstack([a, b[np.random.default_rng(seed).permutation(600)]])
        whole, without = r2(values, [range(9), range(3)], states)[:, 0]
        shares.append(whole - without)
    assert np.mean(shares) < 0 and min(shares) > -0.05


def test_turned_states_and_other_units_change_nothing():
    values = drawn(600, 5)
    states = values @ drawn(5, 8, seed=1) * np.geomspace(1, 0.01, 8) + drawn(600, 8, seed=2)
    turn, _ = np.linalg.qr(drawn(8, 8, seed=3))
    sets = [range(5), [1, 3]]
    found = r2(values, sets, states)
    np.testing.assert_allclose(r2(values, sets, 7 * states @ turn - 5), found, atol=1e-10)
    np.testing.assert_allclose(r2(values * [1, 9, 0.1, 50, 3] + 2, sets, states), found, atol=1e-9)
    np.testing.assert_allclose(r2(values, sets, np.hstack([states, states])), found, atol=1e-10)


def test_a_dimension_counts_by_its_variance():
    values = drawn(600, 2)
    known, noise = values[:, :1], drawn(600, 1, seed=5)
    both = np.hstack([3 * known / known.std(), noise / noise.std()])  # 9 of 10 parts can be told
    assert r2(values, [[0, 1]], both)[0, 0] == pytest.approx(0.9, abs=0.005)


# Parts for intervals, and stops


def test_a_share_without_a_part_leaves_its_recordings_out():
    values, states = drawn(600, 3), drawn(600, 4, seed=1) + drawn(600, 1, seed=0)
    work = task(values)
    found = finish(explained(work, [np.arange(3)], [states]))
    assert found.left.shape == (1, 1, 10) and found.whole.sum() == pytest.approx(600 * states.var(0).sum())
    for part in range(10):
        others = np.arange(10) != part
        expected = 1 - found.left[0, 0, others].sum() / found.whole[0, others].sum()
        assert found.r2_without()[0, 0, part] == pytest.approx(expected, abs=1e-12)
    own = work.parts.part == 4
    assert found.whole[0, 4] == pytest.approx(((states - states.mean(0))[own] ** 2).sum())


def test_one_decomposition_lies_between_two_steps(monkeypatch):
    made = []

    class Counted(linear_probe.Fit):
        def __init__(self, *known):
            made.append(1)
            super().__init__(*known)

    monkeypatch.setattr(partition, "Fit", Counted)
    sets, counts = [np.arange(3), np.array([0])], []
    for _ in explained(task(drawn(600, 3)), sets, [drawn(600, 4, seed=1)] * 3):
        counts.append(len(made))
        made.clear()
    assert max(counts) == 1 and sum(counts) + len(made) == 5 * len(sets)


def test_the_first_fold_is_shown_alone():
    """What is shown after it is what its own items leave when the others are not counted."""
    values, states = drawn(600, 3), drawn(600, 4, seed=1) + drawn(600, 1, seed=0)
    work = task(values)
    steps = explained(work, [np.arange(3)], [states])
    (shown,) = [step.partial for step in steps if step.partial is not None]
    held = np.flatnonzero(work.fold == 0)
    whole = ((states - states.mean(0)) ** 2)[held].sum()
    gap = (states - said_by_sklearn(values, states))[held]
    assert shown.items == len(held)
    assert shown.r2()[0, 0] == pytest.approx(1 - (gap**2).sum() / whole, abs=1e-9)
