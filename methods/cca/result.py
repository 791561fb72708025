"""What CCA gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result


@dataclass(frozen=True, eq=False)
class CcaControls:
    """What the scores must be read against, beside the shuffled pairs."""

    baselines: tuple[str, ...]
    baseline: np.ndarray  # (views, baselines) NaN where the view is that very thing
    random: np.ndarray | None = None  # (random seeds so far, views, layers)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cca(Result):
    """Canonical correlation of each layer with each view. Scores are at most 1, about 0 for nothing in common.

    Scores, spectra and what belongs to them are there for the first of the views only, until all are computed.
    """

    measure: str
    scoring: str
    layers: tuple[str, ...]
    views: tuple[str, ...]
    left_out: tuple[str, ...]  # views, with the reason
    items: np.ndarray  # (views,) int
    dims: np.ndarray  # (views, layers + 1) int, of the layers and, last, of the view
    score: np.ndarray  # (views, layers) held out, or in sample if that was asked for
    trials: np.ndarray  # (views, layers, trials) the same, each trial
    ridge: np.ndarray  # (views, layers) median of those chosen, in mean variances; 0 in sample
    in_sample: np.ndarray  # (views, layers) without a ridge, on the items it was fitted on; NaN where n <= p + q
    shuffled: np.ndarray  # (views, layers) like `score`, each recording paired with another; NaN: too little left
    shuffled_in_sample: np.ndarray  # (views, layers)
    spectrum: np.ndarray  # (views, layers, correlations) on test recordings, NaN beyond the last
    fitted: np.ndarray  # (views, layers, correlations) the same on the recordings that were fitted
    controls: CcaControls | None = None  # None until they are computed

    def has(self, view: int) -> bool:
        """Whether a view (its place in `views`) is computed yet."""
        return view < len(self.score)

    @property
    def random(self) -> np.ndarray | None:
        """(random seeds so far, views, layers)"""
        return None if self.controls is None else self.controls.random

    def table(self) -> pd.DataFrame:
        """One row per number; `index` counts the correlations of a spectrum."""
        rows = []
        for name in ("score", "in_sample", "shuffled", "shuffled_in_sample", "ridge"):
            rows += [("trained", self.views[v], self.layers[i], name, -1, value)
                     for (v, i), value in np.ndenumerate(getattr(self, name))]  # fmt: skip
        for name in ("spectrum", "fitted"):
            rows += [("trained", self.views[v], self.layers[i], name, k, value)
                     for (v, i, k), value in np.ndenumerate(getattr(self, name)) if not np.isnan(value)]  # fmt: skip
        rows += [] if self.controls is None else self._control_rows(self.controls)
        return pd.DataFrame(rows, columns=["features", "view", "layer", "score", "index", "value"])

    def _control_rows(self, controls: CcaControls) -> list[tuple[str, str, str, str, int, float]]:
        twins = [] if controls.random is None else controls.random
        rows = [(f"random weights {s}", self.views[v], self.layers[i], "score", -1, value)
                for s, twin in enumerate(twins) for (v, i), value in np.ndenumerate(twin)]  # fmt: skip
        return rows + [(controls.baselines[b], self.views[v], "", "score", -1, value)
                       for (v, b), value in np.ndenumerate(controls.baseline)]  # fmt: skip
