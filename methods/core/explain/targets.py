"""What is explained: one number that a model gives to a clip, as a function of the sound.

    target = build(clip, model, "word", wanted="greasy")   # log-probability of a word in the model's own transcript
    target.score(samples)                                  # of changed samples, for methods that perturb
    target.value("log-mel", mel)                           # differentiable, for methods that follow gradients
    target.answer(samples)                                 # what the model now writes (this one decodes)

Kinds, by model. Whisper, always teacher-forced: "token", "word" (the sum over its tokens), "transcript" (all tokens
and the end), "contrast" (one word against another at the same place), "language" (log-odds at the opening;
multilingual models only). CTC models: "ctc" (the whole string, or one word: the string with it against the string
without it) and "contrast". Classifiers: "class". All are in nats but logits of classes.
"""

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import target_kinds
from methods.core.explain.target_kinds import Readout
from methods.core.models import stages, wav2vec2
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Level, Stages, Window

Kind = Literal["token", "word", "transcript", "contrast", "language", "ctc", "class"]


@dataclass(frozen=True, eq=False)
class Target:
    """One number that a model gives to a clip. Perturbed clips may have another length, up to 30 s."""

    kind: Kind
    label: str  # for titles: “greasy”, “livre” rather than “livres”, language fr
    unit: str  # "nats" (natural logarithms of probabilities or of their ratios) or "logit"
    clip: Clip  # the unchanged clip
    model: SpeechModel
    readout: Readout
    transcript: Transcript | None = None  # the text that the decoder is forced to read
    word: str | None = None  # the word that is explained, as the text has it
    occurrence: int | None = None  # which of several equal words, from 1
    window: Window = "full"
    renormalise: bool = False  # wav2vec 2.0: scale each perturbed clip anew

    @cached_property
    def steps(self) -> Stages:
        """The network, level by level."""
        return models.stages_of(self.clip, self.model, window=self.window, renormalise=self.renormalise)

    @property
    def levels(self) -> tuple[str, ...]:
        """Where the network can be entered: "waveform", "log-mel" where there is one, "embedding"."""
        return tuple(self.steps)

    @torch.inference_mode()
    def score(self, samples: np.ndarray) -> float:
        """The number for these (n,) samples."""
        with self.model.lock:
            return float(self.value("waveform", self._batch(samples)))

    @torch.inference_mode()
    def score_at(self, level: Level, entering: np.ndarray) -> float:
        """The number when this enters the network at a level, in the shape that `entering` gives."""
        with self.model.lock:
            return float(self.value(level, self._batch(entering)))

    @torch.no_grad()
    def entering(self, level: Level, samples: np.ndarray | None = None) -> torch.Tensor:
        """(1, …) what enters the network at this level, of the clip unless other samples are given.

        "waveform" (1, n); "log-mel" (1, mels, frames of 10 ms); "embedding" (1, frames of 20 ms, dim).
        """
        with self.model.lock:
            return stages.at(self.steps, level, self._batch(self.clip.samples if samples is None else samples))

    @torch.no_grad()
    def onto(self, level: Level, start: Level, entering: torch.Tensor) -> torch.Tensor:
        """(1, …) what enters at a later level when `entering` enters at `start`."""
        names = list(self.steps)
        with self.model.lock:
            for name in names[names.index(start) : names.index(level)]:
                entering = self.steps[name](entering)
        return entering

    def value(self, level: Level, entering: torch.Tensor) -> torch.Tensor:
        """The number as a tensor () that knows its gradient. Hold `model.lock`, also while going backward."""
        return self.readout(self.model, stages.onward(self.steps, level, entering))

    def _batch(self, values: np.ndarray) -> torch.Tensor:
        return stages.batch(self.model.network, values)

    @cached_property
    def _first(self) -> tuple[float, float]:
        start = time.thread_time()
        return self.score(self.clip.samples), time.thread_time() - start

    @property
    def base(self) -> float:
        """The number for the clip as it is."""
        return self._first[0]

    @property
    def seconds(self) -> float:
        """How long it took to find that number, s; without waiting for others who use the model or the processor."""
        return self._first[1]

    def twin(self, seed: int) -> "Target":
        """The same number asked of the same architecture with random weights."""
        return replace(self, model=models.random_twin(self.model, seed))

    @torch.inference_mode()
    def answer(self, samples: np.ndarray) -> str:
        """What the model now says by itself: a transcript, a string of symbols, a language or a class."""
        with self.model.lock:
            output = stages.onward(self.steps, "waveform", self._batch(samples))
            return target_kinds.answer(self.model, output, self.transcript)


def kinds(model: SpeechModel) -> tuple[Kind, ...]:
    """What can be explained of this model; () if it only makes hidden states."""
    if model.writes_text:
        return ("word", "token", "transcript", "contrast", *(("language",) if model.decoding.languages else ()))
    if models.ctc_vocabulary(model) is not None:
        return ("ctc", "contrast")
    return ("class",) if wav2vec2.has_classes(model) else ()


def build(
    clip: Clip,
    model: SpeechModel,
    kind: Kind,
    *,
    wanted: str | None = None,
    occurrence: int | None = None,
    against: str | None = None,
    transcript: str | None = None,
    language: str | None = None,
    head: str | None = None,
    scale: Literal["logit", "log-probability"] = "logit",
    window: Window = "full",
    renormalise: bool = False,
) -> Target:
    """The target of this kind. `wanted` names the word, token, language or class; None chooses a telling one.

    `occurrence` (from 1) says which of several equal words; `against` is the other word, language or class; `head` a
    classifier's task; `scale` what is read off a classifier. `transcript` replaces what the model itself would write
    (for CTC models: the phones with spaces, “ | ” between words, or the text). Raises UserError where the model has
    nothing of the kind, or the word is not there.
    """
    _check_kind(model, kind)
    text = None
    if kind == "language":
        found = target_kinds.language(clip, model, wanted, against)
    elif kind == "class":
        found = target_kinds.classes(clip, model, wanted, against, head, scale)
    else:
        named = {"wanted": wanted, "occurrence": occurrence, "against": against}
        if model.writes_text:
            text = models.transcribe(clip, model, text=transcript, language=language)
            found = target_kinds.of_text(model, text, kind, **named)
        else:
            found = target_kinds.ctc(clip, model, transcript=transcript, **named)
    return Target(
        kind=kind, label=found.label, unit=found.unit, clip=clip, model=model, readout=found.readout, transcript=text,
        word=found.word, occurrence=None if kind in ("language", "class") else occurrence, window=window,
        renormalise=renormalise,
    )  # fmt: skip


def _check_kind(model: SpeechModel, kind: Kind) -> None:
    possible = kinds(model)
    if kind not in possible:
        raise UserError(
            f"{model.id} has no “{kind}” that could be explained; "
            + (f"it has: {', '.join(possible)}." if possible else "choose a Whisper, CTC or classification model.")
        )
