"""Pictures of compared spaces: maps of layers by layers, and scores over the layers with their controls."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.cka import witnesses
from methods.cka.result import Cka, CkaControls
from methods.core.errors import counted
from methods.core.figures import curves, draw, layer_maps
from methods.core.figures.layer_maps import Map

ESTIMATORS = {"debiased": "debiased CKA", "biased": "biased CKA"}
WRITTEN = {"mfcc": "MFCC"}  # targets that are written otherwise than they are named


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
    controls = result.controls
    if controls is not None and controls.unsubtracted is not None:
        names, values = [*names, "silence not subtracted"], [*values, controls.unsubtracted]
        columns = [*columns, result.columns]
    if controls is not None and controls.random is not None:
        names, values = (
            [*names, f"random weights, {counted(len(controls.random), 'seed')}"],
            [*values, controls.random.mean(0)],
        )
        columns = [*columns, result.layers]
    return [Map(n, v, result.layers, c) for n, v, c in zip(names, values, columns, strict=True)]


def draw_targets(ax: Axes, result: Cka, estimator: str = "debiased", ink: str = draw.INK) -> None:
    """Each target over the layers: interval, chance, random weights (thin), and MFCC as a dotted level."""
    places = np.arange(len(result.layers))
    values = getattr(result, f"target_{estimator}")
    for number, (target, colour) in enumerate(zip(result.targets, cycle(curves.COLOURS), strict=False)):
        ax.plot(places, values[number], color=colour, marker="o", ms=4, label=WRITTEN.get(target, target))
        if estimator == "biased":
            ax.plot(places, result.target_floor[number], color=colour, ls=":", lw=1.0)
            continue
        if result.controls is not None:
            _draw_target_controls(ax, result.controls, number, colour)
        if "mfcc" in result.targets and target not in ("mfcc", "log-mel"):
            level = result.among[result.targets.index("mfcc"), number]
            ax.plot(places[[0, -1]] + [-0.3, 0.3], [level, level], color=colour, ls=":", lw=1.0)
    _explain_targets(ax, result, estimator)
    ax.set_xticks(places, curves.short(result.layers))
    ax.set(xlabel="layer", ylabel=f"{estimator} CKA", ylim=(min(0.0, *_lowest(ax)), 1))
    draw.plain_axes(ax, ink, columns=3)


def _draw_target_controls(ax: Axes, controls: CkaControls, number: int, colour: str) -> None:
    places = np.arange(controls.target_low.shape[1])
    ax.fill_between(places, controls.target_low[number], controls.target_high[number], color=colour, alpha=0.15, lw=0)
    if controls.random_targets is not None:
        for seed in controls.random_targets[:, number]:
            ax.plot(places, seed, color=colour, lw=0.7, ls="--", alpha=0.7)


def _explain_targets(ax: Axes, result: Cka, estimator: str) -> None:
    """What is drawn for all targets together, and the legend's entries for what each of them has."""
    controls, places = result.controls, np.arange(len(result.layers))
    if estimator == "debiased" and controls is not None and np.isfinite(controls.target_null).any():
        chance = np.nanmax(controls.target_null, axis=0)
        ax.fill_between(places, -chance, chance, color=draw.QUIET, alpha=0.25, lw=0, label=_chance_of(result))
    if estimator == "biased" and result.targets:
        ax.plot([], [], color=draw.QUIET, ls=":", lw=1.0, label="floor (shuffled)")
    elif controls is not None and controls.random_targets is not None:
        label = f"random weights, {counted(len(controls.random_targets), 'seed')}"
        ax.plot([], [], color=draw.QUIET, ls="--", lw=0.8, label=label)
    if estimator == "debiased" and "mfcc" in result.targets:
        ax.plot([], [], color=draw.QUIET, ls=":", lw=1.0, label="MFCC in a layer's place")


def _chance_of(result: Cka) -> str:
    if result.recordings == 1:
        return "the recording against itself, moved along"
    also = ", and moved along" if result.recordings < witnesses.MATCHABLE else ""
    return f"recordings matched at random{also}"


def _lowest(ax: Axes) -> list[float]:
    return [-0.1, ax.get_ylim()[0]] if ax.get_ylim()[0] < -0.02 else [0.0]


def draw_same(ax: Axes, result: Cka, ink: str = draw.INK) -> None:
    """Each layer with layer 0 (of the other model, if there is one), and with the same layer of random weights."""
    places = np.arange(len(result.layers))
    ax.plot(places, result.debiased[:, 0], color=draw.TRAINED, marker="o", ms=4, label=f"with {first_column(result)}")
    if result.controls is not None:
        _draw_same_controls(ax, result.controls)
    ax.set_xticks(places, curves.short(result.layers))
    ax.set(xlabel="layer", ylabel="debiased CKA", ylim=(min(0.0, *_lowest(ax)), 1.02))
    draw.plain_axes(ax, ink, columns=2)


def first_column(result: Cka) -> str:
    """What the curve compares with: the first layer of the columns, and whose it is if it is another model's."""
    return f"layer {curves.short(result.columns)[0]}" + (f" of {result.other}" if result.against_another else "")


def _draw_same_controls(ax: Axes, controls: CkaControls) -> None:
    places = np.arange(len(controls.low))
    ax.fill_between(places, controls.low[:, 0], controls.high[:, 0], color=draw.TRAINED, alpha=0.15, lw=0)
    if controls.unsubtracted is not None:
        ax.plot(
            places, controls.unsubtracted[:, 0], color="#059669", ls="-.", label="the same, silence not subtracted"
        )
    if controls.random_same is None:
        return
    for seed in controls.random_same:
        ax.plot(places, seed, color=draw.RANDOM, lw=0.8, alpha=0.5)
    label = f"with itself untrained, {counted(len(controls.random_same), 'seed')}"
    ax.plot(places, controls.random_same.mean(0), color=draw.RANDOM, ls="--", label=label)
