"""What cue contribution gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from methods.core import mixing
from methods.core.mixing import STACKS
from methods.core.models.sites import Stack
from methods.core.results import Result
from methods.cue_contribution.cue import SCORES
from methods.cue_contribution.stretches import ENOUGH


def shown_stacks(result: "CueContribution") -> tuple[Stack, ...]:
    """The stacks that this result has."""
    return tuple(stack for stack in STACKS if getattr(result, stack) is not None)


HIGH = 95  # percentile of the random stretches above which a share is marked


@dataclass(frozen=True, eq=False, kw_only=True)
class CueContribution(Result):
    """Shares (3 scores, layers) that the target takes from its cue; None for a stack that was not asked for.

    The scores are attention, norm and value zeroing. Probabilities are those of the trained model; None for models
    that write no text, and in the random-weights twins.
    """

    encoder: np.ndarray | None  # (3, layers)
    decoder: np.ndarray | None  # (3, layers)
    cross: np.ndarray | None  # (3, layers)
    encoder_null: np.ndarray | None  # (3, layers, draws) the same for random stretches as long as the cue
    decoder_null: np.ndarray | None  # (3, layers, draws) random runs of as many tokens of the text, prompt left out
    cross_null: np.ndarray | None  # (3, layers, draws)
    null_places: tuple[tuple[str, str], ...]  # stack, and where its random stretches were drawn from
    null_distinct: np.ndarray  # (stacks,) int, in the same order: how many of the stretches overlap no other
    cue: str
    target: str
    cue_seconds: tuple[float, float]  # where the cue is said
    target_seconds: tuple[float, float]
    words: int  # how many words the encoder's and the cross-attention's rows are divided among
    conditions: tuple[str, ...]  # what was done to the cue
    spellings: tuple[str, ...]  # the target, then its alternatives
    logprobs: np.ndarray | None  # (conditions, spellings) natural log-probability of the whole spelling
    probabilities: np.ndarray | None  # (conditions, spellings) mean probability of its tokens
    silenced_null: np.ndarray | None  # (draws, spellings) the latter with a random stretch silenced instead
    replaced_null: np.ndarray | None  # (draws, spellings) with another run of as many tokens of the text replaced
    apart: tuple[int, int] | None  # how many of the stretches in `silenced_null` and `replaced_null` overlap no other
    random: tuple[Self, ...] = ()  # the same with random weights, one per seed

    def contribution(self, stack: Stack = "encoder") -> np.ndarray:
        """(3, layers) shares from the cue, in the order attention, norm, value zeroing."""
        return mixing.required(self, stack)

    def control(self, stack: Stack = "encoder") -> np.ndarray:
        """(seeds, 3, layers) the same with random weights."""
        return np.array([twin.contribution(stack) for twin in self.random])

    def null_band(self, stack: Stack = "encoder") -> np.ndarray | None:
        """(3 scores, layers, 2) 5th and 95th percentile over the random stretches; None where there was no room."""
        drawn = getattr(self, f"{stack}_null")
        if drawn is None or not drawn.shape[-1]:
            return None
        return np.moveaxis(np.percentile(drawn, (100 - HIGH, HIGH), axis=-1), 0, -1)

    def distinct(self, stack: Stack = "encoder") -> int:
        """How many of the random stretches overlap no other: neighbours that share most frames count once."""
        return int(self.null_distinct[[name for name, _ in self.null_places].index(stack)])

    def mark_band(self, stack: Stack = "encoder") -> np.ndarray | None:
        """`null_band`, or None where there are too few distinct stretches to call any share higher than 95 %."""
        return self.null_band(stack) if self.distinct(stack) >= ENOUGH else None

    def table(self) -> pd.DataFrame:
        """One line per attention, score and layer, then one per condition and spelling."""
        parts = [_share_table(self, stack) for stack in shown_stacks(self)]
        if self.logprobs is not None:
            parts.append(_probability_table(self))
        return pd.concat(parts, ignore_index=True)


def _share_table(result: CueContribution, stack: Stack) -> pd.DataFrame:
    shares, band = result.contribution(stack), result.null_band(stack)
    scores, layers = np.indices(shares.shape)
    frame = pd.DataFrame({"attention": stack, "score": np.array(SCORES)[scores.ravel()], "layer": layers.ravel() + 1})
    frame["contribution"] = shares.ravel()
    for column, name in enumerate(("null_low", "null_high")):
        frame[name] = np.nan if band is None else band[..., column].ravel()
    frame["null_distinct"] = result.distinct(stack)
    for twin in result.random:
        frame[f"random_{twin.provenance['options']['seed']}_contribution"] = twin.contribution(stack).ravel()
    return frame


def _probability_table(result: CueContribution) -> pd.DataFrame:
    rows, columns = np.indices(result.logprobs.shape)
    conditions, spellings = (np.array(names, dtype=object) for names in (result.conditions, result.spellings))
    frame = pd.DataFrame({"condition": conditions[rows.ravel()], "spelling": spellings[columns.ravel()]})
    return frame.assign(logprob=result.logprobs.ravel(), mean_probability=result.probabilities.ravel())
