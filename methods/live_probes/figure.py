"""Pictures of the ready-made probes: bands of classes and curves of measured properties along the clip."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.live_probes.probe_set import CLASSIFIED, MEASURED
from methods.live_probes.result import LiveProbes

# R² drawn at least: a probe of one woman's F0 is far worse than the mean on men, and the card has the number.
LOWEST = -0.5
SIDES = {
    "trained": "held-out recordings",
    "other": "other speakers, trained on the prompts alone",
    "random": "random weights, held out",
}


def curves(result: LiveProbes, target: str) -> list[Curve]:
    """What the probes scored in training, layer by layer, and on this clip if its phones are known."""
    lines = []
    here = result.right(target) if target in CLASSIFIED and result.labels else None
    if here is not None:
        lines.append(Curve("this clip", here))
    for side, name in SIDES.items():
        values = [score for asked, _, score in result.card[side] if asked == target]
        lines.append(Curve(name, np.maximum(values, LOWEST), control=side == "random"))
    return lines


def draw_curves(ax: Axes, result: LiveProbes, target: str, names: Sequence[str], ink: str = draw.INK) -> None:
    """The scores over the layers, and dotted what knowing nothing gets, where that is known."""
    curve_figures.layer_curves(ax, names, curves(result, target), unit(target), ink)
    chance = result.majority(target) if target in CLASSIFIED else ("the mean", 0.0)
    if chance is not None:
        said = f"always {chance[0]}" + (", this clip" if target in CLASSIFIED else "")
        ax.axhline(chance[1], color=draw.QUIET, ls=":", label=said)
        draw.plain_axes(ax, ink)
    ax.set_ylim(min(0, ax.get_ylim()[0]), 1)


def unit(target: str) -> str:
    """What the scores of a target's probes are counted in."""
    return "R²" if target in MEASURED else "share of frames right"


def plot(result: LiveProbes, *, target: str = "phone", layer: int = -1) -> Figure:
    """The probabilities (or numbers) of one layer over time, and the probes' scores layer by layer."""
    figure = draw.new_figure(11.0, 4.5 if target in MEASURED else 7.0)
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    if target in MEASURED:
        left.plot(result.times, getattr(result, f"measured_{target}"), color=draw.QUIET, lw=2, label="Praat")
        left.plot(
            result.times, getattr(result, target)[layer], color=draw.TRAINED, label=f"layer {result.layers[layer]}"
        )
        left.plot(result.times, getattr(result, target)[0], color=draw.RANDOM, ls="--", label="MFCC")
        left.set(ylabel=MEASURED[target])
        draw.plain_axes(left, columns=3)
    else:
        names = result.classes(target)
        edges = np.append(result.times - result.step / 2, result.times[-1] + result.step / 2)
        mesh = left.pcolormesh(
            edges, np.arange(len(names) + 1), getattr(result, target)[layer].T, cmap=draw.SEQUENTIAL, vmin=0, vmax=1
        )
        left.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
        left.set_title(f"layer {result.layers[layer]}", fontsize=9)
        figure.colorbar(mesh, ax=left, label="probability", shrink=0.8)
    left.set_xlabel("seconds")
    draw_curves(right, result, target, result.layers)
    return figure
