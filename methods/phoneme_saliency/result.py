"""What phoneme saliency gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.explain import faithfulness, perturb
from methods.core.frames import Segment

RIVALS = ("phones", "cells", "moments", "loudest phones")  # sets of equal size, in the order of `losses`


@dataclass(frozen=True, eq=False)
class PhonemeSaliency:
    """Phones by saliency, and what the answer loses without the first k of them or without rivals of equal size."""

    phones: tuple[str, ...]  # (phones,) without silences
    starts: np.ndarray  # (phones,) s
    ends: np.ndarray  # (phones,) s
    scores: np.ndarray  # (phones,) saliency gathered over each phone's cells, 0 or more
    random_scores: np.ndarray  # (seeds, phones) the same with random weights
    saliency: np.ndarray  # (bins, frames) float32, size of the attribution of each cell, 0 or more
    entering: np.ndarray  # (bins, frames) float32, what the network reads there
    base: float  # the target of the unchanged clip, nats (or a logit)
    kept: np.ndarray  # (steps,) int, k
    seconds: np.ndarray  # (steps,) duration of the first k phones
    losses: np.ndarray  # (rivals, steps) what the target loses: phones, cells, moments, loudest phones; NaN: not yet
    kept_losses: np.ndarray  # (rivals, steps) what it loses with nothing else of the clip left; NaN: not yet
    random_losses: np.ndarray  # (draws, steps) without random phones of equal duration
    random_kept_losses: np.ndarray  # (draws, steps) with nothing but them
    random_weights: np.ndarray  # (seeds, steps) without the first phones of a network with random weights
    random_weights_kept: np.ndarray  # (seeds, steps) with nothing but them
    seeds: tuple[int, ...]  # of the networks with random weights, in the order of their rows
    refused: tuple[int, ...]  # seeds whose integrated gradients did not add up, so that there is no map
    answers: tuple[tuple[str, str], ...]  # (steps,) what the model says of the sounds without, and with only, these
    sound_losses: np.ndarray  # (2, steps) what the target loses in these very sounds; NaN: not yet
    samples: np.ndarray  # (n,) float32, the clip
    provenance: dict[str, Any]

    @property
    def order(self) -> np.ndarray:
        """(phones,) from the most salient to the least."""
        return faithfulness.ranking(self.scores)

    def z(self, *, kept: bool = False) -> np.ndarray:
        """(steps,) standard deviations by which the phones do better than random ones; NaN where these do not vary.

        Better is to lose more without them or, if `kept`, less with nothing but them.
        """
        drawn, own = (self.random_kept_losses, self.kept_losses) if kept else (self.random_losses, self.losses)
        if len(drawn) < 2:
            return np.full(len(self.kept), np.nan)
        spread = drawn.std(0, ddof=1)
        varies = spread > 1e-9 * max(1.0, float(np.abs(drawn).max()))
        gain = (drawn.mean(0) - own[0]) * (1 if kept else -1)
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
        for seed, values in zip(self.seeds, self.random_scores, strict=True):
            phones[f"random_{seed}_score"] = values
        steps = {"part": "test", "k": self.kept, "seconds": self.seconds, "z": self.z(), "z_only": self.z(kept=True)}
        for start, own, drawn, twins in (
            ("loss", self.losses, self.random_losses, self.random_weights),
            ("loss_only", self.kept_losses, self.random_kept_losses, self.random_weights_kept),
        ):
            steps |= {f"{start}_{name.replace(' ', '_')}": row for name, row in zip(RIVALS, own, strict=True)}
            steps |= {f"{start}_random_phones_{number}": row for number, row in enumerate(drawn, 1)}
            steps |= {f"{start}_random_weights_{seed}": row for seed, row in zip(self.seeds, twins, strict=True)}
        steps |= dict(zip(("loss_of_the_sound", "loss_only_of_the_sound"), self.sound_losses, strict=True))
        return pd.concat([phones, pd.DataFrame(steps)], ignore_index=True)
