"""The pictures of phoneme saliency: each phone's score, and what the answer loses with and without the best phones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import draw, signed
from methods.phoneme_saliency.result import PhonemeSaliency

NAMES = ("most salient phones", "most salient cells, equal area", "most salient moments, equal time", "loudest phones")


def score_bars(ax: Axes, result: PhonemeSaliency, ink: str = draw.INK) -> None:
    """Each phone's score beside the mean of its random-weights controls, as shares of their sums."""
    places = np.arange(len(result.phones))
    ax.bar(places - 0.2, result.scores / (result.scores.sum() or 1.0), 0.4, color=draw.TRAINED, label="trained")
    random = result.controls and result.controls.random_scores
    if random is not None:
        sums = random.sum(1, keepdims=True)
        shares = np.divide(random, sums, out=np.zeros_like(random), where=sums > 0).mean(0)
        ax.bar(
            places + 0.2,
            shares,
            0.4,
            color=draw.RANDOM,
            label=f"random weights, mean of {counted(len(random), 'seed')}",
        )
    if len(places) <= draw.LARGEST_LABELLED:
        ax.set_xticks(places, [draw.written(phone) for phone in result.phones], rotation=60)
    ax.set_ylabel("share of all saliency")
    draw.legend_above(ax, ink)
    draw.inked(ax, ink, labelsize=8)


def loss_curves(ax: Axes, result: PhonemeSaliency, ink: str = draw.INK, *, kept: bool = False) -> None:
    """What is lost without the first phones and without rivals of the same size, or with nothing but them (`kept`)."""
    found = result.losses(kept=kept)
    shares = result.seconds / result.seconds[-1]
    if found.twins is not None:
        ax.plot(shares, found.twins.mean(0), "-.", color=draw.RANDOM, label="a random network's phones")
    if found.own is not None:
        curves = found.own if found.random is None else np.concatenate((found.own, found.random))
        signed.order_curves(ax, np.tile(shares, (len(curves), 1)), curves, NAMES, ink)
    ax.set_xlabel(f"share of all phones' time that is {'kept, all else gone' if kept else 'taken away'}")
    asked = result.provenance["options"]
    ax.set_ylabel(f"lost of {draw.written(asked['target'])} ({asked['unit']})")
    draw.inked(ax, ink, labelsize=8)


def plot(result: PhonemeSaliency) -> Figure:
    """The map with the phones that are kept at 20%, each phone's score, and the losses against those of rivals."""
    figure = draw.new_figure(14.0, 7.0)
    axes = figure.subplots(2, 3)
    edges = (0, result.provenance["seconds"], 0, len(result.saliency))
    axes[0, 0].imshow(result.entering, origin="lower", aspect="auto", extent=edges, cmap="Greys")
    axes[0, 0].set(title=f"{result.provenance['options']['level']}", xlabel="time (s)", ylabel="bin")
    top = float(np.quantile(result.saliency, 0.99)) or 1.0
    axes[0, 1].imshow(result.saliency, origin="lower", aspect="auto", extent=edges, cmap="magma", vmax=top)
    axes[0, 1].set(title="saliency; lines: its first phones", xlabel="time (s)", ylabel="bin")
    for phone in result.first(min(2, len(result.kept) - 1)):
        for ax in axes[0, :2]:
            ax.axvspan(phone.start, phone.end, color=draw.TRAINED, alpha=0.25, lw=0)
    score_bars(axes[0, 2], result)
    loss_curves(axes[1, 0], result)
    loss_curves(axes[1, 1], result, kept=True)
    axes[1, 2].set_axis_off()
    return figure
