"""Whisper's encoder and decoder as attention sites: pre-norm blocks, 1,500 encoder positions, no attention mask."""

from typing import Any

import torch

from methods.core.models.devices import beside, home
from methods.core.models.sites import (
    CrossThenFeedForward,
    DecoderPass,
    EncoderPass,
    FeedForward,
    Site,
    by_head,
    captured,
    normalisation,
    out_by_head,
)


@torch.inference_mode()
def encoder_pass(network: Any, features: torch.Tensor, own: int) -> EncoderPass:
    """One pass of Whisper's encoder over (1, mels, 3000) features, of which `own` output frames are the clip's."""
    encoder = network.model.encoder
    projections = _projections({"attn": [layer.self_attn for layer in encoder.layers]})
    streams = {str(i): layer for i, layer in enumerate(encoder.layers)} | {"last": encoder.layer_norm}
    with captured(projections) as seen, captured(streams, inputs=True) as stream:
        output = encoder(beside(network, features)).last_hidden_state.cpu()
    encoder = home(network).model.encoder
    sites = tuple(_encoder_site(encoder, i, seen, stream[str(i)], own) for i in range(len(encoder.layers)))
    hidden = [stream[str(i)][:own] for i in range(len(encoder.layers))] + [output[0, :own]]
    return EncoderPass(sites, torch.stack(hidden), stream["last"][:own].clone(), output)


def _projections(attentions: dict[str, list[Any]]) -> dict[str, torch.nn.Module]:
    return {
        f"{name}{layer}.{letter}": getattr(attention, f"{letter}_proj")
        for name, modules in attentions.items()
        for layer, attention in enumerate(modules)
        for letter in "qkv"
    }


def _encoder_site(encoder: Any, layer: int, seen: dict, stream: torch.Tensor, own: int) -> Site:
    block = encoder.layers[layer]
    last = layer == len(encoder.layers) - 1
    return Site(
        stack="encoder",
        layer=layer,
        residual=stream[:own].clone(),
        rest=_feed_forward(block, encoder.layer_norm if last else None),
        causal=False,
        own_keys=own,
        **_attention(block.self_attn, seen, f"attn{layer}", rows=own),
    )


def _attention(attention: Any, seen: dict, name: str, rows: int | None = None) -> dict[str, torch.Tensor]:
    heads = attention.num_heads
    return {
        "query": by_head(seen[f"{name}.q"][:rows] * attention.scaling, heads),
        "key": by_head(seen[f"{name}.k"], heads),
        "value": by_head(seen[f"{name}.v"], heads),
        "out": out_by_head(attention.out_proj, heads),
        "out_bias": attention.out_proj.bias,
    }


def _feed_forward(block: Any, final_norm: torch.nn.LayerNorm | None) -> FeedForward:
    return FeedForward(
        norm=normalisation(block.final_layer_norm),
        inner=block.fc1.weight,
        inner_bias=block.fc1.bias,
        outer=block.fc2.weight,
        outer_bias=block.fc2.bias,
        activation=block.activation_fn,
        final_norm=None if final_norm is None else normalisation(final_norm),
    )


@torch.inference_mode()
def decoder_pass(network: Any, encoder_output: torch.Tensor, ids: tuple[int, ...], own: int) -> DecoderPass:
    """One teacher-forced pass over the token ids `ids`; `own` of the encoder's positions are the clip's."""
    decoder = network.model.decoder
    modules = {"self": [b.self_attn for b in decoder.layers], "cross": [b.encoder_attn for b in decoder.layers]}
    streams = {f"in{i}": block for i, block in enumerate(decoder.layers)}
    # The input of the norm before cross-attention is the stream after self-attention.
    streams |= {f"mid{i}": block.encoder_attn_layer_norm for i, block in enumerate(decoder.layers)}
    with captured(_projections(modules)) as seen, captured(streams, inputs=True) as stream:
        read, heard = beside(network, torch.tensor([ids])), beside(network, encoder_output)
        output = decoder(read, encoder_hidden_states=heard, use_cache=False).last_hidden_state
    logits, decoder = network.proj_out(output[0]).cpu(), home(network).model.decoder
    layers = range(len(decoder.layers))
    cross = tuple(_cross_site(decoder, i, seen, stream[f"mid{i}"], own) for i in layers)
    selves = tuple(_self_site(decoder, i, seen, stream[f"in{i}"], cross[i], own=len(ids)) for i in layers)
    hidden = torch.stack([stream[f"in{i}"] for i in layers] + [output[0].cpu()])
    return DecoderPass(selves, cross, hidden, logits)


@torch.inference_mode()
def cross_reading(
    network: Any, encoder_output: torch.Tensor, ids: tuple[int, ...]
) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Queries (heads, tokens, head_dim), scaled, and keys (heads, positions, head_dim) of each cross-attention.

    As `decoder_pass` has them, without what only techniques need: no logits, which would take half of the time.
    """
    decoder = network.model.decoder
    attentions = [block.encoder_attn for block in decoder.layers]
    wanted = {name: module for name, module in _projections({"cross": attentions}).items() if name[-1] in "qk"}
    with captured(wanted) as seen:
        text, sound = beside(network, torch.tensor([ids])), beside(network, encoder_output)
        decoder(text, encoder_hidden_states=sound, use_cache=False)
    return tuple(
        (
            by_head((seen[f"cross{layer}.q"] * attention.scaling).cpu(), attention.num_heads),
            by_head(seen[f"cross{layer}.k"].cpu(), attention.num_heads),
        )
        for layer, attention in enumerate(attentions)
    )


def _cross_site(decoder: Any, layer: int, seen: dict, stream: torch.Tensor, own: int) -> Site:
    block = decoder.layers[layer]
    last = layer == len(decoder.layers) - 1
    return Site(
        stack="cross",
        layer=layer,
        residual=stream,
        rest=_feed_forward(block, decoder.layer_norm if last else None),
        causal=False,
        own_keys=own,
        **_attention(block.encoder_attn, seen, f"cross{layer}"),
    )


def _self_site(decoder: Any, layer: int, seen: dict, stream: torch.Tensor, cross: Site, own: int) -> Site:
    block = decoder.layers[layer]
    attention = block.encoder_attn
    rest = CrossThenFeedForward(
        norm=normalisation(block.encoder_attn_layer_norm),
        query=lambda rows: by_head(attention.q_proj(rows) * attention.scaling, attention.num_heads),
        keys=cross.key,
        values=cross.value,
        out=cross.out,
        out_bias=cross.out_bias,
        feed_forward=cross.rest,
    )
    return Site(
        stack="decoder",
        layer=layer,
        residual=stream,
        rest=rest,
        causal=True,
        own_keys=own,
        **_attention(block.self_attn, seen, f"self{layer}"),
    )
