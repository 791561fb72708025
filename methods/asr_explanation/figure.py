"""The pictures of an explanation by sufficient frames: sets over the waveform, similarity against frames kept."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.asr_explanation.result import AsrExplanation
from methods.core.audio import SAMPLE_RATE, envelope
from methods.core.figures import draw
from methods.core.frames import Segment


def plot(result: AsrExplanation, *, name: str | None = None) -> Figure:
    """The waveform with the sets that pass, and the similarity as frames are added by each ranking."""
    figure = draw.new_figure(max(7.0, 2.2 * result.clip.seconds), 6.0)
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 1.2))
    draw_sets(top, result, name)
    draw_growth(bottom, result)
    return figure


COLOURS = {"SFL": draw.TRAINED, "LIME": "#059669", "causal": "#7c3aed", "energy": draw.QUIET}
COLUMNS = 900  # of the envelope


def draw_sets(ax: Axes, result: AsrExplanation, name: str | None = None) -> None:
    """The waveform, and under it one line per ranking with the frames of its minimal set (or of its set)."""
    low, high = envelope(result.clip, min(COLUMNS, len(result.clip.samples))).T
    times = np.linspace(0, len(result.clip.samples) / SAMPLE_RATE, len(low))
    ax.fill_between(times, low, high, color=draw.QUIET, lw=0)
    shown = [each for each in result.explanations if name in (None, each.name)]
    bottom = float(low.min())
    step = 0.15 * max(float(np.ptp([low, high])), 1e-6)
    for line, each in enumerate(shown, start=1):
        kept = each.enough if each.minimal is None else each.minimal
        bars = [(start, end - start) for start, end in spans(result.frames, kept)]
        ax.broken_barh(bars, (bottom - line * step, 0.7 * step), color=COLOURS.get(each.name, draw.RANDOM))
    ax.set_yticks([bottom - (line - 0.35) * step for line in range(1, len(shown) + 1)], [e.name for e in shown],
                  fontsize=8)  # fmt: skip
    ax.set(xlabel="s", xlim=(0, result.clip.seconds))
    draw.plain_axes(ax)


def draw_growth(ax: Axes, result: AsrExplanation, ink: str = draw.INK) -> None:
    """Similarity of the transcript against the share of frames kept; random rankings are dashed."""
    for each in result.explanations:
        chance = each.name.startswith("random")
        style = {"ls": "--", "lw": 0.8} if chance else {"marker": "o", "ms": 3}
        if each.name == "energy":
            style = {"ls": ":"}
        label = ("random order" if each.name == "random 1" else None) if chance else each.name
        share = 100 * each.sizes / len(result.frames)
        ax.plot(share, each.similarity, color=COLOURS.get(each.name, draw.RANDOM), label=label, **style)
    ax.axhline(result.threshold, color=draw.QUIET, lw=0.6)
    ax.set(xlabel="frames kept, %", ylabel=f"{result.unit} still right, 0 to 1", xlim=(0, 100), ylim=(-0.03, 1.03))
    draw.plain_axes(ax, ink, columns=3)


def spans(frames: Sequence[Segment], kept: np.ndarray) -> list[tuple[float, float]]:
    """(start, end) in seconds of each run of kept frames."""
    found: list[tuple[float, float]] = []
    for frame, keep in zip(frames, kept, strict=True):
        if keep and found and abs(found[-1][1] - frame.start) < 1e-9:
            found[-1] = (found[-1][0], frame.end)
        elif keep:
            found.append((frame.start, frame.end))
    return found
