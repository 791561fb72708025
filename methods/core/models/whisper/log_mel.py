"""Whisper's log-mel front end as a differentiable function of the waveform, equal to its feature extractor.

Power below 1e-10 is constant, and so is everything more than 8 (log10 units, 80 dB) under the clip's loudest cell:
there the gradient to the waveform is zero, and it flows into that loudest cell instead.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F

FLOOR = 1e-10  # of mel power
RANGE = 8.0  # log10 units kept below the loudest cell


def log_mel(front_end: Any, samples: torch.Tensor, frames: int | None = None) -> torch.Tensor:
    """(1, mels, frames) what Whisper's encoder reads of (1, n) samples at 16 kHz; the whole 30 s unless told.

    `front_end` is the model's feature extractor, whose window, hop and filters are used. Only the frames that hear
    the clip are transformed; the padding behind it has no power, which is the floor.
    """
    longest, hop, window = front_end.n_samples, front_end.hop_length, front_end.n_fft
    whole = longest // hop
    samples = samples[:, :longest]
    heard = min(math.ceil((samples.shape[1] + window // 2) / hop) + 1, whole)
    padding = min(heard * hop + window, longest) - samples.shape[1]
    shape = torch.hann_window(window, dtype=samples.dtype, device=samples.device)
    wave = torch.stft(F.pad(samples, (0, padding)), window, hop, window=shape, return_complex=True)[..., :heard]
    filters = torch.as_tensor(front_end.mel_filters, dtype=samples.dtype, device=samples.device)
    power = filters.T @ (wave.real.square() + wave.imag.square())
    level = F.pad(power, (0, whole - heard)).clamp_min(FLOOR).log10()
    level = torch.maximum(level, level.amax(dim=(1, 2), keepdim=True) - RANGE)
    return ((level + 4.0) / 4.0)[..., :frames]


def padding_value(mel: torch.Tensor) -> float:
    """What digital silence looks like in this clip's own log-mel: its floor, set by its loudest cell or by 1e-10."""
    loudest = float(mel.max()) * 4.0 - 4.0
    return (max(math.log10(FLOOR), loudest - RANGE) + 4.0) / 4.0
