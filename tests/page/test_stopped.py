"""What Stop leaves behind: a picture that says it is not complete, or a sentence."""

import pytest

from page.run_events import View, _stopped
from page.runs.machine import Held
from page.tabs.cue_contribution_set import STOPPED
from page.tabs.cue_contribution_set import _stopped as set_stopped


@pytest.mark.parametrize(
    ("held", "said"),
    [(None, "“Run” begins again."), (Held("key"), "“Run” begins again. What is still seen here, and in the files")],
)
def test_a_run_that_was_stopped_before_its_first_picture_ends_in_a_sentence(held, said):
    _, told = _stopped(View(answered=False), held)
    assert told.startswith("Stopped before there was anything to see") and said in told


def test_a_picture_that_is_there_keeps_its_own_words():
    _, told = _stopped(View(), Held("key"))
    assert told == {"__type__": "update"}


def test_a_set_that_was_stopped_says_how_to_go_on_once():
    assert set_stopped("")[1] == STOPPED
    once = set_stopped("tiny.en · 3 sentences")[1]
    assert once == f"tiny.en · 3 sentences · {STOPPED}" == set_stopped(once)[1]
