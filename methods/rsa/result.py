"""What RSA gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

KINDS = {"whole": "correlation", "partial": "partial correlation"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Rsa(Result):
    """Agreement of similarities between layers and references. Correlations are between -1 and 1."""

    unit: str  # what an item is
    items: int
    label: tuple[str, ...]  # (items,)
    utterance: np.ndarray  # (items,) int
    start: np.ndarray  # (items,) s
    end: np.ndarray  # (items,) s
    method: str
    layers: tuple[str, ...]
    references: tuple[str, ...]
    confounds: tuple[str, ...]  # that are taken out, each of all references but itself
    whole: np.ndarray  # (references, layers)
    partial: np.ndarray  # (references, layers) after taking the confounds out of both sides; NaN where none is left
    whole_null: np.ndarray  # (references, layers, 2) band of 95 % of the shuffles
    partial_null: np.ndarray  # (references, layers, 2)
    whole_p: np.ndarray  # (references, layers) share of shuffles as high or higher
    partial_p: np.ndarray  # (references, layers)
    baselines: tuple[str, ...]
    baseline: np.ndarray  # (2, references, baselines) whole and partial
    random: np.ndarray  # (random seeds so far, 2, references, layers) whole and partial
    unsubtracted: np.ndarray  # (2, references, layers) states as they are; no layers if nothing was subtracted
    between: np.ndarray  # (layers, columns) layers with layers, or with those of another model
    columns: tuple[str, ...]
    matrices: np.ndarray  # (layers, items, items) float32 similarities in hidden states
    reference_matrices: np.ndarray  # (references, items, items) float32
    order: np.ndarray  # (items,) int, in which items are shown: the same label together, like labels side by side

    def best(self, reference: int, kind: str = "whole") -> int:
        """The layer that agrees best with a reference."""
        values = getattr(self, kind)[reference]
        return int(np.nanargmax(values)) if np.isfinite(values).any() else 0

    def table(self) -> pd.DataFrame:
        """One row per number."""
        rows = []
        for k, kind in enumerate(KINDS):
            for (r, layer), value in np.ndenumerate(getattr(self, kind)):
                where = (self.references[r], kind, self.layers[layer])
                low, high = getattr(self, f"{kind}_null")[r, layer]
                rows.append(("trained", *where, value, low, high, getattr(self, f"{kind}_p")[r, layer]))
            nothing = (np.nan,) * 3
            rows += [(f"random weights {s}", self.references[r], kind, self.layers[i], value, *nothing)
                     for (s, r, i), value in np.ndenumerate(self.random[:, k])]  # fmt: skip
            rows += [("trained, states as they are", self.references[r], kind, self.layers[i], value, *nothing)
                     for (r, i), value in np.ndenumerate(self.unsubtracted[k])]  # fmt: skip
            rows += [(self.baselines[b], self.references[r], kind, "", value, *nothing)
                     for (r, b), value in np.ndenumerate(self.baseline[k])]  # fmt: skip
        rows += [("trained", f"layer {self.columns[j]}", "whole", self.layers[i], value, *(np.nan,) * 3)
                 for (i, j), value in np.ndenumerate(self.between)]  # fmt: skip
        columns = ["features", "reference", "kind", "layer", "correlation", "null_low", "null_high", "p"]
        return pd.DataFrame(rows, columns=columns)
