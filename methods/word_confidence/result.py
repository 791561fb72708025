"""What word confidence gives: the numbers of each piece of text and of each word, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from methods.core.results import Result

Baseline = Literal["silence", "mean"]
BASELINES: dict[Baseline, str] = {
    "silence": "digital silence",
    "mean": "the clip's own states, averaged over its frames",
}
LEAST_EVIDENCE = 1.0  # nats; below, the sound makes a word at most 2.7 times as likely as it is without
MOST_ALTERNATIVES = 5  # others that are named for each piece


@dataclass(frozen=True)
class SureWord:
    """A word of the text: its pieces, and when it is said, if that is known."""

    label: str
    first: int  # its pieces are first, …, stop - 1
    stop: int
    start: float = float("nan")  # s
    end: float = float("nan")  # s

    @property
    def pieces(self) -> slice:
        return slice(self.first, self.stop)


@dataclass(frozen=True, eq=False)
class WordConfidenceControls:
    """The same of networks with random weights, each hearing the clip, silence, and its own average."""

    logprobs: np.ndarray  # (seeds so far, pieces) nats
    silence_logprobs: np.ndarray  # (seeds so far, pieces) nats
    mean_logprobs: np.ndarray  # (seeds so far, pieces) nats


@dataclass(frozen=True, eq=False, kw_only=True)
class WordConfidence(Result):
    """How sure a model is of each piece of a text, and what the sound adds. Logarithms are natural.

    Pieces are the decoder's tokens and, last, the end of the text; for a CTC model they are its symbols.
    """

    text: str
    pieces: tuple[str, ...]  # (pieces,) what each adds to the text, leading spaces kept
    logprobs: np.ndarray  # (pieces,) nats, given the sound and all pieces before (CTC: at the piece's frames)
    entropy: np.ndarray  # (pieces,) bits, of the distribution over all pieces that there are
    alternatives: tuple[tuple[str, ...], ...]  # (pieces, up to 5) the likeliest others, likeliest first
    alternative_logprobs: np.ndarray  # (pieces, up to 5) nats
    silence_logprobs: np.ndarray  # (pieces,) nats, of the same piece when silence is heard
    mean_logprobs: np.ndarray  # (pieces,) nats, when each frame holds the average of all
    total: float  # nats, of the whole text; CTC: over all of its paths, which is not the sum over pieces
    words: tuple[SureWord, ...]
    by_paths: bool  # True: a CTC head, weighted over paths; False: a decoder, piece after piece
    no_speech: float | None  # probability of “no speech” in this clip; None in models without that token
    silence_no_speech: float | None  # the same of digital silence
    controls: WordConfidenceControls | None = None  # None until they are computed

    def evidence(self, baseline: Baseline = "silence") -> np.ndarray:
        """(pieces,) nats that hearing the sound adds to each piece's log-probability."""
        return self.logprobs - (self.silence_logprobs if baseline == "silence" else self.mean_logprobs)

    def random_evidence(self, baseline: Baseline = "silence") -> np.ndarray | None:
        """(seeds so far, pieces) the same of random weights; None while there is none."""
        known = self.controls
        if known is None:
            return None
        return known.logprobs - (known.silence_logprobs if baseline == "silence" else known.mean_logprobs)

    def word_logprobs(self) -> np.ndarray:
        """(words,) nats: the sum over each word's pieces."""
        return np.array([self.logprobs[word.pieces].sum() for word in self.words])

    def word_probabilities(self) -> np.ndarray:
        """(words,) how likely each whole word is: the product over its pieces."""
        return np.exp(self.word_logprobs())

    def word_evidence(self, baseline: Baseline = "silence") -> np.ndarray:
        """(words,) nats that the sound adds to each whole word."""
        evidence = self.evidence(baseline)
        return np.array([evidence[word.pieces].sum() for word in self.words])

    def certainty(self) -> np.ndarray:
        """(words,) 0 to 1, what words are shaded by: their probability.

        For a CTC model the geometric mean over a word's symbols: a product of many is small however sure each is.
        """
        if not self.by_paths:
            return self.word_probabilities()
        return np.exp(np.array([self.logprobs[word.pieces].mean() for word in self.words]))

    def unheard(self) -> np.ndarray:
        """(words,) bool, words for which hardly anything in the sound speaks, by at least one of the baselines."""
        least = np.minimum(self.word_evidence("silence"), self.word_evidence("mean"))
        return least < LEAST_EVIDENCE

    def word_of_pieces(self) -> np.ndarray:
        """(pieces,) int, the word that each is part of; -1 for punctuation and the end."""
        found = np.full(len(self.pieces), -1)
        for number, word in enumerate(self.words):
            found[word.pieces] = number
        return found

    def table(self) -> pd.DataFrame:
        """One line per piece, with the numbers of its word beside it."""
        of = self.word_of_pieces()

        def by_word(values: np.ndarray) -> np.ndarray:
            return np.append(values, np.nan)[of]

        columns = {"piece_index": np.arange(len(self.pieces)), "piece": list(self.pieces), "logprob": self.logprobs}
        columns |= {"probability": np.exp(self.logprobs), "entropy_bits": self.entropy}
        columns |= {f"evidence_{name}": self.evidence(name) for name in BASELINES}
        columns |= {"word_index": of, "word": np.array([*(word.label for word in self.words), ""], object)[of]}
        columns |= {"start_s": by_word(np.array([word.start for word in self.words]))}
        columns |= {"end_s": by_word(np.array([word.end for word in self.words]))}
        columns |= {"word_logprob": by_word(self.word_logprobs())}
        columns |= {f"word_evidence_{name}": by_word(self.word_evidence(name)) for name in BASELINES}
        for place in range(self.alternative_logprobs.shape[1]):
            columns[f"alternative_{place + 1}"] = [names[place] for names in self.alternatives]
            columns[f"alternative_{place + 1}_logprob"] = self.alternative_logprobs[:, place]
        return pd.DataFrame(columns | self._random_columns())

    def _random_columns(self) -> dict[str, np.ndarray]:
        found = {}
        for name in BASELINES:
            random = self.random_evidence(name)
            seeds = self.provenance["options"]["random_seeds"]
            for seed, values in zip(seeds, () if random is None else random, strict=False):
                found[f"random_{seed}_evidence_{name}"] = values
        return found
