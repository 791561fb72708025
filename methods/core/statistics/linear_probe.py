"""Linear probes in closed form: ridge regression on one-hot or real-valued targets, cross-validated by groups.

All that a fold needs is in its moments (counts, sums, products), and the moments of a training set are those of the
whole less those of the fold. One decomposition per fold then serves every penalty and every target at once: the real
labels, the control tasks and the shuffled ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PENALTIES = np.logspace(-1, 5, 13)  # on standardised features, where the Gram matrix's diagonal is the item count
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Moments:
    """What ridge regression needs to know of some items."""

    n: float
    x: np.ndarray  # (d,) sum of the features
    y: np.ndarray  # (c,) sum of the targets
    xx: np.ndarray  # (d, d)
    xy: np.ndarray  # (d, c)
    size: np.ndarray  # (d,) sum of squares, what was subtracted again included: rounding is in proportion to it

    def __sub__(self, other: "Moments") -> "Moments":
        sums = (getattr(self, name) - getattr(other, name) for name in ("n", "x", "y", "xx", "xy"))
        return Moments(*sums, self.size)


@dataclass(frozen=True, eq=False)
class Probe:
    """An affine map from features to targets."""

    weights: np.ndarray  # (d, c)
    intercept: np.ndarray  # (c,)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(n, c) predictions for (n, d) features."""
        return features @ self.weights + self.intercept


def moments(features: np.ndarray, targets: np.ndarray) -> Moments:
    """The moments of (n, d) features and (n, c) targets, in double precision."""
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    xx = x.T @ x
    return Moments(len(x), x.sum(0), y.sum(0), xx, x.T @ y, np.diag(xx))


class Fit:
    """Ridge regression on some items, decomposed once for every penalty."""

    def __init__(self, known: Moments) -> None:
        self.mean, self.target_mean = known.x / known.n, known.y / known.n
        gram = known.xx - known.n * np.outer(self.mean, self.mean)
        spread = np.sqrt(np.maximum(np.diag(gram), 0) / known.n)
        # A feature that does not vary, but for rounding in its sum of squares, says nothing; it gets no weight.
        varies = spread > 1e-6 * np.sqrt(known.size / known.n)
        self.inverse = np.divide(1, spread, out=np.zeros_like(spread), where=varies)
        self.values, self.vectors = np.linalg.eigh(gram * np.outer(self.inverse, self.inverse))
        cross = known.xy - known.n * np.outer(self.mean, self.target_mean)
        self.cross = self.vectors.T @ (cross * self.inverse[:, None])

    def rotated(self, features: np.ndarray) -> np.ndarray:
        """(n, d) features in the axes in which every penalty is a division: once for all penalties and targets."""
        return ((np.asarray(features, dtype=np.float64) - self.mean) * self.inverse) @ self.vectors

    def predictions(self, rotated: np.ndarray, penalty: float) -> np.ndarray:
        """(n, c) what the solution for one penalty says of rotated features."""
        return rotated @ (self.cross / (np.maximum(self.values, 0) + penalty)[:, None]) + self.target_mean

    def probe(self, penalty: float, columns: slice = slice(None)) -> Probe:
        """The solution for one penalty (on standardised features; the intercept is free)."""
        shrunk = self.cross[:, columns] / (np.maximum(self.values, 0) + penalty)[:, None]
        weights = (self.vectors @ shrunk) * self.inverse[:, None]
        return Probe(weights, self.target_mean[columns] - self.mean @ weights)


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """What probes say about items that they were not trained on."""

    predictions: np.ndarray  # (n, c) each item's from the fold in which it was held out
    penalties: np.ndarray  # (folds, blocks) chosen on a fold of the training items


def cross_validate(
    features: np.ndarray,
    targets: np.ndarray,
    fold: np.ndarray,
    blocks: Sequence[slice],
    loss: Callable[[np.ndarray, np.ndarray], float],
    penalties: np.ndarray = PENALTIES,
) -> CrossValidated:
    """Predict every fold from the others. Each block of target columns has its own penalty.

    The penalty for a fold is chosen by training on the other folds but one and judging on that one.
    """
    parts = [moments(features[fold == k], targets[fold == k]) for k in range(fold.max() + 1)]
    whole = moments(features, targets)
    predictions = np.empty(targets.shape)
    chosen = np.empty((len(parts), len(blocks)))
    for k, part in enumerate(parts):
        judge = (k + 1) % len(parts)
        inner, outer = Fit(whole - part - parts[judge]), Fit(whole - part)
        held, tried = fold == k, fold == judge
        known, asked = inner.rotated(features[tried]), outer.rotated(features[held])
        losses = [_losses(inner.predictions(known, p), targets[tried], blocks, loss) for p in penalties]
        chosen[k] = penalties[np.argmin(losses, axis=0)]
        for penalty in np.unique(chosen[k]):
            said = outer.predictions(asked, penalty)
            for number in np.flatnonzero(chosen[k] == penalty):
                predictions[held, blocks[number]] = said[:, blocks[number]]
    return CrossValidated(predictions, chosen)


def _losses(said: np.ndarray, truth: np.ndarray, blocks: Sequence[slice], loss: Callable) -> list[float]:
    return [loss(said[:, block], truth[:, block]) for block in blocks]


def misread(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Share of items whose largest prediction is not their class."""
    return float((predictions.argmax(1) != targets.argmax(1)).mean())


def squared_error(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared error."""
    return float(((predictions - targets) ** 2).mean())


def one_hot(codes: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) zeros and ones."""
    return (codes[:, None] == np.arange(classes)).astype(np.float64)
