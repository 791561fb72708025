"""The options of an endpoint as `view_api()` lists them: by name, with their kinds, ranges and defaults."""

import inspect
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin

import gradio as gr

from methods.core.options import own_options
from page.export.api_options import LONGEST_LIST, MOST_SEEDS, limits_of

Schema = dict[str, object]  # of JSON
PLAIN = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}


class Options(gr.JSON):
    """A JSON object whose names and kinds the API's own description tells."""

    def __init__(self, module: ModuleType) -> None:
        self.schema = schema_of(module)
        super().__init__({}, label="options by name")

    def get_block_name(self) -> str:
        """To the browser it is a JSON component like any other."""
        return "json"

    def get_config(self, cls: type | None = None) -> dict[str, Any]:
        """All settings of a JSON component: Gradio would look for those that this constructor names."""
        return super().get_config(cls or gr.JSON)

    def api_info(self) -> Schema:
        """What a program may send."""
        return self.schema


def schema_of(module: ModuleType) -> Schema:
    """The options that a program may give to a technique, as a JSON schema."""
    technique = module.__name__.rsplit(".", 1)[-1]
    properties = {}
    for name, option in own_options(module.analyse).items():
        kind = _kind(option.annotation, module.analyse.sense.get(name))
        if kind is not None:
            properties[name] = kind | {"description": "; ".join(_about(technique, name, option))}
    return {"type": "object", "properties": properties, "description": "any of these, as JSON"}


def _about(technique: str, name: str, option: inspect.Parameter) -> Iterator[str]:
    limits = limits_of(technique, name)
    if limits:
        yield f"{limits[0]:,.10g} to {limits[1]:,.10g}"
    if name.endswith("seeds"):
        yield f"at most {MOST_SEEDS} of them"
    yield "needed" if option.default is option.empty else f"default {json.dumps(option.default)}"


def _kind(annotation: Any, sense: Any) -> Schema | None:
    """One annotation of `analyse`; None for what no program can send."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        found = [each for each in (_kind(part, sense) for part in parts) if each is not None]
        real = [each for each in found if each != {"type": "null"}]
        return {"anyOf": found} if len(found) > 1 and real else (real or [None])[0]
    if origin is Literal:
        return {"type": "string", "enum": list(parts)}
    if origin is tuple:
        items = [_kind(part, None) for part in parts]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is Sequence:
        items = _kind(parts[0], sense)
        return items and {"type": "array", "items": items, "maxItems": LONGEST_LIST}
    return _alone(annotation, sense)


def _alone(annotation: Any, sense: Any) -> Schema | None:
    names = isinstance(sense, Sequence | set | frozenset | Mapping) and all(isinstance(each, str) for each in sense)
    if annotation is str and sense and names:
        return {"type": "string", "enum": list(sense)}
    return {"type": PLAIN[annotation]} if annotation in PLAIN else None
