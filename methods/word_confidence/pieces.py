"""What both kinds of models give for each piece of a text: its log-probability, the choice there was, and rivals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from methods.core.results import read_only
from methods.word_confidence.result import MOST_ALTERNATIVES, SureWord


@dataclass(frozen=True, eq=False)
class Judged:
    """A text as one model hears it, before it becomes a result."""

    text: str
    pieces: tuple[str, ...]
    words: tuple[SureWord, ...]
    logprobs: np.ndarray  # (pieces,) nats
    entropy: np.ndarray  # (pieces,) bits
    alternatives: tuple[tuple[str, ...], ...]
    alternative_logprobs: np.ndarray  # (pieces, up to 5) nats
    total: float  # nats
    no_speech: float | None


def entropy_bits(logs: np.ndarray) -> np.ndarray:
    """(pieces,) bits of each row of (pieces, choices) natural log-probabilities; 0 ln 0 is 0."""
    return np.array([_bits(row.astype(float)) for row in logs])  # row by row: a vocabulary is large


def _bits(row: np.ndarray) -> float:
    there = row[row > -np.inf]
    return max(float(-(np.exp(there) @ there)) / np.log(2), 0.0)  # rounding may leave a sure thing below 0


def rivals(
    logs: np.ndarray, wanted: np.ndarray, named: Callable[[int], str]
) -> tuple[tuple[tuple[str, ...], ...], np.ndarray]:
    """The likeliest others of each row of (pieces, choices), likeliest first: names, and (pieces, up to 5) nats."""
    count = min(MOST_ALTERNATIVES, logs.shape[1] - 1)
    names, found = [], np.zeros((len(wanted), count))
    for place, (row, own) in enumerate(zip(logs, wanted, strict=True)):
        best = [choice for choice in _largest(row, count + 1) if choice != own][:count]
        names.append(tuple(map(named, best)))
        found[place] = row[best]
    return tuple(names), read_only(found)


def _largest(row: np.ndarray, count: int) -> list[int]:
    best = np.argpartition(-row, count - 1)[:count]
    return best[np.argsort(-row[best], kind="stable")].tolist()
