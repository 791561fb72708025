"""What causal tracing gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.interventions.encoder import Site
from methods.core.results import Result

Side = Literal["encoder", "decoder"]
Direction = Literal["restore", "disturb"]
BAND = (2.5, 97.5)  # percentiles of what random places bring back


@dataclass(frozen=True, eq=False)
class TracingControls:
    """What the map must be read against; what is None may come, or was not asked for. Shares are of the gap."""

    noise: np.ndarray | None = None  # (further seeds so far, layers, places) shares with other white noise
    noise_gaps: np.ndarray | None = None  # (further seeds so far,) nats
    null: np.ndarray | None = None  # (draws so far, layers) shares of as much sound at random places
    null_spans: np.ndarray | None = None  # (draws, 2) int, first frame and the one after the last
    random: np.ndarray | None = None  # (seeds so far, layers, places) random weights, share of the trained gap
    random_gaps: np.ndarray | None = None  # (seeds so far,) nats
    crossed: np.ndarray | None = None  # (from layer, into layer) share, states of one layer put into another


@dataclass(frozen=True, eq=False, kw_only=True)
class CausalTracing(Result):
    """What a run with one thing exchanged says. Log-probabilities are natural (nats)."""

    label: str  # what is asked for: a word, or the whole transcript
    words: tuple[str, ...]  # of the text that is forced upon the decoder
    side: Side
    site: Site
    direction: Direction
    layers: np.ndarray  # (layers,) int; 0 is what the first block reads, l is block l
    places: tuple[str, ...]  # (places,) words, phones or windows of the sound; tokens in the decoder
    starts: np.ndarray  # (places,) s; NaN for tokens
    ends: np.ndarray  # (places,) s; NaN for tokens
    clean: float  # nats, log-probability of what is asked for in the clean clip
    corrupted: float  # nats, in the corrupted one
    patched: np.ndarray  # (layers, places) nats, with one place exchanged; NaN where not run yet
    together: np.ndarray  # (layers,) nats, with all places exchanged at once; NaN where not run yet
    outside: np.ndarray  # (layers,) nats, with all but the places (pauses, padding); NaN where there is none
    clean_text: str  # what the model writes of the clean clip
    corrupted_text: str  # and of the corrupted one
    samples: np.ndarray  # (n,) float32, the clean clip
    changed: np.ndarray  # (n,) float32, the corrupted one
    opened: tuple[int, int] | None = None  # layer, and place from 0
    opened_text: str | None = None  # what the model writes with that place exchanged; for tokens: its best tokens
    controls: TracingControls | None = None

    @property
    def gap(self) -> float:
        """Nats that the change costs."""
        return self.clean - self.corrupted

    def share(self, patched: np.ndarray) -> np.ndarray:
        """Nats of a run with something exchanged as a share of the gap: brought back, or taken away."""
        lost = self.clean - patched if self.direction == "disturb" else patched - self.corrupted
        return lost / self.gap

    @property
    def recovered(self) -> np.ndarray:
        """(layers, places) share of the gap that each place brings back (or, disturbed, takes away)."""
        return self.share(self.patched)

    def band(self) -> np.ndarray | None:
        """(2, layers) where 95% of random places of the same lengths lie; None: none drawn yet."""
        if self.controls is None or self.controls.null is None:
            return None
        return np.percentile(self.controls.null, BAND, axis=0)

    def beaten(self) -> np.ndarray | None:
        """(layers, places) share of the random places that do less, ties half."""
        if self.controls is None or self.controls.null is None:
            return None
        null, own = self.controls.null[:, :, None], self.recovered
        return (null < own).mean(0) + 0.5 * (null == own).mean(0)

    def seeds(self) -> np.ndarray:
        """(seeds so far, layers, places) shares with every white noise, the first being the map's own."""
        further = None if self.controls is None else self.controls.noise
        return self.recovered[None] if further is None else np.concatenate([self.recovered[None], further])

    def best(self) -> tuple[int, int]:
        """Row and column of the largest share so far."""
        found = np.where(np.isfinite(self.recovered), self.recovered, -np.inf).argmax()
        return tuple(map(int, np.unravel_index(found, self.recovered.shape)))

    def sound(self, corrupted: bool) -> Clip:
        """The clean or the corrupted clip, to be heard."""
        name = self.provenance["clip"]
        return clip_from_samples(self.changed if corrupted else self.samples, SAMPLE_RATE, name)

    def table(self) -> pd.DataFrame:
        """One line per layer and place, and per layer for all places at once and for what lies outside them."""
        row, column = np.indices(self.patched.shape).reshape(2, -1)
        cells = pd.DataFrame({
            "layer": self.layers[row], "place": np.array(self.places, object)[column], "start_s": self.starts[column],
            "end_s": self.ends[column], "logprob": self.patched.ravel(), "share": self.recovered.ravel(),
        })  # fmt: skip
        for name, values in self._beside().items():
            cells[name] = values[row, column]
        joint = [
            pd.DataFrame({"layer": self.layers, "place": name, "logprob": values, "share": self.share(values)})
            for name, values in (("(all at once)", self.together), ("(all else)", self.outside))
            if np.isfinite(values).any()
        ]
        whole = {"target": self.label, "site": f"{self.side} {self.site}", "clean": self.clean}
        table = pd.concat([cells, *joint], ignore_index=True) if joint else cells
        return table.assign(**whole, corrupted=self.corrupted)

    def _beside(self) -> dict[str, np.ndarray]:
        """(layers, places) of every control, by the column's name."""
        found, shape, controls = {}, self.patched.shape, self.controls
        band = self.band()
        if band is not None:
            found |= {
                f"random_place_{name}": np.tile(v[:, None], shape[1])
                for name, v in zip(("low", "high"), band, strict=True)
            }
            found["random_places_beaten"] = self.beaten()
        if controls is not None and controls.noise is not None:
            found |= {"noise_seeds_mean": self.seeds().mean(0), "noise_seeds_sd": self.seeds().std(0, ddof=1)}
        if controls is not None and controls.random is not None:
            found |= {f"random_weights_{i}": values for i, values in enumerate(controls.random)}
        return found
