"""Two Matplotlib figures on one scale, and the difference of the curves that they share."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

Limits = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A curve of the left side minus that of the same name at the right."""

    name: str
    places: np.ndarray
    values: np.ndarray
    colour: str  # of the left side's


def on_one_scale(one: Figure, other: Figure) -> bool:
    """Give both figures the limits and the colours that hold either's values. False where they are too different."""
    if len(one.axes) != len(other.axes):
        return False
    for left, right in zip(one.axes, other.axes, strict=True):
        _common_limits(left, right)
        _common_colours(left, right)
    return True


def _common_limits(left: Axes, right: Axes) -> None:
    """Values share their axis; layers and other numbers along the bottom do where both axes count the same."""
    if _quantity(left) == _quantity(right) and not (_is_image(left) or _is_image(right)):
        mine, theirs = union(left.get_ylim(), right.get_ylim()), union(right.get_ylim(), left.get_ylim())
        left.set_ylim(mine)
        right.set_ylim(theirs)
        if left.get_xlabel() == right.get_xlabel() and left.get_xscale() == right.get_xscale():
            wide = union(left.get_xlim(), right.get_xlim())
            left.set_xlim(wide)
            right.set_xlim(wide)


def _quantity(axes: Axes) -> str:
    """What is counted upwards, whichever layer's or head's it is."""
    return re.sub(r"\d+", "#", axes.get_ylabel())


def union(limits: Limits, others: Limits) -> Limits:
    """Limits that hold both, in the direction of the first."""
    low, high = min(*limits, *others), max(*limits, *others)
    return (low, high) if limits[0] <= limits[1] else (high, low)


def _is_image(axes: Axes) -> bool:
    return bool(axes.images) or bool(list(_coloured(axes)))


def _coloured(axes: Axes) -> Iterator[ScalarMappable]:
    """What shows numbers as colours."""
    yield from axes.images
    yield from (each for each in axes.collections if each.get_array() is not None)


def _common_colours(left: Axes, right: Axes) -> None:
    for one, other in zip(_coloured(left), _coloured(right), strict=False):
        if one.get_cmap().name == other.get_cmap().name:
            limits = union(one.get_clim(), other.get_clim())
            one.set_clim(*limits)
            other.set_clim(*limits)


def shared_curves(left: Axes, right: Axes) -> list[Curve]:
    """Left minus right, for curves of one name over the same places in both that are not the same."""
    named = {line.get_label(): line for line in right.lines if _is_curve(line, right)}
    found = []
    for line in left.lines:
        other = named.get(line.get_label())
        if other is None or not _is_curve(line, left) or left.get_ylabel() != right.get_ylabel():
            continue
        x, theirs = np.asarray(line.get_xdata(), float), np.asarray(other.get_xdata(), float)
        if x.shape == theirs.shape and np.allclose(x, theirs):
            found.append(Curve(str(line.get_label()), x, _values(line) - _values(other), line.get_color()))
    return [curve for curve in found if np.nan_to_num(curve.values).any()]


def _values(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_ydata(), dtype=float)


def _is_curve(line: Line2D, axes: Axes) -> bool:
    """Neither a level across the picture, nor a mark, nor a line without a name."""
    named = not str(line.get_label()).startswith("_")
    return named and len(line.get_xdata()) > 1 and line.get_transform() == axes.transData
