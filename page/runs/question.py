"""What was asked, as a key: two visitors with the same key get the same numbers, and one computation serves both.

A key holds everything that a result depends on or names: the technique, the model by its weights and by its name, the
sound by its samples and by its name, segments, recordings and options.
"""

import dataclasses
import hashlib
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from methods.core.audio import Clip
from methods.core.corpus import Corpus
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Work


def key_of(work: Work) -> Hashable:
    """The key of a piece of work; one of its own, equal to nothing, where it was asked for something unknown."""
    return (work.name, *((name, named(value)) for name, value in work.asked.items()))


def named(value: Any) -> Hashable:
    """A value as a part of a key."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float | bytes):
        return (type(value).__name__, value)
    if isinstance(value, tuple | list | range):
        return tuple(named(part) for part in value)
    if isinstance(value, Mapping):
        return ("mapping", *((named(name), named(part)) for name, part in value.items()))
    return _of_ours(value) or _by_its_parts(value)


def _of_ours(value: Any) -> Hashable:
    """What clips, models and recordings are known by; None for anything else."""
    if isinstance(value, Clip):
        return ("clip", value.sha256, value.name, value.notes)  # the name is in every download: nobody's but his own
    if isinstance(value, SpeechModel):
        return ("model", value.id, value.key, value.notes)
    if isinstance(value, Corpus):
        return ("corpus", value.sha256, value.name, *(utterance.clip.name for utterance in value.utterances))
    return None


def _by_its_parts(value: Any) -> Hashable:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, named(getattr(value, field.name))) for field in dataclasses.fields(value))
        return (type(value).__qualname__, *fields)
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest())
    return ("this one", value if isinstance(value, Hashable) else Alone())


class Alone:
    """Equal to nothing but itself."""
