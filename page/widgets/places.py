"""Where the points and cells of a picture are, by the names that its key and its axes give them.

A lesson marks what it asks about by these names: what is named otherwise, or is not there, is not marked.
"""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from methods.core.figures.draw import read
from methods.core.results import Json

MOST_POINTS = 64  # of a curve: layers of a large model; a curve over time is no list of named points
DIGITS = 4  # of a value after the point: a sentence says fewer

Part = dict[str, Json]


def places(figure: Figure) -> list[Part]:
    """The parts of a figure that has been laid out, in fractions of its width and height from the upper left corner.

    A curve has one row, its name in the key, and `at`: [x, y] of each of its columns. A map has `box`: left, top,
    width and height of all its cells, which are equal, and `values`, row by row, null where there is none. `on` is the
    title, or the name of the vertical axis.
    """
    return [part for ax in figure.axes for part in (*_curves(ax), *_maps(ax))]


def _curves(ax: Axes) -> Iterator[Part]:
    for line in ax.get_lines():
        if not _is_named(line, ax):
            continue
        points = np.array([line.get_xdata(orig=False), line.get_ydata(orig=False)], dtype=float).T
        points = points[np.isfinite(points).all(1)]
        at = _fractions(ax, points).round(4).tolist()
        yield {
            "on": _name(ax),
            "rows": [read(str(line.get_label()))],
            "columns": [_written(ax.xaxis, x) for x, _ in points],
            "at": at,
        }


def _is_named(line: Line2D, ax: Axes) -> bool:
    """Whether it is a curve of the key, and not so long that its points have no names."""
    hidden, own = str(line.get_label()).startswith("_"), line.get_transform() == ax.transData
    return own and not hidden and 0 < len(line.get_xdata()) <= MOST_POINTS


def _maps(ax: Axes) -> Iterator[Part]:
    for mesh in ax.collections:
        if not isinstance(mesh, QuadMesh) or ax.get_label() == "<colorbar>":
            continue
        corners = mesh.get_coordinates()  # (rows + 1, columns + 1, 2)
        values = _written_values(mesh)
        first, last = corners[0, 0], corners[-1, -1]
        middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        rows = [_written(ax.yaxis, y) for y in middles[:, 0, 1]]
        columns = [_written(ax.xaxis, x) for x in middles[0, :, 0]]
        (left, top), (right, bottom) = _fractions(ax, np.array([first, last]))
        if top > bottom:  # the first row is the lowest
            rows, values, top, bottom = rows[::-1], values[::-1], bottom, top
        box = [round(float(edge), 4) for edge in (left, top, right - left, bottom - top)]
        yield {"on": _name(ax), "rows": rows, "columns": columns, "box": box, "values": values}


def _written_values(mesh: QuadMesh) -> list[list[float | None]]:
    """The numbers that the colours stand for."""
    shown = np.ma.filled(np.ma.asarray(mesh.get_array(), dtype=float), np.nan)
    return [[round(float(value), DIGITS) if np.isfinite(value) else None for value in row] for row in shown]


def _name(ax: Axes) -> str:
    return read(ax.get_title() or ax.get_ylabel())


def _written(axis: Axis, value: float) -> str:
    """What the axis says at a value: its tick's label, or the number."""
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)
    near = [label.get_text() for place, label in ticks if abs(place - value) < 0.25 and label.get_text()]
    return read(near[0]) if near else f"{value:g}"


def _fractions(ax: Axes, points: np.ndarray) -> np.ndarray:
    """(n, 2) data -> fractions of the figure, from its upper left corner."""
    across, up = (ax.transData.transform(points) / ax.figure.bbox.size).T
    return np.column_stack([across, 1 - up])
