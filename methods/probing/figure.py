"""Pictures of probes: scores over the layers with their controls, learning curves, and matrices of shares."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.figures import curves as curve_figures
from methods.core.figures import draw, matrix
from methods.core.figures.curves import Curve
from methods.core.figures.matrix import draw_matrix, in_order
from methods.probing.result import SCORES, Probing

# The frozen result of the technique; core must not import techniques.
Result = Any


def curves(result: Result, score: str = "accuracy") -> list[Curve]:
    """The score over the layers and its controls; acoustic features are level lines."""
    row, level = list(SCORES).index(score), np.ones(len(result.layers))
    lines = [Curve("trained", getattr(result, score))]
    if len(result.random):
        name = f"random weights, {len(result.random)} seeds"
        lines.append(Curve(name, result.random[:, row], control=True))
    for name, values in zip(result.baselines, result.baseline_scores, strict=True):
        lines.append(Curve(name, values[row] * level, control=True))
    if score == "accuracy":
        lines.append(Curve("shuffled labels", result.shuffled, control=True))
        lines += [Curve("other speakers", result.other[0])] if result.other.shape[1] else []
    return lines


def draw_scores(ax: Axes, result: Result, score: str = "accuracy", ink: str = draw.INK) -> None:
    """The score over the layers with its controls and, for accuracy, its interval and the most frequent class."""
    curve_figures.layer_curves(ax, result.layers, curves(result, score), SCORES[score], ink)
    if score == "accuracy":
        ax.fill_between(range(len(result.layers)), result.low, result.high, color=draw.TRAINED, alpha=0.2, lw=0)
        ax.axhline(result.majority, color=draw.QUIET, ls=":", label="most frequent class")
        draw.plain_axes(ax, ink)
    ax.set_ylim(0, 1)


def draw_selectivity(ax: Axes, result: Result, ink: str = draw.INK) -> None:
    """Accuracy on the control tasks, and what is left above it; where there is none, why."""
    if not len(result.control):
        ax.set_axis_off()
        ax.text(0.5, 0.5, lack_of_control(result), color=ink, fontsize=9, ha="center", va="center", wrap=True)
        return
    name = f"control task by {result.control_types}"
    both = [Curve("selectivity", result.selectivity.mean(0)), Curve(name, result.control, control=True)]
    curve_figures.layer_curves(ax, result.layers, both, "accuracy", ink)
    ax.set_ylim(min(0, float(result.selectivity.min())), 1)


def lack_of_control(result: Result) -> str:
    """Why nothing was measured on a control task."""
    asked = len(result.provenance["options"]["control_seeds"])
    return f"no control task: {result.control_types if asked else 'none was asked for'}"


def draw_learning(ax: Axes, result: Result, ink: str = draw.INK) -> None:
    """Accuracy against the number of training recordings."""
    for line, name, colour in zip(
        result.learning, (f"layer {result.layers[result.best]}", "MFCC"), (draw.TRAINED, draw.RANDOM), strict=True
    ):
        ax.plot(result.learning_sizes, line, marker="o", ms=4, color=colour, label=name)
    kind = "" if result.provenance["options"]["probe"] == "ridge" else " (ridge)"  # whatever was asked for above
    ax.set(xlabel="training recordings", ylabel=f"accuracy{kind}", ylim=(0, 1), xscale="log")
    ax.set_xticks(result.learning_sizes, [str(size) for size in result.learning_sizes])
    ax.minorticks_off()
    draw.plain_axes(ax, ink)


def draw_confusion(ax: Axes, result: Result, layer: int, ink: str = draw.INK) -> None:
    """What the items of each class were called, at one layer."""
    order = in_order(result.classes)
    names = [result.classes[number] for number in order]
    labels = (f"said (layer {result.layers[layer]})", "was")
    draw_matrix(ax, shares(result, layer)[np.ix_(order, order)], names, labels, ink)


def shares(result: Result, layer: int) -> np.ndarray:
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
    if len(result.learning_sizes):
        draw_learning(axes[1, 0], result)
    if len(result.speakers):
        matrix.draw_matrix(axes[1, 1], result.by_speaker, result.speakers, ("tested on", "trained on"))
    draw_confusion(axes[2, 0], result, layer)
    for ax in (axes[0, 1], axes[1, 0], axes[1, 1], axes[2, 1]):
        ax.set_visible(bool(ax.has_data() or ax.texts))
    return figure
