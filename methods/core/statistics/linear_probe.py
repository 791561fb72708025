"""Linear probes in closed form: ridge regression on one-hot or real-valued targets, cross-validated by groups.

All that a fold needs is in its moments (counts, sums, products), and the moments of a training set are those of the
whole less those of the fold. One decomposition per fold then serves every penalty and every target at once: the real
labels, the control tasks and the shuffled ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from methods.core.progress import Step, Steps, finish

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

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(getattr(self, name) + getattr(other, name) for name in ("n", "x", "y", "xx", "xy", "size")))


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


@dataclass(frozen=True, eq=False)
class _Standardised:
    """The normal equations of ridge regression on features of mean 0 and variance 1."""

    mean: np.ndarray  # (d,)
    target_mean: np.ndarray  # (c,)
    inverse: np.ndarray  # (d,) 1 / standard deviation
    gram: np.ndarray  # (d, d)
    cross: np.ndarray  # (d, c)


def _standardised(known: Moments) -> _Standardised:
    mean, target_mean = known.x / known.n, known.y / known.n
    gram = known.xx - known.n * np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(gram), 0) / known.n)
    # A feature that does not vary, but for rounding in its sum of squares, says nothing; it gets no weight.
    varies = spread > 1e-6 * np.sqrt(known.size / known.n)
    inverse = np.divide(1, spread, out=np.zeros_like(spread), where=varies)
    cross = known.xy - known.n * np.outer(mean, target_mean)
    return _Standardised(mean, target_mean, inverse, gram * np.outer(inverse, inverse), cross * inverse[:, None])


def solved(known: Moments, penalty: float) -> Probe:
    """Ridge regression for one penalty: a tenth of the time of `Fit`, whose decomposition serves all of them."""
    scaled = _standardised(known)
    scaled.gram[np.diag_indices_from(scaled.gram)] += penalty
    weights = cho_solve(cho_factor(scaled.gram, lower=True, overwrite_a=True), scaled.cross) * scaled.inverse[:, None]
    return Probe(weights, scaled.target_mean - scaled.mean @ weights)


class Fit:
    """Ridge regression on some items, decomposed once for every penalty."""

    def __init__(self, known: Moments) -> None:
        scaled = _standardised(known)
        self.mean, self.target_mean, self.inverse = scaled.mean, scaled.target_mean, scaled.inverse
        self.values, self.vectors = np.linalg.eigh(scaled.gram)
        self.cross = self.vectors.T @ scaled.cross

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
    return finish(cross_validated(features, targets, fold, blocks, loss, penalties))


def cross_validated(
    features: np.ndarray,
    targets: np.ndarray,
    fold: np.ndarray,
    blocks: Sequence[slice],
    loss: Callable[[np.ndarray, np.ndarray], float],
    penalties: np.ndarray = PENALTIES,
) -> Steps[CrossValidated]:
    """`cross_validate` as a piece of work that can be stopped before each fold."""
    parts = yield from _moments_of_folds(features, targets, fold)
    whole = reduce(Moments.__add__, parts)
    predictions = np.empty(targets.shape)
    chosen = np.empty((len(parts), len(blocks)))
    for k, part in enumerate(parts):
        text = f"training without fold {k + 1} of {len(parts)}"
        yield Step(0.1 + 0.9 * k / len(parts), text)
        judge = (k + 1) % len(parts)
        inner = Fit(whole - part - parts[judge])
        held, tried = fold == k, fold == judge
        known = inner.rotated(features[tried])
        losses = [_losses(inner.predictions(known, p), targets[tried], blocks, loss) for p in penalties]
        chosen[k] = penalties[np.argmin(losses, axis=0)]
        yield Step(0.1 + 0.9 * (k + 0.5) / len(parts), text)
        outer = Fit(whole - part)
        asked = outer.rotated(features[held])
        for penalty in np.unique(chosen[k]):
            said = outer.predictions(asked, penalty)
            for number in np.flatnonzero(chosen[k] == penalty):
                predictions[held, blocks[number]] = said[:, blocks[number]]
    return CrossValidated(predictions, chosen)


def _moments_of_folds(features: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> Steps[list[Moments]]:
    """The moments of each fold: a tenth of the work that follows."""
    found, count = [], int(fold.max()) + 1
    for k in range(count):
        yield Step(0.1 * k / count, "reading the states")
        found.append(moments(features[fold == k], targets[fold == k]))
    return found


def left_out(
    features: np.ndarray,
    targets: np.ndarray,
    fold: np.ndarray,
    part: np.ndarray,
    penalties: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
) -> Steps[np.ndarray]:
    """(parts,) a cross-validated score without each part of the items: neither trained on it nor tested on it.

    `part` (n,) numbers the parts, `penalties` (folds, c) are those that were chosen with all items; `score` is given
    what is said of the items that are left, and which these are (n,). For `intervals.Parts.interval`.
    """
    count = int(part.max()) + 1
    folds = yield from _moments_of_folds(features, targets, fold)
    whole = reduce(Moments.__add__, folds)
    found = np.empty(count)
    for number in range(count):
        yield Step(0.1 + 0.9 * number / count, f"training without part {number + 1} of {count} of the recordings")
        gone = part == number
        cells = [moments(features[gone & (fold == k)], targets[gone & (fold == k)]) for k in range(len(folds))]
        both, said = reduce(Moments.__add__, cells), np.empty(targets.shape)
        for k, (own, cell) in enumerate(zip(folds, cells, strict=True)):
            held = (fold == k) & ~gone
            said[held] = _said(whole - own - (both - cell), penalties[k], features[held])
        found[number] = score(said[~gone], np.flatnonzero(~gone))
    return found


def _said(known: Moments, penalties: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(n, c) predictions, each column with its own penalty."""
    said = np.empty((len(features), len(penalties)))
    for penalty in np.unique(penalties):
        own = penalties == penalty
        said[:, own] = solved(replace(known, y=known.y[own], xy=known.xy[:, own]), float(penalty))(features)
    return said


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
