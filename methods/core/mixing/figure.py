"""The figure of a map of words by words: one layer, its random-weights control, and a curve over the layers."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures.draw import INK, QUIET, RANDOM, TRAINED, heat_map, new_figure, plain_axes

if TYPE_CHECKING:
    from methods.core.mixing.view import View


def layer_curve(ax: Axes, view: "View", ink: str = INK) -> None:
    """One number per layer: the trained model, each random-weights seed (and their mean), and the even spread."""
    layers = np.arange(1, len(view.curve) + 1)
    for curve in view.curve_control:
        ax.plot(layers, curve, color=RANDOM, lw=0.8, alpha=0.5)
    if len(view.curve_control):
        ax.plot(
            layers,
            view.curve_control.mean(0),
            color=RANDOM,
            ls="--",
            label=f"random weights, {counted(view.seeds, 'seed')}",
        )
    ax.plot(layers, view.curve, color=TRAINED, marker="o", label="trained")
    if view.chance is not None:
        ax.axhline(view.chance, color=QUIET, ls=":", label="even spread")
    ax.axvline(view.layer, color=QUIET, lw=0.6)
    ax.set(xlabel="layer", ylabel=view.curve_name, xticks=layers, ylim=(0, None))
    # Above the axes, where it can hide no curve.
    plain_axes(ax, ink, columns=3)


def mixing_figure(view: "View") -> Figure:
    """A context-mixing map, the same with random weights, and its curve over the layers."""
    size = min(max(0.28 * len(view.columns), 3.2), 7.0)
    panels = 3 if view.control is not None else 2
    figure = new_figure(panels * size + 1.0, size + 0.8)
    axes = figure.subplots(1, panels)
    mesh = heat_map(axes[0], view.values, view.rows, view.columns, view.top)
    axes[0].set_title(f"{view.title}\nlayer {view.layer}, trained", fontsize=9, color=INK)
    axes[0].set_ylabel(view.row_name)
    if view.control is not None:
        heat_map(axes[1], view.control, view.rows, view.columns, view.top)
        axes[1].set_title(
            f"layer {view.layer}, random weights\n(mean of {counted(view.seeds, 'seed')})", fontsize=9, color=INK
        )
    for panel in axes[: panels - 1]:
        panel.set_xlabel(view.column_name)
    figure.colorbar(mesh, ax=axes[: panels - 1], label=view.unit, shrink=0.8)
    layer_curve(axes[-1], view)
    return figure
