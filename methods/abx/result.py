"""What ABX gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result


@dataclass(frozen=True, eq=False)
class AbxControls:
    """The same of acoustic features and of random weights; what is None may come, or was not asked for."""

    baselines: tuple[str, ...] = ()  # acoustic features; posteriors and units are not compared with any
    baseline_error: np.ndarray | None = None  # (baselines, modes)
    baseline_precision: np.ndarray | None = None  # (baselines,)
    random: np.ndarray | None = None  # (random seeds so far, modes, layers)
    random_precision: np.ndarray | None = None  # (random seeds so far, layers)


@dataclass(frozen=True, eq=False, kw_only=True)
class Abx(Result):
    """ABX errors of every layer, with controls. Errors are shares between 0 and 1; one half is chance."""

    on: str  # what the categories are
    modes: tuple[str, ...]  # whose A, B and X are
    left_out: tuple[str, ...]  # modes that these recordings do not allow, with the reason
    classes: tuple[str, ...]  # categories
    layers: tuple[str, ...]
    error: np.ndarray  # (modes, layers)
    low: np.ndarray  # (modes, layers) 95% interval over recordings; NaN with fewer than five
    high: np.ndarray  # (modes, layers)
    matrix: np.ndarray  # (modes, layers, classes, classes) error of each pair; NaN where none could be asked
    triples: np.ndarray  # (modes,) int
    tokens: int
    pair_names: tuple[str, ...]  # kinds of pairs of tokens: same or other category, same or other speaker
    pair_counts: np.ndarray  # (kinds,) int
    pair_distance: np.ndarray  # (layers, kinds) mean distance
    precision: np.ndarray  # (layers,) average precision of finding pairs of the same category by their distance
    precision_chance: float  # the share of such pairs
    examples: np.ndarray  # (modes, classes, classes, 3) int, which tokens are a, b, x of one triple; -1: none
    utterance: np.ndarray  # (tokens,) int, where the tokens are
    start: np.ndarray  # (tokens,) s
    end: np.ndarray  # (tokens,) s
    label: tuple[str, ...]  # (tokens,) category
    speaker: tuple[str, ...]  # (tokens,)
    controls: AbxControls | None = None  # None until the first of them is there

    @property
    def best(self) -> int:
        """The layer with the lowest error in the first mode."""
        return int(self.error[0].argmin())

    @property
    def baselines(self) -> tuple[str, ...]:
        """Acoustic features that are there to compare with."""
        return self.controls.baselines if self.controls else ()

    @property
    def has_random(self) -> bool:
        """Whether there are errors of random weights."""
        return self.controls is not None and self.controls.random is not None

    def table(self) -> pd.DataFrame:
        """One row per number: errors and intervals per layer, controls, pairs of categories, pairs of tokens."""
        rows = [
            ("model", mode, layer, name, "", "", values[m, n])
            for name, values in (("error", self.error), ("low", self.low), ("high", self.high))
            for m, mode in enumerate(self.modes)
            for n, layer in enumerate(self.layers)
        ]
        rows += [
            (f"random weights {seed}", mode, layer, "error", "", "", values[m, n])
            for seed, values in enumerate(self.controls.random if self.has_random else ())
            for m, mode in enumerate(self.modes)
            for n, layer in enumerate(self.layers)
        ]
        rows += [
            (name, mode, "", "error", "", "", self.controls.baseline_error[number, m])
            for number, name in enumerate(self.baselines)
            for m, mode in enumerate(self.modes)
        ]
        rows += [
            ("model", self.modes[m], self.layers[n], "error", self.classes[a], self.classes[b], value)
            for (m, n, a, b), value in np.ndenumerate(self.matrix)
            if a < b and not np.isnan(value)
        ]
        rows += [
            ("model", "", self.layers[n], f"distance, {self.pair_names[k]}", "", "", value)
            for (n, k), value in np.ndenumerate(self.pair_distance)
        ]
        rows += [("model", "", layer, "average precision", "", "", value)
                 for layer, value in zip(self.layers, self.precision, strict=True)]  # fmt: skip
        controls = self.controls or AbxControls()
        if controls.baseline_precision is not None:
            rows += [(name, "", "", "average precision", "", "", value)
                     for name, value in zip(self.baselines, controls.baseline_precision, strict=True)]  # fmt: skip
        for seed, values in enumerate(() if controls.random_precision is None else controls.random_precision):
            rows += [(f"random weights {seed}", "", layer, "average precision", "", "", value)
                     for layer, value in zip(self.layers, values, strict=True)]  # fmt: skip
        columns = ["features", "speakers", "layer", "score", "category", "other_category", "value"]
        return pd.DataFrame(rows, columns=columns)
