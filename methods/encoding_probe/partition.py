"""How well do sets of features predict states? Ridge regression whose squared errors are judged without predictions.

Every layer is a block of targets with a penalty of its own. The features are decomposed once per fold and set for all
layers and penalties together; what a penalty costs on the judging fold follows from products of that decomposition
(see `losses`), so that only the chosen one is ever applied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np

from methods.core.progress import Step, Steps, of_the_whole, within
from methods.core.statistics import linear_probe
from methods.core.statistics.intervals import Parts
from methods.core.statistics.linear_probe import PENALTIES, Fit, Moments

MOST_TARGETS = 2048  # dimensions of layers taken together, so that a step stays under a second


@dataclass(frozen=True, eq=False)
class Task:
    """What all layers and all sets of features have in common."""

    values: np.ndarray  # (n, features)
    fold: np.ndarray  # (n,) int, the fold in which an item is held out
    parts: Parts  # of recordings, over which errors are summed

    def summed(self, squares: np.ndarray, own: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(parts,) sums of (items of `own`, dimensions)."""
        return np.bincount(self.parts.part[own], weights=squares.sum(1), minlength=self.parts.count)


@dataclass(frozen=True, eq=False)
class Explained:
    """Squared errors per part of the recordings, summed over the dimensions of a layer."""

    items: int  # that were held out and judged: all of them, but where the first fold is shown alone
    left: np.ndarray  # (sets, layers, parts) of what is predicted, held out
    whole: np.ndarray  # (layers, parts) of the mean

    def r2(self) -> np.ndarray:
        """(sets, layers) share of the variance: every dimension counts by its variance."""
        return 1 - self.left.sum(-1) / self.whole.sum(-1)

    def r2_without(self) -> np.ndarray:
        """(sets, layers, parts) the same without each part."""
        left, whole = (sums.sum(-1, keepdims=True) - sums for sums in (self.left, self.whole))
        return 1 - left / whole


def explained(
    task: Task, sets: Sequence[np.ndarray], layers: Sequence[np.ndarray], penalties: np.ndarray = PENALTIES
) -> Steps[Explained]:
    """How far is each layer, (n, dimensions), from what each set of columns predicts of it?

    Every fold is predicted from the others; the penalty for it is chosen, per set and layer, on a fold of those. Where
    all layers are worked on together, what is known of the first fold can be shown.
    """
    groups, found = _groups(layers), []
    for number, group in enumerate(groups):
        chosen = [np.asarray(layers[place], dtype=float) for place in group]
        begin, share = number / len(groups), 1 / len(groups)
        show = of_the_whole if len(groups) == 1 else None
        found.append((yield from within(_together(task, sets, chosen, penalties), begin, begin + share, show=show)))
    left, whole = np.concatenate([f.left for f in found], axis=1), np.concatenate([f.whole for f in found])
    return Explained(len(task.fold), left, whole)


def _groups(layers: Sequence[np.ndarray]) -> list[list[int]]:
    """Layers that are worked on together, in their order."""
    groups: list[list[int]] = [[]]
    for place, values in enumerate(layers):
        if groups[-1] and sum(layers[n].shape[1] for n in groups[-1]) + values.shape[1] > MOST_TARGETS:
            groups.append([])
        groups[-1].append(place)
    return groups


def _together(
    task: Task,
    sets: Sequence[np.ndarray],
    layers: Sequence[np.ndarray],
    penalties: np.ndarray,
) -> Steps[Explained]:
    """Layers that fit into one matrix; the first fold alone can be shown."""
    targets = np.hstack(layers)
    edges = np.cumsum([0, *(values.shape[1] for values in layers)])
    spans = [slice(a, b) for a, b in pairwise(edges)]
    folds = int(task.fold.max()) + 1
    known = []
    for k in range(folds):
        yield Step(0.05 * k / folds, "reading the states")
        known.append(linear_probe.moments(task.values[task.fold == k], targets[task.fold == k]))
    whole, left = reduce(Moments.__add__, known), np.zeros((len(sets), len(layers), task.parts.count))
    for k in range(folds):
        judge = (k + 1) % folds
        inner, outer, held = whole - known[k] - known[judge], whole - known[k], np.flatnonzero(task.fold == k)
        for number, columns in enumerate(sets):
            done = 0.05 + 0.95 * (k + number / len(sets)) / folds
            text = f"fold {k + 1} of {folds} from blocks, choice {number + 1} of {len(sets)}"
            shown = _judged(task, layers, left, np.flatnonzero(task.fold == 0)) if (k, number) == (1, 0) else None
            yield Step(done, f"predicting {text}", shown)
            tried = task.values[np.ix_(task.fold == judge, columns)], targets[task.fold == judge]
            chosen = _chosen(_only(inner, columns), tried, spans, penalties)
            gaps = _gaps(_only(outer, columns), (task.values[np.ix_(held, columns)], targets[held]), spans, chosen)
            left[number] += [task.summed(gap**2, held) for gap in gaps]
    return _judged(task, layers, left, np.arange(len(task.fold)))


def _judged(task: Task, layers: Sequence[np.ndarray], left: np.ndarray, own: np.ndarray) -> Explained:
    """The errors left of the items `own`, all that have been held out so far."""
    whole = [task.summed(((values - values.mean(0)) ** 2)[own], own) for values in layers]
    return Explained(len(own), left.copy(), np.array(whole))


def _only(known: Moments, columns: np.ndarray) -> Moments:
    """The moments of some of the features."""
    xx = known.xx[np.ix_(columns, columns)]
    return Moments(known.n, known.x[columns], known.y, xx, known.xy[columns], known.size[columns])


def _chosen(
    known: Moments, tried: tuple[np.ndarray, np.ndarray], spans: Sequence[slice], penalties: np.ndarray
) -> np.ndarray:
    """(layers,) the penalty with the smallest error on the items tried, (m, features) and (m, targets)."""
    fit = Fit(known)
    rotated = fit.rotated(tried[0])
    gaps = (tried[1][:, span] - fit.target_mean[span] for span in spans)
    each = (losses(fit, rotated, gap, span, penalties) for gap, span in zip(gaps, spans, strict=True))
    return np.array([penalties[np.argmin(loss)] for loss in each])


def losses(fit: Fit, rotated: np.ndarray, gap: np.ndarray, span: slice, penalties: np.ndarray) -> np.ndarray:
    """(penalties,) summed squared errors on items (m, features) in the axes of a fit, for the targets of a span.

    A prediction is R·D·C with R the rotated items, C the rotated products of features and targets, and D diagonal,
    1 / (eigenvalue + penalty). With G what is to be predicted less its mean in training,
    ‖G − R·D·C‖² = ‖G‖² − 2·Σᵢ dᵢ·(RᵀG ∘ C)ᵢ + Σᵢⱼ dᵢ·dⱼ·(RᵀR ∘ CCᵀ)ᵢⱼ: two products for all penalties.
    """
    cross = fit.cross[:, span]
    along = ((rotated.T @ gap) * cross).sum(1)
    between = (rotated.T @ rotated) * (cross @ cross.T)
    shrunk = 1 / (np.maximum(fit.values, 0) + penalties[:, None])  # (penalties, features)
    return (gap**2).sum() - 2 * shrunk @ along + ((shrunk @ between) * shrunk).sum(1)


def _gaps(
    known: Moments, held: tuple[np.ndarray, np.ndarray], spans: Sequence[slice], chosen: np.ndarray
) -> list[np.ndarray]:
    """Per layer: (m, dimensions) what is held out less its prediction."""
    found: dict[int, np.ndarray] = {}
    for penalty in np.unique(chosen):
        own = np.flatnonzero(chosen == penalty)
        columns = np.concatenate([np.arange(spans[n].start, spans[n].stop) for n in own])
        some = Moments(known.n, known.x, known.y[columns], known.xx, known.xy[:, columns], known.size)
        gap = held[1][:, columns] - linear_probe.solved(some, float(penalty))(held[0])
        edges = np.cumsum([spans[n].stop - spans[n].start for n in own])[:-1]
        found |= dict(zip(own.tolist(), np.split(gap, edges, axis=1), strict=True))
    return [found[n] for n in range(len(spans))]
