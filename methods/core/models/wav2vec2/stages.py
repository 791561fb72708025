"""The wav2vec 2.0 family as a chain of differentiable steps: waveform, then the convolutions' output."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from methods.core.audio import Clip
from methods.core.models import wav2vec2
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Stages, Window, filled_up, replaced

TINY_VARIANCE = 1e-7  # what the wav2vec 2.0 front end adds before it divides


def stages(clip: Clip, model: SpeechModel, window: Window, renormalise: bool) -> Stages:
    """The steps from samples to the scores of the head, or heads. `window` changes nothing: there is no padding."""
    network = model.network
    normalise = _normalisation(clip, model, renormalise)
    conv = network.base_model.feature_extractor
    least = len(clip.samples) if wav2vec2.has_ctc_head(network) else 0
    return {
        "waveform": lambda samples: conv(normalise(filled_up(samples, least))).transpose(1, 2),
        "embedding": lambda frames: _after_convolutions(network, conv, frames),
    }


def _normalisation(clip: Clip, model: SpeechModel, renormalise: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    if not model.front_end.do_normalize:
        return lambda samples: samples
    if renormalise:
        return lambda x: (x - x.mean()) / (x.var(correction=0) + TINY_VARIANCE).sqrt()
    values = clip.samples.astype(np.float64)
    shift, scale = float(values.mean()), float(np.sqrt(values.var() + TINY_VARIANCE))
    return lambda samples: (samples - shift) / scale


def _after_convolutions(network: Any, conv: torch.nn.Module, frames: torch.Tensor) -> Any:
    """Head -> (1, classes) logits, or (frames, labels) of a CTC head, from the convolutions' output."""
    with replaced(conv, lambda *_: frames.transpose(1, 2)):
        if wav2vec2.has_ctc_head(network):
            return network(frames).logits[0]
        return wav2vec2.class_scores(network, frames)
