"""The attribution tab: values from links, partial and full results, and hostile words."""

from dataclasses import replace

import pytest

from methods import attribution
from methods.core.errors import UserError
from methods.core.frames import Segment
from page import attribution_parts, attribution_tab
from page.attribution_tab import fitted
from page.session import Session


def default_values(**changed):
    return fitted({}) | changed


@pytest.fixture(scope="module")
def result(tiny_model, clip, segments):
    return attribution.analyse(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", window="clip", orders=2,
        method="input x gradient", random_seeds=(0,), modes=("silence",), compared=("leave one out",),
    )  # fmt: skip


def test_links_may_hold_anything():
    found = fitted({"kind": "soul", "method": 3, "word": "-1", "against": "x" * 500, "window": None, "cut": "windows"})
    assert found["kind"] == "word" and found["method"] == "leave one out" and found["word"] == "0"
    assert len(found["against"]) == 60 and found["window"] == "clip" and found["cut"] == "windows"
    assert fitted({"word": "81"})["word"] == "0" and fitted({"word": "80"})["word"] == "80"


def test_what_is_measured_is_drawn_and_the_rest_is_empty(result):
    shown = attribution_parts.drawn(result, {})
    assert all(shown) and len(shown) == 9
    assert shown[1].count("<audio") == 2
    assert shown[4].count("<tr>") == 5 and "random weights" in shown[4]
    assert "Rank correlation of the map with that of the changed clip: 20 ms later" in shown[6]
    assert "Choose “the map, and heads of our own”" in shown[8]
    early = replace(result, played=None, verdict=None, others={}, modes={}, mixing=None, steady=None)
    plot, *rest, offer = attribution_parts.drawn(early, {})
    assert plot["rows"] and rest == [""] * 7 and "Choose" in offer
    options = {**result.provenance["options"], "checks": False}
    bare = attribution_parts.drawn(replace(early, provenance={**result.provenance, "options": options}), {})
    assert ["Not run" in str(part) for part in bare[1:]] == [False] * 3 + [True, True, False, True, False]


def test_plot_rows_are_map_curve_pieces_and_methods(result):
    plot = attribution_parts.over_time(result)
    assert [row["kind"] for row in plot["rows"]] == ["image", "line", "segments", "matrix"]
    assert plot["rows"][0]["shape"] == [80, 130]
    assert [item["score"] for item in plot["rows"][2]["items"]] == pytest.approx(result.own.scores.tolist())
    assert "input x gradient: highest" in plot["summary"]


def test_status_says_what_is_not_the_usual_input(result):
    assert "clip-only window: not the input" in attribution_tab.status_line(result, {})
    assert "being computed" not in attribution_tab.status_line(result, {})
    assert "being computed" in attribution_tab.status_line(replace(result, modes={}), {})


def test_words_of_the_clip_are_shown_as_text(result):
    played = replace(result.played, answer_only="<script>alert(1)</script>")
    table = attribution_parts.players(replace(result, target="<b>"), played)
    assert "<script>" not in table and "&lt;script&gt;" in table and "&lt;b&gt;" in table


def test_a_run_from_the_page(tiny_model, clip, segments):
    session = Session(clip, None, text="ab cd cd", words=segments[:3])
    steps = attribution_tab._steps(session, tiny_model, "words", default_values(word="3", tests="no"))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made = end.value
            break
    assert made.target == "“cd”" and made.provenance["options"]["occurrence"] == 2
    assert made.words == segments[2:3]
    with pytest.raises(UserError, match=r"writes 3 words for this clip \(ab, cd, cd\), so there is no number 9"):
        attribution_tab._steps(session, tiny_model, "words", default_values(word="9"))
    with pytest.raises(UserError, match="no phones yet"):
        attribution_tab._steps(session, tiny_model, "phones", default_values())


def test_word_list_follows_the_clip(clip):
    words = (Segment("one", 0.0, 0.5), Segment("two", 0.5, 1.0))
    (update,) = attribution_tab._word_list(Session(clip, None, words=words), "words", "2")
    assert [name for name, _ in update["choices"]][1:] == ["1. one", "2. two"] and update["value"] == "2"
    assert attribution_tab._word_list(Session(clip, None, words=words), "words", "7")[0]["value"] == "0"
    assert len(attribution_tab._word_list(None, "words", "3")[0]["choices"]) == 81
