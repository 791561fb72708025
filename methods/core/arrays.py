"""A result's arrays as one NPZ file, the same from the page and from a run over a corpus."""

import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from methods.core.results import Result


def npz(result: Result) -> bytes:
    """All arrays of the result by their fields' names, and `provenance` as JSON text.

    Random-weights twins come stacked; what is the same in them (times, names) is not repeated.
    """
    arrays: dict[str, Any] = {"provenance": json.dumps(result.provenance, ensure_ascii=False)}
    for name, value in _fields(result):
        if name == "random" and isinstance(value, tuple):
            arrays |= _stacked(value, result)
        elif name != "provenance":
            arrays |= _flat(name, value)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _fields(result: Result) -> Iterator[tuple[str, Any]]:
    """The result's fields that there are, those of its controls beside them."""
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if field.name == "controls" and value is not None:
            yield from _fields(value)
        elif value is not None:
            yield field.name, value


def _flat(name: str, value: Any) -> dict[str, np.ndarray]:
    """The arrays in a value, parts of parts under joined names: only pickle could read an object in the file."""
    if value is None:
        return {}
    if dataclasses.is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, Mapping):
        parts = value
    elif isinstance(value, tuple | list) and not value:
        return {name: np.array([], dtype=str)}  # of names or parts; NumPy would call them numbers
    elif isinstance(value, tuple | list) and all(dataclasses.is_dataclass(each) for each in value):
        return _lined_up(name, [_flat("", each) for each in value])
    elif isinstance(value, tuple | list) and not _is_even(value):
        parts = dict(enumerate(value))
    else:
        return {name: np.asarray(value)}
    return {key: array for part, inner in parts.items() for key, array in _flat(f"{name}_{part}", inner).items()}


def _lined_up(name: str, alike: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Parts of one kind (segments, rankings): (parts, …) for what has one shape in all, else each with its number."""
    found: dict[str, np.ndarray] = {}
    for part in dict.fromkeys(part for each in alike for part in each):
        shapes = {each[part].shape if part in each else None for each in alike}
        if len(shapes) == 1:
            found[f"{name}{part}"] = np.stack([each[part] for each in alike])
        else:
            found |= {f"{name}_{number}{part}": each[part] for number, each in enumerate(alike) if part in each}
    return found


def _is_even(values: tuple | list) -> bool:
    """Whether these make one array: plain, or all of one shape."""
    try:
        return np.asarray(values).dtype != object
    except ValueError:  # NumPy's word for parts of unequal length
        return False


def _stacked(twins: tuple[Any, ...], trained: Any = None) -> dict[str, np.ndarray]:
    """(seeds, …) for all that is in the twins and not the same in the trained network; uneven parts seed by seed."""
    if not twins:
        return {}
    seeds = [_seed(twin) for twin in twins]
    stacked: dict[str, np.ndarray] = {"random_seeds": np.array(seeds)}
    for field in dataclasses.fields(twins[0]):
        if field.name in ("provenance", "random", "seed", "complete"):
            continue
        same = _flat(field.name, getattr(trained, field.name, None))
        found = [_flat(field.name, getattr(twin, field.name)) for twin in twins]
        for name in dict.fromkeys(name for parts in found for name in parts):
            values = [parts.get(name) for parts in found]
            if all(value is not None and np.array_equal(value, same.get(name)) for value in values):
                continue
            if len({None if value is None else value.shape for value in values}) == 1:
                stacked[f"random_{name}"] = np.stack(values)
            else:
                uneven = zip(seeds, values, strict=True)
                stacked |= {f"random_{seed}_{name}": value for seed, value in uneven if value is not None}
    return stacked


def _seed(twin: Any) -> int:
    return twin.seed if hasattr(twin, "seed") else twin.provenance["options"]["seed"]
