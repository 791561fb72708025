"""A sound in which some cells of its log-mel spectrogram are silenced: a filter that changes every 10 ms.

A log-mel has no phase and is not a sound. This takes the clip's own short-time Fourier transform, turns each
frequency down by the share of its mel bands that are hidden, and keeps the clip's own phase. What comes out is a
sound of its own: read again, its log-mel has no neutral values in the hidden cells, and some sound leaks into them
from their neighbours (windows overlap, and so do bands).
"""

import numpy as np
import torch

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples

INAUDIBLE = 1e-3  # peak of a sound that there is no use in playing
HOP, WINDOW = 160, 400  # samples at 16 kHz, as in Whisper's log-mel


def masked(samples: np.ndarray, filters: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n,) float32: `samples` with only the cells (mels, frames) that are `kept`; `filters` are (bins, mels)."""
    sound, shape = torch.tensor(np.asarray(samples, np.float32)), torch.hann_window(WINDOW)
    wave = torch.stft(sound, WINDOW, HOP, window=shape, return_complex=True)
    frames = np.minimum(np.arange(wave.shape[1]), kept.shape[1] - 1)  # Whisper drops the last frame of a transform
    gains = torch.tensor(_gains(filters, kept)[:, frames], dtype=torch.float32)
    return torch.istft(wave * gains, WINDOW, HOP, window=shape, length=len(sound)).numpy()


def _gains(filters: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(bins, frames) 0 to 1: the share of each frequency's mel bands that is kept; the nearest where it has none."""
    weight = filters.sum(1)
    inside = np.flatnonzero(weight > 0)  # 0 Hz and 8 kHz lie in no band
    gains = filters[inside] @ kept.astype(float) / weight[inside, None]
    nearest = np.abs(np.arange(len(filters))[:, None] - inside).argmin(1)
    return gains[nearest]


def parted(samples: np.ndarray, filters: np.ndarray, best: np.ndarray, name: str) -> tuple[Clip, Clip]:
    """The sound without the cells (mels, frames) that are `best`, and with nothing but them; silent if inaudible."""
    made = {
        "without its best cells": masked(samples, filters, ~best),
        "best cells only": masked(samples, filters, best),
    }
    return tuple(
        Clip(sound, f"{name} {what}")
        if np.abs(sound).max() < INAUDIBLE
        else clip_from_samples(sound, SAMPLE_RATE, f"{name} {what}")
        for what, sound in made.items()
    )
