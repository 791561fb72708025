"""What a client of the HTTP API may ask for: options of their own kind and size, and the menu's models alone."""

import importlib
import inspect
import json

import gradio as gr
import pytest
from gradio_client.utils import json_schema_to_python_type

from methods import TECHNIQUES
from methods.core.errors import UserError
from methods.core.options import GIVEN, own_options
from page.export import api
from page.export.api_options import checked, fits, limits_of
from page.export.api_schema import Options, schema_of
from page.session import from_example, with_times

MODULES = {name: importlib.import_module(f"methods.{name}") for name in TECHNIQUES}
OPTIONS = [
    (module, name, each)
    for module in MODULES.values()
    for name, each in list(inspect.signature(module.analyse).parameters.items())[2:]
    if name not in GIVEN
]


def name_of(module):
    return module.__name__.rsplit(".", 1)[-1]


every_option = pytest.mark.parametrize(
    ("module", "name", "option"), OPTIONS, ids=[f"{name_of(m)}.{name}" for m, name, _ in OPTIONS]
)


@every_option
def test_a_default_is_allowed_and_a_number_has_limits(module, name, option):
    if any(fits(number, option.annotation) or fits([number], option.annotation) for number in (1, 1.5)):
        assert limits_of(name_of(module), name) is not None
    if option.default is inspect.Parameter.empty or name == "interval":
        return
    value = list(option.default) if isinstance(option.default, tuple) else option.default
    needed = {"cue": "a", "target": "b"} if name_of(module) == "cue_contribution" else {}
    assert checked(module, {**needed, name: value})[name] == option.default


@every_option
def test_nonsense_gets_a_sentence(module, name, option):
    needed = {"cue": "a", "target": "b"} if name_of(module) == "cue_contribution" else {}
    for value in (float("nan"), float("inf"), -(10**400), {"a": 1}, [[1]], "x" * 20_001, [0] * 65, b"x"):
        with pytest.raises(UserError, match=f"“{name}”|seeds are too many"):
            checked(module, {**needed, name: value})


@pytest.mark.parametrize(
    ("technique", "options"),
    [
        ("rsa", {"most": 10_000}),
        ("rsa", {"shuffles": 10**9}),
        ("abx", {"units": 10**6}),
        ("abx", {"random_seeds": [0, 1, 2, 3]}),
        ("abx", {"seed": -1}),
        ("abx", {"most": True}),
        ("probing", {"control_seeds": list(range(9))}),
        ("probing", {"layers": "all"}),
        ("spectrogram_occlusion", {"masks": 20_000}),
        ("spectrogram_occlusion", {"patches_per_second": [1e6]}),
        ("spectrogram_occlusion", {"neutral": "zero"}),
        ("attribution", {"orders": 10**6}),
        ("attribution", {"time_limit": 1e9}),
        ("continuum", {"count": 10**6}),
        ("head_roles", {"opened": [1]}),
        ("paralinguistics", {"interval": ["a", 0.0, float("nan")]}),
        ("paralinguistics", {"segments": ["a"]}),
        ("paralinguistics", ["pitch"]),
        ("cue_contribution", {"cue": "a"}),
    ],
)
def test_no_call_asks_for_an_hour_or_for_nonsense(technique, options):
    with pytest.raises(UserError):
        checked(MODULES[technique], options)


@pytest.mark.parametrize("technique", ["rsa", "cka"])
def test_a_second_model_is_one_of_the_menu_on_the_space(technique, monkeypatch):
    module = MODULES[technique]
    assert checked(module, {"other": "someone/model"}) == {"other": "someone/model"}
    monkeypatch.setenv("SPACE_ID", "someone/space")
    assert checked(module, {"other": "openai/whisper-base"}) == {"other": "openai/whisper-base"}
    for wanted in ("someone/model", "/etc", "../weights"):
        with pytest.raises(UserError, match="not on this page's list"):
            checked(module, {"other": wanted})


def test_lists_become_tuples():
    assert checked(MODULES["probing"], {"layers": [0, 2], "target": "manner"}) == {
        "layers": (0, 2),
        "target": "manner",
    }


def test_a_transcript_is_of_the_clip():
    assert (api.said(None), api.said("we"), api.said("a" * 2000)) == ("", "we", "a" * 2000)
    with pytest.raises(UserError, match="2001 characters"):
        api.said("a" * 2001)


def test_there_are_no_more_segments_than_frames():
    session = from_example("en_f_weasels")
    step = session.clip.seconds / 1501
    rows = [["a", number * step, (number + 1) * step] for number in range(1501)]
    assert len(with_times(session, "phones", rows[:1500]).phones) == 1500
    with pytest.raises(UserError, match="1501 segments"):
        with_times(session, "phones", rows)


@pytest.mark.parametrize("technique", MODULES)
def test_a_program_reads_each_option_by_name_kind_and_range(technique):
    listed = schema_of(MODULES[technique])["properties"]
    for name, option in own_options(MODULES[technique].analyse).items():
        if name not in listed:
            assert "Clip" in str(option.annotation), f"{name} is left out, and a program could give it"
            continue
        about = listed[name]["description"]
        limits = limits_of(technique, name)
        if limits:
            assert about.startswith(f"{limits[0]:,.10g} to {limits[1]:,.10g}; ")
        needed = option.default is inspect.Parameter.empty
        assert about.endswith("needed" if needed else f"default {json.dumps(option.default)}")
    said = json_schema_to_python_type(schema_of(MODULES[technique]))
    assert all(f"{name}: " in said for name in listed) and "Any" not in said


def test_a_listed_name_is_one_that_is_taken():
    method = schema_of(MODULES["projection"])["properties"]["method"]
    assert method["enum"] == list(MODULES["projection"].SENSE["method"])
    assert schema_of(MODULES["value_zeroing"])["properties"]["stacks"]["items"]["enum"] == [
        "encoder", "decoder", "cross",
    ]  # fmt: skip
    assert schema_of(MODULES["probing"])["properties"]["window"]["enum"] == ["clip", "full"]
    for technique, module in MODULES.items():
        if technique != "cue_contribution":
            for name, each in schema_of(module)["properties"].items():
                for value in each.get("enum", ()):
                    checked(module, {name: value})


def test_options_are_a_json_component_to_the_browser():
    with gr.Blocks():
        made = Options(MODULES["rsa"])
        plain = gr.JSON({}, label="options by name")
    assert made.get_block_name() == "json"
    assert {**made.get_config(), "name": ""} == {**plain.get_config(), "name": ""}
    assert made.api_info() == schema_of(MODULES["rsa"])
