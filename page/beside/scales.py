"""What two sides draw, on common scales, and the difference of what both have."""

import base64
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.figures.draw import plain_axes
from page.beside import figures
from page.recipe import Values
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg, watched
from page.widgets.sound_plot import Row

Drawn = Sequence[Any]  # a value for each output
HEAT = ("matrix", "grid")
DIFFERENCE = "left minus right: {value} for *{row}* and *{column}*"  # what a cell of a difference says
LONGEST_LINE = 28  # letters that fit beside a small picture


def pair(draw: Callable[[], Drawn], draw_other: Callable[[], Drawn]) -> tuple[Drawn, Drawn, list[Any]]:
    """Both sides on common scales, and the pictures of their difference; the functions draw each side alone.

    Each side is drawn twice, once to see its limits and once with those of both.
    """
    with watched() as mine:
        draw()
    with watched() as theirs:
        draw_other()
    differences = list(curve_differences(mine.figures, theirs.figures))
    fit = len(mine.figures) == len(theirs.figures)
    with watched([partial(_fitted_to, other=figure) for figure in theirs.figures] if fit else ()):
        one = [*draw()]
    with watched([partial(_fitted_to, other=figure) for figure in mine.figures] if fit else ()):
        other = [*draw_other()]
    for number, (left, right) in enumerate(zip(one, other, strict=True)):
        if is_plot(left) and is_plot(right):
            one[number], other[number] = plots_on_one_scale(left, right)
    maps = [found for left, right in zip(one, other, strict=True) if (found := plot_difference(left, right))]
    return one, other, [*maps, *differences]


def _fitted_to(figure: Figure, other: Figure) -> None:
    figures.on_one_scale(figure, other)


def is_plot(value: Any) -> bool:
    """Whether it is what a `SoundPlot` draws."""
    return isinstance(value, dict) and "rows" in value and "seconds" in value


def plots_on_one_scale(left: Values, right: Values) -> tuple[Values, Values]:
    """Rows that show the same quantity with the limits that hold both."""
    rows, others = [*left["rows"]], [*right["rows"]]
    for number, (row, other) in enumerate(zip(rows, others, strict=False)):
        if "vmin" in row and _alike(row, other):
            limits = {"vmin": min(row["vmin"], other["vmin"]), "vmax": max(row["vmax"], other["vmax"])}
            rows[number], others[number] = {**row, **limits}, {**other, **limits}
    return {**left, "rows": rows}, {**right, "rows": others}


def _alike(row: Row, other: Row) -> bool:
    """Whether two rows show the same quantity in the same colours."""
    return all(row.get(name) == other.get(name) for name in ("kind", "unit", "scale")) and "vmin" in other


def plot_difference(left: Any, right: Any) -> Values | None:
    """Left minus right, row by row, over the left side's time axis; None where nothing can be subtracted."""
    if not (is_plot(left) and is_plot(right)):
        return None
    pairs = [(row, other) for row, other in zip(left["rows"], right["rows"], strict=False) if _alike(row, other)]
    rows = _on_their_scale([row for one, other in pairs if (row := _row_difference(one, other))])
    if not rows:
        return None
    head = [row for row in left["rows"] if row["kind"] == "segments" and "score" not in (row["items"] or [{}])[0]][:1]
    head = head if any(row["kind"] != "grid" for row in rows) else []
    summary = "; ".join(row.get("title") or row["label"] for row in rows)
    return {**sound_plot.plot_value(left["seconds"], [*head, *rows], summary), "clip": left.get("clip")}


def _on_their_scale(rows: list[Row]) -> list[Row]:
    """Differences of one quantity in the same colours: those of a control are small, and must look it."""
    reach: dict[tuple[bool, str], float] = {}
    for row in rows:
        kind = row["kind"] in HEAT, row["unit"]
        reach[kind] = max(reach.get(kind, 0.0), row["vmax"])
    tops = [reach[row["kind"] in HEAT, row["unit"]] for row in rows]
    return [{**row, "vmin": -top, "vmax": top} for row, top in zip(rows, tops, strict=True)]


def _row_difference(row: Row, other: Row) -> Row | None:
    """One row minus the other; None where they share nothing, or are equal."""
    if row["kind"] in HEAT and _names(row) == _names(other):
        return _heat_difference(row, other)
    return _line_difference(row, other) if row["kind"] == "line" else None


def _names(row: Row) -> tuple[list[str], list[str]]:
    """What stands at a map's rows and columns."""
    return [item["label"] for item in row["rows"]], [item["label"] for item in row["columns"]]


def _heat_difference(row: Row, other: Row) -> Row | None:
    """A map of the same rows and columns, red where the left side has more; None if both are equal."""
    values = cells(row) - cells(other)
    if not np.nan_to_num(values).any():
        return None
    most = _reach(values)
    again = {name: row[name] for name in row if name not in ("data", "dtype", "scale_min", "scale_max")}
    same = row["title"] == other["title"]
    title = f"Left minus right: {row['title']}" if same else f"{row['title']}, minus: {other['title']}"
    return {
        **again, **sound_plot.encoded(values.astype(np.float32)), "vmin": -most, "vmax": most, "scale": "rdbu",
        "title": title, "alt": title, "sentence": [DIFFERENCE],
    }  # fmt: skip


def _line_difference(row: Row, other: Row) -> Row | None:
    """Curves of one name and as many places; None if there are none."""
    theirs = {one["name"]: _numbers(one["values"]) for one in other["series"]}
    found = {}
    for one in row["series"]:
        values = _numbers(one["values"])
        if one["name"] in theirs and theirs[one["name"]].shape == values.shape:
            found[one["name"]] = values - theirs[one["name"]]
    found = {name: values for name, values in found.items() if np.nan_to_num(values).any()}
    if not found:
        return None
    most = max(map(_reach, found.values()))
    label = f"{row['label']}, left minus right"
    return sound_plot.line_row(found, label, vmin=-most, vmax=most, unit=row["unit"], decimals=row["decimals"])


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _reach(values: np.ndarray) -> float:
    """The largest distance from zero; 1 where all is zero, so that a scale has a width."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def cells(row: Row) -> np.ndarray:
    """The values (rows, columns) of a heat map's row, as it travels to the browser."""
    shape = len(row["rows"]), len(row["columns"])
    raw = base64.b64decode(row["data"])
    if row["dtype"] == "float32":
        return np.frombuffer(raw, "<f4").reshape(shape).astype(float)
    steps = np.frombuffer(raw, "<u2").reshape(shape).astype(float)
    values = row["scale_min"] + steps / sound_plot.QUANTA * (row["scale_max"] - row["scale_min"])
    return np.where(steps > sound_plot.QUANTA, np.nan, values)


def curve_differences(mine: Sequence[Figure], theirs: Sequence[Figure]) -> Iterator[str]:
    """A picture for every pair of pictures that have curves in common."""
    for one, other in zip(mine, theirs, strict=False):
        for left, right in zip(one.axes, other.axes, strict=False):
            curves = figures.shared_curves(left, right)
            if curves:
                said = left.get_xlabel(), left.get_ylabel(), list(left.get_xticks())
                text = "Left minus right: " + ", ".join(curve.name for curve in curves)
                yield inline_svg(partial(_draw_curves, curves=curves, said=said), text, (5.2, 3.0))


def _draw_curves(ax: Axes, ink: str, *, curves: list[figures.Curve], said: tuple[str, str, list[float]]) -> None:
    ax.axhline(0.0, color=ink, linewidth=0.8)
    for curve in curves:
        ax.plot(curve.places, curve.values, marker="o", markersize=3, label=curve.name, color=curve.colour)
    ax.set(
        xlabel=said[0],
        ylabel=textwrap.fill(f"{said[1]}, left − right", LONGEST_LINE),
        xticks=said[2],
        xlim=ax.get_xlim(),
    )
    plain_axes(ax, ink, columns=2)
