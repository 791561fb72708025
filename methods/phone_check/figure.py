"""Pictures of a phone check: every phone against native ones of its kind, and the share that is found by layer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import draw
from methods.core.figures.curves import Curve, layer_curves
from methods.phone_check.result import FORMS, Form, PhoneCheck

DOUBT = "#dc2626"
MOST_LABELLED = 80  # phones; beyond that labels would overlap


def plot(result: PhoneCheck, *, layer: int | None = None, form: Form = "free") -> Figure:
    """The phones of one layer (default: the last) beside native ones, and what is found layer by layer."""
    figure = draw.new_figure(min(max(0.3 * len(result.phones) + 2, 6.0), 20.0), 6.8)
    above, below = figure.subplots(2, 1)
    phone_marks(above, result, layer, form)
    found_curves(below, result, form)
    return figure


def phone_marks(
    ax: Axes, result: PhoneCheck, layer: int | None = None, form: Form = "free", ink: str = draw.INK
) -> None:
    """The margin of every phone as a dot, with native phones of its kind as a bar from the 5th percentile to the 95th.

    Doubted phones are red squares, others round; random weights are small orange dots.
    """
    layer = len(result.layers) - 1 if layer is None else layer
    places, mine = np.arange(len(result.phones)), result.margins(form)[layer]
    quantiles = native_quantiles(result, layer, form)
    for place, (low, middle, high) in enumerate(quantiles):
        name = {"label": "native speakers, 5th to 95th percentile"} if place == 0 else {}
        ax.bar(place, high - low, 0.7, bottom=low, color=draw.QUIET, alpha=0.3, lw=0, **name)
        ax.plot([place - 0.35, place + 0.35], [middle, middle], color=draw.QUIET, lw=1)
    if result.controls is not None:
        _random_dots(ax, result.controls.of(form)[:, layer], np.append(mine, quantiles[np.isfinite(quantiles)]))
    doubted = result.doubted(form)[layer]
    ax.plot(places[~doubted], mine[~doubted], "o", ms=5, color=draw.TRAINED, label="this clip")
    if doubted.any():
        ax.plot(places[doubted], mine[doubted], "s", ms=6, color=DOUBT, label="below 95% of native ones")
    ax.axhline(0, color=ink, lw=0.8)
    ax.set(ylabel="margin over the best rival (nats)", xlim=(-0.8, len(places) - 0.2))
    if len(places) <= MOST_LABELLED:
        ax.set_xticks(places, [draw.written(name) for name in result.phones], rotation=90, fontsize=8)
    draw.plain_axes(ax, ink)


def _random_dots(ax: Axes, random: np.ndarray, others: np.ndarray) -> None:
    """Random weights as dots (seeds, phones); far ones at the edge, lest they squeeze all the others flat."""
    known = others[np.isfinite(others)]
    low, high = min(known.min(initial=0.0), 0.0), max(known.max(initial=0.0), 0.0)
    room = 0.15 * (high - low) or 1.0
    near = np.clip(random, low - room, high + room)
    edge = ", far ones at the edge" if (near != random).any() else ""
    for number, values in enumerate(near):
        name = {"label": f"random weights, {counted(len(random), 'seed')}{edge}"} if number == 0 else {}
        ax.plot(np.arange(len(values)), values, ".", ms=3, color=draw.RANDOM, **name)


def native_quantiles(result: PhoneCheck, layer: int, form: Form) -> np.ndarray:
    """(phones, 3) the 5th, 50th and 95th percentile of native phones of each kind; NaN where there are none."""
    found = np.full((len(result.own), 3), np.nan)
    if result.native is None:
        return found
    for place, kind in enumerate(result.own):
        values = result.native.of(form)[layer, result.native.kind == kind]
        values = values[np.isfinite(values)]
        if len(values):
            found[place] = np.percentile(values, (5, 50, 95))
    return found


def found_curves(ax: Axes, result: PhoneCheck, form: Form = "free", ink: str = draw.INK) -> None:
    """Which share of the phones fits better than any rival, layer by layer?"""
    curves = [Curve("this clip", result.found(form))]
    random, native = result.random_found(form), result.native_found(form)
    if random is not None:
        curves.append(Curve(f"random weights, {counted(len(random), 'seed')}", random, True))
    if native is not None:
        curves.append(Curve("native speakers", native))
    layer_curves(ax, result.layers, curves, f"share of phones found,\n{FORMS[form]}", ink)
    ax.set_ylim(-0.03, 1.03)
