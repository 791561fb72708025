"""Pictures of canonical correlation: scores over the layers with what they must be read against, and spectra."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.cca.result import Cca, CcaControls
from methods.core.errors import counted
from methods.core.figures import curves, draw


def plot(result: Cca, *, view: str | None = None, layer: int | None = None) -> Figure:
    """All views over the layers; one of them with everything that it must be read against; its spectrum."""
    number = result.views.index(view) if view in result.views else 0
    figure = draw.new_figure(13.0, 4.2)
    axes = figure.subplots(1, 3)
    draw_views(axes[0], result)
    draw_view(axes[1], result, number)
    draw_spectrum(axes[2], result, number, layer)
    return figure


NAMES = {"pwcca": "PWCCA", "mean": "mean CCA", "svcca": "SVCCA"}


def draw_views(ax: Axes, result: Cca, ink: str = draw.INK) -> None:
    """Every view over the layers, its three trials thin; random weights dashed."""
    places = np.arange(len(result.layers))
    for number, (name, scores, colour) in enumerate(
        zip(result.views, result.score, cycle(curves.COLOURS), strict=False)
    ):
        for trial in result.trials[number].T:
            ax.plot(places, trial, color=colour, lw=0.6, alpha=0.4)
        ax.plot(places, scores, color=colour, marker="o", ms=4, label=name)
        if result.random is not None:
            ax.plot(places, result.random[:, number].mean(0), color=colour, ls="--", lw=1.0)
    if result.random is not None:
        ax.plot(
            [], [], color=draw.QUIET, ls="--", lw=1.0, label=f"random weights, {counted(len(result.random), 'seed')}"
        )
    _axis(ax, result, f"{NAMES[result.measure]}, {result.scoring}", ink)


def draw_view(ax: Axes, result: Cca, number: int, ink: str = draw.INK) -> None:
    """One view with its controls: shuffled pairs, in sample, random weights, acoustic features."""
    if result.has(number):
        _draw_scores(ax, result, number)
    if result.controls is not None:
        _draw_controls(ax, result.controls, number)
    _axis(ax, result, f"{NAMES[result.measure]}, {result.views[number]}", ink)


def _draw_scores(ax: Axes, result: Cca, number: int) -> None:
    places = np.arange(len(result.layers))
    ax.plot(places, result.score[number], color=draw.TRAINED, marker="o", ms=4, label=result.scoring)
    ax.plot(places, result.shuffled[number], color=draw.QUIET, ls="-.", label="the same, shuffled pairs")
    if result.scoring == "held-out":
        for values, style, name in (
            (result.in_sample[number], ":", "in sample"),
            (result.shuffled_in_sample[number], (0, (1, 3)), "in sample, shuffled"),
        ):
            if np.isfinite(values).any():
                ax.plot(places, values, color="#059669", ls=style, label=name)


def _draw_controls(ax: Axes, controls: CcaControls, number: int) -> None:
    if controls.random is not None:
        seeds = controls.random[:, number]
        places = np.arange(seeds.shape[1])
        for seed in seeds:
            ax.plot(places, seed, color=draw.RANDOM, lw=0.8, alpha=0.5)
        ax.plot(
            places, seeds.mean(0), color=draw.RANDOM, ls="--", label=f"random weights, {counted(len(seeds), 'seed')}"
        )
    for name, value, style in zip(controls.baselines, controls.baseline[number], ("--", ":"), strict=True):
        if np.isfinite(value):
            ax.axhline(value, color="#7c3aed", ls=style, lw=1.0, label=name)


def _axis(ax: Axes, result: Cca, unit: str, ink: str) -> None:
    ax.set_xticks(np.arange(len(result.layers)), curves.short(result.layers))
    ax.set(xlabel="layer", ylabel=unit, ylim=(min(-0.05, ax.get_ylim()[0]), 1.02))
    draw.plain_axes(ax, ink, columns=2)


def draw_spectrum(ax: Axes, result: Cca, number: int, layer: int | None = None, ink: str = draw.INK) -> None:
    """The correlation of each canonical direction, fitted (thin) and on recordings that were not fitted."""
    layers = range(len(result.layers)) if layer is None else (layer,)
    for place, colour in zip(layers if result.has(number) else (), cycle(curves.COLOURS), strict=False):
        index = np.arange(1, result.spectrum.shape[2] + 1)
        ax.plot(index, result.fitted[number, place], color=colour, lw=0.8, ls=":")
        name = f"layer {curves.short(result.layers)[place]}"
        ax.plot(index, result.spectrum[number, place], color=colour, lw=1.2, label=name)
    ax.plot([], [], color=draw.QUIET, lw=0.8, ls=":", label="as fitted")
    ax.axhline(0, color=draw.QUIET, lw=0.6)
    ax.set(xlabel=f"canonical direction, {result.views[number]}", ylabel="correlation", ylim=(None, 1.02))
    draw.plain_axes(ax, ink, columns=3)
