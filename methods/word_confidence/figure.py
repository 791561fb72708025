"""Pictures of word confidence: how likely each piece is, and what the sound adds to it, beside random weights."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import draw
from methods.word_confidence.result import BASELINES, WordConfidence

COLOURS = {"silence": draw.TRAINED, "mean": "#059669"}
MOST_LABELLED = 60  # pieces; beyond that labels would overlap


def plot(result: WordConfidence) -> Figure:
    """Probability and entropy of each piece above, evidence from the sound with its control below."""
    figure = draw.new_figure(min(max(0.42 * len(result.pieces) + 1.6, 5.0), 18.0), 6.2)
    above, below = figure.subplots(2, 1)
    places = np.arange(len(result.pieces))
    above.bar(places, np.exp(result.logprobs), 0.7, color=draw.TRAINED)
    above.set(ylim=(0, 1), ylabel="probability")
    beside = above.twinx()
    beside.plot(places, result.entropy, color=draw.QUIET, marker="o", ms=3, lw=1)
    beside.set_ylabel("entropy (bits)", color=draw.QUIET)
    beside.set_ylim(bottom=0)
    _names(above, result)
    evidence_bars(below, result)
    return figure


def evidence_bars(ax: Axes, result: WordConfidence, ink: str = draw.INK) -> None:
    """What the sound adds to each piece, against both baselines; random weights as dots, one for each seed."""
    places = np.arange(len(result.pieces))
    for shift, (name, what) in zip((-0.2, 0.2), BASELINES.items(), strict=True):
        ax.bar(places + shift, result.evidence(name), 0.38, color=COLOURS[name], label=f"against {what}")
        random = result.random_evidence(name)
        for number, values in enumerate(() if random is None else random):
            label = f"random weights, {counted(len(random), 'seed')}" if number == 0 and shift < 0 else None
            ax.plot(places + shift, values, "o", ms=3.5, color=draw.RANDOM, label=label)
    ax.axhline(0, color=ink, lw=0.8)
    ax.set_ylabel("evidence from the sound (nats)")
    _names(ax, result)
    draw.plain_axes(ax, ink, columns=1)


def _names(ax: Axes, result: WordConfidence) -> None:
    if len(result.pieces) <= MOST_LABELLED:
        names = [draw.written(piece.strip()) or "·" for piece in result.pieces]
        ax.set_xticks(np.arange(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
