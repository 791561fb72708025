"""What may stand beside a view: another model, another clip, or another value of one option. All else stays the same.

A partner is one text, which is also what a link carries: `model:openai/whisper-base`, `clip:en_f_question`, `layer:1`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from methods.core import models
from methods.core.errors import UserError
from methods.core.models import menu
from page import session as sessions
from page.examples import EXAMPLES
from page.recipe import Updates, Values
from page.session import Session

NOTHING = ""
BEFORE = "before"  # the clip that was here before this one, the visitor's own among them
MOST_STEPS = 64  # of a slider: more places than that are no choice to be made from a list
LABEL = "Set beside"
Choice = tuple[str, str]  # what is read, and the partner


def partner_control(controls: Mapping[str, Any], over_corpora: bool) -> gr.Dropdown:
    """The choice of what stands beside the view of these controls."""
    return gr.Dropdown(
        choices(controls, over_corpora), value=NOTHING, label=LABEL, info="another model, clip or option; one scale",
        filterable=True, interactive=True, min_width=200,
    )  # fmt: skip


def choices(controls: Mapping[str, Any], over_corpora: bool, ranges: Updates | None = None) -> list[Choice]:
    """Models that are here first; then clips, unless the technique is over recordings; then every option's values.

    `ranges` says what a model has, once that is known: as many layers, these heads.
    """
    known = sorted(menu.MODELS, key=lambda name: not models.available_offline(name))
    found = [("nothing", NOTHING)]
    found += [(f"model: {menu.MODELS[name].title}{_far(name)}", f"model:{name}") for name in known]
    if not over_corpora:
        found += [("clip: the one that was here before", f"clip:{BEFORE}")]
        found += [(f"clip: {example.title}", f"clip:{key}") for key, example in EXAMPLES.items()]
    for name, control in controls.items():
        within = (ranges or {}).get(name)
        found += [(f"{control.label}: {said}", f"{name}:{value}") for said, value in _values(control, within)]
    return found


def _far(model_id: str) -> str:
    return "" if models.available_offline(model_id) else " · needs a download"


def _values(control: Any, within: Any = None) -> list[tuple[str, Any]]:
    """What one control can say; nothing where that is a text, or several things at once."""
    if isinstance(control, gr.Slider):
        lowest, highest = _given(within, "minimum", control.minimum), _given(within, "maximum", control.maximum)
        steps = round((highest - lowest) / control.step)
        values = [lowest + number * control.step for number in range(steps + 1)]
        return [(f"{value:g}", f"{value:g}") for value in values] if steps < MOST_STEPS else []
    if isinstance(control, gr.Checkbox):
        return [("yes", "true"), ("no", "false")]
    if isinstance(control, gr.Radio) or (isinstance(control, gr.Dropdown) and not _is_open(control)):
        return [(str(said), value) for said, value in _given(within, "choices", control.choices)]
    return []


def _given(update: Any, name: str, otherwise: Any) -> Any:
    """A property that an update of a control sets, or what it is otherwise."""
    given = update if isinstance(update, dict) else getattr(update, "constructor_args", {})
    return given.get(name, otherwise)


def _is_open(control: gr.Dropdown) -> bool:
    return bool(control.multiselect or control.allow_custom_value)


def changed_values(partner: str, controls: Mapping[str, Any], values: Values) -> Values:
    """The controls' values with the partner's one in place; the same ones where it is a model or a clip."""
    name, _, text = partner.partition(":")
    if name in ("model", "clip"):
        return values
    if name not in controls:
        raise UserError(f"Nothing here is called “{name[:40]}”; choose again what to set beside.")
    value = _read(controls[name], text)
    if values.get(name) == value:
        raise UserError(
            f"“{controls[name].label}” is what the view has already; choose another value to set beside it."
        )
    return {**values, name: value}


def _read(control: Any, text: str) -> Any:
    if isinstance(control, gr.Checkbox):
        return text == "true"
    if isinstance(control, gr.Slider):
        number = float(text)
        return int(number) if number.is_integer() else number
    return next((value for _, value in control.choices if str(value) == text), text)


def changed_model(partner: str, model_id: str) -> str:
    """The model that the partner's side is asked of."""
    kind, _, name = partner.partition(":")
    if kind != "model":
        return model_id
    if name == model_id:
        raise UserError("Both sides would be the same model; choose another one to set beside it.")
    return name


def changed_clip(partner: str, session: Session, before: Session | None) -> Session:
    """The clip that the partner's side looks at. Another model is asked about the very same words and phones."""
    kind, _, key = partner.partition(":")
    if kind != "clip":
        return session
    if key == BEFORE and before is None:
        raise UserError("There was no other clip before this one; choose another clip first, then set this beside it.")
    other = before if key == BEFORE and before is not None else sessions.from_example(key)
    if other.clip.sha256 == session.clip.sha256:
        raise UserError("Both sides would be the same clip; choose another one to set beside it.")
    return replace(other, corpus=session.corpus)


def said(control: Any, value: Any) -> str:
    """A control and one of its values, as they are read on the page."""
    if isinstance(control, gr.Slider):
        return f"{control.label}: {value:g}"
    if isinstance(control, gr.Checkbox):
        return f"{control.label}: {'yes' if value else 'no'}"
    return f"{control.label}: {next((name for name, one in control.choices if one == value), value)}"


def caption(partner: str, options: list[Choice]) -> str:
    """How the partner is called in the list."""
    return next((said for said, value in options if value == partner), partner)
