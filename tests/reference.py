"""Slow, plain oracles for what our techniques compute cleverly. Nothing of our own package is imported here.

Each value-zeroing number comes from running a layer of the Hugging Face model once more, as it stands, with a hook
that sets some rows of its value projection to zero (Mohebbi et al., EACL 2023, arXiv 2301.12971). The network decides
the precision of the passes (give it as `.double()` for a float64 oracle); distances are always float64.

Shapes: 1 clip a call. T encoder frames (1,500 for Whisper), N decoder tokens, L layers, H heads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Call:
    """What one layer was called with in an ordinary pass, and what it returned."""

    args: tuple
    kwargs: dict
    output: Tensor  # (1, positions, dim)


@dataclass(frozen=True)
class Maps:
    """Attention weights of one pass; the last axis (keys) sums to 1."""

    encoder: Tensor  # (L, H, T, T)
    decoder: Tensor  # (L, H, N, N)
    cross: Tensor  # (L, H, N, T)


def value_zeroing_encoder(network, input_features: Tensor, zeroed: Sequence[range], rows: range) -> Tensor:
    """How far each encoder frame in `rows` moves when the frames of each J in `zeroed` lose their values.

    float64 (L, len(zeroed), len(rows)) cosine distances. The last layer is compared after the final LayerNorm.
    """
    encoder = network.model.encoder
    calls = record_calls(encoder.layers, lambda: encoder(input_features))
    return _distances(encoder, calls, "self_attn", zeroed, rows)


def value_zeroing_decoder(network, input_features, decoder_input_ids, zeroed: Sequence[range], rows: range) -> Tensor:
    """How far each token in `rows` moves when the tokens of each J lose their self-attention values.

    float64 (L, len(zeroed), len(rows)). The whole decoder layer is run again, cross-attention included.
    """
    calls = _decoder_calls(network, input_features, decoder_input_ids)
    return _distances(network.model.decoder, calls, "self_attn", zeroed, rows)


def value_zeroing_cross(network, input_features, decoder_input_ids, zeroed: Sequence[range], rows: range) -> Tensor:
    """How far each token in `rows` moves when the encoder frames of each J lose their cross-attention values.

    float64 (L, len(zeroed), len(rows)).
    """
    calls = _decoder_calls(network, input_features, decoder_input_ids)
    return _distances(network.model.decoder, calls, "encoder_attn", zeroed, rows)


@torch.no_grad()
def attention_maps(network, input_features: Tensor, decoder_input_ids: Tensor) -> Maps:
    """All attention weights, from the library's own eager attention; the network's setting is put back afterwards."""
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    try:
        output = network(input_features, decoder_input_ids=decoder_input_ids, output_attentions=True, use_cache=False)
    finally:
        network.set_attn_implementation(before)
    return Maps(
        encoder=torch.cat(output.encoder_attentions),
        decoder=torch.cat(output.decoder_attentions),
        cross=torch.cat(output.cross_attentions),
    )


# The pieces, also used by benchmarks/value_zeroing.py


@torch.no_grad()
def record_calls(layers: nn.ModuleList, run: Callable[[], object]) -> list[Call]:
    """The call of each layer while `run()` makes one ordinary pass."""
    calls: dict[int, Call] = {}

    def keeper(index: int):
        def keep(_layer, args, kwargs, output):
            calls[index] = Call(args, kwargs, output)

        return keep

    handles = [layer.register_forward_hook(keeper(i), with_kwargs=True) for i, layer in enumerate(layers)]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [calls[i] for i in range(len(layers))]


@torch.no_grad()
def rerun(layer: nn.Module, call: Call, attention: str, zeroed: range) -> Tensor:
    """The layer's output (1, positions, dim) on its stored input, without the values at `zeroed`."""
    with values_zeroed(getattr(layer, attention), zeroed):
        return layer(*call.args, **call.kwargs)


@contextmanager
def values_zeroed(attention: nn.Module, positions: range) -> Iterator[None]:
    """While open, `attention` (its v_proj) gives zero vectors at `positions`, for all heads."""
    chosen = torch.tensor(list(positions), dtype=torch.long)

    def zero(_projection, _args, values):
        values = values.clone()
        values[:, chosen] = 0
        return values

    handle = attention.v_proj.register_forward_hook(zero)
    try:
        yield
    finally:
        handle.remove()


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """1 - cos along the last axis in float64, as half the squared distance of the two unit vectors.

    That form is exactly 0 for equal vectors and does not cancel for nearly equal ones, as 1 - cos does.
    """
    a, b = a.double(), b.double()
    a = a / a.norm(dim=-1, keepdim=True)
    b = b / b.norm(dim=-1, keepdim=True)
    return (a - b).square().sum(dim=-1) / 2


def final_norm(stack, index: int) -> Callable[[Tensor], Tensor]:
    """What turns a layer's output into the hidden state: the final LayerNorm after the last layer, else nothing."""
    return stack.layer_norm if index == len(stack.layers) - 1 else nn.Identity()


@torch.no_grad()
def _decoder_calls(network, input_features: Tensor, decoder_input_ids: Tensor) -> list[Call]:
    frames = network.model.encoder(input_features).last_hidden_state
    decoder = network.model.decoder
    # Without a cache: with one, the second run of a layer would append its keys and values to those of the first.
    return record_calls(
        decoder.layers,
        lambda: decoder(input_ids=decoder_input_ids, encoder_hidden_states=frames, use_cache=False),
    )


@torch.no_grad()
def _distances(stack, calls: Sequence[Call], attention: str, zeroed: Sequence[range], rows: range) -> Tensor:
    distances = torch.zeros(len(calls), len(zeroed), len(rows), dtype=torch.float64)
    kept = torch.tensor(list(rows), dtype=torch.long)
    for index, (layer, call) in enumerate(zip(stack.layers, calls, strict=True)):
        norm = final_norm(stack, index)
        original = norm(call.output)[0, kept]
        for column, positions in enumerate(zeroed):
            changed = norm(rerun(layer, call, attention, positions))[0, kept]
            distances[index, column] = cosine_distance(changed, original)
    return distances
