"""What a client of the HTTP API may ask for: options of their own kind and size, and the menu's models alone."""

import importlib
import inspect

import pytest

from methods import TECHNIQUES
from methods.core.errors import UserError
from methods.core.options import GIVEN
from page.export import api
from page.export.api_options import checked, fits, limits_of
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
