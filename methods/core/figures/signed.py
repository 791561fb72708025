"""Pictures of numbers with a sign: maps that are white at nothing, and curves of orders against random ones."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from methods.core.errors import counted
from methods.core.figures import draw
from methods.core.figures.draw import INK, QUIET, RANDOM, TRAINED

SIGNED = "RdBu_r"  # blue below zero, red above, white at nothing: as in the page's own plots
GREY = "#e5e7eb"  # no value
SHORT = 3  # letters; names of columns that are longer stand aslant
STYLES = ("-", "--", ":", "-.")


def limit_of(values: np.ndarray) -> float:
    """The largest distance from 0, for both ends of a colour scale; 1 where there is none."""
    finite = np.abs(np.asarray(values, float)[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def signed_map(
    ax: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], limit: float, *, cells: bool = False
) -> object:
    """Draw (rows, columns) from -limit to limit; missing values are grey. Returns the mesh.

    `cells` writes each number into its square, and nothing below 0.005 as a plain 0.00.
    """
    mesh = ax.pcolormesh(np.ma.masked_invalid(values), cmap=SIGNED, vmin=-limit, vmax=limit)
    ax.set_facecolor(GREY)
    ax.invert_yaxis()
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    for place, names, style in (
        (ax.set_xticks, columns, slanted if max(map(len, columns), default=0) > SHORT else {}),
        (ax.set_yticks, rows, {}),
    ):
        draw.name_cells(place, [draw.written(name) for name in names], **style)
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    if cells:
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                pale = "white" if abs(value) > 0.7 * limit else INK
                ax.text(
                    column + 0.5,
                    row + 0.5,
                    f"{value:z.2f}".replace("-", "−"),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color=pale,
                )
    return mesh


def order_curves(ax: Axes, shares: np.ndarray, values: np.ndarray, names: Sequence[str], ink: str = INK) -> None:
    """Curves (orders, steps): the named ones first, then random ones as a band of their mean ± standard deviation."""
    drawn = values[len(names) :]
    if len(drawn):
        grid = np.linspace(0, 1, 41)
        pairs = zip(shares[len(names) :], drawn, strict=True)
        random = np.array([np.interp(grid, share, curve) for share, curve in pairs])
        middle, spread = random.mean(0), random.std(0)
        ax.fill_between(grid, middle - spread, middle + spread, color=RANDOM, alpha=0.25, lw=0)
        ax.plot(grid, middle, color=RANDOM, lw=1, label=random_name(len(drawn)))
    for number, name in enumerate(names[: len(values)]):
        colour = TRAINED if number == 0 else QUIET
        ax.plot(shares[number], values[number], STYLES[number], color=colour, marker="o", ms=3, label=name)
    if len(values):
        draw.legend_above(ax, ink)
    draw.inked(ax, ink, labelsize=8)


def random_name(drawn: int) -> str:
    """What a legend calls the band; one order has none."""
    return counted(drawn, "random order") + (", ± 1 sd" if drawn > 1 else "")


def limited(ax: Axes, values: np.ndarray, random: np.ndarray) -> None:
    """Room for the trained curve and half as much again: random weights may leave the picture, and then it is said."""
    shown = values[np.isfinite(values)]
    low, high = min(shown.min(initial=0.0), -0.5), max(shown.max(initial=0.0), 0.5)
    margin = 0.5 * (high - low)
    name = f"random weights, {counted(len(random), 'seed')}"
    if random.size and (random.min() < low - margin or random.max() > high + margin):
        name += f" ({random.min():.0f} to {random.max():.0f}: beyond the picture)"
    ax.set_ylim(low - margin, high + margin)
    ax.plot([], [], color=RANDOM, lw=0.8, label=name)
