"""Chance of RSA: against one order at a time, against SciPy, and by simulation over recordings."""

import numpy as np
import pytest
from scipy import signal, stats

from methods.core.statistics import matching
from methods.rsa import chance, similarity


def alone(n: int, count: int, seed: int = 0) -> np.ndarray:
    """Orders of items each of which is a recording of its own."""
    return matching.orders(np.arange(n), count, seed)


def symmetric(n: int, seed: int = 0) -> np.ndarray:
    return similarity.vectors(np.random.default_rng(seed).normal(size=(n, 4)))


def in_recordings(seed: int, groups: np.ndarray) -> np.ndarray:
    """(n, 4) items of which half of the variance is their recording's."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(groups.max() + 1, 4))[groups] + rng.normal(size=(len(groups), 4))


def test_items_of_unrelated_recordings_are_significant_in_one_of_twenty_trials_at_most():
    """Shuffled one by one, they are far more often: what the two sides share is to be in recordings."""
    alarms = np.zeros(3)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(14), rng.integers(2, 6, 14))
        first, second = (similarity.vectors(in_recordings(2 * seed + side, groups)) for side in (0, 1))
        rows, known, nothing = similarity.pairs(first)[None], similarity.pairs(second), np.ones((len(groups), 1))
        found, recordings = similarity.correlations(rows, known), matching.orders(groups, 99, seed)
        nulls = (
            chance.shuffled(rows, known, recordings),
            chance.shuffled_residuals(rows, second, nothing / np.sqrt(len(nothing)), recordings),
            chance.shuffled(rows, known, alone(len(groups), 99, seed)),
        )
        alarms += [chance.p_values(found, null)[0] <= 0.05 for null in nulls]
    # 60 trials of probability .05: more than 8 come in 1 of 190 runs.
    assert (alarms[:2] <= stats.binom.ppf(0.995, 60, 0.05)).all() and alarms[2] >= 12, alarms


@pytest.mark.parametrize(("recordings", "items", "alike"), [(1, 30, 0.9), (1, 30, 0.95), (2, 20, 0.9)])
def test_slow_drifts_that_have_nothing_in_common_are_seldom_significant(recordings, items, alike):
    """A clip alone: its neighbours are alike, on both sides. Around the end they were in 15 to 30% of trials."""
    alarms, groups = 0, np.repeat(np.arange(recordings), items)
    for seed in range(100):
        noise = np.random.default_rng(seed).normal(size=(2, recordings, items + 120, 6))
        drifts = signal.lfilter([1.0], [1.0, -alike], noise, axis=2)[:, :, 120:].reshape(2, -1, 6)
        first, second = map(similarity.vectors, drifts)
        rows, known = similarity.pairs(first)[None], similarity.pairs(second)
        null = chance.shuffled(rows, known, matching.orders(groups, 99, seed))
        alarms += chance.p_values(similarity.correlations(rows, known), null)[0] <= 0.05
    assert alarms <= stats.binom.ppf(0.995, 100, 0.05)


def told_apart(seed: int, speaker: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pairs,), and (n, n) of two sides of 12 recordings: each has its own voices and rooms, and nothing in common."""
    groups = np.repeat(np.arange(12), 6)
    rng = np.random.default_rng(seed)
    first, second = (2 * rng.normal(size=(3, 4))[speaker] + in_recordings(2 * seed + side, groups) for side in (0, 1))
    return groups, similarity.vectors(first), similarity.vectors(second)


def test_what_tells_speakers_apart_in_ways_of_its_own_is_chance_within_speakers():
    """Same or other speaker is out of the pairs of both sides; over all recordings agreement was far beyond chance."""
    alarms, speaker, trials = np.zeros(2), np.repeat(np.arange(3), 24), 80
    same = [similarity.pairs(similarity.labels(speaker.tolist()))]
    for seed in range(trials):
        groups, first, second = told_apart(seed, speaker)
        rows, known = (similarity.without(similarity.pairs(side)[None], same) for side in (first, second))
        found = similarity.correlations(rows, known[0])
        for kind, within in enumerate((speaker, None)):
            null = chance.shuffled(rows, known[0], matching.orders(groups, 99, seed, within))
            alarms[kind] += chance.p_values(found, null)[0] <= 0.05
    assert alarms[0] <= stats.binom.ppf(0.995, trials, 0.05) < alarms[1], alarms


def test_one_recording_shows_what_is_there_unless_it_is_too_short():
    x = np.random.default_rng(1).normal(size=(40, 5))
    y = x[:, :4] + 0.5 * np.random.default_rng(2).normal(size=(40, 4))
    for items, significant in ((40, True), (20, True), (19, False)):
        first, second = (similarity.vectors(side[:items]) for side in (x, y))
        rows, known = similarity.pairs(first)[None], similarity.pairs(second)
        null = chance.shuffled(rows, known, matching.orders(np.zeros(items, int), 1000))
        assert (chance.p_values(similarity.correlations(rows, known), null)[0] < 0.05) == significant


def test_cut_recordings_are_correlated_over_what_is_there():
    groups = np.repeat([0, 1, 2, 3, 4, 5], [2, 5, 3, 4, 2, 4])
    first, second = (similarity.vectors(in_recordings(seed, groups)) for seed in (1, 2))
    rows, orders = similarity.pairs(first)[None], matching.orders(groups, 5, 2)
    null = chance.shuffled(rows, similarity.pairs(second), orders)[:, 0]
    basis = np.ones((len(groups), 1)) / np.sqrt(len(groups))
    residuals = chance.shuffled_residuals(rows, second, basis, orders)[:, 0]
    assert (orders < 0).any()
    for value, residual, order in zip(null, residuals, orders, strict=True):
        kept = [i for i in range(len(groups)) if order[i] >= 0]
        pairs = [(i, j) for i in kept for j in kept if i < j]
        mine, other = ([m[i, j] for i, j in pairs] for m in (first, second[np.ix_(order, order)]))
        assert value == pytest.approx(stats.pearsonr(mine, other)[0], abs=1e-9)
        taken = np.eye(len(kept)) - 1 / len(kept)
        moved = taken @ second[np.ix_(order[kept], order[kept])] @ taken
        assert residual == pytest.approx(stats.pearsonr(mine, moved[np.triu_indices(len(kept), 1)])[0], abs=1e-9)


def test_a_shuffle_that_leaves_too_little_counts_against_the_finding():
    null = np.array([[np.nan], [0.1], [0.2]])
    assert chance.p_values(np.array([0.9]), null)[0] == pytest.approx(2 / 4)
    np.testing.assert_allclose(chance.band(null), [np.percentile([0.1, 0.2], chance.BAND)])
    assert np.isnan(chance.band(np.full((3, 1), np.nan))).all()
    nothing = chance.shuffled(np.ones((1, 3)) * [1, 2, 3], np.array([1.0, 2.0, 4.0]), np.array([[0, -1, -1]]))
    assert np.isnan(nothing).all()


def follows_duration(seed: int, n: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log durations, and two sets of vectors that follow them, each in its own bent way; nothing else in common."""
    rng = np.random.default_rng(seed)
    log = rng.normal(-1.2, 0.5, n)
    seconds, at_rate = stats.zscore(np.exp(log)), stats.zscore(1 / (1 + 5 * np.exp(log)))
    first = np.outer(seconds, rng.normal(size=20)) + np.outer(at_rate, rng.normal(size=20))
    second = np.outer(stats.zscore(log), rng.normal(size=10))
    return log, first + 2 * rng.normal(size=(n, 20)), second + rng.normal(size=(n, 10))


def test_what_only_duration_relates_is_found_after_partialling_and_not_in_residuals():
    alarms = np.zeros(2)
    for seed in range(80):
        log, first, second = follows_duration(seed)
        known = similarity.vectors(second)
        confound = [similarity.pairs(similarity.durations(np.exp(log)))]
        rows = similarity.without(similarity.pairs(similarity.vectors(first))[None], confound)
        partial = similarity.without(similarity.pairs(known)[None], confound)[0]
        null = chance.shuffled(rows, partial, alone(len(log), 99, seed))
        alarms[0] += chance.p_values(similarity.correlations(rows, partial), null)[0] <= 0.05
        basis = similarity.item_basis([similarity.polynomial(log)], len(log))
        residual = similarity.left(known, basis)
        rows = similarity.pairs(similarity.vectors(first - basis @ (basis.T @ first)))[None]
        null = chance.shuffled_residuals(rows, residual, basis, alone(len(log), 99, seed))
        found = similarity.correlations(rows, similarity.pairs(residual))
        alarms[1] += chance.p_values(found, null)[0] <= 0.05
    # 80 trials of probability .05: more than 9 come in 1 of 140 runs.
    assert alarms[0] > 0.8 * 80 and alarms[1] <= stats.binom.ppf(0.993, 80, 0.05)


def test_residuals_are_shuffled_and_taken_out_again():
    log, first, second = follows_duration(0, 12)
    basis = similarity.item_basis([similarity.polynomial(log)], 12)
    residual = similarity.left(second @ second.T, basis)
    rows = similarity.pairs(similarity.left(first @ first.T, basis))[None]
    upper, inside = np.triu_indices(12, 1), np.eye(12) - basis @ basis.T
    for method, slow in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        mine = stats.rankdata(rows[0])[None] if method == "spearman" else rows
        orders = alone(12, 4, 3)
        null = chance.shuffled_residuals(mine, residual, basis, orders, method)
        for value, order in zip(null[:, 0], orders, strict=True):
            moved = inside @ residual[np.ix_(order, order)] @ inside
            assert value == pytest.approx(slow(mine[0], moved[upper])[0], abs=1e-9)


def test_shuffling_moves_items_and_is_centred_on_nothing():
    a, b = symmetric(10, seed=3), symmetric(10, seed=4)
    null = chance.shuffled(similarity.pairs(a)[None], similarity.pairs(b), alone(10, 3000, 5))
    assert null.shape == (3000, 1)
    assert abs(null.mean()) < 4 * null.std() / np.sqrt(3000)
    # Against the same done one order at a time.
    upper, rng = np.triu_indices(10, 1), np.random.default_rng(6)
    orders = [rng.permutation(10) for _ in range(3000)]
    slow = [np.corrcoef(a[upper], b[np.ix_(o, o)][upper])[0, 1] for o in orders]
    assert null.std() == pytest.approx(np.std(slow), rel=0.1)  # a standard deviation from 3,000: 1.3% each
    first = chance.shuffled(similarity.pairs(a)[None], similarity.pairs(a), alone(10, 1, 1))[0, 0]
    order = np.random.default_rng(1).permuted(np.tile(np.arange(10), (1, 1)), axis=1)[0]
    assert first == pytest.approx(np.corrcoef(a[upper], a[np.ix_(order, order)][upper])[0, 1])


def test_p_values_are_even_for_unrelated_items_and_small_for_related_ones():
    a = symmetric(15, seed=7)
    values = []
    for seed in range(60):
        b = symmetric(15, seed=100 + seed)
        rows, known = similarity.pairs(a)[None], similarity.pairs(b)
        null = chance.shuffled(rows, known, alone(15, 99, seed))
        values.append(chance.p_values(similarity.correlations(rows, known), null)[0])
    assert stats.kstest(values, "uniform").pvalue > 0.01
    null = chance.shuffled(similarity.pairs(a)[None], similarity.pairs(a), alone(15, 99))
    assert chance.p_values(np.array([1.0]), null)[0] == pytest.approx(0.01)


def test_where_nothing_can_change_places_there_is_no_chance_and_no_p():
    orders = matching.orders(np.arange(6), 99, within=np.arange(6))
    assert orders.shape == (0, 6)
    null = chance.shuffled(np.ones((2, 15)), np.arange(15.0), orders)
    assert np.isnan(chance.p_values(np.zeros(2), null)).all() and np.isnan(chance.band(null)).all()
