"""**Do the ways of asking "who takes from whom" agree: attention, attention norm and value zeroing?**

Three scores for the same clip, the same words and the same layer, as shares of each row on one colour scale.
*Attention* is how much is looked at, *attention norm* how long the vector is that is passed on, *value zeroing* how
far a word's output turns when the other word cannot be read.

*How to read it.* Rows are the words that read, columns the words that are read. The **rank correlation** of two scores
(Spearman, over all cells off the diagonal) says whether they order the pairs of words alike. The **mixing distance**
is how far a row looks, in milliseconds between the middles of words, weighted by shares; every head's own distance is
measured frame by frame. **Rollout** multiplies the layers up to the chosen one: what a word has taken in by then.
Attention and its norm leave out the residual stream, so half of each row is kept for the word itself; value zeroing
holds it already. The rows' entropy against depth says how evenly a word's sources are spread.

*What it cannot show.* None of the three is the truth about the other two, and all look at one layer at a time: rollout
multiplies as if layers were linear, and its half for the residual is a convention. Attention and its norm are per
frame by default, value zeroing takes away whole words, as published; so long words weigh more in it, even with random
weights. Compare with the random-weights maps.

*Source.* Mohebbi, Chrupała, Zuidema & Alishahi, EMNLP 2023 (arXiv 2310.09925), where the three are set side by side;
rollout: Abnar & Zuidema, Quantifying Attention Flow in Transformers, ACL 2020 (2020.acl-main.385).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import comparison, draw, mixing, models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.layers import Site, Stack
from methods.core.mixing import Passage
from methods.core.network import SpeechModel
from methods.core.norms import attention_mass, head_reach, norm_mass
from methods.core.results import Steps, finish, read_only
from methods.core.rollout import mean_of_present, rollout, row_entropy
from methods.core.zeroing import site_distances

Score = Literal["attention", "norm", "zeroing"]
Per = Literal["published", "frame", "mass"]
SCORES: dict[Score, str] = {"attention": "Attention", "norm": "Attention norm", "zeroing": "Value zeroing"}
PAIRS: tuple[tuple[Score, Score], ...] = tuple(combinations(SCORES, 2))
LEAVES_OUT_RESIDUAL: dict[Score, bool] = {"attention": True, "norm": True, "zeroing": False}
FIELDS = ("attention", "norm", "zeroing", "attention_reach", "norm_reach")
NO_ROLLOUT = "Cross-attention has no rollout: its rows are text and its columns sound; choose another attention."
NO_DISTANCE = "Cross-attention has no mixing distance: its rows are text, which has no place in time here."


@dataclass(frozen=True, eq=False)
class ContextMixing:
    """Three scores of one stack, rows = readers, columns = read; not renormalised."""

    stack: Stack
    attention: np.ndarray  # (layers, rows, columns) attention mass, mean over heads, sum over the column's positions
    norm: np.ndarray  # (layers, rows, columns) attention norm, heads added up, sum over the column's positions
    zeroing: np.ndarray  # (layers, rows, columns) cosine distance when the column's values are zero
    attention_reach: np.ndarray | None  # (layers, heads) how far each head looks: ms; tokens in a decoder; None: cross
    norm_reach: np.ndarray | None  # (layers, heads) how far the vectors come that each head adds; units likewise
    random: tuple["ContextMixing", ...]  # the same with random weights, one per seed
    labels: tuple[str, ...]  # (segments,)
    starts: np.ndarray  # (segments,) seconds
    ends: np.ndarray  # (segments,) seconds
    frames: np.ndarray  # (segments,) number of encoder frames in each segment
    tokens: tuple[str, ...]  # decoder input tokens, prompt first; () without a decoder
    prompt: int  # how many of the tokens are the prompt
    provenance: dict[str, Any]

    def maps(self, score: Score, per: Per = "published") -> np.ndarray:
        """(layers, rows, columns) one score. "published": attention and norm per frame, whole words zeroed."""
        values = getattr(self, score)
        if self.stack == "decoder" or per == "mass" or (per == "published" and score == "zeroing"):
            return values  # a token is one position
        return values / self.frames

    def shares(self, score: Score, *, per: Per = "published", prompt: bool = True) -> np.ndarray:
        """(layers, rows, columns) each row divided by its sum; without the prompt, over the text's own tokens."""
        rows, columns = self._kept(prompt)
        return mixing.row_shares(self.maps(score, per)[:, rows, columns])

    def _kept(self, prompt: bool) -> tuple[slice, slice]:
        text = slice(None if prompt else self.prompt, None)
        everything = slice(None)
        return {"encoder": (everything, everything), "decoder": (text, text), "cross": (text, everything)}[self.stack]

    def rollout(self, score: Score, *, per: Per = "published") -> np.ndarray:
        """(layers, n, n) the layers multiplied up to each one; half of each row kept except for value zeroing."""
        if self.stack == "cross":
            raise UserError(NO_ROLLOUT)
        return rollout(self.maps(score, per), residual=LEAVES_OUT_RESIDUAL[score])

    def entropy(self, score: Score, *, rolled: bool = True, per: Per = "published") -> np.ndarray:
        """(layers,) mean entropy of the rows in bits, of the rollout or of each layer by itself."""
        return row_entropy(self.rollout(score, per=per) if rolled else self.maps(score, per))

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
        return {(a, b): comparison.rank_correlation(cells[a], cells[b]) for a, b in PAIRS}

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


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stack: Stack = "encoder",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> ContextMixing:
    """Do attention, attention norm and value zeroing tell the same story of who takes from whom, layer by layer?

    `stack` is "encoder", "decoder" or "cross"; the other options are those of the single techniques. Raises UserError
    for fewer than two segments, or for a stack that the model does not have. Source: Mohebbi et al. 2023, section 3.
    """
    options = {"segments": segments, "transcript": transcript, "language": language, "stack": stack}
    return finish(analyse_in_steps(clip, model, random_seeds=random_seeds, **options))


def analyse_in_steps(
    clip: Clip, model: SpeechModel, *, random_seeds: Sequence[int] = (0, 1, 2), **options: Any
) -> Steps[ContextMixing]:
    """`analyse`, one model after the other, for a page that shows progress and can stop."""
    stack = options.get("stack", "encoder")
    if not mixing.possible_stacks(model, (stack,)):
        raise UserError(f"{model.id} has no decoder, so there is no {stack} map; choose the encoder's self-attention.")
    passage = mixing.passage(clip, model, **{key: options.get(key) for key in ("segments", "transcript", "language")})
    names = {"stack": stack, "random_seeds": list(random_seeds)}
    return (yield from mixing.with_controls(passage, random_seeds, lambda p: _measure(p, stack, names)))


@torch.inference_mode()
def _measure(passage: Passage, stack: Stack, names: dict[str, Any]) -> ContextMixing:
    (rows, columns), step = passage.groups(stack), 1.0
    if stack == "encoder":
        step = models.frame_grid(passage.clip, passage.model).step * 1000  # ms
    layers = [_site_scores(site, rows, columns, step) for site in passage.sites(stack)]
    return ContextMixing(
        stack=stack,
        **{name: None if layers[0][name] is None else read_only([layer[name] for layer in layers]) for name in FIELDS},
        random=(),
        **mixing.labels(passage),
        provenance=mixing.origin("context mixing", passage, names),
    )


def _site_scores(site: Site, rows: Sequence[range], columns: Sequence[range], step: float) -> dict[str, Any]:
    """The fields of one attention module; `step` is how far neighbours lie apart."""
    weights = site.weights()
    found = dict.fromkeys(FIELDS) | {
        "attention": attention_mass(site, rows, columns, weights).mean(0),
        "norm": norm_mass(site, rows, columns, weights),
        "zeroing": site_distances(site, rows, columns),
    }
    if site.stack != "cross":
        own = weights[:, :, : len(site.residual)]
        lengths = torch.linalg.vector_norm(site.contributions(slice(0, own.shape[-1])), dim=-1)
        found["attention_reach"] = step * head_reach(own)
        found["norm_reach"] = step * head_reach(own * lengths[:, None])
    return found


def _single(result: ContextMixing, pick: Callable[[ContextMixing], np.ndarray]) -> SimpleNamespace:
    """One score in the shape that views and tables of context mixing read."""
    stacks = {stack: pick(result) if stack == result.stack else None for stack in mixing.STACK_TITLES}
    names = ("labels", "starts", "ends", "tokens", "prompt", "provenance")
    random = tuple(_single(part, pick) for part in result.random)
    return SimpleNamespace(**stacks, **{name: getattr(result, name) for name in names}, random=random)


def _score_table(result: ContextMixing, score: Score, name: str) -> pd.DataFrame:
    table = mixing.table(_single(result, lambda part: part.maps(score)), name)
    return table.rename(columns=lambda column: column.replace("share", f"{name}_share"))


def _layer_table(result: ContextMixing) -> pd.DataFrame:
    seed = result.provenance["options"]["seed"]
    count = len(result.attention)
    columns = {"weights": "trained" if seed is None else f"random {seed}", "layer": np.arange(1, count + 1)}
    for what in panels(result):
        columns |= {f"{what}_{name}": values for name, values in curve_values(result, what).items()}
    return pd.DataFrame(columns)


def views(
    result: ContextMixing,
    *,
    layer: int | None = None,
    per: Per = "published",
    rolled: bool = False,
    prompt: bool = False,
) -> dict[Score, mixing.View]:
    """Score -> its map of one layer and the control, as shares, all with the same end of the colour scale."""
    made = {}
    for score, name in SCORES.items():

        def pick(part: ContextMixing, score: Score = score) -> np.ndarray:
            return part.rollout(score, per=per) if rolled else part.maps(score, per)

        made[score] = mixing.build_view(
            _single(result, pick),
            result.stack,
            pick=lambda part: getattr(part, result.stack),
            title=f"{name}, rolled out to this layer" if rolled else name,
            unit="share of row",
            layer=layer,
            shares=True,
            prompt=prompt,
        )
    top = max(view.top for view in made.values())
    return {score: replace(view, top=top) for score, view in made.items()}


PANELS = {
    "agreement": "Rank correlation",
    "distance": "Mixing distance",
    "entropy": "Row entropy",
}


def panels(result: ContextMixing) -> tuple[str, ...]:
    """Which curves over the layers this stack has."""
    return tuple(PANELS) if result.stack != "cross" else ("agreement", "entropy")


def curve_values(result: ContextMixing, what: str, per: Per = "published") -> dict[str, np.ndarray]:
    """Name -> (layers,) of one panel; entropy is that of the rollout where there is one."""
    if what == "agreement":
        return {f"{a} – {b}": v for (a, b), v in result.agreement(per=per).items()}
    if what == "distance":
        return {name: result.distance(score, per=per) for score, name in SCORES.items()}
    return {name: result.entropy(score, rolled=result.stack != "cross", per=per) for score, name in SCORES.items()}


def curve_name(result: ContextMixing, what: str) -> str:
    """What the vertical axis of a panel shows, with its unit."""
    if what == "distance":
        return f"{PANELS[what]}, {'ms' if result.stack == 'encoder' else 'tokens'}"
    if what == "entropy":
        return "Row entropy, bits" if result.stack == "cross" else "Rollout entropy, bits"
    return PANELS[what]


def draw_curves(
    ax: Axes, result: ContextMixing, what: str, *, layer: int, per: Per = "published", ink: str = draw.INK
) -> None:
    """One panel: a line per score or pair of scores, with the random-weights controls dashed in the same colour."""
    even = result.even_distance() if what == "distance" else None
    comparison.draw_lines(
        ax, curve_values(result, what, per), [curve_values(part, what, per) for part in result.random], even
    )
    limits = (-1, 1) if what == "agreement" else (0, None)
    comparison.finish_axes(ax, len(result.attention), layer, curve_name(result, what), ink, limits)


def draw_heads(ax: Axes, result: ContextMixing, *, layer: int, ink: str = draw.INK) -> None:
    """How far each head looks, frame by frame: a dot per head, and the heads of one random-weights control beside."""
    if result.attention_reach is None:
        raise UserError(NO_DISTANCE)
    comparison.draw_heads(ax, result.attention_reach, result.random[0].attention_reach if result.random else None)
    unit = "ms" if result.stack == "encoder" else "tokens"
    comparison.finish_axes(ax, len(result.attention), layer, f"Mixing distance, {unit}", ink, (0, None))


def plot(
    result: ContextMixing,
    *,
    layer: int | None = None,
    per: Per = "published",
    rolled: bool = False,
    prompt: bool = False,
) -> Figure:
    """Three maps of one layer on one colour scale, the random-weights controls below, and the curves over layers.

    `layer` counts from 1, the last by default; `rolled` shows the rollout up to that layer.
    """
    shown = views(result, layer=layer, per=per, rolled=rolled, prompt=prompt)
    first = next(iter(shown.values()))
    size = min(max(0.28 * len(first.columns), 3.2), 7.0)
    rows = 3 if result.random else 2
    figure = draw.new_figure(3 * size + 1.0, (rows - 1) * size + 3.4)
    axes = figure.subplots(rows, 3, height_ratios=[size] * (rows - 1) + [2.8])
    for ax, view in zip(axes[0], shown.values(), strict=True):
        mesh = draw.heat_map(ax, view.values, view.rows, view.columns, view.top)
        ax.set_title(f"{view.title}\nlayer {view.layer}, trained", fontsize=9, color=draw.INK)
    for ax, view in zip(axes[1], shown.values(), strict=True) if result.random else ():
        draw.heat_map(ax, view.control, view.rows, view.columns, view.top)
        ax.set_title(f"layer {view.layer}, random weights\n(mean of {view.seeds} seeds)", fontsize=9, color=draw.INK)
    figure.colorbar(mesh, ax=axes[:-1], label=first.unit, shrink=0.6)
    for ax, what in zip(axes[-1], panels(result), strict=False):
        draw_curves(ax, result, what, layer=first.layer, per=per)
    for ax in axes[-1, len(panels(result)) :]:
        ax.set_axis_off()
    return figure
