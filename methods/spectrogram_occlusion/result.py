"""What spectrogram occlusion gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from methods.core.audio import Clip
from methods.core.explain.faithfulness import Verdict
from methods.core.frames import Segment
from methods.core.results import Result, read_only
from methods.spectrogram_occlusion import masked_sound
from methods.spectrogram_occlusion import masks as spectrogram_masks
from methods.spectrogram_occlusion.masks import Masks
from methods.spectrogram_occlusion.trials import MapTrial, best_cells

Level = Literal["token", "word", "sentence"]
FEWEST_MASKS, MOST_MASKS = 24, 20_000
SHUFFLES = 20  # maps of chance whose size is known; they run no model


@dataclass(frozen=True, eq=False)
class Twin:
    """The same masks and the same text with random weights."""

    seed: int
    impacts: np.ndarray  # (masks, tokens + 1) nats


@dataclass(frozen=True, eq=False, kw_only=True)
class SpectrogramOcclusion(Result):
    """What each mask did to each token; maps are made from it on demand."""

    text: str  # forced upon the decoder: the model's own, unless another one was given
    heard: str  # what the model writes of the unchanged clip in the window that was used
    tokens: tuple[str, ...]  # (tokens + 1,) of the text, and its end
    words: tuple[str, ...]  # (words,)
    word_tokens: tuple[range, ...]  # (words,) the tokens of each word
    log_mel: np.ndarray  # (mels, mel frames) what the model reads: log10 power scaled by Whisper to about -1 to 1.5
    neutral: float  # what patches are painted with, in the same unit
    masks: Masks  # of those that have been run
    impacts: np.ndarray  # (masks, tokens + 1) Kullback-Leibler divergence of each token's distribution, nats, >= 0
    spoken: tuple[Segment, ...]  # words with their times, for the eye alone; () if they are not known
    samples: np.ndarray  # (n,) float32, the clip
    filters: np.ndarray  # (bins, mels) of the model's log-mel
    # What comes after the masks, one after the other:
    text_impacts: np.ndarray | None = None  # (tokens + 1, tokens) divergence, nats, an earlier token hidden; else NaN
    random: tuple[Twin, ...] = ()  # random-weights controls
    trials: tuple[MapTrial, ...] = ()  # deletion and insertion by the sentence map, by loudness, and by maps of chance
    heard_sounds: tuple[tuple[str, str], ...] = ()  # (points + 1,) what the model writes of `sounds` at each step

    def relevance(self, token: int) -> np.ndarray:
        """(mels, mel frames) mean divergence, in nats, of a token where each cell was hidden; never below 0."""
        return spectrogram_masks.relevance(self.masks, self.impacts[:, token])

    def scores(self, level: Level = "sentence", number: int = 0) -> np.ndarray:
        """(masks,) how much each mask harms a token, word or the sentence: mean over tokens, standardised each."""
        return _scores(self.impacts, self.tokens_of(level, number))

    def map(self, level: Level = "sentence", number: int = 0) -> np.ndarray:
        """(mels, mel frames) relevance in standard deviations of the harm; 0 is an average cell."""
        return spectrogram_masks.relevance(self.masks, self.scores(level, number))

    def tokens_of(self, level: Level, number: int) -> range:
        """Which tokens make up this token, word or the sentence (without its end)."""
        if level == "token":
            return range(number, number + 1)
        return self.word_tokens[number] if level == "word" else range(len(self.tokens) - 1)

    def split_half(self, level: Level = "sentence", number: int = 0) -> float:
        """Correlation of two maps from half of the masks each."""
        return spectrogram_masks.split_half(self.masks, self.scores(level, number))

    def convergence(self, level: Level = "sentence", number: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(points,) masks, (points,) split-half correlation with so many, and (3, points) the same by chance."""
        scores, sizes = self.scores(level, number), len(self.masks.patches)
        counts = np.unique(np.linspace(min(FEWEST_MASKS, len(self.masks)), len(self.masks), 6).astype(int))
        dealt = [spectrogram_masks.shuffled(scores, sizes, seed) for seed in range(3)]
        rows = [
            [spectrogram_masks.split_half(self.masks.first(count), values[:count]) for count in counts]
            for values in (scores, *dealt)
        ]
        return counts, read_only(rows[0]), read_only(rows[1:])

    def random_agreement(self) -> np.ndarray:
        """(seeds,) correlation of the sentence map with that of random weights, which know no speech."""
        own = self.map()
        maps = (_map(self.masks, twin.impacts, self.tokens_of("sentence", 0)) for twin in self.random)
        return np.array([spectrogram_masks.correlation(own, other) for other in maps])

    def size(self, level: Level = "sentence", number: int = 0) -> tuple[float, np.ndarray]:
        """Share of cells that are relevant (`spectrogram_masks.compactness`), and (SHUFFLES,) the same by chance."""
        return spectrogram_masks.size_and_chance(self.masks, self.scores(level, number), SHUFFLES)

    def sounds(self, step: int) -> tuple[Clip, Clip]:
        """The clip without the cells that go first in the deletion curve, up to a step, and with nothing else."""
        best = best_cells(self.map(), int(self.trials[0].trial.taken[step]))
        return masked_sound.parted(self.samples, self.filters, best, self.provenance["clip"])

    @property
    def verdict(self) -> Verdict | None:
        """The sentence map's trial beside those of loudness and chance; None while they are not there."""
        if len(self.trials) < 2:
            return None
        own, energy, *chance = (each.trial for each in self.trials)
        return Verdict(own, energy, tuple(chance))

    def table(self) -> pd.DataFrame:
        """One line per cell of the spectrogram: its level, and its relevance for the sentence and for each word."""
        mel, frame = np.indices(self.log_mel.shape).reshape(2, -1)
        columns = {"mel_band": mel, "time_s": frame * 0.01, "log_mel": self.log_mel.ravel()}
        columns["sentence"] = self.map().ravel()
        for number, word in enumerate(self.words):
            columns[f"word_{number + 1}_{word}"] = self.map("word", number).ravel()
        return pd.DataFrame(columns)


def _scores(impacts: np.ndarray, tokens: range) -> np.ndarray:
    return spectrogram_masks.standardised(impacts[:, tokens.start : tokens.stop]).mean(1)


def _map(masks: Masks, impacts: np.ndarray, tokens: range) -> np.ndarray:
    return spectrogram_masks.relevance(masks.first(len(impacts)), _scores(impacts, tokens))
