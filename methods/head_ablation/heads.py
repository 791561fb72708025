"""Heads by name, and the two kinds of networks whose heads can be switched off: Whisper, and encoders with a read-out.

A head is (stack, layer, head), all from 0 inside; names count from 1: "cross 4.2" is head 2 of cross-attention in
decoder layer 4.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain.targets import Target
from methods.core.interventions import decoder, encoder, wanted
from methods.core.interventions.blocks import Fill, Off, constants
from methods.core.interventions.decoder import DecoderRun
from methods.core.interventions.encoder import EncoderRun
from methods.core.models.sites import Stack
from methods.core.models.speech_model import SpeechModel, Transcript

Head = tuple[Stack, int, int]
STACKS: tuple[Stack, ...] = ("encoder", "decoder", "cross")
Change = tuple[torch.nn.Linear, Sequence[int], torch.Tensor]  # output projection, heads, what they write instead


def named(head: Head) -> str:
    """The name of a head, counted from 1."""
    return f"{head[0]} {head[1] + 1}.{head[2] + 1}"


def by_name(name: str, sizes: Mapping[Stack, tuple[int, int]]) -> Head:
    """The head of this name; raises UserError where the model has none."""
    stack, _, place = name.strip().partition(" ")
    layer, _, head = place.partition(".")
    if not (layer.isdigit() and head.isdigit() and stack in sizes):
        raise UserError(
            f"“{name[:40]}” names no head of this model; write it as “{next(iter(sizes))} 2.1”, with one of: "
            f"{', '.join(sizes)}."
        )
    layers, heads = sizes[stack]
    if not (1 <= int(layer) <= layers and 1 <= int(head) <= heads):
        raise UserError(f"There is no head {name}; {stack} has {layers} layers of {heads} heads, counted from 1.")
    return stack, int(layer) - 1, int(head) - 1


def off_in(heads: Iterable[Head], stack: Stack) -> Off:
    """Layer -> heads of one stack."""
    found: dict[int, tuple[int, ...]] = {}
    for where, layer, head in heads:
        if where == stack:
            found[layer] = (*found.get(layer, ()), head)
    return found


@contextmanager
def rewritten(changes: Sequence[Change]) -> Iterator[None]:
    """While it lasts, these heads write a constant: columns of 0, and the bias holds it. Hold the model's lock."""
    kept = [(linear, linear.weight, linear.bias) for linear, _, _ in changes]
    try:
        for linear, heads, instead in changes:
            parts, chosen = linear.weight.detach().unflatten(1, (len(instead), -1)), torch.tensor(heads)
            written = torch.einsum("oht,ht->o", parts[:, chosen], instead[chosen].to(parts.device))
            bias = linear.bias.detach() + written
            weight = parts.clone()
            weight[:, chosen] = 0.0
            linear.weight = torch.nn.Parameter(weight.flatten(1), requires_grad=False)
            linear.bias = torch.nn.Parameter(bias, requires_grad=False)
        yield
    finally:
        for linear, weight, bias in kept:
            linear.weight, linear.bias = weight, bias


@dataclass(frozen=True, eq=False)
class WhisperHeads:
    """Whisper's three kinds of attention; only layers above the lowest silent head are run."""

    clip: Clip
    model: SpeechModel
    text: Transcript
    fill: Fill

    @property
    def sizes(self) -> dict[Stack, tuple[int, int]]:
        """Stack -> layers, heads."""
        own, cross = self.read.own.shape[:2], self.read.cross.shape[:2]
        return {"encoder": tuple(self.run.heads.shape[:2]), "decoder": tuple(own), "cross": tuple(cross)}

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the numbers are about, one by one."""
        return (*(piece.strip() or "·" for piece in self.text.token_texts), "(end)")

    @cached_property
    def asked(self) -> wanted.Wanted:
        return wanted.whole(self.model, self.text)

    @cached_property
    def run(self) -> EncoderRun:
        return encoder.record(self.model, self.clip.samples, models.frame_grid(self.clip, self.model).frames)

    @cached_property
    def states(self) -> torch.Tensor:
        """(1, positions, dim) what the decoder reads of the unchanged encoder."""
        with self.model.lock:
            return encoder.onward(self.run, self.run.streams[-1][None], self.run.layers)

    @cached_property
    def read(self) -> DecoderRun:
        return decoder.record(self.model, self.states, self.asked.read)

    @cached_property
    def base(self) -> np.ndarray:
        """(tokens,) nats with every head on."""
        return self.asked.logprobs(self.model, self.states)

    @cached_property
    def _decoder_base(self) -> np.ndarray:
        return self.asked.of(decoder.onward(self.read, self.read.streams[-1][None], self.read.layers, len(self.base)))

    def loss(self, heads: Sequence[Head]) -> np.ndarray:
        """(tokens,) nats that each token loses without these heads."""
        inside, own, cross = (off_in(heads, stack) for stack in STACKS)
        with self.model.lock:
            states = encoder.without_heads(self.run, inside, self.fill) if inside else self.states
            if not own and not cross:
                return self.base - self.asked.logprobs(self.model, states)
            read = decoder.record(self.model, states, self.asked.read) if inside else self.read
            read = replace(read, own=self.read.own, cross=self.read.cross)  # means are those of the unchanged run
            table = decoder.without_heads(read, (own, cross), self.fill, len(self.base))
            return self._decoder_base - self.asked.of(table)

    def said(self, heads: Sequence[Head]) -> str:
        """What the model writes by itself without these heads."""
        inside = off_in(heads, "encoder")
        blocks, changes = self.model.network.model.decoder.layers, []
        for stack, part, taken in (
            ("decoder", "self_attn", self.read.own),
            ("cross", "encoder_attn", self.read.cross),
        ):
            for layer, chosen in off_in(heads, stack).items():
                instead = constants(taken[layer], self.fill, taken.shape[2])
                changes.append((getattr(blocks[layer], part).out_proj, chosen, instead))
        with self.model.lock, rewritten(changes):
            states = encoder.without_heads(self.run, inside, self.fill) if inside else self.states
            return wanted.written(self.model, states, self.text)

    def twin(self, seed: int) -> "WhisperHeads":
        """The same question to the same architecture with random weights."""
        return WhisperHeads(self.clip, models.random_twin(self.model, seed), self.text, self.fill)


@dataclass(frozen=True, eq=False)
class EncoderHeads:
    """An encoder with a CTC head or a classifier: one number, of the whole string or of the likeliest class."""

    clip: Clip
    model: SpeechModel
    target: Target
    fill: Fill

    @property
    def sizes(self) -> dict[Stack, tuple[int, int]]:
        """Stack -> layers, heads."""
        sites = models.encoder_states(self.clip, self.model).sites
        return {"encoder": (len(sites), len(sites[0].query))}

    @property
    def tokens(self) -> tuple[str, ...]:
        return (self.target.label,)

    @cached_property
    def base(self) -> np.ndarray:
        """(1,) nats with every head on."""
        return np.array([self.target.score(self.clip.samples)])

    @torch.inference_mode()
    def _changes(self, heads: Sequence[Head]) -> list[Change]:
        sites = models.encoder_states(self.clip, self.model).sites
        projections = models.output_projections(self.model)
        changes = []
        for layer, chosen in off_in(heads, "encoder").items():
            site = sites[layer]
            taken = site.weights() @ site.value if self.fill == "mean" else site.value
            changes.append((projections[layer], chosen, constants(taken, self.fill, taken.shape[1])))
        return changes

    def loss(self, heads: Sequence[Head]) -> np.ndarray:
        """(1,) nats that are lost without these heads."""
        base, changes = self.base, self._changes(heads)
        with self.model.lock, rewritten(changes):
            return base - self.target.score(self.clip.samples)

    def said(self, heads: Sequence[Head]) -> str:
        """What the model says by itself without these heads."""
        changes = self._changes(heads)
        with self.model.lock, rewritten(changes):
            return self.target.answer(self.clip.samples)

    def twin(self, seed: int) -> "EncoderHeads":
        """The same question to the same architecture with random weights."""
        return EncoderHeads(self.clip, models.random_twin(self.model, seed), self.target.twin(seed), self.fill)


Switchable = WhisperHeads | EncoderHeads


def switchable(clip: Clip, model: SpeechModel, transcript: str | None, language: str | None, fill: Fill) -> Switchable:
    """The model with switches; raises UserError where it says nothing that could be lost."""
    if model.writes_text:
        text = wanted.heard(clip, model, transcript, language, "its heads are judged by what it writes")
        return WhisperHeads(clip, model, text, fill)
    return EncoderHeads(clip, model, wanted.of_encoder(clip, model, transcript, "without a head"), fill)


def all_heads(sizes: Mapping[Stack, tuple[int, int]]) -> list[Head]:
    """Every head, stack by stack."""
    return [(stack, layer, head) for stack, (layers, heads) in sizes.items() for layer in range(layers)
            for head in range(heads)]  # fmt: skip
