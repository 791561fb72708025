"""What RSA gives: the numbers, their shapes and units, and the table that is downloaded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

KINDS = {"whole": "correlation", "partial": "partial correlation", "residual": "correlation of residuals"}


def within_speakers(reference: str, kind: str, confounds: Sequence[str]) -> bool:
    """Is the speaker taken out, so that recordings are shuffled within speakers?"""
    return kind != "whole" and reference != "speaker" and "speaker" in confounds


@dataclass(frozen=True, eq=False, kw_only=True)
class RsaControls:
    """What the agreement must be read against."""

    whole_null: np.ndarray  # (references, layers, 2) band of 95% of the shuffles
    partial_null: np.ndarray  # (references, layers, 2)
    residual_null: np.ndarray  # (references, layers, 2)
    shuffles: np.ndarray  # (kinds, references) int: as many as were asked for, or as a few recordings have
    moved_along: np.ndarray  # (kinds, references) bool: recordings were too few to change places only
    whole_p: np.ndarray  # (references, layers) share of shuffles as high or higher
    partial_p: np.ndarray  # (references, layers)
    residual_p: np.ndarray  # (references, layers)
    baselines: tuple[str, ...]
    baseline: np.ndarray  # (kinds, references, baselines)
    unsubtracted: np.ndarray | None = None  # (kinds, references, layers) states as they are; None: nothing subtracted
    random: np.ndarray | None = None  # (random seeds so far, kinds, references, layers)


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
    partial: np.ndarray  # (references, layers) the confounds' similarities taken out of both sides' pairs, as a line
    residual: np.ndarray  # (references, layers) duration and speaker taken out of both sides' items; NaN: too few left
    between: np.ndarray  # (layers, columns) layers with layers, or with those of another model
    columns: tuple[str, ...]
    matrices: np.ndarray  # (layers, items, items) float32 similarities in hidden states
    reference_matrices: np.ndarray  # (references, items, items) float32
    order: np.ndarray  # (items,) int, in which items are shown: the same label together, like labels side by side
    controls: RsaControls | None = None  # None until they are computed

    def best(self, reference: int, kind: str = "whole") -> int:
        """The layer that agrees best with a reference."""
        values = getattr(self, kind)[reference]
        return int(np.nanargmax(values)) if np.isfinite(values).any() else 0

    def within_speakers(self, reference: int, kind: str) -> bool:
        """Do recordings change places only with those of the same speaker?"""
        return within_speakers(self.references[reference], kind, self.confounds)

    def table(self) -> pd.DataFrame:
        """One row per number."""
        rows = []
        for k, kind in enumerate(KINDS):
            rows += self._rows(kind)
            rows += [] if self.controls is None else self._control_rows(self.controls, k, kind)
        rows += [("trained", f"layer {self.columns[j]}", "whole", self.layers[i], value, *(np.nan,) * 3)
                 for (i, j), value in np.ndenumerate(self.between)]  # fmt: skip
        columns = ["features", "reference", "kind", "layer", "correlation", "null_low", "null_high", "p"]
        return pd.DataFrame(rows, columns=columns)

    def _rows(self, kind: str) -> list[tuple]:
        chance = np.full((*getattr(self, kind).shape, 3), np.nan)
        if self.controls is not None:
            shares = getattr(self.controls, f"{kind}_p")
            chance = np.concatenate([getattr(self.controls, f"{kind}_null"), shares[..., None]], axis=-1)
        return [("trained", self.references[r], kind, self.layers[layer], value, *chance[r, layer])
                for (r, layer), value in np.ndenumerate(getattr(self, kind))]  # fmt: skip

    def _control_rows(self, controls: RsaControls, k: int, kind: str) -> list[tuple]:
        rows, nothing = [], (np.nan,) * 3
        if controls.random is not None:
            rows += [(f"random weights {s}", self.references[r], kind, self.layers[i], value, *nothing)
                     for (s, r, i), value in np.ndenumerate(controls.random[:, k])]  # fmt: skip
        if controls.unsubtracted is not None:
            rows += [("trained, states as they are", self.references[r], kind, self.layers[i], value, *nothing)
                     for (r, i), value in np.ndenumerate(controls.unsubtracted[k])]  # fmt: skip
        return rows + [(controls.baselines[b], self.references[r], kind, "", value, *nothing)
                       for (r, b), value in np.ndenumerate(controls.baseline[k])]  # fmt: skip
