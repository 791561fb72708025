"""How alike are two sets of vectors for the same items? Centred kernel alignment of whole stacks of layers at once.

    layers = grams([layer_0, layer_1, …])              # one Gram matrix per layer, centred once
    found = alignment(layers, grams([mfcc]))           # (layers, 1): debiased, biased, and the floor of the biased one

Every Gram matrix is made and centred once and laid out as one row; all pairs are then a single matrix product. The
debiased value (Székely & Rizzo 2014, doi:10.1214/14-AOS1255) needs only the diagonals besides: for doubly centred K
and L with diagonals k and l, the inner product of the U-centred matrices is

    <K, L> - n / (n - 2) k.l + sum(k) sum(l) / ((n - 1) (n - 2)).

Sums are in the precision of what is given: float32 stays float32 (differences of about 1e-6), the rest is float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from methods.core.errors import UserError

KERNELS = {"linear": "linear", "rbf": "Gaussian (RBF)"}
FEWEST = 4  # items; the debiased form divides by n - 3
MOST_BLOCKS = 60  # groups of neighbouring recordings that are drawn together: their sums are kept for every pair
ROUNDING = {"float32": 1e-6, "float64": 1e-14}  # relative: differences below are none
SHORTEST_SHIFT = 0.1  # of the items: pairs closer than this may still be parts of one sound


@dataclass(frozen=True, eq=False)
class Grams:
    """Doubly centred Gram matrices over the same n items."""

    flat: np.ndarray  # (layers, n * n)
    diagonal: np.ndarray  # (layers, n) float64

    @property
    def n(self) -> int:
        return self.diagonal.shape[1]

    @property
    def square(self) -> np.ndarray:
        """(layers, n, n) the same numbers."""
        return self.flat.reshape(-1, self.n, self.n)


@dataclass(frozen=True, eq=False)
class Alignment:
    """CKA of every row of one stack with every row of another. All arrays (first, second)."""

    debiased: np.ndarray  # at most 1; 0 on average for unrelated items, so it can be negative
    biased: np.ndarray  # 0 to 1
    floor: np.ndarray  # what the biased one is on average when the items of one side are shuffled


def grams(matrices: Sequence[np.ndarray], kernel: str = "linear", tau: float = 1.0) -> Grams:
    """The centred Gram matrix of each (n, d) matrix, scaled to a trace of n (CKA knows no scale).

    `kernel` "rbf" is exp(-|x - y|² / (2 tau² m)) with m the median squared distance, as in the reference code of
    Kornblith et al. 2019. Raises UserError for fewer than 4 items, values that are not numbers, constant features.
    """
    if kernel not in KERNELS:
        raise UserError(f"There is no kernel “{kernel}”; choose one of {', '.join(KERNELS)}.")
    if not tau > 0:
        raise UserError(f"The width of a Gaussian kernel is positive, and it is {tau:g}; give 0.2 to 2.")
    n = len(matrices[0])
    if n < FEWEST:
        raise UserError(f"Debiased CKA needs at least {FEWEST} items and there are {n}; choose more or longer clips.")
    wide = all(np.asarray(matrix).dtype == np.float32 for matrix in matrices)
    flat = np.empty((len(matrices), n * n), np.float32 if wide else np.float64)
    for row, matrix in zip(flat, matrices, strict=True):
        _centred(np.asarray(matrix, dtype=flat.dtype), kernel, tau, row.reshape(n, n))
    diagonal = flat[:, :: n + 1].astype(np.float64)
    return Grams(flat, diagonal)


def _centred(values: np.ndarray, kernel: str, tau: float, found: np.ndarray) -> None:
    """The centred Gram matrix, written into `found`."""
    n, means = len(values), values.mean(0)
    values = values - means
    spread = _squares(values)
    if not np.isfinite(spread):
        raise UserError("Some of the features are not numbers (NaN or infinite); leave those items out.")
    if spread <= n * _squares(means) * ROUNDING[values.dtype.name] ** 2:
        raise UserError("These features are the same for all items, so nothing can vary with them; choose others.")
    np.matmul(values, values.T, out=found)
    if kernel == "rbf":
        _gaussian(found, tau)
        spread = float(np.trace(found))
    found *= n / spread


def _gaussian(found: np.ndarray, tau: float) -> None:
    """From inner products to the centred Gaussian kernel, in place."""
    squares = np.diag(found)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * found, 0)
    np.fill_diagonal(distances, 0)
    middle = np.median(distances)
    if not middle > 0:
        raise UserError("More than half of the items are identical, so the Gaussian kernel has no width; use linear.")
    np.exp(distances / (-2 * tau**2 * middle), out=found)
    means = found.mean(0)
    found -= means[:, None]
    found -= means[None]
    found += means.mean()


def alignment(first: Grams, second: Grams) -> Alignment:
    """CKA of every pair."""
    products = (first.flat @ second.flat.T).astype(np.float64)
    both = [(_own(side), side.diagonal) for side in (first, second)]
    (own_a, diagonal_a), (own_b, diagonal_b) = both
    norms = np.sqrt(np.outer(own_a, own_b))
    traces = np.outer(diagonal_a.sum(1), diagonal_b.sum(1))
    unbiased = _debiased(products, diagonal_a @ diagonal_b.T, traces, first.n)
    scales = [np.sqrt(np.maximum(_debiased(own, (k**2).sum(1), k.sum(1) ** 2, first.n), 0.0)) for own, k in both]
    return Alignment(
        debiased=_ratio(unbiased, np.outer(*scales)),
        biased=np.clip(products / norms, 0.0, 1.0),
        floor=np.clip(traces / ((first.n - 1) * norms), 0.0, 1.0),
    )


def _own(side: Grams) -> np.ndarray:
    return np.array([_squares(row) for row in side.flat])


def _squares(values: np.ndarray) -> float:
    return float(np.vdot(values, values))


def _debiased(products: np.ndarray, diagonals: np.ndarray, traces: np.ndarray, n: int) -> np.ndarray:
    return products - n / (n - 2) * diagonals + traces / ((n - 1) * (n - 2))


def _ratio(values: np.ndarray, norms: np.ndarray) -> np.ndarray:
    # Rounding can carry the similarity of a space with itself beyond 1.
    return np.minimum(np.divide(values, norms, out=np.full_like(values, np.nan), where=norms > 0), 1.0)


def debiased_of_features(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> np.ndarray:
    """(first, second) debiased linear CKA without Gram matrices, for more items than n x n fits into memory."""
    n = len(first[0])
    sides = [[_unit_spread(np.asarray(matrix)) for matrix in side] for side in (first, second)]
    lengths = [np.stack([np.einsum("ij,ij->i", x, x, dtype=np.float64) for x in side]) for side in sides]

    def inner(a: list[np.ndarray], b: list[np.ndarray], k: np.ndarray, m: np.ndarray) -> np.ndarray:
        products = np.array([[float(((x.T @ y).astype(np.float64) ** 2).sum()) for y in b] for x in a])
        return _debiased(products, k @ m.T, np.outer(k.sum(1), m.sum(1)), n)

    norms = [
        np.array([inner([x], [x], k[None], k[None])[0, 0] for x, k in zip(side, rows, strict=True)])
        for side, rows in zip(sides, lengths, strict=True)
    ]
    return _ratio(inner(*sides, *lengths), np.sqrt(np.maximum(np.outer(*norms), 0.0)))


def _unit_spread(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(0)
    return values * np.asarray(np.sqrt(len(values) / _squares(values)), dtype=values.dtype)


# How sure is it, and what would chance give?


def interval(
    first: Grams, second: Grams, groups: np.ndarray, *, resamples: int = 200, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(first, second) lower and upper end of 95 % of debiased CKA when recordings are drawn again with replacement.

    `groups` (n,) tells which recording an item is of: neighbouring frames are no independent witnesses, so whole
    recordings are drawn. An item drawn twice is never paired with its own copy. NaN with fewer than 3 recordings.
    """
    edges = _block_edges(groups)
    blocks = len(edges) - 1
    if blocks < 3:
        nothing = np.full((len(first.flat), len(second.flat)), np.nan)
        return nothing, nothing
    weights = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), resamples).astype(float)
    a, b = _Blocks(first, edges), _Blocks(second, edges)
    products = a.resampled(b, _block_products(a, b), weights)
    norms = a.norms(weights)[:, :, None] * b.norms(weights)[:, None]
    low, high = np.nanquantile(_ratio(products, np.sqrt(norms)), [0.025, 0.975], axis=0)
    return low, high


def _block_edges(groups: np.ndarray) -> np.ndarray:
    """Where the recordings begin (and the last ends), at most MOST_BLOCKS groups of neighbouring ones."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1])
    if len(starts) > MOST_BLOCKS:
        starts = starts[np.linspace(0, len(starts), MOST_BLOCKS, endpoint=False).astype(int)]
    return np.append(starts, len(groups))


class _Blocks:
    """U-centred matrices cut at the borders of recordings."""

    def __init__(self, side: Grams, edges: np.ndarray) -> None:
        self.n, self.edges = side.n, edges
        self.matrices = np.stack([_u_centred(matrix) for matrix in side.square])
        # (layers, n, blocks): the sum of every row over each block
        self.rows = np.add.reduceat(self.matrices, edges[:-1], axis=2).astype(np.float64)

    def parts(self, row: int) -> np.ndarray:
        """(layers, items of the block, n)"""
        return self.matrices[:, self.edges[row] : self.edges[row + 1]]

    def sums(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(resamples, layers, n) row sums and (resamples, n) counts when each block counts `weights` times."""
        counts = np.repeat(weights, np.diff(self.edges), axis=1)
        return np.moveaxis(self.rows @ weights.T, 2, 0), counts

    def norms(self, weights: np.ndarray) -> np.ndarray:
        """(resamples, layers) the inner product of each with itself."""
        squared = np.add.reduceat(self.matrices**2, self.edges[:-1], axis=1)
        own = np.add.reduceat(squared, self.edges[:-1], axis=2).astype(np.float64)
        rows, counts = self.sums(weights)
        products = np.einsum("rv,arv->ra", weights, weights @ own)
        totals = (rows @ counts[:, :, None])[:, :, 0] ** 2
        n = counts.sum(1)[:, None]
        return np.maximum(_u_inner(products, (rows**2 @ counts[:, :, None])[:, :, 0], totals, n), 0.0)

    def resampled(self, other: "_Blocks", sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(resamples, first, second) inner products; `sums` (blocks, blocks, first, second) are those of the parts."""
        blocks, pairs = len(sums), sums.shape[2:]
        half = (weights @ sums.reshape(blocks, -1)).reshape(len(weights), blocks, -1)
        products = np.einsum("rv,rvp->rp", weights, half).reshape(-1, *pairs)
        (a, counts), (b, _) = self.sums(weights), other.sums(weights)
        totals = (a @ counts[:, :, None]) * (b @ counts[:, :, None]).swapaxes(1, 2)
        rows = (a * counts[:, None]) @ b.swapaxes(1, 2)
        return _u_inner(products, rows, totals, counts.sum(1)[:, None, None])


def _u_inner(products: np.ndarray, rows: np.ndarray, totals: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The U-statistic of matrices with zero diagonals whose rows need not sum to zero."""
    return products - 2 / (n - 2) * rows + totals / ((n - 1) * (n - 2))


def _u_centred(centred: np.ndarray) -> np.ndarray:
    """The U-centred matrix of a doubly centred one: zero diagonal, zero row sums."""
    n, diagonal = len(centred), np.diag(centred)
    means = -diagonal / (n - 2) + diagonal.sum() / (2 * (n - 1) * (n - 2))
    found = centred - means[:, None] - means[None]
    np.fill_diagonal(found, 0.0)
    return found


def _block_products(a: _Blocks, b: _Blocks) -> np.ndarray:
    """(blocks, blocks, first, second) inner products of the parts."""
    edges, blocks = a.edges, len(a.edges) - 1
    sums = np.empty((blocks, blocks, len(a.matrices), len(b.matrices)))
    for row in range(blocks):
        left, right = a.parts(row), b.parts(row)
        for column in range(blocks):
            cut = slice(edges[column], edges[column + 1])
            flat = left[:, :, cut].reshape(len(left), -1)
            sums[row, column] = flat @ right[:, :, cut].reshape(len(right), -1).T
    return sums


def shifted_null(first: Grams, second: Grams, *, shifts: int = 40, seed: int = 0) -> np.ndarray:
    """(shifts, first, second) debiased CKA when the items of one side are moved along by a random number of places.

    Items stay beside their neighbours, so what neighbouring frames share cannot make the null too narrow, as it would
    with shuffled frames.
    """
    n, rng = first.n, np.random.default_rng(seed)
    shortest = max(1, int(SHORTEST_SHIFT * n))
    chosen = rng.integers(shortest, n - shortest + 1, shifts)
    moved = []
    for shift in chosen:
        square = np.roll(first.square, (shift, shift), axis=(1, 2))
        diagonal = np.roll(first.diagonal, shift, axis=1)
        moved.append(alignment(Grams(square.reshape(first.flat.shape), diagonal), second).debiased)
    return np.array(moved)
