"""What sufficient sound gives: the numbers, their shapes and units, and the table that is downloaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.asr_explanation import sufficient_frames
from methods.core.audio import Clip
from methods.core.explain import perturb
from methods.core.frames import Segment
from methods.core.results import Result

SFL, CAUSAL, LIME, ENERGY = "SFL", "causal", "LIME", "energy"
CHANCE = "random 1"
PRUNED = (SFL, CHANCE, LIME, CAUSAL, ENERGY)  # in this order; the sets of these are cut down to what is needed


@dataclass(frozen=True, eq=False)
class Explanation:
    """One ranking of the frames and the set that it leads to."""

    name: str  # SFL, causal, LIME, energy, random 1, …
    scores: np.ndarray  # (frames,) of the ranking, high first
    sizes: np.ndarray  # (steps,) frames kept
    similarity: np.ndarray  # (steps,) 0 to 1, of the transcript when so many of the first frames are kept
    enough: np.ndarray  # (frames,) bool, the first set that passes
    heard: str  # in that set
    halves: float  # Spearman, -1 to 1, of the scores from two halves of the versions; NaN where they make no scores
    redundancy: float = math.nan  # share of `enough` of which each frame alone could go; NaN where it was not asked
    minimal: np.ndarray | None = None  # (frames,) bool, the same after all frames that are not needed have left
    heard_minimal: str | None = None
    heard_without: str | None = None  # in all the rest: the clip without the minimal set

    @property
    def size(self) -> float:
        """Share of the frames in the first set that passes, 0 to 1; low is good."""
        return float(self.enough.mean())

    @property
    def minimal_size(self) -> float:
        """Share of the frames that are left in the minimal set; NaN where there is none."""
        return float("nan") if self.minimal is None else float(self.minimal.mean())


@dataclass(frozen=True, eq=False, kw_only=True)
class AsrExplanation(Result):
    """What part of a clip is enough, by several rankings."""

    clip: Clip
    heard: str  # in the unchanged clip, in the window that was used
    unit: str  # "words" or "phones"
    threshold: float  # similarity that passes
    frames: tuple[Segment, ...]  # (frames,)
    energy: np.ndarray  # (frames,) mean power
    mutants: np.ndarray  # (mutants so far, frames) bool, True for kept
    similarity: np.ndarray  # (mutants so far,) 1 - error rate, 0 to 1
    counts: np.ndarray  # (4, frames) mutants: frame kept & passed, kept & failed, masked & passed, masked & failed
    asked: int  # versions of the clip that were heard
    explanations: tuple[Explanation, ...] = ()  # those that are there so far; controls come last
    settled: float | None = None  # share of the frames that the causal search had the time to look at singly

    def sound(self, kept: np.ndarray) -> Clip:
        """The clip with only these frames; all else is silent."""
        return Clip(kept_sound(self.clip, self.frames, kept), self.clip.name)

    def named(self, name: str) -> Explanation | None:
        """The explanation with this name, if it is there."""
        return next((each for each in self.explanations if each.name == name), None)

    def overlaps(self) -> np.ndarray:
        """(explanations, explanations) Jaccard overlap of the sets that pass."""
        sets = [each.enough for each in self.explanations]
        return np.array([[sufficient_frames.overlap(a, b) for b in sets] for a in sets])

    def table(self) -> pd.DataFrame:
        """One line per frame: times, energy, counts, and for each ranking its score and whether it keeps the frame."""
        columns: dict[str, Sequence] = {"start_s": [frame.start for frame in self.frames]}
        columns |= {"end_s": [frame.end for frame in self.frames], "energy": self.energy}
        names = ("kept_passed", "kept_failed", "masked_passed", "masked_failed")
        columns |= dict(zip(names, self.counts, strict=True))
        for each in self.explanations:
            columns |= {f"{each.name}_score": each.scores, f"{each.name}_enough": each.enough}
            columns |= {} if each.minimal is None else {f"{each.name}_minimal": each.minimal}
        return pd.DataFrame(columns)


def kept_sound(clip: Clip, frames: Sequence[Segment], kept: np.ndarray) -> np.ndarray:
    gone = [frame for frame, keep in zip(frames, kept, strict=True) if not keep]
    return perturb.replaced(clip.samples, gone) if gone else np.asarray(clip.samples)
