"""Several scores of the same thing: do they rank alike, and how do they go over the layers?"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import rankdata

from methods.core import draw

COLOURS = ("#2563eb", "#059669", "#9333ea")  # orange is left for random weights alone
FEWEST = 3  # cells; a rank correlation of two is always 1 or -1


def rank_correlation(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(layers,) Spearman's rank correlation of two (layers, cells) arrays.

    Cells without a value in either are left out. NaN for fewer than three cells, or where one score is constant.
    """
    found = np.full(len(left), np.nan)
    for layer, known in enumerate(np.isfinite(left) & np.isfinite(right)):
        a, b = rankdata(left[layer, known]), rankdata(right[layer, known])
        if len(a) >= FEWEST and np.ptp(a) > 0 and np.ptp(b) > 0:
            found[layer] = np.corrcoef(a, b)[0, 1]
    return found


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


def draw_heads(ax: Axes, trained: np.ndarray, control: np.ndarray | None) -> None:
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
    ax.legend(fontsize=7, frameon=False, labelcolor=ink, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_edgecolor(ink)
    ax.tick_params(colors=ink)
    ax.xaxis.label.set_color(ink)
    ax.yaxis.label.set_color(ink)
