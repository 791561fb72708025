"""Slow, plain oracles for the wav2vec 2.0 family. Nothing of our own package is imported here.

WavLM hands its projections' weights to one fused PyTorch function, so that hooks on its value projection never fire.
Its oracle puts a loop over heads in that function's place, and runs the library's own layer once more with it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from unittest import mock

import torch
from torch import Tensor, nn

from reference import Call, cosine_distance, record_calls, values_zeroed


@torch.no_grad()
def value_zeroing(network, values: Tensor, zeroed: Sequence[range]) -> Tensor:
    """How far does each frame move, in each layer, when the frames of each J in `zeroed` lose their values?

    float64 (layers, len(zeroed), frames) cosine distances. Layers of pre-norm models are compared as the stack hands
    them on: the last one after `encoder.layer_norm`.
    """
    base = network.base_model
    calls = record_calls(base.encoder.layers, lambda: base(values))
    distances = []
    for index, (layer, call) in enumerate(zip(base.encoder.layers, calls, strict=True)):
        last_of_pre_norm = getattr(base.config, "do_stable_layer_norm", False) and index == len(calls) - 1
        norm = base.encoder.layer_norm if last_of_pre_norm else nn.Identity()
        before = norm(first(call.output))
        distances.append([cosine_distance(norm(rerun(layer, call, J)), before)[0] for J in zeroed])
    return torch.stack([torch.stack(rows) for rows in distances])


@torch.no_grad()
def rerun(layer: nn.Module, call: Call, zeroed: range | None) -> Tensor:
    """The layer's output (1, frames, dim) on its stored input, without the values at `zeroed`."""
    if hasattr(layer.attention, "gru_rel_pos_linear"):
        without = looped_attention(zeroed)
    else:
        without = nullcontext() if zeroed is None else values_zeroed(layer.attention, zeroed)
    with without:
        return first(layer(*call.args, **call.kwargs))


def first(output: Tensor | tuple) -> Tensor:
    """A WavLM layer returns its position scores too."""
    return output[0] if isinstance(output, tuple) else output


@contextmanager
def looped_attention(zeroed: range | None = None, kept: list[Tensor] | None = None) -> Iterator[None]:
    """While open, torch's fused attention is a loop over heads and rows.

    Each call adds its weights (heads, rows, keys) to `kept`.
    """

    def slow(query, _key, _value, dim, heads, _in, biases, *rest, attn_mask, **weights):
        out_weight, out_bias = rest[4], rest[5]  # after bias_k, bias_v, add_zero_attn, dropout
        stream, width, mixed, maps = query[:, 0], dim // heads, [], []  # (frames, dim)
        for head in range(heads):
            own = slice(head * width, (head + 1) * width)
            q, k, v = (
                stream @ weights[f"{letter}_proj_weight"][own].T + biases[part * dim :][own]
                for part, letter in enumerate("qkv")
            )
            if zeroed is not None:
                v[zeroed.start : zeroed.stop] = 0
            rows = [
                torch.softmax(k @ row / width**0.5 + bias, 0) for row, bias in zip(q, attn_mask[head], strict=True)
            ]
            maps.append(torch.stack(rows))
            mixed.append(torch.stack([row @ v for row in rows]))
        if kept is not None:
            kept.append(torch.stack(maps))
        return (torch.cat(mixed, 1) @ out_weight.T + out_bias)[:, None], None

    with mock.patch("torch.nn.functional.multi_head_attention_forward", slow):
        yield
