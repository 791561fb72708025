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
from page.technique_tab import Tab

LONGEST_TEXT = 200  # characters of an option that a visitor types
SCRIPT = (Path(__file__).parent / "links.js").read_text(encoding="utf-8")


def space_address() -> str:
    """The Space's own page, where the app runs on one: links should lead there, not into its frame."""
    space = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{space}" if space else ""


def connect(page: gr.Blocks, area: ClipArea, groups: gr.Tabs, inner: dict[str, gr.Tabs], tabs: list[Tab]) -> None:
    """Read the link when the page is opened, show what it asks for, then listen and run."""
    resolved = gr.JSON(visible=False)

    def read(request: gr.Request) -> list[Any]:
        return read_link(dict(request.query_params), list(inner), tabs)

    outputs = [area.session, area.example, area.why, area.model, area.units, resolved, groups, *inner.values()]
    outputs += [control for tab in tabs for control in tab.controls.values()]
    loaded = page.load(toast(read), None, outputs, **QUIET)
    loaded.then(None, [resolved], None, js="(link) => window.ism.opened(link.shared, link.options, link.group)")
    listen_after(loaded, area)


def read_link(query: dict[str, str], group_names: list[str], tabs: list[Tab]) -> list[Any]:
    """What a link asks for, as updates of the whole page; unknown values are named and replaced by the defaults."""
    wrong: list[str] = []

    def pick(name: str, allowed: Any, default: Any) -> Any:
        value = query.get(name)
        if value is None or value in allowed:
            return value or default
        wrong.append(f"{name}={value[:40]}")
        return default

    key, model = pick("clip", EXAMPLES, FIRST), pick("model", models.MODELS, FIRST_MODEL)
    technique, units = pick("technique", TECHNIQUES, ""), pick("units", UNITS, "words")
    options, updates = read_options(query, technique, tabs, wrong)
    if wrong:
        gr.Warning(
            f"This link asks for something that is not here ({', '.join(wrong)}); the default is shown instead."
        )
    group = TECHNIQUES[technique][0] if technique else "start"
    shared = {"technique": technique, "model": model, "clip": key, "units": units}
    opened = [gr.Tabs(selected=technique) if name == group else gr.skip() for name in group_names]
    resolved = {"shared": shared, "options": options, "group": group}
    first = [sessions.from_example(key), key, EXAMPLES[key].why, model, units, resolved, gr.Tabs(selected=group)]
    return [*first, *opened, *updates]


def read_options(
    query: dict[str, str], technique: str, tabs: list[Tab], wrong: list[str]
) -> tuple[dict[str, Any], list[Any]]:
    """The options of the technique that a link names, and an update for every control of every tab."""
    options: dict[str, Any] = {}
    updates: list[Any] = []
    for tab in tabs:
        for name, control in tab.controls.items():
            if tab.name == technique and name in query:
                options[name] = read_option(control, query[name], wrong)
                updates.append(type(control)(value=options[name]))
            else:
                updates.append(gr.skip())
    return options, updates


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
