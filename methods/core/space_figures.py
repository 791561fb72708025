"""Pictures of compared spaces: maps of layers by layers, and scores over the layers with their controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from methods.core import draw, lens, views

MISSING = "#9ca3af"
MOST_WRITTEN = 9  # rows whose numbers fit into the cells
DARK = 0.6  # of the range, from which on ink is white


@dataclass(frozen=True, eq=False)
class Map:
    """One map of layers by layers."""

    title: str
    values: np.ndarray  # (rows, columns) drawn from 0 to 1; below 0 looks like 0
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def maps(result: Any, estimator: str = "debiased") -> list[Map]:
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


def draw_map(ax: Axes, shown: Map, ink: str = draw.INK) -> Any:
    """Layers by layers on a fixed scale from 0 to 1, numbers in the cells where they fit. Returns the mesh."""
    mesh = ax.pcolormesh(np.ma.masked_invalid(shown.values), cmap=draw.SEQUENTIAL, vmin=0, vmax=1)
    ax.set_facecolor(MISSING)
    ax.set_aspect("equal")
    ax.set_title(shown.title, fontsize=9, color=ink)
    _ticks(ax, shown.columns, shown.rows)
    ax.set(xlabel="layer", ylabel="layer")
    if max(shown.values.shape) <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(shown.values):
            text, light = ("–", True) if np.isnan(value) else (written(value), value < DARK)
            colour = "#1f2937" if light else "white"
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    draw.plain_axes(ax, ink)
    return mesh


def written(value: float) -> str:
    """A share in the shortest form: ".36", "1", "−.02"."""
    text = f"{value:.2f}".replace("0.", ".").replace("-", "−")
    return {"1.00": "1", ".00": "0", "−.00": "0"}.get(text, text)


def _ticks(ax: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    ax.set_xticks(np.arange(len(columns)) + 0.5, views.short(columns), fontsize=8)
    ax.set_yticks(np.arange(len(rows)) + 0.5, views.short(rows), fontsize=8)


def draw_targets(ax: Axes, result: Any, estimator: str = "debiased", ink: str = draw.INK) -> None:
    """Each target over the layers: interval, shifted pairs, random weights (thin), and MFCC as a dotted level."""
    places = np.arange(len(result.layers))
    values = getattr(result, f"target_{estimator}")
    for number, (target, colour) in enumerate(zip(result.targets, cycle(lens.COLOURS), strict=False)):
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
    ax.set_xticks(places, views.short(result.layers))
    ax.set(xlabel="layer", ylabel=f"{estimator} CKA", ylim=(min(0.0, *_lowest(ax)), 1))
    draw.plain_axes(ax, ink, columns=3)


def _lowest(ax: Axes) -> list[float]:
    return [-0.1, ax.get_ylim()[0]] if ax.get_ylim()[0] < -0.02 else [0.0]


def draw_same(ax: Axes, result: Any, ink: str = draw.INK) -> None:
    """Each layer with layer 0, and with the same layer of random weights."""
    places = np.arange(len(result.layers))
    square = len(result.columns) == len(result.layers)
    first = result.debiased[:, 0]
    name = f"with layer {views.short(result.columns)[0]}" + ("" if square else " of the other model")
    ax.plot(places, first, color=draw.TRAINED, marker="o", ms=4, label=name)
    ax.fill_between(places, result.low[:, 0], result.high[:, 0], color=draw.TRAINED, alpha=0.15, lw=0)
    if result.unsubtracted.size:
        ax.plot(places, result.unsubtracted[:, 0], color="#059669", ls="-.", label="the same, silence not subtracted")
    for seed in result.random_same:
        ax.plot(places, seed, color=draw.RANDOM, lw=0.8, alpha=0.5)
    if len(result.random_same):
        label = f"with itself untrained, {len(result.random_same)} seeds"
        ax.plot(places, result.random_same.mean(0), color=draw.RANDOM, ls="--", label=label)
    ax.set_xticks(places, views.short(result.layers))
    ax.set(xlabel="layer", ylabel="debiased CKA", ylim=(min(0.0, *_lowest(ax)), 1.02))
    draw.plain_axes(ax, ink, columns=2)
