"""Pictures of erasure: what a probe reads before and after, and what the model loses, with their controls."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.erasure.result import Erasure, ErasureControls

# What each control is called and drawn in, in every picture.
SHUFFLED, RANDOM, TWIN = ("labels of other recordings", "#059669"), ("random directions", "#7c3aed"), (
    "random weights", draw.RANDOM,
)  # fmt: skip


def _name(result: Erasure) -> str:
    """What is erased: tiers are named by visitors."""
    return draw.written(result.target)


def _dashed(ax: Axes, values: np.ndarray | None, control: tuple[str, str]) -> None:
    """A control over the layers, (layers,) or (seeds, layers), where it is there."""
    for number, line in enumerate(() if values is None else np.atleast_2d(values)):
        name, colour = control
        ax.plot(range(len(line)), line, "--", color=colour, lw=1, label="_" if number else name)


def draw_probes(ax: Axes, result: Erasure, ink: str = draw.INK) -> None:
    """Accuracy over the layers before and after, and after what means nothing was erased."""
    controls, places = result.controls or ErasureControls(), range(len(result.layers))
    ax.plot(places, result.before, color=draw.TRAINED, marker="o", ms=4, label="before")
    ax.fill_between(places, result.before_low, result.before_high, color=draw.TRAINED, alpha=0.2, lw=0)
    ax.plot(places, result.after, "v", color=draw.TRAINED, ms=6, label="after")
    ax.plot(places, result.left, "x", color=draw.TRAINED, ms=6, label="after, in clips not fitted")
    ax.axhline(result.majority, color=draw.QUIET, ls=":", label="most frequent class")
    # Short, so that two stand in a line: after erasing what means nothing, and before, with random weights.
    _dashed(ax, controls.shuffled_after, ("after, other labels", SHUFFLED[1]))
    _dashed(ax, controls.random_after, ("after, at random", RANDOM[1]))
    _dashed(ax, controls.twin_before, ("before, random weights", TWIN[1]))
    _over_layers(ax, result, f"accuracy of a {_name(result)} probe", ink)
    ax.set_ylim(0, 1)


def _over_layers(ax: Axes, result: Erasure, unit: str, ink: str) -> None:
    ax.set_xticks(range(len(result.layers)), curve_figures.short(result.layers))
    ax.set(xlabel="layer", ylabel=unit)
    draw.plain_axes(ax, ink)


def draw_losses(ax: Axes, result: Erasure, ink: str = draw.INK) -> None:
    """Nats that the text loses; of the controls every draw, and the space between the least and the most."""
    controls = result.controls or ErasureControls()
    places = np.arange(len(result.layers))
    ax.plot(places, result.loss, color=draw.TRAINED, marker="o", ms=4, label=_name(result))
    for (name, colour), found, aside in ((SHUFFLED, controls.shuffled, -0.12), (RANDOM, controls.random, 0.12)):
        if found is None or not len(found):
            continue
        ax.vlines(places + aside, found.min(0), found.max(0), color=colour, lw=3, alpha=0.35)
        ax.plot(np.tile(places + aside, len(found)), found.ravel(), ".", ms=3, color=colour)
        ax.plot([], [], color=colour, lw=3, alpha=0.35, label=f"{name}, {counted(len(found), 'draw')}")
    _dashed(ax, controls.twin_loss, TWIN)
    ax.axhline(0, color=draw.QUIET, lw=0.5)
    _over_layers(ax, result, "nats that the text loses", ink)


def draw_change(ax: Axes, result: Erasure, ink: str = draw.INK) -> None:
    """How much of the states' variance each change has: a larger change may cost more whatever it takes away."""
    controls = result.controls or ErasureControls()
    ax.plot(range(len(result.layers)), result.change, color=draw.TRAINED, marker="o", ms=4, label=_name(result))
    _dashed(ax, controls.shuffled_change, SHUFFLED)
    _dashed(ax, controls.random_change, RANDOM)
    ax.set_ylim(bottom=0)
    _over_layers(ax, result, "size of the change / variance", ink)


def plot(result: Erasure) -> Figure:
    """Probes before and after, nats lost and the size of the change, each with its controls."""
    figure = draw.new_figure(13.0, 4.2)
    probes, losses, change = figure.subplots(1, 3)
    draw_probes(probes, result)
    draw_losses(losses, result)
    draw_change(change, result)
    return figure
