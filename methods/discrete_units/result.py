"""What discrete units gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SCORES = ("mutual information", "PNMI", "phone purity", "cluster purity")
VISIBLE = 0.02  # PNMI; where chance alone gives more, a score must not be read from zero
SHUFFLED = "shuffled phones"


@dataclass(frozen=True, eq=False)
class DiscreteUnits:
    """What the units of every layer tell of phones, with controls."""

    units: int  # of k-means
    layers: tuple[str, ...]  # the last one may be QUANTISER
    phones: tuple[str, ...]
    scores: np.ndarray  # (layers, 4) the numbers of SCORES: bits, and three shares
    shuffled: np.ndarray  # (layers, 4) the same with the labels of whole phones shuffled, mean of 20
    shuffled_range: np.ndarray  # (layers, 2, 4) lowest and highest of these 20
    entropy: float  # bits of the phones: the most that mutual information can be
    counts: np.ndarray  # (layers, phones, most units) int: evaluation frames of each phone in each unit
    unit_entropy: np.ndarray  # (layers, phones) bits: over how many units a phone is spread
    divergence: np.ndarray  # (layers, phones, phones) Jensen-Shannon divergence of their units, bits, 0 to 1
    train_frames: int
    frames: int  # that were counted
    baselines: tuple[str, ...]
    baseline_scores: np.ndarray  # (baselines, 4)
    baseline_shuffled: np.ndarray  # (baselines, 4) mean of 20
    random: np.ndarray  # (random seeds so far, layers, 4); the quantiser has none: NaN
    random_shuffled: np.ndarray  # (random seeds so far, layers, 4) mean of 20
    clip_units: np.ndarray  # (layers, clip frames) int, units of the clip; (layers, 0) without a clip
    clip_times: np.ndarray  # (clip frames,) s, their centres
    clip_step: float  # s between them
    done: bool  # whether the controls are complete
    provenance: dict[str, Any]

    @property
    def best(self) -> int:
        """The layer with the highest PNMI above shuffled phones."""
        return int((self.scores[:, 1] - self.shuffled[:, 1]).argmax())

    def few(self, layer: int) -> bool:
        """Whether there are so few phones for so many units that chance alone makes a visible part of the score."""
        return bool(self.shuffled[layer, 1] > VISIBLE)

    def table(self) -> pd.DataFrame:
        """One row per layer, control and score; then counts of frames by phone and unit."""
        lowest, highest = self.shuffled_range[:, 0], self.shuffled_range[:, 1]
        kinds = {"model": self.scores, SHUFFLED: self.shuffled,
                 f"{SHUFFLED}, lowest": lowest, f"{SHUFFLED}, highest": highest}  # fmt: skip
        for seed, (found, null) in enumerate(zip(self.random, self.random_shuffled, strict=True)):
            kinds |= {f"random weights {seed}": found, f"random weights {seed}, {SHUFFLED}": null}
        rows = [
            (kind, layer, name, "", "", values[n, s])
            for kind, values in kinds.items()
            for n, layer in enumerate(self.layers)
            for s, name in enumerate(SCORES)
            if not (kind.startswith("random") and np.isnan(values[n, s]))
        ]
        for suffix, values in (("", self.baseline_scores), (f", {SHUFFLED}", self.baseline_shuffled)):
            rows += [(self.baselines[n] + suffix, "", SCORES[s], "", "", v) for (n, s), v in np.ndenumerate(values)]
        rows += [
            ("model", self.layers[n], "frames", self.phones[p], str(unit), value)
            for (n, p, unit), value in np.ndenumerate(self.counts)
            if value
        ]
        return pd.DataFrame(rows, columns=["features", "layer", "score", "phone", "unit", "value"])
