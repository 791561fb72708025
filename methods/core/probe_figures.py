"""Pictures of probes: scores over the layers with their controls, learning curves, and matrices of shares."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from methods.core import draw, lens, phonology
from methods.core.lens import Curve

SCORES = {"accuracy": "accuracy", "balanced": "balanced accuracy", "macro_f1": "macro-F1"}
NOTHING = 0.005  # of a share, below which a cell is left empty
MOST_WRITTEN = 8  # rows whose numbers fit into the cells
COLUMN_INK = "#1f2937"  # on the light end of the map, in the dark theme as well

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
    lens.layer_curves(ax, result.layers, curves(result, score), SCORES[score], ink)
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
    lens.layer_curves(ax, result.layers, both, "accuracy", ink)
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


def draw_matrix(
    ax: Axes, values: np.ndarray, names: Sequence[str], labels: tuple[str, str], ink: str = draw.INK
) -> None:
    """Shares of each row from 0 to 1: what was said for each class, or accuracy from speaker to speaker."""
    drawn = np.ma.masked_invalid(values)  # on a dark page, too, nothing is the scale's lightest, not the background
    ax.pcolormesh(drawn, cmap=draw.SEQUENTIAL, vmin=0, vmax=1)
    ax.invert_yaxis()
    shown = [name.replace("$", r"\$") for name in names]
    ax.set_xticks(np.arange(len(names)) + 0.5, shown, rotation=90, fontsize=7)
    ax.set_yticks(np.arange(len(names)) + 0.5, shown, fontsize=7)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    if len(names) <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            if value <= NOTHING:
                continue
            text = "–" if np.isnan(value) else f"{value:.2f}"
            colour = ink if np.isnan(value) else "white" if value > 0.6 else COLUMN_INK  # no cell lies under a dash
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    draw.plain_axes(ax, ink)


def in_order(classes: Sequence[str]) -> list[int]:
    """The classes in the order of a table of sounds, if they are phones; otherwise as they are."""
    if not set(classes) <= phonology.PHONES:
        return list(range(len(classes)))
    table = [*phonology.VOWELS, *phonology.CONSONANTS]
    return sorted(range(len(classes)), key=lambda number: table.index(classes[number]))


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
