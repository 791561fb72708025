"""What every result shares: read-only arrays, their origin, and work that can be watched and stopped."""

import importlib.metadata
import platform
from collections.abc import Sequence, Sized
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from methods.core import __version__
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment, without_overlap
from methods.core.models.speech_model import SpeechModel

NO_MODEL = dict.fromkeys(("model", "family", "weights_sha256"))
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | dict[str, Json] | None"
Provenance: TypeAlias = dict[str, Json]  # plain values only: it goes into every download

SOFTWARE = "Inside Speech Models"
LIBRARIES = ("torch", "transformers", "numpy")
LONGEST_LABEL = 40  # characters of one that a sentence names


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """What every technique gives. Each adds its own arrays, and its controls under `controls`."""

    provenance: Provenance  # all that is needed to make the numbers again
    complete: bool = True  # False: shown while the rest is being computed, or stopped before it was there

    def __init_subclass__(cls) -> None:
        cls.__repr__ = Result.__repr__  # before `dataclass` would write one that prints every number

    def __repr__(self) -> str:
        """Which result this is, and what is in it: names with the shapes of their arrays."""
        origin = self.provenance
        about = f"{origin.get('model')!r}, {origin.get('clip') or origin.get('corpus')!r}"
        rest = [field.name for field in fields(self) if field.name not in ("provenance", "complete")]
        held = ", ".join(f"{name} {_shape(getattr(self, name))}".rstrip() for name in rest)
        return f"{type(self).__name__}({about}{'' if self.complete else ', not complete'}: {held})"

    def table(self) -> pd.DataFrame:
        """The numbers as a tidy table: what the CSV download holds."""
        raise NotImplementedError


def _shape(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(value.shape)
    return f"[{len(value)}]" if isinstance(value, tuple | list | dict) else ("None" if value is None else "")


def read_only(values: Any, dtype: Any = np.float64) -> np.ndarray:
    """A copy that nobody can write into: results and cached states are shared."""
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def listed(asked: Any) -> Provenance:
    """The fields of a dataclass of options as a result remembers them: what JSON can hold, rows as lists."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(asked).items()}


class Recordings(Protocol):
    """What a result remembers of the recordings that it is about: a corpus, or a `Gathered` set of one's own."""

    name: str
    sha256: str
    seconds: float
    utterances: Sized


@dataclass(frozen=True)
class Gathered:
    """A set of recordings that is no corpus."""

    name: str
    sha256: str
    seconds: float
    utterances: Sized  # as many as there are


def provenance(technique: str, clip: Clip, model: SpeechModel, **options: Any) -> Provenance:
    """All that is needed to make the numbers again; it goes into every download."""
    return {
        "technique": technique,
        **model.origin,
        "decoder": model.writes_text,
        "clip": clip.name,
        "clip_sha256": clip.sha256,
        "seconds": clip.seconds,
        "options": options,
        "versions": _versions(),
    }


def corpus_provenance(technique: str, corpus: Recordings, model: SpeechModel | None, **options: Any) -> Provenance:
    """The same for a result over a corpus; `model` is None where no model took part."""
    return {
        "technique": technique,
        **(NO_MODEL if model is None else model.origin),
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "utterances": len(corpus.utterances),
        "seconds": corpus.seconds,
        "options": options,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    """Asked once: the answer takes milliseconds, as long as a short clip's decoding."""
    return {
        SOFTWARE: __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def _short(label: str) -> str:
    """What a model that goes round in a loop writes would fill a page."""
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def enough_segments(segments: Sequence[Segment], no_speech: float | None = None) -> tuple[Segment, ...]:
    """The segments in order of time, overlaps split at their middle, lest a frame count twice.

    `no_speech` is the probability that the model gives to that, where it does so seriously. Raises UserError if there
    is nothing to relate.
    """
    if len(segments) < 2:
        known = (
            f"only one word or segment is known, “{_short(segments[0].label)}”," if segments else "no words are known"
        )
        raise UserError(
            f"In this clip {known} and the map needs at least two; "
            + (f"the model finds that nobody speaks in it (probability {no_speech:.0%}): " if no_speech else "")
            + "choose a clip with more speech, correct the transcript, or give a TextGrid.",
            mend={"segments": "phones"},
        )
    return without_overlap(segments)
