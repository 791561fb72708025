"""What an encoding probe gives: shares of variance per layer and block, their controls, and the table."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Result

SHARES = {"r2": "R² of all blocks", "unique": "unique share", "alone": "R² of the block alone"}
Row = tuple[str, str, str, str, float]  # features, layer, block, score, value


@dataclass(frozen=True, eq=False)
class EncodingControls:
    """What the shares are compared with, as far as it is there; what is None may come, or was not asked for."""

    baselines: tuple[str, ...]  # acoustic features in the place of states
    baseline_r2: np.ndarray  # (baselines,)
    baseline_unique: np.ndarray  # (baselines, blocks)
    permuted: np.ndarray | None = None  # (layers, blocks) unique share of a block whose rows were put in random order
    random_r2: np.ndarray | None = None  # (random seeds so far, layers)
    random_unique: np.ndarray | None = None  # (random seeds so far, layers, blocks)

    def rows(self, layers: tuple[str, ...], blocks: tuple[str, ...]) -> Iterator[Row]:
        """Rows of the table."""
        for name, r2, unique in zip(self.baselines, self.baseline_r2, self.baseline_unique, strict=True):
            yield name, "", "all", "r2", r2
            yield from ((name, "", block, "unique", value) for block, value in zip(blocks, unique, strict=True))
        if self.permuted is not None:
            yield from _cells("permuted", layers, blocks, "unique", self.permuted)
        if self.random_r2 is not None:
            for seed, (r2, unique) in enumerate(zip(self.random_r2, self.random_unique, strict=True)):
                name = f"random weights {seed}"
                yield from ((name, layer, "all", "r2", value) for layer, value in zip(layers, r2, strict=True))
                yield from _cells(name, layers, blocks, "unique", unique)


def _cells(
    name: str, layers: tuple[str, ...], blocks: tuple[str, ...], score: str, values: np.ndarray
) -> Iterator[Row]:
    for layer, line in zip(layers, values, strict=True):
        yield from ((name, layer, block, score, value) for block, value in zip(blocks, line, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class EncodingProbe(Result):
    """Held-out shares of the variance of states, at most 1; below 0 where the mean would have done better."""

    blocks: tuple[str, ...]  # of features: acoustics, phone, neighbours … (`blocks.BLOCKS`)
    features: np.ndarray  # (blocks,) int, how many columns each has
    left_out: tuple[str, ...]  # blocks that say nothing in this corpus, with the reason
    items: int  # phones
    held_out: int  # of them that were predicted by probes trained without them: all, but in a first picture
    layers: tuple[str, ...]
    r2: np.ndarray  # (layers,) of all blocks together
    unique: np.ndarray  # (layers, blocks) R² of all less R² of all but this one
    low: np.ndarray  # (layers, blocks) 95% interval of `unique` over recordings; NaN with fewer than five
    high: np.ndarray  # (layers, blocks)
    alone: np.ndarray  # (layers, blocks) R² of this block and no other; NaN until it has been computed
    controls: EncodingControls | None = None

    @property
    def shared(self) -> np.ndarray:
        """(layers,) what no block explains alone: R² of all less the unique shares."""
        return self.r2 - self.unique.sum(1)

    @property
    def shared_by(self) -> np.ndarray:
        """(layers, blocks) what a block explains that others explain too; below 0 where it helps them only."""
        return self.alone - self.unique

    @property
    def interval_note(self) -> str:
        """What `low` and `high` hold and what they do not, or why there are none."""
        return self.provenance["options"]["interval_note"]

    def table(self) -> pd.DataFrame:
        """One row per layer, block and score, and per control."""
        rows: list[Row] = [
            ("model", layer, "all", score, value)
            for score in ("r2", "shared")
            for layer, value in zip(self.layers, getattr(self, score), strict=True)
        ]
        for score in ("unique", "low", "high", "alone"):
            rows += _cells("model", self.layers, self.blocks, score, getattr(self, score))
        rows += self.controls.rows(self.layers, self.blocks) if self.controls else []
        return pd.DataFrame(rows, columns=["features", "layer", "block", "score", "value"])
