"""The page around the techniques: one clip and one model for all tabs, the tabs themselves, and links to any view."""

import importlib
import threading
from pathlib import Path

import gradio as gr

from methods import TECHNIQUES, attention, attention_norm, value_zeroing
from methods.core import models
from page import api, clip_area, corpus_area, links
from page import session as sessions
from page.clip_area import FIRST_MODEL
from page.examples import FIRST
from page.mixing_tab import mixing_tab
from page.sound_plot import HEAD as SOUND_PLOT
from page.start import start_page
from page.technique_tab import Shell, Tab

MAPS = {"attention": attention, "attention_norm": attention_norm, "value_zeroing": value_zeroing}
NOT_SCRIPTED = ("two_lenses", "continuum", "cue_contribution")  # they need more than a clip, a text and plain options
GROUPS = tuple(dict.fromkeys(group for group, _ in TECHNIQUES.values()))
INTRODUCTION = """# Inside Speech Models
What does a speech model hear, and how does it come to its words? Choose a clip, look inside, and check every picture
against the same network with random weights."""
FOOTER = """Made after the tutorial *Interpretability Techniques for Speech Models* (Interspeech 2025). Recordings that
you upload or make are never part of a link and are deleted within hours. Code: Apache-2.0; the example clips have
licences of their own, named in `examples_audio/`."""

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
HEAD = f"{SOUND_PLOT}\n<script>{links.SCRIPT}</script>"


def build() -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title="Inside Speech Models", delete_cache=(3600, 6 * 3600), analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION, elem_classes="introduction")
        area = clip_area.clip_area()
        own = corpus_area.corpus_area()
        saved = gr.JSON(visible=False)
        base = gr.Textbox(links.space_address(), visible=False)
        shell = Shell(area.session, area.model, area.units, own.corpus, saved, base)
        with gr.Tabs(elem_id="groups", overflow_behavior="wrap") as groups:
            with gr.Tab("Start here", id="start") as start:
                start_page()
            tabs, inner = _technique_tabs(shell)
        start.select(None, None, None, js="() => window.ism.leave()")
        gr.Markdown(FOOTER, elem_classes="footer")
        clip_area.connect(area)
        corpus_area.connect(own)
        links.connect(page, area, groups, inner, tabs)
        scripted = [name for name in TECHNIQUES if name not in NOT_SCRIPTED]
        api.endpoints({name: importlib.import_module(f"methods.{name}") for name in scripted})
    return page


def _technique_tabs(shell: Shell) -> tuple[list[Tab], dict[str, gr.Tabs]]:
    built, inner = [], {}
    for group in GROUPS:
        names = [name for name, (its_group, _) in TECHNIQUES.items() if its_group == group]
        with (
            gr.Tab(group, id=group) as outer,
            gr.Tabs(elem_classes="techniques", overflow_behavior="wrap") as inner[group],
        ):
            for name in names:
                with gr.Tab(TECHNIQUES[name][1], id=name) as tab:
                    made = _tab(name, shell)
                built.append(made)
                arguments, values = made.option_js()
                js = f"({arguments}) => window.ism.open('{group}', '{name}', {values})"
                tab.select(None, list(made.controls.values()), None, js=js)
        outer.select(None, None, None, js=f"() => window.ism.group('{group}', '{names[0]}')")
    return built, inner


def _tab(name: str, shell: Shell) -> Tab:
    """A technique's tab: `<name>_tab` of `page/<name>_tab.py`; the three maps of words by words share one."""
    if name in MAPS:
        return mixing_tab(MAPS[name], shell, by_head=name != "value_zeroing")
    return getattr(importlib.import_module(f"page.{name}_tab"), f"{name}_tab")(shell)


def warm_up() -> None:
    """Compute what most visitors see first, in the background, so that it is there when they come."""

    def first_view() -> None:
        model = models.load_model(FIRST_MODEL)
        session, _ = sessions.heard(sessions.from_example(FIRST), model)
        for technique in (value_zeroing, attention):
            technique.analyse(session.clip, model, segments=session.segments("words"))

    threading.Thread(target=first_view, name="warm-up", daemon=True).start()
