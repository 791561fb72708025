"""One adapter for the attention modules of every model family: what goes in, what is mixed, and what comes after.

A *site* is one attention module met in one pass over one clip. Its identities are tested on every family:
`site.output()` equals the module's own output, and `site.rest(site.residual + site.output())` equals the hidden
state that the block passes on. Techniques work with sites and never see a network.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn import functional

Stack = Literal["encoder", "decoder", "cross"]


@dataclass(frozen=True, eq=False)
class Normalisation:
    """A LayerNorm as numbers: (v - mean) / sqrt(variance + eps) * gain + offset."""

    gain: torch.Tensor  # (dim,)
    offset: torch.Tensor  # (dim,)
    eps: float

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(vectors, self.gain.shape, self.gain, self.offset, self.eps)

    def spread(self, vectors: torch.Tensor) -> torch.Tensor:
        """(..., 1) the number that each vector is divided by."""
        return (vectors.var(-1, correction=0, keepdim=True) + self.eps).sqrt()


@dataclass(frozen=True, eq=False)
class FeedForward:
    """The rest of a pre-norm block after attention: u + W2 act(W1 norm(u) + b1) + b2, then a final norm if last."""

    norm: Normalisation
    inner: torch.Tensor  # W1 (hidden, dim)
    inner_bias: torch.Tensor  # (hidden,)
    outer: torch.Tensor  # W2 (dim, hidden)
    outer_bias: torch.Tensor  # (dim,)
    activation: Callable[[torch.Tensor], torch.Tensor]
    final_norm: Normalisation | None  # of the whole stack; only on its last block

    def __call__(self, stream: torch.Tensor) -> torch.Tensor:
        block = self.block(stream)
        return block if self.final_norm is None else self.final_norm(block)

    def block(self, stream: torch.Tensor) -> torch.Tensor:
        """The block's own output, before the stack's final norm."""
        return stream + self.outward(self.hidden(stream))

    def hidden(self, stream: torch.Tensor) -> torch.Tensor:
        """(rows, hidden) the activations of the hidden units."""
        return self.activation(functional.linear(self.norm(stream), self.inner, self.inner_bias))

    def outward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(rows, dim) what hidden activations add to the residual stream."""
        return functional.linear(hidden, self.outer, self.outer_bias)


@dataclass(frozen=True, eq=False)
class CrossThenFeedForward:
    """The rest of a decoder block after self-attention: cross-attention over the encoder, then the feed-forward."""

    norm: Normalisation
    query: Callable[[torch.Tensor], torch.Tensor]  # (rows, dim) -> (heads, rows, head_dim), scaled
    keys: torch.Tensor  # (heads, keys, head_dim)
    values: torch.Tensor  # (heads, keys, head_dim)
    out: torch.Tensor  # (heads, head_dim, dim)
    out_bias: torch.Tensor  # (dim,)
    feed_forward: FeedForward

    def __call__(self, stream: torch.Tensor) -> torch.Tensor:
        return self.feed_forward(stream + self.cross(stream))

    def cross(self, stream: torch.Tensor) -> torch.Tensor:
        """(rows, dim) what cross-attention adds to the residual stream."""
        mixed = functional.scaled_dot_product_attention(
            self.query(self.norm(stream))[None], self.keys[None], self.values[None], scale=1.0
        )[0]
        return mixed.transpose(0, 1).flatten(1) @ self.out.flatten(0, 1) + self.out_bias


@dataclass(frozen=True, eq=False)
class PostNorm:
    """The rest of a post-norm block (wav2vec 2.0 base): LN2(v + FFN(v)) with v = LN1(attention + residual)."""

    first_norm: Normalisation
    inner: torch.Tensor  # W1 (hidden, dim)
    inner_bias: torch.Tensor  # (hidden,)
    outer: torch.Tensor  # W2 (dim, hidden)
    outer_bias: torch.Tensor  # (dim,)
    activation: Callable[[torch.Tensor], torch.Tensor]
    last_norm: Normalisation

    def __call__(self, stream: torch.Tensor) -> torch.Tensor:
        between = self.first_norm(stream)
        hidden = self.activation(functional.linear(between, self.inner, self.inner_bias))
        return self.last_norm(between + functional.linear(hidden, self.outer, self.outer_bias))


@dataclass(frozen=True, eq=False)
class AttentionOnly:
    """Nothing: judged right after the attention module (conformer blocks, whose convolution mixes frames)."""

    def __call__(self, stream: torch.Tensor) -> torch.Tensor:
        return stream


Rest = FeedForward | CrossThenFeedForward | PostNorm | AttentionOnly


@dataclass(frozen=True, eq=False)
class Site:
    """One attention module in one pass: rows are the positions that read, keys those that are read."""

    stack: Stack
    layer: int  # from 0
    query: torch.Tensor  # (heads, rows, head_dim), scaled by 1 / sqrt(head_dim)
    key: torch.Tensor  # (heads, keys, head_dim)
    value: torch.Tensor  # (heads, keys, head_dim)
    out: torch.Tensor  # (heads, head_dim, dim) output projection, split by head
    out_bias: torch.Tensor  # (dim,)
    residual: torch.Tensor  # (rows, dim) what the attention's output is added to
    rest: Rest  # from that sum to the hidden state that the block passes on
    causal: bool  # row i reads keys 0 … i only
    own_keys: int  # how many of the keys are the clip's own; the others are padding
    bias: Any | None = None  # (heads, rows, keys), indexed [heads, rows]: added to the scores (WavLM)

    def weights(self, rows: slice = slice(None)) -> torch.Tensor:
        """(heads, rows, keys) attention weights; each row sums to 1 over all keys, padding included."""
        scores = self.query[:, rows] @ self.key.transpose(1, 2)
        if self.bias is not None:
            scores = scores + self.bias[:, rows]
        if self.causal:
            positions = torch.arange(self.query.shape[1])[rows, None]
            scores = scores.masked_fill(torch.arange(self.key.shape[1]) > positions, -torch.inf)
        return scores.softmax(-1)

    def taken(self, keys: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        """(heads, keys, head_dim) what an ablation of these keys takes out of their values: all of it."""
        return self.value[:, keys]

    def contributions(self, keys: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        """(heads, keys, dim) what each key's value adds to a row per unit of attention: value times output matrix."""
        return self.taken(keys) @ self.out

    def output(self, weights: torch.Tensor | None = None) -> torch.Tensor:
        """(rows, dim) the attention module's output; pass `weights()` if you have it already."""
        mixed = (self.weights() if weights is None else weights) @ self.value
        return mixed.transpose(0, 1).flatten(1) @ self.out.flatten(0, 1) + self.out_bias


@dataclass(frozen=True, eq=False)
class EncoderPass:
    """What one pass of an encoder over one clip leaves behind."""

    sites: tuple[Site, ...]  # one per layer; rows = the clip's own frames, keys = every position
    hidden: torch.Tensor  # (layers + 1, frames, dim) own frames; the last entry is what the model passes on
    raw_last: (
        torch.Tensor | None
    )  # (frames, dim) the last block before the stack's final norm; None without such a norm
    output: torch.Tensor  # (1, positions, dim) everything that a decoder or a head reads, padding included
    conv: torch.Tensor | None = (
        None  # (frames, conv_dim) bare output of the convolutional front end, where there is one
    )


@dataclass(frozen=True, eq=False)
class DecoderPass:
    """What one teacher-forced pass of a decoder leaves behind; row t is the state at input token t."""

    self_sites: tuple[Site, ...]
    cross_sites: tuple[Site, ...]
    hidden: torch.Tensor  # (layers + 1, tokens, dim); the last entry is after the final norm
    logits: torch.Tensor  # (tokens, vocabulary)


@contextmanager
def captured(modules: dict[str, torch.nn.Module], inputs: bool = False) -> Iterator[dict[str, torch.Tensor]]:
    """While the context lasts, each module's (first) output, or its first input, batch axis dropped, on the CPU."""
    seen: dict[str, torch.Tensor] = {}

    def hook(name: str) -> Callable:
        def keep(_module: object, args: tuple, kwargs: dict, output: object = None) -> None:
            tensor = (args[0] if args else kwargs["hidden_states"]) if inputs else output
            seen[name] = (tensor[0] if isinstance(tensor, tuple) else tensor)[0].cpu()

        return keep

    register = "register_forward_pre_hook" if inputs else "register_forward_hook"
    handles = [getattr(module, register)(hook(name), with_kwargs=True) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def normalisation(module: torch.nn.LayerNorm) -> Normalisation:
    """A LayerNorm module as numbers."""
    return Normalisation(module.weight, module.bias, module.eps)


def by_head(vectors: torch.Tensor, heads: int) -> torch.Tensor:
    """(positions, dim) -> (heads, positions, head_dim)."""
    return vectors.unflatten(-1, (heads, -1)).transpose(0, 1).contiguous()


def out_by_head(projection: torch.nn.Linear, heads: int) -> torch.Tensor:
    """(heads, head_dim, dim): the output projection as one matrix per head."""
    return projection.weight.T.unflatten(0, (heads, -1)).contiguous()
