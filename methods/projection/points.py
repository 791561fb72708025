"""Which items are projected, their vectors, and the map of one layer with its quality."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core.corpus import Corpus, features, items
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items
from methods.core.errors import UserError
from methods.core.speech import phonology, praat
from methods.core.statistics import splits
from methods.projection import embedding
from methods.projection.embedding import Embedded

UNITS = ("phones", "vowels", "words", "frames")
MOST = 3000  # points
SENSE = {
    "unit": UNITS,
    "method": tuple(embedding.METHODS),
    "metric": ("euclidean", "cosine"),
    "most": (embedding.FEWEST, MOST),
    "perplexity": (1, MOST),
    "neighbours": (2, MOST),
}


@dataclass(frozen=True)
class PointsAsked:
    """The options of `projection.analyse`."""

    method: str
    unit: str
    label: str
    standardise: bool
    metric: str
    perplexity: float
    neighbours: int
    most: int
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    seed: int


@dataclass(frozen=True, eq=False)
class Points:
    """The items of a projection."""

    items: Items
    label: np.ndarray  # (items,) what colours them
    frames: list[range]  # rows of the features that each is the mean of
    token: np.ndarray  # (items,) int: the stretch that each is of; frames share theirs
    train: np.ndarray  # (items,) bool: what LDA learns from; nothing for other methods
    left_out: int

    @property
    def shown(self) -> np.ndarray:
        """(items,) which of them are on the map."""
        return ~self.train


@dataclass(frozen=True, eq=False)
class Mapped:
    """The map of one layer."""

    made: Embedded
    quality: np.ndarray  # (5,)
    chance: np.ndarray  # (2,) neighbours of the same label by chance, in the plane and in the full space


def choose(corpus: Corpus, places: Features, asked: PointsAsked) -> Points:
    """At most `asked.most` items with a label each. Raises UserError where nothing is labelled."""
    found = items.word_items(corpus) if asked.unit == "words" else items.phone_items(corpus)
    if asked.unit == "vowels":
        found = found.only(np.isin(_english(found.label, corpus), list(phonology.VOWELS)))
    if not len(found):
        what = "vowels of English" if asked.unit == "vowels" else asked.unit
        raise UserError(
            f"These recordings have no {what}; choose another corpus, upload TextGrids, or give the clip's transcript "
            "and press “Align”."
        )
    found, token = _frames(found, places) if asked.unit == "frames" else (found, np.arange(len(found)))
    label = labels(found, asked.label, corpus)
    named = np.flatnonzero(label != "")
    if not len(named):
        raise UserError(_unknown(asked.label))
    kept = named[_thinned(label[named], asked.most, asked.seed)]
    found, label = found.only(kept), label[kept]
    train = np.zeros(len(kept), dtype=bool) if asked.method != "lda" else _learnt(found, label, asked.seed)
    return Points(found, label, features.frames_of(places, found), token[kept], train, len(named) - len(kept))


def _learnt(found: Items, label: np.ndarray, seed: int) -> np.ndarray:
    """(n,) bool: half of the recordings, of each label if each has but one (a speaker, say), else of each speaker."""
    each = len(set(zip(found.utterance, label, strict=True))) == len(np.unique(found.utterance))
    return splits.dealt(found.utterance, label if each else found.columns["speaker"], seed)


def _frames(found: Items, places: Features) -> tuple[Items, np.ndarray]:
    """Every frame of these stretches as an item of its own, and the number of its stretch."""
    spans = features.frames_of(places, found)
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    token = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
    single = found.only(token)
    half = places.grids[0].step / 2
    centre = places.times[rows]
    return replace(single, start=np.maximum(centre - half, 0), end=centre + half), token


def _english(labels: np.ndarray, corpus: Corpus) -> np.ndarray:
    """(n,) str: the phones in ARPAbet, empty where they have no counterpart."""
    known = items.phone_reading(corpus)
    return np.array([known.of(str(label)) for label in labels], dtype=str)


def labels(found: Items, name: str, corpus: Corpus) -> np.ndarray:
    """(n,) str: the own label, a phonological class, or a column."""
    if name == "own":
        return found.label.astype(str)
    if name in phonology.FEATURES:
        return np.array(
            [phonology.feature(phone, name) for phone in _english(found.columns["phone"], corpus)], dtype=str
        )
    if name in found.columns:
        return found.columns[name].astype(str)
    known = ", ".join(("own", *phonology.FEATURES, *found.columns))
    raise UserError(f"These items have no label “{name}”; choose one of {known}.")


def _unknown(label: str) -> str:
    """Why nothing has a colour."""
    advice = "choose another colour, such as own"
    if label in phonology.FEATURES:
        return (
            f"Of none of these items the {label} is known: their phones have no counterpart in ARPAbet, or none that "
            f"has a {label}; {advice}."
        )
    return f"None of these items has a “{label}”: their recordings name none; {advice}."


def _thinned(label: np.ndarray, most: int, seed: int) -> np.ndarray:
    """The largest equal allowance per label that gives at most `most` items, drawn at random, in their old order."""
    if len(label) <= most:
        return np.arange(len(label))
    counts = np.unique(label, return_counts=True)[1]
    allowance = max((cap for cap in range(1, counts.max() + 1) if np.minimum(counts, cap).sum() <= most), default=0)
    rng = np.random.default_rng(seed)
    if not allowance:  # more labels than room
        return np.sort(rng.permutation(len(label))[:most])
    drawn = [rng.permutation(np.flatnonzero(label == one))[:allowance] for one in np.unique(label)]
    return np.sort(np.concatenate(drawn))


def mapped(layer: np.ndarray, chosen: Points, asked: PointsAsked) -> Mapped:
    """The map of one layer's (frames, dim) and its quality."""
    vectors = np.stack([layer[span.start : span.stop].mean(0, dtype=np.float64) for span in chosen.frames])
    vectors = embedding.standardised(vectors) if asked.standardise else vectors
    made = embedding.embed(
        vectors, asked.method, labels=chosen.label, train=chosen.train, metric=asked.metric,
        perplexity=asked.perplexity, neighbours=int(asked.neighbours), seed=asked.seed,
    )  # fmt: skip
    shown, label = vectors[chosen.shown], chosen.label[chosen.shown]
    chance = np.full(2, embedding.agreement_by_chance(label))
    if asked.unit == "frames":
        token = chosen.token[chosen.shown]
        chance = np.array(
            [embedding.agreement_of_tokens_by_chance(v, label, token, asked.seed) for v in (made.points, shown)]
        )
    return Mapped(made, embedding.quality(shown, made.points, label), chance)


def notes(chosen: Points, asked: PointsAsked) -> tuple[str, ...]:
    """Where there are too few points for the neighbourhood that was asked for, how large it could be instead."""
    n = len(chosen.items)
    if asked.method == "tsne" and asked.perplexity > embedding.most_perplexity(n):
        most = embedding.most_perplexity(n)
        return (f"perplexity {most:.1f}, for {asked.perplexity:g} is too much for {n} points",)
    if asked.method == "umap" and asked.neighbours > n - 1:
        return (f"{n - 1} neighbours, for there are no {asked.neighbours} beside each of {n} points",)
    return ()


def formants(corpus: Corpus, chosen: Points) -> np.ndarray:
    """(shown, 2) F1 and F2 in Hz in the middle of each vowel; NaN for everything else, and where none is found."""
    shown = chosen.items.only(chosen.shown)
    found = np.full((len(shown), 2), np.nan)
    vowels = np.isin(_english(shown.columns["phone"], corpus), list(phonology.VOWELS))
    for number in np.unique(shown.utterance[vowels]):
        mine = vowels & (shown.utterance == number)
        middles = (shown.start[mine] + shown.end[mine]) / 2
        found[mine] = praat.formants(corpus.utterances[number].clip, middles)[:, :2]
    return found


def directions(points: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """(layers, 2, 3) for F1 and F2: which way they rise on each map, and R²."""
    found = np.full((len(points), 2, 3), np.nan)
    for layer, place in enumerate(points):
        for formant in (0, 1):
            found[layer, formant, :2], found[layer, formant, 2] = embedding.direction(place, hertz[:, formant])
    return found
