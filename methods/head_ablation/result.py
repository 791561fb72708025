"""What head ablation gives: the numbers, their shapes and units, and the table that is downloaded."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.interventions.blocks import Fill
from methods.core.models.sites import Stack
from methods.core.results import Result
from methods.core.statistics import correlation

TITLES: dict[Stack, str] = {"encoder": "encoder", "decoder": "decoder, self-attention", "cross": "cross-attention"}


@dataclass(frozen=True, eq=False)
class AblationControls:
    """What the losses must be read against; what is None may come, or was not asked for."""

    other: Mapping[Stack, np.ndarray] | None = None  # (layers, heads) nats in all, with the other filling
    twins: Mapping[Stack, np.ndarray] | None = None  # (seeds so far, layers, heads) nats in all, random weights
    cad: np.ndarray | None = None  # (layers, heads) cumulative attention diagonality of the encoder's heads
    cad_null: np.ndarray | None = None  # (shuffles,) rank correlation of loss and CAD, heads shuffled in their layers
    off_null: np.ndarray | None = None  # (draws so far,) nats, as many other heads off in the same layers
    taken: np.ndarray | None = None  # (steps,) int, heads that are off at each step
    orders: np.ndarray | None = None  # (orders so far, steps) nats lost: worst first, harmless first, then random


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadAblation(Result):
    """What every token loses without each head. Losses are differences of natural log-probabilities (nats)."""

    fill: Fill  # what a head that is off writes: nothing, or its mean
    tokens: tuple[str, ...]  # (tokens,) what the log-probabilities are of, the end included; or the whole string
    base: np.ndarray  # (tokens,) nats, with every head on
    losses: Mapping[Stack, np.ndarray]  # (layers, heads, tokens) nats; NaN where not run yet
    heard: str  # what the model says with every head on
    aligned: tuple[str, ...]  # cross-attention heads that are published as following the speech
    opened: str | None = None  # a head, by name
    opened_text: str | None = None  # what the model says without it
    off: tuple[str, ...] = ()  # heads switched off together
    off_losses: np.ndarray | None = None  # (tokens,) nats
    off_text: str | None = None
    controls: AblationControls | None = None

    def total(self, stack: Stack) -> np.ndarray:
        """(layers, heads) nats that the whole text loses without each head."""
        return self.losses[stack].sum(-1)

    def rank(self, stack: Stack) -> np.ndarray:
        """(layers, heads) share of the other heads of the same layer that cost less, ties half; NaN with one head."""
        total = self.total(stack)
        less = (total[:, None, :] < total[:, :, None]).sum(-1) + 0.5 * (
            (total[:, None, :] == total[:, :, None]).sum(-1) - 1
        )
        others = total.shape[1] - 1
        return less / others if others else np.full_like(total, np.nan)

    def worst(self) -> tuple[Stack, int, int]:
        """The head that costs most so far, layer and head from 0."""
        found = {stack: np.where(np.isfinite(self.total(stack)), self.total(stack), -np.inf) for stack in self.losses}
        stack = max(found, key=lambda name: found[name].max())
        return stack, *map(int, np.unravel_index(found[stack].argmax(), found[stack].shape))

    def agreement(self) -> tuple[float, float] | None:
        """Rank correlation of an encoder head's loss with its nearness to itself (CAD), and p; None: not there.

        p is the share of shuffles, the actual order among them, that lie as far from the shuffles' mean. Heads are
        shuffled within their layers, since a layer's heads may be alike in both for reasons of their own: shuffled
        over all of 6 layers of 8, unrelated scores of which the layer is .6 of the variance had p of at most .05 in
        .30 of 400 simulations, within them in .06 (`benchmarks/chance.py`). The mean of the shuffles is what layers
        alone give.
        """
        if self.controls is None or self.controls.cad is None:
            return None
        own = correlation.spearman(self.total("encoder").ravel(), self.controls.cad.ravel())
        null = self.controls.cad_null
        further = np.abs(null - null.mean()) >= np.abs(own - null.mean()) - 1e-12
        return own, float((1 + further.sum()) / (1 + len(null)) if np.isfinite(own) else np.nan)

    def fillings(self) -> float | None:
        """Rank correlation of the losses with heads at zero and at their mean, over all heads; None: not there yet."""
        if self.controls is None or self.controls.other is None:
            return None
        both = [np.concatenate([values[stack].ravel() for stack in self.losses]) for values in
                ({stack: self.total(stack) for stack in self.losses}, self.controls.other)]  # fmt: skip
        return correlation.spearman(*both)

    def table(self) -> pd.DataFrame:
        """One line per head; the loss of every token has a column of its own."""
        return pd.concat([self._stack_table(stack) for stack in self.losses], ignore_index=True)

    def _stack_table(self, stack: Stack) -> pd.DataFrame:
        total, controls = self.total(stack), self.controls or AblationControls()
        layer, head = np.indices(total.shape).reshape(2, -1)
        frame = pd.DataFrame({"attention": stack, "layer": layer + 1, "head": head + 1, "fill": self.fill})
        frame["loss"], frame["rank_in_layer"] = total.ravel(), self.rank(stack).ravel()
        if controls.other is not None:
            frame["loss_other_fill"] = controls.other[stack].ravel()
        for number, twin in enumerate(() if controls.twins is None else controls.twins[stack]):
            frame[f"random_weights_{number}"] = twin.ravel()
        if controls.cad is not None:
            frame["cad"] = controls.cad.ravel() if stack == "encoder" else np.nan
        frame["listed"] = [f"{stack} {a + 1}.{b + 1}" in self.aligned for a, b in zip(layer, head, strict=True)]
        columns = {f"token_{i}_{name}": self.losses[stack][..., i].ravel() for i, name in enumerate(self.tokens)}
        return pd.concat([frame, pd.DataFrame(columns)], axis=1)
