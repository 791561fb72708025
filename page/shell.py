"""The page around the techniques: one clip and one model for all of them, a view for each, and links to any view."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from methods import TECHNIQUES, technique
from page import upkeep
from page.contents import TOP_BAR, contents, question
from page.errors import Page
from page.export import api, links
from page.lessons import banners
from page.licences import licences
from page.recipe import Now, Shell
from page.session import Session
from page.start import start_page
from page.tabs import TABS
from page.top import clip_area, corpus_area
from page.widgets.sound_plot import HEAD as SOUND_PLOT

TITLE = "Inside Speech Models"
BRAND = f'<a id="brand" data-view="" href="?">{TITLE}</a>'
NOTE = '<p id="note" hidden><b>A note in the link that you opened:</b> <span></span></p>'
FOOTER = """Made after the tutorial *Interpretability Techniques for Speech Models* (Interspeech 2025). Recordings that
you upload or make are never part of a link and are deleted within hours."""

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
LAYOUT = (Path(__file__).parent / "layout.css").read_text(encoding="utf-8")
PARTS = ("page.js", "lesson_marks.js", "cell_sentences.js")
SCRIPTS = (
    links.SCRIPT,
    *((Path(__file__).parent / name).read_text(encoding="utf-8") for name in PARTS),
)
HEAD = "\n".join((SOUND_PLOT, f"<style>{LAYOUT}</style>", *(f"<script>{script}</script>" for script in SCRIPTS)))


def build() -> gr.Blocks:
    """The whole page: clip, model and table of contents at the side; the clip, and below it one view at a time."""
    kept = (upkeep.NEVER, upkeep.HOURS_KEPT * 3600)
    with Page(title=TITLE, delete_cache=kept, analytics_enabled=False) as page:
        saved, link = gr.JSON(visible=False), gr.JSON(visible=False)
        gr.HTML(TOP_BAR, elem_id="topbar")
        with gr.Row(elem_id="frame", equal_height=False):
            with gr.Column(elem_id="side", scale=0, min_width=0):
                gr.HTML(BRAND)
                choices = clip_area.clip_choices()
                gr.HTML(contents(), elem_id="toc")
                mend = clip_area.corrections_area()
                own = corpus_area.corpus_area()
            with gr.Column(elem_id="main", min_width=0):
                area = clip_area.clip_strip(choices, mend)
                shell = Shell(area.session, area.trail, area.model, area.units, own.corpus, saved)
                gr.HTML(f"{NOTE}{banners()}", elem_id="lessons")
                _views(shell, link)
                gr.Markdown(FOOTER, elem_classes="footer")
                licences()
        clip_area.connect(area)
        corpus_area.connect(own)
        links.connect(page, area, link)
        api.endpoints({name: technique(name) for name, entry in TABS.items() if entry.scripted})
    return page


def _views(shell: Shell, link: gr.JSON) -> None:
    """The start page and every technique; `ism.show` says which one is seen."""
    with gr.Column(elem_id="view-start", elem_classes="view"):
        start_page()
    for name in TECHNIQUES:
        with gr.Column(elem_id=f"view-{name}", elem_classes="view"):
            _when_opened(name, shell, link)


def _when_opened(name: str, shell: Shell, link: gr.JSON) -> None:
    """Build a view when it is first opened, with what the link asks of it.

    The browser compares every component with every event: all views at once took it four seconds, a phone twenty.
    """
    # Pressed by `ism.open`, once; until the rest is there, the question stands in its place.
    build = gr.Button(f"{question(name)} Opening …", elem_id=f"build-{name}", elem_classes="build")

    @gr.render(inputs=[shell.session, shell.units, link, shell.model], triggers=[build.click], show_progress="hidden")
    def content(session: Session | None, units: str, opened: dict[str, Any] | None, model: str) -> None:
        asked = opened["options"] if opened and opened["shared"]["technique"] == name else {}
        TABS[name].tab(replace(shell, now=Now(session, units, asked, model)))

    # At every change of any event's state the browser copies all that is inside the components that show progress.
    list(gr.context.Context.root_block.fns.values())[-1].show_progress_on = [build]
