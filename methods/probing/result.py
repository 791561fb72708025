"""What probing gives: the numbers, their shapes and units, and the table that is downloaded."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

SCORES = {"accuracy": "accuracy", "balanced": "balanced accuracy", "macro_f1": "macro-F1"}


LEARNABLE = "accuracy of learnable items"  # those whose control type another fold shows
OTHERS_ENDS = ("low (these speakers, this training)", "high (these speakers, this training)")
Row = tuple[str, str, str, float]


@dataclass(frozen=True, eq=False)
class ProbingControls:
    """What the scores are compared with, as far as it is there; what is None may come, or was not asked for."""

    baselines: tuple[str, ...]  # acoustic features
    baseline_scores: np.ndarray  # (baselines, 3) accuracy, balanced accuracy, macro-F1
    random: np.ndarray | None = None  # (random seeds so far, 3, layers) the same three with random weights
    learning_sizes: np.ndarray | None = None  # (sizes,) int, training recordings
    learning: np.ndarray | None = None  # (1 + 1, sizes) accuracy of the best layer and of MFCC, ridge probes
    other: np.ndarray | None = None  # (3, layers) accuracy on other speakers, and its interval over their recordings
    speakers: tuple[str, ...] | None = None
    by_speaker: np.ndarray | None = None  # (speakers, speakers) trained on row, tested on column, best layer, ridge

    def rows(self, layers: tuple[str, ...]) -> Iterator[Row]:
        """Rows of the table: random weights, acoustic features and other speakers."""
        for seed, lines in enumerate(() if self.random is None else self.random):
            for score, line in zip(SCORES, lines, strict=True):
                yield from ((f"random weights {seed}", *pair) for pair in _along(layers, score, line))
        for name, values in zip(self.baselines, self.baseline_scores, strict=True):
            yield from ((name, "", score, value) for score, value in zip(SCORES, values, strict=True))
        if self.other is not None:
            for score, line in zip(("accuracy", *OTHERS_ENDS), self.other, strict=True):
                yield from (("other speakers", *pair) for pair in _along(layers, score, line))

    def rows_of_best(self, layer: str) -> Iterator[Row]:
        """Rows of the learning curves and of the matrix of speakers, which are of the best layer."""
        if self.learning is not None:
            for name, place, line in zip(("model", "MFCC"), (layer, ""), self.learning, strict=True):
                for size, value in zip(self.learning_sizes, line, strict=True):
                    yield name, place, f"accuracy after {size} recordings", value
        if self.by_speaker is not None:
            for name, line in zip(self.speakers, self.by_speaker, strict=True):
                for other, value in zip(self.speakers, line, strict=True):
                    yield f"trained on {name}", layer, f"accuracy on {other}", value


def _along(layers: tuple[str, ...], score: str, line: np.ndarray) -> Iterator[tuple[str, str, float]]:
    return ((layer, score, value) for layer, value in zip(layers, line, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class Probing(Result):
    """Held-out scores of one linear probe per layer, with their controls. Shares are between 0 and 1."""

    target: str
    classes: tuple[str, ...]  # (classes,) in alphabetical order
    dropped: tuple[str, ...]  # classes with too few items
    items: int  # phones, words … that were asked about
    layers: tuple[str, ...]
    accuracy: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,) 95% interval of the accuracy (see `interval_note`); NaN with fewer than five groups
    high: np.ndarray  # (layers,)
    balanced: np.ndarray  # (layers,) mean recall over the classes
    macro_f1: np.ndarray  # (layers,)
    confusion: np.ndarray  # (layers, classes, classes) int, rows: what it was, columns: what the probe said
    control: np.ndarray  # (control seeds, layers) accuracy on control tasks, of what could be learnt; or (0, layers)
    control_types: str  # what control tasks give a label each, or why there is no control task
    learnable: int  # of the items, those whose type another fold shows: what control tasks and selectivity are of
    learnable_accuracy: np.ndarray  # (layers,) accuracy on the real labels of these items; NaN without control task
    shuffled: np.ndarray  # (layers,) accuracy on shuffled labels
    majority: float  # share of the most frequent class, among frames if those were asked about
    weights: np.ndarray  # (layers, dim + 1, classes) probes on all items, intercept last; NaN beyond a layer's dim
    controls: ProbingControls | None = None

    @property
    def best(self) -> int:
        """The layer with the highest accuracy."""
        return int(self.accuracy.argmax())

    @property
    def selectivity(self) -> np.ndarray:
        """(control seeds, layers) accuracy less control accuracy, both of the items whose type could be learnt."""
        return self.learnable_accuracy - self.control

    @property
    def interval_note(self) -> str:
        """What `low` and `high` hold and what they do not, or why there are none."""
        return self.provenance["options"]["interval_note"]

    def table(self) -> pd.DataFrame:
        """One row per layer, control and score."""
        rows = [
            ("model", *pair)
            for score in (*SCORES, "low", "high", "shuffled")
            for pair in _along(self.layers, score, getattr(self, score))
        ]
        rows += [
            (f"control task {seed}", *pair)
            for seed, line in enumerate(self.control)
            for pair in _along(self.layers, LEARNABLE, line)
        ]
        if len(self.control):
            rows += [
                *(("model", *pair) for pair in _along(self.layers, LEARNABLE, self.learnable_accuracy)),
                *(("model", *pair) for pair in _along(self.layers, "selectivity", self.selectivity.mean(0))),
                ("learnable items", "", "count", self.learnable),
            ]
        rows += self.controls.rows(self.layers) if self.controls else []
        rows.append(("most frequent class", "", "accuracy", self.majority))
        rows += self.controls.rows_of_best(self.layers[self.best]) if self.controls else []
        return pd.DataFrame(rows, columns=["features", "layer", "score", "value"])
