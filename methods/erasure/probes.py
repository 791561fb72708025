"""What a linear probe can read before and after: ridge probes, never tested on a recording they were trained on."""

from functools import reduce

import numpy as np

from methods.core.statistics import linear_probe, splits
from methods.core.statistics.linear_probe import Moments, Probe

PENALTY = 10.0  # of ridge on standardised features; scores change little around it
DECIMALS = 7  # of predictions between 0 and 1


def carried(known: np.ndarray, codes: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """(m,) int, what a probe that is trained on (n, d) `known` states says of (m, d) `asked` ones."""
    probe = linear_probe.solved(linear_probe.moments(known, linear_probe.one_hot(codes, classes)), PENALTY)
    return _said(probe, asked)


def within(values: np.ndarray, codes: np.ndarray, recording: np.ndarray, classes: int) -> np.ndarray:
    """(n,) int, what probes say of each fold of the recordings that are trained on the other folds."""
    fold, targets = splits.group_folds(recording), linear_probe.one_hot(codes, classes)
    folds = [linear_probe.moments(values[fold == k], targets[fold == k]) for k in range(int(fold.max()) + 1)]
    whole, said = reduce(Moments.__add__, folds), np.empty(len(codes), dtype=np.int64)
    for k, part in enumerate(folds):
        said[fold == k] = _said(linear_probe.solved(whole - part, PENALTY), values[fold == k])
    return said


def _said(probe: Probe, asked: np.ndarray) -> np.ndarray:
    """(n,) int; a probe that knows nothing says the first of equally frequent classes: rounding does not choose."""
    return probe(asked).round(DECIMALS).argmax(1)
