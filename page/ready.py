"""What visitors see first, computed before they come: on the public Space every lesson and every technique's default.

One after the other, in the background, and after whatever a visitor asks for. On a machine of one's own only the first
views are made, and the states of the bundled recordings: half an hour of computing that nobody asked for belongs on no
laptop.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import gradio as gr

from methods import TECHNIQUES, word_confidence
from methods.core import corpus as corpora
from methods.core.corpus import features
from methods.core.errors import OutOfTimeError, UserError
from methods.core.progress import Work
from page.export import links
from page.lessons import LESSONS
from page.recipe import Now, Recipe, Shell, Values
from page.runs.machine import Visitor
from page.runs.question import Alone
from page.session import Session
from page.space import on_space
from page.tabs import TABS
from page.top.clip_area import listened_to
from page.values import checked

# Recordings, window and "less silence's" of the states that techniques over corpora read first: half a minute of
# computing, once on a machine, since the states of bundled recordings are kept on its disk.
STATES = (("prompts", "clip", True), ("prompts", "clip", False), ("voices", "clip", True), ("prompts", "full", False))
FIRST_VIEWS = ({"technique": "value_zeroing"}, {"technique": "attention"})
Link = Mapping[str, str]

log = logging.getLogger("inside_speech_models")


@dataclass(frozen=True)
class View:
    """One view as its link asks for it."""

    recipe: Recipe
    session: Session
    model_id: str
    units: str
    values: Values


def warm_up() -> None:
    """Begin to compute, in a thread of its own."""
    asked = [view_of(link) for link in first_links(everything=on_space())]  # before the page is open: see `view_of`
    threading.Thread(target=lambda: asyncio.run(make_ready(asked)), name="warm-up", daemon=True).start()


def first_links(*, everything: bool) -> list[Link]:
    """The views, each once: those that open first, the lessons, each technique's default."""
    lessons = [dict(parse_qsl(lesson.link.removeprefix("?"))) for lesson in LESSONS]
    links_ = [*FIRST_VIEWS, *lessons, *({"technique": name} for name in TECHNIQUES)] if everything else FIRST_VIEWS
    return [dict(view) for view in dict.fromkeys(tuple(link.items()) for link in links_)]


def view_of(link: Link) -> View:
    """What a link asks for, with the defaults of its technique.

    Not while the page is open: Gradio knows one page under construction, and a visitor's tab may be just that.
    """
    session, _, _, model_id, units, *_, resolved = links.read_link(dict(link))
    with gr.Blocks():
        kept = [
            gr.State(session),
            gr.State(None),
            gr.Dropdown([model_id]),
            gr.Radio([units]),
            gr.State(None),
            gr.JSON(),
        ]
        shell = Shell(*kept, now=Now(session, units, resolved["options"], model_id))
        made = TABS[link["technique"]].tab(shell)
    values = checked(made.controls, [control.value for control in made.controls.values()])
    return View(made.recipe, session, model_id, units, values)


async def make_ready(views: Sequence[View]) -> None:
    """Compute the views one by one, words' shades and states after the first; what fails is left to be asked for."""
    visitor = Visitor("warm-up")
    for number, view in enumerate(views):
        try:
            await make_view_ready(view, visitor)
            if number == len(FIRST_VIEWS) - 1:
                await _shade(view, visitor)
                await _encode(view.model_id, visitor)
        except (UserError, OutOfTimeError) as problem:
            log.info("not made ready: %s", problem)


async def make_view_ready(view: View, visitor: Visitor) -> None:
    """The same work as the page's own, under the same key."""
    session = view.session
    listened = await listened_to(session, view.model_id, visitor)
    session = session if listened is None else listened.given_to(session)
    model = await visitor.model(view.model_id)
    key, work = await visitor.asked(lambda: view.recipe.steps(session, model, view.units, view.values))
    await visitor.result(key, work)


async def _shade(view: View, visitor: Visitor) -> None:
    """How sure the model is of each word: shades the transcript above every view."""
    model = await visitor.model(view.model_id)
    await visitor.answer(lambda: word_confidence.analyse.in_steps(view.session.clip, model, random_seeds=()))


async def _encode(model_id: str, visitor: Visitor) -> None:
    """Let the model read the bundled recordings, as it will be asked to."""
    model = await visitor.model(model_id)
    for name, window, subtract in STATES:
        states = features.of_model(corpora.bundled(name), model, window=window, subtract_silence=subtract)
        await visitor.result(Alone(), Work("bundled recordings", {}, states))
