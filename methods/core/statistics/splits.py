"""Recordings dealt to two sides: what is learnt on one is counted on the other."""

import numpy as np

from methods.core.errors import UserError, counted
from methods.core.statistics.linear_probe import FOLDS


def dealt(recording: np.ndarray, kind: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n,) bool: whether each item's recording is on the first side, for items of `recording` and `kind` (n,).

    At random, and evenly within each kind that whole recordings have (such as their speaker): of two recordings of
    a kind one is on each side, of more of them half, give or take one. Recordings of mixed kinds are dealt together.
    Not by their numbers: speakers often take turns, and then each side would have half of the speakers.
    """
    names, first = np.unique(recording, return_index=True)
    kinds, of_item = np.unique(kind, return_inverse=True)
    alone = np.array([len(np.unique(of_item[recording == name])) == 1 for name in names])
    stack = np.where(alone, of_item[first], len(kinds))
    rng = np.random.default_rng(seed)
    place = rng.permutation(len(kinds) + 1)[stack]  # no kind is always the one that begins
    order = np.lexsort((rng.permutation(len(names)), place))
    return np.isin(recording, names[order[::2]])


def group_folds(groups: np.ndarray, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """(n,) the fold of each item, all items of a group in one fold; no two folds differ by more than a group.

    The largest groups are dealt first, each to the smallest fold so far; ties are broken at random.
    Raises UserError if there are fewer groups than three: one to train, one to choose the penalty, one to judge.
    """
    names, members = np.unique(groups, return_inverse=True)
    if len(names) < 3:
        raise UserError(
            f"The recordings give {counted(len(names), 'group')} to split by and at least 3 are needed (to train, to "
            "choose the penalty, to test); choose a larger corpus, or split by recording if you split by speaker."
        )
    folds = min(folds, len(names))
    sizes = np.bincount(members).astype(float)
    order = np.lexsort((np.random.default_rng(seed).random(len(names)), -sizes))
    filled, place = np.zeros(folds), np.empty(len(names), dtype=np.int64)
    for group in order:
        place[group] = int(np.argmin(filled))
        filled[place[group]] += sizes[group]
    return place[members]
