"""The page around the techniques: one clip and one model for all tabs, the tabs themselves, and links to any view."""

import threading
from pathlib import Path

import gradio as gr

from methods import TECHNIQUES, attention, attention_norm, context_mixing, value_zeroing
from methods.core import models
from page import api, clip_area, corpus_area, links
from page import session as sessions
from page.acoustic_probing_tab import acoustic_probing_tab
from page.clip_area import FIRST_MODEL
from page.context_mixing_tab import context_mixing_tab
from page.ctc_lens_tab import ctc_lens_tab
from page.cue_contribution_tab import cue_contribution_tab
from page.decoder_lens_tab import decoder_lens_tab
from page.examples import FIRST
from page.head_roles_tab import head_roles_tab
from page.live_probes_tab import live_probes_tab
from page.mixing_tab import mixing_tab
from page.probing_tab import probing_tab
from page.sound_plot import HEAD as SOUND_PLOT
from page.start import start_page
from page.technique_tab import Shell, Tab

SCRIPTED = (attention, attention_norm, value_zeroing, context_mixing)  # techniques with an HTTP endpoint
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
        api.endpoints({module.__name__.rsplit(".", 1)[-1]: module for module in SCRIPTED})
    return page


def _technique_tabs(shell: Shell) -> tuple[list[Tab], dict[str, gr.Tabs]]:
    makers = {
        "probing": lambda: probing_tab(shell),
        "acoustic_probing": lambda: acoustic_probing_tab(shell),
        "live_probes": lambda: live_probes_tab(shell),
        "ctc_lens": lambda: ctc_lens_tab(shell),
        "decoder_lens": lambda: decoder_lens_tab(shell),
        "attention": lambda: mixing_tab(attention, shell, by_head=True),
        "attention_norm": lambda: mixing_tab(attention_norm, shell, by_head=True),
        "value_zeroing": lambda: mixing_tab(value_zeroing, shell, by_head=False),
        "context_mixing": lambda: context_mixing_tab(shell),
        "head_roles": lambda: head_roles_tab(shell),
        "cue_contribution": lambda: cue_contribution_tab(shell),
    }
    built, inner = [], {}
    for group in GROUPS:
        names = [name for name, (its_group, _) in TECHNIQUES.items() if its_group == group]
        with (
            gr.Tab(group, id=group) as outer,
            gr.Tabs(elem_classes="techniques", overflow_behavior="wrap") as inner[group],
        ):
            for name in names:
                with gr.Tab(TECHNIQUES[name][1], id=name) as tab:
                    made = makers[name]()
                built.append(made)
                arguments, values = made.option_js()
                js = f"({arguments}) => window.ism.open('{group}', '{name}', {values})"
                tab.select(None, list(made.controls.values()), None, js=js)
        outer.select(None, None, None, js=f"() => window.ism.group('{group}', '{names[0]}')")
    return built, inner


def warm_up() -> None:
    """Compute what most visitors see first, in the background, so that it is there when they come."""

    def first_view() -> None:
        model = models.load_model(FIRST_MODEL)
        session, _ = sessions.heard(sessions.from_example(FIRST), model)
        for technique in (value_zeroing, attention):
            technique.analyse(session.clip, model, segments=session.segments("words"))

    threading.Thread(target=first_view, name="warm-up", daemon=True).start()
