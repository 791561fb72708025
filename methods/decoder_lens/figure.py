"""Pictures of DecoderLens: how likely the text is, and how wrong what is written, layer by layer."""

import numpy as np
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.decoder_lens.result import Against, DecoderLens

FLOOR = -10.0  # natural log-probability at which maps begin: less than one in 20,000


def logprob_curves(result: DecoderLens) -> list[Curve]:
    """Mean log-probability per token of the text at each layer, and its baselines."""
    curves, controls = [Curve("trained", result.logprobs.mean(-1))], result.controls
    if controls is None:
        return curves
    if controls.random_logprobs is not None:
        name = f"random encoder, {counted(len(controls.random_logprobs), 'seed')}"
        curves.append(Curve(name, controls.random_logprobs.mean(-1), control=True))
    curves.append(Curve("hearing silence", controls.silence_logprobs.mean(-1), control=True))
    if controls.shuffled_logprobs is not None:
        curves.append(Curve("frames shuffled", controls.shuffled_logprobs.mean(-1), control=True))
        curves.append(Curve("frames averaged", controls.mean_logprobs.mean(-1), control=True))
    return curves


def error_curves(result: DecoderLens) -> list[Curve]:
    """Word and character error rates at each layer, capped at 1 for the eye; `error_rates` has the raw ones."""
    sides: tuple[Against, ...] = ("final", "reference") if result.reference is not None else ("final",)
    return [
        Curve(f"{name}, against {side}", result.error_rates(side, characters=characters).clip(max=1))
        for side in sides
        for name, characters in (("words", False), ("characters", True))
    ]


def plot(result: DecoderLens) -> Figure:
    """Log-probability and errors over the layers, and the maps of layers by tokens for encoder and decoder."""
    width = min(max(0.3 * len(result.tokens), 4.0), 16.0)
    figure = draw.new_figure(width + 4.5, 7.0)
    axes = figure.subplots(2, 2, width_ratios=(4.0, width))
    curve_figures.layer_curves(axes[0, 0], result.layers, logprob_curves(result), "mean log-probability per token")
    curve_figures.layer_curves(axes[1, 0], result.layers, error_curves(result), "error rate (capped at 1)")
    depth = [str(layer) for layer in range(len(result.decoder_logprobs))]
    for ax, values, names, title in (
        (axes[0, 1], result.logprobs, result.layers, "Decoder reading each encoder layer"),
        (axes[1, 1], result.decoder_logprobs, depth, "Each decoder layer read out (logit lens)"),
    ):
        mesh = ax.pcolormesh(values, cmap=draw.SEQUENTIAL, vmin=FLOOR, vmax=0)
        ax.set_title(title, fontsize=9, color=draw.INK)
        ax.set_yticks(np.arange(len(names)) + 0.5, [name.split(" ")[0] for name in names])
        labels = [draw.written(token) for token in result.tokens]
        ax.set_xticks(np.arange(len(labels)) + 0.5, labels, rotation=60, ha="right", fontsize=8)
    figure.colorbar(mesh, ax=axes[:, 1], label="log-probability", extend="min", shrink=0.8)
    return figure
