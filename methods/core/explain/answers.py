"""All that a model says of a sound at once: every word's log-probability, the language, the classes; and its answer.

    panel = build(clip, model)           # what is asked: fixed by the unchanged clip
    panel.labels                         # ("whole text", "“Weasels”", …)
    panel.scores(samples)                # one number for each, of any sound
    panel.heard(samples)                 # the same, and what the model now writes

One pass through the network serves all numbers, where `targets.Target` gives one. Log-probabilities and log-odds are
natural (nats); Whisper is teacher-forced on the transcript of the unchanged clip.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.explain import target_kinds, targets
from methods.core.lenses import decoder
from methods.core.models import stages, wav2vec2
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Window
from methods.core.results import read_only
from methods.core.speech.words import text_words

Scale = Literal["log-probability", "log-odds"]
WHOLE, STRING = "whole text", "whole string"
MOST_CLASSES = 12  # of each classifier, the likeliest for the unchanged clip; a speaker classifier has a thousand
_known = BoundedCache(16 * 2**20)  # scores and answers of sounds that were asked about before


@dataclass(frozen=True, eq=False)
class Panel:
    """What is asked of a model about changed versions of one clip."""

    clip: Clip
    model: SpeechModel
    labels: tuple[str, ...]  # (targets,) distinct; the first is the model's answer as a whole where there is one
    scales: tuple[Scale, ...]  # (targets,) what kind of number each is
    lengths: tuple[int, ...]  # (targets,) tokens or symbols that each is about
    read: Callable[[SpeechModel, Any], np.ndarray]  # the network's output -> (targets,)
    transcript: Transcript | None = None
    window: Window = "full"
    renormalise: bool = False  # wav2vec 2.0: each changed clip is scaled anew, as the model would scale it in use
    given: str | None = None  # the string that a CTC model is asked about in place of its own

    def scores(self, samples: np.ndarray) -> np.ndarray:
        """(targets,) the numbers for these (n,) samples, in nats."""
        return _known.fetch(self._key(samples), lambda: self._scores(samples), lambda found: found.nbytes + 200)

    def heard(self, samples: np.ndarray) -> tuple[np.ndarray, str]:
        """The same numbers, and what the model now says by itself.

        The answer is always that of the exact window: fed a shorter one, Whisper writes loops.
        """
        key = (*self._key(samples), "heard")
        return _known.fetch(key, lambda: self._heard(samples), lambda found: 2 * len(found[1]) + found[0].nbytes + 200)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The same (…, targets) as probabilities: a word's is the product over its tokens."""
        odds = np.array([scale == "log-odds" for scale in self.scales])
        return probability(scores, odds)

    def twin(self, seed: int) -> "Panel":
        """The same questions to the same architecture with random weights."""
        return replace(self, model=models.random_twin(self.model, seed))

    def _key(self, samples: np.ndarray) -> tuple[Any, ...]:
        sound = hashlib.sha256(np.ascontiguousarray(samples, dtype="<f4").tobytes()).hexdigest()
        text = self.transcript and self.transcript.ids
        asked = text, self.given, self.labels
        return self.model.key, self.clip.sha256, *asked, self.window, self.renormalise, sound

    @torch.inference_mode()
    def _scores(self, samples: np.ndarray) -> np.ndarray:
        with self.model.lock:
            return read_only(self.read(self.model, self._output(samples, self.window)))

    @torch.inference_mode()
    def _heard(self, samples: np.ndarray) -> tuple[np.ndarray, str]:
        with self.model.lock:
            output = self._output(samples, "full")
            said = target_kinds.answer(self.model, output, self.transcript)
            if self.window == "full":
                return read_only(self.read(self.model, output)), said
        return self.scores(samples), said  # after the lock: see BoundedCache

    def _output(self, samples: np.ndarray, window: Window) -> Any:
        steps = models.stages_of(self.clip, self.model, window=window, renormalise=self.renormalise)
        return stages.onward(steps, "waveform", stages.batch(self.model.network, samples))


def probability(scores: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """exp of log-probabilities, the logistic of log-odds; (…, targets) and (targets,) bool."""
    scores = np.asarray(scores, float)
    # The logistic as a hyperbolic tangent cannot overflow.
    return np.where(odds, 0.5 * (1 + np.tanh(scores / 2)), np.exp(np.where(odds, 0.0, np.minimum(scores, 0.0))))


def build(
    clip: Clip,
    model: SpeechModel,
    *,
    transcript: str | None = None,
    language: str | None = None,
    window: Window = "full",
    renormalise: bool = False,
) -> Panel:
    """What can be asked of this model about this clip: all words of its text, its language, or all its classes.

    `transcript` replaces the model's own. Raises UserError for a model that only makes hidden states, and where it
    hears nothing in the clip.
    """
    fixed = {"clip": clip, "model": model, "window": window, "renormalise": renormalise}
    if model.writes_text:
        return _whisper(fixed, models.transcribe(clip, model, text=transcript, language=language))
    if models.ctc_vocabulary(model) is not None:
        return _ctc(fixed, transcript)
    if wav2vec2.has_classes(model):
        return _classes(fixed)
    raise UserError(
        f"{model.id} only makes hidden states, so it has no word or class that could be lost; choose a Whisper, CTC "
        "or classification model."
    )


def _whisper(fixed: dict[str, Any], text: Transcript) -> Panel:
    if not text.tokens:
        raise UserError(
            f"{fixed['model'].id} writes no word for this clip, so none can be lost; give the transcript of the clip.",
            mend={"transcript": "…"},
        )
    words = text_words(text)
    codes = fixed["model"].decoding.languages
    labels = [WHOLE, *_distinct([f"“{word.label}”" for word in words])]
    lengths = [len(text.tokens) + 1, *(len(word.tokens) for word in words)]
    rivals = [number for code, number in codes.items() if code != text.language]

    def read(model: SpeechModel, states: torch.Tensor) -> np.ndarray:
        found, openings = decoder.forced_logprobs(model, states, text.prompt, text.tokens)
        tokens = found[0]  # (tokens + 1,)
        # The number at decoder position i is that of token i, and the prompt's come before the text's.
        offset = len(text.prompt)
        values = [tokens.sum(), *(tokens[w.tokens.start - offset : w.tokens.stop - offset].sum() for w in words)]
        if rivals:
            values.append(openings[0][codes[text.language]] - np.logaddexp.reduce(openings[0][rivals]))
        return np.array(values)

    scales: list[Scale] = ["log-probability"] * len(labels)
    if rivals:
        labels, lengths, scales = [*labels, f"language {text.language}"], [*lengths, 1], [*scales, "log-odds"]
    return Panel(**fixed, labels=tuple(labels), scales=tuple(scales), lengths=tuple(lengths), read=read,
                 transcript=text)  # fmt: skip


def _distinct(labels: list[str]) -> list[str]:
    return [f"{x} ({labels[: i + 1].count(x)})" if labels.count(x) > 1 else x for i, x in enumerate(labels)]


def _ctc(fixed: dict[str, Any], transcript: str | None) -> Panel:
    clip, model = fixed["clip"], fixed["model"]
    vocabulary = models.ctc_vocabulary(model)
    whole = targets.build(clip, model, "ctc", transcript=transcript)
    said = transcript or whole.answer(clip.samples)
    names = [" ".join(word.split()) for word in (said.split("|") if vocabulary.joint else said.split())]
    names = [name for name in names if name]
    labels, asked = [STRING], [whole]
    if len(names) > 1:  # the only word against nothing would be the string once more
        labels += _distinct([f"“{name}”" for name in names])
        counts = [names[: i + 1].count(name) for i, name in enumerate(names)]
        given = {"transcript": transcript}
        asked += [
            targets.build(clip, model, "ctc", wanted=name, occurrence=count, **given)
            for name, count in zip(names, counts, strict=True)
        ]
    scales: list[Scale] = ["log-probability", *["log-odds"] * (len(asked) - 1)]
    symbols = [len(name.split() if vocabulary.joint else name) for name in names]

    def read(model: SpeechModel, scores: Any) -> np.ndarray:
        return np.array([float(target.readout(model, scores)) for target in asked])

    lengths = (sum(symbols), *symbols)[: len(asked)]
    return Panel(**fixed, labels=tuple(labels), scales=tuple(scales), lengths=lengths, read=read, given=transcript)


def _classes(fixed: dict[str, Any]) -> Panel:
    names = wav2vec2.class_labels(fixed["model"])
    found = models.class_probabilities(fixed["clip"], fixed["model"])
    columns: list[tuple[str, int]] = []
    for head, labels in names.items():
        likeliest = sorted(range(len(labels)), key=lambda i: -found[head][labels[i]])[:MOST_CLASSES]
        columns += [(head, number) for number in likeliest]

    def read(model: SpeechModel, scores: Any) -> np.ndarray:
        logs = {head: row[0].log_softmax(-1).cpu().double().numpy() for head, row in scores.items()}
        return np.array([logs[head][number] for head, number in columns])

    several = len(names) > 1
    labels = tuple(f"{head}: {names[head][i]}" if several else names[head][i] for head, i in columns)
    return Panel(**fixed, labels=labels, scales=("log-probability",) * len(columns), lengths=(1,) * len(columns),
                 read=read)  # fmt: skip
