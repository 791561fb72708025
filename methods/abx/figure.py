"""Pictures of ABX: errors over the layers with their controls, pairs of categories, same against different tokens."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from methods.abx.result import Abx
from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw, matrix
from methods.core.figures.curves import Curve


def plot(result: Abx, *, mode: str | None = None, layer: int | None = None) -> Figure:
    """Errors over the layers with their controls, pairs of categories at one layer, and same against different."""
    layer = result.best if layer is None else layer
    mode = mode if mode in result.modes else result.modes[0]
    figure = draw.new_figure(11.0, 8.5)
    axes = figure.subplot_mosaic([["curve", "matrix"], ["pairs", "matrix"]], width_ratios=(1, 1.3))
    draw_errors(axes["curve"], result)
    draw_pairs(axes["pairs"], result)
    mesh = draw_matrix(axes["matrix"], result, mode, layer)
    figure.colorbar(mesh, ax=axes["matrix"], label="ABX error", shrink=0.6)
    return figure


CHANCE = 0.5
MISSING = "#9ca3af"
STYLES = ("-", "-.", (0, (1, 1)), (0, (5, 2)))  # one per mode: colour says what, dash says whose


def draw_errors(ax: Axes, result: Abx, ink: str = draw.INK) -> None:
    """The error in per cent over the layers; random weights, MFCC and log-mel have the same dash as their mode."""
    places = np.arange(len(result.layers))
    for number, mode in enumerate(result.modes):
        style, named = STYLES[number % len(STYLES)], f", {mode}" if len(result.modes) > 1 else ""
        colours = iter(curve_figures.COLOURS)
        colour = next(colours)
        ax.plot(places, 100 * result.error[number], color=colour, ls=style, marker="o", ms=4, label=f"trained{named}")
        ax.fill_between(places, 100 * result.low[number], 100 * result.high[number], color=colour, alpha=0.15, lw=0)
        colour = next(colours)
        if result.has_random:
            random = 100 * result.controls.random[:, number]
            for seed in random:
                ax.plot(places, seed, color=colour, ls=style, lw=0.8, alpha=0.5)
            ax.plot(
                places,
                random.mean(0),
                color=colour,
                ls=style,
                label=f"random weights, {counted(len(random), 'seed')}{named}",
            )
        for place, name in enumerate(result.baselines):
            error = 100 * result.controls.baseline_error[place, number]
            ax.axhline(error, color=next(colours), ls=style, lw=1.0, label=f"{name}{named}")
    ax.axhline(100 * CHANCE, color=draw.QUIET, ls=":", lw=1.0, label="chance")
    ax.set_xticks(places, [name.split(" ")[0] for name in result.layers])
    ax.set(xlabel="layer", ylabel="ABX error (%)", ylim=(0, max(55.0, 105 * float(np.nanmax(result.error)))))
    draw.plain_axes(ax, ink, columns=2)


def draw_pairs(ax: Axes, result: Abx, ink: str = draw.INK) -> None:
    """How well pairs of the same category are found by their distance."""
    level = np.ones(len(result.layers))
    curves = [Curve("trained", result.precision)]
    if result.has_random:
        random = result.controls.random_precision
        curves.append(Curve(f"random weights, {counted(len(random), 'seed')}", random, control=True))
    for number, name in enumerate(result.baselines):
        curves.append(Curve(name, result.controls.baseline_precision[number] * level, control=True))
    curves.append(Curve("chance", result.precision_chance * level, control=True))
    curve_figures.layer_curves(ax, result.layers, curves, f"average precision,\nsame {result.on}", ink)
    ax.set_ylim(0, None)


def draw_matrix(ax: Axes, result: Abx, mode: str, layer: int, ink: str = draw.INK) -> QuadMesh:
    """The error of every pair of categories at one layer, white where it is never wrong. Returns the mesh."""
    values = result.matrix[result.modes.index(mode), layer]
    order = matrix.in_order(result.classes)
    names = [draw.written(result.classes[number]) for number in order]
    mesh = ax.pcolormesh(np.ma.masked_invalid(values[np.ix_(order, order)]), cmap=draw.SEQUENTIAL, vmin=0, vmax=CHANCE)
    ax.set_facecolor(MISSING)
    ax.invert_yaxis()
    if len(names) <= draw.LARGEST_LABELLED:
        ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90, fontsize=7)
        ax.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
    ax.set(xlabel=f"B (layer {result.layers[layer]}, {mode})", ylabel="A and X")
    draw.plain_axes(ax, ink)
    return mesh
