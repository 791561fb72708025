"""From one sound to another in steps: which of the two does each layer hear, and does the context tip the scale?

After de Heer Kloots & Zuidema, Interspeech 2024 (arXiv 2407.03005): clips that change from a sound A to a sound B are
read by a CTC lens; the share that A has of P(A) + P(B) falls along the steps, and a context that favours A (a
preceding "s" or "sh" before l–r) moves the whole curve. Beside it stands a measure without any head: how near the
hidden states of a step are to those of either end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from methods.core import ctc_layers, draw, models
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.network import SpeechModel
from methods.core.results import provenance, read_only

WINDOW, HOP = 512, 128  # samples: 32 and 8 ms
FLOOR = 1e-5  # of magnitude; below it a logarithm would speak of rounding


@dataclass(frozen=True, eq=False)
class Continuum:
    """A series of clips from sound A to sound B; steps are equally spaced from 0 (A) to 1 (B)."""

    preference: np.ndarray  # (layers, steps) P(A) / (P(A) + P(B)) by the CTC lens, 0 to 1
    similarity: np.ndarray  # (layers, steps) 1 - d_A / (d_A + d_B), cosine distances to both ends: 1 at A, 0 at B
    a: str
    b: str
    layers: tuple[str, ...]
    provenance: dict[str, Any]

    @property
    def steps(self) -> np.ndarray:
        """(steps,) place between A and B."""
        return np.linspace(0.0, 1.0, self.preference.shape[1])

    def table(self) -> pd.DataFrame:
        """One line per layer and step."""
        layer, step = np.indices(self.preference.shape).reshape(2, -1)
        values = {"preference_a": self.preference.ravel(), "similarity_a": self.similarity.ravel()}
        return pd.DataFrame({"layer": layer, "step": self.steps[step], "a": self.a, "b": self.b, **values})


def analyse_continuum(
    clips: Sequence[Clip],
    model: SpeechModel,
    a: str,
    b: str,
    *,
    interval: Segment | None = None,
    unit: str | None = None,
    tuned: bool = False,
    mean: bool = False,
) -> Continuum:
    """Which of two sounds does each layer hear in each clip of a series, and which end is its state nearer to?

    `clips` run from A to B; `interval` is where the sound is (the same in all of them; default: everywhere). A sound's
    evidence is its highest probability within the interval, because CTC speaks in peaks (`mean=True`: the mean).
    `tuned` reads each layer by its own head, where there are such heads. States are averaged over the interval.
    Raises UserError for fewer than two clips or a symbol that the head does not have.
    """
    if len(clips) < 2:
        raise UserError(f"A continuum needs at least two clips, its two ends, and here is {len(clips)}.")
    head = ctc_layers.head_of(model, unit)
    if tuned and head.own is None:
        raise UserError(f"{model.id} has no head of its own for each layer; use the raw lens.")
    columns = [_column(head, symbol) for symbol in (a, b)]
    preference, pooled = [], []
    for clip in clips:
        span = models.frame_grid(clip, model).span(interval or Segment("", 0.0, clip.seconds))
        raw, normed = ctc_layers.lens_states(clip, model)
        rows = raw if tuned else normed
        scores = np.stack([head.own(s, i) if tuned else head.top(s) for i, s in enumerate(rows)]).astype(float)
        preference.append(_preference(scores[:, span.start : span.stop][:, :, columns], mean))
        pooled.append(raw[:, span.start : span.stop].double().mean(1).numpy())
    options = {"a": a, "b": b, "unit": head.unit, "head": head.label, "tuned": tuned, "mean": mean}
    options |= {"clips": [clip.sha256 for clip in clips], "interval": interval and [interval.start, interval.end]}
    return Continuum(
        preference=read_only(np.stack(preference, 1)),
        similarity=read_only(_similarity(np.stack(pooled, 1))),
        a=a,
        b=b,
        layers=models.encode(clips[0], model).layer_names,
        provenance=provenance("continuum", clips[0], model, **options),
    )


def _column(head: ctc_layers.Head, symbol: str) -> int:
    labels = head.vocabulary.labels
    if symbol not in labels:
        raise UserError(f"This head has no symbol {symbol!r}; it has {' '.join(labels)}.")
    return labels.index(symbol)


def _preference(scores: np.ndarray, mean: bool) -> np.ndarray:
    """(layers, frames, 2) log-probabilities -> (layers,) share of the first, free of underflow."""
    found = np.logaddexp.reduce(scores, 1) if mean else scores.max(1)
    return np.exp(found[:, 0] - np.logaddexp(found[:, 0], found[:, 1]))


def _similarity(states: np.ndarray) -> np.ndarray:
    """(layers, steps, dim) -> (layers, steps) nearness to the first step as against the last."""
    unit = states / np.linalg.norm(states, axis=-1, keepdims=True)
    to_a, to_b = (np.clip(1 - (unit * unit[:, [end]]).sum(-1), 0, None) for end in (0, -1))
    both = to_a + to_b
    return 1 - np.divide(to_a, both, out=np.full_like(both, 0.5), where=both > 0)


def context_effect(first: Continuum, second: Continuum) -> np.ndarray:
    """(layers,) area between two curves of preference for A, -1 to 1: positive where the first context favours A."""
    if first.preference.shape != second.preference.shape or (first.a, first.b) != (second.a, second.b):
        raise UserError("The two series differ in steps, layers or sounds; give the same sounds in the same steps.")
    return np.trapezoid(first.preference - second.preference, first.steps, axis=1)


def steps_between(clip_a: Clip, clip_b: Clip, count: int) -> tuple[Clip, ...]:
    """`count` clips from A to B: a spectral morph, good enough to play with and no substitute for resynthesis.

    B is stretched to A's length, then the logarithm of the spectrum's magnitude moves in equal steps from A's to B's,
    with A's phases throughout, so that the last clip is not B itself but B's spectrum on A's phases.
    """
    if count < 2:
        raise UserError(f"A continuum needs at least two steps, its two ends; {count} is too few.")
    spectrum, other = (_spectrum(clip) for clip in (clip_a, clip_b))
    old, new = np.linspace(0, 1, other.shape[1]), np.linspace(0, 1, spectrum.shape[1])
    stretched = np.stack([np.interp(new, old, row) for row in _log(other)])
    phases = np.exp(1j * np.angle(spectrum))
    return tuple(
        _clip(
            np.exp((1 - w) * _log(spectrum) + w * stretched) * phases,
            clip_a,
            f"{clip_a.name} to {clip_b.name} {w:.2f}",
        )
        for w in np.linspace(0, 1, count)
    )


def _spectrum(clip: Clip) -> np.ndarray:
    window = torch.hann_window(WINDOW, dtype=torch.float64)
    samples = torch.tensor(clip.samples, dtype=torch.float64)
    return torch.stft(samples, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True).numpy()


def _log(spectrum: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.abs(spectrum), FLOOR))


def _clip(spectrum: np.ndarray, like: Clip, name: str) -> Clip:
    window = torch.hann_window(WINDOW, dtype=torch.float64)
    samples = torch.istft(torch.from_numpy(spectrum), WINDOW, HOP, window=window, length=len(like.samples))
    return clip_from_samples(samples.numpy(), SAMPLE_RATE, name)


def plot_continuum(series: dict[str, Continuum]) -> Figure:
    """Preference and similarity against the step, a panel per layer; `series` are contexts by name."""
    first = next(iter(series.values()))
    figure = draw.new_figure(1.9 * len(first.layers) + 1, 4.2)
    axes = figure.subplots(2, len(first.layers), sharex=True, sharey=True, squeeze=False)
    for (name, continuum), colour in zip(
        series.items(), (draw.TRAINED, draw.RANDOM, draw.INK, draw.QUIET), strict=False
    ):
        for row, values in zip(axes, (continuum.preference, continuum.similarity), strict=True):
            for ax, curve in zip(row, values, strict=True):
                ax.plot(continuum.steps, curve, color=colour, marker="o", ms=3, label=name.replace("$", r"\$"))
    for ax, layer in zip(axes[0], first.layers, strict=True):
        ax.set_title(layer, fontsize=8)
    axes[0, 0].set(ylim=(-0.02, 1.02), ylabel=f"P({first.a}) of {first.a}, {first.b}".replace("$", r"\$"))
    axes[1, 0].set(xlabel="step", ylabel=f"nearness to {first.a}".replace("$", r"\$"))
    axes[0, 0].legend(fontsize=7, frameon=False)
    return figure
