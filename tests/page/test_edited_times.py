"""Times that the visitor moves, undoes, or is asked about before they are replaced: the rules behind the picture."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from methods.core.alignment import Segment, write_textgrid
from methods.core.errors import UserError
from page import session as sessions
from page.top import clip_area, corrections

TIERS = {"words": (Segment("we", 0.1, 0.5), Segment("ate", 0.5, 0.9)), "phones": (Segment("W", 0.1, 0.5),)}


@pytest.fixture(scope="module")
def weasels():
    return sessions.from_example("en_f_weasels")


@pytest.fixture
def hers(weasels):
    return sessions.with_textgrid(weasels, write_textgrid(TIERS, weasels.clip.seconds).encode())


def moved(session, **times):
    event = SimpleNamespace(_data={"clip": session.clip.sha256, "times": times})
    return corrections.move(session, event)


def spans(tier):
    return [(segment.label, segment.start, segment.end) for segment in tier]


def test_a_moved_boundary_goes_through_the_rule_of_the_table(hers):
    after = moved(hers, words=[[0.1, 0.45], [0.45, 0.9]], phones=[[0.1, 0.45]])
    assert spans(after.words) == [("we", 0.1, 0.45), ("ate", 0.45, 0.9)] and spans(after.phones) == [("W", 0.1, 0.45)]
    table = sessions.with_times(hers, "words", [["we", 0.1, 0.45], ["ate", 0.45, 0.9]])
    assert (after.words, after.timing) == (table.words, table.timing) == (table.words, "edited by you")
    assert after.key("m", "words") != hers.key("m", "words")  # techniques run again
    assert len(after.steps) == len(table.steps) == len(hers.steps) + 1  # both tiers in one step


def test_undo_brings_back_the_times_and_who_said_them(hers):
    first = moved(hers, words=[[0.1, 0.45], [0.45, 0.9]])
    second = moved(first, phones=[[0.1, 0.4]])
    undo = SimpleNamespace(_data={"clip": hers.clip.sha256, "undo": True})
    back = corrections.move(second, undo)
    assert (back.words, back.phones, back.timing) == (first.words, first.phones, "edited by you")
    back = corrections.move(back, undo)
    assert (back.words, back.phones, back.timing, back.steps) == (hers.words, hers.phones, "your TextGrid", hers.steps)
    assert back.key("m", "words") == hers.key("m", "words")
    back = corrections.move(back, undo)  # before the TextGrid
    assert (back.tiers, back.steps, back.timing) == (None, (), sessions.BY_HAND)
    with pytest.raises(UserError, match="no change of times left"):
        corrections.move(back, undo)
    many = hers
    for step in range(60):
        many = moved(many, phones=[[0.1, 0.4 + step / 1000]])
    assert len(many.steps) == sessions.MOST_STEPS == 50


def test_words_of_another_model_are_not_brought_back(weasels, hers):
    """Undo must not lead to words that were read off the attention of a model that was left."""
    heard = replace(weasels, timing=sessions.BY_ATTENTION)
    edited = moved(heard, phones=spans_of(heard.phones))
    assert clip_area.same_clip(edited).steps == ()
    again = moved(edited, phones=[[s, e - 0.001] for s, e in spans_of(heard.phones)])
    assert [step.timing for step in clip_area.same_clip(again).steps] == [sessions.EDITED]
    assert len(clip_area.same_clip(moved(hers, phones=[[0.1, 0.4]])).steps) == len(hers.steps) + 1


def test_another_tier_or_textgrid_takes_no_edited_time_away_for_good(weasels, hers):
    first = moved(weasels, words=[[s, e - 0.001] for s, e in spans_of(weasels.words)])
    another = sessions.with_textgrid(first, sessions.textgrid(hers).encode())
    assert another.words == hers.words
    back = sessions.undone(another)
    assert (back.words, back.timing, back.tiers, back.word_tier) == (first.words, "edited by you", None, "")
    assert len(back.steps) == 1  # and those before it can be undone too
    edited = moved(hers, words=[[0.1, 0.45], [0.45, 0.9]])
    for words, phones in (("words", "phones"), ("words", ""), ("", "phones"), ("phones", "")):
        other = corrections.retake(edited, words, phones)
        assert len(corrections.retake(other, words, phones).steps) == len(other.steps)  # nothing has changed
        assert (other.word_tier, other.phone_tier, other.timing) == (words, phones, "your TextGrid")
        back = sessions.undone(other)
        assert (back.words, back.phones, back.timing) == (edited.words, edited.phones, "edited by you")
        assert (back.word_tier, back.phone_tier, back.about) == ("words", "phones", hers.about)
        assert "“Undo” above the clip" in corrections.replaced_edits(edited, other)
    assert (
        corrections.replaced_edits(hers, corrections.retake(hers, "", "phones")) == ""
    )  # nothing of hers was replaced


def spans_of(tier):
    return [[segment.start, segment.end] for segment in tier]


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"clip": "another", "times": {"phones": [[0.1, 0.4]]}},
        {"times": {"phones": [[0.1, 0.4], [0.4, 0.5]]}},  # of a tier that had two
        {"times": {"text": [[0.1, 0.4]]}},
        {"times": {"phones": "0.1"}},
        {"times": {"phones": [0.1]}},
        {"times": {"phones": [["a", "b"]]}},
        {"times": {"phones": [[0.4, 0.1]]}},
        {"times": {"phones": [[0.1, float("nan")]]}},
        {"times": {"phones": [[0.1, 99.0]]}},
    ],
)
def test_what_no_picture_sends_is_a_sentence(hers, data):
    if data:
        data = {"clip": hers.clip.sha256, **data}
    with pytest.raises(UserError):
        corrections.move(hers, SimpleNamespace(_data=data))


def test_align_asks_before_it_replaces_what_is_hers(weasels, hers):
    assert sessions.at_stake(weasels) == ""
    assert "the words and phones of your TextGrid by its own" in sessions.at_stake(hers)
    edited = moved(weasels, words=spans_of(weasels.words))
    assert "the times that you edited by its own" in sessions.at_stake(edited)
    both = moved(hers, phones=[[0.1, 0.4]])
    assert "your TextGrid and the times that you edited" in sessions.at_stake(both)
    assert sessions.at_stake(sessions.undone(edited)) == ""


def test_the_words_of_a_textgrid_become_the_transcript_and_keep_their_times(weasels, hers):
    read = corrections.take_words(hers)
    assert (read.text, read.words, read.timing) == ("we ate", hers.words, "your TextGrid")
    assert read.key("m", "words") != hers.key("m", "words")
    take = [corrections.filling(session, "", True, "words")[-1].visible for session in (weasels, hers)]
    assert take == [False, True]
    assert len(corrections.filling(hers, "", True, "words")) == corrections.FILLED
    with pytest.raises(UserError, match="no tier of words"):
        corrections.take_words(weasels)
    with pytest.raises(UserError, match="no tier of words"):
        corrections.take_words(corrections.retake(hers, "", "phones"))
