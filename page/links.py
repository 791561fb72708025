"""Links that carry a whole view: technique, model, clip and every option, in the query string."""

import os
from pathlib import Path
from typing import Any

import gradio as gr

from methods import TECHNIQUES
from methods.core import models
from page import session as sessions
from page.clip_area import FIRST_MODEL, QUIET, UNITS, ClipArea, listen_after
from page.errors import toast
from page.examples import EXAMPLES, FIRST

LONGEST_TEXT = 200  # characters of an option that a visitor types
LONGEST_VALUE = 2000  # characters of any option of a link
SCRIPT = (Path(__file__).parent / "links.js").read_text(encoding="utf-8")


def space_address() -> str:
    """The Space's own page, where the app runs on one: links should lead there, not into its frame."""
    space = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{space}" if space else ""


def connect(page: gr.Blocks, area: ClipArea, groups: gr.Tabs, inner: dict[str, gr.Tabs], link: gr.JSON) -> None:
    """Read the link when the page is opened, show what it asks for, then listen and run."""

    def read(request: gr.Request) -> list[Any]:
        return read_link(dict(request.query_params), list(inner))

    outputs = [area.session, area.example, area.why, area.model, area.units, link, groups, *inner.values()]
    loaded = page.load(toast(read), None, outputs, show_progress_on=[area.why], **QUIET)
    base = f"'{space_address()}'"
    js = f"(link) => window.ism.opened(link.shared, link.options, link.group, {base})"
    loaded.then(None, [link], None, js=js)
    listen_after(loaded, area)


def read_link(query: dict[str, str], group_names: list[str]) -> list[Any]:
    """What a link asks for, as updates of the page; unknown values are named and replaced by the defaults.

    The options of its technique are handed on as they are: that tab checks them when it is built.
    """
    wrong: list[str] = []

    def pick(name: str, allowed: Any, default: Any) -> Any:
        value = query.get(name)
        if value is None or value in allowed:
            return value or default
        wrong.append(f"{name}={value[:40]}")
        return default

    key, model = pick("clip", EXAMPLES, FIRST), pick("model", models.MODELS, FIRST_MODEL)
    technique, units = pick("technique", TECHNIQUES, ""), pick("units", UNITS, "words")
    warn(wrong)
    group = TECHNIQUES[technique][0] if technique else "start"
    shared = {"technique": technique, "model": model, "clip": key, "units": units}
    options = {name: value[:LONGEST_VALUE] for name, value in query.items() if name not in shared and name[:2] != "__"}
    resolved = {"shared": shared, "options": options, "group": group}
    opened = [gr.Tabs(selected=technique) if name == group else gr.skip() for name in group_names]
    first = [sessions.from_example(key), key, EXAMPLES[key].why, model, units, resolved, gr.Tabs(selected=group)]
    return [*first, *opened]


def warn(wrong: list[str]) -> None:
    """Say which parts of a link are not here."""
    if wrong:
        gr.Warning(
            f"This link asks for something that is not here ({', '.join(wrong)}); the default is shown instead."
        )


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
