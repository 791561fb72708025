"""What acoustic probing gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result


@dataclass(frozen=True, eq=False, kw_only=True)
class AcousticProbing(Result):
    """Held-out scores of one linear probe per layer and channel. r between -1 and 1, R² at most 1."""

    target: str
    channels: tuple[str, ...]  # one, or the coordinates of the articulators
    units: str  # of the targets: Hz, dB, mm, s or log units
    layers: tuple[str, ...]
    r: np.ndarray  # (layers, channels)
    r2: np.ndarray  # (layers, channels)
    rmse: np.ndarray  # (layers, channels) in `units`
    mean_r: np.ndarray  # (layers,) over the channels, through Fisher's z
    low: np.ndarray  # (layers,) 95% interval of `mean_r`, recordings left out before training; NaN with under five
    high: np.ndarray  # (layers,)
    train_r: np.ndarray  # (layers,) the same for a nearly unpenalised probe on its own training recordings
    shifted: np.ndarray  # (layers,) the same for targets moved by half a recording
    baselines: tuple[str, ...]
    baseline_r: np.ndarray  # (baselines, channels)
    baseline_r2: np.ndarray  # (baselines, channels)
    recordings: tuple[str, ...]
    recording: np.ndarray  # (n,) int, which recording a measurement is of
    times: np.ndarray  # (n,) s in that recording
    truth: np.ndarray  # (n, channels) in `units`
    predicted: np.ndarray  # (layers, n, channels) held out, in `units`
    predicted_mfcc: np.ndarray  # (n, channels)
    random_r: np.ndarray | None = None  # (random seeds so far, layers, channels)

    @property
    def best(self) -> int:
        """The layer with the highest mean r."""
        return int(np.nanargmax(self.mean_r))

    @property
    def interval_note(self) -> str:
        """What `low` and `high` hold, or why there are none."""
        return self.provenance["options"]["interval_note"]

    def table(self) -> pd.DataFrame:
        """One row per layer, channel and score, and per baseline."""
        rows = [
            ("model", layer, channel, score, values[i, j])
            for score, values in (("r", self.r), ("r2", self.r2), ("rmse", self.rmse))
            for i, layer in enumerate(self.layers)
            for j, channel in enumerate(self.channels)
        ]
        rows += [
            (name, layer, "mean", "r", value)
            for name, line in (
                ("model", self.mean_r),
                ("training recordings", self.train_r),
                ("shifted", self.shifted),
            )
            for layer, value in zip(self.layers, line, strict=True)
        ]
        rows += [
            ("model", layer, "mean", end, value)
            for end in ("low", "high")
            for layer, value in zip(self.layers, getattr(self, end), strict=True)
        ]
        rows += [
            (f"random weights {seed}", layer, channel, "r", values[i, j])
            for seed, values in enumerate(() if self.random_r is None else self.random_r)
            for i, layer in enumerate(self.layers)
            for j, channel in enumerate(self.channels)
        ]
        rows += [
            (name, "", channel, score, value)
            for score, lines in (("r", self.baseline_r), ("r2", self.baseline_r2))
            for name, line in zip(self.baselines, lines, strict=True)
            for channel, value in zip(self.channels, line, strict=True)
        ]
        return pd.DataFrame(rows, columns=["features", "layer", "channel", "score", "value"])
