"""Tones and files for the tests of reading sound."""

from fractions import Fraction

import av
import numpy as np

from methods.core.audio import SAMPLE_RATE

# soxr HQ keeps 20 bits (1e-6) and 16-bit files round by half a step, 1.5e-5; both are worst cases for one sample.
LOSSLESS = 2e-5
# The scale factors of MP3 and AAC step by 1.5 dB; a lone tone is at worst half a step off: 10^(0.75/20) = 9%.
LOSSY = 0.5 * 0.09


def tone(rate, seconds=2.0, frequency_hz=440, amplitude=0.5, quiet_s=0.5):
    """A sine that begins after `quiet_s` of zeros, (n,) float32."""
    time = np.arange(round(rate * seconds)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time) * (time >= quiet_s)).astype(np.float32)


def spectrum(clip):
    """Amplitude per whole hertz over 0.75 s to 1.75 s: one second holds a whole number of periods, so no leakage."""
    return 2 * np.abs(np.fft.rfft(clip.samples[12_000:28_000])) / 16_000


def onset_s(clip):
    return np.flatnonzero(np.abs(clip.samples) > 0.125)[0] / SAMPLE_RATE


def write_with_pyav(path, codec, samples, rate, *, container=None, video=False, muxer=None):
    """What a phone or a browser writes. (n,) or (n, 2) float32."""
    layout = "mono" if samples.ndim == 1 else "stereo"
    with av.open(str(path), "w", format=container, options=muxer or {}) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 128_000
        pictures = file.add_stream("mpeg4", rate=10) if video else None
        if pictures:
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
            for _ in range(20):
                grey = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), format="rgb24")
                file.mux(pictures.encode(grey))
            file.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(np.atleast_2d(samples.T).copy(), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path
