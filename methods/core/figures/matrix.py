"""Square tables of counts or shares, drawn with the numbers that fit into their cells."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from methods.core.figures import draw
from methods.core.speech import phonology

NOTHING = 0.005  # of a share, below which a cell is left empty
MOST_WRITTEN = 8  # rows whose numbers fit into the cells
LETTERS_IN_A_LINE = 48  # of the names of columns, one beside the other
COLUMN_INK = "#1f2937"  # on the light end of the map, in the dark theme as well


def draw_matrix(
    ax: Axes, values: np.ndarray, names: Sequence[str], labels: tuple[str, str], ink: str = draw.INK
) -> None:
    """Shares of each row from 0 to 1: what was said for each class, or accuracy from speaker to speaker."""
    drawn = np.ma.masked_invalid(values)  # on a dark page, too, nothing is the scale's lightest, not the background
    ax.pcolormesh(drawn, cmap=draw.SEQUENTIAL, vmin=0, vmax=1)
    ax.invert_yaxis()
    shown = [draw.written(name) for name in names]
    rotation = 0 if sum(map(len, names)) <= LETTERS_IN_A_LINE else 90
    ax.set_xticks(np.arange(len(names)) + 0.5, shown, rotation=rotation, fontsize=7)
    ax.set_yticks(np.arange(len(names)) + 0.5, shown, fontsize=7)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    if len(names) <= MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            if value <= NOTHING:
                continue
            text = "–" if np.isnan(value) else f"{value:.2f}"
            colour = ink if np.isnan(value) else "white" if value > 0.6 else COLUMN_INK  # no cell lies under a dash
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    draw.plain_axes(ax, ink)


def in_order(classes: Sequence[str]) -> list[int]:
    """The classes in the order of a table of sounds, if most are phones, and strays last; otherwise as they are."""
    ordered = phonology.in_table_order(classes)
    return list(range(len(classes))) if ordered is None else [list(classes).index(name) for name in ordered]
