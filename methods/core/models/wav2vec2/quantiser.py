"""The quantiser of a wav2vec 2.0 pretraining checkpoint: the units that the model was trained to predict."""

from typing import Any

import numpy as np
import torch

from methods.core.audio import Clip
from methods.core.models import wav2vec2
from methods.core.models.speech_model import SpeechModel


def quantiser(model: SpeechModel) -> Any:
    """The module, or None where the checkpoint has none."""
    return getattr(model.network, "quantizer", None)


def has_quantiser(model: SpeechModel) -> bool:
    return quantiser(model) is not None


@torch.inference_mode()
def codes(clip: Clip, model: SpeechModel) -> np.ndarray:
    """(frames,) int, one number for each combination of codebook entries: first × entries + second (for two books)."""
    with model.lock:
        values = wav2vec2.input_values(model, clip.samples)
        return codes_of(model.network, values).cpu().numpy()


def codes_of(network: Any, values: torch.Tensor) -> torch.Tensor:
    """(frames,) of (1, samples) input as the network expects it: the entry with the highest logit of each book."""
    latent = network.wav2vec2.feature_extractor(values).transpose(1, 2)
    _, normed = network.wav2vec2.feature_projection(latent)
    logits = network.quantizer.weight_proj(normed)[0].unflatten(-1, (network.quantizer.num_groups, -1))
    chosen, entries = logits.argmax(-1), logits.shape[-1]
    number = chosen[:, 0]
    for book in range(1, chosen.shape[1]):
        number = number * entries + chosen[:, book]
    return number
