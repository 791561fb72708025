"""The same items seen in several ways: by the layers of a model, acoustically, as labels, as movements.

    items = chosen(corpus, states, "frames", 1000)     # frames of speech, phones or words
    seen(states, items)                                # one (n, dim) matrix per layer
    target(corpus, model, items, "phone")              # one (n, columns) matrix, or None where there is no such thing

Comparisons of spaces (CKA, CCA) need matrices whose rows are the same items in the same order.
"""

from dataclasses import dataclass, replace

import numpy as np

from methods.core.corpus import Corpus, features
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items, phone_items, word_items
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.speech import phonology
from methods.core.speech.phone_alphabets import in_arpabet

UNITS = {"frames": "frames of speech", "phones": "phones", "words": "words"}
TARGETS = {
    "log-mel": "log-mel energies",
    "mfcc": "MFCC",
    "phone": "phones (one-hot)",
    "classes": "manner, place, voicing, height (one-hot)",
    "word": "words (one-hot)",
    "articulation": "movements of the vocal tract",
}
ACOUSTIC = ("log-mel", "mfcc")


@dataclass(frozen=True, eq=False)
class Chosen:
    """Which items are compared. All arrays have one entry per item, in the order of the corpus."""

    unit: str
    items: Items  # a frame is an item without length: its start and end are its centre
    frame: np.ndarray  # (n,) int, its row in the features that it was chosen from; -1 for phones and words

    def __len__(self) -> int:
        return len(self.items)

    @property
    def groups(self) -> np.ndarray:
        """(n,) int, the recording that each is of."""
        return self.items.utterance

    def only(self, kept: np.ndarray) -> "Chosen":
        return replace(self, items=self.items.only(kept), frame=self.frame[kept])


def chosen(corpus: Corpus, states: Features, unit: str, most: int, fewest: int, seed: int = 0) -> Chosen:
    """At most `most` items, drawn at random. Raises UserError if there are fewer than `fewest`."""
    if unit not in UNITS:
        raise UserError(f"There is no unit “{unit}”; choose one of {', '.join(UNITS)}.")
    found = _frames(corpus, states) if unit == "frames" else _segments(corpus, unit)
    if len(found) < fewest:
        raise UserError(
            f"“{corpus.name}” has {len(found)} {unit} and this comparison needs at least {fewest}; choose a longer "
            "clip, more recordings, or frames."
        )
    if len(found) <= most:
        return found
    return found.only(np.sort(np.random.default_rng(seed).choice(len(found), most, replace=False)))


def _segments(corpus: Corpus, unit: str) -> Chosen:
    items = phone_items(corpus) if unit == "phones" else word_items(corpus)
    return Chosen(unit, items, np.full(len(items), -1))


def _frames(corpus: Corpus, states: Features) -> Chosen:
    """Frames inside a phone (a word, where there are no phones), or all of them where nothing is labelled."""
    phones, words = phone_items(corpus), word_items(corpus)
    phone, word = (_labels(states, items) for items in (phones, words))
    speech = phone if len(phones) else word
    rows = np.flatnonzero(speech != "") if (speech != "").any() else np.arange(len(speech))
    columns = {"phone": phone[rows], "word": word[rows]}
    items = Items(states.utterance[rows], states.times[rows], states.times[rows], phone[rows], columns)
    return Chosen("frames", items, rows)


def _labels(states: Features, items: Items) -> np.ndarray:
    """(frames,) the label of the item that a frame lies in, or empty."""
    found = np.full(len(states.times), "", dtype=items.label.dtype if len(items) else "<U1")
    for span, label in zip(features.frames_of(states, items), items.label, strict=True):
        found[span.start : span.stop] = label
    return found


def seen(states: Features, items: Chosen) -> tuple[np.ndarray, ...]:
    """(n, dim) float32 per layer. Frames of another model are those nearest in time."""
    if items.unit != "frames":
        return features.pooled(states, items.items)
    rows = _nearest(states, items.items)
    return tuple(layer[rows] for layer in states.layers)


def _nearest(states: Features, items: Items) -> np.ndarray:
    rows = np.empty(len(items), dtype=np.int64)
    for number in np.unique(items.utterance):
        mine, grid = items.utterance == number, states.grids[number]
        # Rounded to 1 ns, lest the last digit chooses between two neighbours.
        place = np.round(np.round((items.start[mine] - grid.first_centre) / grid.step, 7)).astype(np.int64)
        rows[mine] = states.offsets[number] + np.clip(place, 0, grid.frames - 1)
    return rows


def target(
    corpus: Corpus, model: SpeechModel, items: Chosen, kind: str, moved: Articulation | None = None
) -> np.ndarray | None:
    """(n, columns) what the items are, in another way of seeing them; None where the corpus does not tell."""
    if kind not in TARGETS:
        raise UserError(f"There is nothing called “{kind}” to compare with; choose one of {', '.join(TARGETS)}.")
    if kind in ACOUSTIC:
        return seen(features.acoustic(corpus, model, kind), items)[0]
    if kind == "articulation":
        return None if moved is None else _movements(moved, items)
    labels = items.items.columns["word" if kind == "word" else "phone"]
    if kind == "classes":
        return _classes(labels)
    return _one_hot(labels) if len(np.unique(labels)) > 1 else None


def _one_hot(labels: np.ndarray) -> np.ndarray:
    """A column per label; what has none is a row of zeros."""
    names = np.unique(labels[labels != ""])
    return (labels[:, None] == names[None]).astype(np.float32)


def _classes(labels: np.ndarray) -> np.ndarray | None:
    """A column per articulatory class: manner, place, voicing of consonants, height, backness, rounding of vowels.

    A stray label, of no class, is a row of zeros.
    """
    known = in_arpabet(labels.tolist())
    phones = [known.of(label) or label for label in labels.tolist()]
    if not phonology.nearly_all_known(phones) or len(set(phones)) < 2:
        return None
    described = {**phonology.CONSONANTS, **phonology.VOWELS}
    names = sorted({name for description in described.values() for name in description})
    rows = [[name in described.get(phone, ()) for name in names] for phone in phones]
    found = np.array(rows, dtype=np.float32)
    return found[:, np.ptp(found, axis=0) > 0]


def _movements(moved: Articulation, items: Chosen) -> np.ndarray:
    found = np.empty((len(items), len(moved.channels)), dtype=np.float32)
    middles = (items.items.start + items.items.end) / 2
    for number in np.unique(items.groups):
        mine = items.groups == number
        found[mine] = moved.at(int(number), middles[mine], 0.02)
    return found


def with_movements(items: Chosen, moved: Articulation | None) -> Chosen:
    """Without the items whose sensors were lost."""
    if moved is None:
        return items
    return items.only(np.isfinite(_movements(moved, items)).all(1))
