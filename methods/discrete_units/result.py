"""What discrete units gives: the numbers, their shapes and units, and the table that is downloaded."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

SCORES = ("mutual information", "PNMI", "phone purity", "cluster purity")
VISIBLE = 0.02  # PNMI; where chance alone gives more, a score must not be read from zero
SHUFFLED = "shuffled phones"


@dataclass(frozen=True, eq=False)
class DiscreteUnitsControls:
    """The same scores of acoustic features and of random weights; what is None may come, or was not asked for."""

    baselines: tuple[str, ...]
    baseline_scores: np.ndarray  # (baselines, 4)
    baseline_shuffled: np.ndarray  # (baselines, 4) mean of 20
    random: np.ndarray | None = None  # (random seeds so far, layers, 4); the quantiser has none: NaN
    random_shuffled: np.ndarray | None = None  # (random seeds so far, layers, 4) mean of 20

    def by_layer(self) -> Iterator[tuple[str, np.ndarray]]:
        """(layers, 4) of each random seed and of its shuffled phones, with their names."""
        if self.random is not None:
            for seed, (found, null) in enumerate(zip(self.random, self.random_shuffled, strict=True)):
                yield f"random weights {seed}", found
                yield f"random weights {seed}, {SHUFFLED}", null

    def rows(self) -> Iterator[tuple[str, str, str, str, str, float]]:
        """Rows of the table: the acoustic features."""
        for suffix, values in (("", self.baseline_scores), (f", {SHUFFLED}", self.baseline_shuffled)):
            for (n, s), value in np.ndenumerate(values):
                yield self.baselines[n] + suffix, "", SCORES[s], "", "", value


@dataclass(frozen=True, eq=False, kw_only=True)
class DiscreteUnits(Result):
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
    clip_units: np.ndarray  # (layers, clip frames) int, units of the clip; (layers, 0) without a clip
    clip_times: np.ndarray  # (clip frames,) s, their centres
    clip_step: float  # s between them
    controls: DiscreteUnitsControls | None = None

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
        kinds |= dict(self.controls.by_layer()) if self.controls else {}
        rows = [
            (kind, layer, name, "", "", values[n, s])
            for kind, values in kinds.items()
            for n, layer in enumerate(self.layers)
            for s, name in enumerate(SCORES)
            if not (kind.startswith("random") and np.isnan(values[n, s]))
        ]
        rows += self.controls.rows() if self.controls else []
        rows += [
            ("model", self.layers[n], "frames", self.phones[p], str(unit), value)
            for (n, p, unit), value in np.ndenumerate(self.counts)
            if value
        ]
        return pd.DataFrame(rows, columns=["features", "layer", "score", "phone", "unit", "value"])
