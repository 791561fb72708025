"""What a browser may send for a control: each odd value gets a sentence, here or from the technique, never a crash."""

import contextlib
import importlib
import math
from types import SimpleNamespace

import gradio as gr
import pytest
from first_shown import first_shown
from test_options import NAMES

from methods.core.errors import UserError
from page import run_events
from page.beside import scales
from page.recipe import Now, Shell
from page.session import Session
from page.values import LONGEST, checked

ODD = (None, "", [], "zebra", ["zebra"], [None], -5, 1e9, math.nan, True, {"a": 1}, "x" * (LONGEST + 1))


@pytest.fixture(scope="module")
def session(clip, segments):
    return Session(clip, None, text="ab cd", words=segments, phones=segments)


@pytest.fixture
def recipe_of(session, monkeypatch):
    """A tab's recipe and its controls, without the page around it."""

    def build(name):
        found = []

        def kept(recipe, _shell):
            found.append(recipe)
            raise NotImplementedError  # the rest of the tab is not wanted

        tab = importlib.import_module(f"page.tabs.{name}")
        monkeypatch.setattr(tab, "technique_tab", kept)
        with gr.Blocks():
            states = [
                gr.State(session),
                gr.State(None),
                gr.Dropdown(["m"]),
                gr.Radio(["words"]),
                gr.State(None),
                gr.JSON(),
            ]
            with pytest.raises(NotImplementedError):
                getattr(tab, f"{name}_tab")(Shell(*states, now=Now(session=session)))
            return found[0], found[0].controls()

    return build


@pytest.mark.parametrize("name", NAMES)
def test_odd_values_get_a_sentence(name, recipe_of, session, tiny_model):
    recipe, controls = recipe_of(name)
    plain = {key: control.value for key, control in controls.items()}
    assert checked(controls, list(plain.values())) == plain, "what is on screen at first passes as it is"
    found = []
    for key, control in controls.items():
        for value in ODD:
            try:
                values = checked(controls, list((plain | {key: value}).values()))
            except UserError as told:
                found.append((str(told), f"“{control.label}” "))
                continue
            if isinstance(control, gr.Slider) and not control.minimum <= value <= control.maximum:
                continue  # Gradio refuses it before we see it
            if hasattr(control, "choices") and not getattr(control, "allow_custom_value", False):
                continue  # likewise: it is none of the choices
            with contextlib.suppress(UserError):
                next(recipe.steps(session, tiny_model, "words", values))
    assert found
    assert all(told.startswith(named) for told, named in found)


def one(control, value):
    return checked({"it": control}, [value])["it"]


def test_values_of_their_kind_pass_as_they_are():
    assert one(gr.Slider(0, 5, value=2), 3) == 3
    assert one(gr.Textbox(), None) == ""
    assert one(gr.Checkbox(), False) is False
    assert one(gr.CheckboxGroup(["a", "b"]), None) == []
    assert one(gr.CheckboxGroup(["a", "b"]), ["b"]) == ["b"]
    assert one(gr.Dropdown(["a", "b"], multiselect=True), ["a", "b"]) == ["a", "b"]
    assert one(gr.Dropdown([("its own", ""), ("a", "a")]), "") == ""
    assert one(gr.Dropdown(["a"], allow_custom_value=True), "  tier:tones ") == "tier:tones"
    assert one(gr.Radio([("one", 1)]), 1) == 1


@pytest.mark.parametrize(
    ("control", "value", "sentence"),
    [
        (gr.Slider(0, 5, label="Layer"), None, "“Layer” is empty; give a number from 0 to 5."),
        (gr.Slider(0, 5, label="Layer"), True, "“Layer” cannot be bool True; give a number from 0 to 5."),
        (gr.Slider(0, 5, label="Layer"), math.nan, "“Layer” cannot be float nan; give a number from 0 to 5."),
        (gr.Dropdown(["a"], label="Unit"), None, "“Unit” is empty; choose one of its entries."),
        (gr.Dropdown(["a"], label="Unit"), ["a"], "“Unit” cannot be list ['a']; choose one of its entries."),
        (gr.Radio(["a"], label="Unit"), {"a": 1}, "“Unit” cannot be dict {'a': 1}; choose one of its entries."),
        (gr.Dropdown(["a"], label="Tier", allow_custom_value=True), " ",
         "“Tier” is empty; choose one of its entries, such as a, or type a name."),
        (gr.Dropdown(["a"], label="Tier", allow_custom_value=True), ["a", "b"],
         "“Tier” cannot be list ['a', 'b']; choose one of its entries, such as a, or type a name."),
        (gr.CheckboxGroup(["a"], label="Some"), "a", "“Some” cannot be str 'a'; tick some of its boxes."),
        (gr.Checkbox(label="On"), "yes", "“On” cannot be str 'yes'; tick it or leave it empty."),
        (gr.Textbox(label="Text"), 5, "“Text” cannot be int 5; type up to 20,000 characters."),
    ],
)  # fmt: skip
def test_sentences(control, value, sentence):
    with pytest.raises(UserError) as told:
        one(control, value)
    assert str(told.value) == sentence


def test_the_tabs_ask_for_it():
    """A tab's values come through `checked`, for a run, another view and a download alike."""
    parts = SimpleNamespace(controls={"it": gr.Slider(0, 5, label="Layer")})
    with pytest.raises(UserError, match="“Layer” is empty"):
        run_events.Parts.named(parts, [None])


SLOW = {"projection", "probing"}
REFUSED = {
    "live_probes",
    "ctc_lens",
    "asr_explanation",
    "phone_focus",
    "phone_check",
}  # of a tiny model


@pytest.mark.parametrize("name", sorted(set(NAMES) - SLOW - REFUSED))
def test_two_sides_can_be_drawn_on_one_scale(name, recipe_of, session, tiny_model):
    recipe, controls = recipe_of(name)
    values = {key: control.value for key, control in controls.items()}
    result = first_shown(recipe.steps(session, tiny_model, "words", values))
    values = recipe.fitted(result, values)

    def draw():
        return recipe.drawn(result, values)

    one, other, differences = scales.pair(draw, draw)
    assert differences == []
    assert list(map(type, one)) == list(map(type, other)) and len(one) > 1
