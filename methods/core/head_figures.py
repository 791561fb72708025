"""How alike the heads of a layer are, pair by pair: small squares of heads by heads."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from methods.core import draw

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
