"""Sums of mean states: how near is the answer, and are offsets that should be alike more alike than others?

Vectors are (phones, dim) means; analogies (n, 4) ints: plus, minus, given, answer.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Totals:
    """The states of every phone in every recording, added up: means of any recordings are quick to make of these."""

    sums: np.ndarray  # (recordings, phones, dim)
    counts: np.ndarray  # (recordings, phones)

    @classmethod
    def of(cls, states: np.ndarray, phone: np.ndarray, recording: np.ndarray) -> "Totals":
        """From (tokens, dim) states, the phone of each token and its recording, both counted from 0."""
        shape = (int(recording.max()) + 1, int(phone.max()) + 1)
        sums = np.zeros((*shape, states.shape[1]))
        np.add.at(sums, (recording, phone), states.astype(float))
        counts = np.zeros(shape)
        np.add.at(counts, (recording, phone), 1)
        return cls(sums, counts)

    def means(self, chosen: np.ndarray) -> np.ndarray:
        """(phones, dim) means over the recordings of a mask; NaN for a phone that is not in them."""
        counts = self.counts[chosen].sum(0)
        with np.errstate(invalid="ignore"):
            return self.sums[chosen].sum(0) / counts[:, None]


def halves(counts: np.ndarray, splits: int, seed: int) -> np.ndarray:
    """(splits, recordings) bool: random halves of the recordings, each with every phone on both sides.

    `counts` (recordings, phones). Fewer rows, or none, where such halves are not found in 50 times as many draws.
    """
    random, found = np.random.default_rng(seed), []
    for _ in range(50 * splits):
        half = random.permutation(len(counts)) < len(counts) / 2
        if len(found) < splits and (counts[half].sum(0) > 0).all() and (counts[~half].sum(0) > 0).all():
            found.append(half)
    return np.array(found, dtype=bool).reshape(len(found), len(counts))


def ranks(query: np.ndarray, answers: np.ndarray, analogies: np.ndarray, offset: bool = True) -> np.ndarray:
    """(n, phones) which place each phone has by its cosine to plus - minus + given; NaN for the three used.

    The nearest has 1. Sums are made of `query` and looked up among `answers`, both less the mean of all phones of
    `query`. Without `offset` the sum is the given phone alone.
    """
    centre = np.nanmean(query, 0)
    plus, minus, given, _ = analogies.T
    sums = query[given] - centre
    if offset:
        sums = sums + query[plus] - query[minus]
    near = _unit(sums) @ _unit(answers - centre).T
    near[np.arange(len(near))[:, None], analogies[:, :3]] = np.nan
    placed = 1.0 + (near[:, None, :] > near[:, :, None]).sum(-1)  # NaN is above nothing
    return np.where(np.isfinite(near), placed, np.nan)


def consistency(means: np.ndarray, analogies: np.ndarray) -> float:
    """Area under the curve: are cosines of offsets that should be alike above those of the same phones re-paired?

    For every sum, cos(plus - minus, answer - given) against cos(answer - minus, plus - given): the four phones are
    the same, only who is paired with whom differs. 1: always above; 0.5: no difference.
    """
    plus, minus, given, answer = (means[column] for column in analogies.T)
    alike = (_unit(plus - minus) * _unit(answer - given)).sum(-1)
    others = (_unit(answer - minus) * _unit(plus - given)).sum(-1)
    return float(((alike[:, None] > others) + 0.5 * (alike[:, None] == others)).mean())


def plane(means: np.ndarray, analogy: np.ndarray) -> tuple[np.ndarray, float]:
    """(phones + 1, 2) all phones and, last, the sum, in the plane that holds most of the four points; and how much.

    The plane is that of the first two principal components of the four; the share is that of their variance, 0 to 1.
    """
    plus, minus, given, _ = analogy
    four = means[analogy]
    centre = four.mean(0)
    _, sizes, axes = np.linalg.svd(four - centre, full_matrices=False)
    total = (sizes**2).sum()
    every = np.vstack([means, means[plus] - means[minus] + means[given]])
    return (every - centre) @ axes[:2].T, float((sizes[:2] ** 2).sum() / total) if total > 0 else 1.0


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1; NaN where there is no direction."""
    with np.errstate(invalid="ignore"):
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
