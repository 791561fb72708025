"""The parts of Whisper's blocks, one by one, so that something can be changed between them.

Encoder and decoder blocks are pre-norm: stream + attention(norm(stream)), then the sum + feed_forward(norm(sum)); a
decoder block has cross-attention between the two. All arrays have a batch axis of 1.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch.nn import functional

Fill = Literal["zero", "mean"]
Off = Mapping[int, tuple[int, ...]]  # block -> heads, both from 0


def by_head(projected: torch.Tensor, heads: int) -> torch.Tensor:
    """(1, heads, rows, head dim) of (1, rows, dim)."""
    return projected.unflatten(-1, (heads, -1)).transpose(1, 2)


def mixed(attention: Any, read: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, causal: bool) -> torch.Tensor:
    """(1, heads, rows, head dim) what each head takes from the positions that are read, before they are joined."""
    query = by_head(attention.q_proj(read) * attention.scaling, attention.num_heads)
    return functional.scaled_dot_product_attention(query, keys, values, is_causal=causal, scale=1.0)


def keys_and_values(attention: Any, read: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two (1, heads, positions, head dim) of (1, positions, dim)."""
    heads = attention.num_heads
    return by_head(attention.k_proj(read), heads), by_head(attention.v_proj(read), heads)


def joined(attention: Any, heads: torch.Tensor) -> torch.Tensor:
    """(1, rows, dim) the attention module's output, of what its heads took."""
    return attention.out_proj(heads.transpose(1, 2).flatten(2))


def fed_forward(block: Any, stream: torch.Tensor) -> torch.Tensor:
    """(…, dim) the feed-forward's output."""
    return block.fc2(block.activation_fn(block.fc1(block.final_layer_norm(stream))))


def constants(heads: torch.Tensor, fill: Fill, own: int) -> torch.Tensor:
    """(heads, head dim) what stands for a head that is off: nothing, or its mean over the first `own` rows.

    `heads` (heads, rows, head dim) is what they took in the unchanged run.
    """
    return heads[:, :own].mean(1) if fill == "mean" else torch.zeros_like(heads[:, 0])


def without(heads: torch.Tensor, off: tuple[int, ...], instead: torch.Tensor) -> torch.Tensor:
    """(1, heads, rows, head dim) with these heads replaced, in every row, by `instead` (heads, head dim)."""
    changed, chosen = heads.clone(), torch.tensor(off, dtype=torch.long)
    changed[:, chosen] = instead[chosen, None]
    return changed
