"""What a probe is asked: labels for phones, words and speakers, and the finer types that a control task needs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from methods.core import phonology
from methods.core.corpus import Corpus
from methods.core.errors import UserError
from methods.core.items import Items, phone_items, tier_items, word_items

TARGETS: Mapping[str, str] = {
    "phone": "which phone",
    "manner": "manner of articulation",
    "place": "place of articulation (consonants)",
    "voicing": "voiced or voiceless",
    "height": "vowel height",
    "backness": "vowel backness",
    "rounding": "vowel rounding",
    "stress": "stressed or unstressed (vowels)",
    "word": "which word",
    "speaker": "who speaks",
    "sex": "woman or man",
    "language": "which language",
}
TIER = "tier:"  # before the name of a further tier of one's own TextGrids
FEWEST_ITEMS, FEWEST_UTTERANCES = 8, 3  # of a class: fewer cannot be in training, choosing and testing parts
TOO_LONG = 0.35  # s; automatic alignment sometimes gives a pause to the last phone


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled items and what goes with them."""

    items: Items  # label = the class
    classes: tuple[str, ...]  # in alphabetical order
    types: np.ndarray  # (n,) str, what a control task gives a label each: finer than the classes
    dropped: tuple[str, ...]  # classes with too few items to be asked about
    question: str

    @property
    def codes(self) -> np.ndarray:
        """(n,) index of each item's class."""
        return np.searchsorted(self.classes, self.items.label)

    @property
    def majority(self) -> float:
        """Share of the most frequent class."""
        return float(np.bincount(self.codes).max() / len(self.items))


def task(corpus: Corpus, target: str, *, classes: tuple[str, ...] | None = None) -> Task:
    """The items of a corpus labelled for a target. `classes` keeps to those of another corpus's task.

    Raises UserError if the target does not exist, or if fewer than two classes have 8 items in 3 recordings.
    """
    items, types = _labelled(corpus, target)
    dropped: tuple[str, ...] = ()
    if classes is None:
        classes, dropped = _frequent(items)
    kept = np.isin(items.label, classes)
    if len(classes) < 2 or not kept.any():
        raise UserError(
            f"“{corpus.name}” has {len(classes)} kind(s) of “{target}” with at least {FEWEST_ITEMS} items in "
            f"{FEWEST_UTTERANCES} recordings and a probe needs two; choose another target or a larger corpus."
        )
    question = TARGETS.get(target, f"which label of the tier “{target.removeprefix(TIER)}”")
    return Task(items.only(kept), tuple(sorted(classes)), types[kept], dropped, question)


def asks(corpus: Corpus, target: str, classes: tuple[str, ...]) -> bool:
    """Whether a corpus has items of two or more of these classes."""
    items, _ = _labelled(corpus, target)
    return len(np.intersect1d(items.label, classes)) > 1


def _labelled(corpus: Corpus, target: str) -> tuple[Items, np.ndarray]:
    if target == "word":
        items = word_items(corpus)
        # A word's own form is its label. A type must be finer: the word after a certain other word.
        return items, np.char.add(np.char.add(items.columns["previous"], " "), items.label)
    if target in ("speaker", "sex", "language"):
        items = phone_items(corpus)
        items = items if len(items) else word_items(corpus)
        labelled = items.labelled(items.columns[target])
        return labelled, _place_or_word(labelled)
    if target == "stress":
        items = tier_items(corpus, "stress")
        names = {"0": "unstressed", "1": "stressed", "2": ""}  # secondary stress is left out: too few, too unsure
        labelled = items.labelled(np.array([names.get(label, "") for label in items.label], dtype=str))
        return labelled, _place_or_word(labelled)
    if target.startswith(TIER):
        items = tier_items(corpus, target.removeprefix(TIER))
        return items, _place_or_word(items)
    return _phonological(corpus, target)


def _phonological(corpus: Corpus, target: str) -> tuple[Items, np.ndarray]:
    if target not in TARGETS:
        raise UserError(f"There is no target “{target}”; choose one of {', '.join(TARGETS)}, or {TIER}NAME.")
    items = phone_items(corpus)
    items = items.only(items.end - items.start <= TOO_LONG)
    if target != "phone":
        label = [phonology.feature(phone, target) for phone in items.label]
        if label and not any(label):
            raise UserError(
                f"The phones of “{corpus.name}” are not ARPAbet, so their {target} is not known; label them in a tier "
                f"of their own and choose {TIER}NAME, or probe “phone”."
            )
        items = items.labelled(np.array(label, dtype=str))
    return items, _place_or_word(items)


def _place_or_word(items: Items) -> np.ndarray:
    """The phone's place in its word ("thanks/2"), which is finer than the phone; else its word and phone."""
    place, word, phone = (items.columns[name] for name in ("position", "word", "phone"))
    return np.where(place != "", place, np.char.add(np.char.add(word, "/"), phone))


def _frequent(items: Items) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Classes with enough items in enough recordings, and the others."""
    labels = np.unique(items.label)
    enough = [
        (items.label == label).sum() >= FEWEST_ITEMS
        and len(np.unique(items.utterance[items.label == label])) >= FEWEST_UTTERANCES
        for label in labels
    ]
    named = [(str(label), good) for label, good in zip(labels, enough, strict=True)]
    return tuple(label for label, good in named if good), tuple(label for label, good in named if not good)


def control_codes(types: np.ndarray, codes: np.ndarray, seed: int) -> np.ndarray:
    """A control task (Hewitt & Liang 2019): each type gets one label, drawn from the real labels' own shares."""
    rng = np.random.default_rng(seed)
    _, members = np.unique(types, return_inverse=True)
    return rng.choice(codes, members.max() + 1)[members]


def shuffled_codes(codes: np.ndarray, seed: int) -> np.ndarray:
    """The same labels in random order: what is left is what a probe gets for nothing."""
    return np.random.default_rng(seed).permutation(codes)
