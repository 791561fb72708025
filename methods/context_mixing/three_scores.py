"""Attention, attention norm and value zeroing of the same words in the same layers: measured together, and rolled out.

`methods.context_mixing` sets them side by side; `whole_model` goes on through a decoder and down into the sound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
import torch

from methods.context_mixing.rollout import mean_of_present, rollout, row_entropy
from methods.core import mixing, models
from methods.core.errors import UserError
from methods.core.mixing import MixingMap, MixingResult, Passage
from methods.core.mixing.norms import attention_mass, head_reach, norm_mass
from methods.core.mixing.zeroing import site_distances
from methods.core.models.sites import Site, Stack
from methods.core.results import read_only
from methods.core.statistics import correlation

Score = Literal["attention", "norm", "zeroing"]
Per = Literal["published", "frame", "mass"]
SCORES: dict[Score, str] = {"attention": "Attention", "norm": "Attention norm", "zeroing": "Value zeroing"}
PAIRS: tuple[tuple[Score, Score], ...] = tuple(combinations(SCORES, 2))
LEAVES_OUT_RESIDUAL: dict[Score, bool] = {"attention": True, "norm": True, "zeroing": False}
Kept = float | Literal["measured"]  # of each row, through the residual stream: a share, or 1 - the measured ratio
FIELDS = ("attention", "norm", "zeroing", "attention_reach", "norm_reach", "ratio")
NO_ROLLOUT = "Cross-attention has no rollout: its rows are text and its columns sound; choose the whole model."
NO_DISTANCE = "Cross-attention has no mixing distance: its rows are text, which has no place in time here."


def gathered(values: np.ndarray, score: Score, per: Per, of: MixingResult | None) -> np.ndarray:
    """(…, columns) masses as the reader wants them; `of` knows how long each column is (None: one position each)."""
    if of is None or per == "mass" or (per == "published" and score == "zeroing"):
        return values
    return values / (of.frames if score == "zeroing" else of.own_frames)


def kept_share(kept: Kept, ratio: np.ndarray) -> float | np.ndarray:
    """What share of each row the residual stream keeps: the same for all, or (layers, rows) as measured."""
    if kept == "measured":
        return 1 - ratio
    if isinstance(kept, str) or not 0 <= kept <= 1:
        raise UserError(f"The residual stream cannot keep {kept!r} of a row; give a share from 0 to 1, or “measured”.")
    return kept


@dataclass(frozen=True, eq=False)
class ContextMixing(MixingResult):
    """Three scores of one stack, rows = readers, columns = read; not renormalised."""

    stack: Stack
    attention: np.ndarray  # (layers, rows, columns) attention mass, mean over heads, sum over the column's positions
    norm: np.ndarray  # (layers, rows, columns) attention norm, heads added up, sum over the column's positions
    zeroing: np.ndarray  # (layers, rows, columns) cosine distance when the column's values are zero
    attention_reach: np.ndarray | None  # (layers, heads) how far each head looks: ms; tokens in a decoder; None: cross
    norm_reach: np.ndarray | None  # (layers, heads) how far the vectors come that each head adds; units likewise
    ratio: np.ndarray  # (layers, rows) length of what attention adds, against that plus the residual's; 0 to 1

    def maps(self, score: Score, per: Per = "published") -> np.ndarray:
        """(layers, rows, columns) one score. "published": attention and norm per frame, whole words zeroed."""
        return gathered(getattr(self, score), score, per, None if self.stack == "decoder" else self)

    @property
    def layers(self) -> int:
        """How many layers the stack has."""
        return len(self.attention)

    def shares(self, score: Score, *, per: Per = "published", prompt: bool = True) -> np.ndarray:
        """(layers, rows, columns) each row divided by its sum; without the prompt, over the text's own tokens.

        Cross-attention keeps the prompt's last row, the state that writes the text's first token.
        """
        rows, columns = self._kept(prompt)
        return mixing.row_shares(self.maps(score, per)[:, rows, columns])

    def _kept(self, prompt: bool) -> tuple[slice, slice]:
        everything = slice(None)
        text = everything if prompt else slice(self.prompt, None)
        writers = everything if prompt else slice(mixing.first_writer(self.prompt), None)
        kept = {"encoder": (everything, everything), "decoder": (text, text), "cross": (writers, everything)}
        return kept[self.stack]

    def rollout(self, score: Score, *, per: Per = "published", kept: Kept = 0.5) -> np.ndarray:
        """(layers, n, n) the layers multiplied up to each one; `kept` of each row kept except for value zeroing."""
        if self.stack == "cross":
            raise UserError(NO_ROLLOUT)
        return rollout(self.maps(score, per), residual=LEAVES_OUT_RESIDUAL[score], kept=kept_share(kept, self.ratio))

    def entropy(
        self,
        score: Score,
        *,
        rolled: bool = True,
        per: Per = "published",
        kept: Kept = 0.5,
        prompt: bool = False,
    ) -> np.ndarray:
        """(layers,) mean entropy of the rows in bits, of the rollout or of each layer by itself."""
        maps = self.rollout(score, per=per, kept=kept) if rolled else self.maps(score, per)
        rows, columns = self._kept(prompt)
        return row_entropy(maps[:, rows, columns])

    def agreement(self, *, per: Per = "published", prompt: bool = False) -> dict[tuple[Score, Score], np.ndarray]:
        """Pair of scores -> (layers,) Spearman rank correlation of their shares.

        Cells: off the diagonal (encoder), below it (decoder), all of them (cross). A decoder's shares are taken times
        the number of tokens that the row can read: otherwise early rows, which have few, would make any two scores
        agree. NaN for fewer than three cells, or where a score is the same everywhere.
        """
        shares = {score: self.shares(score, per=per, prompt=prompt) for score in SCORES}
        shape = shares["attention"].shape[1:]
        wanted = {"encoder": ~np.eye(*shape, dtype=bool), "decoder": np.tri(*shape, -1, dtype=bool)}.get(
            self.stack, np.ones(shape, dtype=bool)
        )
        readable = np.arange(1.0, shape[0] + 1)[:, None] if self.stack == "decoder" else 1.0
        cells = {score: (values * readable)[:, wanted] for score, values in shares.items()}
        return {(a, b): correlation.rank_correlation(cells[a], cells[b]) for a, b in PAIRS}

    def distance(self, score: Score, *, per: Per = "published", prompt: bool = False) -> np.ndarray:
        """(layers,) mixing distance: Σ_j share_ij |t_i - t_j|, mean over rows; ms, or tokens in a decoder."""
        shares = self.shares(score, per=per, prompt=prompt)
        return mean_of_present((shares * self._apart(shares.shape[-1])).sum(-1))

    def even_distance(self, *, prompt: bool = False) -> float:
        """The mixing distance if every row took the same share from all that it can read; ms, or tokens."""
        number = self.shares("attention", prompt=prompt).shape[-1]
        readable = np.tri(number) if self.stack == "decoder" else np.ones((number, number))
        return float((readable * self._apart(number)).sum(-1) @ (1 / readable.sum(-1)) / number)

    def _apart(self, number: int) -> np.ndarray:
        """(n, n) how far two positions lie apart."""
        if self.stack == "cross":
            raise UserError(NO_DISTANCE)
        middles = (self.starts + self.ends) / 2 * 1000 if self.stack == "encoder" else np.arange(float(number))
        return np.abs(middles[:, None] - middles)

    def table(self) -> pd.DataFrame:
        """One line per layer and pair: each score and its share (per frame for attention and norm), and the controls.

        Columns: attention_weight, attention_norm and zeroing_distance with `_share`, and `random_<seed>_…` of each.
        """
        names = {"attention": "attention_weight", "norm": "attention_norm", "zeroing": "zeroing_distance"}
        parts = [_score_table(self, score, name) for score, name in names.items()]
        own = [part[[name for name in part.columns if name not in parts[0].columns]] for part in parts[1:]]
        return pd.concat([parts[0], *own], axis=1)

    def by_layer(self) -> pd.DataFrame:
        """One line per network and layer: rank correlations, mixing distances and entropies."""
        tables = [_layer_table(part) for part in (self, *self.random)]
        return pd.concat(tables, ignore_index=True)


@torch.inference_mode()
def measured(passage: Passage, stack: Stack, seeds: tuple[int, ...]) -> ContextMixing:
    """All three scores of one stack, layer by layer, without controls."""
    (rows, columns), step = passage.groups(stack), 1.0
    if stack == "encoder":
        step = models.frame_grid(passage.clip, passage.model).step * 1000  # ms
    layers = [_site_scores(site, rows, columns, step) for site in passage.sites(stack)]
    return ContextMixing(
        stack=stack,
        **{name: None if layers[0][name] is None else read_only([layer[name] for layer in layers]) for name in FIELDS},
        **mixing.labels(passage),
        provenance=mixing.origin("context mixing", passage, {"stack": stack, "random_seeds": list(seeds)}),
    )


def _site_scores(
    site: Site, rows: Sequence[range], columns: Sequence[range], step: float
) -> dict[str, np.ndarray | None]:
    """The fields of one attention module; `step` is how far neighbours lie apart."""
    weights = site.weights()
    found = dict.fromkeys(FIELDS) | {
        "attention": attention_mass(site, rows, columns, weights).mean(0),
        "norm": norm_mass(site, rows, columns, weights),
        "zeroing": site_distances(site, rows, columns),
        "ratio": added_share(site, rows, weights),
    }
    if site.stack != "cross":
        own = weights[:, :, : len(site.residual)]
        lengths = torch.linalg.vector_norm(site.contributions(slice(0, own.shape[-1])), dim=-1)
        found["attention_reach"] = step * head_reach(own)
        found["norm_reach"] = step * head_reach(own * lengths[:, None])
    return found


@torch.inference_mode()
def added_share(site: Site, rows: Sequence[range], weights: torch.Tensor) -> np.ndarray:
    """(rows,) ‖what attention adds‖ / (that + ‖the residual that it is added to‖), mean over a row's positions.

    The module's bias, which comes from nowhere, belongs to neither.
    """
    added = site.output(weights) - site.out_bias
    added, kept = (torch.linalg.vector_norm(part.double(), dim=-1) for part in (added, site.residual))
    share = (added / (added + kept)).numpy()
    return np.array([share[group.start : group.stop].mean() for group in rows])


@dataclass(frozen=True, eq=False)
class OneScore(MixingMap):
    """One score of one stack in the shape that views and tables of context mixing read; None: another stack."""


def single(result: ContextMixing, pick: Callable[[ContextMixing], np.ndarray]) -> OneScore:
    """One score of a result and of its random twins."""
    stacks = {stack: pick(result) if stack == result.stack else None for stack in mixing.STACK_TITLES}
    shared = {field.name: getattr(result, field.name) for field in fields(MixingResult)}
    return OneScore(**stacks, **shared | {"random": tuple(single(part, pick) for part in result.random)})


def _score_table(result: ContextMixing, score: Score, name: str) -> pd.DataFrame:
    table = mixing.table(single(result, lambda part: part.maps(score)), name)
    return table.rename(columns=lambda column: column.replace("share", f"{name}_share"))


def _layer_table(result: ContextMixing) -> pd.DataFrame:
    seed = result.provenance["options"]["seed"]
    columns = {"weights": "trained" if seed is None else f"random {seed}", "layer": np.arange(1, result.layers + 1)}
    for what in PANELS if result.stack != "cross" else ("agreement", "entropy"):
        columns |= {f"{what}_{name}": values for name, values in curve_values(result, what).items()}
    return pd.DataFrame(columns)


PANELS = {
    "agreement": "rank correlation",
    "distance": "mixing distance",
    "entropy": "row entropy",
}


def curve_values(result: ContextMixing, what: str, per: Per = "published", kept: Kept = 0.5) -> dict[str, np.ndarray]:
    """Name -> (layers,) of one panel; entropy is that of the rollout where there is one."""
    if what == "agreement":
        return {f"{a} – {b}": v for (a, b), v in result.agreement(per=per).items()}
    if what == "distance":
        return {name: result.distance(score, per=per) for score, name in SCORES.items()}
    rolled = result.stack != "cross"
    return {name: result.entropy(score, rolled=rolled, per=per, kept=kept) for score, name in SCORES.items()}


def curve_name(result: ContextMixing, what: str) -> str:
    """What the vertical axis of a panel shows, with its unit."""
    if what == "distance":
        return f"{PANELS[what]}, {'ms' if result.stack == 'encoder' else 'tokens'}"
    if what == "entropy":
        return "row entropy, bits" if result.stack == "cross" else "rollout entropy, bits"
    return PANELS[what]
