"""What one call of the HTTP API may ask of a shared machine: options of their own type, within what a page can hold.

In Python there are no such limits: the techniques themselves refuse only what makes no sense.
"""

import inspect
import types
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin

from methods.core.errors import UserError
from methods.core.options import NAMES, described, is_number, own_options, short
from methods.core.results import Json
from page.space import allowed_model
from page.tabs import TABS

MOST_SEEDS = 3  # random-weights twins that one call may ask for
LONGEST_TEXT = 20_000  # characters: bracketed parses; everything else is shorter
LONGEST_LIST = 64  # members: the layers of the largest model
LARGEST = 1e12  # of any number: NaN and infinity are not below it
JSON_NAMES = NAMES | {str: f"text of up to {LONGEST_TEXT:,} characters", type(None): "null"}
OTHERWISE = (f"a list of up to {LONGEST_LIST}", "nothing that can be given here")
MODEL_NAMES = {"other"}  # a second model; on the public Space from the menu, like the first

# Least and most of the numbers that several techniques take; those of one technique stand in its tab.
SHARED: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "random_seeds": (0, 2**31 - 1),
    "control_seeds": (0, 2**31 - 1),
    "draw_seed": (0, 2**31 - 1),
    "layers": (0, 48),
    "occurrence": (1, 1000),
    "time_limit": (1, 600),  # s
    "units": (2, 500),
    "draws": (3, 50),
    "steps": (1, 256),
}


def checked(module: ModuleType, options: Any) -> dict[str, Json]:
    """The options, if the technique's `analyse` takes them and they are of their kind and size."""
    technique = module.__name__.rsplit(".", 1)[-1]
    taken = own_options(module.analyse)
    options = _named(options, taken)
    for name, each in taken.items():
        if each.default is inspect.Parameter.empty and name not in options:
            raise UserError(f"The option “{name}” is missing, and {technique} needs it; give it as JSON.")
    return {name: _allowed(technique, name, taken[name].annotation, value) for name, value in options.items()}


def _named(options: Any, taken: dict[str, inspect.Parameter]) -> dict[str, Json]:
    if not isinstance(options, dict | None):
        raise UserError(f"The options are no JSON object of names and values; there are: {', '.join(taken)}.")
    for name in options or {}:
        if name not in taken:
            raise UserError(f"“{str(name)[:40]}” is not an option here; there are: {', '.join(taken) or 'none'}.")
    return options or {}


def _allowed(technique: str, name: str, kind: Any, value: Any) -> Any:
    if not fits(value, kind):
        raise UserError(
            f"The option “{name}” cannot be {short(value)}; it is {described(kind, JSON_NAMES, *OTHERWISE)}."
        )
    parts = value if isinstance(value, list) else [value]
    if name.endswith("seeds") and len(parts) > MOST_SEEDS:
        raise UserError(f"{len(parts)} seeds are too many for a shared machine; ask for at most {MOST_SEEDS}.")
    limits = limits_of(technique, name)
    for part in parts:
        if is_number(part) and limits and not limits[0] <= part <= limits[1]:
            raise UserError(f"The option “{name}” must lie between {limits[0]:g} and {limits[1]:g}, not {part:g}.")
    if name in MODEL_NAMES and value is not None:
        allowed_model(value)
    return tuple(value) if isinstance(value, list) else value


def limits_of(technique: str, name: str) -> tuple[float, float] | None:
    """The least and most of an option that is a number."""
    return TABS[technique].limits.get(name, SHARED.get(name))


def fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value is what an annotation of `analyse` says; a number must be finite, a text not too long."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(parts) and all(map(fits, value, parts))
    if origin is Sequence:
        return isinstance(value, list) and len(value) <= LONGEST_LIST and all(fits(part, parts[0]) for part in value)
    return _fits_alone(value, kind, parts)


def _fits_alone(value: Any, kind: Any, names: tuple) -> bool:
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in names
    if kind in (int, float):
        return is_number(value) and isinstance(value, int | kind) and abs(value) < LARGEST
    if kind is str:
        return isinstance(value, str) and len(value) <= LONGEST_TEXT
    return kind in (bool, type(None)) and isinstance(value, kind)
