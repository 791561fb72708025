"""Pictures of representational similarity: agreement over the layers with its controls, and matrices of pairs."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import curves, draw, layer_maps
from methods.rsa.result import KINDS, Rsa, RsaControls

MOST_NAMED = 60  # items whose names fit beside a matrix


def draw_curve(ax: Axes, result: Rsa, number: int, kind: str = "whole", ink: str = draw.INK) -> None:
    """One reference over the layers: the band of shuffles, random weights, acoustic features, raw states."""
    places, row = np.arange(len(result.layers)), list(KINDS).index(kind)
    if result.controls is not None:
        _draw_band(ax, getattr(result.controls, f"{kind}_null")[number])
    ax.plot(places, getattr(result, kind)[number], color=draw.TRAINED, marker="o", ms=4, label="trained")
    if result.controls is not None:
        _draw_controls(ax, result.controls, row, number)
    _layer_axis(ax, result, f"{kind} {_sign(result)}, “{result.references[number]}”", ink)


def _draw_band(ax: Axes, band: np.ndarray) -> None:
    if np.isfinite(band).any():
        places = np.arange(len(band))
        ax.fill_between(places, *band.T, color=draw.QUIET, alpha=0.25, lw=0, label="95% of shuffles")


def _draw_controls(ax: Axes, controls: RsaControls, row: int, number: int) -> None:
    places = np.arange(len(controls.whole_p[number]))
    if controls.random is not None:
        seeds = controls.random[:, row, number]
        for seed in seeds:
            ax.plot(places, seed, color=draw.RANDOM, lw=0.8, alpha=0.5)
        ax.plot(
            places, seeds.mean(0), color=draw.RANDOM, ls="--", label=f"random weights, {counted(len(seeds), 'seed')}"
        )
    if controls.unsubtracted is not None:
        values = controls.unsubtracted[row, number]
        ax.plot(places, values, color="#059669", ls="-.", label="silence not subtracted")
    for name, value, style in zip(controls.baselines, controls.baseline[row, number], (":", (0, (1, 3))), strict=True):
        ax.axhline(value, color="#7c3aed", ls=style, lw=1.2, label=name)


def draw_all(ax: Axes, result: Rsa, kind: str = "whole", ink: str = draw.INK) -> None:
    """All references over the layers; a hollow mark is not above 95% of the shuffles."""
    places = np.arange(len(result.layers))
    values, controls = getattr(result, kind), result.controls
    for number, (name, colour) in enumerate(zip(result.references, cycle(curves.COLOURS), strict=False)):
        ax.plot(places, values[number], color=colour, label=name)
        sure = np.zeros(len(places), bool) if controls is None else getattr(controls, f"{kind}_p")[number] < 0.05
        for mask, fill in ((sure, colour), (~sure, "none")):
            ax.scatter(places[mask], values[number][mask], s=22, facecolors=fill, edgecolors=colour, zorder=3)
    _layer_axis(ax, result, f"{kind} {_sign(result)}", ink)


def _sign(result: Rsa) -> str:
    return "r" if result.method == "pearson" else "rho"


def _layer_axis(ax: Axes, result: Rsa, unit: str, ink: str) -> None:
    ax.axhline(0, color=draw.QUIET, lw=0.6)
    ax.set_xticks(np.arange(len(result.layers)), curves.short(result.layers))
    ax.set(xlabel="layer", ylabel=unit)
    draw.plain_axes(ax, ink, columns=2)


def draw_matrices(axes: Sequence[Axes], result: Rsa, number: int, layer: int, ink: str = draw.INK) -> None:
    """The similarities of all pairs in one layer and in the reference, in the same order."""
    sides = (
        (result.matrices[layer], f"layer {result.layers[layer]}, cosine"),
        (result.reference_matrices[number], f"reference: {result.references[number]}"),
    )
    for ax, (matrix, title) in zip(axes, sides, strict=True):
        shown = matrix[np.ix_(result.order, result.order)]
        top = scale(shown)
        signed = bool((shown < 0).any() and (shown > 0).any())
        low, colours = (-top, "RdBu_r") if signed else (float(shown.min()), draw.SEQUENTIAL)
        mesh = ax.pcolormesh(shown, cmap=colours, vmin=low, vmax=top)
        ax.invert_yaxis()
        ax.set_aspect("equal")
        ax.set_title(title, fontsize=9, color=ink)
        names = [draw.written(result.label[item]) for item in result.order]
        ticks = np.arange(len(names)) + 0.5 if len(names) <= MOST_NAMED else []
        ax.set_xticks(ticks, names if len(ticks) else [], rotation=90, fontsize=5)
        ax.set_yticks(ticks, names if len(ticks) else [], fontsize=5)
        ax.figure.colorbar(mesh, ax=ax, shrink=0.7)


def scale(matrix: np.ndarray) -> float:
    """The largest similarity off the diagonal, for a colour scale that pairs, not items with themselves, fill."""
    apart = matrix[~np.eye(len(matrix), dtype=bool)]
    largest = float(np.abs(apart).max()) if (apart < 0).any() and (apart > 0).any() else float(apart.max())
    return largest if largest > float(apart.min()) else float(apart.min()) + 1.0


def draw_between(ax: Axes, result: Rsa, ink: str = draw.INK) -> None:
    """Layers against layers, or against those of another model."""
    layer_maps.draw_map(
        ax, layer_maps.Map("RSA of layers with layers", result.between, result.layers, result.columns), ink
    )


def plot(result: Rsa, *, reference: str | None = None, layer: int | None = None, kind: str = "whole") -> Figure:
    """The curve over the layers with its controls, and both similarity matrices at one layer."""
    number = result.references.index(reference) if reference in result.references else 0
    layer = result.best(number, kind) if layer is None or layer < 0 else layer
    figure = draw.new_figure(11.0, 8.0)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.3))
    left, right = top.subplots(1, 2)
    draw_curve(left, result, number, kind)
    draw_all(right, result, kind)
    axes = bottom.subplots(1, 2)
    draw_matrices(axes, result, number, layer)
    return figure
