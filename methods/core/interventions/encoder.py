"""Whisper's encoder, recorded, and run on from any layer with something in it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch.nn import functional

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
from methods.core.models import whisper
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window

Site = Literal["residual", "attention", "cross-attention", "feed-forward"]
SITES: tuple[Site, ...] = ("residual", "attention", "feed-forward")  # those that an encoder has


@dataclass(frozen=True, eq=False)
class EncoderRun:
    """One pass: what every block read and wrote, and what every head took, for every position."""

    network: Any
    own: int  # positions that are the clip's own; the rest is the silence that Whisper reads after it
    streams: torch.Tensor  # (layers + 1, positions, dim) before block 1, after every block; before the final norm
    heads: torch.Tensor  # (layers, heads, positions, head dim) before the output projection

    @property
    def layers(self) -> int:
        return len(self.heads)

    @property
    def blocks(self) -> Sequence[Any]:
        return self.network.model.encoder.layers

    def after_attention(self, layer: int, rows: torch.Tensor | slice) -> torch.Tensor:
        """(rows, dim) the stream between attention and feed-forward of block `layer` (from 1)."""
        return self.streams[layer - 1][rows] + self.attended(layer, rows)

    def attended(self, layer: int, rows: torch.Tensor | slice) -> torch.Tensor:
        """(rows, dim) the attention module's output in block `layer` (from 1)."""
        return joined(self.blocks[layer - 1].self_attn, self.heads[layer - 1][None, :, rows])[0]


@torch.inference_mode()
def record(model: SpeechModel, samples: np.ndarray, own: int, window: Window = "full") -> EncoderRun:
    """Everything that changes may start from, of (n,) samples; `window="clip"` leaves the padding out."""
    encoder = model.network.model.encoder
    with model.lock:
        stream = _stem(encoder, whisper.features(model, samples), None if window == "full" else own)
        streams, heads = [stream[0]], []
        for block in encoder.layers:
            read = block.self_attn_layer_norm(stream)
            taken = mixed(block.self_attn, read, *keys_and_values(block.self_attn, read), causal=False)
            stream = _rest(block, stream, taken)
            streams.append(stream[0])
            heads.append(taken[0])
    return EncoderRun(model.network, own, torch.stack(streams), torch.stack(heads))


def _stem(encoder: Any, mel: torch.Tensor, positions: int | None) -> torch.Tensor:
    """(1, positions, dim) what the first block reads; two log-mel frames (10 ms each) make one position."""
    mel = mel if positions is None else mel[..., : 2 * positions]
    stem = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(mel)))).transpose(1, 2)
    return stem + encoder.embed_positions.weight[: stem.shape[1]]


def _rest(block: Any, stream: torch.Tensor, heads: torch.Tensor) -> torch.Tensor:
    stream = stream + joined(block.self_attn, heads)
    return stream + fed_forward(block, stream)


@torch.inference_mode()
def patched(run: EncoderRun, other: EncoderRun, layer: int, site: Site, rows: torch.Tensor) -> torch.Tensor:
    """(1, positions, dim) the stream after `layer` when the site holds, at these rows, what it held in the other run.

    "residual": the stream itself, also of layer 0. "attention" and "feed-forward": what that module of block `layer`
    adds; what comes after it in the block is computed anew.
    """
    stream = run.streams[layer].clone()
    if site == "residual":
        stream[rows] = other.streams[layer][rows]
    elif site == "attention":
        between = run.streams[layer - 1][rows] + other.attended(layer, rows)
        stream[rows] = between + fed_forward(run.blocks[layer - 1], between)
    else:
        added = fed_forward(run.blocks[layer - 1], other.after_attention(layer, rows))
        stream[rows] = run.after_attention(layer, rows) + added
    return stream[None]


@torch.inference_mode()
def onward(run: EncoderRun, stream: torch.Tensor, layer: int) -> torch.Tensor:
    """(1, positions, dim) what the decoder reads when `stream` leaves block `layer` (0: enters the first)."""
    for block in run.blocks[layer:]:
        read = block.self_attn_layer_norm(stream)
        heads = mixed(block.self_attn, read, *keys_and_values(block.self_attn, read), causal=False)
        stream = _rest(block, stream, heads)
    return run.network.model.encoder.layer_norm(stream)


@torch.inference_mode()
def without_heads(run: EncoderRun, off: Off, fill: Fill) -> torch.Tensor:
    """(1, positions, dim) what the decoder reads when these heads write nothing, or their mean over the clip.

    The mean is that of the unchanged run.
    """
    first = min(off)
    stream = run.streams[first][None]
    for number, block in enumerate(run.blocks[first:], start=first):
        if number == first:
            heads = run.heads[first][None]
        else:
            read = block.self_attn_layer_norm(stream)
            heads = mixed(block.self_attn, read, *keys_and_values(block.self_attn, read), causal=False)
        instead = constants(run.heads[number], fill, run.own)
        stream = _rest(block, stream, without(heads, off.get(number, ()), instead))
    return run.network.model.encoder.layer_norm(stream)
