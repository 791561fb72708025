"""Pictures of projections: one map, and the quality of all maps over the layers."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.projection.embedding import QUALITY
from methods.projection.result import Projection

MARKERS = "o^sDvP*X"  # shape is the speaker
MOST_NAMED = 45  # labels written at their mean; more would hide the points
MOST_IN_LEGEND = 12
ARROW = 1.2  # length of the formant arrows, in mean radii


def colours(labels: tuple[str, ...]) -> dict[str, str]:
    """A colour for each label, the same on the page and in downloads: around the circle of hues, in two strengths."""
    names = sorted(set(labels))
    ramp = colormaps["hsv"](np.linspace(0, 1, len(names), endpoint=False))[:, :3]
    shade = np.where(np.arange(len(names)) % 2, 0.55, 0.8)[:, None]  # pure hues glare, and neighbours must differ
    return {
        name: "#" + "".join(f"{round(255 * part):02x}" for part in colour)
        for name, colour in zip(names, ramp * shade, strict=True)
    }


def draw_map(ax: Axes, result: Projection, space: int, ink: str = draw.INK) -> None:
    """All points of one map, names at the middle of each label, arrows where formants rise."""
    points, label, speaker = result.all_points[space], np.array(result.label), np.array(result.speaker)
    palette, voices = colours(result.label), sorted(set(result.speaker))
    for name, colour in palette.items():
        for number, voice in enumerate(voices):
            mine = (label == name) & (speaker == voice)
            legend = name if number == 0 and len(palette) <= MOST_IN_LEGEND else None
            ax.scatter(*points[mine].T, s=12, color=colour, marker=MARKERS[number % len(MARKERS)], lw=0, alpha=0.7,
                       label=legend)  # fmt: skip
        if len(palette) <= MOST_NAMED:
            middle = points[label == name].mean(0)
            text = draw.written(name)
            ax.text(*middle, text, color=ink, fontsize=9, ha="center", va="center", weight="bold")
    if space < len(result.layers):
        _arrows(ax, result, space, ink)
    ax.set_aspect("equal")
    ax.set(xlabel="no unit", ylabel="no unit")
    draw.plain_axes(ax, ink, columns=6)
    title = result.spaces[space] + (
        f": {result.explained[space]:.0%} of variance" if _has_share(result, space) else ""
    )
    # Inside: above the axes is the legend.
    ax.text(0.01, 0.99, title, transform=ax.transAxes, color=ink, fontsize=9, va="top")


def _has_share(result: Projection, space: int) -> bool:
    return space < len(result.layers) and not np.isnan(result.explained[space])


def _arrows(ax: Axes, result: Projection, layer: int, ink: str) -> None:
    for name, (x, y, share) in zip(("F1", "F2"), result.directions[layer], strict=True):
        if np.isnan(share):
            continue
        ax.annotate("", (ARROW * x, ARROW * y), (0, 0), arrowprops={"arrowstyle": "->", "color": ink, "lw": 1.5})
        ax.text(1.12 * ARROW * x, 1.12 * ARROW * y, f"{name} R² {share:.2f}", color=ink, fontsize=9, ha="center")


def _in_tokens(result: Projection) -> bool:
    """Whether points belong together, so that chance is another one in the plane and in full."""
    return result.provenance["options"]["unit"] == "frames"


def draw_neighbours(ax: Axes, result: Projection, ink: str = draw.INK) -> None:
    """How many of ten neighbours share the label, in the plane and in the full space, and by controls."""
    controls, level = result.controls, np.ones(len(result.layers))
    curves = [Curve("full space", result.quality[:, 2])]
    if result.has_random:
        curves.append(Curve("full, random weights", controls.random_quality[:, :, 2], control=True))
    curves.append(Curve("on the map", result.quality[:, 1]))
    pairs = zip(controls.baselines, controls.baseline_quality[:, 2], strict=True) if controls else ()
    curves += [Curve(f"full, {name}", value * level, control=True) for name, value in pairs]
    whole = "chance, phones shuffled" if _in_tokens(result) else "chance"
    curves.append(Curve(whole, result.chance[:, 1], control=True))
    if _in_tokens(result):
        ax.plot(result.chance[:, 0], color=draw.QUIET, ls=":", label=f"{whole}, on the map")
    curve_figures.layer_curves(ax, result.layers, curves, "neighbours of the same label", ink)
    ax.set_ylim(0, 1)


def draw_trust(ax: Axes, result: Projection, ink: str = draw.INK) -> None:
    """Trustworthiness and silhouettes over the layers, with random weights."""
    curves = [Curve(QUALITY[0], result.quality[:, 0])]
    if result.has_random:
        curves.append(Curve(f"{QUALITY[0]}, random", result.controls.random_quality[:, :, 0], control=True))
    curves += [Curve(QUALITY[number], result.quality[:, number]) for number in (3, 4)]
    if not np.isnan(result.accuracy).all():
        curves.append(Curve("LDA accuracy", result.accuracy[:, 0]))
        curves.append(Curve("LDA, shuffled labels", result.accuracy[:, 1], control=True))
    curve_figures.layer_curves(ax, result.layers, curves, "share", ink)
    ax.set_ylim(
        min(-0.1, float(np.nanmin(result.quality[:, 3:]))) if not np.isnan(result.quality[:, 3:]).all() else 0, 1
    )


def plot(result: Projection, *, space: int | None = None) -> Figure:
    """One map (a number of `spaces`; default the best layer) large, and the quality of all."""
    space = result.best if space is None else space
    figure = draw.new_figure(11.0, 6.5)
    axes = figure.subplot_mosaic([["map", "near"], ["map", "trust"]], width_ratios=(1.7, 1))
    draw_map(axes["map"], result, space)
    draw_neighbours(axes["near"], result)
    draw_trust(axes["trust"], result)
    return figure
