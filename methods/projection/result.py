"""What projection gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result


@dataclass(frozen=True, eq=False)
class ProjectionControls:
    """The same of acoustic features and of random weights; what is None may come, or was not asked for."""

    baselines: tuple[str, ...]
    baseline_points: np.ndarray  # (baselines, n, 2)
    baseline_quality: np.ndarray  # (baselines, 5)
    baseline_chance: np.ndarray  # (baselines, 2)
    random_points: np.ndarray | None = None  # (random seeds so far, layers, n, 2)
    random_quality: np.ndarray | None = None  # (random seeds so far, layers, 5)
    random_chance: np.ndarray | None = None  # (random seeds so far, layers, 2)


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection(Result):
    """The same points on a map of every layer, of acoustic features, and of random weights."""

    method: str
    layers: tuple[str, ...]
    points: np.ndarray  # (layers, n, 2) unit-less, mean square radius 1, turned towards the layer before
    quality: np.ndarray  # (layers, 5) the numbers of QUALITY, shares; NaN where a label is alone
    chance: np.ndarray  # (layers, 2) neighbours with the same label by chance, in 2-D and in full
    explained: np.ndarray  # (layers,) share of the variance on the plane (PCA, classical MDS), else NaN
    stress: np.ndarray  # (layers,) stress-1 of MDS, else NaN
    accuracy: np.ndarray  # (layers, 2) of LDA on learnt labels, held out, and with shuffled training labels, else NaN
    formants: np.ndarray  # (n, 2) Hz, F1 and F2 of vowels; NaN for everything else
    directions: np.ndarray  # (layers, 2, 3) for F1 and F2: unit vector on the map, and R²; NaN where there is none
    label: tuple[str, ...]  # (n,)
    name: tuple[str, ...]  # (n,) what each point is, such as the phone
    speaker: tuple[str, ...]  # (n,)
    utterance: np.ndarray  # (n,) int
    start: np.ndarray  # (n,) s
    end: np.ndarray  # (n,) s
    left_out: int  # items that there was no room for
    notes: tuple[str, ...]  # what was not done as asked, and why
    controls: ProjectionControls | None = None

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of all maps: layers, acoustic features, layers of the first random network."""
        random = tuple(f"random {name}" for name in self.layers) if self.has_random else ()
        return (*(f"layer {name}" for name in self.layers), *self.baselines, *random)

    @property
    def all_points(self) -> np.ndarray:
        """(spaces, n, 2) in the order of `spaces`."""
        known = [self.controls.baseline_points] if self.controls else []
        known += [self.controls.random_points[0]] if self.has_random else []
        return np.concatenate([self.points, *known])

    @property
    def baselines(self) -> tuple[str, ...]:
        """Acoustic features whose maps are there."""
        return self.controls.baselines if self.controls else ()

    @property
    def has_random(self) -> bool:
        """Whether there are maps of random weights."""
        return self.controls is not None and self.controls.random_points is not None

    @property
    def best(self) -> int:
        """The layer where neighbours in the full space share their label most."""
        return int(self.quality[:, 2].argmax())

    def table(self) -> pd.DataFrame:
        """One row per point and map, with what it is and where."""
        n, spaces = len(self.label), self.spaces
        points = self.all_points.reshape(-1, 2)
        columns = {
            "space": np.repeat(spaces, n), "x": points[:, 0], "y": points[:, 1],
            **{name: np.tile(getattr(self, name), len(spaces))
               for name in ("label", "name", "speaker", "utterance", "start", "end")},
        }  # fmt: skip
        return pd.DataFrame(columns)
