"""What correlations of similarities does chance give?

    null = shuffled(rows, reference, matching.orders(recording, 1000))
    p_values(correlations(rows, reference), null)

Pairs that share an item are no independent witnesses, so the *items* of one side are shuffled, rows and columns
together (Mantel 1967); nor are items of one recording, so whole recordings change places (`core.statistics.matching`).
One by one, items of 14 recordings made unrelated sides “significant” in 15 of 60 trials, as wholes in 2.
"""

import numpy as np
from scipy.spatial.distance import squareform

from methods.rsa.similarity import left, pairs, unit

BATCH = 1_000_000  # pairs of shuffled items at a time: 8 MB each of values and of what is there
BAND = (2.5, 97.5)  # per cent of the shuffles


def shuffled(rows: np.ndarray, reference: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """(draws, rows) correlations when the items of the reference change places, rows and columns together.

    `reference` is the vector of pairs (of ranks, or of what confounds left): moving items moves its entries about.
    `orders` (draws, items) tells which item comes to each place, -1 for none; NaN where too few are left to vary.
    """
    count, n = orders.shape
    matrix = np.zeros((n + 1, n + 1))  # the last row, which -1 means, is of nobody
    matrix[:n, :n] = squareform(reference - reference.mean(), checks=False)
    upper, known, found = np.triu_indices(n, 1), unit(rows), []
    batch = max(1, BATCH // len(reference))
    for begin in range(0, count, batch):
        some = orders[begin : begin + batch]
        there = ((some[:, upper[0]] >= 0) & (some[:, upper[1]] >= 0)).astype(float)
        moved = matrix[some[:, upper[0]], some[:, upper[1]]] * there
        found.append(_correlated(known, moved, there))
    return np.concatenate(found) if found else np.empty((0, len(rows)))


def _correlated(rows: np.ndarray, moved: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(draws, rows) Pearson's r of rows (rows, pairs) with `moved` (draws, pairs), over the pairs that are there."""
    number, total = there.sum(1)[:, None], moved.sum(1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = there @ rows.T
        spread = there @ (rows**2).T - own**2 / number
        other = (moved**2).sum(1)[:, None] - total**2 / number
        found = (moved @ rows.T - own * total / number) / np.sqrt(spread * other)
    return np.where((number >= 3) & (spread > 1e-12) & (other > 1e-12 * (moved**2).sum(1)[:, None]), found, np.nan)


def shuffled_residuals(
    rows: np.ndarray, residual: np.ndarray, basis: np.ndarray, orders: np.ndarray, method: str = "pearson"
) -> np.ndarray:
    """(draws, rows) correlations when the items of a residual change places and what is known is taken out again.

    Freedman & Lane 1983: residuals of both sides lie in the same n - rank dimensions, and must do so in the null.
    """
    found, square = [], np.stack([squareform(row, checks=False) for row in rows])
    for order in orders:
        kept = np.flatnonzero(order >= 0)
        if len(kept) < 3:
            found.append(np.full(len(rows), np.nan))
            continue
        moved = left(residual[np.ix_(order[kept], order[kept])], _spanned(basis[kept]))
        upper = np.triu_indices(len(kept), 1)
        mine = rows if len(kept) == len(order) else square[:, kept[upper[0]], kept[upper[1]]]
        found.append(unit(mine) @ unit(pairs(moved, method)[None])[0])
    return np.array(found)


def _spanned(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the same."""
    basis, scales, _ = np.linalg.svd(columns, full_matrices=False)
    return basis[:, scales > 1e-10 * scales[0]]


def p_values(found: np.ndarray, null: np.ndarray) -> np.ndarray:
    """(rows,) share of shuffles, the actual order among them, that correlate at least as highly.

    A shuffle that leaves too little to correlate counts against the finding. NaN where there is none.
    """
    if not len(null):
        return np.full(len(found), np.nan)
    return (1 + (~(null < found[None] - 1e-12)).sum(0)) / (1 + len(null))


def band(null: np.ndarray) -> np.ndarray:
    """(rows, 2) ends of 95% of the shuffles; NaN where none is defined."""
    known = [column[np.isfinite(column)] for column in null.T]
    return np.array([np.percentile(column, BAND) if len(column) else (np.nan, np.nan) for column in known])
