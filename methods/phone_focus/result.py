"""What phone focus gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

REACH = 3  # neighbours on either side that are told apart


@dataclass(frozen=True, eq=False, kw_only=True)
class PhoneFocus(Result):
    """Where each phone's gradient lies, layer by layer."""

    layers: tuple[str, ...]  # (layers,)
    groups: tuple[str, ...]  # what is compared: speakers, sexes, …
    group: np.ndarray  # (phones,) int, which group
    phone: tuple[str, ...]  # (phones,)
    utterance: np.ndarray  # (phones,) int, which recording of the corpus
    starts: np.ndarray  # (phones,) s
    ends: np.ndarray  # (phones,) s
    seconds: np.ndarray  # (phones,) s, how long the recording is
    even: np.ndarray  # (phones,) focus of an even spread over the recording, 0 to 1
    even_distance: np.ndarray  # (phones,) its earth mover's distance, s
    shares: np.ndarray  # (layers, phones, 2 · REACH + 1) share in the phone (middle) and its neighbours
    distances: np.ndarray  # (layers, phones) s, earth mover's distance to an even spread over the phone itself
    head: str  # whose head reads the phones
    random_shares: np.ndarray | None = None  # (seeds so far, layers, phones, 2 · REACH + 1) with random weights
    random_distances: np.ndarray | None = None  # (seeds so far, layers, phones) s

    @property
    def focus(self) -> np.ndarray:
        """(layers, phones) share of the gradient inside the phone's own interval, 0 to 1."""
        return self.shares[:, :, REACH]

    @property
    def elsewhere(self) -> np.ndarray:
        """(layers, phones) share outside the phone and the neighbours that are told apart: pauses, and further off."""
        return 1 - self.shares.sum(-1)

    def mean(self, values: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
        """(layers,) mean over the phones of a group that are known, of (layers, phones) values, and its error.

        The standard error is over recordings, whose phones are alike (cluster-robust: Liang & Zeger 1986,
        doi:10.1093/biomet/73.1.13): NaN with a single one. ±1 of it held the mean in .59, .61 and .63 of simulations
        of 20 phones in 5, 8 and 12 recordings, of which a fifth of the variance was the recording's (one over phones
        in .54, .58 and .59: `benchmarks/intervals.py`; of a normal mean .68).
        """
        own = (self.group == group) & np.isfinite(values).all(0)
        chosen, recording = values[:, own], self.utterance[own]
        if not own.any():
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        mean = chosen.mean(1)
        gaps = np.array([(chosen[:, recording == each] - mean[:, None]).sum(1) for each in np.unique(recording)])
        count = len(gaps)
        scale = np.sqrt(count / (count - 1)) / len(recording) if count > 1 else np.nan
        return mean, scale * np.sqrt((gaps**2).sum(0))

    def table(self) -> pd.DataFrame:
        """One line per layer and phone."""
        layer, phone = np.indices(self.focus.shape).reshape(2, -1)
        groups = np.array(self.groups, object)[self.group]
        columns = {"layer": np.array(self.layers, object)[layer], "group": groups[phone]}
        columns |= {"phone": np.array(self.phone, object)[phone], "utterance": self.utterance[phone]}
        columns |= {"start_s": self.starts[phone], "end_s": self.ends[phone], "even_spread": self.even[phone]}
        for place in range(-REACH, REACH + 1):
            columns[f"share_{place:+d}" if place else "focus"] = self.shares[:, :, REACH + place].ravel()
        columns |= {"elsewhere": self.elsewhere.ravel(), "distance_s": self.distances.ravel()}
        random = () if self.random_shares is None else self.random_shares
        for seed, values in zip(self.provenance["options"]["random_seeds"], random, strict=False):
            columns[f"random_{seed}_focus"] = values[:, :, REACH].ravel()
        return pd.DataFrame(columns)
