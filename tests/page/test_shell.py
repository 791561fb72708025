"""The page stays light: tabs are built when opened, and what shows progress is small."""

from dataclasses import replace
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from methods import TECHNIQUES
from methods.core import models
from methods.core.models.menu import MODELS
from page import link_options, shell, tabs
from page.beginnings import BEGINNINGS, beginning
from page.controls import MOST_LAYERS
from page.examples import EXAMPLES
from page.lessons import LESSONS
from page.recipe import Now, Shell
from page.session import from_example

LAYOUTS = {"accordion", "column", "form", "group", "row", "tabitem", "tabs"}


@pytest.fixture(scope="module")
def page():
    return shell.build().get_config_file()


def a_shell():
    return Shell(
        gr.State(None), gr.State(None), gr.Dropdown(["m"]), gr.Radio(["words", "phones"]), gr.State(None), gr.JSON()
    )


def large_targets(config):
    """Components that show an event's progress and have others inside them.

    At every change of any event's state the browser copies all that lies within such a component (Gradio 6.31).
    """
    kinds = {component["id"]: component["type"] for component in config["components"]}
    shown = {
        target
        for event in config["dependencies"]
        for target in (event["show_progress_on"] or event["outputs"])
        if event["backend_fn"]
    }
    return [kinds[target] for target in shown if kinds.get(target) in LAYOUTS]


def test_the_first_page_is_small_and_shows_no_progress_on_a_layout(page):
    # The browser compares every component with every event at the start: 26 tabs of 40 components took it 3 s.
    assert len(page["components"]) < 10 * len(TECHNIQUES) and len(page["dependencies"]) < 6 * len(TECHNIQUES)
    assert large_targets(page) == []


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_tab_shows_no_progress_on_a_layout(name):
    with gr.Blocks() as one:
        tabs.TABS[name].tab(a_shell())
    assert large_targets(one.get_config_file()) == []


def test_a_tab_is_built_for_the_clip_that_is_there():
    """Lists of words are there before the clip changes again."""
    session = replace(from_example("en_f_weasels"), words=())
    with gr.Blocks():
        made = tabs.TABS["attribution"].tab(replace(a_shell(), now=Now(session, "words", {"window": "exact"})))
    assert made.controls["word"].value == "0" and len(made.controls["word"].choices) > 1


@pytest.mark.parametrize(
    "link", [lesson.link for lesson in LESSONS] + [b.better for b in BEGINNINGS.values() if b.better]
)
def test_every_lesson_and_better_view_opens_what_it_says(link):
    asked = dict(parse_qsl(link[1:], strict_parsing=True))
    technique, model, clip = (asked.pop(name, None) for name in ("technique", "model", "clip"))
    assert technique in TECHNIQUES and model in (None, *MODELS) and clip in (None, *EXAMPLES)
    with gr.Blocks():
        controls = tabs.TABS[technique].tab(a_shell()).controls
    wrong = []
    assert set(asked) <= set(controls)
    for name, text in asked.items():
        assert str(link_options.read_option(controls[name], text, wrong)) == text
    assert wrong == []


def test_every_view_says_in_one_line_why_it_opens_as_it_does():
    assert list(BEGINNINGS) == list(TECHNIQUES)
    for name, told in BEGINNINGS.items():
        assert len(told.why) <= 150, name
        assert bool(told.better) == bool(told.named)
        assert ("<a " in beginning(name)) == bool(told.better)


@pytest.mark.parametrize("name", ["value_zeroing", "live_probes", "probing"])
def test_sliders_over_layers_end_with_the_models_own(name):
    def ends(model):
        with gr.Blocks():
            made = tabs.TABS[name].tab(replace(a_shell(), now=Now(model=model))).controls
        return {key: control.maximum for key, control in made.items() if isinstance(control, gr.Slider)}

    unknown, small, large = ends("my/own"), ends("openai/whisper-tiny.en"), ends("facebook/wav2vec2-xls-r-300m")
    for key, end in unknown.items():
        more = end - MOST_LAYERS  # live probes have a row for MFCC above the layers
        assert (small[key], large[key]) == ((4 + more, 24 + more) if more in (0, 1) else (end, end))


@pytest.mark.parametrize("id", ["openai/whisper-tiny.en", "openai/whisper-base", "hama-ctc"])
def test_the_menu_knows_how_many_layers_a_model_has(id):
    assert MODELS[id].layers == models.layer_count(models.load_model(id))
