"""Pictures of erasure: what a probe reads before and after, and what the model loses, with their controls."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.erasure.result import Erasure, ErasureControls

SHUFFLED, RANDOM = "#059669", "#7c3aed"  # as the third and fourth curve of any picture over layers


def _name(result: Erasure) -> str:
    """What is erased; a dollar sign would start matplotlib's mathematics, and tiers are named by visitors."""
    return result.target.replace("$", r"\$")


def draw_probes(ax: Axes, result: Erasure, ink: str = draw.INK) -> None:
    """Accuracy over the layers before and after, and after what means nothing was erased."""
    controls = result.controls or ErasureControls()
    places = range(len(result.layers))
    lines = [Curve("before", result.before)]
    for name, values in (("after random directions", controls.random_after), ("after labels of other recordings",
                         controls.shuffled_after), ("random weights, before", controls.twin_before)):  # fmt: skip
        lines += [] if values is None else [Curve(name, values, control=True)]
    curve_figures.layer_curves(ax, result.layers, lines, f"accuracy of a {_name(result)} probe", ink)
    ax.fill_between(places, result.before_low, result.before_high, color=draw.TRAINED, alpha=0.2, lw=0)
    ax.plot(places, result.after, "v", color=ink, ms=6, label="after")
    ax.plot(places, result.left, "x", color=ink, ms=6, label="after, trained where nothing was fitted")
    ax.axhline(result.majority, color=draw.QUIET, ls=":", label="most frequent class")
    ax.set_ylim(0, 1)
    draw.plain_axes(ax, ink)


def draw_losses(ax: Axes, result: Erasure, ink: str = draw.INK) -> None:
    """Nats that the text loses; of the controls every draw, and the space between the least and the most."""
    controls = result.controls or ErasureControls()
    places = np.arange(len(result.layers))
    ax.plot(places, result.loss, color=draw.TRAINED, marker="o", ms=4, label=_name(result))
    for name, found, colour, aside in (
        ("labels of other recordings", controls.shuffled, SHUFFLED, -0.12),
        ("random directions", controls.random, RANDOM, 0.12),
    ):
        if found is None or not len(found):
            continue
        ax.vlines(places + aside, found.min(0), found.max(0), color=colour, lw=3, alpha=0.35)
        ax.plot(np.tile(places + aside, len(found)), found.ravel(), ".", ms=3, color=colour)
        ax.plot([], [], color=colour, lw=3, alpha=0.35, label=f"{name}, {len(found)} draws")
    if controls.twin_loss is not None:
        for number, line in enumerate(controls.twin_loss):
            ax.plot(places, line, "--", color=draw.RANDOM, lw=1, label="_" if number else "random weights")
    ax.axhline(0, color=draw.QUIET, lw=0.5)
    ax.set_xticks(places, curve_figures.short(result.layers))
    ax.set(xlabel="layer erased from", ylabel="nats that the text loses")
    draw.plain_axes(ax, ink)


def draw_change(ax: Axes, result: Erasure, ink: str = draw.INK) -> None:
    """How much of the states' variance each change has: a larger change may cost more whatever it takes away."""
    controls = result.controls or ErasureControls()
    lines = [Curve(_name(result), result.change)]
    for name, values in (("labels of other recordings", controls.shuffled_change),
                         ("random directions", controls.random_change)):  # fmt: skip
        lines += [] if values is None else [Curve(name, values, control=True)]
    curve_figures.layer_curves(ax, result.layers, lines, "size of the change / variance", ink)
    ax.set_ylim(bottom=0)


def plot(result: Erasure) -> Figure:
    """Probes before and after, nats lost and the size of the change, each with its controls."""
    figure = draw.new_figure(13.0, 4.2)
    probes, losses, change = figure.subplots(1, 3)
    draw_probes(probes, result)
    draw_losses(losses, result)
    draw_change(change, result)
    return figure
