"""Small classifiers of our own on a network's frozen states: the same question learnt from other halves of the data.

A linear head has one best solution, so that other random numbers alone would change nothing; what differs here is
the half of the recordings that a head has heard. Each tells vowels from consonants by the mean state of a phone, and
is judged on the recordings that it has not heard.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from methods.core.audio import Clip
from methods.core.corpus import Corpus
from methods.core.corpus.items import Items, phone_items
from methods.core.corpus.labels import TOO_LONG
from methods.core.errors import UserError
from methods.core.results import read_only
from methods.core.speech.phonology import VOWELS

QUESTION = "vowel rather than consonant"
FEWEST = 20  # phones of each class in each half: fewer and a head has learnt nothing that could be explained
ROUNDS = 1000
SAME = 0.99  # correlation at which two sounds are one recording, at another level perhaps


@dataclass(frozen=True, eq=False)
class Heads:
    """Linear classifiers: log-odds = states @ weights + offset."""

    weights: np.ndarray  # (heads, dim)
    offsets: np.ndarray  # (heads,)
    accuracy: np.ndarray  # (heads,) share of the phones of the unheard half that are told right
    majority: float  # the accuracy of always naming the more frequent class
    items: int  # phones in both halves

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def likeness(self) -> float:
        """Mean cosine between the weights of two heads, -1 to 1."""
        unit = self.weights / np.linalg.norm(self.weights, axis=1, keepdims=True)
        return float((unit @ unit.T)[np.triu_indices(len(unit), 1)].mean())


def vowels_and_consonants(corpus: Corpus, clip: Clip) -> tuple[Items, np.ndarray]:
    """The phones of a corpus, but for recordings that are the clip itself, and whether each is a vowel."""
    itself = [number for number, u in enumerate(corpus.utterances) if is_same(u.clip, clip)]
    items = phone_items(corpus)
    items = items.only((items.end - items.start <= TOO_LONG) & ~np.isin(items.utterance, itself))
    return items, np.isin(items.label, sorted(VOWELS))


def is_same(first: Clip, second: Clip) -> bool:
    """Whether two clips are one recording."""
    if len(first.samples) != len(second.samples):
        return False
    one, other = (clip.samples - clip.samples.mean(dtype=np.float64) for clip in (first, second))
    scale = float(np.sqrt(np.sum(one**2) * np.sum(other**2)))
    return scale > 0 and float(np.sum(one * other)) > SAME * scale


def train(
    states: np.ndarray, wanted: np.ndarray, recording: np.ndarray, count: int, seed: int = 0, *, shuffled: bool = False
) -> Heads:
    """`count` heads, each on another random half of the recordings, of (n, dim) states with (n,) bool labels.

    `shuffled` deals the labels out anew for each head: what it has then learnt is chance. Raises UserError where a
    half has too few of either class.
    """
    weights, offsets, accuracy = [], [], []
    for number in range(count):
        random = np.random.default_rng((seed, number))
        mixed = random.permutation(np.unique(recording))
        heard = np.isin(recording, mixed[: len(mixed) // 2])
        labels = random.permutation(wanted) if shuffled else wanted
        few = min(int(part.sum()) for part in (labels & heard, ~labels & heard, labels & ~heard, ~labels & ~heard))
        if few < FEWEST:
            raise UserError(
                f"Half of these recordings has only {few} vowels or consonants, and a head needs {FEWEST} of each to "
                "learn from; take a larger corpus."
            )
        mean, spread = states[heard].mean(0), states[heard].std(0)
        spread[spread == 0] = 1.0
        model = LogisticRegression(max_iter=ROUNDS).fit((states[heard] - mean) / spread, labels[heard])
        accuracy.append(model.score((states[~heard] - mean) / spread, labels[~heard]))
        weights.append(model.coef_[0] / spread)
        offsets.append(float(model.intercept_[0] - weights[-1] @ mean))
    share = float(wanted.mean())
    return Heads(read_only(weights), read_only(offsets), read_only(accuracy), max(share, 1 - share), len(wanted))
