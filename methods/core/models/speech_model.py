"""What a loaded speech model is to the rest of the app: plain values, whatever library the network came from."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from methods.core.frames import FrameGrid
from methods.core.models import fingerprint
from methods.core.models.devices import device_of


@dataclass(frozen=True)
class Decoding:
    """How a Whisper model is prompted and which tokens it must not choose (from its generation settings)."""

    start: int  # <|startoftranscript|>
    end: int  # <|endoftext|>
    no_timestamps: int
    transcribe: int | None  # <|transcribe|>; None in English-only models, which have no task token
    no_speech: int | None
    languages: dict[str, int]  # language code -> token; empty in English-only models
    suppressed: tuple[int, ...]  # never chosen
    suppressed_first: tuple[int, ...]  # not chosen as the first token
    alignment_heads: tuple[tuple[int, int], ...]  # (layer, head) of cross-attention that follow the speech, from 0


@dataclass(frozen=True)
class Vocabulary:
    """What the outputs of a CTC head stand for."""

    labels: tuple[str, ...]  # one per output
    blank: int  # the output that means "nothing new here"
    space: int | None  # the output that parts words; None if there is none
    joint: str  # between labels when they are spelled out: nothing for letters, a space for phones

    def spell(self, ids: Iterable[int]) -> str:
        """The text of these labels; phones have spaces between them and " | " between words."""
        words = [[self.labels[number] for number in word] for word in self._words(ids)]
        return (" | " if self.joint else " ").join(self.joint.join(word) for word in words if word)

    def _words(self, ids: Iterable[int]) -> list[list[int]]:
        words: list[list[int]] = [[]]
        for number in ids:
            if number == self.space:
                words.append([])
            else:
                words[-1].append(number)
        return words


@dataclass(frozen=True, eq=False)
class SpeechModel:
    """A speech network in evaluation mode, with what is needed to feed it a clip and to name it in a result."""

    id: str
    family: str  # "whisper", …
    network: torch.nn.Module
    front_end: Any  # feature extractor: samples -> network input
    tokenizer: Any | None  # a tokeniser (Whisper), the Vocabulary of a CTC head, or None
    weights_sha256: str
    decoding: Decoding | None = None
    notes: tuple[str, ...] = ()  # what to know of its answers, each a clause: "no alignment heads are published …"
    seed: int | None = None  # of the random initialisation; None for trained weights
    lock: Any = field(default_factory=threading.RLock, repr=False)  # hooks sit on the network: one pass at a time

    def __repr__(self) -> str:
        """One line; the network's own would be a page of modules."""
        weights = f"weights {self.weights_sha256[:12]}" if self.trained else f"random weights, seed {self.seed}"
        size = sum(weight.numel() for weight in self.network.parameters()) / 1e6
        return f"SpeechModel({self.id!r}, {self.family}, {size:.1f} million parameters, {weights})"

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return device_of(self.network)

    @property
    def trained(self) -> bool:
        return self.seed is None

    @property
    def writes_text(self) -> bool:
        """Whether the model has a decoder that spells out a transcript."""
        return self.decoding is not None

    @cached_property
    def key(self) -> tuple[str, int | None, str]:
        """What a cache may be keyed by: the weights and all that they are used with, not the name asked for."""
        design = fingerprint.design(self.network, self.front_end, self.tokenizer, self.decoding)
        where = "" if self.device.type == "cpu" else f" on {self.device}"  # its last digits differ from a CPU's
        return self.weights_sha256, self.seed, design + where

    @property
    def origin(self) -> dict[str, str]:
        """What a result remembers of the model that made it."""
        where = {} if self.device.type == "cpu" else {"device": str(self.device)}
        return {"model": self.id, "family": self.family, "weights_sha256": self.weights_sha256} | where

    @property
    def bytes(self) -> int:
        """Memory that the weights take; those that stand under two names count once."""
        tensors = {tensor.data_ptr(): tensor for tensor in self.network.state_dict().values()}
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@dataclass(frozen=True, eq=False)
class Encoding:
    """The hidden states of a clip: `hidden[l]` is what layer l + 1 reads, for the clip's own frames only."""

    hidden: np.ndarray  # (layers + 1, frames, dim) float32; the last entry is what the model passes on
    raw_last: (
        np.ndarray | None
    )  # (frames, dim) last block's output before the final norm; None where it has no such norm
    times: np.ndarray  # (frames,) frame centres, seconds
    conv: np.ndarray | None  # (frames, conv_dim) bare output of the convolutional front end, where the family has one
    layer_names: tuple[str, ...]  # (layers + 1,) honest names of the entries of `hidden`
    grid: FrameGrid


@dataclass(frozen=True, eq=False)
class Transcript:
    """A text as the model spells it, and how likely the model finds each token."""

    text: str
    prompt: tuple[int, ...]  # token ids before the text: start, language, task, no timestamps
    tokens: tuple[int, ...]  # token ids of the text
    token_texts: tuple[str, ...]  # one per token, leading spaces kept
    prompt_texts: tuple[str, ...]
    logprobs: np.ndarray  # (tokens + 1,) natural log-probability of each token and of the end, before suppression
    language: str | None  # code; None if the model knows only one language
    no_speech: float | None  # probability that the model gives to "no speech" in this clip
    given: bool  # True: the text was given and teacher-forced; False: greedily decoded
    complete: bool  # False: greedy decoding met its length limit

    @property
    def ids(self) -> tuple[int, ...]:
        """What the decoder reads: row t of a decoder result is the state at `ids[t]`, which predicts `ids[t + 1]`."""
        return self.prompt + self.tokens

    @property
    def labels(self) -> tuple[str, ...]:
        """A readable name per decoder row."""
        return self.prompt_texts + tuple(text.strip() or "·" for text in self.token_texts)
