"""From any sound file to one `Clip`: mono, 16 kHz, float32, checked. What is in a file is for `decoding`.

The home of soxr, and of what is drawn or played of a clip.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
import soundfile
import soxr

from methods.core.audio import decoding
from methods.core.audio.decoding import (
    ClipError,
    check_duration,
    check_header,
    clean_name,
    decode,
)
from methods.core.errors import counted

MIN_SECONDS, MAX_SECONDS = decoding.MIN_SECONDS, decoding.MAX_SECONDS  # of a clip, too
SAMPLE_RATE = 16_000  # Hz, what every model here was trained on
SPIKE_LEVEL, SPIKE_SECONDS = 1e-3, 0.02  # -60 dB of the peak, which speech passes for most of its time
SILENCE_PEAK = 1e-4  # -80 dBFS, three steps of 16-bit audio
CANCELLED_POWER = 0.01  # averaging N unrelated channels keeps 1/N of the power; under 1% some must be upside-down
MIN_TRANSFORM = 256  # samples: bins of 62.5 Hz, several to the main lobe of a window of 5 ms
DB_FLOOR = -70.0  # dB under the loudest cell; quieter than that is black on any screen


@dataclass(frozen=True, eq=False)
class Clip:
    """One short mono recording at 16 kHz. Equal only to itself, so that it can be the key of a cache."""

    samples: np.ndarray  # (n,) float32 in [-1, 1], read-only
    name: str  # for titles and file names: no path, at most 60 characters
    notes: tuple[str, ...] = ()  # what was changed on the way in, each a short clause for the reader
    lost: tuple[str, ...] = ()  # those of them that say what could not be had from the file

    def __post_init__(self) -> None:
        samples = np.array(self.samples, dtype=np.float32)  # a copy: the caller's own array stays writable
        if samples.ndim != 1:
            raise ValueError(f"a Clip holds one channel, shape (n,); got shape {samples.shape}")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

    def __repr__(self) -> str:
        notes = "".join(f", {note}" for note in self.notes)
        return f"Clip({self.name!r}, {self.seconds:.2f} s{notes})"

    @property
    def seconds(self) -> float:
        """How long is the clip, in seconds?"""
        return len(self.samples) / SAMPLE_RATE

    @cached_property
    def sha256(self) -> str:
        """Which sound is this? Hex digest of the samples as little-endian float32; the name plays no part."""
        return hashlib.sha256(self.samples.astype("<f4").tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Level over time and frequency, for display only."""

    decibels: np.ndarray  # (frames, bins) float32, dB relative to the loudest cell, from the floor to 0
    times: np.ndarray  # (frames,) float64 s, centre of each window
    frequencies_hz: np.ndarray  # (bins,) float64 Hz, evenly from 0


def load_clip(path: str | os.PathLike[str]) -> Clip:
    """What does this file sound like to a model? Any common audio or video file, any rate, up to 8 channels.

    What a damaged or cut file lacks is in the clip's `lost` and `notes`. Raises ClipError, in one sentence for the
    reader, if the file is missing, empty, damaged beyond use, not sound, silent, holds NaN, or is shorter than 0.1 s
    or longer than 30 s.
    """
    sound = decode(path)
    clip = clip_from_samples(sound.samples, sound.rate, sound.name)
    return replace(clip, notes=(*clip.notes, *sound.lost), lost=sound.lost)


def clip_from_samples(samples: np.ndarray, rate: float, name: str = "clip") -> Clip:
    """What do these samples sound like to a model? (n,) or (n, channels), floats or integers, at `rate` Hz.

    Integers are scaled by their type's range, or by 16 or 24 bits where a wider type holds no larger values. Few rows
    of many columns are channels first, (channels, n). Floats beyond [-1, 1] are scaled down to a peak of 1. The clip's
    `notes` say so, as they do for averaged channels and a changed rate. Raises ClipError like `load_clip`.
    """
    if not isinstance(rate, Real):
        raise TypeError(f"The rate is a number of Hz, such as 16000, not {rate!r:.40}")
    name = clean_name(name)
    samples, notes = _as_columns(samples)
    check_header(name, rate, samples.shape[1])
    check_duration(name, len(samples) / rate)
    _check_finite(name, samples)
    _check_audible(name, samples, "its loudest moment")
    mono, mixed = _mix(samples)
    notes += mixed
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
        notes.append(f"resampled from {rate / 1000:g} kHz to {SAMPLE_RATE / 1000:g} kHz")
        _check_audible(name, mono, "what is left below 8 kHz, which is all a speech model hears,")
    peak = float(np.abs(mono).max())
    if peak > 1:
        mono = mono / peak
        over = 20 * math.log10(peak)  # in dB: "1 times full scale" is what a peak of 1.003 would read like
        notes.append(f"scaled down because its peak was {over:.{2 if over < 100 else 3}g} dB above full scale")
        notes += _spikes(mono)
    return Clip(mono, name, tuple(notes))


def _spikes(mono: np.ndarray) -> list[str]:
    """Whether a few broken samples are the peak of 1 that all others were scaled down to."""
    few = int((np.abs(mono) > SPIKE_LEVEL).sum())
    if few > SPIKE_SECONDS * SAMPLE_RATE:
        return []
    within = f"only {counted(few, 'sample')} of {len(mono):,} within 60 dB of that peak"
    return [f"{within}, so the rest is nearly silent: repair or cut out what is broken, and load it again"]


def _as_columns(samples: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(n, channels) floats; integers are brought to [-1, 1), unsigned ones centred first, as WAV defines them."""
    samples, notes = np.asarray(samples), []
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
        raise ValueError(f"samples must be (n,) or (n, channels) numbers; got {samples.shape} {samples.dtype}")
    if samples.ndim == 2 and 1 <= len(samples) <= decoding.MAX_CHANNELS < samples.shape[1]:
        notes.append(f"channels first, {len(samples)} rows of {samples.shape[1]} samples" if len(samples) > 1 else "")
        samples = samples.T
    if samples.dtype.kind in "iu":
        own = 8 * samples.dtype.itemsize
        bits = _bits(samples) if samples.dtype.kind == "i" else own
        if bits < own:
            notes.append(f"taken as {bits}-bit values, since none of these {own}-bit integers is larger")
        samples = samples / 2.0 ** (bits - 1) - (samples.dtype.kind == "u")
    return samples[:, None] if samples.ndim == 1 else samples, [note for note in notes if note]


def _bits(samples: np.ndarray) -> int:
    """How wide were these signed integers when they were recorded? NumPy's own default type has 64 bits; no file has.

    A recording of 32 bits that stays within 24 of them would be under -48 dBFS at its loudest.
    """
    own = 8 * samples.dtype.itemsize
    low, high = (int(samples.min()), int(samples.max())) if samples.size else (0, 0)
    fit = (bits for bits in (16, 24, 32) if -(1 << bits - 1) <= low and high < 1 << bits - 1)
    return min(own, next(fit, own))


def _mix(samples: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(n,) float64 mean over channels; if they cancel each other out, the loudest channel alone."""
    channels = samples.shape[1]
    if channels == 1:
        return samples[:, 0].astype(np.float64), []
    mono = samples.mean(axis=1, dtype=np.float64)
    powers = samples.var(axis=0, dtype=np.float64)
    if mono.var() >= CANCELLED_POWER * powers.mean():
        return mono, [f"average of {channels} channels"]
    loudest = int(powers.argmax())
    return samples[:, loudest].astype(np.float64), [
        f"channel {loudest + 1} of {channels} alone, because the channels cancel each other out when averaged"
    ]


def _check_finite(name: str, samples: np.ndarray) -> None:
    bad = samples.size - int(np.isfinite(samples).sum())
    if bad:
        raise ClipError(
            f"“{name}” holds {bad} samples that are not numbers (NaN or infinite), probably from a faulty export: "
            "please save it again, as 16-bit WAV for instance."
        )


def _check_audible(name: str, samples: np.ndarray, what: str) -> None:
    # Half the peak-to-peak range: a broken microphone's constant offset is not sound.
    peak = float(np.ptp(samples.astype(np.float64, copy=False), axis=0).max()) / 2
    if peak < SILENCE_PEAK:
        level = f"{20 * math.log10(peak):.0f} dBFS" if peak > 0 else "exactly zero"
        raise ClipError(
            f"“{name}” is silent: {what} is at {level}, where speech is usually above -40 dBFS; "
            "please check that the right microphone was on and record again."
        )


def to_wav(clip: Clip) -> bytes:
    """The clip for a browser's player: a 16-bit PCM WAV file. 16-bit material comes back bit for bit."""
    pcm = np.clip(np.round(clip.samples * 32768.0), -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, pcm, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def envelope(clip: Clip, columns: int) -> np.ndarray:
    """Where is the waveform, drawn `columns` pixels wide? (columns, 2) float32: lowest and highest sample of each."""
    if columns < 1:
        raise ValueError(f"columns must be at least 1; got {columns}")
    starts = np.arange(columns) * len(clip.samples) // columns
    return np.stack([np.minimum.reduceat(clip.samples, starts), np.maximum.reduceat(clip.samples, starts)], axis=1)


def log_spectrogram(
    clip: Clip,
    *,
    window: float = 0.025,
    hop: float = 0.005,
    highest: float = SAMPLE_RATE / 2,
    floor: float = DB_FLOOR,
    emphasis: bool = False,
) -> Spectrogram:
    """Which frequencies sound when? Hann windows of `window` s every `hop` s, from 0 to `highest` Hz.

    Window i is centred on i * hop; the first and the last reach half a window beyond the clip, into zeros. A window of
    25 ms shows harmonics, one of 5 ms the single beats of the vocal folds. Levels are dB below the loudest cell, not
    lower than `floor`. With `emphasis` they rise by 6 dB for each octave, as Praat draws them by default.
    """
    length, step = round(window * SAMPLE_RATE), round(hop * SAMPLE_RATE)
    size = max(MIN_TRANSFORM, 1 << (length - 1).bit_length())
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    hertz = hertz[hertz <= highest]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(clip.samples, length // 2), length)[::step]
    spectra = np.fft.rfft(frames * np.hanning(length).astype(np.float32), n=size)
    magnitude = np.abs(spectra[:, : len(hertz)]) * (hertz / 1000 if emphasis else 1.0)
    loudest = magnitude.max() or 1.0  # pure zeros have no loudest cell: everything is at the floor
    decibels = 20 * np.log10(np.maximum(magnitude / loudest, 10 ** (floor / 20)))
    return Spectrogram(decibels.astype(np.float32), np.arange(len(frames)) * step / SAMPLE_RATE, hertz)
