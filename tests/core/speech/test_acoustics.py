"""Mel energies and MFCC against slow sums written out from the definitions, and against SciPy."""

import math

import numpy as np
import pytest
from scipy.signal import savgol_filter

from methods.core.audio import Clip
from methods.core.frames import FrameGrid, wav2vec2_grid, whisper_grid
from methods.core.speech import acoustics


@pytest.fixture(scope="module")
def noise():
    return Clip(np.random.default_rng(1).uniform(-0.5, 0.5, 4000), "noise")


def slow_filters(bands: int) -> np.ndarray:
    """Triangles on the mel scale, as in the HTK Book (section 5.6), one bin at a time."""
    mel = [2595 * math.log10(1 + 8000 / 700) * i / (bands + 1) for i in range(bands + 2)]
    edges = [700 * (10 ** (m / 2595) - 1) for m in mel]
    filters = np.zeros((bands, 257))
    for band in range(bands):
        left, peak, right = edges[band : band + 3]
        for number in range(257):
            hertz = number * 16_000 / 512
            if left < hertz <= peak:
                filters[band, number] = (hertz - left) / (peak - left)
            elif peak < hertz < right:
                filters[band, number] = (right - hertz) / (right - peak)
    return filters


def slow_log_mel(samples: np.ndarray, centre: int, bands: int) -> np.ndarray:
    """One frame by a direct Fourier sum over 400 samples around `centre`, zeros outside the clip."""
    window = np.zeros(400)
    for n in range(400):
        place = centre - 200 + n
        if 0 <= place < len(samples):
            window[n] = float(samples[place]) * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400))
    angles = -2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512
    power = np.abs(np.exp(angles) @ window) ** 2
    return np.log(np.maximum(slow_filters(bands) @ power, 1e-10))


def slow_dct(values: np.ndarray, count: int) -> np.ndarray:
    """The orthonormal DCT-II by its definition."""
    n = len(values)
    scale = [math.sqrt((1 if k == 0 else 2) / n) for k in range(count)]
    angles = [[math.pi * k * (2 * i + 1) / (2 * n) for i in range(n)] for k in range(count)]
    return np.array([s * (values @ np.cos(row)) for s, row in zip(scale, angles, strict=True)])


@pytest.mark.parametrize("bands", [40, 80])
def test_filters_are_htk_triangles_and_none_is_empty(bands):
    filters = acoustics.mel_filters(bands)
    np.testing.assert_allclose(filters, slow_filters(bands), atol=1e-12)  # sums and ratios of doubles up to 8000
    assert (filters.sum(axis=1) > 0).all() and filters.max() <= 1
    with pytest.raises(ValueError, match="read-only"):
        filters[0, 0] = 1


@pytest.mark.parametrize("grid", [whisper_grid(4000), wav2vec2_grid(4000)], ids=["whisper", "wav2vec2"])
def test_log_mel_is_the_fourier_sum_around_each_frame(noise, grid):
    found = acoustics.log_mel(noise, grid)
    assert found.shape == (grid.frames, 80)
    for frame in (0, 1, grid.frames // 2, grid.frames - 1):
        centre = round((grid.first_centre + frame * grid.step) * 16_000)
        # Both sum 400 doubles; a logarithm of sums of squares loses a digit or two more.
        np.testing.assert_allclose(found[frame], slow_log_mel(noise.samples, centre, 80), atol=1e-9)


def test_mfcc_is_the_cosine_transform_of_40_bands_with_slopes(noise):
    grid = whisper_grid(4000)
    found = acoustics.mfcc(noise, grid)
    assert found.shape == (grid.frames, 39)
    static = np.array([slow_dct(slow_log_mel(noise.samples, 320 * i, 40), 13) for i in range(grid.frames)])
    np.testing.assert_allclose(found[:, :13], static, atol=1e-9)
    # Inside, the slope of a line through five points is Savitzky and Golay's filter of order 1.
    first = savgol_filter(static, 5, 1, deriv=1, axis=0)
    np.testing.assert_allclose(found[2:-2, 13:26], first[2:-2], atol=1e-9)
    np.testing.assert_allclose(found[4:-4, 26:], savgol_filter(first, 5, 1, deriv=1, axis=0)[4:-4], atol=1e-9)


def test_slopes_at_the_edge_repeat_the_edge():
    values = np.array([[1.0], [2.0], [4.0], [7.0], [11.0], [16.0]])
    padded = [1, 1, 1, 2, 4, 7, 11, 16, 16, 16]
    slopes = [np.polyfit([-2, -1, 0, 1, 2], padded[i : i + 5], 1)[0] for i in range(6)]
    np.testing.assert_allclose(acoustics.differences(values)[:, 0], slopes, atol=1e-12)
    assert acoustics.differences(np.full((1, 3), 7.0)).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 3500.0, 7000.0])
def test_a_tone_is_in_the_band_around_its_frequency(hertz):
    clip = Clip(0.5 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000), "tone")
    found = acoustics.log_mel(clip, whisper_grid(16_000))[20]
    mel = 2595 * math.log10(1 + hertz / 700)
    nearest = round(mel / (2595 * math.log10(1 + 8000 / 700)) * 81) - 1  # peaks lie at 1/81, 2/81 … of the way up
    # A Hann window of 25 ms smears over 80 Hz; below 1 kHz that is two bands of about 25 Hz.
    assert abs(int(found.argmax()) - nearest) <= (2 if hertz < 1000 else 1)
    far = np.abs(np.arange(80) - nearest) > 12
    assert found.max() - found[far].max() > math.log(1e3)  # 30 dB: side lobes of a Hann window are 31 dB down and fall


def test_louder_is_a_constant_more_and_silence_is_finite(noise):
    grid = whisper_grid(4000)
    louder = acoustics.log_mel(Clip(noise.samples * 0.5, "half"), grid)
    # The samples are float32: half of one is exact.
    np.testing.assert_allclose(acoustics.log_mel(noise, grid) - louder, math.log(4), atol=1e-9)
    silent = acoustics.log_mel(Clip(np.zeros(4000), "silence"), grid)
    np.testing.assert_allclose(silent, math.log(1e-10))
    assert np.isfinite(acoustics.mfcc(Clip(np.zeros(4000), "silence"), grid)).all()


def test_by_name(noise):
    grid = FrameGrid(0.0, 0.02, 5)
    for kind, width in (("mfcc", 39), ("log-mel", 80)):
        assert acoustics.of_kind(noise, grid, kind).shape == (5, width)
    assert set(acoustics.KINDS) == {"mfcc", "log-mel"}


def test_a_frame_on_the_very_end_of_a_clip_has_silence_behind_it():
    clip = Clip(np.ones(1600) * 0.1, "dc")
    grid = FrameGrid(0.0, 0.02, 6, 0.1)  # hama's last frame is centred on the end
    assert np.isfinite(acoustics.log_mel(clip, grid)).all()
