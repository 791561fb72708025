"""Diagnostic classifiers: train a linear probe on every layer, test it on recordings that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from methods.core.corpus import features
from methods.core.corpus.features import Features
from methods.core.corpus.labels import Task, control_codes, shuffled_codes
from methods.core.errors import UserError
from methods.core.statistics import linear_probe, scores, splits
from methods.core.statistics.linear_probe import Probe

UNITS = ("segments", "centre", "frames")
KINDS = ("ridge", "logistic")
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1)  # scikit-learn's C on standardised features
PLAIN_PENALTY = 10.0  # of ridge where none was chosen: the scores change little around it
ITERATIONS = 200  # of L-BFGS; on these features the loss has settled to three digits by then


@dataclass(frozen=True, eq=False)
class Plan:
    """What every probe of one run has in common: the items, the folds, the labels and their controls."""

    task: Task
    unit: str
    kind: str
    fold: np.ndarray  # (items,)
    controls: tuple[np.ndarray, ...]  # (items,) codes of each control task
    shuffled: np.ndarray  # (items,) codes

    @property
    def columns(self) -> list[np.ndarray]:
        """All codes a probe is trained for: the real ones first."""
        return [self.task.codes, *self.controls, self.shuffled]


@dataclass(frozen=True, eq=False)
class Measured:
    """Held-out scores of one probe per layer, and what they are compared with."""

    names: tuple[str, ...]
    accuracy: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,) 95 % interval over recordings
    high: np.ndarray
    confusion: np.ndarray  # (layers, classes, classes) counts, rows are the truth
    control: np.ndarray  # (seeds, layers) accuracy on the control tasks
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
        """(seeds, layers) accuracy on the real labels less accuracy on a control task."""
        return self.accuracy - self.control


def plan(task: Task, unit: str, kind: str, groups: str, control_seeds: Sequence[int], seed: int) -> Plan:
    """Deal the recordings (or speakers) into folds and draw the control labels."""
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
    controls = tuple(control_codes(task.types, codes, control_seed) for control_seed in control_seeds)
    if kind == "logistic":
        controls = controls[:1]  # each costs as much as the real task
    return Plan(task, unit, kind, fold, controls, shuffled_codes(codes, seed))


def rows(states: Features, task: Task, unit: str) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Per layer the (rows, dim) features, and for each row the item that it belongs to."""
    if unit != "frames":
        pooling = "mean" if unit == "segments" else "centre"
        return features.pooled(states, task.items, pooling), np.arange(len(task.items))
    spans = features.frames_of(states, task.items)
    taken = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    return tuple(layer[taken] for layer in states.layers), np.repeat(np.arange(len(spans)), [len(s) for s in spans])


def measure(states: Features, plan: Plan) -> Measured:
    """Train and test a probe on every layer of these states."""
    layers, item = rows(states, plan.task, plan.unit)
    measured = zip(*(_layer(layer, item, plan) for layer in layers), strict=True)
    accuracy, low, high, counts, control, shuffled, penalty = (np.array(values) for values in measured)
    return Measured(states.names, accuracy, low, high, counts, control.T, shuffled, penalty)


def _layer(values: np.ndarray, item: np.ndarray, plan: Plan) -> tuple:
    columns = [codes[item] for codes in plan.columns]
    classes, truth = len(plan.task.classes), columns[0]
    said, penalty = _said(values, columns, plan.fold[item], classes, plan.kind)
    right = [codes == guess for codes, guess in zip(columns, said, strict=True)]
    low, high = scores.interval(right[0].astype(float), plan.task.items.utterance[item])
    shares = [float(hits.mean()) for hits in right]
    counts = scores.confusion(truth, said[0], classes)
    return shares[0], low, high, counts, shares[1:-1], shares[-1], penalty


def _said(
    values: np.ndarray, columns: list[np.ndarray], fold: np.ndarray, classes: int, kind: str
) -> tuple[list[np.ndarray], float]:
    """Held-out guesses for each set of codes, and the penalty that was chosen for the first."""
    if kind == "logistic":
        return _logistic(values, columns, fold)
    targets = np.hstack([linear_probe.one_hot(codes, classes) for codes in columns])
    blocks = [slice(k * classes, (k + 1) * classes) for k in range(len(columns))]
    held = linear_probe.cross_validate(values, targets, fold, blocks, linear_probe.misread)
    return [held.predictions[:, block].argmax(1) for block in blocks], float(np.median(held.penalties[:, 0]))


def _logistic(values: np.ndarray, columns: list[np.ndarray], fold: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Multinomial logistic regression; its penalty is chosen on one fold of the others for the real labels."""
    chosen = _chosen_c(values, columns[0], fold)
    said = [np.empty_like(codes) for codes in columns]
    for k in range(fold.max() + 1):
        held = fold == k
        for codes, guesses in zip(columns, said, strict=True):
            guesses[held] = Logistic(values[~held], codes[~held], chosen).predict(values[held])
    return said, 1 / chosen


def _chosen_c(values: np.ndarray, codes: np.ndarray, fold: np.ndarray) -> float:
    """The inverse penalty that reads fold 1 best after training on all folds but 0 and 1.

    Fold 1 is tested later with that choice: of three values, it is too coarse a choice to flatter the result.
    """
    known, judge = fold > 1, fold == 1
    if not known.any():
        return INVERSE_PENALTIES[1]
    right = [
        (Logistic(values[known], codes[known], c).predict(values[judge]) == codes[judge]).mean()
        for c in INVERSE_PENALTIES
    ]
    return INVERSE_PENALTIES[int(np.argmax(right))]


class Logistic:
    """Multinomial logistic regression on features standardised by the training items.

    Where all are of one class (a rare one may be held out entirely) there is nothing to fit: that is what it says.
    """

    def __init__(self, values: np.ndarray, codes: np.ndarray, c: float) -> None:
        self.mean, spread = values.mean(0), values.std(0)
        self.inverse = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        self.model = LogisticRegression(C=c, max_iter=ITERATIONS, tol=1e-3)
        self.only = int(codes[0]) if (codes == codes[0]).all() else None
        if self.only is None:
            self.model.fit((values - self.mean) * self.inverse, codes)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(n,) the most likely code of each item."""
        if self.only is not None:
            return np.full(len(values), self.only)
        return self.model.predict((values - self.mean) * self.inverse)

    @property
    def probe(self) -> Probe:
        """The same as an affine map to logits, one column per code that occurs."""
        weights = (self.model.coef_ * self.inverse).T
        return Probe(weights, self.model.intercept_ - self.mean @ weights)


def fitted(values: np.ndarray, codes: np.ndarray, classes: int, kind: str, penalty: float) -> Probe:
    """A probe of this kind on all items (each class occurs), with a penalty that was chosen elsewhere."""
    if kind == "ridge":
        return trained(values, codes, classes, penalty)
    probe = Logistic(values, codes, 1 / penalty).probe
    if classes > 2:
        return probe
    sides = np.array([-0.5, 0.5])  # scikit-learn keeps one column for two classes: their difference
    return Probe(probe.weights * sides, probe.intercept * sides)


def trained(values: np.ndarray, codes: np.ndarray, classes: int, penalty: float) -> Probe:
    """A ridge probe on all items, with a penalty that was chosen elsewhere."""
    return linear_probe.Fit(linear_probe.moments(values, linear_probe.one_hot(codes, classes))).probe(penalty)


def learning_curve(
    values: np.ndarray, item: np.ndarray, plan: Plan, penalty: float, sizes: Sequence[int]
) -> np.ndarray:
    """(sizes,) accuracy of a ridge probe on held-out recordings after training on so many, drawn at random."""
    utterance, fold = plan.task.items.utterance[item], plan.fold[item]
    codes, classes = plan.task.codes[item], len(plan.task.classes)
    right = np.zeros((len(sizes), len(codes)))
    for k in range(fold.max() + 1):
        held = fold == k
        order = np.random.default_rng(k).permutation(np.unique(utterance[~held]))
        for row, size in enumerate(sizes):
            known = ~held & np.isin(utterance, order[:size])
            right[row, held] = (
                trained(values[known], codes[known], classes, penalty)(values[held]).argmax(1) == codes[held]
            )
    return right.mean(1)


def transferred(
    probe: Probe, values: np.ndarray, codes: np.ndarray, utterance: np.ndarray
) -> tuple[float, float, float]:
    """Accuracy of a trained probe on other recordings, and its 95 % interval."""
    right = (probe(values).argmax(1) == codes).astype(float)
    return (float(right.mean()), *scores.interval(right, utterance))


def between_speakers(
    values: np.ndarray, item: np.ndarray, task: Task, penalty: float, fewest: int
) -> tuple[tuple[str, ...], np.ndarray]:
    """Train a ridge probe on one speaker (row), test it on another (column): (speakers, speakers) accuracy.

    On the diagonal held-out recordings of the same speaker are tested. Speakers with fewer than `fewest` items are
    left out; NaN where a speaker has too few recordings to hold some out.
    """
    speaker, utterance = task.items.columns["speaker"][item], task.items.utterance[item]
    codes, classes = task.codes[item], len(task.classes)
    names = tuple(str(name) for name in np.unique(speaker) if (speaker == name).sum() >= fewest)
    table = np.full((len(names), len(names)), np.nan)
    for i, name in enumerate(names):
        own = speaker == name
        probe = trained(values[own], codes[own], classes, penalty)
        for j, other in enumerate(names):
            tested = speaker == other
            table[i, j] = (probe(values[tested]).argmax(1) == codes[tested]).mean()
        table[i, i] = _within(values[own], codes[own], utterance[own], classes, penalty)
    return names, table


def _within(values: np.ndarray, codes: np.ndarray, utterance: np.ndarray, classes: int, penalty: float) -> float:
    if len(np.unique(utterance)) < 3:
        return float("nan")
    fold, right = splits.group_folds(utterance), []
    for k in range(fold.max() + 1):
        held = fold == k
        right.append(trained(values[~held], codes[~held], classes, penalty)(values[held]).argmax(1) == codes[held])
    return float(np.concatenate(right).mean())
