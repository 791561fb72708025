"""Scores of probes against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn import metrics

from methods.core.statistics.scores import (
    balanced_accuracy,
    confusion,
    macro_f1,
    mean_correlation,
    pearson,
    r_squared,
)


@pytest.fixture
def guesses():
    """200 items of five classes of unequal frequency; the last never occurs, and the fourth is never said."""
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])
    said = np.where(rng.random(200) < 0.6, truth, rng.choice([0, 1, 2], 200))
    said[said == 3] = 0
    return truth, said


def test_counts_and_their_scores_are_scikit_learns(guesses):
    truth, said = guesses
    counts = confusion(truth, said, 5)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(truth, said, labels=range(5)))
    assert balanced_accuracy(counts) == pytest.approx(metrics.balanced_accuracy_score(truth, said), abs=1e-12)
    theirs = metrics.f1_score(truth, said, average="macro", labels=range(4), zero_division=0)
    assert macro_f1(counts) == pytest.approx(theirs, abs=1e-12)


def test_what_is_said_but_never_occurs_counts_against_macro_f1():
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 4, 1, 1])
    theirs = metrics.f1_score(truth, said, average="macro", zero_division=0)  # labels that occur or are said
    assert macro_f1(confusion(truth, said, 5)) == pytest.approx(theirs, abs=1e-12)
    assert balanced_accuracy(confusion(truth, said, 5)) == 0.75


def test_all_right_is_one_and_all_wrong_is_nothing():
    codes = np.array([0, 1, 2, 1])
    right, wrong = confusion(codes, codes, 3), confusion(codes, (codes + 1) % 3, 3)
    assert balanced_accuracy(right) == macro_f1(right) == 1
    assert balanced_accuracy(wrong) == macro_f1(wrong) == 0


# Correlations


def test_correlations_are_scipys_and_r_squared_is_scikit_learns():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(80, 3)) * [1, 100, 1e-3] + [0, 500, 1]
    said = truth * [1, -0.5, 0.2] + rng.normal(size=(80, 3)) * [0.5, 200, 1e-3]
    np.testing.assert_allclose(
        pearson(said, truth), [pearsonr(said[:, c], truth[:, c])[0] for c in range(3)], rtol=1e-9
    )
    theirs = metrics.r2_score(truth, said, multioutput="raw_values")
    np.testing.assert_allclose(r_squared(said, truth), theirs, rtol=1e-9)


def test_what_does_not_vary_has_no_correlation():
    truth = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    said = np.column_stack([np.full(5, 2.0), np.arange(5.0)])
    assert np.isnan(pearson(said, truth)).all()
    np.testing.assert_allclose(r_squared(said, truth), [0.0, np.nan])  # the mean explains nothing


def test_correlations_are_averaged_through_fishers_z():
    r = np.array([0.9, 0.5, -0.2])
    z = 0.5 * np.log((1 + r) / (1 - r))
    mean = z.mean()
    assert mean_correlation(r) == pytest.approx((np.exp(2 * mean) - 1) / (np.exp(2 * mean) + 1), abs=1e-12)
    assert mean_correlation(np.array([0.4])) == pytest.approx(0.4)
    assert mean_correlation(np.array([0.4, np.nan])) == pytest.approx(0.4)
    assert mean_correlation(np.array([1.0, 1.0])) == pytest.approx(1.0, abs=1e-9)  # no infinity
    assert np.isnan(mean_correlation(np.array([np.nan])))
