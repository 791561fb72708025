"""wav2vec 2.0, HuBERT, WavLM and data2vec-audio as attention sites: no padding, each frame reads all frames.

Two kinds of blocks. Post-norm ("base" models; all of data2vec-audio): attention reads the residual stream as it is,
and a LayerNorm follows each sum; hidden[0] has been normalised. Pre-norm (`do_stable_layer_norm`: XLSR-53, XLS-R,
most "large" models): attention reads a normalised copy, and `encoder.layer_norm` follows the last block.

WavLM calls one fused PyTorch function with its projections' weights, so hooks on the projections never fire, and the
weights that it returns are averaged over heads. Its queries, keys, values and gated position scores are made here.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

from methods.core.models.devices import beside, home
from methods.core.models.sites import (
    EncoderPass,
    FeedForward,
    PostNorm,
    Site,
    by_head,
    captured,
    normalisation,
    out_by_head,
)


@dataclass(frozen=True, eq=False)
class GatedPositions:
    """WavLM's additive scores: gate(row) × a number per head and distance; indexed [heads, rows] like a tensor.

    The rows asked for are made then and there: as tensors they would take 1.3 GB for 30 s of WavLM base.
    """

    gate: torch.Tensor  # (heads, rows, 1)
    table: torch.Tensor  # (heads, 2 frames - 1) by key - row, from -(frames - 1) to frames - 1; shared by all layers

    def __getitem__(self, wanted: tuple[slice, Any]) -> torch.Tensor:
        heads, rows = wanted
        frames = self.gate.shape[1]
        positions = torch.arange(frames, device=self.gate.device)
        distance = positions - positions[rows, None]  # key - row
        return self.gate[heads, rows] * self.table[heads, distance + frames - 1]

    @property
    def shape(self) -> torch.Size:
        """(heads, rows, keys), as of the tensor that this stands for."""
        heads, frames, _ = self.gate.shape
        return torch.Size((heads, frames, frames))


@torch.inference_mode()
def encoder_pass(network: Any, values: torch.Tensor, own: int) -> EncoderPass:
    """What do the layers hold, and who reads whom, for (1, samples) input values that give `own` frames?

    Works for a plain encoder and for one with a head. hidden[0] is what block 1 reads, hidden[l] block l's output,
    and the last entry is what the model passes on: after the final norm in pre-norm models (`raw_last` is before it).
    """
    base = network.base_model
    blocks = base.encoder.layers
    attentions = {str(layer): block.attention for layer, block in enumerate(blocks)}
    projections = {
        f"{layer}.{letter}": getattr(module, f"{letter}_proj")
        for layer, module in attentions.items()
        for letter in "qkv"
    }
    streams = {str(layer): block for layer, block in enumerate(blocks)}
    ends = {"conv": base.feature_extractor, "last": blocks[-1]}
    with (
        captured(projections) as seen,
        captured(streams, inputs=True) as stream,
        captured(attentions, inputs=True) as read,
        captured(ends) as end,
    ):
        output = base(beside(network, values)).last_hidden_state.cpu()
    base = home(network).base_model
    residuals = [stream[layer] for layer in streams]
    if len(end["last"]) != own:
        raise ValueError(f"the network made {len(end['last'])} frames, its frame grid says {own}")
    sites = tuple(
        _site(base, layer, seen=seen, read=read[str(layer)], residual=residual)
        for layer, residual in enumerate(residuals)
    )
    return EncoderPass(
        sites=sites,
        hidden=torch.stack([*residuals, output[0]]),
        raw_last=end["last"] if _pre_norm(base) else None,
        output=output,
        conv=end["conv"].T,
    )


def _pre_norm(base: Any) -> bool:
    return bool(getattr(base.config, "do_stable_layer_norm", False))  # data2vec-audio has no such choice


def final_norm(network: Any) -> torch.nn.LayerNorm | None:
    """What follows the last block of a pre-norm encoder."""
    base = network.base_model
    return base.encoder.layer_norm if _pre_norm(base) else None


def _site(base: Any, layer: int, *, seen: dict, read: torch.Tensor, residual: torch.Tensor) -> Site:
    blocks = base.encoder.layers
    final = final_norm(base)
    return Site(
        stack="encoder",
        layer=layer,
        residual=residual,
        rest=_rest(blocks[layer], layer == len(blocks) - 1, final),
        causal=False,
        own_keys=len(residual),
        **_attention(blocks, layer, seen, read),
    )


def _attention(blocks: Any, layer: int, seen: dict, read: torch.Tensor) -> dict[str, torch.Tensor | None]:
    """Queries, keys, values and output projection of a layer whose attention module has read (frames, dim) `read`."""
    attention = blocks[layer].attention
    heads = attention.num_heads
    gated = hasattr(attention, "gru_rel_pos_linear")  # WavLM
    query, key, value = (
        getattr(attention, f"{letter}_proj")(read) if gated else seen[f"{layer}.{letter}"] for letter in "qkv"
    )
    return {
        "query": by_head(query * attention.scaling, heads),
        "key": by_head(key, heads),
        "value": by_head(value, heads),
        "out": out_by_head(attention.out_proj, heads),
        "out_bias": attention.out_proj.bias,
        "bias": gated_positions(attention, blocks[0].attention, read) if gated else None,
    }


def _rest(block: Any, last: bool, final: torch.nn.LayerNorm | None) -> PostNorm | FeedForward:
    forward = block.feed_forward
    weights = {
        "inner": forward.intermediate_dense.weight,
        "inner_bias": forward.intermediate_dense.bias,
        "outer": forward.output_dense.weight,
        "outer_bias": forward.output_dense.bias,
        "activation": forward.intermediate_act_fn,
    }
    if final is None:
        first, second = normalisation(block.layer_norm), normalisation(block.final_layer_norm)
        return PostNorm(first_norm=first, last_norm=second, **weights)
    # `final_layer_norm` is the block's own norm before the feed-forward; `final` is the stack's.
    own_norm = normalisation(block.final_layer_norm)
    return FeedForward(norm=own_norm, final_norm=normalisation(final) if last else None, **weights)


def gated_positions(attention: Any, first: Any, read: torch.Tensor) -> GatedPositions:
    """What does this WavLM module add to its scores when it reads `read` (frames, dim)?

    Each row's input, cut into heads, gives two gates a and b in (0, 1); the table of layer 1 (`first`), which all
    layers share, is multiplied by a (b c - 1) + 2, with c a parameter of the head.
    """
    heads = attention.num_heads
    grouped = attention.gru_rel_pos_linear(by_head(read, heads)).unflatten(-1, (2, 4)).sum(-1)  # (heads, rows, 2)
    update, reset = grouped.sigmoid().unbind(-1)
    gate = update * (reset * attention.gru_rel_pos_const.view(heads, 1) - 1) + 2
    frames = len(read)
    distances = torch.arange(1 - frames, frames, device=read.device)
    buckets = position_buckets(distances, first.num_buckets, first.max_distance)
    return GatedPositions(gate[..., None], first.rel_attn_embed.weight[buckets].T.contiguous())


def position_buckets(distances: torch.Tensor, buckets: int, furthest: int) -> torch.Tensor:
    """Which entry of WavLM's table belongs to each distance, key - row in frames?

    Half of the buckets are for keys that come later. Of each half, one half holds one distance per bucket and the
    other grows logarithmically up to `furthest`; whatever is further off shares the last one.
    """
    half, exact = buckets // 2, buckets // 4
    far = distances.abs()
    # float32 as in training: in double precision a distance on the edge of a bucket could fall into the next one.
    steps = torch.log(far.clamp_min(1).float() / exact) / math.log(furthest / exact) * (half - exact)
    coarse = (exact + steps).long().clamp_max(half - 1)
    return torch.where(far < exact, far, coarse) + half * (distances > 0)
