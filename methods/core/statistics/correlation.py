"""Correlation of two rows of numbers, by value and by rank, with ties and missing values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from methods.core.results import read_only

FEWEST = 3  # cells; a rank correlation of two is always 1 or -1


def rank_correlation(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(layers,) Spearman's rank correlation of two (layers, cells) arrays.

    Cells without a value in either are left out. NaN for fewer than three cells, or where one score is constant.
    """
    found = np.full(len(left), np.nan)
    for layer, known in enumerate(np.isfinite(left) & np.isfinite(right)):
        a, b = rankdata(left[layer, known]), rankdata(right[layer, known])
        if len(a) >= FEWEST and np.ptp(a) > 0 and np.ptp(b) > 0:
            found[layer] = np.corrcoef(a, b)[0, 1]
    return found


def spearman(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Rank correlation, -1 to 1, ties at their mean rank; NaN where one of them is constant or has under 3 values."""
    both = [ranks(np.asarray(values, float)) for values in (first, second)]
    if len(both[0]) < 3 or any(np.ptp(each) == 0 for each in both):
        return float("nan")
    return float(np.corrcoef(*both)[0, 1])


def pearson(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Linear correlation, -1 to 1; NaN where one of them is constant (but for rounding) or has under 3 values."""
    both = [np.asarray(values, float) for values in (first, second)]
    if len(both[0]) < 3 or any(np.ptp(values) <= 1e-12 * np.abs(values).max() for values in both):
        return float("nan")
    # Scaled to 1 first: squares of scores of 1e-200 would be 0, and 0 / 0 no correlation.
    return float(np.corrcoef(*(values / np.abs(values).max() for values in both))[0, 1])


def ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value, from 1; equal ones share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place.ravel()]


def agreement(vectors: Mapping[str, Any]) -> np.ndarray:
    """(methods, methods) Spearman correlation of every pair, NaN where it is not defined (never 0 for that)."""
    values = list(vectors.values())
    return read_only([[spearman(a, b) for b in values] for a in values])
