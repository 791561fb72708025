"""What CKA gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

ESTIMATES = ("debiased", "biased", "floor")
BOUNDS = ("low", "high", "null")


@dataclass(frozen=True, eq=False, kw_only=True)
class CkaControls:
    """How sure the numbers are, and what comes out without training, without subtracting, or by chance."""

    low: np.ndarray  # (rows, columns) 95% interval of the debiased value, over recordings; NaN for fewer than 3
    high: np.ndarray  # (rows, columns)
    null: np.ndarray  # (rows, columns) largest debiased value of 19 random matchings of recordings
    target_low: np.ndarray  # (targets, rows), and so on, as above
    target_high: np.ndarray
    target_null: np.ndarray
    unsubtracted: np.ndarray | None = None  # (rows, columns) debiased, states as they are; None: nothing subtracted
    random: np.ndarray | None = None  # (random seeds so far, rows, rows) debiased, their layers with each other
    random_same: np.ndarray | None = None  # (random seeds so far, rows) debiased, each layer trained and untrained
    random_targets: np.ndarray | None = None  # (random seeds so far, targets, rows) debiased


@dataclass(frozen=True, eq=False, kw_only=True)
class Cka(Result):
    """Centred kernel alignment of layers with layers (rows × columns) and with targets (targets × rows)."""

    unit: str  # what an item is: frames, phones or words
    items: int
    recordings: int
    kernel: str
    layers: tuple[str, ...]  # rows
    dims: np.ndarray  # (rows,) int
    other: str  # the model of the columns
    columns: tuple[str, ...]  # its layers
    debiased: np.ndarray  # (rows, columns) at most 1; 0 on average for unrelated independent items; NaN if not defined
    biased: np.ndarray  # (rows, columns) 0 to 1
    floor: np.ndarray  # (rows, columns) mean of the biased value over all ways of shuffling the items
    targets: tuple[str, ...]
    target_dims: np.ndarray  # (targets,) int
    target_debiased: np.ndarray  # (targets, rows), and so on, as above
    target_biased: np.ndarray
    target_floor: np.ndarray
    among: np.ndarray  # (targets, targets) debiased CKA of targets with each other
    controls: CkaControls | None = None  # None until they are computed

    @property
    def against_another(self) -> bool:
        """Whether the columns are another model's layers."""
        return self.provenance["options"]["other"] is not None

    def table(self) -> pd.DataFrame:
        """One row per number: which spaces, with what weights, which score."""
        rows = [
            ("trained", layer, column, name, values[i, j])
            for name, values in self._numbers()
            for i, layer in enumerate(self.layers)
            for j, column in enumerate(self.columns)
        ]
        rows += [
            ("trained", layer, target, name, values[t, i])
            for name, values in self._numbers("target_")
            for t, target in enumerate(self.targets)
            for i, layer in enumerate(self.layers)
        ]
        rows += [
            ("no model", self.targets[a], self.targets[b], "debiased", value)
            for (a, b), value in np.ndenumerate(self.among)
        ]
        rows += [] if self.controls is None else self._control_rows(self.controls)
        return pd.DataFrame(rows, columns=["weights", "first", "second", "score", "value"])

    def _numbers(self, prefix: str = "") -> list[tuple[str, np.ndarray]]:
        """Names and values of what there is so far of the trained layers."""
        found = [(name, getattr(self, f"{prefix}{name}")) for name in ESTIMATES]
        return (
            found
            if self.controls is None
            else [*found, *((n, getattr(self.controls, f"{prefix}{n}")) for n in BOUNDS)]
        )

    def _control_rows(self, controls: CkaControls) -> list[tuple[str, str, str, str, float]]:
        rows = []
        if controls.unsubtracted is not None:
            rows += [
                ("trained, states as they are", self.layers[i], self.columns[j], "debiased", value)
                for (i, j), value in np.ndenumerate(controls.unsubtracted)
            ]
        for seed in range(0 if controls.random is None else len(controls.random)):
            name = f"random weights {seed}"
            rows += [(name, self.layers[i], self.layers[j], "debiased", value)
                     for (i, j), value in np.ndenumerate(controls.random[seed])]  # fmt: skip
            rows += [(name, layer, f"trained {layer}", "debiased", value)
                     for layer, value in zip(self.layers, controls.random_same[seed], strict=True)]  # fmt: skip
            rows += [(name, self.layers[i], self.targets[t], "debiased", value)
                     for (t, i), value in np.ndenumerate(controls.random_targets[seed])]  # fmt: skip
        return rows
