"""hama as a chain of differentiable steps: waveform, log-mel, the convolutional stem's output."""

from functools import partial
from typing import Any

import torch

from methods.core.audio import Clip
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Stages, Window, filled_up


def stages(clip: Clip, model: SpeechModel, window: Window, renormalise: bool) -> Stages:
    """The steps from samples to log-probabilities of phones; hama has neither a window nor a normalisation."""
    network, length = model.network, len(clip.samples)
    return {
        "waveform": lambda samples: network.log_mel(filled_up(samples, length)),
        "log-mel": network.stem_output,
        "embedding": partial(_blocks, network),
    }


def _blocks(network: Any, stem: torch.Tensor) -> torch.Tensor:
    for block in network.blocks:
        stem = block(stem)
    return network.log_probabilities(stem)


def layered_scores(network: Any, mel: torch.Tensor, own: int) -> list[torch.Tensor]:
    """(own, symbols) log-probabilities for each layer of (1, mels, frames), the head being read on every layer."""
    stream = network.stem_output(mel)
    found = [network.log_probabilities(stream)]
    for block in network.blocks:
        stream = block(stream)
        found.append(network.log_probabilities(stream))
    return [each[:own] for each in found]
