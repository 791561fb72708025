"""Whisper's decoder reading one text over one clip, recorded, and run on with something in it changed.

What does not change (keys and values of cross-attention, everything below the site) is computed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from methods.core.interventions.blocks import (
    Fill,
    Off,
    constants,
    fed_forward,
    joined,
    keys_and_values,
    mixed,
    without,
)
from methods.core.interventions.encoder import Site
from methods.core.models.devices import beside
from methods.core.models.speech_model import SpeechModel

SITES: tuple[Site, ...] = ("residual", "attention", "cross-attention", "feed-forward")  # those that a decoder has
NONE: Off = {}


@dataclass(frozen=True, eq=False)
class DecoderRun:
    """One teacher-forced pass: what every block read and wrote, and what every head took, for every token."""

    network: Any
    memory: tuple[tuple[torch.Tensor, torch.Tensor], ...]  # per block: keys and values of what is read of the sound
    streams: torch.Tensor  # (layers + 1, tokens, dim) embeddings, after every block; before the final norm
    own: torch.Tensor  # (layers, heads, tokens, head dim) self-attention, before the output projection
    cross: torch.Tensor  # (layers, heads, tokens, head dim) cross-attention, likewise

    @property
    def layers(self) -> int:
        return len(self.own)

    @property
    def blocks(self) -> Sequence[Any]:
        return self.network.model.decoder.layers

    def after(self, layer: int, site: Site) -> torch.Tensor:
        """(1, tokens, dim) the stream of block `layer` (from 1) right after this attention module."""
        block = self.blocks[layer - 1]
        stream = self.streams[layer - 1][None] + joined(block.self_attn, self.own[layer - 1][None])
        return stream if site == "attention" else stream + self.added(layer, "cross-attention")

    def added(self, layer: int, site: Site) -> torch.Tensor:
        """(1, tokens, dim) what a module of block `layer` (from 1) adds to the stream."""
        block = self.blocks[layer - 1]
        if site == "attention":
            return joined(block.self_attn, self.own[layer - 1][None])
        if site == "cross-attention":
            return joined(block.encoder_attn, self.cross[layer - 1][None])
        return fed_forward(block, self.after(layer, "cross-attention"))


@torch.inference_mode()
def record(model: SpeechModel, states: torch.Tensor, ids: Sequence[int]) -> DecoderRun:
    """Everything that changes may start from: the decoder reads `states` (1, positions, dim) and these tokens."""
    decoder, states = model.network.model.decoder, beside(model.network, states)
    with model.lock:
        stream = (
            decoder.embed_tokens(beside(decoder, torch.tensor([list(ids)])))
            + decoder.embed_positions.weight[: len(ids)]
        )
        memory, streams, own, cross = [], [stream[0]], [], []
        for block in decoder.layers:
            memory.append(keys_and_values(block.encoder_attn, states))
            heads = _own_heads(block, stream)
            stream = stream + joined(block.self_attn, heads)
            taken = mixed(block.encoder_attn, block.encoder_attn_layer_norm(stream), *memory[-1], causal=False)
            stream = stream + joined(block.encoder_attn, taken)
            stream = stream + fed_forward(block, stream)
            for kept, value in ((streams, stream), (own, heads), (cross, taken)):
                kept.append(value[0])
    return DecoderRun(model.network, tuple(memory), torch.stack(streams), torch.stack(own), torch.stack(cross))


def _own_heads(block: Any, stream: torch.Tensor) -> torch.Tensor:
    read = block.self_attn_layer_norm(stream)
    return mixed(block.self_attn, read, *keys_and_values(block.self_attn, read), causal=True)


@torch.inference_mode()
def patched(run: DecoderRun, other: DecoderRun, layer: int, site: Site, rows: torch.Tensor) -> torch.Tensor:
    """(1, tokens, dim) the stream after `layer` when the site holds, at these tokens, what it held in the other run.

    Sites as in `encoder.patched`, and "cross-attention"; what comes after the module in its block is computed anew.
    """
    if site == "residual":
        stream = run.streams[layer][None].clone()
        stream[:, rows] = other.streams[layer][rows]
        return stream
    block, added = run.blocks[layer - 1], run.added(layer, site).clone()
    added[:, rows] = other.added(layer, site)[:, rows]
    if site == "feed-forward":
        return run.after(layer, "cross-attention") + added
    if site == "cross-attention":
        stream = run.after(layer, "attention") + added
    else:
        stream = run.streams[layer - 1][None] + added
        stream = stream + _taken(run, layer - 1, stream, NONE, "zero")
    return stream + fed_forward(block, stream)


def _taken(run: DecoderRun, number: int, stream: torch.Tensor, off: Off, fill: Fill) -> torch.Tensor:
    """(1, tokens, dim) what cross-attention of block `number` (from 0) adds to this stream."""
    attention = run.blocks[number].encoder_attn
    read = run.blocks[number].encoder_attn_layer_norm(stream)
    heads = mixed(attention, read, *run.memory[number], causal=False)
    instead = constants(run.cross[number], fill, heads.shape[2])
    return joined(attention, without(heads, off.get(number, ()), instead))


@torch.inference_mode()
def onward(run: DecoderRun, stream: torch.Tensor, layer: int, last: int = 0) -> torch.Tensor:
    """(tokens, vocabulary) natural log-probabilities when `stream` leaves block `layer` (0: enters the first).

    Of the `last` tokens only, unless 0: the vocabulary is the largest part of a short decoder pass.
    """
    return _read_out(run, _blocks(run, stream, layer, (NONE, NONE), "zero")[:, -last:])


@torch.inference_mode()
def without_heads(run: DecoderRun, off: tuple[Off, Off], fill: Fill, last: int = 0) -> torch.Tensor:
    """(tokens, vocabulary) log-probabilities when these heads of (self-attention, cross-attention) write nothing.

    Or else their mean over the tokens, in the unchanged run. `last` as in `onward`.
    """
    first = min([*off[0], *off[1]])
    return _read_out(run, _blocks(run, run.streams[first][None], first, off, fill)[:, -last:])


def _blocks(run: DecoderRun, stream: torch.Tensor, first: int, off: tuple[Off, Off], fill: Fill) -> torch.Tensor:
    for number, block in enumerate(run.blocks[first:], start=first):
        heads = _own_heads(block, stream)
        instead = constants(run.own[number], fill, heads.shape[2])
        stream = stream + joined(block.self_attn, without(heads, off[0].get(number, ()), instead))
        stream = stream + _taken(run, number, stream, off[1], fill)
        stream = stream + fed_forward(block, stream)
    return stream


def _read_out(run: DecoderRun, stream: torch.Tensor) -> torch.Tensor:
    return run.network.proj_out(run.network.model.decoder.layer_norm(stream)[0]).log_softmax(-1)
