"""Work in steps: reports, parts of larger work, and the time that a shared machine gives it."""

import time

import pytest

from methods.core.errors import OutOfTimeError
from methods.core.progress import Step, finish, time_limit


def work(steps):
    """So many steps of 10 ms."""
    for number in range(steps):
        time.sleep(0.01)
        yield Step((number + 1) / steps, "working")
    return "result"


def test_work_within_its_time_gives_its_result():
    with time_limit(60.0):
        assert finish(work(2)) == "result"


def test_work_that_takes_too_long_is_a_sentence():
    said = r"stopped after 0 s, \d+% done: the limit of this shared machine"
    with time_limit(0.02), pytest.raises(OutOfTimeError, match=said):
        finish(work(100))
    with time_limit(0.02), pytest.raises(OutOfTimeError, match="run the app on your own machine"):
        finish(work(100))
    assert finish(work(4)) == "result"  # the limit ends with its block
