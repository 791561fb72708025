"""What a probe is asked: labels for phones, words and speakers, and the finer types that a control task needs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from methods.core.corpus import Corpus
from methods.core.corpus.items import Items, phone_items, phone_reading, tier_items, word_items
from methods.core.errors import UserError, counted
from methods.core.speech import phonology
from methods.core.statistics import splits

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
OF_THE_SPEAKER = ("speaker", "sex", "language")  # targets that make no sense from one speaker to another
SHARED_BY_SPEAKERS = ("sex", "language")  # of them, those that a probe could tell by knowing the speakers
NOT_FINER = 0.75  # share of items of the commonest type of their class, above which a control task is the task renamed
TOO_LONG = 0.35  # s; automatic alignment sometimes gives a pause to the last phone


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled items and what goes with them."""

    items: Items  # label = the class
    classes: tuple[str, ...]  # in alphabetical order
    types: np.ndarray | None  # (n,) str, what a control task gives a label each; None if nothing finer is known
    types_are: str  # what the types are; where there are none, why
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

    Raises UserError if the target does not exist, if the corpus has no labels for it, or if fewer than two classes
    have 8 items in 3 recordings.
    """
    items = _labelled(corpus, target)
    if not len(items):
        raise UserError(_missing(corpus, target))
    dropped: tuple[str, ...] = ()
    if classes is None:
        classes, dropped = _frequent(items)
    kept = np.isin(items.label, classes)
    if len(classes) < 2 or not kept.any():
        rare = f" ({_some(dropped)} too rare)" if dropped else ""
        raise UserError(
            f"“{corpus.name}” has {counted(len(classes), 'kind')} of “{target}” with at least {FEWEST_ITEMS} items in "
            f"{FEWEST_UTTERANCES} recordings{rare} and a probe needs two; choose another target or a larger corpus."
        )
    question = TARGETS.get(target, f"which label of the tier “{target.removeprefix(TIER)}”")
    items = items.only(kept)
    return Task(items, tuple(sorted(classes)), *_types(corpus, target, items), dropped, question)


def asks(corpus: Corpus, target: str, classes: tuple[str, ...]) -> bool:
    """Whether a corpus has items of two or more of these classes."""
    items = _labelled(corpus, target)
    return len(np.intersect1d(items.label, classes)) > 1


def split(task: Task, target: str, groups: str, seed: int = 0) -> tuple[str, str]:
    """What folds are dealt by, "utterance" or "speaker", where `groups` may leave it open ("auto"); and a caution.

    A probe of sex or language that knows the voices from training can answer by who speaks, so these are split by
    speaker where every fold leaves every class somebody to learn from.
    """
    if target not in SHARED_BY_SPEAKERS:
        return ("utterance" if groups == "auto" else groups), ""
    speaker, utterance = task.items.columns["speaker"], task.items.utterance
    if groups == "auto" and _can_split(task, seed):
        return "speaker", "split by speaker, so that nobody is on both sides"
    if groups == "speaker" or len(set(zip(speaker, utterance, strict=True))) == len(set(speaker)):
        return ("utterance" if groups == "auto" else groups), ""
    why = "" if groups == "utterance" else " (too few speakers of each class to split by them)"
    return "utterance", f"the same speakers are on both sides{why}, so this may be who speaks"


def _can_split(task: Task, seed: int) -> bool:
    """Whether folds dealt by speaker leave every class in every training part."""
    speaker, codes = task.items.columns["speaker"], task.codes
    if len(np.unique(speaker)) < 3:
        return False
    fold = splits.group_folds(speaker, seed=seed)
    return all(len(np.unique(codes[fold != k])) == len(task.classes) for k in np.unique(fold))


def _missing(corpus: Corpus, target: str) -> str:
    """What a corpus lacks for this target, and what it has."""
    further = sorted({name for utterance in corpus.utterances for name in utterance.tiers})
    has = [name for name in ("words", "phones") if any(getattr(u, name) for u in corpus.utterances)] + further
    tiers = f"its tiers are {', '.join(has)}" if has else "it has no tiers at all"
    if target in OF_THE_SPEAKER and {"words", "phones"} & set(has):
        fact = "speakers" if target == "speaker" else f"{target} of its speakers"
        return f"“{corpus.name}” does not name the {fact}; name it for each recording, or choose another target."
    if target.startswith(TIER):
        return (
            f"“{corpus.name}” has no labels in a tier “{target.removeprefix(TIER)}”; {tiers}, so choose one of them "
            "(words and phones are targets of their own, “word” and “phone”)."
        )
    tier = {"word": "words", "stress": "stress"}.get(target, "phones")
    lack = f"has no item with a known {target}" if tier in has else f"has no {tier} tier, which “{target}” needs"
    return f"“{corpus.name}” {lack}; {tiers}, so choose another target, or {TIER}NAME."


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "")


def _labelled(corpus: Corpus, target: str) -> Items:
    if target == "word":
        return word_items(corpus)
    if target in OF_THE_SPEAKER:
        items = phone_items(corpus)
        items = items if len(items) else word_items(corpus)
        return items.labelled(items.columns[target])
    if target == "stress":
        items = tier_items(corpus, "stress")
        names = {"0": "unstressed", "1": "stressed", "2": ""}  # secondary stress is left out: too few, too unsure
        return items.labelled(np.array([names.get(label, "") for label in items.label], dtype=str))
    if target.startswith(TIER):
        return tier_items(corpus, target.removeprefix(TIER))
    return _phonological(corpus, target)


def _phonological(corpus: Corpus, target: str) -> Items:
    if target not in TARGETS:
        raise UserError(f"There is no target “{target}”; choose one of {', '.join(TARGETS)}, or {TIER}NAME.")
    items = phone_items(corpus)
    items = items.only(items.end - items.start <= TOO_LONG)
    if target == "phone":
        return items
    known = phone_reading(corpus)
    label = [phonology.feature(known.of(str(phone)), target) for phone in items.label]
    if label and not known.phones:
        raise UserError(
            f"The phones of “{corpus.name}” have no counterpart in ARPAbet, so their {target} is not known; label "
            f"them in a tier of their own and choose {TIER}NAME, or probe “phone”."
        )
    return items.labelled(np.array(label, dtype=str))


def _types(corpus: Corpus, target: str, items: Items) -> tuple[np.ndarray | None, str]:
    """What a control task gives a label each, and what that is: the first that is finer than the classes."""
    for types, name in _candidates(target, items):
        if _finer(types, items.label):
            return types, name
    words = any(utterance.words for utterance in corpus.utterances)
    return None, "no finer type is known" + ("" if words else " (no words tier)")


def _candidates(target: str, items: Items) -> list[tuple[np.ndarray, str]]:
    """The phone's place in its word ("thanks/2"), else its word and phone; the unit with its neighbours."""
    place, word, phone = (items.columns[name] for name in ("position", "word", "phone"))
    unit, name = (phone, "phone") if phone.any() else (word, "word") if word.any() else (items.label, "label")
    before = np.char.add(np.char.add(items.columns["previous"], " "), unit)
    after = np.char.add(np.char.add(unit, " "), items.columns["next"])
    neighbours = [(before, f"{name} with what comes before it"), (after, f"{name} with what comes after it")]
    if target == "word":  # a word's own form is its label
        return neighbours
    kind = "place in the word" if place.any() else f"word and {name}" if word.any() else name
    return [(np.where(place != "", place, np.char.add(np.char.add(word, "/"), phone)), kind), *neighbours]


def _finer(types: np.ndarray, labels: np.ndarray) -> bool:
    """Whether types part the classes: one type for all is no control, and one for each class is the task renamed."""
    commonest = sum(np.unique(types[labels == label], return_counts=True)[1].max() for label in np.unique(labels))
    return commonest <= NOT_FINER * len(labels)


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
