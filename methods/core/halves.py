"""Recordings dealt to two sides: what is learnt on one is counted on the other."""

import numpy as np


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
