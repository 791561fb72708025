"""Frames counted by phone and unit: which frames teach the units, which are counted, and what comes out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from methods.core.corpus import Corpus, features, items
from methods.core.corpus.features import Features
from methods.core.errors import UserError
from methods.core.statistics import k_means, splits
from methods.core.statistics.k_means import ClusterRecipe
from methods.discrete_units import information

SHUFFLES = 20  # what is as large as the highest of them happens by chance once in 21 times
ALIKE = 5  # stretches that exchange their phones: of more the lengths differ, of fewer most would keep their own


@dataclass(frozen=True, eq=False)
class Split:
    """Half of the recordings teach, the rest is counted."""

    train: np.ndarray  # (frames,) bool: frames of teaching recordings, labelled or not
    test: np.ndarray  # (frames,) bool: labelled frames of the others
    codes: np.ndarray  # (frames,) int: phone of each frame, -1 where there is none
    token: np.ndarray  # (frames,) int: which stretch of a phone each frame is of, -1 where there is none
    recording: np.ndarray  # (frames,) int
    phones: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Counted:
    """One layer's units."""

    table: np.ndarray  # (phones, units) int
    scores: np.ndarray  # (4,)
    shuffled: np.ndarray  # (SHUFFLES, 4) with the phones of whole stretches shuffled
    also: np.ndarray  # (clip frames,) int, units of the clip; (0,) without one


def split(corpus: Corpus, places: Features, seed: int = 0) -> Split:
    """Half of each speaker's recordings on each side. Raises UserError with fewer than two recordings with phones."""
    found = items.phone_items(corpus)
    with_phones = np.unique(found.utterance)
    if len(with_phones) < 2:
        raise UserError(
            f"Units are learnt from some recordings and counted on others, and {len(with_phones)} of these has "
            "phones; at least 2 are needed: choose a bundled corpus, or upload several recordings with TextGrids."
        )
    phones, of_item = np.unique(found.label, return_inverse=True)
    token = np.full(len(places.times), -1)
    for number, span in enumerate(features.frames_of(places, found)):
        token[span.start : span.stop] = number
    codes = np.where(token >= 0, of_item[token], -1)
    teaching = found.utterance[splits.dealt(found.utterance, found.columns["speaker"], seed)]
    train = np.isin(places.utterance, teaching)
    return Split(train, ~train & (codes >= 0), codes, token, places.utterance, tuple(map(str, phones)))


def by_k_means(
    layer: np.ndarray,
    parts: Split,
    count: int,
    seed: int,
    also: np.ndarray | None = None,
    recipe: ClusterRecipe = "scaled",
) -> Counted:
    """Learn `count` units from the teaching recordings, count the others, and write `also` in units."""
    book = k_means.learn(layer[parts.train], count, seed, recipe)
    return _counted(book.assign(layer[parts.test]), count, parts, seed, None if also is None else book.assign(also))


def by_codes(codes: np.ndarray, parts: Split, seed: int, also: np.ndarray | None = None) -> Counted:
    """The same for units that the model brings: (frames,) numbers, of which only those that occur get a column."""
    everything = codes if also is None else np.concatenate([codes, also])
    known, dense = np.unique(everything, return_inverse=True)
    clip = None if also is None else dense[len(codes) :]
    return _counted(dense[: len(codes)][parts.test], len(known), parts, seed, clip)


def _counted(found: np.ndarray, count: int, parts: Split, seed: int, also: np.ndarray | None) -> Counted:
    phone = parts.codes[parts.test]
    table = tabulated(phone, found, len(parts.phones), count)
    null = [
        information.scores(tabulated(mixed, found, len(parts.phones), count))
        for mixed in shuffles(phone, parts.token[parts.test], parts.recording[parts.test], seed)
    ]
    nothing = np.zeros(0, dtype=np.int64)
    return Counted(table, information.scores(table), np.array(null), nothing if also is None else also)


def shuffles(phone: np.ndarray, token: np.ndarray, recording: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """(frames,) phones that have nothing to do with the sound, SHUFFLES times: each stretch gets another one's phone.

    Not frame by frame: the frames of a stretch share their unit as they share their phone, so that few stretches agree
    by chance more often than as many frames as they have would. And only among stretches of one recording and of much
    the same length: phones differ in length, and recordings in their phones and in their sound, neither of which says
    that units know phones. Over all stretches, unrelated units of 5 to 27 bundled prompts had more mutual information
    than all 20 shuffles in .13 to .15 of 400 simulations and more PNMI in .07 to .08, where 1 in 21 should; so in .02
    to .04 and .03 to .05 (`benchmarks/chance.py`).
    """
    _, first, of_frame, length = np.unique(token, return_index=True, return_inverse=True, return_counts=True)
    lots = list(_alike(recording[first], length))
    rng = np.random.default_rng(seed)
    for _ in range(SHUFFLES):
        dealt = phone[first]
        for lot in lots:
            dealt[lot] = rng.permutation(dealt[lot])
        yield dealt[of_frame]


def _alike(recording: np.ndarray, length: np.ndarray) -> Iterator[np.ndarray]:
    """Stretches of a recording by their length, the shortest first, ALIKE or more in a lot where there are so many."""
    for number in np.unique(recording):
        own = np.flatnonzero(recording == number)
        yield from np.array_split(own[np.argsort(length[own], kind="stable")], max(1, len(own) // ALIKE))


def tabulated(rows: np.ndarray, columns: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) how often each pair of numbers occurs."""
    return np.bincount(rows * width + columns, minlength=height * width).reshape(height, width)
