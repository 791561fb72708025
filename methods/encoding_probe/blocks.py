"""What a state is predicted from: blocks of features of every phone, from its sound to the time in the clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items, phone_items
from methods.core.corpus.labels import TOO_LONG
from methods.core.errors import UserError
from methods.core.speech.acoustics import COEFFICIENTS

BLOCKS: Mapping[str, str] = {
    "acoustics": "its MFCC, and those of the 100 ms before and after it",
    "phone": "which phone it is",
    "neighbours": "which phone comes before, and which after",
    "word": "the word it is in",
    "place": "where in its word it stands, counted from either end",
    "stress": "whether its vowel is stressed",
    "speaker": "who speaks",
    "duration": "how long it lasts",
    "time": "how late in the clip it comes, and how long before its end",
}
WITHOUT: Mapping[str, str] = {  # why there is nothing to predict from
    "phone": "one kind of phone",
    "neighbours": "no neighbours that recordings share",
    "word": "no words that recordings share",
    "place": "no words around the phones",
    "stress": "no tier of stress",
    "speaker": "one speaker",
}
AROUND = 0.1  # s on either side whose sound counts as surroundings
FEWEST_ITEMS = 100  # phones; fewer are less than there are columns in the acoustics and the phones together
MOST_KINDS = 120  # columns of one label (words, phones), so that a corpus of one's own stays within seconds
FURTHEST = 5  # places from either end of a word; what is further away counts with the fifth


@dataclass(frozen=True, eq=False)
class Design:
    """The features of every item, block by block."""

    items: Items
    names: tuple[str, ...]  # of the blocks that say something here
    columns: tuple[np.ndarray, ...]  # per block: (its features,) int, which columns of `values` are its own
    values: np.ndarray  # (n, features) float64, as they are: not standardised
    left_out: tuple[str, ...]  # blocks that say nothing here, with the reason

    @property
    def every(self) -> np.ndarray:
        """(features,) the columns of all blocks."""
        return np.arange(self.values.shape[1])


def design(corpus: Corpus, mfcc: Features) -> Design:
    """The phones of a corpus (n) and their features; `mfcc` are at the frames of the model.

    Raises UserError if there are fewer than 100 phones of at most 0.35 s (longer ones hold a pause).
    """
    whole = phone_items(corpus)
    kept = whole.end - whole.start <= TOO_LONG
    if kept.sum() < FEWEST_ITEMS:
        raise UserError(
            f"“{corpus.name}” has {kept.sum()} phones and an encoding probe needs {FEWEST_ITEMS}; give TextGrids with "
            "a tier of phones, or choose a larger corpus."
        )
    made = {name: np.asarray(block, float)[kept] for name, block in _made(corpus, whole, mfcc).items()}
    told = [name for name, block in made.items() if block.size and np.ptp(block, axis=0).max() > 0]
    edges = np.cumsum([0, *(made[name].shape[1] for name in told)])
    columns = tuple(np.arange(a, b) for a, b in pairwise(edges))
    left_out = tuple(f"{name} ({WITHOUT.get(name, 'the same everywhere')})" for name in BLOCKS if name not in told)
    return Design(whole.only(kept), tuple(told), columns, np.hstack([made[name] for name in told]), left_out)


def _made(corpus: Corpus, items: Items, mfcc: Features) -> dict[str, np.ndarray]:
    """Each block as (n, features), without columns where nothing is known; in the order of `BLOCKS`."""
    columns, where = items.columns, items.utterance
    seconds = np.array([utterance.clip.seconds for utterance in corpus.utterances])[where]
    middle, lasting = (items.start + items.end) / 2, items.end - items.start
    return {
        "acoustics": sound_around(mfcc, items),
        "phone": kinds(columns["phone"], where),
        "neighbours": np.hstack([kinds(columns[side], where) for side in ("previous", "next")]),
        "word": kinds(columns["word"], where),
        "place": _places(columns["position"], where),
        "stress": kinds(_stress(corpus, items), where),
        "speaker": kinds(columns["speaker"], where, shared=False),
        "duration": np.column_stack([lasting, np.log(lasting)]),
        "time": np.column_stack([middle, middle**2, middle**3, middle / seconds, seconds - middle]),
    }


def kinds(labels: np.ndarray, recording: np.ndarray, *, shared: bool = True) -> np.ndarray:
    """(n, kinds) a column of zeros and ones for each label, the commonest first; none for an empty label.

    `shared`: only labels of two recordings or more, since what one alone has cannot be learnt for another.
    """
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    spread = np.array([len(np.unique(recording[labels == name])) for name in names])
    chosen = [n for n in np.argsort(-counts, kind="stable") if spread[n] > 1 or not shared]
    return (labels[:, None] == names[chosen[:MOST_KINDS]]).astype(float)


def sound_around(mfcc: Features, items: Items) -> np.ndarray:
    """(n, 39 + 2 · 13): MFCC with differences over the item, and plain MFCC over the 100 ms before and after it.

    At an edge of the clip what there is of the surroundings counts, and if that is nothing, the frame at the edge.
    """
    sums = np.vstack([np.zeros(mfcc.layers[0].shape[1]), np.cumsum(mfcc.layers[0], axis=0, dtype=float)])
    spans = features.frames_of(mfcc, items)
    first, last = (np.array([getattr(span, side) for span in spans]) for side in ("start", "stop"))
    begin, end = mfcc.offsets[items.utterance], mfcc.offsets[items.utterance + 1]
    reach = np.array([round(AROUND / mfcc.grids[number].step) for number in items.utterance])
    before = np.maximum(first - reach, begin)
    before = np.where(before < first, before, first), np.where(before < first, first, first + 1)
    after = np.minimum(last + reach, end)
    after = np.where(after > last, last, last - 1), np.where(after > last, after, last)
    means = [(sums[b] - sums[a]) / (b - a)[:, None] for a, b in ((first, last), before, after)]
    return np.hstack([means[0], *(mean[:, :COEFFICIENTS] for mean in means[1:])])


def _places(position: np.ndarray, recording: np.ndarray) -> np.ndarray:
    """(n, 10) which phone of its word each is ("word/2"), from the first on and from the last back."""
    place = np.array([int(text.rpartition("/")[2] or 0) for text in position])
    back = np.zeros(len(place), dtype=int)
    for n in range(len(place) - 1, -1, -1):
        if place[n]:
            goes_on = n + 1 < len(place) and recording[n + 1] == recording[n] and place[n + 1] == place[n] + 1
            back[n] = back[n + 1] + 1 if goes_on else 1
    steps = np.arange(1, FURTHEST + 1)
    found = [np.minimum(count, FURTHEST)[:, None] == steps for count in (place, back)]
    return np.hstack(found).astype(float)


def _stress(corpus: Corpus, items: Items) -> np.ndarray:
    """(n,) the label of the tier of stress at the middle of each item; empty where there is none."""
    found = np.full(len(items), "", dtype="<U8")
    for n, (number, start, end) in enumerate(zip(items.utterance, items.start, items.end, strict=True)):
        middle = (start + end) / 2
        tier = corpus.utterances[number].tiers.get("stress", ())
        found[n] = next((s.label for s in tier if s.start <= middle < s.end), "")
    return found


def permuted(block: np.ndarray, recording: np.ndarray, seed: int = 0) -> np.ndarray:
    """The rows of a block (n, features) in random order within each recording.

    What is the same throughout every recording (the speaker) is dealt anew from recording to recording.
    """
    rng = np.random.default_rng(seed)
    _, first, inverse = np.unique(recording, return_index=True, return_inverse=True)
    if (block == block[first][inverse]).all():
        return block[first][rng.permutation(len(first))][inverse]
    moved = block.copy()
    for number in np.unique(recording):
        own = np.flatnonzero(recording == number)
        moved[own] = block[rng.permutation(own)]
    return moved
