"""Hidden states and acoustic features of a whole corpus, per layer, ready for probes and comparisons.

states = finish(of_model(corpus, model))          # every layer, every frame
phones = pooled(states, phone_items(corpus))      # per layer: one vector per phone
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.corpus import Corpus, feature_store
from methods.core.corpus.items import Items
from methods.core.errors import UserError
from methods.core.models import whisper
from methods.core.models.speech_model import SpeechModel
from methods.core.models.whisper import short_window
from methods.core.progress import Step, Steps, within
from methods.core.speech import acoustics

WINDOWS = ("clip", "full")
POOLINGS = ("mean", "centre")
MEMORY = 2**30  # bytes of states kept in memory: five layers of tiny.en on the bundled prompts are 60 MB

_kept = BoundedCache(MEMORY)


BARE_CNN = "CNN"  # of wav2vec 2.0's families: what the feature encoder gives, before projection and positions


@dataclass(frozen=True, eq=False)
class Features:
    """One matrix per layer over all frames of a corpus, utterance after utterance."""

    names: tuple[str, ...]  # one per layer
    layers: tuple[np.ndarray, ...]  # one per layer, (frames, dim) float32, read-only
    offsets: np.ndarray  # (utterances + 1,) int: utterance u has the frames offsets[u] … offsets[u + 1] - 1
    times: np.ndarray  # (frames,) s, centre of each frame within its utterance
    grids: tuple  # one FrameGrid per utterance
    note: str = ""  # what a reader must know of how they were made; empty if there is nothing

    @property
    def utterance(self) -> np.ndarray:
        """(frames,) which utterance a frame is of."""
        return np.repeat(np.arange(len(self.grids)), np.diff(self.offsets))

    @property
    def layer_0(self) -> int:
        """Where layer 0, what the first block reads, is in `layers`: after the bare CNN, if a model has one."""
        return int(self.names[0] == BARE_CNN)


def of_model(
    corpus: Corpus, model: SpeechModel, *, window: str = "clip", subtract_silence: bool = True
) -> Steps[Features]:
    """What does each layer hold at every frame of a corpus? A piece of work with steps; `finish` runs it.

    `window` matters for Whisper alone: "full" is its exact 30 s window, "clip" feeds it only the clip's own frames,
    eleven times quicker and another input (see `short_window`). `subtract_silence` likewise: Whisper's states are
    dominated by position, and with it each state is given relative to the state of silence at the same position.
    """
    if window not in WINDOWS:
        raise UserError(f"There is no window “{window}”; choose one of {', '.join(WINDOWS)}.")
    parts = feature_store.parts(corpus)
    if len(parts) > 1:  # each is kept on its own, for whoever asks for one of them
        return (yield from _of_parts(parts, model, window, subtract_silence))
    key = (
        model.key,
        corpus.sound_sha256,
        window if _has_window(model) else "",
        subtract_silence and _has_window(model),
    )
    layers = _kept.peek(key)
    if layers is None:
        layers = feature_store.load(key) if feature_store.may_keep(corpus) else None
    if layers is None:
        layers = yield from _encoded(corpus, model, window, subtract_silence)
        if feature_store.may_keep(corpus):
            feature_store.save(key, layers)
    layers = _kept.fetch(key, lambda: layers, lambda kept: sum(layer.nbytes for layer in kept.values()))
    return _assembled(corpus, model, layers, window, subtract_silence)


def _of_parts(parts: Sequence[Corpus], model: SpeechModel, window: str, subtract: bool) -> Steps[Features]:
    total, before, found = sum(part.seconds for part in parts), 0.0, []
    for part in parts:
        yield Step(before / total, f"{part.name}: reading the states")
        work = of_model(part, model, window=window, subtract_silence=subtract)
        found.append((yield from within(work, before / total, (before + part.seconds) / total, name=part.name)))
        before += part.seconds
    return reduce(joined, found)


def _has_window(model: SpeechModel) -> bool:
    return models.family_of(model).window_s is not None


def _encoded(corpus: Corpus, model: SpeechModel, window: str, subtract: bool) -> Steps[dict[str, np.ndarray]]:
    parts, who = [], model.id if model.trained else f"random weights, seed {model.seed}"
    for number, utterance in enumerate(corpus.utterances):
        yield Step(number / len(corpus.utterances), f"encoding {number + 1} of {len(corpus.utterances)} clips ({who})")
        parts.append(_states(utterance.clip, model, window, subtract))
    return {name: _closed(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def _states(clip: Clip, model: SpeechModel, window: str, subtract: bool) -> dict[str, np.ndarray]:
    """Name of each layer -> (frames, dim)."""
    if not _has_window(model):
        encoded = models.encode(clip, model, keep=False)
        layers = dict(zip(encoded.layer_names, encoded.hidden, strict=True))
        return layers if encoded.conv is None else {BARE_CNN: encoded.conv, **layers}
    own, count = models.frame_grid(clip, model).frames, models.layer_count(model)
    states = _whisper(model, clip.samples, own, window)
    states = states - _silence(model, own, window) if subtract else states
    first = f"0 ({models.family_of(model).first})"
    names = (first, *(str(layer) for layer in range(1, count)), f"{count} (final norm)")
    return dict(zip(names, states, strict=True))


def _whisper(model: SpeechModel, samples: np.ndarray, own: int, window: str) -> np.ndarray:
    mel = whisper.features(model, samples)
    with torch.inference_mode(), model.lock:
        states = short_window.states(model.network, mel, own if window == "clip" else mel.shape[-1] // 2)
    return states[0, :, :own].cpu().numpy()


def _silence(model: SpeechModel, own: int, window: str) -> np.ndarray:
    """States of digital silence at the same positions, in the same window."""

    def make() -> np.ndarray:
        length = own if window == "clip" else None
        silent = np.zeros(30 * 16_000, dtype=np.float32)
        mel = whisper.features(model, silent)
        with torch.inference_mode(), model.lock:
            return short_window.states(model.network, mel, length or mel.shape[-1] // 2)[0].cpu().numpy()

    key = ("silence", model.key, own if window == "clip" else "full")
    return _kept.fetch(key, make, lambda states: states.nbytes)[:, :own]


def _assembled(
    corpus: Corpus, model: SpeechModel, layers: dict[str, np.ndarray], window: str, subtract: bool
) -> Features:
    grids = tuple(models.frame_grid(utterance.clip, model) for utterance in corpus.utterances)
    notes = []
    if _has_window(model) and window == "clip":
        notes.append("Whisper was fed the clips alone, without its 30 s of padding (quicker, not its usual input)")
    if _has_window(model) and subtract:
        notes.append("states of silence at the same positions subtracted")
    return Features(tuple(layers), tuple(layers.values()), *_places(grids), grids, "; ".join(notes))


def acoustic(corpus: Corpus, model: SpeechModel, kind: str) -> Features:
    """MFCC or log-mel energies at the centres of the model's own frames, as one layer."""
    grids = tuple(models.frame_grid(utterance.clip, model) for utterance in corpus.utterances)
    parts = [acoustics.of_kind(u.clip, grid, kind) for u, grid in zip(corpus.utterances, grids, strict=True)]
    return Features((kind,), (_closed(np.concatenate(parts)),), *_places(grids), grids)


def _places(grids: tuple) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.concatenate([[0], np.cumsum([grid.frames for grid in grids])]).astype(np.int64)
    return offsets, np.concatenate([grid.times for grid in grids])


def _closed(values: np.ndarray) -> np.ndarray:
    values = np.ascontiguousarray(values, dtype=np.float32)
    values.flags.writeable = False
    return values


def joined(first: Features, second: Features) -> Features:
    """The states of two corpora, one after the other, as of `first_corpus.joined(second_corpus)`."""
    layers = tuple(_closed(np.concatenate(both)) for both in zip(first.layers, second.layers, strict=True))
    grids = first.grids + second.grids
    return Features(first.names, layers, *_places(grids), grids, first.note)


def frames_of(features: Features, items: Items) -> list[range]:
    """Which rows of the concatenated frames belong to each item? Never empty (see `FrameGrid.span`)."""
    spans = []
    for number, segment in zip(items.utterance, items.segments, strict=True):
        first = int(features.offsets[number])
        span = features.grids[number].span(segment)
        spans.append(range(first + span.start, first + span.stop))
    return spans


def pooled(features: Features, items: Items, pooling: str = "mean") -> tuple[np.ndarray, ...]:
    """One vector per item and layer: the mean over its frames, or the frame nearest its middle ("centre")."""
    if pooling not in POOLINGS:
        raise UserError(f"There is no pooling “{pooling}”; choose one of {', '.join(POOLINGS)}.")
    spans = frames_of(features, items)
    if pooling == "centre" or not spans:  # no items, no vectors, but of the right width
        middles = _middles(features, items, spans)
        return tuple(layer[middles] for layer in features.layers)
    lengths = np.array([len(span) for span in spans])
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    edges = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    divisor = lengths[:, None].astype(np.float32)
    return tuple(np.add.reduceat(layer[rows], edges, axis=0) / divisor for layer in features.layers)


def _middles(features: Features, items: Items, spans: list[range]) -> np.ndarray:
    """(n,) which row is nearest the middle of each item, the earlier of two that are equally near."""
    middles = (items.start + items.end) / 2
    far = [np.abs(features.times[span.start : span.stop] - at) for span, at in zip(spans, middles, strict=True)]
    # rounded to 1 ns, lest the last digit of a sum of floats chooses between two neighbours
    return np.array([s.start + int(d.round(9).argmin()) for s, d in zip(spans, far, strict=True)], dtype=np.int64)


def only_layers(features: Features, chosen: Sequence[int]) -> Features:
    """The same frames, fewer layers."""
    names = tuple(features.names[i] for i in chosen)
    return replace(features, names=names, layers=tuple(features.layers[i] for i in chosen))
