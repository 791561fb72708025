"""Diagnostic classifiers: train a linear probe on every layer, test it on recordings that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core.corpus import features
from methods.core.corpus.features import Features
from methods.core.corpus.labels import Task, control_codes, shuffled_codes
from methods.core.errors import UserError
from methods.core.progress import Steps, within
from methods.core.statistics import intervals, linear_probe, scores, splits
from methods.core.statistics.linear_probe import Probe
from methods.probing.logistic import Logistic

UNITS = ("segments", "centre", "frames")
KINDS = ("ridge", "logistic")
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1)  # scikit-learn's C on standardised features
PLAIN_PENALTY = 10.0  # of ridge where none was chosen: the scores change little around it
FEWEST_LEARNABLE = 30  # items; of fewer, an accuracy is known to a tenth at best


@dataclass(frozen=True, eq=False)
class Plan:
    """What every probe of one run has in common: the items, the folds, the labels and their controls."""

    task: Task
    unit: str
    kind: str
    group: np.ndarray  # (items,) the recording or speaker that was dealt as a whole
    fold: np.ndarray  # (items,)
    controls: tuple[np.ndarray, ...]  # (items,) codes of each control task
    learnable: np.ndarray  # (items,) bool: whether another fold shows the item's control type
    shuffled: np.ndarray  # (items,) codes
    sure: bool = True  # whether intervals are asked for

    @property
    def columns(self) -> list[np.ndarray]:
        """All codes a probe is trained for: the real ones first."""
        return [self.task.codes, *self.controls, self.shuffled]

    @property
    def of_scores(self) -> "Plan":
        """The same for what is only compared: no control task, no interval."""
        return replace(self, controls=(), sure=False)


@dataclass(frozen=True, eq=False)
class ProbeScores:
    """Held-out scores of one probe per layer, and what they are compared with."""

    names: tuple[str, ...]
    accuracy: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,) 95% interval over recordings or speakers; NaN if there are too few
    high: np.ndarray
    confusion: np.ndarray  # (layers, classes, classes) counts, rows are the truth
    control: np.ndarray  # (seeds, layers) accuracy on the control tasks, of what could be learnt
    learnable_accuracy: np.ndarray  # (layers,) on the real labels of the same items; NaN without a control task
    shuffled: np.ndarray  # (layers,) accuracy on shuffled labels
    penalty: np.ndarray  # (layers,) median over the folds

    @property
    def balanced(self) -> np.ndarray:
        return np.array([scores.balanced_accuracy(counts) for counts in self.confusion])

    @property
    def macro_f1(self) -> np.ndarray:
        return np.array([scores.macro_f1(counts) for counts in self.confusion])

    @property
    def selectivity(self) -> np.ndarray:
        """(seeds, layers) accuracy on the real labels less accuracy on a control task, both of the same items."""
        return self.learnable_accuracy - self.control


def plan(task: Task, unit: str, kind: str, groups: str, control_seeds: Sequence[int], seed: int) -> Plan:
    """Deal the recordings (or speakers) into folds and draw the control labels.

    There are none where no type is known, or where too few items have one that another fold shows.
    """
    asked = ((unit, UNITS, "unit"), (kind, KINDS, "probe"), (groups, ("utterance", "speaker"), "split"))
    for value, known, name in asked:
        if value not in known:
            raise UserError(f"There is no {name} “{value}”; choose one of {', '.join(known)}.")
    by = task.items.utterance if groups == "utterance" else task.items.columns["speaker"]
    codes, fold = task.codes, splits.group_folds(by, seed=seed)
    if all(len(np.unique(by[codes == code])) == 1 for code in range(len(task.classes))):
        raise UserError(
            "Each class is said by one speaker only, so a probe that is split by speaker is tested on classes it was "
            "never trained on; split by recording."
        )
    learnable = seen_elsewhere(task.types, fold) if task.types is not None else np.zeros(len(codes), bool)
    seeds = control_seeds if learnable.sum() >= FEWEST_LEARNABLE else ()
    if kind == "logistic":
        seeds = seeds[:1]  # each costs as much as the real task
    controls = tuple(control_codes(task.types, codes, control_seed) for control_seed in seeds)
    return Plan(task, unit, kind, by, fold, controls, learnable, shuffled_codes(codes, seed))


def seen_elsewhere(types: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(n,) bool: whether an item's type occurs in a fold other than its own.

    Where it does not, the arbitrary label of a control task cannot be known by any probe: to count it as not learnt
    by heart would be to praise the probe for an impossible task.
    """
    _, members = np.unique(types, return_inverse=True)
    places = np.unique(np.stack([members, fold], axis=1), axis=0)[:, 0]
    return np.bincount(places)[members] > 1


def rows(states: Features, task: Task, unit: str) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Per layer the (rows, dim) features, and for each row the item that it belongs to."""
    if unit != "frames":
        pooling = "mean" if unit == "segments" else "centre"
        return features.pooled(states, task.items, pooling), np.arange(len(task.items))
    spans = features.frames_of(states, task.items)
    taken = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    return tuple(layer[taken] for layer in states.layers), np.repeat(np.arange(len(spans)), [len(s) for s in spans])


def measure(states: Features, plan: Plan) -> Steps[ProbeScores]:
    """Train and test a probe on every layer of these states."""
    layers, item = rows(states, plan.task, plan.unit)
    found = []
    for number, layer in enumerate(layers):
        ends = number / len(layers), (number + 1) / len(layers)
        found.append((yield from within(_layer(layer, item, plan), *ends, name=f"layer {states.names[number]}")))
    accuracy, low, high, counts, control, learnable, shuffled, penalty = map(np.array, zip(*found, strict=True))
    return ProbeScores(states.names, accuracy, low, high, counts, control.T, learnable, shuffled, penalty)


def _layer(values: np.ndarray, item: np.ndarray, plan: Plan) -> Steps[tuple]:
    columns = [codes[item] for codes in plan.columns]
    classes, learnable = len(plan.task.classes), plan.learnable[item]
    work = _logistic if plan.kind == "logistic" else _ridge
    said, penalties = yield from within(work(values, columns, plan.fold[item], classes), 0.0, 0.5)
    right = [codes == guess for codes, guess in zip(columns, said, strict=True)]
    ends = yield from within(_interval(values, right[0], item, plan, penalties), 0.5, 1.0)
    counts = scores.confusion(columns[0], said[0], classes)
    control = [float(hits[learnable].mean()) for hits in right[1:-1]]
    own = float(right[0][learnable].mean()) if control else float("nan")
    return float(right[0].mean()), *ends, counts, control, own, float(right[-1].mean()), float(np.median(penalties))


def _interval(
    values: np.ndarray, right: np.ndarray, item: np.ndarray, plan: Plan, penalties: np.ndarray
) -> Steps[tuple[float, float]]:
    """95% interval of the accuracy; ridge is trained anew without each part of the groups, logistic is not."""
    if not plan.sure:
        return float("nan"), float("nan")
    group, codes = plan.group[item], plan.task.codes[item]
    if plan.kind == "logistic":
        return intervals.of_mean_share(right, group)
    again = intervals.of_accuracy(values, codes, plan.fold[item], group, penalties, float(right.mean()))
    return (yield from again)


def _ridge(
    values: np.ndarray, columns: list[np.ndarray], fold: np.ndarray, classes: int
) -> Steps[tuple[list[np.ndarray], np.ndarray]]:
    """Held-out guesses for each set of codes, and the penalty that was chosen for the first in each fold."""
    targets = np.hstack([linear_probe.one_hot(codes, classes) for codes in columns])
    blocks = [slice(k * classes, (k + 1) * classes) for k in range(len(columns))]
    held = yield from linear_probe.cross_validated(values, targets, fold, blocks, linear_probe.misread)
    return [held.predictions[:, block].argmax(1) for block in blocks], held.penalties[:, 0]


def _logistic(
    values: np.ndarray, columns: list[np.ndarray], fold: np.ndarray, _classes: int
) -> Steps[tuple[list[np.ndarray], np.ndarray]]:
    """Multinomial logistic regression; its penalty is chosen on one fold of the others for the real labels."""
    folds = int(fold.max()) + 1
    chosen = yield from within(_chosen_c(values, columns[0], fold), 0.0, 0.2)
    said = [np.empty_like(codes) for codes in columns]
    for k in range(folds):
        held = fold == k
        for number, (codes, guesses) in enumerate(zip(columns, said, strict=True)):
            done = (k + number / len(columns)) / folds
            trained = Logistic.in_steps(values[~held], codes[~held], chosen)
            probe = yield from within(trained, 0.2 + 0.8 * done, 0.2 + 0.8 * (done + 1 / folds / len(columns)))
            guesses[held] = probe.predict(values[held])
    return said, np.full(folds, 1 / chosen)


def _chosen_c(values: np.ndarray, codes: np.ndarray, fold: np.ndarray) -> Steps[float]:
    """The inverse penalty that reads fold 1 best after training on all folds but 0 and 1.

    Fold 1 is tested later with that choice: of three values, it is too coarse a choice to flatter the result.
    """
    known, judge = fold > 1, fold == 1
    if not known.any():
        return INVERSE_PENALTIES[1]
    right, count = [], len(INVERSE_PENALTIES)
    for number, c in enumerate(INVERSE_PENALTIES):
        training = Logistic.in_steps(values[known], codes[known], c)
        probe = yield from within(training, number / count, (number + 1) / count)
        right.append((probe.predict(values[judge]) == codes[judge]).mean())
    return INVERSE_PENALTIES[int(np.argmax(right))]


def fitted(values: np.ndarray, codes: np.ndarray, classes: int, kind: str, penalty: float) -> Steps[Probe]:
    """A probe of this kind on all items (each class occurs), with a penalty that was chosen elsewhere."""
    if kind == "ridge":
        return trained(values, codes, classes, penalty)
    probe = (yield from Logistic.in_steps(values, codes, 1 / penalty)).probe
    if classes > 2:
        return probe
    sides = np.array([-0.5, 0.5])  # scikit-learn keeps one column for two classes: their difference
    return Probe(probe.weights * sides, probe.intercept * sides)


def trained(values: np.ndarray, codes: np.ndarray, classes: int, penalty: float) -> Probe:
    """A ridge probe on all items, with a penalty that was chosen elsewhere."""
    return linear_probe.solved(linear_probe.moments(values, linear_probe.one_hot(codes, classes)), penalty)
