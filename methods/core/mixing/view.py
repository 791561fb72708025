"""One layer's map as the page and the figures draw it, with its control on the same colour scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from methods.core.mixing.passage import checked_layer
from methods.core.mixing.result import MixingResult, Place, places, quiet_mean, required, row_shares
from methods.core.models.sites import Stack


@dataclass(frozen=True, eq=False)
class View:
    """What is drawn of a result: one layer's map, the random-weights mean beside it, and a curve over all layers."""

    title: str
    unit: str
    rows: tuple[Place, ...]
    columns: tuple[Place, ...]
    row_name: str  # what a row is: "affected word or phone"
    column_name: str
    values: np.ndarray  # (rows, columns)
    control: np.ndarray | None  # (rows, columns) mean over the random-weights seeds
    seeds: int  # how many
    top: float  # upper end of the colour scale, the same for every layer and for the control
    curve_name: str
    curve: np.ndarray  # (layers,)
    curve_control: np.ndarray  # (seeds, layers)
    chance: float | None  # what an even spread over the columns would give in the curve
    layer: int  # from 1

    @property
    def summary(self) -> str:
        """One sentence with the map's main result, for readers who cannot see it."""
        row, column = np.unravel_index(np.nanargmax(self.values), self.values.shape)
        return (
            f"{self.title}, layer {self.layer}: the largest value is {self.values[row, column]:.3g} {self.unit}, "
            f"{self.row_name} “{self.rows[row].label}”, {self.column_name} “{self.columns[column].label}”. "
            f"{self.curve_name} by layer: {', '.join(f'{value:.2f}' for value in self.curve)}."
        )


def build_view(
    result: MixingResult,
    stack: Stack,
    *,
    pick: Callable[[Any], np.ndarray],
    axes: tuple[str, str],
    title: str,
    unit: str,
    layer: int | None,
    shares: bool,
    prompt: bool,
) -> View:
    """Choose a layer, drop the prompt if wanted, renormalise rows, and average the random-weights controls.

    `pick` takes a result (or one of its random twins) to its (layers, rows, columns) map. `axes` say what rows and
    columns are, with {} where "token" or the like belongs: "affected {}", "{} that was zeroed".
    """
    required(result, stack)
    rows, columns, row_index, column_index = places(result, stack, prompt)

    def shown(part: Any) -> np.ndarray:
        values = pick(part)[:, row_index][:, :, column_index]
        return row_shares(values) if shares else values

    values, controls = shown(result), [shown(part) for part in result.random]
    number = checked_layer(layer, len(values))
    row_name, column_name = (name.format(kind) for name, kind in zip(axes, _kinds(result, stack), strict=True))
    curve_name, curve, chance = _curve(stack, shares)
    return View(
        title=title,
        unit=unit,
        rows=rows,
        columns=columns,
        row_name=row_name,
        column_name=column_name,
        values=values[number - 1],
        control=np.mean([part[number - 1] for part in controls], axis=0) if controls else None,
        seeds=len(controls),
        top=_top([values, *controls], shares),
        curve_name=curve_name,
        curve=curve(values),
        curve_control=np.array([curve(part) for part in controls]).reshape(len(controls), len(values)),
        chance=chance(len(columns)),
        layer=number,
    )


def _kinds(result: MixingResult, stack: Stack) -> tuple[str, str]:
    """What the rows and the columns of a stack's map are."""
    sound = "frame" if (result.frames == 1).all() else "word or phone"
    return (sound if stack == "encoder" else "token"), ("token" if stack == "decoder" else sound)


def _top(maps: Sequence[np.ndarray], shares: bool) -> float:
    """One colour scale for all layers and the control, so that maps can be compared."""
    largest = max(float(np.nanmax(values)) if np.isfinite(values).any() else 0.0 for values in maps)
    return 1.0 if shares and largest > 0.5 else largest or 1.0


def _curve(stack: Stack, shares: bool) -> tuple[str, Callable, Callable]:
    """The one number per layer that sums up a map: what a word takes from itself, or how peaked its rows are."""
    if stack == "encoder" and shares:
        return "share from itself", lambda values: quiet_mean(np.diagonal(values, axis1=1, axis2=2)), lambda n: 1 / n
    if shares:
        return (
            "largest share in a row",
            lambda values: quiet_mean(values.max(-1)),
            lambda n: 1 / n if stack == "cross" else None,
        )
    return "mean row sum", lambda values: quiet_mean(values.sum(-1)), lambda n: None
