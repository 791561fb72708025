"""What a phone check gives: the scores of every phone, what it is compared with, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from methods.core.results import Result

Form = Literal["free", "aligned"]
FORMS: dict[Form, str] = {
    "free": "over all alignments",
    "aligned": "over the phone's own frames",
}
NOTHING = "∅"  # the rival that is no phone at all
FEWEST = 20  # native phones of one kind; with fewer, the lowest of all is no rarer than 1 in 20
DOUBTED = 5.0  # percent; a phone below this share of native ones is doubted


def margins(scores: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(…, phones) how far each phone's own column of (…, phones, columns) lies above the best of the others."""
    places = np.arange(len(own))
    others = np.array(scores, float)
    others[..., places, own] = -np.inf
    with np.errstate(invalid="ignore"):  # too few frames for either string: no number
        return scores[..., places, own] - others.max(-1)


@dataclass(frozen=True, eq=False)
class NativePhones:
    """The same margins for phones of native speakers, whose recordings come with this project."""

    kind: np.ndarray  # (native,) int, which of `kinds`
    free: np.ndarray  # (layers, native) nats
    aligned: np.ndarray  # (layers, native) nats
    recordings: int
    speakers: int

    def of(self, form: Form) -> np.ndarray:
        return self.free if form == "free" else self.aligned


@dataclass(frozen=True, eq=False)
class PhoneControls:
    """The same clip and phones, read by the same head off networks with random weights."""

    free: np.ndarray  # (seeds so far, layers, phones) nats, margins
    aligned: np.ndarray  # (seeds so far, layers, phones) nats

    def of(self, form: Form) -> np.ndarray:
        return self.free if form == "free" else self.aligned


@dataclass(frozen=True, eq=False, kw_only=True)
class PhoneCheck(Result):
    """How well each phone that should be there fits what a head reads off each layer. Logarithms are natural."""

    phones: tuple[str, ...]  # (phones,) as they were labelled
    starts: np.ndarray  # (phones,) s
    ends: np.ndarray  # (phones,) s
    words: tuple[str, ...]  # (phones,) the word that each is in; empty where it is not known
    kinds: tuple[str, ...]  # (kinds,) ARPAbet in lower case: all that the head can tell
    own: np.ndarray  # (phones,) int, which of `kinds` each should be
    layers: tuple[str, ...]  # (layers,) names
    aligned: np.ndarray  # (layers, phones, kinds) nats, mean log-probability of each kind over the phone's frames
    free: np.ndarray  # (layers, phones, kinds + 1) nats, of the whole string with this phone replaced; last: left out
    posteriors: np.ndarray  # (layers, frames, kinds) probabilities, blank and all else not shown
    times: np.ndarray  # (frames,) s, frame centres
    head: str  # whose head it is
    unmapped: tuple[str, ...]  # labels that are no phone this head tells; they were left out
    native: NativePhones | None = None  # None until they are computed
    controls: PhoneControls | None = None  # None until they are computed

    def scores(self, form: Form = "free") -> np.ndarray:
        """(layers, phones, kinds), or kinds + 1 in the free form, nats."""
        return self.free if form == "free" else self.aligned

    def margins(self, form: Form = "free") -> np.ndarray:
        """(layers, phones) nats by which the phone lies above its best rival; below 0 the rival fits better."""
        return margins(self.scores(form), self.own)

    def goodness(self, form: Form = "free") -> np.ndarray:
        """(layers, phones) nats, at most 0: Witt and Young's goodness, in which a phone is its own rival too."""
        return np.minimum(self.margins(form), 0.0)

    def rivals(self, form: Form = "free") -> np.ndarray:
        """(layers, phones) names of the best others; ∅ where the string fits best without the phone."""
        others = np.array(self.scores(form))
        others[:, np.arange(len(self.own)), self.own] = -np.inf
        return np.array([*self.kinds, NOTHING], object)[others.argmax(-1)]

    def native_counts(self) -> np.ndarray:
        """(phones,) how many native phones of its kind each is compared with."""
        if self.native is None:
            return np.zeros(len(self.own), int)
        return np.array([(self.native.kind == kind).sum() for kind in self.own], int)

    def percentiles(self, form: Form = "free") -> np.ndarray:
        """(layers, phones) percent of the native phones of its kind that fit worse, equal ones by half.

        NaN where there are fewer than 20 of them, or no number.
        """
        mine = self.margins(form)
        found = np.full(mine.shape, np.nan)
        if self.native is None:
            return found
        for place in np.flatnonzero(self.native_counts() >= FEWEST):
            others = self.native.of(form)[:, self.native.kind == self.own[place]]
            less, same = others < mine[:, place, None], others == mine[:, place, None]
            found[:, place] = 100 * (less + 0.5 * same).mean(1)
        return np.where(np.isfinite(mine), found, np.nan)

    def doubted(self, form: Form = "free") -> np.ndarray:
        """(layers, phones) bool: fits worse than all but 5% of native phones of its kind. Few natives: never."""
        return self.percentiles(form) < DOUBTED

    def worst(self, form: Form = "free", layer: int = -1) -> int:
        """The phone with the lowest percentile, of equals the lowest margin; by margin where there is none."""
        ranks = np.nan_to_num(self.percentiles(form)[layer], nan=100.0)
        return int(np.lexsort((np.nan_to_num(self.margins(form)[layer], nan=np.inf), ranks))[0])

    def found(self, form: Form = "free") -> np.ndarray:
        """(layers,) share of the phones that no rival beats."""
        return (self.margins(form) > 0).mean(-1)

    def random_found(self, form: Form = "free") -> np.ndarray | None:
        """(seeds so far, layers) the same with random weights; None while there are none."""
        return None if self.controls is None else (self.controls.of(form) > 0).mean(-1)

    def native_found(self, form: Form = "free") -> np.ndarray | None:
        """(layers,) the same of the native phones; None while there are none."""
        return None if self.native is None else (self.native.of(form) > 0).mean(-1)

    def table(self) -> pd.DataFrame:
        """One line per layer and phone."""
        layer, phone = np.indices(self.margins().shape).reshape(2, -1)

        def of(names: tuple[str, ...]) -> np.ndarray:
            return np.array(names, object)

        columns = {"layer": of(self.layers)[layer], "phone_index": phone, "phone": of(self.phones)[phone]}
        columns |= {"arpabet": of(self.kinds)[self.own][phone], "word": of(self.words)[phone]}
        columns |= {"start_s": self.starts[phone], "end_s": self.ends[phone]}
        for form in FORMS:
            columns |= {f"{form}_margin": self.margins(form).ravel(), f"{form}_goodness": self.goodness(form).ravel()}
            columns |= {f"{form}_rival": self.rivals(form).ravel()}
            columns |= {f"{form}_percentile": self.percentiles(form).ravel()}
            seeds = self.provenance["options"]["random_seeds"]
            for seed, values in zip(seeds, () if self.controls is None else self.controls.of(form), strict=False):
                columns[f"random_{seed}_{form}_margin"] = values.ravel()
        return pd.DataFrame(columns | {"native_phones": self.native_counts()[phone]})
