"""A spectrogram cut into phones: which cells are whose, and what a target gives when some of them are replaced."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from methods.core import frames as perturb
from methods.core.alignment.tiers import is_silence
from methods.core.audio import Clip
from methods.core.errors import UserError, counted
from methods.core.explain import gradients
from methods.core.explain.attribution_map import GRADIENT_COST
from methods.core.explain.targets import Target
from methods.core.frames import FrameGrid, Segment
from methods.core.models.stages import Level
from methods.core.progress import check_time

Pooling = Literal["mean", "sum"]
Instead = Literal["silence", "mean"]
USUAL_STEPS, TWINS_STEPS = 48, 8  # gradients of at most 96 that integrated gradients took on bundled clips
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
    known: dict[bytes, float] = field(default_factory=dict, init=False)  # set of cells -> the target without it

    def score(self, gone: np.ndarray) -> float:
        """The target when these cells, (bins, own) bool, are replaced. No set is run twice: all phones are one set."""
        key = hashlib.sha256(np.packbits(gone).tobytes()).digest()
        if key not in self.known:
            cells = self.entering.copy()
            cells[:, : self.own][gone] = self.instead[:, : self.own][gone]
            self.known[key] = self.target.score_at(self.level, cells.T if self.level == "embedding" else cells)
        return self.known[key]

    def lost(self, sets: Sequence[np.ndarray]) -> np.ndarray:
        """(2, sets) what the target loses without each set of cells, and with nothing else of the clip."""
        scores = [[self.score(gone) for gone in sets], [self.score(~gone) for gone in sets]]
        return self.target.base - np.array(scores)

    def frames(self, chosen: Sequence[int], most: int | None = None) -> np.ndarray:
        """(bins, own) bool: all cells of these phones, or as many of their first frames as are allowed."""
        listed = list(dict.fromkeys(frame for phone in chosen for frame in self.spans[phone]))[:most]
        gone = np.zeros((len(self.entering), self.own), bool)
        gone[:, listed] = True
        return gone


def phones_of(clip: Clip, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments that are phones of this clip; UserError for fewer than two."""
    phones = [s for s in perturb.without_overlap(segments) if not is_silence(s.label)]
    phones = [phone for phone in phones if phone.start < clip.seconds]
    if len(phones) < 2:
        raise UserError(
            f"This clip has {counted(len(phones), 'phone')} with times and ranking needs at least two; give its "
            "English transcript and align it, or a TextGrid with a tier of phones.",
            mend={"segments": "phones"},
        )
    return tuple(phones)


def scene(target: Target, phones: Sequence[Segment], instead: str) -> Scene:
    """Where the phones are in what a target's network reads, and what may take a cell's place."""
    if instead not in ("silence", "mean"):
        raise UserError(f"There is no {instead!r} to put in a cell's place; choose silence or mean.")
    level: Level = "log-mel" if "log-mel" in target.levels else "embedding"
    arrays = [x[0].cpu().numpy() for x in (target.entering(level), gradients.baseline_at(target, level, instead))]
    entering, other = (array.T if level == "embedding" else array for array in arrays)
    seconds = target.clip.seconds
    own = min(entering.shape[1], max(int(np.ceil(seconds / STEP[level])), 1))
    grid = FrameGrid(0.0, STEP[level], own, seconds)
    return Scene(target, level, entering.copy(), other.copy(), own, tuple(grid.spans(phones)))


def pooled(saliency: np.ndarray, spans: Sequence[range], pooling: Pooling = "mean") -> np.ndarray:
    """(phones,) saliency of (bins, frames) gathered over each phone's cells; of a shared frame, its part in a sum."""
    if pooling == "sum":
        saliency = saliency * perturb.portions(spans, saliency.shape[1])
    gather: Callable = {"mean": np.mean, "sum": np.sum}[pooling]
    return np.array([gather(saliency[:, span.start : span.stop]) for span in spans])


def check_affordable(scene: Scene, method: str, steps: int, sets: int, seeds: Sequence[int], limit: float) -> None:
    """Raise UserError where maps, `sets` of cells and what is said would take too long, judged by the first pass.

    `seeds` are networks with random weights, which need a map each; `limit` is in seconds.
    """
    own, twin = {
        "integrated gradients": (min(steps, USUAL_STEPS), min(steps, TWINS_STEPS)),
        "SmoothGrad": (gradients.NOISY_SAMPLES, gradients.NOISY_SAMPLES),
    }.get(method, (1, 1))
    passes = GRADIENT_COST * (own + len(seeds) * twin) + 2 * sets
    way = "choose the clip-only window, a smaller model or a shorter clip, or ask for fewer draws and seeds"
    what = f"{scene.target.model.id} would have to run about {passes:.0f} times, which"
    check_time(passes * scene.target.seconds, limit, what, way)
