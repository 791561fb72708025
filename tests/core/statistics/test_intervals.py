"""Intervals against SciPy and the paper's formula, what they should hold, and probes trained without parts."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from methods.core.progress import finish
from methods.core.statistics import intervals, linear_probe
from methods.core.statistics.intervals import Parts
from methods.core.statistics.splits import group_folds


def test_an_interval_of_a_mean_is_students():
    # Recordings of equal size: leaving out one at a time is the t interval of their means (Efron & Tibshirani, 11.2).
    each, groups = np.random.default_rng(0).random(9), np.repeat(np.arange(9), 4)
    expected = stats.ttest_1samp(each, 0).confidence_interval()
    np.testing.assert_allclose(intervals.of_mean(np.repeat(each, 4), groups), expected, rtol=1e-12)
    names = np.array([f"recording {group}" for group in groups])
    np.testing.assert_allclose(intervals.of_mean(np.repeat(each, 4), names), expected, rtol=1e-12)
    assert intervals.of_mean(np.ones(36), groups) == (1, 1)


def test_parts_of_unequal_size_weigh_by_their_groups():
    # Of a mean, Busing's pseudo-value of a part is the part's own mean and the centre is the mean: plain loops.
    rng = np.random.default_rng(1)
    values, parts = rng.random(23), Parts.of(np.arange(23), most=5)
    assert sorted(parts.groups) == [4, 4, 5, 5, 5] and np.bincount(parts.part).tolist() == parts.groups.tolist()
    left = [values[parts.part != k].mean() for k in range(5)]
    variance = 0.0
    for k in range(5):
        own = values[parts.part == k]
        variance += (own.mean() - values.mean()) ** 2 / (23 / len(own) - 1) / 5
    half = stats.t.ppf(0.975, 4) * np.sqrt(variance)
    found = parts.interval(values.mean(), left)
    np.testing.assert_allclose(found, [values.mean() - half, values.mean() + half], rtol=1e-12)


def test_few_recordings_give_no_interval_and_the_note_says_so():
    values = np.arange(40.0)
    assert np.isnan(intervals.of_mean(values, np.repeat(np.arange(4), 10))).all()
    assert np.isfinite(intervals.of_mean(values, np.repeat(np.arange(5), 8))).all()
    assert np.isnan(intervals.of_mean(values[:0], np.arange(0))).all()
    assert intervals.note(4, "recordings", True) == "no interval: it takes 5 recordings and there are 4"
    assert "before training" in intervals.note(5, "recordings", True)
    assert "another training would differ is not in it" in intervals.note(5, "speakers", False)
    parts = Parts.of(np.arange(8))
    assert np.isnan(parts.interval(0.5, [0.5] * 4 + [np.nan] * 4)).all()  # four of eight are defined
    assert np.isnan(parts.interval(np.nan, [0.5] * 8)).all()


def test_it_covers_the_truth_with_few_recordings_where_a_bootstrap_does_not():
    # Recordings differ (shares of 0.3 to 0.9, mean 0.6): 95% of intervals over 8 recordings should hold 0.6.
    rng, groups = np.random.default_rng(4), np.repeat(np.arange(8), 20)
    held = {"jackknife": 0, "bootstrap": 0}
    for _ in range(400):
        right = (rng.random(160) < rng.uniform(0.3, 0.9, 8)[groups]).astype(float)
        low, high = intervals.of_mean(right, groups)
        held["jackknife"] += low <= 0.6 <= high
        draws = right.reshape(8, 20).mean(1)[rng.integers(0, 8, (400, 8))].mean(1)
        held["bootstrap"] += np.quantile(draws, 0.025) <= 0.6 <= np.quantile(draws, 0.975)
    # 380 of 400 expected, standard deviation 4.4: three of them. A percentile bootstrap of 8 holds about .89.
    assert abs(held["jackknife"] - 380) <= 13 and held["bootstrap"] < 367


def test_a_share_that_cannot_be_cut_off_is_held_too():
    """Recordings whose shares spread about .97: 95% of the intervals over 5 or 12 of them should hold it, at least."""
    rng, trials = np.random.default_rng(5), 400
    for count in (5, 12):
        held, cut, groups = 0, 0, np.repeat(np.arange(count), 20)
        for _ in range(trials):
            right = rng.random(len(groups)) < rng.beta(0.97 * 8, 0.03 * 8, count)[groups]
            low, high = intervals.of_mean_share(right, groups)
            held += low <= 0.97 <= high
            low, high = intervals.of_mean(right.astype(float), groups)
            cut += low <= 0.97 <= min(high, 1)
        assert held >= stats.binom.ppf(0.005, trials, 0.95) > cut


def test_where_all_is_right_each_recording_is_one_trial():
    groups = np.repeat(np.arange(7), 9)
    exact = stats.binomtest(7, 7).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(intervals.of_mean_share(groups >= 0, groups), exact, rtol=1e-12)
    none = stats.binomtest(0, 7).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(intervals.of_mean_share(groups < 0, groups), none, rtol=1e-12)
    assert np.isnan(intervals.of_mean_share(groups[:20] >= 0, groups[:20])).all()  # three recordings


@pytest.fixture
def numbers():
    """70 items of 14 recordings: four features, two targets with noise that is each recording's own."""
    rng, recording = np.random.default_rng(2), np.repeat(np.arange(14), 5)
    features = rng.normal(size=(70, 4)) * [1, 5, 0.2, 1]
    return features, features @ rng.normal(size=(4, 2)) + rng.normal(size=(14, 2))[recording], recording


def test_probes_without_a_part_are_scikit_learns_on_what_is_left(numbers):
    features, targets, recording = numbers
    fold, parts = group_folds(recording), Parts.of(recording)
    penalties = np.array([[1.0, 10.0]] * 4 + [[10.0, 10.0]])
    seen = []

    def score(said, kept):
        seen.append((said, kept))
        return said.mean()

    found = finish(linear_probe.left_out(features, targets, fold, parts.part, penalties, score))
    assert found.tolist() == [said.mean() for said, _ in seen] and len(seen) == 10
    for part, (said, kept) in enumerate(seen):
        assert kept.tolist() == np.flatnonzero(parts.part != part).tolist()
        for k, c in np.ndindex(5, 2):
            known, asked = (fold != k) & (parts.part != part), fold[kept] == k
            ridge = make_pipeline(StandardScaler(), Ridge(alpha=penalties[k, c]))
            ridge.fit(features[known], targets[known, c])
            np.testing.assert_allclose(said[asked, c], ridge.predict(features[kept[asked]]), atol=1e-9)


def test_the_interval_of_an_accuracy_is_that_of_probes_trained_without_each_recording(numbers):
    features, targets, recording = numbers
    codes, recording = (targets[:, 0] > 0).astype(int), recording % 7
    fold, penalties = group_folds(recording), np.full(5, 10.0)

    def accuracy(kept):
        right = []
        for k in np.unique(fold[kept]):  # a fold of one recording is gone without it
            known, held = kept & (fold != k), kept & (fold == k)
            ridge = make_pipeline(StandardScaler(), Ridge(alpha=10.0)).fit(features[known], np.eye(2)[codes[known]])
            right.append(ridge.predict(features[held]).argmax(1) == codes[held])
        return np.concatenate(right).mean()

    whole, left = accuracy(recording >= 0), np.array([accuracy(recording != g) for g in range(7)])
    half = stats.t.ppf(0.975, 6) * np.sqrt(6 / 7 * ((left - left.mean()) ** 2).sum())
    found = finish(intervals.of_accuracy(features, codes, fold, recording, penalties, whole))
    odds = np.log(whole / (1 - whole)) + np.array([-half, half]) / (whole * (1 - whole))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-odds)), rtol=1e-12)
