"""Pictures of compared spaces: maps of layers by layers, and scores over the layers with their controls."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.cka.result import Cka
from methods.core.figures import curves, draw, layer_maps
from methods.core.figures.layer_maps import Map

ESTIMATORS = {"debiased": "debiased CKA", "biased": "biased CKA"}


def plot(result: Cka, *, estimator: str = "debiased") -> Figure:
    """Layers by layers with the same for states as they are and for random weights, and layers by targets."""
    shown = maps(result, estimator)
    figure = draw.new_figure(3.6 * len(shown) + 0.8, 7.2)
    top, bottom = figure.subfigures(2, 1)
    axes = np.atleast_1d(top.subplots(1, len(shown)))
    for ax, layers in zip(axes, shown, strict=True):
        mesh = layer_maps.draw_map(ax, layers)
    top.colorbar(mesh, ax=list(axes), label=ESTIMATORS[estimator], shrink=0.8)
    left, right = bottom.subplots(1, 2)
    draw_targets(left, result, estimator)
    draw_same(right, result)
    return figure


def maps(result: Cka, estimator: str = "debiased") -> list[Map]:
    """The trained layers, and what there is already of the same as they are, and of random weights."""
    names = [f"trained, {estimator}"]
    values, columns = [getattr(result, estimator)], [result.columns]
    if estimator == "biased":
        names, values, columns = [*names, "its floor (shuffled)"], [*values, result.floor], [*columns, result.columns]
    if result.unsubtracted.size:
        names, values = [*names, "silence not subtracted"], [*values, result.unsubtracted]
        columns = [*columns, result.columns]
    if len(result.random):
        names, values = [*names, f"random weights, {len(result.random)} seeds"], [*values, result.random.mean(0)]
        columns = [*columns, result.layers]
    return [Map(n, v, result.layers, c) for n, v, c in zip(names, values, columns, strict=True)]


def draw_targets(ax: Axes, result: Cka, estimator: str = "debiased", ink: str = draw.INK) -> None:
    """Each target over the layers: interval, shifted pairs, random weights (thin), and MFCC as a dotted level."""
    places = np.arange(len(result.layers))
    values = getattr(result, f"target_{estimator}")
    for number, (target, colour) in enumerate(zip(result.targets, cycle(curves.COLOURS), strict=False)):
        ax.plot(places, values[number], color=colour, marker="o", ms=4, label=target)
        if estimator == "biased":
            ax.plot(places, result.target_floor[number], color=colour, ls=":", lw=1.0)
            continue
        ax.fill_between(places, result.target_low[number], result.target_high[number], color=colour, alpha=0.15, lw=0)
        for seed in result.random_targets[:, number]:
            ax.plot(places, seed, color=colour, lw=0.7, ls="--", alpha=0.7)
        if "mfcc" in result.targets and target not in ("mfcc", "log-mel"):
            level = result.among[result.targets.index("mfcc"), number]
            ax.plot(places[[0, -1]] + [-0.3, 0.3], [level, level], color=colour, ls=":", lw=1.0)
    if estimator == "debiased" and np.isfinite(result.target_null).any():
        chance = np.nanmax(result.target_null, axis=0)
        ax.fill_between(places, -chance, chance, color=draw.QUIET, alpha=0.25, lw=0, label="shifted pairs")
    if estimator == "biased" and result.targets:
        ax.plot([], [], color=draw.QUIET, ls=":", lw=1.0, label="floor (shuffled)")
    elif len(result.random_targets):
        ax.plot([], [], color=draw.QUIET, ls="--", lw=0.8, label=f"random weights, {len(result.random_targets)} seeds")
    if estimator == "debiased" and "mfcc" in result.targets:
        ax.plot([], [], color=draw.QUIET, ls=":", lw=1.0, label="MFCC with the same")
    ax.set_xticks(places, curves.short(result.layers))
    ax.set(xlabel="layer", ylabel=f"{estimator} CKA", ylim=(min(0.0, *_lowest(ax)), 1))
    draw.plain_axes(ax, ink, columns=3)


def _lowest(ax: Axes) -> list[float]:
    return [-0.1, ax.get_ylim()[0]] if ax.get_ylim()[0] < -0.02 else [0.0]


def draw_same(ax: Axes, result: Cka, ink: str = draw.INK) -> None:
    """Each layer with layer 0, and with the same layer of random weights."""
    places = np.arange(len(result.layers))
    square = len(result.columns) == len(result.layers)
    first = result.debiased[:, 0]
    name = f"with layer {curves.short(result.columns)[0]}" + ("" if square else " of the other model")
    ax.plot(places, first, color=draw.TRAINED, marker="o", ms=4, label=name)
    ax.fill_between(places, result.low[:, 0], result.high[:, 0], color=draw.TRAINED, alpha=0.15, lw=0)
    if result.unsubtracted.size:
        ax.plot(places, result.unsubtracted[:, 0], color="#059669", ls="-.", label="the same, silence not subtracted")
    for seed in result.random_same:
        ax.plot(places, seed, color=draw.RANDOM, lw=0.8, alpha=0.5)
    if len(result.random_same):
        label = f"with itself untrained, {len(result.random_same)} seeds"
        ax.plot(places, result.random_same.mean(0), color=draw.RANDOM, ls="--", label=label)
    ax.set_xticks(places, curves.short(result.layers))
    ax.set(xlabel="layer", ylabel="debiased CKA", ylim=(min(0.0, *_lowest(ax)), 1.02))
    draw.plain_axes(ax, ink, columns=2)
