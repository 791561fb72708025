"""What a visitor's own transcript, TextGrid or edited times do to the clip on screen."""

import numpy as np
import pytest

from methods.core.errors import UserError
from page import session as sessions


@pytest.fixture(scope="module")
def weasels():
    return sessions.from_example("en_f_weasels")


def test_edited_times_replace_the_words_and_change_the_key(weasels):
    rows = [["sistem", 2.1, 2.92], ["weasels", "0.1", 0.9], ["", None, None]]
    edited = sessions.with_times(weasels, "words", rows)
    assert [(word.label, word.start) for word in edited.words] == [("weasels", 0.1), ("sistem", 2.1)]
    assert edited.phones == weasels.phones
    assert edited.timing == "edited by you"
    assert edited.key("m", "words") != weasels.key("m", "words")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([["a", "soon", 1.0]], "not a number"),
        ([["a", 0.5, 0.5]], "no stretch of time"),
        ([["a", 0.5, 99.0]], "within the clip"),
        ([], "at least one row"),
    ],
)
def test_impossible_times_are_sentences(weasels, rows, sentence):
    with pytest.raises(UserError, match=sentence):
        sessions.with_times(weasels, "words", rows)


def test_textgrid_goes_out_and_comes_back(weasels):
    back = sessions.with_textgrid(weasels, sessions.textgrid(weasels).encode())
    for tier in ("words", "phones"):
        before, after = getattr(weasels, tier), getattr(back, tier)
        assert [segment.label for segment in before] == [segment.label for segment in after]
        np.testing.assert_allclose([s.start for s in before], [s.start for s in after], atol=1e-6)


def test_phones_that_are_not_there_are_a_sentence():
    with pytest.raises(UserError, match="no phones yet"):
        sessions.from_example("fr_f_composez").segments("phones")
