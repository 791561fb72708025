"""Several scores of the same thing: do they rank alike, and how do they go over the layers?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.context_mixing import three_scores, whole_model
from methods.context_mixing.three_scores import NO_DISTANCE, SCORES, ContextMixing, Kept, Per, Score
from methods.context_mixing.whole_model import Source, WholeModel
from methods.core import mixing
from methods.core.errors import UserError, counted
from methods.core.figures import draw
from methods.core.options import check_options, options_of

PANELS = ("agreement", "distance", "entropy", "heads")  # curves over the layers; the last: a dot for each head
WHOLE_PANELS = tuple(whole_model.PANELS)


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
            axes=("{} that takes", "{} that gives"),
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
    draw_lines(ax, lines, [curve_values(part, what, per, kept) for part in result.random], even)
    limits = {"agreement": (-1, 1), "heard": (0, 1), "ratio": (0, 1)}.get(what, (0, None))
    layers = max(len(values) for values in lines.values())
    finish_axes(ax, layers, layer, curve_name(result, what), ink, limits)


def draw_heads(ax: Axes, result: ContextMixing, *, layer: int, ink: str = draw.INK) -> None:
    """How far each head looks, frame by frame: a dot per head, and the heads of one random-weights control beside."""
    if result.attention_reach is None:
        raise UserError(NO_DISTANCE)
    head_dots(ax, result.attention_reach, result.random[0].attention_reach if result.random else None)
    unit = "ms" if result.stack == "encoder" else "tokens, prompt included"
    finish_axes(ax, result.layers, layer, f"mixing distance of heads, {unit}", ink, (0, None))


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
        ax.set_xlabel(view.column_name)
    axes[0, 0].set_ylabel(first.row_name)
    for ax, view in zip(axes[1], shown.values(), strict=True) if result.random else ():
        draw.heat_map(ax, view.control, view.rows, view.columns, view.top)
        ax.set_xlabel(view.column_name)
        ax.set_title(
            f"layer {view.layer}, random weights\n(mean of {counted(view.seeds, 'seed')})", fontsize=9, color=draw.INK
        )
    maps.colorbar(mesh, ax=axes, label=first.unit, shrink=0.6)
    chosen = {name: options[name] for name in ("per", "kept") if name in options}
    for ax, name in zip(curves.subplots(1, len(what), squeeze=False)[0], what, strict=True):
        draw_curves(ax, result, name, layer=first.layer, **chosen)
    return figure


COLOURS = ("#2563eb", "#059669", "#9333ea")  # orange is left for random weights alone


def draw_lines(
    ax: Axes, lines: Mapping[str, np.ndarray], controls: Sequence[Mapping[str, np.ndarray]], even: float | None = None
) -> None:
    """A line over the layers per score; the controls' mean dashed and their range shaded in the same colour."""
    for (name, values), colour in zip(lines.items(), COLOURS, strict=True):
        layers = np.arange(1, len(values) + 1)
        ax.plot(layers, values, color=colour, marker="o", ms=3, label=name)
        if controls:
            seeds = np.array([control[name] for control in controls])
            ax.plot(layers, seeds.mean(0), color=colour, ls="--", lw=1)
            ax.fill_between(layers, seeds.min(0), seeds.max(0), color=colour, alpha=0.12, lw=0)
    if controls:
        ax.plot([], [], color=draw.QUIET, ls="--", lw=1, label="random weights")
    if even is not None:
        ax.axhline(even, color=draw.QUIET, ls=":", label="even spread")


def head_dots(ax: Axes, trained: np.ndarray, control: np.ndarray | None) -> None:
    """A dot per head from (layers, heads), and those of one random-weights control beside them."""
    dots = [(trained, draw.TRAINED, "heads, trained", -0.12)]
    if control is not None:
        dots.append((control, draw.RANDOM, "heads, random weights", 0.12))
    for values, colour, label, shift in dots:
        layers = np.arange(1, len(values) + 1) + shift
        ax.plot(np.repeat(layers, values.shape[1]), values.ravel(), ".", color=colour, label=label)


def finish_axes(ax: Axes, layers: int, layer: int, name: str, ink: str, limits: tuple[float, float | None]) -> None:
    """Axes that several lines share: whole layers, the chosen one marked, the legend above, the page's own ink."""
    ax.axvline(layer, color=draw.QUIET, lw=0.6)
    ax.set(xlabel="layer", ylabel=name, xticks=np.arange(1, layers + 1), ylim=limits)
    draw.legend_above(ax, ink)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_edgecolor(ink)
    ax.tick_params(colors=ink)
    ax.xaxis.label.set_color(ink)
    ax.yaxis.label.set_color(ink)
