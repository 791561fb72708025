"""What erasure gives: the numbers, their shapes and units, and the table that is downloaded."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

Row = tuple[str, str, str, float]


@dataclass(frozen=True, eq=False)
class ErasureControls:
    """The same with directions that mean nothing; what is None may come, or was not asked for."""

    shuffled: np.ndarray | None = None  # (draws so far, layers) nats lost, labels of other recordings erased
    random: np.ndarray | None = None  # (draws so far, layers) nats lost, as many random directions erased
    shuffled_after: np.ndarray | None = None  # (layers,) accuracy on the true labels after the first draw of each
    random_after: np.ndarray | None = None  # (layers,)
    shuffled_change: np.ndarray | None = None  # (layers,) share of the variance that the change has, first draw
    random_change: np.ndarray | None = None  # (layers,)
    twin_before: np.ndarray | None = None  # (seeds so far, layers) accuracy with random weights
    twin_after: np.ndarray | None = None  # (seeds so far, layers) trained and tested on the judged half, as `left`
    twin_loss: np.ndarray | None = None  # (seeds so far, layers) nats lost


@dataclass(frozen=True, eq=False, kw_only=True)
class Erasure(Result):
    """What a probe reads of each layer before and after, and what the model loses. Shares are between 0 and 1."""

    target: str
    classes: tuple[str, ...]  # (classes,) in alphabetical order
    dropped: tuple[str, ...]  # classes with too few items
    frames: tuple[int, int]  # with a label: that the erasers are fitted on, that they are judged on
    recordings: tuple[int, int]  # likewise
    layers: tuple[str, ...]
    rank: np.ndarray  # (layers,) int, directions that are erased; one less than the classes at most
    before: np.ndarray  # (layers,) accuracy on the judged half of a probe trained on the other; NaN: not there yet
    before_low: np.ndarray  # (layers,) 95% interval over the recordings tested, this probe given
    before_high: np.ndarray  # (layers,)
    after: np.ndarray  # (layers,) the same after erasure, the probe trained anew
    left: np.ndarray  # (layers,) after erasure, trained and tested within the judged half: what the eraser missed
    left_low: np.ndarray  # (layers,) 95% interval, as above
    left_high: np.ndarray  # (layers,)
    majority: float  # share of the judged frames with the commonest class of the other half
    change: np.ndarray  # (layers,) mean squared size of the change over the variance of the states
    heard: str  # what the model says, or the text that was given; the loss is of this
    base: float  # nats of it, natural logarithm
    loss: np.ndarray  # (layers,) nats that it loses; NaN: not there yet
    written: tuple[str, ...]  # (layers,) what the model says by itself when the erased states go on
    seen_before: tuple[str, ...]  # (layers so far,) what the output part says when it reads a layer at once
    seen_after: tuple[str, ...]  # (layers so far,) the same of the erased states
    controls: ErasureControls | None = None

    @property
    def worst(self) -> int | None:
        """The layer whose erasure costs most; None: none is there yet."""
        return int(np.nanargmax(self.loss)) if np.isfinite(self.loss).any() else None

    def beyond(self, layer: int) -> float | None:
        """Share of all draws of both controls that cost less than the labels do at this layer."""
        found = self.controls or ErasureControls()
        draws = [each[:, layer] for each in (found.shuffled, found.random) if each is not None]
        return float((np.concatenate(draws) < self.loss[layer]).mean()) if draws else None

    def table(self) -> pd.DataFrame:
        """One row per layer, control and score."""
        rows = [*self._rows(), *self._control_rows()]
        return pd.DataFrame(rows, columns=["erased", "layer", "score", "value"])

    def _rows(self) -> Iterator[Row]:
        yield self.target, "", "nats of the text", self.base
        yield self.target, "", "most frequent class", self.majority
        for name in (
            "rank",
            "change",
            "before",
            "before_low",
            "before_high",
            "after",
            "left",
            "left_low",
            "left_high",
        ):
            yield from self._along(self.target, name, getattr(self, name))
        yield from self._along(self.target, "loss", self.loss)

    def _control_rows(self) -> Iterator[Row]:
        controls = self.controls or ErasureControls()
        for kind in ("shuffled", "random"):
            draws, name = getattr(controls, kind), {"shuffled": "shuffled labels", "random": "random directions"}[kind]
            for number, line in enumerate(() if draws is None else draws):
                yield from self._along(f"{name} {number}", "loss", line)
            for score in ("after", "change"):
                line = getattr(controls, f"{kind}_{score}")
                yield from () if line is None else self._along(f"{name} 0", score, line)
        for score in ("before", "after", "loss"):
            lines = getattr(controls, f"twin_{score}")
            for number, line in enumerate(() if lines is None else lines):
                yield from self._along(f"{self.target}, random weights {number}", score, line)

    def _along(self, erased: str, score: str, line: np.ndarray) -> Iterator[Row]:
        return ((erased, layer, score, float(value)) for layer, value in zip(self.layers, line, strict=True))
