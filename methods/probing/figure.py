"""Pictures of probes: scores over the layers with their controls, learning curves, and matrices of shares."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.core.figures.matrix import draw_matrix, in_order
from methods.probing.result import SCORES, Probing


def curves(result: Probing, score: str = "accuracy") -> list[Curve]:
    """The score over the layers and its controls; acoustic features are level lines."""
    lines = [Curve("trained", getattr(result, score)), *_control_curves(result, list(SCORES).index(score))]
    if score == "accuracy":
        lines.append(Curve("shuffled labels", result.shuffled, control=True))
        other = result.controls.other if result.controls else None
        lines += [] if other is None else [Curve("other speakers", other[0])]
    return lines


def _control_curves(result: Probing, row: int) -> Iterator[Curve]:
    """Random weights and acoustic features, as far as they are there; `row` is the score's place."""
    controls, level = result.controls, np.ones(len(result.layers))
    if controls is None:
        return
    if controls.random is not None:
        yield Curve(f"random weights, {counted(len(controls.random), 'seed')}", controls.random[:, row], control=True)
    for name, values in zip(controls.baselines, controls.baseline_scores, strict=True):
        yield Curve(name, values[row] * level, control=True)


def draw_scores(ax: Axes, result: Probing, score: str = "accuracy", ink: str = draw.INK) -> None:
    """The score over the layers with its controls and, for accuracy, its interval and the most frequent class."""
    curve_figures.layer_curves(ax, result.layers, curves(result, score), SCORES[score], ink)
    if score == "accuracy":
        band = "95% interval" if np.isfinite(result.low).any() else None
        ends = result.low, result.high
        ax.fill_between(range(len(result.layers)), *ends, color=draw.TRAINED, alpha=0.2, lw=0, label=band)
        ax.axhline(result.majority, color=draw.QUIET, ls=":", label="most frequent class")
        draw.plain_axes(ax, ink)
    ax.set_ylim(0, 1)


def draw_selectivity(ax: Axes, result: Probing, ink: str = draw.INK) -> None:
    """Accuracy on the control tasks, and what is left above it; where there is none, why."""
    if not len(result.control):
        ax.set_axis_off()
        ax.text(0.5, 0.5, lack_of_control(result), color=ink, fontsize=9, ha="center", va="center", wrap=True)
        return
    lines = [
        Curve("selectivity", result.selectivity.mean(0)),
        Curve("accuracy on the same items", result.learnable_accuracy, control=True),
        Curve(f"control task by {result.control_types}", result.control, control=True),
    ]
    curve_figures.layer_curves(
        ax, result.layers, lines, f"share of {result.learnable:,} of {result.items:,} items", ink
    )
    ax.set_ylim(min(0, float(result.selectivity.min())), 1)


def lack_of_control(result: Probing) -> str:
    """Why nothing was measured on a control task."""
    asked = len(result.provenance["options"]["control_seeds"])
    return f"no control task: {result.control_types if asked else 'none was asked for'}"


def draw_learning(ax: Axes, result: Probing, ink: str = draw.INK) -> None:
    """Accuracy against the number of training recordings."""
    controls = result.controls
    for line, name, colour in zip(
        controls.learning, (f"layer {result.layers[result.best]}", "MFCC"), (draw.TRAINED, draw.RANDOM), strict=True
    ):
        ax.plot(controls.learning_sizes, line, marker="o", ms=4, color=colour, label=name)
    kind = "" if result.provenance["options"]["probe"] == "ridge" else " (ridge)"  # whatever was asked for above
    ax.set(xlabel="training recordings", ylabel=f"accuracy{kind}", ylim=(0, 1), xscale="log")
    ax.set_xticks(controls.learning_sizes, [str(size) for size in controls.learning_sizes])
    ax.minorticks_off()
    draw.plain_axes(ax, ink)


def has_learning(result: Probing) -> bool:
    """Whether there is a learning curve: there were recordings enough, and it has been computed."""
    return bool(result.controls and result.controls.learning is not None and len(result.controls.learning_sizes))


def has_speakers(result: Probing) -> bool:
    """Whether there are speakers with enough items, and they have been compared."""
    return bool(result.controls and result.controls.speakers)


def draw_speakers(ax: Axes, result: Probing, ink: str = draw.INK) -> None:
    """Accuracy from speaker to speaker."""
    draw_matrix(ax, result.controls.by_speaker, result.controls.speakers, ("tested on", "trained on"), ink)


def draw_confusion(ax: Axes, result: Probing, layer: int, ink: str = draw.INK) -> None:
    """What the items of each class were called, at one layer."""
    order = in_order(result.classes)
    names = [result.classes[number] for number in order]
    labels = (f"what the probe says at layer {result.layers[layer]}", "what it is (darkest: all of the row)")
    draw_matrix(ax, shares(result, layer)[np.ix_(order, order)], names, labels, ink)


def shares(result: Probing, layer: int) -> np.ndarray:
    """(classes, classes) of all items of the row's class, the share that the probe called the column's."""
    counts = result.confusion[layer].astype(float)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def plot(result: Probing, *, score: str = "accuracy", layer: int | None = None) -> Figure:
    """Scores and controls over the layers, selectivity, learning curve, confusions, and speaker against speaker."""
    layer = result.best if layer is None else layer
    figure = draw.new_figure(11.0, 10.0)
    axes = figure.subplots(3, 2, height_ratios=(1, 1, 1.6))
    draw_scores(axes[0, 0], result, score)
    draw_selectivity(axes[0, 1], result)
    if has_learning(result):
        draw_learning(axes[1, 0], result)
    if has_speakers(result):
        draw_speakers(axes[1, 1], result)
    draw_confusion(axes[2, 0], result, layer)
    for ax in (axes[0, 1], axes[1, 0], axes[1, 1], axes[2, 1]):
        ax.set_visible(bool(ax.has_data() or ax.texts))
    return figure
