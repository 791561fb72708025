"""Dynamic time warping of many pairs at once: the mean cost along the cheapest path through each pair's lattice.

    mean_cost(costs, rows, columns)

The recursion needs three neighbours of each cell, all of which lie on the two anti-diagonals before it. So one
anti-diagonal of every lattice in the batch is one NumPy operation, and nothing is compiled.

Same conventions as fastabx (Poli, Chemla & Dupoux 2025, arXiv 2505.02692): unit steps down, right or both, and the sum
along the path divided by its number of cells; of equally cheap ways the diagonal one is taken, then the one along the
row.
"""

import numpy as np


def mean_cost(costs: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(pairs,) the mean cost on the cheapest path of each lattice, in the unit of `costs`.

    `costs` (pairs, R, C) may be padded: only the first `rows` × `columns` cells of a pair count (both at least 1).
    """
    pairs, height, width = costs.shape
    last = np.asarray(rows) + np.asarray(columns) - 2  # the anti-diagonal that a pair's last cell lies on
    lattice = np.ascontiguousarray(np.moveaxis(costs, 0, 2), dtype=np.float64)  # pairs side by side: one long row
    sums, steps = _nowhere(height, pairs), np.zeros((height + 1, pairs), dtype=np.int32)
    older_sums, older_steps = sums, steps
    found = np.empty(pairs)
    for diagonal in range(int(last.max()) + 1):
        first, stop = max(0, diagonal - width + 1), min(diagonal, height - 1) + 1
        here = np.arange(first, stop)
        cost = lattice[here, diagonal - here]
        best, length = _cheapest(sums, steps, older_sums, older_steps, slice(first, stop))
        older_sums, older_steps = sums, steps
        sums, steps = _nowhere(height, pairs), np.zeros_like(steps)
        # Row i is kept at place i + 1, so that "the row above" exists for the first one too.
        sums[first + 1 : stop + 1] = cost if diagonal == 0 else cost + best
        steps[first + 1 : stop + 1] = 1 if diagonal == 0 else length + 1
        done = np.flatnonzero(last == diagonal)
        found[done] = sums[np.asarray(rows)[done], done] / steps[np.asarray(rows)[done], done]
    return found


def _nowhere(height: int, pairs: int) -> np.ndarray:
    return np.full((height + 1, pairs), np.inf)


def _cheapest(
    sums: np.ndarray, steps: np.ndarray, older_sums: np.ndarray, older_steps: np.ndarray, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest way into each cell of an anti-diagonal, and its number of cells so far."""
    own = slice(rows.start + 1, rows.stop + 1)
    up, left, diagonal = sums[rows], sums[own], older_sums[rows]
    best = np.minimum(np.minimum(up, left), diagonal)
    straight = np.where(left <= up, steps[own], steps[rows])
    return best, np.where(diagonal == best, older_steps[rows], straight)
