"""Options of a tab in a link: which values a link may set, and how they are read."""

from typing import Any

import gradio as gr

from page.errors import warning

LONGEST_TEXT = 200  # characters of an option that a visitor types
LONGEST_VALUE = 2000  # characters of any option of a link


def warn(wrong: list[str]) -> None:
    """Say which parts of a link are not here."""
    if wrong:
        warning(f"This link asks for something that is not here ({', '.join(wrong)}); the default is shown instead.")


def set_options(controls: dict[str, Any], asked: dict[str, str]) -> None:
    """Give a technique's new controls the values that a link asks for, where they can take them."""
    wrong: list[str] = []
    for name, control in controls.items():
        if name in asked:
            control.value = read_option(control, asked[name], wrong)
    warn(wrong)


def read_option(control: Any, text: str, wrong: list[str]) -> Any:
    """One option, checked against its control; the control's own value where the link is wrong."""
    value = _number(control, text) if isinstance(control, gr.Slider) else _plain(control, text)
    if value is None:
        wrong.append(text[:40])
        return control.value
    return value


def _number(control: gr.Slider, text: str) -> float | int | None:
    """A number within the slider's range, whole where its steps are."""
    try:
        number = float(text)
    except ValueError:
        return None
    if not control.minimum <= number <= control.maximum:
        return None
    return int(number) if float(control.step).is_integer() and number.is_integer() else number


def _plain(control: Any, text: str) -> Any:
    """A ticked box, a text, or one (or several) of a control's choices; None for anything else."""
    if isinstance(control, gr.Checkbox):
        return {"true": True, "false": False}.get(text)
    if isinstance(control, gr.Textbox):
        return text[: control.max_length or LONGEST_TEXT]
    known = [str(choice) for _, choice in control.choices]
    if isinstance(control, gr.CheckboxGroup) or getattr(control, "multiselect", False):
        chosen = [part for part in text.split(",") if part]
        return chosen if set(chosen) <= set(known) else None
    if text in known:
        return control.choices[known.index(text)][1]
    return text[:LONGEST_TEXT] if getattr(control, "allow_custom_value", False) else None
