"""The pictures of spectrogram occlusion: spectrogram, map, convergence, deletion and insertion."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from methods.core.errors import counted
from methods.core.figures import draw
from methods.core.figures.mel_axis import mel_ticks
from methods.spectrogram_occlusion.result import Level, SpectrogramOcclusion
from methods.spectrogram_occlusion.trials import MapTrial

TOP_SHARE = 0.1  # of the cells, outlined on the spectrogram
NAMES = ("this map", "the loudest first")


def draw_spectrogram(ax: Axes, result: SpectrogramOcclusion) -> None:
    """What the model reads, and outlines of the most relevant tenth for the sentence."""
    _image(ax, result.log_mel, "Greys", result.provenance["seconds"])
    relevance = result.map()
    level = np.quantile(relevance, 1 - TOP_SHARE)
    frames = np.arange(relevance.shape[1]) * 0.01
    ax.contour(frames, np.arange(len(relevance)), relevance, [level], colors=draw.RANDOM, linewidths=0.8)
    ax.set_title("log-mel spectrogram; outlined: the most relevant tenth for the sentence", fontsize=9, color=draw.INK)


def draw_map(ax: Axes, result: SpectrogramOcclusion, level: Level, number: int) -> None:
    """Relevance of each cell, red where hiding it harms more than average."""
    values = result.map(level, number)
    most = float(np.abs(values).max()) or 1.0
    mesh = _image(ax, values, "RdBu_r", result.provenance["seconds"], -most, most)
    name = {"token": result.tokens, "word": result.words, "sentence": ("the sentence",)}[level][number]
    known = f"{len(result.impacts)} masks, split-half r {result.split_half(level, number):.2f}"
    ax.set_title(f"relevance for {draw.written(name)}; {known}", fontsize=9, color=draw.INK)
    ax.figure.colorbar(mesh, ax=ax, label="SD of the harm", shrink=0.9)


def _image(ax: Axes, values: np.ndarray, colours: str, seconds: float, *limits: float) -> AxesImage:
    low, high = limits or (float(values.min()), float(values.max()))
    extent = (0.0, values.shape[1] * 0.01, 0.0, len(values))
    mesh = ax.imshow(values, origin="lower", aspect="auto", cmap=colours, vmin=low, vmax=high, extent=extent)
    ticks = mel_ticks(len(values))
    ax.set_yticks([at for at, _ in ticks], [text for _, text in ticks], fontsize=8)
    ax.set(xlabel="s", xlim=(0, seconds))
    return mesh


def draw_convergence(ax: Axes, convergence: tuple[np.ndarray, np.ndarray, np.ndarray], ink: str = draw.INK) -> None:
    """Agreement of two halves of the masks against their number, and the same by chance."""
    counts, own, chance = convergence
    for row in chance:
        ax.plot(counts, row, color=draw.RANDOM, lw=0.8, ls="--", label="by chance" if row is chance[0] else None)
    ax.plot(counts, own, color=draw.TRAINED, marker="o", ms=4, label="this map")
    ax.set(xlabel="masks", ylabel="split-half correlation")
    draw.plain_axes(ax, ink)


def draw_trials(ax: Axes, trials: Sequence[MapTrial], side: str, ink: str = draw.INK) -> None:
    """1 - word error rate as cells go (deletion) or come (insertion): own order, loudness, chance."""
    for number, made in enumerate(trials):
        kind = min(number, 2)
        style = ({"marker": "o", "ms": 4}, {"ls": ":"}, {"ls": "--", "lw": 0.8})[kind]
        name = f"chance, {counted(len(trials) - 2, 'map')}" if number == 2 else NAMES[number] if number < 2 else None
        colour = (draw.TRAINED, draw.QUIET, draw.RANDOM)[kind]
        ax.plot(100 * made.trial.share, getattr(made.trial, side), color=colour, label=name, **style)
    gone = "hidden" if side == "deletion" else "shown"
    ax.set(xlabel=f"best cells {gone}, %", ylabel="words still right, 0 to 1", ylim=(-0.03, 1.03))
    draw.plain_axes(ax, ink)


def plot(result: SpectrogramOcclusion, *, level: Level = "sentence", number: int = 0) -> Figure:
    """The spectrogram, the map of one token, word or the sentence, and what tells whether the map can be trusted."""
    figure = draw.new_figure(max(7.0, 2.2 * result.provenance["seconds"]), 9.0)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=(1, 1, 1.3))
    draw_spectrogram(top.subplots(), result)
    draw_map(middle.subplots(), result, level, number)
    axes = bottom.subplots(1, 3)
    draw_convergence(axes[0], result.convergence(level, number))
    for ax, side in zip(axes[1:], ("deletion", "insertion"), strict=True):
        draw_trials(ax, result.trials, side)
    return figure
