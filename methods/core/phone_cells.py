"""A spectrogram cut into phones: which cells are whose, and what a target gives when some of them are replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from methods.core import gradients
from methods.core.errors import UserError
from methods.core.frames import FrameGrid, Segment
from methods.core.stages import Level
from methods.core.targets import Target

Pooling = Literal["mean", "sum"]
Instead = Literal["silence", "mean"]
STEP = {"log-mel": 0.01, "embedding": 0.02}  # s between frames of a level


@dataclass(frozen=True, eq=False)
class Scene:
    """What is taken apart: the target's input at one level, as (bins, frames), and where the phones are in it."""

    target: Target
    level: Level
    entering: np.ndarray  # (bins, frames) all that the network reads, padding too
    instead: np.ndarray  # (bins, frames)
    own: int  # frames of the clip itself
    spans: tuple[range, ...]  # frames of each phone

    def score(self, gone: np.ndarray) -> float:
        """The target when these cells, (bins, own) bool, are replaced."""
        cells = self.entering.copy()
        cells[:, : self.own][gone] = self.instead[:, : self.own][gone]
        return self.target.score_at(self.level, cells.T if self.level == "embedding" else cells)

    def frames(self, chosen: Sequence[int], most: int | None = None) -> np.ndarray:
        """(bins, own) bool: all cells of these phones, or as many of their first frames as are allowed."""
        listed = [frame for phone in chosen for frame in self.spans[phone]][:most]
        gone = np.zeros((len(self.entering), self.own), bool)
        gone[:, listed] = True
        return gone


def scene(target: Target, phones: Sequence[Segment], instead: str) -> Scene:
    """Where the phones are in what a target's network reads, and what may take a cell's place."""
    if instead not in ("silence", "mean"):
        raise UserError(f"There is no {instead!r} to put in a cell's place; choose silence or mean.")
    level: Level = "log-mel" if "log-mel" in target.levels else "embedding"
    arrays = [x[0].numpy() for x in (target.entering(level), gradients.baseline_at(target, level, instead))]
    entering, other = (array.T if level == "embedding" else array for array in arrays)
    seconds = target.clip.seconds
    own = min(entering.shape[1], max(int(np.ceil(seconds / STEP[level])), 1))
    grid = FrameGrid(0.0, STEP[level], own, seconds)
    return Scene(target, level, entering.copy(), other.copy(), own, tuple(grid.spans(phones)))


def pooled(saliency: np.ndarray, spans: Sequence[range], pooling: Pooling = "mean") -> np.ndarray:
    """(phones,) saliency of (bins, frames) gathered over each phone's cells."""
    gather: Callable = {"mean": np.mean, "sum": np.sum}[pooling]
    return np.array([gather(saliency[:, span.start : span.stop]) for span in spans])
