"""Pictures of a continuum: curves of every layer along the steps, and how far the context tips them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.continuum.result import MEASURES, Continuum, Measure, of_reading
from methods.core.errors import counted
from methods.core.figures import curves, draw
from methods.core.figures.curves import Curve

# Pictures

COLOURS = (draw.TRAINED, draw.RANDOM, "#059669", "#7c3aed")


def draw_curves(ax: Axes, result: Continuum, measure: Measure, layer: int, ink: str = draw.INK) -> None:
    """P(A) against the step in one layer: a colour per context, dashed with random weights."""
    values = of_reading(result, measure)
    for number, (context, colour) in enumerate(zip(result.contexts, COLOURS, strict=False)):
        twins = [of_reading(twin, measure)[number, layer] for twin in result.random if measure in twin.measures]
        if twins:
            ax.plot(result.steps, np.mean(twins, 0), color=colour, ls="--", lw=1)
        name = draw.written(context, draw.LONG)
        ax.plot(result.steps, values[number, layer], color=colour, marker="o", ms=4, label=name)
    ax.axhline(0.5, color=draw.QUIET, ls=":", lw=0.8)
    way = f"step, {draw.written(result.a)} to {draw.written(result.b)}"
    ax.set(ylim=(-0.03, 1.03), xlabel=way, ylabel=MEASURES[measure])
    draw.plain_axes(ax, ink, columns=1)


def draw_map(ax: Axes, result: Continuum, measure: Measure, context: int, ink: str = draw.INK) -> object:
    """P(A) in every layer (rows) and step (columns) of one context. Returns the mesh."""
    values = of_reading(result, measure)[context]
    mesh = ax.pcolormesh(values, cmap="RdBu", vmin=0, vmax=1)
    ax.set(xticks=[0.5, values.shape[1] - 0.5], yticks=np.arange(len(values)) + 0.5)
    ax.set_xticklabels([draw.written(result.a), draw.written(result.b)], color=ink)
    ax.set_yticklabels([name.split(" ")[0] for name in result.layers], color=ink, fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return mesh


def effect_curves(result: Continuum, measure: Measure) -> list[Curve]:
    """The context effect of a measure over the layers, with its control."""
    twins = [twin.context_effect(measure) for twin in result.random if measure in twin.measures]
    control = [Curve(f"random weights, {counted(len(twins), 'seed')}", np.array(twins), True)] if twins else []
    return [Curve("trained", result.context_effect(measure)), *control]


def draw_measure(figure: Figure, result: Continuum, measure: Measure, layer: int, ink: str = draw.INK) -> None:
    """One measure: its curves in one layer, its maps of all layers, and its context effect over the layers."""
    contexts = len(result.contexts)
    heights = [2.0, *[0.2 * len(result.layers) + 0.2] * contexts, *[1.6] * (contexts > 1)]
    axes = figure.subplots(len(heights), 1, height_ratios=heights)
    draw_curves(axes[0], result, measure, layer, ink)
    for context, ax in enumerate(axes[1 : 1 + contexts]):
        mesh = draw_map(ax, result, measure, context, ink)
        ax.set_title(draw.written(result.contexts[context], draw.LONG), fontsize=8, color=ink)
    bar = figure.colorbar(mesh, ax=axes[1 : 1 + contexts].tolist(), shrink=0.8)
    bar.ax.tick_params(colors=ink)
    if contexts > 1:
        curves.layer_curves(axes[-1], result.layers, effect_curves(result, measure), "context effect", ink)
        axes[-1].axhline(0, color=draw.QUIET, ls=":", lw=0.8)


def picture_height(result: Continuum) -> float:
    """Inches that `draw_measure` wants."""
    contexts = len(result.contexts)
    return 3.0 + contexts * (0.2 * len(result.layers) + 0.6) + 2.4 * (contexts > 1)


def plot(result: Continuum, *, layer: int | None = None) -> Figure:
    """A column per measure: curves of one layer (from 0; default: the last), maps of all, and the context effect."""
    layer = len(result.layers) - 1 if layer is None else layer
    figure = draw.new_figure(3.4 * len(result.measures), picture_height(result))
    columns = figure.subfigures(1, len(result.measures), squeeze=False)[0]
    for column, measure in zip(columns, result.measures, strict=True):
        draw_measure(column, result, measure, layer)
    return figure
