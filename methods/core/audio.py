"""From any sound file to one `Clip`: mono, 16 kHz, float32, checked. The only home of soundfile, PyAV and soxr.

soundfile is tried first (WAV, FLAC, OGG, MP3, AIFF), then PyAV (M4A, AAC, MP4, WebM, Opus). Both read headers first
and decode at most a second more than the limit, so that a ten-hour file costs no more memory than a short one.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from methods.core.errors import UserError

SAMPLE_RATE = 16_000  # Hz, what every model here was trained on
MIN_SECONDS = 0.1  # below this Whisper has five frames: nothing to look at
MAX_SECONDS = 30.0  # Whisper's window
LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000  # Hz
MAX_CHANNELS = 8  # 7.1 surround; with the rate and the seconds it bounds what one file can make us hold: 190 MB
SILENCE_PEAK = 1e-4  # -80 dBFS, three steps of 16-bit audio
CANCELLED_POWER = 0.01  # averaging N unrelated channels keeps 1/N of the power; under 1 % some must be upside-down
DB_FLOOR = -70.0  # dB under the loudest cell; quieter than that is black on any screen
SPARE_SECONDS = 1.0  # decoded past the limit, enough to know that a file without a length in its header is too long

# FFmpeg guesses the format from the content. Playlists (HLS, concat, SDP) would open other files and addresses, so
# only formats that carry their own sound are allowed.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ogg,mp3,wav,w64,flac,aiff,caf,amr,asf,avi"
RAW_STREAMS = {"aac", "mp3", "amr"}  # no header: FFmpeg estimates their length from the bit rate, often wrongly


class ClipError(UserError):
    """The sound cannot be used as it is. The message says what was found, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One short mono recording at 16 kHz. Equal only to itself, so that it can be the key of a cache."""

    samples: np.ndarray  # (n,) float32 in [-1, 1], read-only
    name: str  # for titles and file names: no path, at most 60 characters
    notes: tuple[str, ...] = ()  # what was changed on the way in, each a short clause for the reader

    def __post_init__(self) -> None:
        samples = np.array(self.samples, dtype=np.float32)  # a copy: the caller's own array stays writable
        if samples.ndim != 1:
            raise ValueError(f"a Clip holds one channel, shape (n,); got shape {samples.shape}")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

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

    decibels: np.ndarray  # (frames, bins) float32, dB relative to the loudest cell, in [-70, 0]
    times: np.ndarray  # (frames,) float64 s, centre of each window
    frequencies_hz: np.ndarray  # (bins,) float64 Hz, 0 to 8000


def load_clip(path: str | os.PathLike[str]) -> Clip:
    """What does this file sound like to a model? Any common audio or video file, any rate, up to 8 channels.

    Raises ClipError, in one sentence for the reader, if the file is missing, empty, damaged, not sound, silent,
    holds NaN, or is shorter than 0.1 s or longer than 30 s.
    """
    path = Path(path)
    name = clean_name(path.stem)
    if not path.is_file():
        raise ClipError(f"There is no sound file called “{clean_name(path.name)}” here: check its path and name.")
    if path.stat().st_size == 0:
        raise ClipError(
            f"“{name}” is empty (0 bytes), probably because the recording or the upload was cut off: "
            "please record or upload it again."
        )
    with path.open("rb") as file:
        read = _read_with_soundfile if _is_for_soundfile(file) else _read_with_pyav
        file.seek(0)
        samples, rate = read(file, name)
    return clip_from_samples(samples, rate, name)


def _is_for_soundfile(file: BinaryIO) -> bool:
    try:
        # By descriptor, because soundfile would otherwise judge the format by the name's ending.
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            return sound.frames < 2**62  # a FLAC of unknown length declares 2^63 - 1, and libsndfile cannot read it
    except soundfile.LibsndfileError:
        return False


def _read_with_soundfile(file: BinaryIO, name: str) -> tuple[np.ndarray, int]:
    damaged = ClipError(
        f"“{name}” is damaged and cannot be read to its end, perhaps because the upload was cut off: "
        "please upload it again or save it as WAV."
    )
    with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        rate = sound.samplerate
        _check_header(name, rate, sound.channels)
        _check_duration(name, sound.frames / rate)
        try:
            samples = sound.read(_most_frames(rate), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:  # not for PyAV, which would leave the damaged blocks out in silence
            raise damaged from error
        if sound.frames - len(samples) > MIN_SECONDS * rate:  # nor may the end be missing, as in half an upload
            raise damaged
        return samples, rate


def _read_with_pyav(file: BinaryIO, name: str) -> tuple[np.ndarray, int]:
    unreadable = ClipError(
        f"“{name}” cannot be read as sound, so it is damaged or not a sound file: "
        "if it plays elsewhere, save it as WAV, FLAC, MP3, OGG or M4A and upload that."
    )
    try:
        with av.open(file, metadata_errors="ignore", options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.audio:
                raise ClipError(f"“{name}” has no sound track: please choose a recording with sound.")
            stream = container.streams.audio[0]
            if not stream.rate or not stream.channels:  # noise that by chance holds an MP3 frame's first bytes
                raise unreadable
            _check_header(name, stream.rate, stream.channels)
            _check_duration(name, _declared_seconds(container, stream))
            return _decode(container, stream, name)
    except av.FFmpegError as error:
        raise unreadable from error


def _declared_seconds(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    if container.format.name in RAW_STREAMS:
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _decode(container: av.container.InputContainer, stream: av.AudioStream, name: str) -> tuple[np.ndarray, int]:
    """(n, channels) float32 and its rate, never much more than 31 s; pictures are skipped."""
    to_float = av.AudioResampler(format="fltp")
    chunks, length, rate = [], 0, stream.rate
    for frame in container.decode(stream):
        if chunks and (frame.sample_rate, len(frame.layout.channels)) != (rate, chunks[0].shape[0]):
            raise ClipError(f"“{name}” changes its format half-way: please save it again as WAV or FLAC.")
        rate = frame.sample_rate
        chunks += [part.to_ndarray() for part in to_float.resample(frame)]
        length += frame.samples
        if length > _most_frames(rate):
            _check_duration(name, length / rate, or_more=True)
    samples = np.concatenate(chunks, axis=1).T if chunks else np.zeros((0, 1), np.float32)
    return samples, rate


def _most_frames(rate: float) -> int:
    return math.ceil(rate * (MAX_SECONDS + SPARE_SECONDS))


def clip_from_samples(samples: np.ndarray, rate: float, name: str = "clip") -> Clip:
    """What do these samples sound like to a model? (n,) or (n, channels), floats or integers, at `rate` Hz.

    Integers are scaled by their type's range. Floats beyond [-1, 1] are scaled down to a peak of 1, and the clip's
    `notes` say so, as they do for averaged channels and a changed rate. Raises ClipError like `load_clip`.
    """
    name = clean_name(name)
    samples = _as_columns(samples)
    _check_header(name, rate, samples.shape[1])
    _check_duration(name, len(samples) / rate)
    _check_finite(name, samples)
    _check_audible(name, samples, "its loudest moment")
    mono, notes = _mix(samples)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
        notes.append(f"resampled from {rate / 1000:g} kHz to {SAMPLE_RATE / 1000:g} kHz")
        _check_audible(name, mono, "what is left below 8 kHz, which is all a speech model hears,")
    peak = float(np.abs(mono).max())
    if peak > 1:
        mono = mono / peak
        notes.append(f"scaled down because its peak was {peak:.3g} times full scale")
    return Clip(mono, name, tuple(notes))


def _as_columns(samples: np.ndarray) -> np.ndarray:
    """(n, channels) floats; integers are brought to [-1, 1), unsigned ones centred first, as WAV defines them."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
        raise ValueError(f"samples must be (n,) or (n, channels) numbers; got {samples.shape} {samples.dtype}")
    if samples.dtype.kind in "iu":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        samples = samples / half - (samples.dtype.kind == "u")
    return samples[:, None] if samples.ndim == 1 else samples


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


def clean_name(name: str) -> str:
    """A name fit for titles and file names: no path, no control or markup characters, 1 to 60 characters."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(c if c.isprintable() and c not in '<>&"`|:*?' else " " for c in last)
    return " ".join(kept.split())[:60].strip(" .") or "clip"  # no “..”, no hidden file


def _check_header(name: str, rate: float, channels: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        why = "too low to hold speech" if rate < LOWEST_RATE else "far beyond hearing, so the header is probably wrong"
        raise ClipError(
            f"“{name}” has a sample rate of {rate:g} Hz, {why}: "
            f"please use a recording between {LOWEST_RATE} Hz and {HIGHEST_RATE} Hz (16000 Hz is ideal)."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise ClipError(
            f"“{name}” has {channels} channels, where 1 to {MAX_CHANNELS} were expected: "
            "please save it as mono or stereo."
        )


def _check_duration(name: str, seconds: float | None, *, or_more: bool = False) -> None:
    if seconds is None:  # the header does not tell: the decoded samples will
        return
    if seconds == 0:
        raise ClipError(f"“{name}” holds no samples at all, perhaps because it was cut off: please record it again.")
    if seconds < MIN_SECONDS:
        raise ClipError(
            f"“{name}” is too short, {seconds:.3f} s, perhaps because the recording was stopped at once: "
            f"please use at least {MIN_SECONDS:g} s of speech."
        )
    if seconds > MAX_SECONDS:
        shown = math.ceil(seconds * 100) / 100  # rounded up, lest 30.001 s read as 30.00 s
        raise ClipError(
            f"“{name}” is too long, {shown:.2f} s{' or more' * or_more}, where Whisper hears {MAX_SECONDS:g} s at "
            "a time: please cut out the part you want to study."
        )


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


def log_spectrogram(clip: Clip) -> Spectrogram:
    """Which frequencies sound when? 25 ms Hann windows every 5 ms, 0 to 8 kHz in steps of 31.25 Hz.

    Window i is centred on i * 5 ms; the first and the last reach 12.5 ms beyond the clip, into zeros.
    """
    window, hop, size = 400, 80, 512  # samples: 25 ms, 5 ms, and the transform's length
    padded = np.pad(clip.samples, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), n=size))
    loudest = magnitude.max() or 1.0  # pure zeros have no loudest cell: everything is at the floor
    decibels = 20 * np.log10(np.maximum(magnitude / loudest, 10 ** (DB_FLOOR / 20)))
    times = np.arange(len(frames)) * hop / SAMPLE_RATE
    return Spectrogram(decibels.astype(np.float32), times, np.fft.rfftfreq(size, 1 / SAMPLE_RATE))
