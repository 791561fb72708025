"""What comes back from a browser: for each control a value of its kind, or one sentence that names the control.

A box may be emptied, and a request may hold anything. Gradio itself asks whether a choice is among those on screen.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from methods.core.errors import UserError
from methods.core.options import is_number, short
from methods.core.results import Json

LONGEST = 20_000  # characters; bracketed parses are the longest text that a control takes


def checked(controls: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Json]:
    """The controls' values by name. Raises UserError for the first that is empty or not of its control's kind."""
    return {name: _checked(control, value) for (name, control), value in zip(controls.items(), values, strict=True)}


def _checked(control: Any, value: Any) -> Any:
    if isinstance(control, gr.Slider):
        return _number(control, value)
    if isinstance(control, gr.Checkbox):
        return _kept(control, value, isinstance(value, bool), "tick it or leave it empty")
    if isinstance(control, gr.Textbox):
        return _text(control, "" if value is None else value)
    if isinstance(control, gr.CheckboxGroup) or getattr(control, "multiselect", False):
        return [_choice(control, one) for one in _several(control, value)]
    return _choice(control, value)


def _number(control: gr.Slider, value: Any) -> float | int:
    fit = is_number(value) and math.isfinite(value)
    return _kept(control, value, fit, f"give a number from {control.minimum:g} to {control.maximum:g}")


def _several(control: Any, value: Any) -> Sequence[Any]:
    value = [] if value is None else value
    return _kept(control, value, isinstance(value, list | tuple), "tick some of its boxes")


def _choice(control: Any, value: Any) -> Any:
    if not getattr(control, "allow_custom_value", False):
        return _kept(control, value, isinstance(value, str | int | float), "choose one of its entries")
    advice = f"choose one of its entries, such as {control.choices[0][1]}, or type a name"
    typed = isinstance(value, str)
    return _kept(control, value.strip() if typed else value, typed, advice)


def _text(control: Any, value: Any) -> str:
    fit = isinstance(value, str) and len(value) <= LONGEST
    return _kept(control, value, fit, f"type up to {LONGEST:,} characters")


def _kept(control: Any, value: Any, fit: bool, advice: str) -> Any:
    if value is None or (value == "" and getattr(control, "allow_custom_value", False)):
        raise UserError(f"“{control.label}” is empty; {advice}.")
    if not fit:
        raise UserError(f"“{control.label}” cannot be {short(value)}; {advice}.")
    return value
