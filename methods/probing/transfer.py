"""How much a probe needs and how far it carries: fewer recordings, other recordings, other speakers."""

from collections.abc import Sequence

import numpy as np

from methods.core.corpus.labels import Task
from methods.core.progress import Step, Steps
from methods.core.statistics import intervals, splits
from methods.core.statistics.linear_probe import Probe
from methods.probing.probes import Plan, trained


def learning_curve(
    values: np.ndarray, item: np.ndarray, plan: Plan, penalty: float, sizes: Sequence[int]
) -> Steps[np.ndarray]:
    """(sizes,) accuracy of a ridge probe on held-out recordings after training on so many, drawn at random."""
    utterance, fold = plan.task.items.utterance[item], plan.fold[item]
    codes, classes, folds = plan.task.codes[item], len(plan.task.classes), int(fold.max()) + 1
    right = np.zeros((len(sizes), len(codes)))
    for k in range(folds):
        held = fold == k
        order = np.random.default_rng(k).permutation(np.unique(utterance[~held]))
        for row, size in enumerate(sizes):
            yield Step((k + row / len(sizes)) / folds, f"learning curve, {size} recordings")
            known = ~held & np.isin(utterance, order[:size])
            probe = trained(values[known], codes[known], classes, penalty)
            right[row, held] = probe(values[held]).argmax(1) == codes[held]
    return right.mean(1)


def transferred(
    probe: Probe, values: np.ndarray, codes: np.ndarray, utterance: np.ndarray
) -> tuple[float, float, float]:
    """Accuracy of a trained probe on other recordings, and its 95% interval over these, this probe given."""
    right = (probe(values).argmax(1) == codes).astype(float)
    return (float(right.mean()), *intervals.of_mean_share(right, utterance))


def between_speakers(
    values: np.ndarray, item: np.ndarray, task: Task, penalty: float, fewest: int
) -> Steps[tuple[tuple[str, ...], np.ndarray]]:
    """Train a ridge probe on one speaker (row), test it on another (column): (speakers, speakers) accuracy.

    On the diagonal held-out recordings of the same speaker are tested. Speakers with fewer than `fewest` items are
    left out; NaN where a speaker has too few recordings to hold some out.
    """
    speaker, utterance = task.items.columns["speaker"][item], task.items.utterance[item]
    codes, classes = task.codes[item], len(task.classes)
    names = tuple(str(name) for name in np.unique(speaker) if (speaker == name).sum() >= fewest)
    table = np.full((len(names), len(names)), np.nan)
    for i, name in enumerate(names):
        yield Step(i / len(names), f"training on {name}")
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
