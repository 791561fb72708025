"""Links that carry a whole view: technique, model, clip and every option, in the query string."""

import math
import os
from pathlib import Path
from typing import Any

import gradio as gr

from methods import TECHNIQUES
from methods.core.models import menu
from page import session as sessions
from page.beside.partner import BEFORE
from page.errors import toast
from page.examples import EXAMPLES, FIRST
from page.lessons import LESSONS
from page.link_options import LONGEST_VALUE, warn
from page.session import Session
from page.top.clip_area import FIRST_MODEL, QUIET, UNITS, ClipArea, listen_after
from page.top.spectrogram import USUAL, read_look, settings_of, written

ROUNDED = 0.0005  # s; links name times in milliseconds
LONGEST_NOTE = 300  # characters of a note that a link opens with
SCRIPT = (Path(__file__).parent / "links.js").read_text(encoding="utf-8")


def space_address() -> str:
    """The Space's own page, where the app runs on one: links should lead there, not into its frame."""
    space = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{space}" if space else ""


def copied(told: str, session: Session | None, model_id: str, beside: str = "", corpus: str = "") -> str:
    """What is said of a link once the browser has copied it: also what no link can name."""
    lacking = [] if session is None else sessions.given(session)
    lacking += [f"the model {model_id}"] if model_id not in menu.MODELS else []
    lacking += ["the clip that was here before"] if beside == f"clip:{BEFORE}" else []
    lacking += ["your own corpus"] if corpus == "own" else []
    if not lacking:
        return told
    lacking = " and ".join([", ".join(lacking[:-1]), lacking[-1]] if len(lacking) > 1 else lacking)
    return f"{told} · No link can hold {lacking}; this one opens with what the page offers instead."


def connect(page: gr.Blocks, area: ClipArea, link: gr.JSON) -> None:
    """Read the link when the page is opened, show what it asks for, then listen and run."""

    def read(request: gr.Request) -> list[Any]:
        return read_link(dict(request.query_params))

    outputs = [area.session, area.example, area.why, area.model, area.units, area.look, *area.settings, link]
    loaded = page.load(toast(read), None, outputs, show_progress_on=[area.why], **QUIET)
    base = f"'{space_address()}'"
    js = f"(link) => window.ism.opened(link.shared, link.options, {base})"
    loaded.then(None, [link], None, js=js)
    listen_after(loaded, area)


def read_link(query: dict[str, str]) -> list[Any]:
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

    key, model = pick("clip", EXAMPLES, FIRST), pick("model", menu.MODELS, FIRST_MODEL)
    technique, units = pick("technique", TECHNIQUES, ""), pick("units", UNITS, "words")
    lesson, note = pick("lesson", [str(number) for number in range(1, len(LESSONS) + 1)], ""), query.get("note", "")
    embed = pick("embed", ("1",), "")
    shared = {"technique": technique, "model": model, "clip": key, "units": units}
    shared |= _stretch(query, EXAMPLES[key].clip().seconds, wrong)
    look = read_look(query.get("spectrogram", ""))
    wrong += [] if look else [f"spectrogram={query['spectrogram'][:40]}"]
    look = look or USUAL
    warn(wrong)
    shared |= {"spectrogram": written(look)}
    shared |= {"lesson": lesson, "note": note[:LONGEST_NOTE], "embed": embed}
    options = {name: value[:LONGEST_VALUE] for name, value in query.items() if name not in shared and name[:2] != "__"}
    resolved = {"shared": shared, "options": options}
    chosen = [sessions.from_example(key), key, EXAMPLES[key].why, model, units]
    return [*chosen, look, *settings_of(look), resolved]


def _stretch(query: dict[str, str], seconds: float, wrong: list[str]) -> dict[str, str]:
    """The part of the clip that a link shows, in seconds as text; empty where it shows all of it."""
    asked = {name: query[name] for name in ("from", "to") if query.get(name)}
    try:
        start, end = float(asked.get("from", 0)), float(asked.get("to", seconds))
    except ValueError:
        start = end = math.nan
    if asked and not 0 <= start < end <= seconds + ROUNDED:  # of a NaN, too, this is not true
        wrong.extend(f"{name}={value[:40]}" for name, value in asked.items())
        asked = {}
    return {"from": f"{start:.3f}", "to": f"{min(end, seconds):.3f}"} if asked else {"from": "", "to": ""}
