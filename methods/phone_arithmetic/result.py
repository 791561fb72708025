"""What phone arithmetic gives: how often sums of phones come out, with every control, and where the points lie."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result


@dataclass(frozen=True, eq=False)
class ArithmeticControls:
    """The same of other vectors; what is None may still come."""

    mfcc_found: float = float("nan")  # share of sums whose answer is the nearest, of MFCC
    mfcc_consistency: float = float("nan")
    random_found: np.ndarray | None = None  # (seeds so far, layers) with random weights
    random_rank: np.ndarray | None = None  # (seeds so far, layers)
    random_consistency: np.ndarray | None = None  # (seeds so far, layers)


@dataclass(frozen=True, eq=False, kw_only=True)
class PhoneArithmetic(Result):
    """Sums of mean states of phones, layer by layer. Shares and consistency are from 0 to 1."""

    layers: tuple[str, ...]  # (layers,)
    phones: tuple[str, ...]  # (phones,) ARPAbet in lower case: the candidates
    counts: np.ndarray  # (phones,) int, how many of each
    analogies: np.ndarray  # (n, 4) int, places among the phones: plus, minus, given, answer
    contrasts: tuple[str, ...]  # (n,) the feature that both pairs differ in
    right: np.ndarray  # (layers, n) share of the halves in which the answer is the nearest phone
    ranks: np.ndarray  # (layers, n) mean place of the answer among the candidates, 1 is nearest
    nearest: np.ndarray  # (layers, n) int, the phone that is nearest most often
    low: np.ndarray  # (layers,) 95% interval of `found` over recordings; NaN with fewer than five
    high: np.ndarray  # (layers,)
    consistency: np.ndarray  # (layers,) offsets that should be alike against re-paired ones: area under the curve
    alone: np.ndarray  # (layers,) found by the given phone alone, without adding the offset
    shuffled: np.ndarray  # (draws, layers) found when the names of the phones are dealt anew
    planes: np.ndarray  # (layers, n, phones + 1, 2) all phones, and the sum, in the plane of the four
    shown: np.ndarray  # (layers, n) share of the variance of the four points that their plane holds
    utterance: np.ndarray  # (phones, examples) int, where each phone can be heard; -1: no more
    start: np.ndarray  # (phones, examples) s
    end: np.ndarray  # (phones, examples) s
    splits: int  # how often the recordings were halved
    controls: ArithmeticControls | None = None  # None until the first of them is there

    @property
    def found(self) -> np.ndarray:
        """(layers,) share of the sums whose answer is the nearest phone, over all halves."""
        return self.right.mean(-1)

    @property
    def rank(self) -> np.ndarray:
        """(layers,) mean place of the answer."""
        return self.ranks.mean(-1)

    @property
    def candidates(self) -> int:
        """How many phones an answer is chosen from: all but the three in the sum."""
        return len(self.phones) - 3

    @property
    def chance(self) -> float:
        """`found` of guessing."""
        return 1 / self.candidates

    @property
    def kinds(self) -> tuple[str, ...]:
        """The contrasts, each once."""
        return tuple(dict.fromkeys(self.contrasts))

    def by_contrast(self) -> np.ndarray:
        """(contrasts, layers) share found of the sums of each contrast."""
        names = np.array(self.contrasts, object)
        return np.stack([self.right[:, names == kind].mean(-1) for kind in self.kinds])

    def of_contrast(self, contrast: str) -> np.ndarray:
        """Which sums belong to a contrast."""
        return np.flatnonzero(np.array(self.contrasts, object) == contrast)

    def written(self, number: int) -> str:
        """A sum in words: "d − t + p = b"."""
        plus, minus, given, answer = (self.phones[place] for place in self.analogies[number])
        return f"{plus} − {minus} + {given} = {answer}"

    def first(self) -> int:
        """The sum to show unless told otherwise: d − t + p = b where there is one."""
        names = [self.written(number) for number in range(len(self.analogies))]
        return names.index("d − t + p = b") if "d − t + p = b" in names else 0

    def table(self) -> pd.DataFrame:
        """One line per layer and sum, with the layer's own numbers and controls beside it."""
        layer, number = np.indices(self.right.shape).reshape(2, -1)
        names, contrasts = np.array(self.phones, object), np.array(self.contrasts, object)
        columns = {"layer": np.array(self.layers, object)[layer], "contrast": contrasts[number]}
        for place, role in enumerate(("plus", "minus", "given", "answer")):
            columns[role] = names[self.analogies[number, place]]
        columns |= {"right": self.right.ravel(), "rank": self.ranks.ravel(), "nearest": names[self.nearest.ravel()]}
        columns |= {"layer_found": self.found[layer], "layer_low": self.low[layer], "layer_high": self.high[layer]}
        columns |= {"layer_rank": self.rank[layer], "layer_consistency": self.consistency[layer]}
        columns |= {"given_alone_found": self.alone[layer], "shuffled_found": self.shuffled.mean(0)[layer]}
        columns |= {"chance": self.chance}
        known = self.controls or ArithmeticControls()
        columns |= {"mfcc_found": known.mfcc_found, "mfcc_consistency": known.mfcc_consistency}
        seeds = self.provenance["options"]["random_seeds"]
        for name in ("found", "rank", "consistency"):
            values = getattr(known, f"random_{name}")
            for seed, each in zip(seeds, () if values is None else values, strict=False):
                columns[f"random_{seed}_{name}"] = each[layer]
        return pd.DataFrame(columns)
