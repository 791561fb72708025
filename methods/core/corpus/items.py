"""Labelled stretches of a corpus, one per row: what probes, ABX, RSA and the rest are asked about."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from methods.core.frames import Segment
from methods.core.speech.phone_alphabets import PhoneReading, in_arpabet

if TYPE_CHECKING:
    from methods.core.corpus.recordings import Corpus


NOTHING = "#"  # the neighbour at an edge: silence, or the end of the clip
GAP = 0.05  # s; phones further apart than this have silence between them


@dataclass(frozen=True, eq=False)
class Items:
    """Stretches of speech with a label each. All arrays have one entry per item."""

    utterance: np.ndarray  # (n,) int, which utterance of the corpus
    start: np.ndarray  # (n,) s from the beginning of that utterance
    end: np.ndarray  # (n,) s
    label: np.ndarray  # (n,) str, what is asked about
    columns: dict[
        str, np.ndarray
    ]  # (n,) str each: phone, word, previous, next, position, speaker, sex, language; accent, group if any

    def __len__(self) -> int:
        return len(self.label)

    @property
    def segments(self) -> list[Segment]:
        """The same as segments, in the same order."""
        return [Segment(str(label), a, b) for label, a, b in zip(self.label, self.start, self.end, strict=True)]

    def only(self, chosen: np.ndarray) -> "Items":
        """The items of a mask or of an index."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return Items(self.utterance[chosen], self.start[chosen], self.end[chosen], self.label[chosen], columns)

    def labelled(self, label: np.ndarray) -> "Items":
        """The same stretches under other labels; those with an empty label are left out."""
        label = np.asarray(label, dtype=str)
        named = Items(self.utterance, self.start, self.end, label, self.columns)
        return named.only(label != "")


def phone_reading(corpus: "Corpus") -> PhoneReading:
    """What the corpus's phones are in ARPAbet, whatever alphabet they are written in."""
    return in_arpabet(phone.label for utterance in corpus.utterances for phone in utterance.phones)


def phone_items(corpus: "Corpus") -> Items:
    """Every phone. `position` tells which phone of its word it is: "word/2"."""
    rows = []
    for number, utterance in enumerate(corpus.utterances):
        neighbours = _neighbours(utterance.phones)
        for phone, (before, after) in zip(utterance.phones, neighbours, strict=True):
            word, place = _place(phone, utterance.words, utterance.phones)
            columns = {"phone": phone.label, "word": word, "position": place, "previous": before, "next": after}
            rows.append((number, phone, columns))
    return _table(corpus, rows)


def word_items(corpus: "Corpus") -> Items:
    """Every word, in lower case."""
    rows = []
    for number, utterance in enumerate(corpus.utterances):
        for word, (before, after) in zip(utterance.words, _neighbours(utterance.words), strict=True):
            columns = {"phone": "", "word": word.label.lower(), "position": "", "previous": before, "next": after}
            rows.append((number, Segment(word.label.lower(), word.start, word.end), columns))
    return _table(corpus, rows)


def tier_items(corpus: "Corpus", tier: str) -> Items:
    """Every interval of another tier, by its label."""
    rows = []
    for number, utterance in enumerate(corpus.utterances):
        segments = utterance.tiers.get(tier, ())
        for segment, (before, after) in zip(segments, _neighbours(segments), strict=True):
            phone = _at(segment, utterance.phones)
            word = _at(segment, utterance.words).lower()
            columns = {"phone": phone, "word": word, "position": "", "previous": before, "next": after}
            rows.append((number, segment, columns))
    return _table(corpus, rows)


def balanced(items: Items, most: int, seed: int = 0) -> Items:
    """At most `most` items of each label, drawn at random, in their old order."""
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(np.flatnonzero(items.label == label))[:most] for label in np.unique(items.label)]
    return items.only(np.sort(np.concatenate(kept))) if kept else items


def at_least(items: Items, fewest: int) -> Items:
    """Only the labels that have `fewest` items or more."""
    labels, counts = np.unique(items.label, return_counts=True)
    return items.only(np.isin(items.label, labels[counts >= fewest]))


def _table(corpus: "Corpus", rows: list[tuple[int, Segment, dict[str, str]]]) -> Items:
    numbers = np.array([number for number, _, _ in rows], dtype=np.int64)
    names = ("phone", "word", "position", "previous", "next")
    columns = {name: np.array([columns[name] for _, _, columns in rows], dtype=str) for name in names}
    for fact in ("speaker", "sex", "language", "accent", "group"):
        values = [getattr(utterance, fact) for utterance in corpus.utterances]
        if fact in ("accent", "group") and not any(values):
            continue
        columns[fact] = np.array([values[number] for number in numbers], dtype=str)
    columns["utterance"] = np.array([corpus.utterances[number].clip.name for number in numbers], dtype=str)
    return Items(
        numbers,
        np.array([segment.start for _, segment, _ in rows], dtype=np.float64),
        np.array([segment.end for _, segment, _ in rows], dtype=np.float64),
        np.array([segment.label for _, segment, _ in rows], dtype=str),
        columns,
    )


def _neighbours(segments: tuple[Segment, ...]) -> list[tuple[str, str]]:
    """The label before and after each; NOTHING across a silence."""
    joined = [a.label if b.start - a.end <= GAP else NOTHING for a, b in pairwise(segments)]
    after = [b.label if b.start - a.end <= GAP else NOTHING for a, b in pairwise(segments)]
    return list(zip([NOTHING, *joined], [*after, NOTHING], strict=True)) if segments else []


def _place(phone: Segment, words: tuple[Segment, ...], phones: tuple[Segment, ...]) -> tuple[str, str]:
    """The word around a phone and the phone's place in it; empty where no word covers its middle."""
    middle = (phone.start + phone.end) / 2
    for word in words:
        if word.start <= middle < word.end:
            before = sum(word.start <= (p.start + p.end) / 2 < middle for p in phones)
            return word.label.lower(), f"{word.label.lower()}/{before + 1}"
    return "", ""


def _at(segment: Segment, others: tuple[Segment, ...]) -> str:
    middle = (segment.start + segment.end) / 2
    return next((other.label for other in others if other.start <= middle < other.end), "")
