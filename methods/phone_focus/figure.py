"""Pictures of phone focus: weight by distance from the phone, and what its neighbours get."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import draw
from methods.phone_focus.result import REACH, PhoneFocus

COLOURS = ("#2563eb", "#059669", "#7c3aed", "#db2777", "#0891b2", "#65a30d")
MARKS = "os^Dvx"


def plot(result: PhoneFocus) -> Figure:
    """Focus and distance over the layers, by group, and where the gradient of the last layer lies."""
    figure = draw.new_figure(13.0, 4.2)
    axes = figure.subplots(1, 3)
    focus_curves(axes[0], result)
    focus_curves(axes[1], result, distance=True)
    neighbour_bars(axes[2], result, len(result.layers) - 1)
    return figure


def focus_curves(ax: Axes, result: PhoneFocus, *, distance: bool = False, ink: str = draw.INK) -> None:
    """Mean focus (or earth mover's distance) of each group over the layers, with random weights and an even spread."""
    places = np.arange(len(result.layers))
    values = 1000 * result.distances if distance else result.focus
    for number, name in enumerate(result.groups):
        mean, error = result.mean(values, number)
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKS[number % len(MARKS)], "ms": 4}
        count = int((result.group == number).sum())
        ax.errorbar(places, mean, error, label=f"{draw.written(name)}, {count} phones", capsize=2, **style)
    if result.random_shares is not None:
        control = 1000 * result.random_distances if distance else result.random_shares[..., REACH]
        name = f"random weights, {counted(len(control), 'seed')}"
        ax.plot(places, np.nanmean(control, (0, 2)), "--", color=draw.RANDOM, label=name)
    even = 1000 * result.even_distance if distance else result.even
    ax.axhline(even.mean(), color=draw.QUIET, ls=":", label="even spread")
    ax.set_xticks(places, [layer.split(" ")[0] for layer in result.layers])
    ax.set_ylim(0, None if distance else 1.02)
    ax.set_xlabel("layer")
    ax.set_ylabel("earth mover's distance (ms)" if distance else "focus: share inside the phone")
    draw.legend_above(ax, ink)
    draw.inked(ax, ink, labelsize=8)


def neighbour_bars(ax: Axes, result: PhoneFocus, layer: int, ink: str = draw.INK) -> None:
    """The share of the gradient in the phone, in each neighbour and elsewhere, by group, at one layer."""
    parts = np.concatenate((result.shares[layer], result.elsewhere[layer][:, None]), 1)
    width = 0.8 / len(result.groups)
    for number, name in enumerate(result.groups):
        chosen = parts[(result.group == number) & np.isfinite(parts).all(1)]
        heights = chosen.mean(0) if len(chosen) else np.zeros(parts.shape[1])
        places = np.arange(parts.shape[1]) + width * (number - (len(result.groups) - 1) / 2)
        ax.bar(places, heights, width, color=COLOURS[number % len(COLOURS)], label=draw.written(name))
    names = [f"{place:+d}" if place else "itself" for place in range(-REACH, REACH + 1)]
    ax.set_xticks(range(parts.shape[1]), [*names, "else-\nwhere"])
    ax.set_ylabel(f"share of the gradient, layer {result.layers[layer]}")
    draw.legend_above(ax, ink)
    draw.inked(ax, ink, labelsize=8)
