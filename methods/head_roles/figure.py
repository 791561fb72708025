"""How alike the heads of a layer are, pair by pair: small squares of heads by heads."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import mixing
from methods.core.errors import UserError, counted
from methods.core.figures import draw
from methods.core.mixing import diagonality
from methods.head_roles.result import OBJECTS, SCORES, HeadRoles

SCALE = "RdBu"  # white at zero: heads at right angles
LARGEST_NUMBERED = 8  # heads; with more every second or fourth has its number


def likeness(
    figure: Figure, names: Sequence[str], trained: np.ndarray, control: np.ndarray | None, ink: str = draw.INK
) -> None:
    """Cosines (objects, heads, heads) from -1 to 1, a square per object; below it the same with random weights."""
    rows = [("", trained)] if control is None else [("trained", trained), ("random", control)]
    axes = figure.subplots(len(rows), len(names), squeeze=False)
    heads = trained.shape[-1]
    ticks = np.arange(0, heads, -(-heads // LARGEST_NUMBERED))
    for line, (which, squares) in zip(axes, rows, strict=True):
        for ax, name, square in zip(line, names, squares, strict=True):
            mesh = ax.imshow(square, cmap=SCALE, vmin=-1, vmax=1, interpolation="nearest")
            ax.set_xticks(ticks, ticks + 1, fontsize=7, color=ink)
            ax.set_yticks(ticks, ticks + 1, fontsize=7, color=ink)
            ax.set_title(f"{name}\n{which}" if which else name, fontsize=8, color=ink)
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.8)
    bar.set_label("mean cosine of two heads", color=ink)
    bar.ax.tick_params(colors=ink)


def score_curve(ax: Axes, result: HeadRoles, score: str = "cad", ink: str = draw.INK) -> None:
    """A score of every head by layer: heads as dots, their mean, and mean and range with random weights."""
    values = getattr(result, score)
    layers = np.arange(1, len(values) + 1)
    if result.random:
        control = np.concatenate([getattr(twin, score) for twin in result.random], axis=1)
        ax.fill_between(layers, control.min(1), control.max(1), color=draw.RANDOM, alpha=0.2, lw=0)
        name = f"random weights, {counted(len(result.random), 'seed')}"
        ax.plot(layers, control.mean(1), color=draw.RANDOM, ls="--", label=name)
    ax.plot(layers, values.mean(1), color=draw.TRAINED, marker="_", label="trained, mean of heads")
    ax.scatter(np.repeat(layers, values.shape[1]), values.ravel(), s=10, color=draw.TRAINED, alpha=0.7)
    if score == "cad":
        ax.axhline(result.uniform, color=draw.QUIET, ls=":", label="even spread, 2/3")
    ax.set(xlabel="layer", ylabel="CAD" if score == "cad" else score.replace("_", ", "), xticks=layers)
    draw.plain_axes(ax, ink)


def radius_curve(ax: Axes, result: HeadRoles, layer: int, head: int, ink: str = draw.INK) -> None:
    """D(r) of one head among those of its layer, beside an even spread."""
    within = result.within()[layer - 1]
    frames = within.shape[-1]
    radius = np.arange(frames) / max(frames - 1, 1)
    ax.plot(radius, within.T, color=draw.TRAINED, lw=0.6, alpha=0.4)
    ax.plot(radius, within[head - 1], color=draw.TRAINED, lw=2, label=f"layer {layer}, head {head}")
    even = diagonality.distance_profile(np.full((1, frames, frames), 1 / frames))[0].cumsum()
    ax.plot(radius, even, color=draw.QUIET, ls=":", label="even spread")
    ax.set(xlabel="radius r, share of the clip", ylabel="D(r)", xlim=(0, 1), ylim=(0, 1.02))
    draw.plain_axes(ax, ink)


def similarity_curve(ax: Axes, result: HeadRoles, ink: str = draw.INK) -> None:
    """How alike are the heads of a layer? Solid: trained; dotted in the same colour: mean of the random weights."""
    layers = np.arange(1, len(result.cad) + 1)
    for number, name in enumerate(OBJECTS):
        colour = f"C{number}"
        ax.plot(layers, result.layer_similarity()[number], color=colour, label=name)
        if result.random:
            control = np.mean([twin.layer_similarity()[number] for twin in result.random], 0)
            ax.plot(layers, control, color=colour, ls=":")
    ax.set(xlabel="layer", ylabel="mean cosine of two heads", xticks=layers, ylim=(-0.2, 1.05))
    draw.plain_axes(ax, ink, columns=3)


def plot(result: HeadRoles, *, layer: int | None = None, head: int = 1, score: str = "cad") -> Figure:
    """Thumbnails of all heads, one score by layer with its control, D(r) of the chosen head, and likeness of heads."""
    layers, heads = result.cad.shape
    layer, head = mixing.checked_layer(layer, layers), mixing.checked_layer(head, heads, "head")
    if score not in SCORES:
        raise UserError(f"There is no score “{score}”; choose one of {', '.join(SCORES)}.")
    figure = draw.new_figure(0.9 * heads + 5.0, max(0.9 * layers + 0.6, 8.0))
    grid, curves = figure.subfigures(1, 2, width_ratios=(0.9 * heads, 5.0))
    for (row, column), ax in np.ndenumerate(grid.subplots(layers, heads, squeeze=False)):
        picture = result.thumbnails[row, column]
        ax.imshow(np.sqrt(picture), cmap=draw.SEQUENTIAL, vmin=0, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{row + 1}.{column + 1} {result.kinds[row, column][0]}", fontsize=7, pad=2)
        ax.spines[:].set_linewidth(2.0 if (row + 1, column + 1) == (layer, head) else 0.5)
    grid.suptitle("Layer.head, root of the weight; d diagonal, g global, v vertical", fontsize=9)
    upper, middle, lower = curves.subplots(3, 1)
    score_curve(upper, result, score)
    radius_curve(middle, result, layer, head)
    similarity_curve(lower, result)
    return figure
