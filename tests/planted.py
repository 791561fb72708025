"""A Whisper network whose answer is decided at known places: written by hand, so that a tracing can be marked.

Blocks do nothing (no output of attention or feed-forward), but for attention in block 2: there every frame copies what
frame `SOURCE` hears into dimensions of their own. The decoder looks at frame `READ` alone, and only at those
dimensions. So the answer sits at frame `SOURCE` in layers 0 and 1, and at frame `READ` from layer 2 on.
"""

from dataclasses import replace

import torch

from methods.core.models.speech_model import SpeechModel
from tiny import tiny_whisper

SOURCE, READ = 12, 50  # frames of 20 ms
HEARD, COPIED = slice(0, 7), slice(7, 14)  # dimensions: of the sound; of what block 2 copies
AT_SOURCE, AT_READ = 14, 15  # dimensions that mark the two frames
SHARP = 40.0  # scores differ by some hundreds: a soft-max of exactly 0 and 1


def planted(model: SpeechModel, sign: float = 1.0) -> SpeechModel:
    """The network in place of `model`'s; `sign` says which way the decoder takes what it reads."""
    network = tiny_whisper(seed=7, layers=3, heads=1, dim=16)
    with torch.no_grad():
        _encoder(network.model.encoder)
        _decoder(network.model.decoder, sign)
    return replace(model, network=network, weights_sha256=f"planted {sign}")


def _encoder(encoder: torch.nn.Module) -> None:
    encoder.conv2.weight[COPIED.start :] = 0.0
    encoder.conv2.bias[COPIED.start :] = 0.0
    encoder.embed_positions.weight.zero_()
    encoder.embed_positions.weight[SOURCE, AT_SOURCE] = 5.0
    encoder.embed_positions.weight[READ, AT_READ] = 5.0
    _plain(encoder.layer_norm)
    for block in encoder.layers:
        _silent(block.self_attn.out_proj)
        _silent(block.fc2)
        _plain(block.self_attn_layer_norm)
    attention = encoder.layers[1].self_attn
    _looks_at(attention, AT_SOURCE)
    _carries(attention, HEARD, COPIED, 1.0)


def _decoder(decoder: torch.nn.Module, sign: float) -> None:
    for number, block in enumerate(decoder.layers):
        if number:
            _silent(block.encoder_attn.out_proj)
    attention = decoder.layers[0].encoder_attn
    _looks_at(attention, AT_READ)
    _carries(attention, COPIED, slice(0, 7), 20.0 * sign)


def _silent(linear: torch.nn.Linear) -> None:
    linear.weight.zero_()
    linear.bias.zero_()


def _plain(norm: torch.nn.LayerNorm) -> None:
    norm.weight.fill_(1.0)
    norm.bias.zero_()


def _looks_at(attention: torch.nn.Module, mark: int) -> None:
    """Every row looks at the frame that has this mark."""
    for part in (attention.q_proj, attention.k_proj):
        part.weight.zero_()
    attention.q_proj.bias.zero_()
    attention.q_proj.bias[0] = SHARP
    attention.k_proj.weight[0, mark] = SHARP


def _carries(attention: torch.nn.Module, taken: slice, given: slice, scale: float) -> None:
    """What is in some dimensions of the frame that is read is added to others."""
    _silent(attention.v_proj)
    _silent(attention.out_proj)
    for number, (source, goal) in enumerate(zip(range(16)[taken], range(16)[given], strict=True)):
        attention.v_proj.weight[number, source] = 1.0
        attention.out_proj.weight[goal, number] = scale
