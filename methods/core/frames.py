"""Segments of sound, and the one frame ↔ second rule: which frames is that stretch of time?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from methods.core.audio import SAMPLE_RATE
from methods.core.errors import UserError

FRAME_SAMPLES = 320  # 20 ms: one frame of Whisper's encoder and of the wav2vec 2.0 family
FRAMES_PER_SECOND = SAMPLE_RATE // FRAME_SAMPLES
WHISPER_FRAMES = 1500  # Whisper's window, 30 s
WAV2VEC2_FIELD = 400  # samples, 25 ms: what one frame of the wav2vec 2.0 front end hears
SAME_TIME = 1e-3  # frames (20 µs): absorbs rounding, even of float32 times, yet is less than half a sample

FrameRule = Literal["centre", "mohebbi", "fastabx"]


class AlignmentError(UserError):
    """No times can be given. The message says what was found, why, and what to do."""


@dataclass(frozen=True)
class Segment:
    """Something with a name that lasts from `start` up to, not including, `end`."""

    label: str
    start: float  # s from the beginning of the clip
    end: float  # s

    def __post_init__(self) -> None:
        if not isinstance(self.label, str):
            raise AlignmentError(f"{self.label!r:.40} is no label: please give text, and leave out what has none.")
        try:
            object.__setattr__(self, "start", float(self.start))
            object.__setattr__(self, "end", float(self.end))
        except (TypeError, ValueError) as problem:
            raise AlignmentError(
                f"The start or end of “{self.label}” is no number: please give seconds, such as 1.23."
            ) from problem
        if not (math.isfinite(self.start) and math.isfinite(self.end) and 0 <= self.start < self.end):
            raise AlignmentError(
                f"“{self.label}” is said to last from {self.start:g} to {self.end:g} s, which is no stretch of time: "
                "please give a start of 0 s or later and an end after it."
            )


@dataclass(frozen=True)
class FrameGrid:
    """Where a model's frames sit in time. Frame i is centred on `first_centre + i * step`.

    A frame tells where its vector sits; after the first layer it may hold news from anywhere in the clip.
    """

    first_centre: float  # s
    step: float  # s
    frames: int
    seconds: float | None = None  # s, the clip's length; if not given, as far as the frames can reach

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise AlignmentError("The clip is too short to give a single frame: please use a longer one.")
        if (
            self.seconds is None
        ):  # a step past the last centre, and at the end what the first frame leaves at the start
            object.__setattr__(self, "seconds", 2 * self.first_centre + self.frames * self.step)

    @property
    def times(self) -> np.ndarray:
        """Where are the frames' centres? (frames,) float64, seconds."""
        return self.first_centre + self.step * np.arange(self.frames)

    def span(self, segment: Segment, *, rule: FrameRule = "centre") -> range:
        """Which frames belong to the segment? Never empty.

        "centre": those whose centre lies in [start, end), so that neighbours share no frame and leave none out. If
        there is none, the one nearest the segment's middle (see `is_between_frames`).
        "mohebbi": both ends rounded up and included, as in Mohebbi et al. 2023; neighbours share a frame.
        "fastabx": centres at (i + 1/2) steps and both ends included, as in fastabx; for comparison with ABX scores.
        Raises AlignmentError if the segment begins after the clip has ended.
        """
        if segment.start >= self.seconds:
            raise AlignmentError(
                f"“{segment.label}” begins at {segment.start:g} s but the clip ends at {self.seconds:g} s, so these "
                "times probably belong to another recording: please choose the alignment of this clip."
            )
        inside = self._inside(segment, rule)
        if inside:
            return inside
        middle = ((segment.start + segment.end) / 2 - self.first_centre) / self.step
        nearest = min(max(_up(middle - 0.5), 0), self.frames - 1)
        return range(nearest, nearest + 1)

    def spans(self, segments: Iterable[Segment], *, rule: FrameRule = "centre") -> list[range]:
        """Which frames belong to each segment? See `span`."""
        return [self.span(segment, rule=rule) for segment in segments]

    def is_between_frames(self, segment: Segment, *, rule: FrameRule = "centre") -> bool:
        """Is the segment so short that it holds no frame and borrows the nearest? Say so where it is shown."""
        return not self._inside(segment, rule)

    def _inside(self, segment: Segment, rule: FrameRule) -> range:
        match rule:
            case "centre":
                first, stop = (_up((t - self.first_centre) / self.step) for t in (segment.start, segment.end))
            case "mohebbi":
                first, stop = (_up(self.frames * t / self.seconds) for t in (segment.start, segment.end))
                stop += 1
            case "fastabx":
                first, stop = _up(segment.start / self.step - 0.5), _down(segment.end / self.step - 0.5) + 1
            case _:
                raise ValueError(f"there is no frame rule {rule!r}; choose 'centre', 'mohebbi' or 'fastabx'")
        return range(max(first, 0), min(stop, self.frames))


def portions(spans: Sequence[range], frames: int) -> np.ndarray:
    """(frames,) the part of a frame that each of these spans gets: 1, or 1/k where k of them hold it.

    Segments shorter than a frame's step borrow the nearest frame (see `FrameGrid.span`), several the same one perhaps:
    what is summed over segments must hold it once.
    """
    held = np.zeros(frames)
    for span in spans:
        held[span.start : span.stop] += 1
    return 1 / np.maximum(held, 1)


def _up(position: float) -> int:
    """The first whole frame at or after `position`; 0.06 s * 50 is 3, whatever its last binary digit says."""
    return math.ceil(position - SAME_TIME)


def _down(position: float) -> int:
    return math.floor(position + SAME_TIME)


def whisper_grid(samples: int) -> FrameGrid:
    """Where are Whisper's encoder frames for a clip of this many samples? Those of the padding are left out."""
    frames = min(math.ceil(samples / FRAME_SAMPLES), WHISPER_FRAMES)
    return FrameGrid(0.0, FRAME_SAMPLES / SAMPLE_RATE, frames, samples / SAMPLE_RATE)


def wav2vec2_grid(samples: int) -> FrameGrid:
    """Where are the frames of wav2vec 2.0, HuBERT, WavLM or XLS-R? The last 399 samples may have none."""
    frames = (samples - WAV2VEC2_FIELD) // FRAME_SAMPLES + 1
    return FrameGrid(WAV2VEC2_FIELD / 2 / SAMPLE_RATE, FRAME_SAMPLES / SAMPLE_RATE, frames, samples / SAMPLE_RATE)


def without_overlap(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The same segments in order of time, every overlap split at its middle.

    Hand-made alignments overlap now and then. If one segment lies inside another, the outer one ends in the middle of
    the inner one. Raises AlignmentError if three overlap so that one would vanish.
    """
    parted: list[Segment] = []
    for segment in sorted(segments, key=lambda s: (s.start, s.end)):
        if parted and segment.start < parted[-1].end:
            parted += _parted(parted.pop(), segment)
        else:
            parted.append(segment)
    return tuple(parted)


def _parted(before: Segment, after: Segment) -> tuple[Segment, Segment]:
    middle = (max(after.start, before.start) + min(after.end, before.end)) / 2
    if not before.start < middle < after.end:
        raise AlignmentError(
            f"“{before.label}” and “{after.label}” overlap with a third segment, perhaps because two tiers were "
            "mixed: please use one tier whose intervals follow each other."
        )
    return Segment(before.label, before.start, middle), Segment(after.label, middle, after.end)
