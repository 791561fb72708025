"""Edits between two rows of words or symbols: which, how many, and the error rate that they make."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["correct", "substituted", "inserted", "deleted"]


# Comparing what was said with what was meant


@dataclass(frozen=True)
class Edit:
    """One place in the alignment of two sequences."""

    kind: Kind
    meant: str | None  # None where something was inserted
    said: str | None  # None where something was deleted


def edits(meant: Sequence[str], said: Sequence[str]) -> tuple[Edit, ...]:
    """The fewest substitutions, insertions and deletions that make `said` out of `meant`, in order (Levenshtein)."""
    n, m = len(meant), len(said)
    cost = np.zeros((n + 1, m + 1), int)
    cost[:, 0], cost[0] = np.arange(n + 1), np.arange(m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            other = meant[i - 1] != said[j - 1]
            cost[i, j] = min(cost[i - 1, j - 1] + other, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    return tuple(_trace_back(cost, meant, said))[::-1]


def _trace_back(cost: np.ndarray, meant: Sequence[str], said: Sequence[str]) -> Any:
    i, j = len(meant), len(said)
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (meant[i - 1] != said[j - 1]):
            i, j = i - 1, j - 1
            yield Edit("correct" if meant[i] == said[j] else "substituted", meant[i], said[j])
        elif j and cost[i, j] == cost[i, j - 1] + 1:
            j -= 1
            yield Edit("inserted", None, said[j])
        else:
            i -= 1
            yield Edit("deleted", meant[i], None)


def error_rate(meant: Sequence[str], said: Sequence[str]) -> float:
    """Edits per symbol meant: 0 is perfect, and over 1 is possible. Nothing meant counts as one symbol."""
    return sum(edit.kind != "correct" for edit in edits(meant, said)) / max(len(meant), 1)


def fewest_errors(meant: Sequence[str], beginning: Sequence[str]) -> int:
    """The edits that no text with this beginning can avoid: the least of the last row of Levenshtein's table."""
    row = list(range(len(meant) + 1))
    for said in beginning:
        before, row = row, [row[0] + 1]
        for place, symbol in enumerate(meant):
            row.append(min(before[place] + (symbol != said), before[place + 1] + 1, row[-1] + 1))
    return min(row)


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a text without capitals and punctuation, which are not what is heard."""
    text = re.sub(r"<\d+\.\d\d s>", " ", text)  # time stamps are not said
    letters = "".join(c if c.isalnum() or unicodedata.combining(c) or c in "'’" else " " for c in text.casefold())
    return tuple(word for word in (w.strip("'’") for w in letters.split()) if word)


MUCH_REPETITION = 0.5  # share of runs of three tokens that have occurred before


def repetition(tokens: Sequence[int], width: int = 3) -> float:
    """Share of runs of three tokens that have occurred before: near 0 in plain text, near 1 in a loop."""
    runs = [tuple(tokens[i : i + width]) for i in range(len(tokens) - width + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
