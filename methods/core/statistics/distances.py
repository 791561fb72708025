"""How far apart are two stretches of speech? By their mean vectors, or frame by frame along the best alignment.

    whole(vectors, "angular")                       # (n, n): one vector per stretch
    aligned(frames, spans, pairs, "angular")        # (pairs,): sequences of frames, dynamic time warping

Metrics between two vectors:
- "angular": the angle over pi, 0 to 1; a vector of zeros is 0 from another and 1/2 (a right angle) from all others;
- "cosine": 1 - cos, 0 to 2; zeros likewise 0 or 1;
- "euclidean";
- "kl": symmetric Kullback-Leibler divergence of two probability vectors, (KL(p, q) + KL(q, p)) / 2 in nats;
- "identical": 0 if all entries are equal, else 1; for discrete units.
"""

from collections.abc import Callable, Sequence

import numpy as np

from methods.core.errors import UserError
from methods.core.statistics import dtw

METRICS = {
    "angular": "angle between the vectors",
    "cosine": "1 − cosine",
    "euclidean": "Euclidean",
    "kl": "symmetric Kullback-Leibler divergence (posteriors)",
    "identical": "equal or not (units)",
}
TINY = 1e-6  # added to probabilities under the logarithm, as in fastabx
CELLS = 2_000_000  # lattice cells at a time: 16 MB
BLOCK = 512  # frames whose distances to all others are held at a time


def between(left: np.ndarray, right: np.ndarray, metric: str) -> np.ndarray:
    """(n, m) distances of the rows of two matrices, in float64."""
    if metric not in METRICS:
        raise UserError(f"There is no distance “{metric}”; choose one of {', '.join(METRICS)}.")
    return _MEASURES[metric](np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64))


def whole(vectors: np.ndarray, metric: str) -> np.ndarray:
    """(n, n) distances of every row to every other; exactly symmetric, zero on the diagonal."""
    found = between(vectors, vectors, metric)
    found = (found + found.T) / 2  # rounding must not decide a tie
    np.fill_diagonal(found, 0.0)
    return found


def aligned(frames: np.ndarray, spans: Sequence[range], pairs: np.ndarray, metric: str) -> np.ndarray:
    """(pairs,) distance of each pair (i, j) of stretches: the mean along the best alignment of their frames."""
    starts = np.array([span.start for span in spans])
    lengths = np.array([len(span) for span in spans])
    used = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    vectors = frames[used]  # the stretches alone, one after the other
    edges = np.concatenate([[0], np.cumsum(lengths)])[: len(starts)]
    found = np.empty(len(pairs))
    for block in _blocks(lengths):
        rows = slice(edges[block[0]], edges[block[-1]] + lengths[block[-1]])
        table = between(vectors[rows], vectors, metric)
        mine = np.flatnonzero((pairs[:, 0] >= block[0]) & (pairs[:, 0] <= block[-1]))
        for batch in _batches(mine, lengths[pairs[mine]]):
            first, second = pairs[batch].T
            costs = _lattices(table, edges[first] - rows.start, edges[second], lengths[first], lengths[second])
            found[batch] = dtw.mean_cost(costs, lengths[first], lengths[second])
    return found


def _blocks(lengths: np.ndarray) -> list[np.ndarray]:
    """Neighbouring stretches with about BLOCK frames together."""
    number = (np.cumsum(lengths) - 1) // BLOCK
    return [np.flatnonzero(number == value) for value in np.unique(number)]


def _batches(mine: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    """The pairs in batches of similar length, so that little of a batch is padding."""
    if not len(mine):
        return []
    order = np.lexsort((sizes[:, 1], sizes[:, 0]))
    mine, sizes = mine[order], sizes[order]
    batches, begin = [], 0
    while begin < len(mine):
        # The largest lattice of what remains bounds how many fit; rows grow along the order, columns may not.
        count = max(1, CELLS // int(sizes[begin:, 0].max() * sizes[begin:, 1].max()))
        batches.append(mine[begin : begin + count])
        begin += count
    return batches


def _lattices(
    table: np.ndarray, first: np.ndarray, second: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """(pairs, R, C) cut out of the table of frame distances; beyond a pair's own cells its last ones are repeated."""
    down = first[:, None] + np.minimum(np.arange(rows.max()), rows[:, None] - 1)
    along = second[:, None] + np.minimum(np.arange(columns.max()), columns[:, None] - 1)
    return table[down[:, :, None], along[:, None, :]]


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length 1, and which ones are zeros (they stay so)."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0), norms[:, 0] == 0


def _cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    (a, no_a), (b, no_b) = _unit(left), _unit(right)
    # The twelfth decimal: equal vectors must be at the same angle wherever they stand in a matrix product.
    return np.where(no_a[:, None] & no_b[None], 1.0, np.clip(np.round(a @ b.T, 12), -1.0, 1.0))


def _euclidean(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    centre = left.mean(0)  # nearer to the origin, the difference of squares loses fewer digits
    left, right = left - centre, right - centre
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2 * (left @ right.T)
    return np.sqrt(np.maximum(squares, 0.0))


def _kl(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    for vectors in (left, right):
        if (vectors < 0).any() or np.abs(vectors.sum(1) - 1).max() > 1e-3:
            raise UserError(
                "The divergence needs probabilities, and these vectors do not sum to 1; choose the posteriors of a "
                "CTC model, or another distance."
            )
    log_left, log_right = np.log(left + TINY), np.log(right + TINY)
    own = (left * log_left).sum(1)[:, None] + (right * log_right).sum(1)[None]
    return np.maximum(0.5 * (own - left @ log_right.T - log_left @ right.T), 0.0)


def _identical(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    _, codes = np.unique(np.concatenate([left, right]), axis=0, return_inverse=True)
    codes = codes.ravel()
    return (codes[: len(left), None] != codes[None, len(left) :]).astype(np.float64)


_MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "angular": lambda a, b: np.arccos(_cosines(a, b)) / np.pi,
    "cosine": lambda a, b: 1 - _cosines(a, b),
    "euclidean": _euclidean,
    "kl": _kl,
    "identical": _identical,
}
