"""Tiny random Whisper networks, for tests of everything that does not depend on what a model has learnt."""

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

MELS = 80  # mel bands of whisper-tiny and whisper-base
MEL_FRAMES = 3000  # 10 ms each: Whisper's window of 30 s; the encoder makes 1,500 frames of them


def tiny_whisper(
    seed: int = 0,
    *,
    layers: int = 2,
    heads: int = 2,
    dim: int = 16,
    ffn: int = 32,
    vocab: int = 64,
    double: bool = False,
) -> WhisperForConditionalGeneration:
    """A random Whisper in eval mode, as long in time as a real one (1,500 frames) but only `dim` wide.

    Fresh Hugging Face weights have a standard deviation of 0.02: queries and keys are then so small that every
    attention row is uniform to three digits, and a test could not tell a right map from a transposed or averaged one.
    Here weights are drawn with 1.5 / sqrt(inputs), so that scores differ by a few units; biases and the LayerNorms'
    gains are not 0 and 1 either, so that forgetting one shows. The encoder keeps its sinusoidal positions.
    """
    config = WhisperConfig(
        vocab_size=vocab, d_model=dim, num_mel_bins=MELS,
        encoder_layers=layers, decoder_layers=layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_ffn_dim=ffn, decoder_ffn_dim=ffn,
        pad_token_id=0, bos_token_id=1, decoder_start_token_id=1, eos_token_id=2,
        suppress_tokens=None, begin_suppress_tokens=None,  # the defaults lie outside so small a vocabulary
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # building draws random numbers; a test's own sequence must not notice
        network = WhisperForConditionalGeneration(config)
    _randomise(network, torch.Generator().manual_seed(seed))
    network.eval()
    return network.double() if double else network


def tiny_features(seed: int = 0, double: bool = False) -> torch.Tensor:
    """Random log-mel input (1, 80, 3000), in the range of real Whisper features (about -1 to 1)."""
    values = torch.rand(1, MELS, MEL_FRAMES, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return values.double() if double else values


@torch.no_grad()
def _randomise(network: WhisperForConditionalGeneration, generator: torch.Generator) -> None:
    for name, weight in network.named_parameters():
        if name.endswith("encoder.embed_positions.weight"):
            continue
        noise = torch.randn(weight.shape, generator=generator)
        if "embed_" in name:
            weight.copy_(noise)
        elif weight.dim() > 1:
            weight.copy_(noise * 1.5 / weight[0].numel() ** 0.5)
        else:
            weight.copy_(noise * 0.3 + (1.0 if "layer_norm.weight" in name else 0.0))
