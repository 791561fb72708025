"""Pictures of causal tracing: the map beside that of random weights, and what random places do."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.causal_tracing.result import CausalTracing
from methods.core.errors import counted
from methods.core.figures import draw, signed


def plot(result: CausalTracing, *, layer: int | None = None) -> Figure:
    """The map, the same with random weights, shares by layer, and one layer's places against their controls."""
    width = min(max(0.55 * len(result.places), 3.2), 14.0)
    height = max(0.32 * len(result.layers), 2.0)
    figure = draw.new_figure(2 * width + 3.0, height + 4.2)
    axes = figure.subplots(2, 2, height_ratios=(height, 2.8))
    names = [str(number) for number in result.layers]
    limit = limit_of(result)
    mesh = signed.signed_map(axes[0, 0], result.recovered, names, result.places, limit)
    plain = draw.written(result.label)
    axes[0, 0].set_title(f"{plain}: {verb(result)}, {result.side} {result.site}", fontsize=9)
    random = None if result.controls is None else result.controls.random
    shown = np.full_like(result.recovered, np.nan) if random is None else random.mean(0)
    signed.signed_map(axes[0, 1], shown, names, result.places, limit)
    count = 0 if random is None else len(random)
    axes[0, 1].set_title(f"random weights, mean of {counted(count, 'seed')}, same scale", fontsize=9)
    figure.colorbar(mesh, ax=axes[0].tolist(), label="share of the gap", shrink=0.8)
    layer_curves(axes[1, 0], result)
    place_bars(axes[1, 1], result, result.layers[result.best()[0]] if layer is None else layer)
    return figure


def verb(result: CausalTracing) -> str:
    """What a share is a share of, in words."""
    return "brought back" if result.direction == "restore" else "taken away"


def limit_of(result: CausalTracing) -> float:
    """Both ends of the colour scale: at least 1, so that a weak map looks weak."""
    return max(1.0, signed.limit_of(result.recovered))


def layer_curves(ax: Axes, result: CausalTracing, ink: str = draw.INK) -> None:
    """By layer: the best place, all at once, the sum of each alone, all else, and the band of random places."""
    shown = [
        ("best single place", result.recovered.max(1), draw.TRAINED, "-"),
        ("all places at once", result.share(result.together), draw.INK if ink == draw.INK else ink, "-"),
        ("sum of each alone", result.recovered.sum(1), draw.QUIET, "--"),
        ("all but the places", result.share(result.outside), draw.QUIET, ":"),
    ]
    band = result.band()
    if band is not None:
        count = len(result.controls.null)
        ax.fill_between(
            result.layers, *band, color=draw.RANDOM, alpha=0.25, lw=0, label=f"95% of {count} random places"
        )
    for name, values, colour, style in shown:
        if np.isfinite(values).any():
            ax.plot(result.layers, values, style, color=colour, marker="o", ms=3, label=name)
    ax.axhline(0, color=draw.QUIET, lw=0.5)
    ax.set(xlabel="layer", ylabel="share of the gap", xticks=result.layers)
    draw.plain_axes(ax, ink)


def place_bars(ax: Axes, result: CausalTracing, layer: int, ink: str = draw.INK) -> None:
    """One layer's places: other noise as dots, random weights as crosses, random places as a band behind them."""
    row = list(result.layers).index(layer)
    columns = np.arange(len(result.places))
    band, controls = result.band(), result.controls
    if band is not None:
        ax.axhspan(band[0, row], band[1, row], color=draw.RANDOM, alpha=0.25, lw=0, label="95% of random places")
    ax.bar(columns, np.nan_to_num(result.recovered[row]), color=draw.TRAINED, width=0.6, alpha=0.8)
    if controls is not None and controls.noise is not None:
        label = f"{len(controls.noise)} other noises"
        for seed in controls.noise:
            ax.plot(columns, seed[row], "o", ms=4, mfc="none", color=ink, label=label)
            label = "_"
    if controls is not None and controls.random is not None:
        ax.plot(columns, controls.random[:, row].mean(0), "x", ms=5, color=draw.RANDOM, label="random weights")
    ax.axhline(0, color=draw.QUIET, lw=0.5)
    names = [draw.written(place) for place in result.places]
    few = len(names) <= draw.LARGEST_LABELLED
    ax.set_xticks(columns if few else [], names if few else [], rotation=45, ha="right", rotation_mode="anchor")
    ax.set(ylabel=f"share, layer {layer}")
    draw.plain_axes(ax, ink)
