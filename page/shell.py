"""The page around the techniques: one clip and one model for all tabs, the tabs themselves, and links to any view."""

import asyncio
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from methods import TECHNIQUES, attention, technique, value_zeroing, word_confidence
from page import session as sessions
from page import upkeep
from page.errors import Page
from page.examples import FIRST
from page.export import api, links
from page.licences import licences
from page.recipe import Now, Shell
from page.runs.machine import Visitor
from page.session import Session
from page.start import overview, start_page
from page.tabs import TABS
from page.top import clip_area, corpus_area
from page.top.clip_area import FIRST_MODEL
from page.widgets.sound_plot import HEAD as SOUND_PLOT

GROUPS = tuple(dict.fromkeys(group for group, _ in TECHNIQUES.values()))
INTRODUCTION = """# Inside Speech Models
What does a speech model hear, and how does it come to its words? Choose a clip, look inside, and check every picture
against the same network with random weights."""
FOOTER = """Made after the tutorial *Interpretability Techniques for Speech Models* (Interspeech 2025). Recordings that
you upload or make are never part of a link and are deleted within hours."""

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
HEAD = f"{SOUND_PLOT}\n<script>{links.SCRIPT}</script>\n<script>{SCRIPT}</script>"


def build() -> gr.Blocks:
    """The whole page."""
    kept = (upkeep.NEVER, upkeep.HOURS_KEPT * 3600)
    with Page(title="Inside Speech Models", delete_cache=kept, analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION, elem_classes="introduction")
        area = clip_area.clip_area()
        own = corpus_area.corpus_area()
        saved, link = gr.JSON(visible=False), gr.JSON(visible=False)
        shell = Shell(area.session, area.model, area.units, own.corpus, saved)
        with gr.Tabs(elem_id="groups", overflow_behavior="wrap") as groups:
            with gr.Tab("Start here", id="start") as start:
                start_page()
            inner = _technique_tabs(shell, link)
        start.select(None, None, None, js="() => window.ism.leave()")
        gr.Markdown(FOOTER, elem_classes="footer")
        licences()
        clip_area.connect(area)
        corpus_area.connect(own)
        links.connect(page, area, groups, inner, link)
        api.endpoints({name: technique(name) for name, entry in TABS.items() if entry.scripted})
    return page


def _technique_tabs(shell: Shell, link: gr.JSON) -> dict[str, gr.Tabs]:
    inner = {}
    for group in GROUPS:
        names = [name for name, (its_group, _) in TECHNIQUES.items() if its_group == group]
        with (
            gr.Tab(group, id=group) as outer,
            gr.Tabs(elem_classes="techniques", overflow_behavior="wrap") as inner[group],
        ):
            with gr.Tab("Overview", id=f"{group} overview"):  # opening a group begins nothing
                gr.Markdown(overview(group))
            for name in names:
                with gr.Tab(TECHNIQUES[name][1], id=name) as tab:
                    _when_opened(name, shell, link)
                tab.select(None, None, None, js=f"() => window.ism.open('{group}', '{name}')")
        outer.select(None, None, None, js=f"() => window.ism.group('{group}')")
    return inner


def _when_opened(name: str, shell: Shell, link: gr.JSON) -> None:
    """Build a tab when it is first opened, with what the link asks of it.

    The browser compares every component with every event: all tabs at once took it four seconds, a phone twenty.
    """
    build = gr.Button("Opening …", elem_id=f"build-{name}", elem_classes="build")  # pressed by `ism.open`, once

    @gr.render(inputs=[shell.session, shell.units, link], triggers=[build.click], show_progress="hidden")
    def content(session: Session | None, units: str, opened: dict[str, Any] | None) -> None:
        asked = opened["options"] if opened and opened["shared"]["technique"] == name else {}
        TABS[name].tab(replace(shell, now=Now(session, units, asked)))

    # At every change of any event's state the browser copies all that is inside the components that show progress.
    list(gr.context.Context.root_block.fns.values())[-1].show_progress_on = [build]


def warm_up() -> None:
    """Compute what most visitors see first, in the background, so that it is there when they come."""
    threading.Thread(target=lambda: asyncio.run(_first_views()), name="warm-up", daemon=True).start()


async def _first_views() -> None:
    """One after the other; any visitor's own work goes before what is left of it."""
    visitor = Visitor("warm-up")
    model = await visitor.model(FIRST_MODEL)
    session = sessions.from_example(FIRST)
    listened = await visitor.answer(lambda: sessions.hearing(session, model))
    segments = listened.given_to(session).segments("words")
    for first in (value_zeroing, attention):
        await visitor.answer(partial(first.analyse.in_steps, session.clip, model, segments=segments))
    # shades the transcript above every tab
    await visitor.answer(partial(word_confidence.analyse.in_steps, session.clip, model, random_seeds=()))
