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
from methods.cue_contribution.stretches import FEWEST, LEVEL, chance_share, rank_p


def shown_stacks(result: "CueContribution") -> tuple[Stack, ...]:
    """The stacks that this result has."""
    return tuple(stack for stack in STACKS if getattr(result, stack) is not None)


@dataclass(frozen=True, eq=False, kw_only=True)
class CueContribution(Result):
    """Shares (3 scores, layers) that the target takes from its cue; None for a stack that was not asked for.

    The scores are attention, norm and value zeroing. Probabilities are those of the trained model; None for models
    that write no text, and in the random-weights twins.
    """

    encoder: np.ndarray | None  # (3, layers)
    decoder: np.ndarray | None  # (3, layers)
    cross: np.ndarray | None  # (3, layers)
    encoder_null: np.ndarray | None  # (3, layers, places) the same for random stretches as long as the cue; None: not
    #   drawn yet, or of random weights
    decoder_null: np.ndarray | None  # (3, layers, places) random runs of as many tokens of the text, prompt left out
    cross_null: np.ndarray | None  # (3, layers, places)
    null_places: tuple[tuple[str, str], ...]  # stack, and where its random stretches were drawn from
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

    def null(self, stack: Stack = "encoder") -> np.ndarray | None:
        """(3 scores, layers, places) shares of the random stretches; None where there are none."""
        drawn = getattr(self, f"{stack}_null")
        return drawn if drawn is not None and drawn.shape[-1] else None

    def distinct(self, stack: Stack = "encoder") -> int:
        """How many random stretches there are; none of them overlaps another or the cue."""
        return 0 if self.null(stack) is None else self.null(stack).shape[-1]

    def rank_p(self, stack: Stack = "encoder") -> np.ndarray | None:
        """(3, layers) how often one of the places has at least the cue's share, 1 / (places + 1) to 1; None: no place.

        Smaller than 0.05 it can only be with 19 places or more.
        """
        return None if self.null(stack) is None else rank_p(self.contribution(stack), self.null(stack))

    def marked(self, stack: Stack = "encoder") -> np.ndarray | None:
        """(3, layers) bool, rank p of at most .05; None where there are too few places for it."""
        return self.rank_p(stack) <= LEVEL if self.distinct(stack) >= FEWEST else None

    def dots(self, stack: Stack = "encoder") -> tuple[int, int, float]:
        """How many cells are marked, of how many, and how many would be if the cue were one more random place."""
        marked = self.marked(stack)
        if marked is None:
            return 0, 0, 0.0
        cells = int(np.isfinite(self.contribution(stack)).sum())
        return int(marked.sum()), cells, cells * chance_share(self.distinct(stack))

    def table(self) -> pd.DataFrame:
        """One line per attention, score and layer, then one per condition and spelling."""
        parts = [_share_table(self, stack) for stack in shown_stacks(self)]
        if self.logprobs is not None:
            parts.append(_probability_table(self))
        return pd.concat(parts, ignore_index=True)


def _share_table(result: CueContribution, stack: Stack) -> pd.DataFrame:
    shares, null, p = result.contribution(stack), result.null(stack), result.rank_p(stack)
    scores, layers = np.indices(shares.shape)
    frame = pd.DataFrame({"attention": stack, "score": np.array(SCORES)[scores.ravel()], "layer": layers.ravel() + 1})
    frame["contribution"] = shares.ravel()
    for name, summed in (("null_lowest", np.min), ("null_mean", np.mean), ("null_highest", np.max)):
        frame[name] = np.nan if null is None else summed(null, -1).ravel()
    frame["null_distinct"] = result.distinct(stack)
    frame["rank_p"] = np.nan if p is None else p.ravel()
    for twin in result.random:
        frame[f"random_{twin.provenance['options']['seed']}_contribution"] = twin.contribution(stack).ravel()
    return frame


def _probability_table(result: CueContribution) -> pd.DataFrame:
    rows, columns = np.indices(result.logprobs.shape)
    conditions, spellings = (np.array(names, dtype=object) for names in (result.conditions, result.spellings))
    frame = pd.DataFrame({"condition": conditions[rows.ravel()], "spelling": spellings[columns.ravel()]})
    return frame.assign(logprob=result.logprobs.ravel(), mean_probability=result.probabilities.ravel())
