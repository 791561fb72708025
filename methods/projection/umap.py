"""UMAP in plain NumPy: McInnes, Healy & Melville 2018 (arXiv 1802.03426).

The graph is the published one. The layout descends the same cross-entropy with the same schedule of edges and negative
samples, but moves all points of a round at once, where the reference implementation moves them one after the other in
compiled loops. For a few thousand points that needs no compiler, and a seed gives the same map on every machine. It
starts from the first two principal components instead of a spectral embedding.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import curve_fit
from scipy.sparse import coo_matrix
from sklearn.neighbors import NearestNeighbors

ROUNDS = 500
NEGATIVES = 5  # points pushed away for each edge that pulls
LARGEST_STEP = 4.0  # of one coordinate by one pull or push
START = 10.0  # the largest coordinate at the start
SEARCH = 64  # halvings for the width of a neighbourhood


def umap(
    vectors: np.ndarray, start: np.ndarray, *, neighbours: int = 15, spread: float = 0.1, metric: str, seed: int = 0
) -> np.ndarray:
    """(n, 2) map of (n, dim), begun from `start` (n, 2); `spread` is how close points may lie."""
    heads, tails, weights = graph(vectors, neighbours, metric)
    place = (start - start.mean(0)) * (START / max(np.abs(start - start.mean(0)).max(), np.finfo(float).tiny))
    rng = np.random.default_rng(seed)
    place = place + rng.normal(scale=1e-3, size=place.shape)  # points in one place could never part
    a, b = curve(spread)
    for number, active in enumerate(_due(weights)):
        rate = 1.0 - number / ROUNDS
        i, j = heads[active], tails[active]
        away = rng.integers(len(place), size=(len(i), NEGATIVES))
        place = place + rate * _moves(place, i, j, away, a, b)
    return place


def graph(vectors: np.ndarray, neighbours: int, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of the fuzzy neighbourhood graph, both ways: from, to, and weight in (0, 1]."""
    found = NearestNeighbors(n_neighbors=neighbours, metric=metric).fit(vectors)
    distance, index = found.kneighbors(vectors)  # a point is its own first neighbour, as in the reference
    weight = memberships(distance)
    rows = np.repeat(np.arange(len(vectors)), neighbours)
    kept = rows != index.ravel()
    one_way = coo_matrix((weight.ravel()[kept], (rows[kept], index.ravel()[kept])), shape=(len(vectors),) * 2).tocsr()
    both = (one_way + one_way.T - one_way.multiply(one_way.T)).tocoo()
    strong = both.data > 0
    return both.row[strong], both.col[strong], both.data[strong]


def memberships(distance: np.ndarray) -> np.ndarray:
    """(n, k) how much each neighbour belongs, from ascending distances (n, k): 1 for the nearest, log2(k) in all.

    exp(-(d - nearest) / width), where the width of each neighbourhood is found by halving.
    """
    beyond = np.where(distance > 0, distance, np.inf)
    nearest = beyond.min(1, keepdims=True)
    rest = np.maximum(distance - np.where(np.isfinite(nearest), nearest, 0), 0)[:, 1:]
    wanted = np.log2(distance.shape[1])
    low, high = np.zeros((len(distance), 1)), np.full((len(distance), 1), np.inf)
    width = np.ones((len(distance), 1))
    for _ in range(SEARCH):
        total = np.exp(-rest / width).sum(1, keepdims=True)
        low, high = np.where(total < wanted, width, low), np.where(total >= wanted, width, high)
        width = np.where(np.isfinite(high), (low + np.minimum(high, 1e300)) / 2, width * 2)
    width = np.maximum(width, 1e-3 * np.maximum(distance.mean(1, keepdims=True), np.finfo(float).tiny))
    return np.concatenate([np.ones((len(distance), 1)), np.exp(-rest / width)], axis=1)


def curve(spread: float) -> tuple[float, float]:
    """a and b of 1 / (1 + a r^2b), the curve nearest to: 1 up to `spread`, then falling exponentially."""
    radius = np.linspace(0, 3, 300)
    wanted = np.where(radius < spread, 1.0, np.exp(-(radius - spread)))
    (a, b), _ = curve_fit(lambda r, a, b: 1 / (1 + a * r ** (2 * b)), radius, wanted)
    return float(a), float(b)


def _due(weights: np.ndarray) -> Iterator[np.ndarray]:
    """Which edges pull in each round: the strongest in every one, others in proportion to their weight."""
    share = weights / weights.max()
    for number in range(ROUNDS):
        yield np.flatnonzero(np.floor(share * (number + 1)) > np.floor(share * number))


def _moves(place: np.ndarray, i: np.ndarray, j: np.ndarray, away: np.ndarray, a: float, b: float) -> np.ndarray:
    """Where all points go in one round: along edges i to j towards each other, and i away from random others."""
    apart = place[i] - place[j]
    square = np.maximum((apart**2).sum(1), 1e-12)
    pull = -2 * a * b * square ** (b - 1) / (1 + a * square**b)
    towards = np.clip(pull[:, None] * apart, -LARGEST_STEP, LARGEST_STEP)
    others = place[i][:, None] - place[away]
    far = (others**2).sum(2)
    push = np.where(far > 0, 2 * b / ((0.001 + far) * (1 + a * np.maximum(far, 1e-12) ** b)), 0.0)
    outwards = np.clip(push[..., None] * others, -LARGEST_STEP, LARGEST_STEP).sum(1)
    return _summed(i, towards + outwards, len(place)) - _summed(j, towards, len(place))


def _summed(index: np.ndarray, steps: np.ndarray, count: int) -> np.ndarray:
    return np.column_stack([np.bincount(index, weights=column, minlength=count) for column in steps.T])
