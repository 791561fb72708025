"""The attribution tab: values from links, partial and full results, and hostile words."""

from dataclasses import replace

import pytest
from tiny_intents import tiny_intents

from methods import attribution
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.progress import finish
from page.session import Session
from page.tabs import attribution as attribution_tab
from page.tabs import attribution_output
from page.tabs.attribution import fitted


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
    shown = attribution_output.drawn(result, {})
    assert all(shown) and len(shown) == 9
    assert shown[1].count("<audio") == 3 and "only the loudest" in shown[1]
    assert shown[4].count("<tr>") == 5 and "random weights" in shown[4]
    assert shown[4].index("mean over time") < shown[4].index("by number of pieces")
    assert "longest first" in shown[4] and "z with white noise instead" in shown[4]
    assert (
        "Shown for <strong>leave one out</strong>, not for the map above: input x gradient takes nothing" in shown[7]
    )
    assert "Rank correlation of the map with that of the changed clip: 20 ms later" in shown[6]
    assert "Choose “the map, and heads of our own”" in shown[8]
    known = replace(result.controls, played=None, verdict=None, longest=None, crossed=None, others={}, modes={},
                    mixing=None, steady=None)  # fmt: skip
    early = replace(result, controls=known)
    plot, *rest, offer = attribution_output.drawn(early, {})
    assert plot["rows"] and rest == [""] * 7 and "Choose" in offer
    options = {**result.provenance["options"], "checks": False}
    bare = attribution_output.drawn(replace(early, provenance={**result.provenance, "options": options}), {})
    assert ["Not run" in str(part) for part in bare[1:]] == [False] * 3 + [True, True, False, True, False]


def test_plot_rows_are_map_curve_pieces_and_methods(result):
    plot = attribution_output.over_time(result)
    assert [row["kind"] for row in plot["rows"]] == ["image", "line", "segments", "matrix"]
    assert plot["rows"][0]["shape"] == [80, 130]
    assert [item["score"] for item in plot["rows"][2]["items"]] == pytest.approx(result.own.scores.tolist())
    assert "input x gradient: highest" in plot["summary"]


def test_status_says_what_is_not_the_usual_input(result):
    assert "clip-only window: not the input" in attribution_tab.status_line(result, {})
    early = replace(result, controls=replace(result.controls, crossed=None))
    for shown in (result, early):  # the shell says for all tabs what is still to come
        assert "being computed" not in attribution_tab.status_line(shown, {})
    z = result.controls.verdict.z("deletion_area")
    assert f"deletion by time, 2 random orders: z {z:.2f}".replace("-", "−") in attribution_tab.status_line(result, {})


def test_status_says_what_the_map_starts_from(result):
    def said(start, instead, method="integrated gradients"):
        options = {**result.provenance["options"], "replacement": instead}
        own = replace(result.own, start=start, method=method)
        return attribution_tab.replacements(replace(result, own=own, provenance={"options": options}))

    assert said("silence", "cut") == (
        "**starts from silence: a cut leaves nothing to start from**; the tests cut pieces out"
    )
    assert said("mean", "mean") == "starts from mean, which the tests put in place of what is gone"
    assert said("", "cut", "saliency") == "the tests put cut in place of what is gone"
    assert said("", "cut", "LIME") == "cut in place of what is gone"


def test_words_of_the_clip_are_shown_as_text(result):
    played = replace(result.controls.played, answer_only="<script>alert(1)</script>")
    table = attribution_output.players(replace(result, target="<b>"), played)
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
    session = Session(clip, None, words=words)
    _, update = attribution_tab._word_list(session, "words", "word", "2")
    assert [name for name, _ in update["choices"]][1:] == ["1. one", "2. two"] and update["value"] == "2"
    assert attribution_tab._word_list(session, "words", "word", "7")[1]["value"] == "0"
    assert len(attribution_tab._word_list(None, "words", "word", "3")[1]["choices"]) == 81
    _, update = attribution_tab._word_list(session, "words", "class", "class:17")  # a link; two words are no limit
    assert update["value"] == "class:17" and [value for _, value in update["choices"]] == ["0", "class:17"]
    assert attribution_tab._word_list(session, "words", "class", "token:2")[1]["value"] == "0"


def test_a_number_belongs_to_its_kind():
    assert fitted({"kind": "class", "word": "class:24"})["word"] == "class:24"
    assert fitted({"kind": "class", "word": "3"})["word"] == "0"  # that was the third word
    assert fitted({"kind": "word", "word": "class:3"})["word"] == "0"
    assert [fitted({"kind": "token", "word": w})["word"] for w in ("token:200", "token:201", "token:x", "²")] == [
        "token:200", "0", "0", "0"
    ]  # fmt: skip


def test_any_class_of_any_head_can_be_chosen(clip):
    model, session = tiny_intents(), Session(clip, None, text="ab", words=(Segment("ab", 0.1, 1.0),))
    values = default_values(kind="class", word="class:23", tests="no")
    made = finish(attribution_tab._steps(session, model, "words", values))
    assert made.target == "location “none”" and made.provenance["options"]["head"] == "location"
    assert made.words == ()
    shown = attribution_tab.ranges(made, values)["word"]
    assert shown["value"] == "class:23" and ("23. location: none", "class:23") in shown["choices"]
    assert len(shown["choices"]) == 1 + 6 + 14 + 4
    with pytest.raises(UserError, match=r"tiny-intents has 24 classes for this clip .* there is no number 25"):
        attribution_tab._steps(session, model, "words", default_values(kind="class", word="class:25"))


def test_any_token_can_be_chosen(tiny_model, clip, segments):
    """The tokeniser spells by letters: of the seven in “ab cd abc” the sixth is the second “b”."""
    session = Session(clip, None, text="ab cd abc", words=segments[:3])
    values = default_values(kind="token", word="token:6", tests="no")
    made = finish(attribution_tab._steps(session, tiny_model, "words", values))
    assert made.choices == tuple("abcdabc")
    assert made.target == "token “b”" and made.provenance["options"]["occurrence"] == 2
    assert made.words == segments[2:3]
    assert ("6. b", "token:6") in attribution_tab.ranges(made, values)["word"]["choices"]
    # “the class” of a model that has none: its words are explained, and the number of a class is no word's.
    other = finish(attribution_tab._steps(session, tiny_model, "words", values | {"kind": "class", "word": "class:1"}))
    assert other.target == "“abc”"
