"""Intervals and chance of CKA over recordings: against slow loops, and by simulation."""

import numpy as np
import pytest
import reference_spaces as reference
from scipy import signal, stats

from methods.cka import witnesses
from methods.cka.kernels import Grams, alignment, grams

EXACT = 1e-9  # float64: a few hundred sums of numbers near 1 lose at most about 1e-13


def spoken(seed: int, lengths: np.ndarray, dims: int = 4) -> np.ndarray:
    """Frames of recordings: each has a place of its own (half of the variance), and neighbours are alike."""
    rng, rows = np.random.default_rng(seed), []
    for length in lengths:
        noise, own = rng.normal(size=(length, dims)), rng.normal(size=dims)
        for t in range(1, length):
            noise[t] = 0.7 * noise[t - 1] + np.sqrt(1 - 0.7**2) * noise[t]
        rows.append(own + noise)
    return np.concatenate(rows)


def unrelated(seed: int, recordings: int, frames: int) -> tuple[Grams, Grams, np.ndarray]:
    """Two spaces with nothing in common, over the same recordings of unequal lengths."""
    rng = np.random.default_rng(seed)
    lengths = 6 + rng.multinomial((frames - 6) * recordings, rng.dirichlet(np.full(recordings, 8.0)))
    sides = (grams([spoken(2 * seed + side, lengths)]) for side in (0, 1))
    return (*sides, np.repeat(np.arange(recordings), lengths))


@pytest.mark.parametrize("recordings", [2, 4, 5, 12])
def test_unrelated_spaces_exceed_chance_in_one_of_twenty_trials_at_most(recordings):
    """With the pairs shifted along instead (across recordings), they did in 30 to 50 of 100."""
    found, above = [], 0
    for seed in range(100):
        first, second, groups = unrelated(seed, recordings, 12)
        value = alignment(first, second).debiased[0, 0]
        null = witnesses.matched_at_random(first, second, groups, seed)
        above += value > null.max()
        found.append((value, null.mean()))
    # 100 trials of probability .05: more than 11 come in 1 of 230 runs.
    assert above <= stats.binom.ppf(0.995, 100, 0.05)
    values, nulls = np.transpose(found)
    # What nothing but being in recordings gives, on both sides: far above 0 (four standard errors), and much the same.
    assert values.mean() > max(0.04, 4 * values.std() / 10)
    assert nulls.mean() == pytest.approx(values.mean(), abs=4 * values.std() / 10)


@pytest.mark.parametrize(("recordings", "alike"), [(1, 0.9), (1, 0.95), (2, 0.95)])
def test_slow_drifts_that_have_nothing_in_common_are_chance_too(recordings, alike):
    """A clip alone: states change little from frame to frame, and both sides wander off."""
    above, groups = 0, np.repeat(np.arange(recordings), 80)
    for seed in range(100):
        noise = np.random.default_rng(seed).normal(size=(2, recordings, 200, 8))
        drifts = signal.lfilter([1.0], [1.0, -alike], noise, axis=2)[:, :, 120:].reshape(2, -1, 8)
        first, second = (grams([side]) for side in drifts)
        null = witnesses.matched_at_random(first, second, groups, seed)
        above += alignment(first, second).debiased[0, 0] > null.max()
    assert above <= stats.binom.ppf(0.995, 100, 0.05)


def test_one_recording_that_is_related_to_itself_stands_above_chance():
    x = spoken(1, np.array([60]))
    y = x[:, :2] + 0.5 * np.random.default_rng(2).normal(size=(len(x), 2))
    null = witnesses.matched_at_random(grams([x]), grams([y]), np.zeros(60, int))
    assert alignment(grams([x]), grams([y])).debiased[0, 0] > null.max() + 0.1


def test_related_spaces_stand_above_chance_with_enough_recordings():
    x = spoken(1, np.full(12, 12))
    y = x[:, :2] + 0.5 * np.random.default_rng(2).normal(size=(len(x), 2))
    null = witnesses.matched_at_random(grams([x]), grams([y]), np.repeat(np.arange(12), 12))
    assert null.shape == (witnesses.DRAWS, 1, 1)
    assert alignment(grams([x]), grams([y])).debiased[0, 0] > null.max() + 0.1


def test_matched_recordings_keep_their_frames_together_and_cut_the_longer():
    lengths = [3, 5, 4, 6, 2, 5]
    x, y = (spoken(seed, lengths) for seed in (1, 2))
    null = witnesses.matched_at_random(grams([x]), grams([y]), np.repeat(np.arange(6), lengths), seed=3)
    starts = np.cumsum([0, *lengths])
    for value, order in zip(null[:, 0, 0], witnesses._orders(6, np.random.default_rng(3)), strict=True):
        assert all(order[i] != i for i in range(6))
        mine, other = [], []
        for i, j in enumerate(order):
            for k in range(min(lengths[i], lengths[j])):
                mine.append(x[starts[i] + k])
                other.append(y[starts[j] + k])
        slow = [reference.linear_kernel(np.array(side)) for side in (mine, other)]
        assert value == pytest.approx(reference.u_centred_cka(*slow), abs=EXACT)


def test_few_recordings_have_every_order_and_too_few_partners_no_chance_level():
    assert len(set(witnesses._orders(5, np.random.default_rng(0)))) == witnesses.DRAWS
    assert (0, 1) in witnesses._orders(2, np.random.default_rng(0))
    x, y = spoken(1, [19, 1]), spoken(2, [19, 1])
    assert np.isnan(witnesses.matched_at_random(grams([x]), grams([y]), np.repeat([0, 1], [19, 1]))).any()


def test_interval_is_the_jackknife_by_a_plain_loop():
    groups = np.repeat(np.arange(5), [4, 6, 5, 7, 3])
    x, y = (spoken(seed, [4, 6, 5, 7, 3]) for seed in (1, 2))
    y[:, :2] += x[:, :2]

    def cka(kept: np.ndarray) -> float:
        return reference.u_centred_cka(*(reference.linear_kernel(side[kept]) for side in (x, y)))

    value, less = cka(groups >= 0), np.array([cka(groups != g) for g in range(5)])
    reach = stats.t.ppf(0.975, 4) * np.sqrt(4 / 5 * ((less - less.mean()) ** 2).sum())
    low, high = witnesses.interval(grams([x]), grams([y]), groups)
    assert (low[0, 0], high[0, 0]) == pytest.approx((max(value - reach, -1), min(value + reach, 1)), abs=EXACT)
    assert np.isnan(witnesses.interval(grams([x]), grams([y]), (groups > 2).astype(int))[0]).all()
    many = witnesses.interval(grams([x]), grams([x]), np.arange(25))  # nothing can move a space away from itself
    assert (many[0][0, 0], many[1][0, 0]) == pytest.approx((1, 1), abs=1e-7)


def test_more_recordings_than_blocks_are_left_out_together():
    edges = witnesses._block_edges(np.arange(130))
    assert len(edges) == witnesses.MOST_BLOCKS + 1 and edges[0] == 0 and edges[-1] == 130
    assert set(np.diff(edges)) == {2, 3}


@pytest.mark.parametrize(("recordings", "slope"), [(4, 0.4), (12, 0.0), (12, 1.0)])
def test_interval_covers_the_truth_about_as_often_as_it_says(recordings, slope):
    """The true value is that of one corpus of 3,000 recordings; a percentile bootstrap covered 70 to 88 of 100."""

    def corpus(seed: int, recordings: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)

        def frames(dims: int) -> np.ndarray:
            return np.repeat(rng.normal(size=(recordings, dims)), 5, axis=0) + rng.normal(size=(5 * recordings, dims))

        x = frames(3)
        return x, np.concatenate([slope * x[:, :2], frames(2)], 1)

    x, y = corpus(999, 3000)
    truth = float(alignment(grams([x]), grams([y])).debiased[0, 0])
    groups, inside = np.repeat(np.arange(recordings), 5), 0
    for seed in range(100):
        low, high = witnesses.interval(*(grams([side]) for side in corpus(seed, recordings)), groups)
        inside += low[0, 0] <= truth <= high[0, 0]
    # 100 trials of probability .95: fewer than 89 come in 1 of 230 runs; the jackknife of 12 is a little short of .95.
    assert inside >= 87
