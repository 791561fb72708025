"""From any sound file to its samples, checked for length and size. With `audio`, the home of soundfile and PyAV.

soundfile reads the formats whose headers count samples (WAV, FLAC, AIFF and their like); it refuses damaged blocks.
PyAV reads all others to their end, packet by packet, since what the header of an MP3 or an Ogg file says about its
length may be wrong or be about a part. Both decode at most a second more than the limit, so that a ten-hour file costs
no more memory than a short one.
"""

import itertools
import math
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile

from methods.core.audio.movie_boxes import claims_too_many
from methods.core.audio.mp3_reservoir import Reservoir
from methods.core.audio.sound_ends import is_joined, missing
from methods.core.errors import UserError

MIN_SECONDS = 0.1  # below this Whisper has five frames: nothing to look at
MAX_SECONDS = 30.0  # Whisper's window
LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000  # Hz
MAX_CHANNELS = 8  # 7.1 surround; with the rate and the seconds it bounds what one file can make us hold: 190 MB
SPARE_SECONDS = 1.0  # decoded past the limit, enough to know that a file without a length in its header is too long
MOST_PIECES = int(HIGHEST_RATE * (MAX_SECONDS + SPARE_SECONDS))  # of a movie: one for each sample of raw sound
BY_PACKETS = {"MP3", "OGG"}  # formats whose headers do not tell how much sound follows
FEW_BAD, BAD_SHARE = 10, 0.25  # packets that may be undecodable: these few, or else this share of those so far

# FFmpeg guesses the format from the content. Playlists (HLS, concat, SDP) would open other files and addresses, so
# only formats that carry their own sound are allowed.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ogg,mp3,wav,w64,flac,aiff,caf,amr,asf,avi"
RAW_STREAMS = {"aac", "mp3", "amr"}  # no header: FFmpeg estimates their length from the bit rate, often wrongly


class ClipError(UserError):
    """The sound cannot be used as it is. The message says what was found, why, and what to do."""


class TooLongError(ClipError):
    """The sound is longer than a model's window: a part of it can be used."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A file's sound."""

    samples: np.ndarray  # (n, channels) float32
    rate: float  # Hz
    name: str
    lost: tuple[str, ...]  # what the file should hold and does not, or what could not be read; a clause each


def decode(path: str | os.PathLike[str]) -> Decoded:
    """What is in this file? Raises ClipError as `audio.load_clip` does, save for what the samples themselves show."""
    path = Path(path)
    name = clean_name(path.stem)
    if not path.is_file():
        raise ClipError(f"There is no sound file called “{clean_name(path.name)}” here: check its path and name.")
    if path.stat().st_size == 0:
        raise ClipError(
            f"“{name}” is empty (0 bytes), probably because the recording or the upload was cut off: "
            "please record it again, or give the whole file."
        )
    with path.open("rb") as file:
        read = _read_with_soundfile if _is_for_soundfile(file) else _read_with_pyav
        file.seek(0)
        return read(file, name)


def _is_for_soundfile(file: BinaryIO) -> bool:
    try:
        # By descriptor, because soundfile would otherwise judge the format by the name's ending.
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            # A FLAC of unknown length declares 2^63 - 1, which libsndfile cannot read; a streamed WAV declares 0.
            if sound.format in BY_PACKETS or not 0 < sound.frames < 2**62:
                return False
            declared = sound.frames / sound.samplerate if sound.format == "FLAC" else None
    except soundfile.LibsndfileError:
        return False
    return declared is None or declared > MAX_SECONDS or not _goes_on(file, declared)


def _goes_on(file: BinaryIO, declared: float) -> bool:
    """Whether a FLAC holds more than its header says, where libsndfile stops; its packets are counted, not decoded.

    One that another file is joined on to does not: its header is right about the first.
    """
    if is_joined(file):
        return False
    file.seek(0)
    try:
        with av.open(file, metadata_errors="ignore", options={"format_whitelist": CONTAINERS}) as container:
            lengths = (float((packet.duration or 0) * packet.time_base) for packet in container.demux(audio=0))
            return any(seconds > declared + MIN_SECONDS for seconds in itertools.accumulate(lengths))
    except (av.FFmpegError, IndexError):
        return False  # libsndfile says what is wrong with it


def _read_with_soundfile(file: BinaryIO, name: str) -> Decoded:
    damaged = ClipError(
        f"“{name}” is damaged and cannot be read to its end, perhaps because the upload was cut off: "
        "please give the whole file, or save it as WAV."
    )
    with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        rate = sound.samplerate
        check_header(name, rate, sound.channels)
        if sound.format != "FLAC":  # of others libsndfile believes no length that the file cannot hold
            check_duration(name, sound.frames / rate)
        try:
            samples = sound.read(_most_frames(rate), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:  # not for PyAV, which would leave the damaged blocks out in silence
            raise damaged from error
        # Nor may the end be missing, as in half an upload: a length in a header alone makes no sound too long.
        if min(sound.frames, _most_frames(rate)) - len(samples) > MIN_SECONDS * rate:
            raise damaged
        check_duration(name, sound.frames / rate)
    return Decoded(samples, rate, name, missing(file, len(samples) / rate, rate))


def _read_with_pyav(file: BinaryIO, name: str) -> Decoded:
    unreadable = ClipError(
        f"“{name}” cannot be read as sound, so it is damaged or not a sound file: "
        "if it plays elsewhere, save it as WAV, FLAC, MP3, OGG or M4A and give that."
    )
    if claims_too_many(file, MOST_PIECES):
        raise ClipError(
            f"“{name}” says that it has more pieces of sound than it can hold, so it is damaged or made to fill a "
            "machine's memory: please save it again, as WAV for instance."
        )
    file.seek(0)
    try:
        with av.open(file, metadata_errors="ignore", options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.audio:
                raise ClipError(f"“{name}” has no sound track: please choose a recording with sound.")
            stream = container.streams.audio[0]
            sounds = stream.codec_context is not None and stream.rate and stream.channels
            if not sounds:  # noise that by chance holds an MP3 frame's first bytes, or a header without sense
                raise unreadable
            check_header(name, stream.rate, stream.channels)
            declared = _declared_seconds(container, stream)
            check_duration(name, declared)
            samples, rate, bad, unfed = _decoded(container, stream, name)
            stated = declared if stream.duration is not None or len(container.streams) == 1 else None
    except av.FFmpegError as error:
        raise unreadable from error
    if bad and not len(samples):
        raise unreadable
    seconds = len(samples) / rate
    lost = (f"{bad} damaged piece{'s' * (bad > 1)} could not be decoded and had to be left out",) if bad else ()
    if unfed:
        pieces = "one piece of the MP3 is" if unfed == 1 else f"{unfed} pieces of the MP3 are"
        lost += (f"{pieces} silent, since a cut left out what came before and belongs to it",)
    return Decoded(samples, rate, name, (*lost, *missing(file, seconds, rate, stated)))


def _declared_seconds(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    if container.format.name in RAW_STREAMS:
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is None:
        return None
    return (container.duration - max(container.start_time or 0, 0)) / av.time_base


def _decoded(
    container: av.container.InputContainer, stream: av.AudioStream, name: str
) -> tuple[np.ndarray, float, int, int]:
    """(n, channels) float32, its rate, how many packets could not be decoded, and how many lacked data before them.

    Never much more than 31 s.
    """
    to_float = av.AudioResampler(format="fltp")
    chunks, length, rate, bad, before = [], 0, stream.rate, 0, Reservoir()
    layered = stream.codec_context.name.startswith("mp3")
    for number, packet in enumerate(container.demux(stream)):  # pictures are skipped
        if layered:
            before.take(bytes(packet))
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            bad += 1
            if bad > max(FEW_BAD, number * BAD_SHARE):
                raise
            continue
        for frame in frames:
            if chunks and (frame.sample_rate, len(frame.layout.channels)) != (rate, chunks[0].shape[0]):
                raise ClipError(f"“{name}” changes its format half-way: please save it again as WAV or FLAC.")
            rate = frame.sample_rate
            chunks += [part.to_ndarray() for part in to_float.resample(frame)]
            length += frame.samples
        if length > _most_frames(rate):
            check_duration(name, length / rate, or_more=True)
    samples = np.concatenate(chunks, axis=1).T if chunks else np.zeros((0, 1), np.float32)
    return samples, rate, bad, before.unfed


def _most_frames(rate: float) -> int:
    return math.ceil(rate * (MAX_SECONDS + SPARE_SECONDS))


def clean_name(name: str) -> str:
    """A name fit for titles and file names: no path, no control or markup characters, 1 to 60 characters."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(c if c.isprintable() and c not in '<>&"`|:*?' else " " for c in last)
    return " ".join(kept.split())[:60].strip(" .") or "clip"  # no “..”, no hidden file


def check_header(name: str, rate: float, channels: int) -> None:
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


def check_duration(name: str, seconds: float | None, *, or_more: bool = False) -> None:
    if seconds is None:  # the header does not tell: the decoded samples will
        return
    if seconds == 0:
        raise ClipError(f"“{name}” holds no samples at all, perhaps because it was cut off: please record it again.")
    if seconds < MIN_SECONDS:
        shown = math.floor(seconds * 1000) / 1000  # rounded down, lest 0.0999 s read as 0.100 s
        raise ClipError(
            f"“{name}” is too short, {shown:.3f} s, perhaps because the recording was stopped at once: "
            f"please use at least {MIN_SECONDS:g} s of speech."
        )
    if seconds > MAX_SECONDS:
        shown = math.ceil(seconds * 100) / 100  # rounded up, lest 30.001 s read as 30.00 s
        raise TooLongError(
            f"“{name}” is too long, {shown:.2f} s{' or more' * or_more}, where Whisper hears {MAX_SECONDS:g} s at "
            "a time: please cut out the part you want to study."
        )
