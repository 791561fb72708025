"""What every result shares: read-only arrays, their origin, and work that can be watched and stopped."""

import contextlib
import importlib.metadata
import math
import platform
import time
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment, without_overlap
from methods.core.network import SpeechModel

T = TypeVar("T")
_limit: ContextVar[tuple[float, float]] = ContextVar("limit", default=(math.inf, math.inf))  # end (s), seconds
LIBRARIES = ("torch", "transformers", "numpy")


@dataclass(frozen=True)
class Step:
    """How far a piece of work has come; between two steps it can be stopped."""

    done: float  # share of the work, 0 to 1
    text: str  # what comes next
    partial: Any = None  # what can be shown already


Steps = Generator[Step, None, T]


def finish(steps: Steps[T], report: Callable[[Step], None] | None = None) -> T:
    """Run a piece of work to its end, reporting each step on the way."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        _in_time(step, *_limit.get())
        if report is not None:
            report(step)


@contextlib.contextmanager
def time_limit(seconds: float) -> Generator[None, None, None]:
    """All that is finished inside may take so long (s) together."""
    token = _limit.set((time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _limit.reset(token)


def in_time(steps: Steps[T], seconds: float) -> Steps[T]:
    """A piece of work that may take so long (s), looked at between its steps."""
    end = time.monotonic() + seconds
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        yield step
        _in_time(step, end, seconds)


def _in_time(step: Step, end: float, seconds: float) -> None:
    if time.monotonic() > end:
        raise UserError(
            f"This was stopped after {seconds:.0f} s, {step.done:.0%} done: the limit of this shared machine; ask for "
            "less (a shorter clip, a smaller model, fewer steps), or run the app on your own machine."
        )


def within(steps: Steps[T], begin: float, end: float, partial: Any = None, name: str = "") -> Steps[T]:
    """A piece of work as a part of a larger one: its steps run from `begin` to `end`, under the part's name.

    What can be shown of the whole, `partial`, comes with the first of them only: drawing takes a while.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        yield Step(begin + (end - begin) * step.done, f"{name}: {step.text}" if name else step.text, partial)
        partial = None


def read_only(values: Any, dtype: Any = np.float64) -> np.ndarray:
    """A copy that nobody can write into: results and cached states are shared."""
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def provenance(technique: str, clip: Clip, model: SpeechModel, **options: Any) -> dict[str, Any]:
    """All that is needed to make the numbers again; it goes into every download."""
    return {
        "technique": technique,
        "model": model.id,
        "family": model.family,
        "decoder": model.writes_text,
        "weights_sha256": model.weights_sha256,
        "clip": clip.name,
        "clip_sha256": clip.sha256,
        "seconds": clip.seconds,
        "options": options,
        "versions": _versions(),
    }


def corpus_provenance(technique: str, corpus: Any, model: SpeechModel | None, **options: Any) -> dict[str, Any]:
    """The same for a result over a corpus; `model` is None where no model took part."""
    return {
        "technique": technique,
        "model": None if model is None else model.id,
        "family": None if model is None else model.family,
        "weights_sha256": None if model is None else model.weights_sha256,
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "utterances": len(corpus.utterances),
        "seconds": corpus.seconds,
        "options": options,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def enough_segments(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments in order of time, overlaps split at their middle, lest a frame count twice.

    Raises UserError if there is nothing to relate.
    """
    if len(segments) < 2:
        raise UserError(
            f"This clip has {len(segments)} word(s) or segment(s) and the map needs at least two; "
            "choose a longer clip, correct the transcript, or upload a TextGrid."
        )
    return without_overlap(segments)
