"""The tab of erasure: what is drawn and said, also of a run that has only begun; labels stay text."""

from dataclasses import replace

import numpy as np
import pytest

from methods.core.results import read_only
from methods.erasure import Erasure, ErasureControls
from page.session import from_example
from page.tabs import erasure as tab

HOSTILE = "<img src=x>$\\frac"


@pytest.fixture
def result():
    line = read_only([0.6, 0.7])
    options = {"features_note": "", "transcript_given": False}
    return Erasure(
        target=HOSTILE, classes=("a", "b"), dropped=("c",), frames=(100, 90), recordings=(6, 5),
        layers=("0 (conv + positions)", "1"), rank=read_only([1, 1], np.int64), before=line, before_low=line - 0.1,
        before_high=line + 0.1, after=read_only([0.5, 0.5]), left=read_only([0.5, 0.6]), left_low=line - 0.3,
        left_high=line, majority=0.5, change=read_only([0.1, 0.2]), heard="we ate", base=-2.0,
        loss=read_only([3.25, 1.5]), written=("we <b>", "we ate"), seen_before=("x", "y"), seen_after=("z", "<i>"),
        controls=ErasureControls(read_only([[0.5, 2.0], [4.0, 1.0]]), read_only([[0.1, 0.2], [0.3, 0.1]])),
        provenance={"model": "m", "corpus": "c", "options": options},
    )  # fmt: skip


def test_what_is_drawn_and_said(result):
    *pictures, table = tab.drawn(result, {})
    assert all("<svg" in picture for picture in pictures) and HOSTILE not in "".join(pictures)
    assert "3.2" in table and "4.0 / 0.3" in table and "&lt;i&gt;" in table
    assert HOSTILE not in table
    assert "labels of other recordings, the most of 2 draws: layer 0 4.0, layer 1 2.0" in tab.losses_said(result)
    line = tab.status_line(result, {})
    assert "most is lost at layer 0: 3.2 nats, more than 75% of the controls" in line
    assert (
        "a probe there: 60% before, 50% after, 50% where nothing was fitted" in line and "1 classes left out" in line
    )


def test_a_run_that_has_only_begun(result):
    nothing = read_only([np.nan, np.nan])
    begun = replace(result, loss=nothing, left=nothing, controls=None, seen_before=(), seen_after=(), complete=False)
    *pictures, table = tab.drawn(begun, {})
    assert all("<svg" in picture for picture in pictures) and table.count("<tr>") == 2
    assert "most is lost" not in tab.status_line(begun, {})


def test_the_clip_of_the_session_is_what_is_erased_from(tiny_model):
    session = from_example("en_f_weasels")
    values = {"target": " phone ", "corpus": "prompts", "window": "clip", "layers": "9"}
    with pytest.raises(Exception, match="There is no layer 9 to erase from") as problem:
        for _ in tab._steps(session, tiny_model, "words", values):
            pass
    assert "Steps" not in str(problem.value)
