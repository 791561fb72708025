"""Maps of layers by layers, on one colour scale, with what is not there hatched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from methods.core.figures import curves, draw

MISSING = "#9ca3af"
MOST_WRITTEN = 9  # rows whose numbers fit into the cells
DARK = 0.6  # of the range, from which on ink is white


@dataclass(frozen=True, eq=False)
class Map:
    """One map of layers by layers."""

    title: str
    values: np.ndarray  # (rows, columns) drawn from 0 to 1; below 0 looks like 0
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def draw_map(ax: Axes, shown: Map, ink: str = draw.INK) -> Any:
    """Layers by layers on a fixed scale from 0 to 1, numbers in the cells where they fit. Returns the mesh."""
    mesh = ax.pcolormesh(np.ma.masked_invalid(shown.values), cmap=draw.SEQUENTIAL, vmin=0, vmax=1)
    ax.set_facecolor(MISSING)
    ax.set_aspect("equal")
    ax.set_title(shown.title, fontsize=9, color=ink)
    _ticks(ax, shown.columns, shown.rows)
    ax.set(xlabel="layer", ylabel="layer")
    if max(shown.values.shape) <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(shown.values):
            text, light = ("–", True) if np.isnan(value) else (written(value), value < DARK)
            colour = "#1f2937" if light else "white"
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    draw.plain_axes(ax, ink)
    return mesh


def written(value: float) -> str:
    """A share in the shortest form: ".36", "1", "−.02"."""
    text = f"{value:.2f}".replace("0.", ".").replace("-", "−")
    return {"1.00": "1", ".00": "0", "−.00": "0"}.get(text, text)


def _ticks(ax: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    ax.set_xticks(np.arange(len(columns)) + 0.5, curves.short(columns), fontsize=8)
    ax.set_yticks(np.arange(len(rows)) + 0.5, curves.short(rows), fontsize=8)
