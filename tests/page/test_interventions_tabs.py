"""The tabs of causal tracing and head ablation: what is drawn, what a click opens, what is said; labels stay text."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from methods import causal_tracing, head_ablation
from methods.causal_tracing import corruption
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from page.examples import EXAMPLES, FOLDER
from page.export import api
from page.runs.machine import MACHINE
from page.session import Session
from page.tabs import causal_tracing as tracing_tab
from page.tabs import head_ablation as heads_tab

HOSTILE = "<img src=x>"
VALUES = {"row": 1, "column": 0, "site": "encoder residual", "cut": "units", "answer": "whole"}
GIVEN = {"transcript": "ab cd", "language": "en", "random_seeds": (0,)}


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        yield


@pytest.fixture(scope="module")
def cut():
    return Segment(HOSTILE, 0.0, 0.6), Segment("b", 0.6, 1.3)


@pytest.fixture(scope="module")
def traced(clip, tiny_model, cut):
    hiss = Clip(corruption.noisy(clip.samples, -20.0, 0), "hiss")
    options = {**GIVEN, "target": "transcript", "corruption": "recording", "recording": clip, "places": 3}
    return causal_tracing.analyse(hiss, tiny_model, segments=cut, **options, crossed=True, opened=(1, 0))


def test_a_tracing_is_drawn_and_said(traced):
    values = tracing_tab.fitted(traced, VALUES)
    plot, said, *pictures = tracing_tab.drawn(traced, values)
    trained, control = plot["rows"]
    assert trained["rows"][0]["label"] == "0 (input)" and trained["columns"][0]["label"] == HOSTILE
    assert "random weights" in control["title"] and (trained["vmin"], trained["vmax"]) == (
        control["vmin"],
        control["vmax"],
    )
    assert HOSTILE not in said and "&lt;img" in said
    assert all("<svg" in picture for picture in pictures)
    line = tracing_tab.status_line(traced, values)
    assert f"gap {traced.gap:.2f}" in line and "random places" in line and "random weights" in line


def test_a_click_asks_for_its_own_cell_and_none_for_nothing(traced, tiny_model, clip, cut):
    assert tracing_tab.covers(traced, VALUES)
    assert not tracing_tab.covers(traced, VALUES | {"row": 0})
    assert tracing_tab.covers(traced, VALUES | {"column": tracing_tab.CLOSED})
    assert tracing_tab.covers(traced, VALUES | {"column": 99})
    assert tracing_tab.fitted(traced, VALUES | {"column": tracing_tab.CLOSED})["row"] == traced.best()[0]
    session = Session(clip, None, words=cut)
    for values, opened in ((VALUES, (1, 0)), (VALUES | {"column": 2}, None), (VALUES | {"row": 9}, None)):
        assert tracing_tab._opened(session, tiny_model, "words", values) == opened


def test_words_are_named_by_their_number_and_which_of_several_they_are():
    labels = ["the", "cat", "The", "end"]
    assert [tracing_tab._numbered(labels, number) for number in ("1", "3", "4", "5", "asked")] == [
        ("the", 1), ("The", 2), ("end", 1), (None, None), (None, None),
    ]  # fmt: skip


def test_heads_are_drawn_and_said(clip, tiny_model):
    result = head_ablation.analyse(
        clip, tiny_model, **GIVEN, opened="decoder 2.1", off=("encoder 1.1",), draws=3, orders=1
    )
    values = {"of": 1, "row": 1, "column": 0, "token": heads_tab.WHOLE}
    plot, said, *pictures, random = heads_tab.drawn(result, values)
    assert [row["title"].split(":")[0] for row in plot["rows"]] == list(head_ablation.TITLES.values())
    assert "without decoder 2.1" in said and "without encoder 1.1" in said
    assert all("<svg" in picture for picture in pictures)
    assert [row["vmax"] for row in random["rows"]] == [row["vmax"] for row in plot["rows"]]
    assert heads_tab._opened(values, result) == "decoder 2.1" == result.opened
    assert heads_tab._opened(values | {"row": 40}, result) == result.opened  # no such head: nothing new is asked for
    assert heads_tab._opened(values | {"column": 1}, result) == "decoder 2.2"
    line = heads_tab.status_line(result, values)
    assert "costs most" in line and "random sets in the same layers" in line and "rank correlation" in line
    one = heads_tab.drawn(result, values | {"token": 0})[0]
    np.testing.assert_allclose(one["rows"][0]["vmax"], heads_tab._limit(heads_tab._shown(result, 0)))


def test_a_head_that_this_model_does_not_have_is_not_opened(clip, tiny_model):
    session, values = Session(clip, None), {"of": 1, "row": 1, "column": 1}
    assert heads_tab._has(session, tiny_model, values)
    assert not heads_tab._has(session, load_model("hama-ctc"), values)  # it has no decoder
    for other in ({"row": 2}, {"column": 2}, {"row": heads_tab.CLOSED}):
        assert not heads_tab._has(session, tiny_model, values | other)


def test_a_script_may_trace_between_two_recordings(tiny_model, monkeypatch):
    monkeypatch.setattr(MACHINE.loads, "_load", lambda _name: tiny_model)
    request = SimpleNamespace(session_hash="a script")
    clip, other = (str(FOLDER / EXAMPLES[key].file) for key in ("en_f_weasels", "en_f_weasels_noisy_5dB"))
    options = {"corruption": "recording", "window": "clip", "places": 3, "random_seeds": [], "noise_seeds": [0]}

    async def asked(recording):
        endpoint = api.pair_endpoint(causal_tracing)
        return await endpoint(clip, "tiny", "ab cd", options, recording, request)

    with pytest.raises(UserError, match="The change costs “ab” only"):  # of a random network: it has been compared
        asyncio.run(asked(other))
    with pytest.raises(UserError, match="recording"):
        asyncio.run(asked(None))
