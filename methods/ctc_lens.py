"""**Which sounds or letters can be read off each layer, frame by frame?**

A CTC head turns the last layer into a probability for every symbol in every frame. Here the same head reads every
layer (the raw lens), after the final LayerNorm where the model has one. For whisper-tiny.en, which has no such head,
we trained small ones ourselves, one for each layer: beside the raw lens there is then a tuned one, in which each
layer is read by its own head.

*How to read it.* Each layer's best symbols, with repeats and blanks taken out, are a string; its errors count edits
against the last layer's string or against what was said. Two controls belong beside it: an encoder with random
weights, and the same posteriors with their labels shuffled. Watch the share of blanks: the peaks that CTC is known
for may arise in the last block only.

*What it cannot show.* A poor score of the raw lens means that the layer does not speak the last layer's language, not
that the sound is absent: compare the tuned lens, or a probe. Symbols that a head was never taught cannot appear.

*Source.* de Heer Kloots & Zuidema, Human-like Linguistic Biases in Neural Speech Models, Interspeech 2024
(arXiv 2407.03005); tuned lens: Belrose et al. 2023 (arXiv 2303.08112); CTC: Graves et al., ICML 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import models
from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.errors import UserError, counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.core.frames import FRAME_SAMPLES, FrameGrid, Segment
from methods.core.lenses import ctc, ctc_layers
from methods.core.lenses.ctc_layers import Head
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import Provenance, Result, provenance, read_only
from methods.core.speech import edits

Against = Literal["top", "reference"]
SHOWN = 0.2  # a symbol is drawn if its probability is higher than this in any frame of any layer


@dataclass(frozen=True, eq=False, kw_only=True)
class CtcLens(Result):
    """What a CTC head reads off every layer; layer 0 is what block 1 reads. Logarithms are natural."""

    log_probabilities: np.ndarray  # (layers, frames, symbols) raw lens: the last layer's head on every layer
    tuned_log_probabilities: np.ndarray | None  # (layers, frames, symbols) each layer's own head; None: there is none
    shuffles: np.ndarray  # (seeds, symbols) int, the label that each output gets in the shuffled control
    layers: tuple[str, ...]  # (layers,) names
    times: np.ndarray  # (frames,) s, frame centres
    symbols: tuple[str, ...]  # (symbols,)
    blank: int  # position of the blank among the symbols
    space: int  # position of the symbol that parts words; -1 if there is none
    joint: str  # between symbols when they are spelled out
    unit: str  # "phones", "characters", or "symbols" of the model's own head
    head: str  # whose head it is
    reference: tuple[str, ...] | None  # symbols that were really said, if known
    labels: tuple[str, ...]  # (segments,)
    starts: np.ndarray  # (segments,) s
    ends: np.ndarray  # (segments,) s
    random: tuple["CtcLens", ...] = ()  # random-weights encoders under the trained head, one per seed; raw lens only

    @property
    def vocabulary(self) -> Vocabulary:
        """What the symbols stand for."""
        return Vocabulary(self.symbols, self.blank, None if self.space < 0 else self.space, self.joint)

    @property
    def step(self) -> float:
        """Time from frame to frame, s."""
        return FRAME_SAMPLES / SAMPLE_RATE  # in every family

    def scores(self, tuned: bool = False) -> np.ndarray:
        """(layers, frames, symbols) log-probabilities of one of the lenses; raises UserError if it does not exist."""
        if not tuned:
            return self.log_probabilities
        if self.tuned_log_probabilities is None:
            raise UserError(
                "There is no tuned lens here: only whisper-tiny.en has a head for each layer; use the raw one."
            )
        return self.tuned_log_probabilities

    def texts(self, tuned: bool = False) -> tuple[str, ...]:
        """(layers,) the collapsed string of each layer."""
        return tuple(self.vocabulary.spell(ids) for ids in self._ids(self.scores(tuned)))

    def _ids(self, scores: np.ndarray) -> list[list[int]]:
        return [[label for label, _ in ctc.runs(path, self.blank)] for path in scores.argmax(-1).tolist()]

    def blank_share(self, tuned: bool = False) -> np.ndarray:
        """(layers,) share of the frames in which the blank is the best symbol."""
        return (self.scores(tuned).argmax(-1) == self.blank).mean(-1)

    def error_rates(self, against: Against = "top", *, tuned: bool = False) -> np.ndarray:
        """(layers,) edits per symbol of the last layer's string, or of the reference; can be over 1."""
        return self._rates(self._ids(self.scores(tuned)), against)

    def shuffled_error_rates(self, against: Against = "top", *, tuned: bool = False) -> np.ndarray:
        """(seeds, layers) the same after shuffling the head's labels. The blank stays, so that lengths stay."""
        ids = self._ids(self.scores(tuned))
        shuffled = [[[int(order[i]) for i in path] for path in ids] for order in self.shuffles]
        return np.array([self._rates(paths, against) for paths in shuffled]).reshape(len(shuffled), len(ids))

    def random_error_rates(self, against: Against = "top") -> np.ndarray:
        """(seeds, layers) error rates of the random encoders, against the trained model's string or the reference."""
        rates = [self._rates(self._ids(twin.log_probabilities), against) for twin in self.random]
        return np.array(rates).reshape(len(rates), len(self.layers))

    def _rates(self, paths: list[list[int]], against: Against) -> np.ndarray:
        meant = self._said(self._ids(self.log_probabilities[-1:])[0]) if against == "top" else self.reference
        if meant is None:
            raise UserError("No reference was given, so there is nothing to compare with; give what was really said.")
        return np.array([edits.error_rate(meant, self._said(path)) for path in paths])

    def _said(self, ids: Sequence[int]) -> tuple[str, ...]:
        """Letters with the spaces between them; phones without word boundaries."""
        return tuple(self.symbols[i].casefold() for i in ids if not (self.joint and i == self.space))

    def curve(self, symbol: str, *, tuned: bool = False, without_blank: bool = False) -> np.ndarray:
        """(layers, frames) probability of a symbol; `without_blank`: among the other symbols only."""
        scores, column = self.scores(tuned).astype(float), self._column(symbol)
        if without_blank:
            scores = scores - np.log(-np.expm1(np.minimum(scores[..., [self.blank]], -1e-12)))
        return np.exp(scores[..., column])

    def evidence(
        self, symbol: str, segment: Segment | None = None, *, tuned: bool = False, mean: bool = False
    ) -> np.ndarray:
        """(layers,) the highest (or mean) probability of a symbol within a segment, by default the whole clip."""
        inside = self.curve(symbol, tuned=tuned)[:, self._span(segment)]
        return inside.mean(-1) if mean else inside.max(-1)

    def string_evidence(
        self, symbols: Sequence[str], segment: Segment | None = None, *, tuned: bool = False
    ) -> np.ndarray:
        """(layers,) ln P(the segment's frames spell exactly these symbols); -inf where the frames are too few."""
        labels = [self._column(symbol) for symbol in symbols]
        inside = self.scores(tuned)[:, self._span(segment)]
        return np.array([ctc_layers.string_log_likelihood(layer, labels, self.blank) for layer in inside])

    def _column(self, symbol: str) -> int:
        if symbol not in self.symbols:
            raise UserError(f"This head has no symbol {symbol!r}; it has {' '.join(self.symbols)}.")
        return self.symbols.index(symbol)

    def _span(self, segment: Segment | None) -> slice:
        if segment is None:
            return slice(None)
        grid = FrameGrid(float(self.times[0]), self.step, len(self.times), self.provenance["seconds"])
        span = grid.span(segment)
        return slice(span.start, span.stop)

    def shown(self, threshold: float = SHOWN) -> list[int]:
        """The symbols worth a row: more probable than `threshold` in some frame of some layer, blank left out."""
        parts = [part for part in (self.log_probabilities, self.tuned_log_probabilities) if part is not None]
        highest = np.max([part.max((0, 1)) for part in parts], 0)
        return [
            i
            for i in np.argsort(-highest, kind="stable").tolist()
            if i != self.blank and np.exp(highest[i]) > threshold
        ]

    def table(self) -> pd.DataFrame:
        """One line per lens and layer: its string, error rates with both controls, and share of blanks."""
        lenses = [False] if self.tuned_log_probabilities is None else [False, True]
        return pd.concat([self._lens_table(tuned) for tuned in lenses], ignore_index=True)

    def _lens_table(self, tuned: bool) -> pd.DataFrame:
        columns = {"lens": "tuned" if tuned else "raw", "layer": range(len(self.layers)), "string": self.texts(tuned)}
        columns["blank_share"] = self.blank_share(tuned)
        for against in ("top", "reference") if self.reference is not None else ("top",):
            columns[f"error_rate_{against}"] = self.error_rates(against, tuned=tuned)
            controls = {"shuffled": self.shuffled_error_rates(against, tuned=tuned)}
            if not tuned:
                controls["random"] = self.random_error_rates(against)
            for name, rates in controls.items():
                columns |= {f"{name}_{seed}_error_rate_{against}": rate for seed, rate in enumerate(rates)}
        return pd.DataFrame(columns)


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    unit: str | None = None,
    reference: str | Sequence[str] | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[CtcLens]:
    """Which symbols can a CTC head read off each layer, and when?

    `unit` chooses among our heads for whisper-tiny.en ("phones" or "characters"). `reference` is what was really said:
    a text for letters (default: `transcript`), phones with spaces between for phones (ARPAbet or the head's own).
    `segments` are kept for asking after a symbol in one of them. `language` has no influence: a head knows only one.
    Raises UserError for a model without a CTC head. Source: P(v | t, l) = softmax(W norm(h_t^l) + b).
    """
    yield Step(0.0, f"{model.id}, trained weights")
    head = ctc_layers.head_of(model, unit)
    asked = _Asked(tuple(segments or ()), transcript, reference, tuple(random_seeds))
    result, twins = _measure(clip, model, head, asked), []
    for number, seed in enumerate(random_seeds):
        yield Step((number + 1) / (len(random_seeds) + 1), f"random weights, seed {seed}", partial=result)
        twin = _measure(clip, models.random_twin(model, seed), head, asked)
        twins.append(replace(twin, tuned_log_probabilities=None))
    return replace(result, random=tuple(twins))


@dataclass(frozen=True)
class _Asked:
    """The options that every encoder's measurement needs."""

    segments: tuple[Segment, ...]
    transcript: str | None
    reference: str | Sequence[str] | None
    random_seeds: tuple[int, ...]


def _measure(clip: Clip, model: SpeechModel, head: Head, asked: _Asked) -> CtcLens:
    raw, normed = ctc_layers.lens_states(clip, model)
    grid, vocabulary = models.frame_grid(clip, model), head.vocabulary
    said = asked.reference or (asked.transcript if vocabulary.joint == "" else None)
    tuned = None if head.own is None else [head.own(states, layer) for layer, states in enumerate(raw)]
    return CtcLens(
        log_probabilities=read_only([head.top(states) for states in normed], np.float32),
        tuned_log_probabilities=None if tuned is None else read_only(tuned, np.float32),
        shuffles=_shuffles(vocabulary, asked.random_seeds),
        layers=models.encode(clip, model).layer_names,
        times=read_only(grid.times),
        symbols=vocabulary.labels,
        blank=vocabulary.blank,
        space=-1 if vocabulary.space is None else vocabulary.space,
        joint=vocabulary.joint,
        unit=head.unit,
        head=head.label,
        reference=ctc_layers.reference_symbols(head, said) if said else None,
        labels=tuple(segment.label for segment in asked.segments),
        starts=read_only([segment.start for segment in asked.segments]),
        ends=read_only([segment.end for segment in asked.segments]),
        provenance=_origin(clip, model, head, asked),
    )


def _origin(clip: Clip, model: SpeechModel, head: Head, asked: _Asked) -> Provenance:
    return provenance(
        "CTC lens", clip, model, seed=model.seed, transcript=asked.transcript, reference=asked.reference,
        random_seeds=list(asked.random_seeds), segments=[[s.label, s.start, s.end] for s in asked.segments],
        unit=head.unit, head=head.label, transcript_given=bool(asked.transcript),
    )  # fmt: skip


def _shuffles(vocabulary: Vocabulary, seeds: Sequence[int]) -> np.ndarray:
    """(seeds, symbols) the labels in another order, the blank in its place."""
    others = np.delete(np.arange(len(vocabulary.labels)), vocabulary.blank)
    orders = np.tile(np.arange(len(vocabulary.labels)), (len(seeds), 1))
    for order, seed in zip(orders, seeds, strict=True):
        order[others] = np.random.default_rng(seed).permutation(others)
    return read_only(orders, np.int64)


def error_curves(result: CtcLens, against: Against = "top") -> list[Curve]:
    """Error rates over the layers, with both controls."""
    curves = [Curve("raw lens", result.error_rates(against))]
    if result.random:
        curves.append(
            Curve(f"random encoder, {counted(len(result.random), 'seed')}", result.random_error_rates(against), True)
        )
    if result.tuned_log_probabilities is not None:
        curves.append(Curve("tuned lens", result.error_rates(against, tuned=True)))
    shuffled = result.shuffled_error_rates(against)
    return [*curves, Curve("labels shuffled", shuffled, True)] if len(shuffled) else curves


def blank_curves(result: CtcLens) -> list[Curve]:
    """Share of frames in which the blank is the best symbol, over the layers."""
    curves = [Curve("raw lens", result.blank_share())]
    if result.random:
        shares = np.array([twin.blank_share() for twin in result.random])
        curves.append(Curve(f"random encoder, {counted(len(shares), 'seed')}", shares, True))
    if result.tuned_log_probabilities is not None:
        curves.append(Curve("tuned lens", result.blank_share(tuned=True)))
    return curves


def plot(result: CtcLens, *, layer: int | None = None, tuned: bool = False, against: Against = "top") -> Figure:
    """One layer's probabilities, symbols by time, beside errors and blanks over the layers. Layers count from 0."""
    layer = len(result.layers) - 1 if layer is None else layer
    shown = result.shown()
    figure = draw.new_figure(12, 1.6 + 0.22 * max(len(shown), 14))
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.4))[:]
    right.axis("off")
    upper, lower = (right.inset_axes((0, y, 1, 0.32)) for y in (0.58, 0.06))
    if shown:
        values = np.exp(result.scores(tuned)[layer][:, shown].T)
        half = result.step / 2
        extent = (max(result.times[0] - half, 0), result.times[-1] + half, len(shown), 0)
        image = left.imshow(values, aspect="auto", cmap=draw.SEQUENTIAL, vmin=0, vmax=1, extent=extent)
        left.set_yticks(np.arange(len(shown)) + 0.5, [draw.written(result.symbols[i]) for i in shown])
        figure.colorbar(image, ax=left, label="probability", shrink=0.7)
    left.set(
        xlabel="time (s)", title=f"{result.head}, layer {result.layers[layer]}, {'tuned' if tuned else 'raw'} lens"
    )
    curve_figures.layer_curves(upper, result.layers, error_curves(result, against), "error rate")
    curve_figures.layer_curves(lower, result.layers, blank_curves(result), "share of blanks")
    return figure
