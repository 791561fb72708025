"""How far several maps of the same pieces agree: over all pairs, beyond loudness, and by chance.

Inter-seed agreement (ISA) is the mean correlation of all pairs (Shen et al. 2025). What is not defined, such as the
agreement of a constant map, is NaN and never 0.
"""

from itertools import combinations

import numpy as np

from methods.core.explain.attribution_map import random_like
from methods.core.statistics import correlation

DRAWS = 100  # sets of random maps
SURE = 0.95
ROUNDING = 1e-9  # residues this small, relative to the ranks, are nothing but rounding


def pairwise(maps: np.ndarray, measure: object = correlation.spearman) -> float:
    """Mean over all pairs of (maps, pieces) for which the measure is defined; NaN if it is for none."""
    found = np.array([measure(first, second) for first, second in combinations(maps, 2)])
    known = found[np.isfinite(found)]
    return float(known.mean()) if len(known) else float("nan")


def beyond(maps: np.ndarray, controls: np.ndarray) -> float:
    """Mean partial rank correlation of all pairs, given (controls, pieces) such as loudness and length.

    NaN where the controls explain a map's ranks wholly, and where there are fewer than two pieces more than numbers
    fitted to them.
    """
    pieces = maps.shape[1]
    fitted = np.vstack([np.ones(pieces), *(correlation.ranks(control) for control in controls)]).T
    if pieces < np.linalg.matrix_rank(fitted) + 2:
        return float("nan")
    left = []
    for one in maps:
        ranks = correlation.ranks(one)
        residue = ranks - fitted @ np.linalg.lstsq(fitted, ranks, rcond=None)[0]
        left.append(residue if np.abs(residue).max() > ROUNDING * pieces else np.zeros(pieces))
    return pairwise(np.array(left), correlation.pearson)


def with_one(maps: np.ndarray, other: np.ndarray) -> float:
    """Mean rank correlation of each of the maps with one other thing, such as loudness."""
    found = np.array([correlation.spearman(one, other) for one in maps])
    known = found[np.isfinite(found)]
    return float(known.mean()) if len(known) else float("nan")


def by_chance(maps: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The agreement of as many random maps, each as smooth as one of these: its mean, and what 95% stay below."""
    drawn = []
    for draw in range(DRAWS):
        random = [correlation.ranks(random_like(one, (seed, draw, number))) for number, one in enumerate(maps)]
        drawn.append(pairwise(np.array(random), correlation.pearson))  # of ranks: Spearman's
    known = np.array([value for value in drawn if np.isfinite(value)])
    if not known.size:
        return float("nan"), float("nan")
    return float(known.mean()), float(np.quantile(known, SURE))
