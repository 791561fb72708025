"""What phoneme saliency gives: the numbers, their shapes and units, and the table that is downloaded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.explain import faithfulness, perturb
from methods.core.frames import Segment
from methods.core.results import Result

RIVALS = ("phones", "cells", "moments", "loudest phones")  # sets of equal size, in the order of `losses`


@dataclass(frozen=True, eq=False)
class SaliencyControls:
    """What the target loses, to test the phones; None until the first of each kind is there."""

    losses: np.ndarray | None = None  # (rivals, steps) without phones, cells, moments, loudest phones; NaN: not yet
    kept_losses: np.ndarray | None = None  # (rivals, steps) with nothing else of the clip left; NaN: not yet
    random_losses: np.ndarray | None = None  # (draws so far, steps) without random phones of equal duration
    random_kept_losses: np.ndarray | None = None  # (draws so far, steps) with nothing but them
    random_scores: np.ndarray | None = None  # (seeds, phones) the phones' saliency with random weights
    random_weights: np.ndarray | None = None  # (seeds, steps) without the first phones of such a network
    random_weights_kept: np.ndarray | None = None  # (seeds, steps) with nothing but them
    seeds: tuple[int, ...] = ()  # of the networks with random weights so far, in the order of their rows
    refused: tuple[int, ...] = ()  # seeds whose integrated gradients did not add up, so that there is no map
    answers: tuple[tuple[str, str], ...] | None = None  # (steps,) what the model says of the sounds without, with only
    sound_losses: np.ndarray | None = None  # (2, steps) what the target loses in these very sounds


@dataclass(frozen=True)
class Losses:
    """One side of the test, taking phones away or leaving nothing but them; None: not there."""

    own: np.ndarray | None  # (rivals, steps)
    random: np.ndarray | None  # (draws, steps)
    twins: np.ndarray | None  # (seeds, steps)


@dataclass(frozen=True, eq=False, kw_only=True)
class PhonemeSaliency(Result):
    """Phones by saliency, and what the answer loses without the first k of them or without rivals of equal size."""

    phones: tuple[str, ...]  # (phones,) without silences
    starts: np.ndarray  # (phones,) s
    ends: np.ndarray  # (phones,) s
    scores: np.ndarray  # (phones,) saliency gathered over each phone's cells, 0 or more
    saliency: np.ndarray  # (bins, frames) float32, size of the attribution of each cell, 0 or more
    entering: np.ndarray  # (bins, frames) float32, what the network reads there
    base: float  # the target of the unchanged clip, nats (or a logit)
    kept: np.ndarray  # (steps,) int, k
    seconds: np.ndarray  # (steps,) duration of the first k phones
    samples: np.ndarray  # (n,) float32, the clip
    controls: SaliencyControls | None = None

    @property
    def order(self) -> np.ndarray:
        """(phones,) from the most salient to the least."""
        return faithfulness.ranking(self.scores)

    def losses(self, *, kept: bool = False) -> Losses:
        """What is lost without the first phones and their rivals or, if `kept`, with nothing but them."""
        known = self.controls or SaliencyControls()
        if kept:
            return Losses(known.kept_losses, known.random_kept_losses, known.random_weights_kept)
        return Losses(known.losses, known.random_losses, known.random_weights)

    def z(self, *, kept: bool = False) -> np.ndarray:
        """(steps,) standard deviations by which the phones do better than random ones; NaN where these do not vary.

        Better is to lose more without them or, if `kept`, less with nothing but them.
        """
        found = self.losses(kept=kept)
        if found.random is None or len(found.random) < 2:
            return np.full(len(self.kept), np.nan)
        spread = found.random.std(0, ddof=1)
        varies = spread > 1e-9 * max(1.0, float(np.abs(found.random).max()))
        gain = (found.random.mean(0) - found.own[0]) * (1 if kept else -1)
        return np.divide(gain, spread, out=np.full_like(spread, np.nan), where=varies)

    def first(self, step: int) -> tuple[Segment, ...]:
        """The phones that are the explanation at a step, in the order of time."""
        chosen = sorted(self.order[: self.kept[step]])
        return tuple(Segment(self.phones[i], self.starts[i], self.ends[i]) for i in chosen)

    def sounds(self, step: int) -> tuple[Clip, Clip]:
        """The recording without these phones, and with nothing else; silent if it would be inaudible."""
        name, chosen = self.provenance["clip"], self.first(step)
        made = (perturb.replaced(self.samples, chosen), perturb.only(self.samples, chosen))
        return tuple(
            Clip(samples, f"{name} {what} {len(chosen)} phones")
            if np.abs(samples).max() < 1e-3
            else clip_from_samples(samples, SAMPLE_RATE, f"{name} {what} {len(chosen)} phones")
            for samples, what in zip(made, ("without", "only"), strict=True)
        )

    def table(self) -> pd.DataFrame:
        """Phones with their scores, then the losses at each k."""
        rank = np.argsort(self.order)
        phones = pd.DataFrame({"part": "phone", "phone": self.phones, "start_s": self.starts, "end_s": self.ends})
        phones = phones.assign(score=self.scores, rank=rank + 1)
        known = self.controls or SaliencyControls()
        for seed, values in zip(known.seeds, _rows(known.random_scores), strict=True):
            phones[f"random_{seed}_score"] = values
        steps = {"part": "test", "k": self.kept, "seconds": self.seconds, "z": self.z(), "z_only": self.z(kept=True)}
        unknown = np.full(len(self.kept), np.nan)
        for start, found in (("loss", self.losses()), ("loss_only", self.losses(kept=True))):
            own = (unknown,) * len(RIVALS) if found.own is None else found.own
            steps |= {f"{start}_{name.replace(' ', '_')}": row for name, row in zip(RIVALS, own, strict=True)}
            steps |= {f"{start}_random_phones_{number}": row for number, row in enumerate(_rows(found.random), 1)}
            twins = zip(known.seeds, _rows(found.twins), strict=True)
            steps |= {f"{start}_random_weights_{seed}": row for seed, row in twins}
        sounds = (unknown, unknown) if known.sound_losses is None else known.sound_losses
        steps |= dict(zip(("loss_of_the_sound", "loss_only_of_the_sound"), sounds, strict=True))
        return pd.concat([phones, pd.DataFrame(steps)], ignore_index=True)


def _rows(values: np.ndarray | None) -> Sequence[np.ndarray]:
    return () if values is None else values
