"""**What do sounds and words look like in the same layer, at the same moment?**

Two ways of asking a layer what it knows, on one time axis. The *CTC lens* reads symbols off every frame; for
whisper-tiny.en, which has no such head, each layer is read by one that we trained for it. The *DecoderLens* lets the
decoder write words from the layer, and each word is placed where the decoder looks for its letters in this very
layer. A model that has only one of the two parts shows that lens alone.

*How to read it.* From the bottom row up the recording becomes symbols and then words. Blue agrees with what the same
lens says of the last layer, after the fewest edits; white does not. A layer whose symbols are right long before its
words holds sounds that the decoder cannot use yet. The lowest rows are an encoder with random weights under the same
trained heads and decoder: what they seem to hear there is not in the recording.

*What it cannot show.* The two lenses were made for different layers: the decoder has only ever read the last one,
while our heads were trained on each, so that the gap between them is not all the encoder's doing. Words that a low
layer yields may be the decoder's own language model talking, and then their places mean nothing. In the last
layer 6% of the words begin more than 0.1 s away from forced alignment, in lower ones nobody knows; and a symbol's
peak need not stand where its sound is.

*Source.* de Heer Kloots & Zuidema, Interspeech 2024 (arXiv 2407.03005), for the CTC lens; Langedijk, Mohebbi, Sarti,
Zuidema & Jumelet, DecoderLens, Findings of NAACL 2024 (arXiv 2310.03686).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import alignment, models
from methods.core.audio import Clip
from methods.core.errors import UserError, counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.core.frames import AlignmentError, Segment
from methods.core.lenses import ctc, ctc_layers, decoder
from methods.core.lenses.ctc_layers import Head
from methods.core.models import whisper
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import Provenance, Result, provenance, read_only
from methods.core.speech import edits
from methods.core.speech.words import text_words

Lens = Literal["symbols", "words"]
LENSES: dict[Lens, str] = {"symbols": "CTC lens: symbols", "words": "DecoderLens: words"}
SHORTEST_CAP = 32  # tokens that every layer may write at least


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoLenses(Result):
    """Everything that both lenses found, one entry per symbol or word, layer after layer."""

    lens: np.ndarray  # (found,) str, "symbols" or "words"
    layer: np.ndarray  # (found,) int, from 0: what block 1 reads
    label: np.ndarray  # (found,) str
    start: np.ndarray  # (found,) s
    end: np.ndarray  # (found,) s
    right: np.ndarray  # (found,) bool: it agrees with what the same lens says of the trained model's last layer
    symbol_errors: np.ndarray | None  # (layers,) edits per symbol of the last layer's string; None: no CTC head
    word_errors: np.ndarray | None  # (layers,) edits per word of the last layer's text; None: no decoder
    unplaced: np.ndarray  # (layers,) int, words that are counted but not drawn: more than have a place in the clip
    layers: tuple[str, ...]  # (layers,) names
    head: str  # whose CTC head it is; empty if there is none
    spoken: tuple[str, ...]  # (segments,) what is said, if it is known
    starts: np.ndarray  # (segments,) s
    ends: np.ndarray  # (segments,) s
    random: tuple["TwoLenses", ...] = ()  # random-weights encoders under the trained heads and decoder

    @property
    def lenses(self) -> tuple[Lens, ...]:
        """Those that this model has."""
        present = {"symbols": self.symbol_errors, "words": self.word_errors}
        return tuple(name for name in LENSES if present[name] is not None)

    def found(self, kind: Lens, layer: int) -> tuple[list[Segment], np.ndarray]:
        """What one lens says of one layer, in order of time, and which of it is right."""
        chosen = np.flatnonzero((self.lens == kind) & (self.layer == layer))
        segments = [Segment(str(self.label[i]), self.start[i], self.end[i]) for i in chosen]
        return segments, self.right[chosen]

    def table(self) -> pd.DataFrame:
        """One line per symbol or word, of the trained encoder and of the random ones."""
        columns = ("lens", "layer", "label", "start", "end", "right")
        parts = []
        for part in (self, *self.random):
            seed = part.provenance["options"]["seed"]
            weights = "trained" if seed is None else f"random {seed}"
            parts.append(pd.DataFrame({"weights": weights} | {name: getattr(part, name) for name in columns}))
        return pd.concat(parts, ignore_index=True)


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    language: str | None = None,
    unit: str | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[TwoLenses]:
    """Which symbols and which words can be read off each layer, and when?

    `unit` chooses among our heads for whisper-tiny.en ("phones" or "characters"); each layer is read by its own head
    where there are such heads. `segments` are what is really said, to be shown beside. Raises UserError for a model
    that has neither a CTC head nor a decoder.
    """
    yield Step(0.0, f"{model.id}, every layer")
    head = ctc_layers.head_of(model, unit) if ctc_layers.units(model) else None
    if head is None and not model.writes_text:
        raise UserError(
            f"{model.id} has neither a CTC head nor a decoder; choose whisper-tiny.en, which shows both lenses, or a "
            "model that was fine-tuned to recognise speech."
        )
    final = models.transcribe(clip, model, language=language) if model.writes_text else None
    asked = _Asked(clip, model, head, final, tuple(segments or ()), language, tuple(random_seeds))
    heard = yield from _heard(asked, model, Step(0.0, f"{model.id}, every layer"))
    meant = {kind: layers[-1] for kind, layers in heard.said.items()}
    result, twins = _compared(asked, model, heard, meant), []
    for number, seed in enumerate(random_seeds, start=1):
        step = Step(number / (len(random_seeds) + 1), f"random weights, seed {seed}")
        yield replace(step, partial=result)
        twin = models.random_twin(model, seed)
        yield step
        twins.append(_compared(asked, twin, (yield from _heard(asked, twin, step)), meant))
    return replace(result, random=tuple(twins))


@dataclass(frozen=True, eq=False)
class _Asked:
    """What every encoder is asked."""

    clip: Clip
    model: SpeechModel
    head: Head | None
    final: Transcript | None
    segments: tuple[Segment, ...]
    language: str | None
    random_seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Heard:
    """What the lenses that there are make of each layer of one encoder."""

    read: dict[Lens, list[list[Segment]]]  # what has a place in the clip
    said: dict[Lens, list[tuple[str, ...]]]  # all of it


def _heard(asked: _Asked, encoder: SpeechModel, step: Step) -> Steps[_Heard]:
    """Both lenses on one encoder, a step before each."""
    found = _Heard({}, {})
    yield step
    if asked.head is not None:
        found.read["symbols"] = _symbols(asked.clip, encoder, asked.head)
        found.said["symbols"] = [_labels(symbols) for symbols in found.read["symbols"]]
    yield step
    if asked.final is not None:
        found.read["words"], found.said["words"] = yield from _words(asked, encoder, asked.final, step)
    return found


def _compared(asked: _Asked, encoder: SpeechModel, heard: _Heard, meant: dict[Lens, tuple[str, ...]]) -> TwoLenses:
    """What one encoder's layers say, against what was meant: the trained encoder's last layer."""
    read, said, spoken = heard.read, heard.said, asked.segments
    rows = [(kind, layer, found) for kind, layers in read.items() for layer, found in enumerate(layers)]
    flat = [(kind, layer, segment) for kind, layer, found in rows for segment in found]
    right = [agreed for kind, _, found in rows for agreed in agreeing(meant[kind], _labels(found))]
    errors = {kind: [edits.error_rate(meant[kind], labels) for labels in said[kind]] for kind in said}
    counts = [[len(labels) - len(found) for labels, found in zip(said[k], read[k], strict=True)] for k in read]
    return TwoLenses(
        lens=_texts([kind for kind, _, _ in flat]),
        layer=read_only([layer for _, layer, _ in flat], np.int64),
        label=_texts([segment.label for _, _, segment in flat]),
        start=read_only([segment.start for _, _, segment in flat]),
        end=read_only([segment.end for _, _, segment in flat]),
        right=read_only(right, bool),
        symbol_errors=read_only(errors["symbols"]) if "symbols" in errors else None,
        word_errors=read_only(errors["words"]) if "words" in errors else None,
        unplaced=read_only(counts[-1], np.int64),
        layers=models.encode(asked.clip, encoder).layer_names,
        head=asked.head.label if asked.head else "",
        spoken=tuple(segment.label for segment in spoken),
        starts=read_only([segment.start for segment in spoken]),
        ends=read_only([segment.end for segment in spoken]),
        provenance=_origin(asked, encoder),
    )


def _texts(values: list[str]) -> np.ndarray:
    return read_only(values, str)


def _labels(found: Sequence[Segment]) -> tuple[str, ...]:
    return tuple(segment.label.casefold() for segment in found)


def _origin(asked: _Asked, encoder: SpeechModel) -> Provenance:
    head = asked.head
    return provenance(
        "two lenses", asked.clip, encoder, seed=encoder.seed, language=asked.language,
        unit=head.unit if head and head.own else None, random_seeds=list(asked.random_seeds),
        segments=[[s.label, s.start, s.end] for s in asked.segments],
    )  # fmt: skip


def _symbols(clip: Clip, encoder: SpeechModel, head: Head) -> list[list[Segment]]:
    """What the CTC lens spells at each layer, each symbol over the frames in which it is the best."""
    grid, vocabulary = models.frame_grid(clip, encoder), head.vocabulary
    edges = np.clip(np.append(grid.times - grid.step / 2, grid.times[-1] + grid.step / 2), 0.0, clip.seconds)
    raw, normed = ctc_layers.lens_states(clip, encoder)
    if head.own is not None:
        scores = [head.own(states, layer) for layer, states in enumerate(raw)]
    else:
        scores = [head.top(states) for states in normed]
    return [
        [
            Segment(vocabulary.labels[label], edges[frames.start], edges[frames.stop])
            for label, frames in ctc.runs(layer.argmax(-1).tolist(), vocabulary.blank)
            if label != vocabulary.space and edges[frames.start] < edges[frames.stop]
        ]
        for layer in scores
    ]


def _words(
    asked: _Asked, encoder: SpeechModel, final: Transcript, step: Step
) -> Steps[tuple[list[list[Segment]], list[tuple[str, ...]]]]:
    """What the model's decoder writes from each layer of `encoder`: words where the decoder looked for them, and all.

    A step before each layer's words are looked for.
    """
    clip, model, found = asked.clip, asked.model, []
    states = decoder.readable(encoder, decoder.streams(clip, encoder))
    longest = min(max(SHORTEST_CAP, 2 * len(final.tokens)), whisper.LONGEST_TRANSCRIPT)
    own = models.frame_grid(clip, model).frames
    with torch.inference_mode(), model.lock:
        texts = list(decoder.greedy(model, states, final.prompt, longest))
    for layer, written in zip(states, texts, strict=True):
        yield step
        tokens = tuple(token for token in written.tokens if token <= model.decoding.no_timestamps)
        with torch.inference_mode(), model.lock:
            found.append(_placed(clip, model, layer[None], tokens, final.language, own) if tokens else ([], ()))
    return [placed for placed, _ in found], [labels for _, labels in found]


def _placed(
    clip: Clip, model: SpeechModel, state: torch.Tensor, tokens: tuple[int, ...], language: str | None, own: int
) -> tuple[list[Segment], tuple[str, ...]]:
    start = whisper.opening(model, state)
    text = whisper.forced(model, state, tokens, language, start=start, given=False)
    labels = tuple(word.label.casefold() for word in text_words(text))
    try:
        return list(alignment.words_in_states(text, model, state, own, clip.seconds)), labels
    except AlignmentError:  # a loop of more words than the clip has frames: they are counted, and have no place
        return [], labels


def agreeing(meant: Sequence[str], said: Sequence[str]) -> list[bool]:
    """Which of the things said are those that were meant, in the alignment with the fewest edits?"""
    return [edit.kind == "correct" for edit in edits.edits(meant, said) if edit.said is not None]


def error_curves(result: TwoLenses, kind: Lens) -> list[Curve]:
    """Edits per symbol or word over the layers, with the random encoders."""
    name = {"symbols": "symbol_errors", "words": "word_errors"}[kind]
    curves = [Curve("trained", getattr(result, name))]
    if result.random:
        values = np.array([getattr(twin, name) for twin in result.random])
        curves.append(Curve(f"random encoder, {counted(len(values), 'seed')}", values, True))
    return curves


def plot(result: TwoLenses) -> Figure:
    """Symbols and words of every layer over time, the last layer on top, and the errors over the layers."""
    rows = [(kind, layer) for layer in range(len(result.layers)) for kind in result.lenses]
    figure = draw.new_figure(14, 0.4 * len(rows) + 1.2)
    left, *right = figure.subplots(1, 1 + len(result.lenses), width_ratios=(5, *[1.2] * len(result.lenses)))
    for height, (kind, layer) in enumerate(rows):
        _draw_row(left, height, *result.found(kind, layer))
    left.set_yticks(range(len(rows)), [f"{result.layers[layer].split(' ')[0]} {kind}" for kind, layer in rows])
    left.set(xlabel="time (s)", xlim=(0, result.provenance["seconds"]), ylim=(-0.6, len(rows) - 0.4))
    draw.plain_axes(left)
    for kind, ax in zip(result.lenses, right, strict=True):
        curve_figures.layer_curves(
            ax, result.layers, error_curves(result, kind), f"errors per {kind.removesuffix('s')}"
        )
    return figure


def _draw_row(ax: Axes, height: int, segments: list[Segment], right: np.ndarray) -> None:
    for segment, agreed in zip(segments, right, strict=True):
        colour = "#bfdbfe" if agreed else "white"
        ax.barh(height, segment.end - segment.start, left=segment.start, color=colour, edgecolor=draw.QUIET, lw=0.5)
        middle = (segment.start + segment.end) / 2
        ax.text(middle, height, draw.written(segment.label), ha="center", va="center", fontsize=6, clip_on=True)
