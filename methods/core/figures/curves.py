"""Curves over the layers of a model, with the levels that they are read against."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

from methods.core.figures import draw

COLOURS = (draw.TRAINED, draw.RANDOM, "#059669", "#7c3aed", draw.QUIET, "#db2777")

KNOWN = {"random weights": draw.RANDOM, "random encoder": draw.RANDOM, "MFCC": "#059669", "log-mel": "#7c3aed"}


# Curves over layers


@dataclass(frozen=True, eq=False)
class Curve:
    """One number per layer; several rows are seeds, drawn thin with their mean dashed."""

    name: str
    values: np.ndarray  # (layers,) or (seeds, layers)
    control: bool = False  # dashed


def layer_curves(ax: Axes, names: Sequence[str], curves: Sequence[Curve], unit: str, ink: str = draw.INK) -> None:
    """Curves over the layers; the first is the one to look at, controls are dashed."""
    places = np.arange(len(names))
    for curve, colour in zip(curves, colours_of([curve.name for curve in curves]), strict=True):
        values = np.atleast_2d(curve.values)
        for seed in values if len(values) > 1 else ():
            ax.plot(places, seed, color=colour, lw=0.8, alpha=0.5)
        style = {"ls": "--"} if curve.control else {"marker": "o", "ms": 4}
        ax.plot(places, values.mean(0), color=colour, label=curve.name, **style)
    ax.set_xticks(places, [name.split(" ")[0] for name in names])
    ax.set(xlabel="layer", ylabel=unit)
    draw.plain_axes(ax, ink)


def colours_of(names: Sequence[str]) -> list[str]:
    """A colour for each curve: what stands in many pictures has the same one in all of them, the rest take turns."""
    known: dict[str, str] = {}
    for name in names:
        found = (colour for part, colour in KNOWN.items() if part in name and colour not in known.values())
        colour = next(found, None)
        known |= {name: colour} if colour else {}
    kept = sorted(COLOURS, key=lambda colour: colour in KNOWN.values())  # those of known names last
    free = cycle([colour for colour in kept if colour not in known.values()] or COLOURS)
    return [known[name] if name in known else next(free) for name in names]


def short(names: Sequence[str]) -> list[str]:
    """Names of layers as axes show them: "0", not "0 (conv + positions)"."""
    return [name.split(" ")[0] for name in names]
