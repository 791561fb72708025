"""Acoustic features at a model's own frame centres: what a probe could read without any model.

Log-mel energies and MFCC with their first and second differences, from 25 ms Hann windows centred on the frames.
Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420; mel scale of O'Shaughnessy 1987 as in HTK.
"""

from functools import cache

import numpy as np
from scipy.fft import dct, rfft

from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.frames import FrameGrid

KINDS = ("mfcc", "log-mel")
WINDOW = 400  # samples, 25 ms
FFT = 512  # points
MEL_BANDS = {"mfcc": 40, "log-mel": 80}  # 80 bands on 512 points leave none empty; more would
COEFFICIENTS = 13  # of the cepstrum, the zeroth (level) among them
FLOOR = 1e-10  # of band energy, 140 dB below a full-scale tone's: digital silence has a logarithm too
DELTA = 2  # frames on either side that a difference is taken over: 40 ms


def log_mel(clip: Clip, grid: FrameGrid, bands: int = MEL_BANDS["log-mel"]) -> np.ndarray:
    """How much energy is in each mel band around each frame? (frames, bands) float64, natural logarithm."""
    power = np.abs(rfft(_windows(clip, grid), FFT)) ** 2
    return np.log(np.maximum(power @ mel_filters(bands).T, FLOOR))


def mfcc(clip: Clip, grid: FrameGrid) -> np.ndarray:
    """Mel-frequency cepstrum with first and second differences: (frames, 39) float64."""
    static = dct(log_mel(clip, grid, MEL_BANDS["mfcc"]), type=2, norm="ortho", axis=1)[:, :COEFFICIENTS]
    first = differences(static)
    return np.hstack([static, first, differences(first)])


def of_kind(clip: Clip, grid: FrameGrid, kind: str) -> np.ndarray:
    """Either of the two, by name."""
    return {"mfcc": mfcc, "log-mel": log_mel}[kind](clip, grid)


def differences(values: np.ndarray) -> np.ndarray:
    """Slope of the regression line through the frames around each frame; the edge frames are repeated."""
    steps = np.arange(-DELTA, DELTA + 1)
    padded = np.pad(values, ((DELTA, DELTA), (0, 0)), mode="edge")
    shifted = [step * padded[DELTA + step : DELTA + step + len(values)] for step in steps]
    return np.sum(shifted, axis=0) / np.sum(steps**2)


@cache
def mel_filters(bands: int) -> np.ndarray:
    """Triangular filters, evenly spaced in mel from 0 to 8 kHz: (bands, FFT // 2 + 1), each with a peak of 1."""
    highest = _mel(SAMPLE_RATE / 2)
    edges = _hertz(np.linspace(0, highest, bands + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    filters.flags.writeable = False
    return filters


def _mel(hertz: float) -> float:
    return 2595 * np.log10(1 + hertz / 700)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return 700 * (10 ** (mel / 2595) - 1)


def _windows(clip: Clip, grid: FrameGrid) -> np.ndarray:
    """(frames, WINDOW) samples around each frame's centre under a Hann window; silence beyond the clip."""
    centres = np.round(grid.times * SAMPLE_RATE).astype(int)
    half = WINDOW // 2
    padded = np.pad(clip.samples.astype(np.float64), (half, half + WINDOW))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return padded[centres[:, None] + np.arange(WINDOW)] * hann
