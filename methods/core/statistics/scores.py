"""How good are predictions? Accuracy and its kin, and correlations."""

import numpy as np


def confusion(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts; rows are what it was, columns what was said."""
    return np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes)


def balanced_accuracy(counts: np.ndarray) -> float:
    """Mean recall over the classes that occur, each counting the same."""
    present = counts.sum(1) > 0
    return float(np.mean(np.diag(counts)[present] / counts.sum(1)[present]))


def macro_f1(counts: np.ndarray) -> float:
    """Mean over the classes that occur or are said of 2·hits / (occurrences + mentions)."""
    both = counts.sum(0) + counts.sum(1)
    present = both > 0
    return float(np.mean(2 * np.diag(counts)[present] / both[present]))


def pearson(said: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(c,) correlation of each column; NaN where either does not vary."""
    a, b = said - said.mean(0), truth - truth.mean(0)
    spread = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return np.divide((a * b).sum(0), spread, out=np.full(a.shape[1], np.nan), where=spread > 0)


def r_squared(said: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(c,) share of each column's variance that is explained; below 0 if the mean would do better."""
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    left = ((truth - said) ** 2).sum(0)
    return np.divide(spread - left, spread, out=np.full(truth.shape[1], np.nan), where=spread > 0)


def mean_correlation(r: np.ndarray) -> float:
    """The mean of correlations through Fisher's z, over those that are defined."""
    known = r[np.isfinite(r)]
    if not len(known):
        return float("nan")
    return float(np.tanh(np.mean(np.arctanh(np.clip(known, -1 + 1e-12, 1 - 1e-12)))))
