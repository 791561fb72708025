"""Whisper's encoder as a chain of differentiable steps: waveform, log-mel, the convolutions' output."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from methods.core.audio import Clip
from methods.core.frames import whisper_grid
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Stages, Window
from methods.core.models.whisper.log_mel import log_mel


def stages(clip: Clip, model: SpeechModel, window: Window, renormalise: bool) -> Stages:
    """The steps from samples to what the decoder reads; Whisper's front end has no shift and scale to keep."""
    encoder = model.network.model.encoder
    return {
        "waveform": partial(_mel, model.front_end, window),
        "log-mel": lambda mel: _stem(encoder, mel),
        "embedding": lambda stem: _blocks(encoder, stem),
    }


def _mel(front_end: Any, window: Window, samples: torch.Tensor) -> torch.Tensor:
    own = None if window == "full" else 2 * whisper_grid(samples.shape[1]).frames
    return log_mel(front_end, samples, own)


def _stem(encoder: Any, mel: torch.Tensor) -> torch.Tensor:
    """(1, frames, dim) the convolutions' output; positions come later, and are no part of what is explained."""
    return F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)


def _blocks(encoder: Any, stem: torch.Tensor) -> torch.Tensor:
    stream = stem + encoder.embed_positions.weight[: stem.shape[1]]
    for block in encoder.layers:
        out = block(stream, attention_mask=None)
        stream = out if isinstance(out, torch.Tensor) else out[0]
    return encoder.layer_norm(stream)
