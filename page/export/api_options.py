"""What one call of the HTTP API may ask of a shared machine: options of their own type, within what a page can hold.

In Python there are no such limits: the techniques themselves refuse only what makes no sense.
"""

import inspect
import types
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin

from methods.core.errors import UserError
from methods.core.options import NAMES, described, is_number, short
from page.top.clip_area import allowed_model

MOST_SEEDS = 3  # random-weights twins that one call may ask for
LONGEST_TEXT = 20_000  # characters: bracketed parses; everything else is shorter
LONGEST_LIST = 64  # members: the layers of the largest model
LARGEST = 1e12  # of any number: NaN and infinity are not below it
GIVEN = {"transcript", "segments", "phones"}  # come with the clip
JSON_NAMES = NAMES | {str: f"text of up to {LONGEST_TEXT:,} characters", type(None): "null"}
OTHERWISE = (f"a list of up to {LONGEST_LIST}", "nothing that can be given here")
MODEL_NAMES = {"other"}  # a second model; on the public Space from the menu, like the first

# Option, or technique.option where they differ -> least and most. Every number that `analyse` takes must be here.
LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "random_seeds": (0, 2**31 - 1),
    "control_seeds": (0, 2**31 - 1),
    "draw_seed": (0, 2**31 - 1),
    "layers": (0, 48),
    "opened": (1, 48),
    "occurrence": (1, 1000),
    "cue_occurrence": (1, 1000),
    "target_occurrence": (1, 1000),
    "interval": (0, 30),  # s
    "time_limit": (1, 600),  # s
    "projection.most": (24, 3000),
    "projection.perplexity": (2, 100),
    "projection.neighbours": (2, 100),
    "rsa.most": (10, 300),  # each item more is a pair more with every other one
    "rsa.shuffles": (20, 2000),
    "cka.most": (20, 2000),
    "cka.tau": (0.01, 100),
    "cka.resamples": (20, 500),
    "cca.most": (60, 8000),
    "abx.most": (2, 30),
    "phone_focus.most": (2, 60),
    "units": (2, 500),
    "continuum.first": (1, 1000),
    "continuum.second": (1, 1000),
    "continuum.amount": (0.5, 2),
    "continuum.count": (2, 11),
    "draws": (3, 50),
    "silenced": (0, 10),  # an encoder pass each
    "orders": (3, 50),
    "random_orders": (3, 50),
    "steps": (1, 256),
    "samples": (2, 512),
    "attribution.share": (0.01, 1),
    "attribution.heads": (0, 9),
    "spectrogram_occlusion.share": (0.01, 0.99),
    "masks": (24, 1000),
    "patches_per_second": (1, 100),
    "points": (2, 20),
    "random_maps": (1, 20),
    "mutants": (20, 1000),
    "causal_budget": (0, 1000),
    "frame": (0.02, 0.07),  # s
    "threshold": (0.01, 1),
}


def checked(module: ModuleType, options: Any) -> dict[str, Any]:
    """The options, if the technique's `analyse` takes them and they are of their kind and size."""
    technique = module.__name__.rsplit(".", 1)[-1]
    taken = dict(list(inspect.signature(module.analyse).parameters.items())[2:])
    taken = {name: each for name, each in taken.items() if name not in GIVEN}
    options = _named(options, taken)
    for name, each in taken.items():
        if each.default is inspect.Parameter.empty and name not in options:
            raise UserError(f"The option “{name}” is missing, and {technique} needs it; give it as JSON.")
    return {name: _allowed(technique, name, taken[name].annotation, value) for name, value in options.items()}


def _named(options: Any, taken: dict[str, Any]) -> dict[str, Any]:
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
    return LIMITS.get(f"{technique}.{name}", LIMITS.get(name))


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
