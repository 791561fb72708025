"""Tiny random networks of the wav2vec 2.0 family, with the real front end's kernels and strides (20 ms frames)."""

import torch
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

ENCODERS = {
    "wav2vec2": (Wav2Vec2Model, Wav2Vec2Config),
    "hubert": (HubertModel, HubertConfig),
    "wavlm": (WavLMModel, WavLMConfig),
    "data2vec-audio": (Data2VecAudioModel, Data2VecAudioConfig),
}
# Every family with both kinds of block; data2vec-audio has only post-norm ones.
KINDS = [(family, stable) for family in ENCODERS for stable in (False, True)][:-1]


def tiny_config(family: str, stable: bool = False, *, layers: int = 2, heads: int = 2, dim: int = 16, **more):
    """A configuration with everything small but the front end's geometry and WavLM's buckets."""
    options = {
        "hidden_size": dim, "intermediate_size": 2 * dim, "num_hidden_layers": layers, "num_attention_heads": heads,
        "conv_dim": (8,) * 7, "num_conv_pos_embedding_groups": 4, "vocab_size": 12, "pad_token_id": 0,
        "classifier_proj_size": 8,
    }  # fmt: skip
    if family == "data2vec-audio":
        options |= {"conv_pos_kernel_size": 5, "num_conv_pos_embeddings": 2}
    else:
        # The models with pre-norm blocks normalise over channels in every convolution, the others once over time.
        options |= {"num_conv_pos_embeddings": 16, "do_stable_layer_norm": stable, "conv_bias": stable}
        options["feat_extract_norm"] = "layer" if stable else "group"
    if family == "wav2vec2":
        options |= {"num_codevectors_per_group": 4, "codevector_dim": 8, "proj_codevector_dim": 8}
    return ENCODERS[family][1](**options | more)


def tiny_network(config, cls: type | None = None, *, seed: int = 0, double: bool = False) -> torch.nn.Module:
    """A random network of this class (the plain encoder if none is given) in eval mode.

    Fresh weights have a standard deviation of 0.02, so that attention is uniform to three digits and a test could not
    tell a right map from a transposed one. Here they are drawn with 1.5 / sqrt(inputs), biases are not zero, gains
    are not one, and WavLM's position table and gates are of order 1.
    """
    cls = cls or ENCODERS[config.model_type][0]
    with torch.random.fork_rng(devices=[]):  # building draws random numbers; a test's own sequence must not notice
        network = cls(config)
    _randomise(network, torch.Generator().manual_seed(seed))
    network.eval()
    return network.double() if double else network


def tiny_values(samples: int = 16_000, seed: int = 0, double: bool = False) -> torch.Tensor:
    """(1, samples) noise of unit variance, as normalised input is."""
    values = torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))
    return values.double() if double else values


@torch.no_grad()
def _randomise(network: torch.nn.Module, generator: torch.Generator) -> None:
    for name, weight in network.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if name.endswith("original0"):  # the lengths in a weight norm: their sign and size are part of the design
            continue
        if "rel_attn_embed" in name or "rel_pos_const" in name:
            weight.copy_(noise * 1.5)
        elif weight.dim() > 1:
            weight.copy_(noise * 1.5 / weight[0].numel() ** 0.5)
        else:
            weight.copy_(noise * 0.3 + (1.0 if "layer_norm.weight" in name else 0.0))
