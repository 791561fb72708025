"""**Do the ways of asking "who takes from whom" agree: attention, attention norm and value zeroing?**

Three scores for the same clip, the same words and the same layer, as shares of each row on one colour scale.
*Attention* is how much is looked at, *attention norm* how long the vector is that is passed on, *value zeroing* how
far a word's output turns when the other word cannot be read.

*How to read it.* Rows are the words that read, columns the words that are read. The **rank correlation** of two scores
(Spearman, over all cells off the diagonal) says whether they order the pairs of words alike. The **mixing distance**
is how far a row looks, in milliseconds between the middles of words, weighted by shares; every head's own distance is
measured frame by frame. **Rollout** multiplies the layers up to the chosen one: what a word has taken in by then.
Attention and its norm leave out the residual stream, so half of each row is kept for the word itself, or as much as
the stream's length beside what attention adds to it (**measured**); value zeroing holds it already. The rows' entropy
against depth says how evenly a word's sources are spread.

**The whole model** rolls out a decoder's own attention, its cross-attention and the encoder below as one. A row is the
state that writes a token, and its shares of all words of the sound and all tokens read so far add up to 1; sound that
came by way of an earlier token counts as sound. Past each cross-attention the residual share of a row goes on, for
value zeroing too; the rest is what cross-attention reads, followed down the encoder to the words. With one half, the
sound has 1 - 1/2ˡ of every row after layer l *whatever the model does*: read how that is spread over the words, and
take “measured” to ask how much it is.

*What it cannot show.* None of the three is the truth about the other two, and all look at one layer at a time: rollout
multiplies as if layers were linear, leaves out the feed-forward, and its half for the residual is a convention (change
it and see what stays). With depth its rows grow alike, so a whole model tells less of single tokens than its last
cross-attention does. Attention and its norm are per frame by default, value zeroing takes away whole words, as
published; so long words weigh more in it, even with random weights. Compare with the random-weights maps.

*Source.* Mohebbi, Chrupała, Zuidema & Alishahi, EMNLP 2023 (arXiv 2310.09925), where the three are set side by side;
rollout: Abnar & Zuidema, Quantifying Attention Flow in Transformers, ACL 2020 (2020.acl-main.385).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import comparison, draw, mixing, three_scores, whole_model
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.network import SpeechModel
from methods.core.options import check_options, options_of
from methods.core.results import Steps, finish
from methods.core.three_scores import NO_DISTANCE, NO_ROLLOUT, SCORES, ContextMixing, Kept, Per, Score
from methods.core.whole_model import Source, WholeModel

__all__ = ["NO_DISTANCE", "NO_ROLLOUT", "SCORES", "ContextMixing", "WholeModel", "analyse", "plot", "views"]

Which = Literal["encoder", "decoder", "cross", "whole"]
WHOLE = "The whole model, text from sound and text"
TITLES: dict[Which, str] = {**mixing.STACK_TITLES, "whole": WHOLE}
PANELS = ("agreement", "distance", "entropy", "heads")  # curves over the layers; the last: a dot for each head
WHOLE_PANELS = tuple(whole_model.PANELS)


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stack: Which = "encoder",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> ContextMixing | WholeModel:
    """Do attention, attention norm and value zeroing tell the same story of who takes from whom, layer by layer?

    `stack` is "encoder", "decoder", "cross", or "whole" for the rollout of all three together; the other options are
    those of the single techniques. Raises UserError for fewer than two segments, or for a stack that the model does
    not have. Source: Mohebbi et al. 2023, section 3.
    """
    return finish(analyse_in_steps(**locals()))  # nothing but the arguments is local yet


def analyse_in_steps(
    clip: Clip, model: SpeechModel, *, random_seeds: Sequence[int] = (0, 1, 2), **options: Any
) -> Steps[ContextMixing | WholeModel]:
    """`analyse`, one model after the other, for a page that shows progress and can stop."""
    check_options(analyse, {**options, "random_seeds": random_seeds})
    stack = options.get("stack", "encoder")
    mixing.possible_stacks(model, (stack,))
    passage = mixing.passage(clip, model, **{key: options.get(key) for key in mixing.PASSAGE})
    names = {"stack": stack, "random_seeds": list(random_seeds)}

    def measure(one: mixing.Passage) -> ContextMixing | WholeModel:
        if stack == "whole":
            return whole_model.measured_whole(one, names)
        return three_scores.measured(one, stack, names)

    return (yield from mixing.with_controls(passage, random_seeds, measure))


def views(
    result: ContextMixing | WholeModel,
    *,
    layer: int | None = None,
    per: Per = "published",
    rolled: bool = False,
    kept: Kept = 0.5,
    source: Source = "sound",
    prompt: bool = False,
) -> dict[Score, mixing.View]:
    """Score -> its map of one layer and the control, as shares, all with the same end of the colour scale.

    `kept` is what the residual stream keeps of a row in a rollout: a share, or "measured". The whole model is always
    rolled out, and shows its shares of the "sound" or of the "text".
    """
    check_options(views, {"per": per, "rolled": rolled, "source": source, "prompt": prompt})
    if isinstance(result, WholeModel):
        return whole_model.views(result, layer=layer, per=per, kept=kept, source=source, prompt=prompt)
    made = {}
    for score, name in SCORES.items():

        def pick(part: ContextMixing, score: Score = score) -> np.ndarray:
            return part.rollout(score, per=per, kept=kept) if rolled else part.maps(score, per)

        made[score] = mixing.build_view(
            three_scores.single(result, pick),
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


def panels(result: ContextMixing | WholeModel) -> tuple[str, ...]:
    """Which curves over the layers this result has."""
    if isinstance(result, WholeModel):
        return WHOLE_PANELS
    return PANELS if result.stack != "cross" else ("agreement", "entropy")


def curve_values(
    result: ContextMixing | WholeModel, what: str, per: Per = "published", kept: Kept = 0.5
) -> dict[str, np.ndarray]:
    """Name -> (layers,) of one panel of lines; entropy is that of the rollout where there is one."""
    if isinstance(result, WholeModel):
        return result.curves(what, per=per, kept=kept)
    return three_scores.curve_values(result, what, per, kept)


def curve_name(result: ContextMixing | WholeModel, what: str) -> str:
    """What the vertical axis of a panel shows, with its unit."""
    if isinstance(result, WholeModel):
        return whole_model.PANELS[what]
    return three_scores.curve_name(result, what)


def draw_curves(
    ax: Axes,
    result: ContextMixing | WholeModel,
    what: str,
    *,
    layer: int,
    per: Per = "published",
    kept: Kept = 0.5,
    ink: str = draw.INK,
) -> None:
    """One panel: a line per score or pair of scores, with the random-weights controls dashed in the same colour.

    The panel "heads" has a dot for each head, and the heads of one random-weights control beside them.
    """
    if what == "heads":
        draw_heads(ax, result, layer=layer, ink=ink)
        return
    lines = curve_values(result, what, per, kept)
    even = result.even_distance() if what == "distance" else None
    comparison.draw_lines(ax, lines, [curve_values(part, what, per, kept) for part in result.random], even)
    limits = {"agreement": (-1, 1), "heard": (0, 1), "ratio": (0, 1)}.get(what, (0, None))
    layers = max(len(values) for values in lines.values())
    comparison.finish_axes(ax, layers, layer, curve_name(result, what), ink, limits)


def draw_heads(ax: Axes, result: ContextMixing, *, layer: int, ink: str = draw.INK) -> None:
    """How far each head looks, frame by frame: a dot per head, and the heads of one random-weights control beside."""
    if result.attention_reach is None:
        raise UserError(NO_DISTANCE)
    comparison.draw_heads(ax, result.attention_reach, result.random[0].attention_reach if result.random else None)
    unit = "ms" if result.stack == "encoder" else "tokens, prompt included"
    comparison.finish_axes(ax, result.layers, layer, f"Mixing distance of heads, {unit}", ink, (0, None))


@options_of(views)
def plot(result: ContextMixing | WholeModel, **options: Any) -> Figure:
    """Three maps of one layer on one colour scale, the random-weights controls below, and the curves over layers.

    The options are those of `views`: `layer` counts from 1, the last by default; `rolled` shows the rollout up to that
    layer, `kept` what the residual stream keeps in it; `source` the sound or the text of a whole model.
    """
    shown = views(result, **options)
    first = next(iter(shown.values()))
    size = min(max(0.28 * len(first.columns), 3.2), 7.0)
    rows, what = 3 if result.random else 2, [name for name in panels(result) if name != "heads"]
    figure = draw.new_figure(3 * size + 1.0, (rows - 1) * size + 3.4)
    maps, curves = figure.subfigures(2, 1, height_ratios=((rows - 1) * size, 3.4))
    axes = maps.subplots(rows - 1, 3, squeeze=False)
    for ax, view in zip(axes[0], shown.values(), strict=True):
        mesh = draw.heat_map(ax, view.values, view.rows, view.columns, view.top)
        ax.set_title(f"{view.title}\nlayer {view.layer}, trained", fontsize=9, color=draw.INK)
    for ax, view in zip(axes[1], shown.values(), strict=True) if result.random else ():
        draw.heat_map(ax, view.control, view.rows, view.columns, view.top)
        ax.set_title(f"layer {view.layer}, random weights\n(mean of {view.seeds} seeds)", fontsize=9, color=draw.INK)
    maps.colorbar(mesh, ax=axes, label=first.unit, shrink=0.6)
    chosen = {name: options[name] for name in ("per", "kept") if name in options}
    for ax, name in zip(curves.subplots(1, len(what), squeeze=False)[0], what, strict=True):
        draw_curves(ax, result, name, layer=first.layer, **chosen)
    return figure
