"""Pictures of regression probes: r over the layers, channel by channel, and a recording's course."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.acoustic_probing.result import AcousticProbing
from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.core.statistics import scores


def plot(result: AcousticProbing, *, layer: int | None = None, recording: int = 0, channel: int = 0) -> Figure:
    """r over the layers with its controls, r per channel, and one recording's course as measured and as predicted."""
    layer = result.best if layer is None else layer
    figure = draw.new_figure(11.0, 7.0)
    axes = figure.subplot_mosaic([["scores", "channels"], ["course", "course"]])
    draw_scores(axes["scores"], result)
    draw_channels(axes["channels"], result)
    draw_course(axes["course"], result, layer, recording, channel)
    return figure


TRUTH = "#9ca3af"  # grey reads on both themes


def curves(result: AcousticProbing) -> list[Curve]:
    """Mean r over the layers and its controls."""
    level = np.ones(len(result.layers))
    lines = [Curve("trained, held out", result.mean_r)]
    if result.random_r is not None:
        values = np.array([[scores.mean_correlation(layer) for layer in seed] for seed in result.random_r])
        lines.append(Curve(f"random weights, {counted(len(values), 'seed')}", values, control=True))
    for name, values in zip(result.baselines, result.baseline_r, strict=True):
        lines.append(Curve(name, scores.mean_correlation(values) * level, control=True))
    lines.append(Curve("shifted", result.shifted, control=True))
    lines.append(Curve("on training recordings", result.train_r, control=True))
    return lines


def draw_scores(ax: Axes, result: AcousticProbing, ink: str = draw.INK) -> None:
    """Mean r over the layers with its interval and controls."""
    curve_figures.layer_curves(ax, result.layers, curves(result), "Pearson's r", ink)
    band = "95% interval" if np.isfinite(result.low).any() else None
    ends = result.low, result.high
    ax.fill_between(range(len(result.layers)), *ends, color=draw.TRAINED, alpha=0.2, lw=0, label=band)
    ax.axhline(0, color=draw.QUIET, ls=":")
    draw.plain_axes(ax, ink)
    ax.set_ylim(min(-0.2, float(np.nanmin(result.shifted)) - 0.05), 1)


def draw_channels(ax: Axes, result: AcousticProbing, ink: str = draw.INK) -> None:
    """r of every coordinate at every layer, x solid and vertical dashed; of a single target the share of variance."""
    if len(result.channels) == 1:
        _draw_variance(ax, result, ink)
        return
    parts = list(dict.fromkeys(channel.split("-")[0] for channel in result.channels))  # an articulator each
    for number, channel in enumerate(result.channels):
        colour = curve_figures.COLOURS[parts.index(channel.split("-")[0]) % len(curve_figures.COLOURS)]
        style = "-" if channel.endswith("-x") else "--"
        ax.plot(result.r[:, number], ls=style, marker="o", ms=3, color=colour, label=draw.written(channel))
    ax.set_xticks(range(len(result.layers)), [name.split(" ")[0] for name in result.layers])
    ax.set(xlabel="layer", ylabel="Pearson's r")
    ax.set_ylim(min(0, float(np.nanmin(result.r))), 1)
    draw.plain_axes(ax, ink, columns=4)


def _draw_variance(ax: Axes, result: AcousticProbing, ink: str) -> None:
    level = np.ones(len(result.layers))
    baselines = zip(result.baselines, result.baseline_r2[:, 0], strict=True)
    lines = [Curve("trained, held out", result.r2[:, 0])]
    lines += [Curve(name, value * level, control=True) for name, value in baselines]
    curve_figures.layer_curves(ax, result.layers, lines, "share of variance (R²)", ink)
    ax.set_ylim(min(0, float(np.nanmin(result.r2))), 1)


def draw_course(
    ax: Axes, result: AcousticProbing, layer: int, recording: int, channel: int, ink: str = draw.INK
) -> None:
    """One recording: as measured, as read off the layer, and as read off MFCC, all held out."""
    own = result.recording == recording
    times, truth = result.times[own], result.truth[own, channel]
    gaps = np.flatnonzero(np.diff(times) > 0.05) + 1  # s; a line must not cross what was not measured
    broken = result.target in ("duration",)
    for values, name, colour, style in (
        (truth, "measured", TRUTH, "-"),
        (result.predicted[layer, own, channel], f"layer {result.layers[layer].split(' ')[0]}", draw.TRAINED, "-"),
        (result.predicted_mfcc[own, channel], "MFCC", draw.RANDOM, "--"),
    ):
        x, y = np.insert(times, gaps, np.nan), np.insert(values.astype(float), gaps, np.nan)
        ax.plot(x, y, color=colour, ls="none" if broken else style, marker="o" if broken else None, ms=4, label=name)
    ax.set(xlabel="seconds", ylabel=f"{draw.written(result.channels[channel])} ({result.units})")
    draw.plain_axes(ax, ink, columns=3)
