"""LEACE: the smallest change of states after which no linear probe can tell their labels.

    space = Whitening.of(values)
    eraser = space.without(values, codes, classes)   # labels erased
    other = space.at_random(eraser.rank, draw)       # as many directions that mean nothing
    eraser(values)

Belrose, Schneider-Joseph, Ravfogel, Cotterell, Raff & Biderman 2023 (arXiv 2306.03819), in closed form: with Σ the
states' covariance, W = Σ^(-1/2) (pseudo-inverse) and P the orthogonal projection on the columns of W cov(x, z) for
one-hot labels z, x becomes x - W⁺ P W (x - mean).
"""

from dataclasses import dataclass

import numpy as np

from methods.core.statistics.linear_probe import one_hot

UNRELATED = 1e-8  # singular value of W cov(x, z), at most .5, below which a direction is rounding
STILL = 1e-6  # a dimension that varies less, in parts of its size, does so by rounding (float32)


@dataclass(frozen=True, eq=False)
class Eraser:
    """An affine map that leaves all but `rank` directions of the whitened states as they are."""

    mean: np.ndarray  # (d,)
    back: np.ndarray  # (d, rank) W⁺ U, U the orthonormal directions that are erased
    into: np.ndarray  # (rank, d) Uᵀ W
    change: float  # mean squared size of the change over the states' variance, both of the states it was fitted on

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """(n, d) the states without these directions, in double precision."""
        values = np.asarray(states, dtype=np.float64)
        return values - ((values - self.mean) @ self.into.T) @ self.back.T

    @property
    def rank(self) -> int:
        return len(self.into)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Coordinates in which some states have unit variance; decomposed once for all labels and random subspaces.

    The paper's is the symmetric one; any other is a rotation of it and erases the same. This one takes every dimension
    at its own scale first, lest what small dimensions hold be lost as rounding of the large ones.
    """

    mean: np.ndarray  # (d,)
    white: np.ndarray  # (k, d) from centred states to their k coordinates
    back: np.ndarray  # (d, k) and back: the pseudo-inverse on the states' own space
    variance: float  # of all dimensions together

    @classmethod
    def of(cls, values: np.ndarray) -> "Whitening":
        """Of (n, d) states. Directions whose variance is rounding of the largest are none."""
        values = np.asarray(values, dtype=np.float64)
        mean = values.mean(0)
        centred = values - mean
        scale = centred.std(0)
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > STILL * np.sqrt((values**2).mean(0)))
        scaled = centred * inverse
        shares, axes = np.linalg.eigh(scaled.T @ scaled / len(values))
        kept = shares > shares[-1] * len(shares) * np.finfo(np.float64).eps
        axes, spread = axes[:, kept], np.sqrt(shares[kept])
        white, back = (axes / spread).T * inverse, (axes * spread) * scale[:, None]
        return cls(mean, white, back, float((scale**2).sum()))

    def without(self, values: np.ndarray, codes: np.ndarray, classes: int) -> Eraser:
        """The eraser of labels (n,) `codes`, numbers below `classes`, of the same (n, d) states."""
        labels = one_hot(codes, classes)
        coordinates = (np.asarray(values, dtype=np.float64) - self.mean).T @ (labels - labels.mean(0)) / len(labels)
        directions, size, _ = np.linalg.svd(self.white @ coordinates, full_matrices=False)
        return self._eraser(directions[:, size > UNRELATED])

    def at_random(self, rank: int, draw: np.random.Generator) -> Eraser:
        """An eraser of `rank` directions of the whitened states, drawn evenly."""
        drawn = draw.normal(size=(len(self.white), rank))
        return self._eraser(np.linalg.qr(drawn)[0] if rank else drawn)

    def _eraser(self, directions: np.ndarray) -> Eraser:
        """Of (k, rank) orthonormal directions of the whitened coordinates."""
        back = self.back @ directions
        # The coordinates that are taken away have unit variance, so the mean square is that of the columns.
        return Eraser(self.mean, back, directions.T @ self.white, float((back**2).sum() / self.variance))
