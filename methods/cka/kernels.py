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
ROUNDING = {"float32": 1e-6, "float64": 1e-14}  # relative: differences below are none


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

    def at(self, places: np.ndarray) -> "Grams":
        """The same of some items in another order, centred again."""
        n = len(places)
        found = np.empty((len(self.flat), n, n), self.flat.dtype)
        for number, matrix in enumerate(self.square):
            found[number] = _doubly_centred(matrix.take(places, 0).take(places, 1))
        flat = found.reshape(len(found), -1)
        return Grams(flat, flat[:, :: n + 1].astype(np.float64))


@dataclass(frozen=True, eq=False)
class KernelAlignment:
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
    _doubly_centred(found)


def _doubly_centred(found: np.ndarray) -> np.ndarray:
    """A symmetric matrix with row and column means of zero, in place."""
    means = found.mean(0)
    found -= means[:, None]
    found -= means[None]
    found += means.mean()
    return found


def alignment(first: Grams, second: Grams) -> KernelAlignment:
    """CKA of every pair."""
    products = (first.flat @ second.flat.T).astype(np.float64)
    both = [(_own(side), side.diagonal) for side in (first, second)]
    (own_a, diagonal_a), (own_b, diagonal_b) = both
    norms = np.sqrt(np.outer(own_a, own_b))
    traces = np.outer(diagonal_a.sum(1), diagonal_b.sum(1))
    unbiased = _debiased(products, diagonal_a @ diagonal_b.T, traces, first.n)
    scales = [np.sqrt(np.maximum(_debiased(own, (k**2).sum(1), k.sum(1) ** 2, first.n), 0.0)) for own, k in both]
    return KernelAlignment(
        debiased=ratio(unbiased, np.outer(*scales)),
        biased=np.clip(products / norms, 0.0, 1.0),
        floor=np.clip(traces / ((first.n - 1) * norms), 0.0, 1.0),
    )


def _own(side: Grams) -> np.ndarray:
    return np.array([_squares(row) for row in side.flat])


def _squares(values: np.ndarray) -> float:
    return float(np.vdot(values, values))


def _debiased(products: np.ndarray, diagonals: np.ndarray, traces: np.ndarray, n: int) -> np.ndarray:
    return products - n / (n - 2) * diagonals + traces / ((n - 1) * (n - 2))


def ratio(values: np.ndarray, norms: np.ndarray) -> np.ndarray:
    # Rounding can carry the similarity of a space with itself beyond 1.
    return np.minimum(np.divide(values, norms, out=np.full_like(values, np.nan), where=norms > 0), 1.0)
