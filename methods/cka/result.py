"""What CKA gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

NUMBERS = ("debiased", "biased", "floor", "low", "high", "null")


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
    debiased: np.ndarray  # (rows, columns) at most 1, 0 on average for unrelated items; NaN if not defined
    biased: np.ndarray  # (rows, columns) 0 to 1
    floor: np.ndarray  # (rows, columns) mean of the biased value over all ways of shuffling the items
    low: np.ndarray  # (rows, columns) 95 % interval of the debiased value, over recordings; NaN for fewer than 3
    high: np.ndarray  # (rows, columns)
    null: np.ndarray  # (rows, columns) largest debiased value of shifted pairings
    targets: tuple[str, ...]
    target_dims: np.ndarray  # (targets,) int
    target_debiased: np.ndarray  # (targets, rows), and so on, as above
    target_biased: np.ndarray
    target_floor: np.ndarray
    target_low: np.ndarray
    target_high: np.ndarray
    target_null: np.ndarray
    among: np.ndarray  # (targets, targets) debiased CKA of targets with each other
    unsubtracted: np.ndarray  # (rows, columns) debiased, states as they are; (0, 0) where nothing was subtracted
    random: np.ndarray  # (random seeds so far, rows, rows) debiased, layers of random weights with each other
    random_same: np.ndarray  # (random seeds so far, rows) debiased, each trained layer with the same layer untrained
    random_targets: np.ndarray  # (random seeds so far, targets, rows) debiased

    def table(self) -> pd.DataFrame:
        """One row per number: which spaces, with what weights, which score."""
        rows = [
            ("trained", layer, column, name, getattr(self, name)[i, j])
            for name in NUMBERS
            for i, layer in enumerate(self.layers)
            for j, column in enumerate(self.columns)
        ]
        rows += [
            ("trained", layer, target, name, getattr(self, f"target_{name}")[t, i])
            for name in NUMBERS
            for t, target in enumerate(self.targets)
            for i, layer in enumerate(self.layers)
        ]
        rows += [
            ("no model", self.targets[a], self.targets[b], "debiased", value)
            for (a, b), value in np.ndenumerate(self.among)
        ]
        rows += [
            ("trained, states as they are", self.layers[i], self.columns[j], "debiased", value)
            for (i, j), value in np.ndenumerate(self.unsubtracted)
        ]
        for seed in range(len(self.random)):
            name = f"random weights {seed}"
            rows += [(name, self.layers[i], self.layers[j], "debiased", value)
                     for (i, j), value in np.ndenumerate(self.random[seed])]  # fmt: skip
            rows += [(name, layer, f"trained {layer}", "debiased", value)
                     for layer, value in zip(self.layers, self.random_same[seed], strict=True)]  # fmt: skip
            rows += [(name, self.layers[i], self.targets[t], "debiased", value)
                     for (t, i), value in np.ndenumerate(self.random_targets[seed])]  # fmt: skip
        return pd.DataFrame(rows, columns=["weights", "first", "second", "score", "value"])
