"""Options in links: every kind of control takes what it knows and refuses the rest."""

from dataclasses import replace

import gradio as gr
import pytest

from page import link_options
from page import session as sessions
from page.export import links
from page.export.links import copied
from page.session import from_example
from page.top.spectrogram import Look, look_of, read_look, settings_of, written

LAYER = {"minimum": -1, "maximum": 48, "value": -1, "step": 1}
GOOD = [
    (lambda: gr.Slider(**LAYER), "3", 3),
    (lambda: gr.Slider(**LAYER), "-1", -1),
    (lambda: gr.Slider(0, 1, value=0.5, step=0.05), "0.35", 0.35),
    (lambda: gr.Checkbox(True), "false", False),
    (lambda: gr.Textbox(max_length=5), "abcdefgh", "abcde"),
    (lambda: gr.Dropdown(["a", "b"], value="a", allow_custom_value=True), "tier:tone", "tier:tone"),
    (lambda: gr.Dropdown(["a", "b"], value=["a"], multiselect=True), "a,b", ["a", "b"]),
    (lambda: gr.CheckboxGroup(["a", "b"]), "b", ["b"]),
    (lambda: gr.Radio([("three", 3), ("four", 4)], value=4), "3", 3),
]
BAD = [
    (lambda: gr.Slider(**LAYER), "49"),
    (lambda: gr.Slider(**LAYER), "nan"),
    (lambda: gr.Slider(**LAYER), "inf"),
    (lambda: gr.Slider(**LAYER), "one"),
    (lambda: gr.Checkbox(True), "perhaps"),
    (lambda: gr.Dropdown(["a", "b"], value="a"), "c"),
    (lambda: gr.CheckboxGroup(["a", "b"], value=["a"]), "a,c"),
    (lambda: gr.Radio(["a", "b"], value="a"), "<script>"),
]


@pytest.mark.parametrize(("control", "text", "expected"), GOOD)
def test_an_option_of_a_link_is_what_the_control_would_hold(control, text, expected):
    wrong = []
    value = link_options.read_option(control(), text, wrong)
    assert (value, type(value), wrong) == (expected, type(expected), [])


@pytest.mark.parametrize(("control", "text"), BAD)
def test_an_option_that_a_control_does_not_know_is_named_and_replaced(control, text):
    made, wrong = control(), []
    assert link_options.read_option(made, text, wrong) == made.value
    assert wrong == [text]


def test_a_link_says_what_it_cannot_hold():
    session, told = from_example("fr_f_composez"), "Link copied: x"
    assert copied(told, session, "openai/whisper-base") == told
    assert copied(told, None, "openai/whisper-base", "model:x", "prompts") == told
    own = replace(session, example=None)
    assert "No link can hold your recording; this one" in copied(told, own, "openai/whisper-base")
    for given in (replace(session, text="oui"), replace(session, timing=sessions.BY_TEXTGRID)):
        assert "the words and times that you gave" in copied(told, given, "openai/whisper-base")
    edited = sessions.with_times(own, "words", [["a", 0.1, 0.3]])
    everything = copied(told, edited, "my/model", "clip:before", "own")
    given = "your recording, the words and times that you gave, the model my/model, the clip that was here before and "
    assert f"{given}your own corpus" in everything


@pytest.mark.parametrize(
    ("query", "seen", "refused"),
    [
        ({}, ("", ""), []),
        ({"from": "1", "to": "1.5"}, ("1.000", "1.500"), []),
        ({"from": "2"}, ("2.000", "2.951"), []),  # the weasels last 2.9508 s
        ({"to": "2.9512"}, ("0.000", "2.951"), []),  # half a millisecond is what rounding may add
        ({"from": "1.5", "to": "1"}, ("", ""), ["from=1.5", "to=1"]),
        ({"from": "-1"}, ("", ""), ["from=-1"]),
        ({"to": "nan"}, ("", ""), ["to=nan"]),
        ({"from": "<img>", "to": "2"}, ("", ""), ["from=<img>", "to=2"]),
        ({"to": "99"}, ("", ""), ["to=99"]),
    ],
)
def test_a_link_shows_a_part_of_its_clip_and_nothing_beyond(monkeypatch, query, seen, refused):
    said = []
    monkeypatch.setattr(links, "warn", said.extend)
    resolved = links.read_link({"clip": "en_f_weasels", **query})[-1]
    assert (resolved["shared"]["from"], resolved["shared"]["to"]) == seen
    assert said == refused
    assert not {"from", "to"} & set(resolved["options"])


@pytest.mark.parametrize(
    ("text", "look"),
    [
        ("", Look()),
        ("5ms,5kHz,F0", Look(window=5, highest=5, over=("F0",))),
        ("60dB,pre-emphasis,formants,intensity,5000Hz",
         Look(decibels=60, emphasis=True, over=("formants", "intensity"), ceiling=5000)),
    ],
)  # fmt: skip
def test_a_link_sets_the_spectrogram_as_it_was_and_says_no_more_than_that(text, look):
    assert read_look(text) == look and written(look) == text
    assert look_of(*settings_of(look)) == look
    assert settings_of(look) == links.read_link({"spectrogram": text})[6:-1]
    assert links.read_link({"spectrogram": text})[-1]["shared"]["spectrogram"] == text


@pytest.mark.parametrize("text", ["6ms", "5ms,<img>", "75 dB", "1000000dB", "F9"])
def test_a_spectrogram_that_cannot_be_set_is_named_and_the_usual_one_is_shown(monkeypatch, text):
    said = []
    monkeypatch.setattr(links, "warn", said.extend)
    found = links.read_link({"spectrogram": text})
    assert said == [f"spectrogram={text}"] and found[5] == Look() and found[-1]["shared"]["spectrogram"] == ""
