"""Shared looks of the figures that go into downloads and notebooks. Never pyplot: figures are made in threads."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: small files, searchable, readable by machines

INK, QUIET, TRAINED, RANDOM = "#1f2937", "#6b7280", "#2563eb", "#d97706"
SEQUENTIAL = "Blues"  # white at zero: a value of nothing must look like nothing
LEGEND = 8.0  # pt
ROOM = 0.95  # of a figure's width, for a legend above axes that begin right of their own labels
LONGEST_WRITTEN, LONG = 24, 60  # characters of a label, and of what a figure is about
NOT_IN_SVG = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
HAIR_SPACE = "\u200a"
LARGEST_LABELLED = 60  # rows or columns; beyond that labels would overlap


@dataclass(frozen=True)
class Place:
    """A row or column of a map; start and end in seconds where it is a stretch of sound."""

    label: str
    start: float | None = None
    end: float | None = None


def written(label: str, longest: int = LONGEST_WRITTEN) -> str:
    """A label as a figure can hold it, read letter by letter: labels come from files, transcripts and models.

    A dollar sign would start matplotlib's mathematics and an underscore in front hide it from a legend; SVG allows no
    control characters, and a name as long as the picture would leave no room for the picture.
    """
    line = " ".join(NOT_IN_SVG.sub(" ", label).split())
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return (HAIR_SPACE if line.startswith("_") else "") + line.replace("$", r"\$")


def read(label: str) -> str:
    """What somebody reads who sees a label that `written` has made fit for a figure, on one line."""
    return " ".join(label.replace(r"\$", "$").removeprefix(HAIR_SPACE).split())


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def heat_map(ax: Axes, values: np.ndarray, rows: tuple[Place, ...], columns: tuple[Place, ...], top: float) -> object:
    """Draw a (rows, columns) map from 0 to `top`, one square per cell; missing values are grey. Returns the mesh."""
    mesh = ax.pcolormesh(np.ma.masked_invalid(values), cmap=SEQUENTIAL, vmin=0, vmax=top)
    ax.set_facecolor("#e5e7eb")
    ax.invert_yaxis()
    _ticks(ax.set_xticks, columns, rotation=60, ha="right", rotation_mode="anchor")
    _ticks(ax.set_yticks, rows)
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    return mesh


def _ticks(place: object, items: tuple[Place, ...], **style: object) -> None:
    name_cells(place, [written(item.label) for item in items], **style)


def name_cells(place: Callable[..., list], names: Sequence[str], **style: object) -> None:
    """Names below or beside the rows or columns of a map; `place` is an axis' `set_xticks` or `set_yticks`.

    Of more than `LARGEST_LABELLED` none is seen, and each is still known of its cell: the page says it there.
    """
    ticks = place(np.arange(len(names)) + 0.5, names, **style)
    for tick in ticks if len(names) > LARGEST_LABELLED else ():
        tick.label1.set_visible(False)


def plain_axes(ax: Axes, ink: str = INK, *, columns: int = 2) -> None:
    """Two spines in the given ink, and the legend, if there is something to name, above the axes."""
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax, ink, columns)
    inked(ax, ink)


def legend_above(ax: Axes, ink: str = INK, columns: int = 2) -> None:
    """The legend above the axes, where it hides no curve, in as many columns as the figure is wide enough for."""
    width = ROOM * ax.get_figure(root=True).bbox.width
    look = {"fontsize": LEGEND, "frameon": False, "labelcolor": ink, "columnspacing": 1.0, "handlelength": 1.6}
    for count in range(columns, 0, -1):
        legend = ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=count, **look)
        if legend.get_window_extent().width <= width:
            return


def inked(ax: Axes, ink: str, **ticks: float) -> None:
    """Two spines, ticks and axis labels in the page's own text colour."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_edgecolor(ink)
    ax.tick_params(colors=ink, **ticks)
    ax.xaxis.label.set_color(ink)
    ax.yaxis.label.set_color(ink)
