"""Pictures of changed sounds: how far each answer moves with each change."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.figures import draw, signed
from methods.paralinguistics.properties import PROPERTIES, Unit
from methods.paralinguistics.result import Paralinguistics

NONE = 50.0  # dB, where curves draw “no noise”


def plot(result: Paralinguistics, *, target: int = 0, unit: Unit = "nats") -> Figure:
    """For each property: the change of one answer with its random-weights control, and the share of words kept."""
    names = result.names
    figure = draw.new_figure(2.9 * len(names) + 1.0, 5.4)
    axes = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        response_curve(axes[0, column], result, name, target=target, unit=unit)
        kept_curve(axes[1, column], result, name)
    return figure


def response_curve(
    ax: Axes, result: Paralinguistics, name: str, *, target: int = 0, unit: Unit = "nats", ink: str = draw.INK
) -> None:
    """The change of one answer over the degrees of a property; random weights are thin, the reference is marked."""
    points = result.points(name)
    random = result.random_changes(unit)
    drawn = np.empty((0, len(points))) if random is None else random[:, points, target]
    for curve in drawn:
        ax.plot(_places(result, points), curve, color=draw.RANDOM, lw=0.8, alpha=0.7)
    values = result.changes(unit)[points, target]
    signed.limited(ax, values, drawn)
    ax.plot(_places(result, points), values, color=draw.TRAINED, marker="o", ms=3, label="trained")
    ax.axhline(0, color=draw.QUIET, lw=0.6, ls=":")
    again = result.points("resynthesised")
    if len(again) and name in ("pitch", "tempo", "flat F0", "length"):
        traces = result.changes(unit)[again[0], target]
        ax.axhline(traces, color=draw.QUIET, lw=0.8, ls="--", label="resynthesised only")
    _finished(ax, result, name, points, ink)
    ax.set_ylabel(f"change of {draw.written(result.targets[target], draw.LONG)} ({unit})", color=ink, fontsize=8)
    draw.legend_above(ax, ink, 1)


def kept_curve(ax: Axes, result: Paralinguistics, name: str, ink: str = draw.INK) -> None:
    """The share of the words that stay in the model's new transcript."""
    points = result.points(name)
    ax.plot(_places(result, points), result.kept()[points], color=draw.TRAINED, marker="o", ms=3)
    _finished(ax, result, name, points, ink)
    ax.set_ylim(-0.03, 1.03)
    ax.set_ylabel("1 − error rate of the new answer", color=ink, fontsize=8)


def _places(result: Paralinguistics, points: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(result.degrees[points]), NONE, result.degrees[points])


def _finished(ax: Axes, result: Paralinguistics, name: str, points: np.ndarray, ink: str) -> None:
    for point in points[result.reference[points]]:
        ax.axvline(_places(result, np.array([point]))[0], color=draw.QUIET, lw=0.8)
    if name == "noise":
        ax.invert_xaxis()
    ax.set_xlabel(f"{PROPERTIES[name].label}, {PROPERTIES[name].unit}" + (", 50: none" if name == "noise" else ""))
    draw.inked(ax, ink, labelsize=8)
