"""What probing gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SCORES = {"accuracy": "accuracy", "balanced": "balanced accuracy", "macro_f1": "macro-F1"}


@dataclass(frozen=True, eq=False)
class Probing:
    """Held-out scores of one linear probe per layer, with their controls. Shares are between 0 and 1."""

    target: str
    classes: tuple[str, ...]  # (classes,) in alphabetical order
    dropped: tuple[str, ...]  # classes with too few items
    items: int  # phones, words … that were asked about
    layers: tuple[str, ...]
    accuracy: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,) 95 % interval of the accuracy, over recordings
    high: np.ndarray  # (layers,)
    balanced: np.ndarray  # (layers,) mean recall over the classes
    macro_f1: np.ndarray  # (layers,)
    confusion: np.ndarray  # (layers, classes, classes) int, rows: what it was, columns: what the probe said
    control: np.ndarray  # (control seeds, layers) accuracy on control tasks; (0, layers) if no finer type is known
    control_types: str  # what control tasks give a label each, or why there is no control task
    shuffled: np.ndarray  # (layers,) accuracy on shuffled labels
    majority: float  # share of the most frequent class, among frames if those were asked about
    baselines: tuple[str, ...]  # acoustic features
    baseline_scores: np.ndarray  # (baselines, 3) accuracy, balanced accuracy, macro-F1
    random: np.ndarray  # (random seeds so far, 3, layers) the same three with random weights
    other: np.ndarray  # (3, layers) accuracy on other speakers, and its interval; (3, 0) where none were asked
    learning_sizes: np.ndarray  # (sizes,) int, training recordings
    learning: np.ndarray  # (1 + 1, sizes) accuracy of the best layer and of MFCC, ridge probes
    speakers: tuple[str, ...]
    by_speaker: np.ndarray  # (speakers, speakers) trained on the row, tested on the column, best layer, ridge
    weights: np.ndarray  # (layers, dim + 1, classes) probes on all items, intercept last; NaN beyond a layer's dim
    done: bool  # whether the controls are complete
    provenance: dict[str, Any]

    @property
    def best(self) -> int:
        """The layer with the highest accuracy."""
        return int(self.accuracy.argmax())

    @property
    def selectivity(self) -> np.ndarray:
        """(control seeds, layers) accuracy less control accuracy."""
        return self.accuracy - self.control

    def table(self) -> pd.DataFrame:
        """One row per layer, control and score."""
        rows = [
            ("model", layer, score, value)
            for score in (*SCORES, "low", "high", "shuffled")
            for layer, value in zip(self.layers, getattr(self, score), strict=True)
        ]
        rows += [
            (f"control task {seed}", layer, "accuracy", value)
            for seed, line in enumerate(self.control)
            for layer, value in zip(self.layers, line, strict=True)
        ]
        rows += [
            (f"random weights {seed}", layer, score, value)
            for seed, lines in enumerate(self.random)
            for score, line in zip(SCORES, lines, strict=True)
            for layer, value in zip(self.layers, line, strict=True)
        ]
        rows += [
            (name, "", score, value)
            for name, values in zip(self.baselines, self.baseline_scores, strict=True)
            for score, value in zip(SCORES, values, strict=True)
        ]
        rows += [
            ("other speakers", layer, score, value)
            for score, line in zip(("accuracy", "low", "high"), self.other, strict=True)
            for layer, value in zip(self.layers, line, strict=False)  # none where nobody was asked
        ]
        rows.append(("most frequent class", "", "accuracy", self.majority))
        rows += self._learnt()
        return pd.DataFrame(rows, columns=["features", "layer", "score", "value"])

    def _learnt(self) -> list[tuple[str, str, str, float]]:
        """Rows of the learning curves and of the matrix of speakers."""
        layer = self.layers[self.best]
        rows = [
            (name, place, f"accuracy after {size} recordings", value)
            for name, place, line in zip(("model", "MFCC"), (layer, ""), self.learning, strict=True)
            for size, value in zip(self.learning_sizes, line, strict=True)
        ]
        return rows + [
            (f"trained on {name}", layer, f"accuracy on {other}", value)
            for name, line in zip(self.speakers, self.by_speaker, strict=True)
            for other, value in zip(self.speakers, line, strict=True)
        ]
