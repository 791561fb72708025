"""Shared looks of the figures that go into downloads and notebooks. Never pyplot: figures are made in threads."""

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
LARGEST_LABELLED = 60  # rows or columns; beyond that labels would overlap


@dataclass(frozen=True)
class Place:
    """A row or column of a map; start and end in seconds where it is a stretch of sound."""

    label: str
    start: float | None = None
    end: float | None = None


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
    if len(items) <= LARGEST_LABELLED:
        # A dollar sign would start matplotlib's mathematics, and labels come from transcripts.
        place(np.arange(len(items)) + 0.5, [item.label.replace("$", r"\$") for item in items], **style)


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
