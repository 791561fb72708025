"""The choice of threads: what is set is obeyed, and several threads must earn their place."""

import pytest
import torch
from threadpoolctl import threadpool_info

from methods.core.models import threads


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_setting_overrides_the_measurement(monkeypatch):
    monkeypatch.setenv("SPEECH_THREADS", "1")
    monkeypatch.setattr(threads, "_quickest", lambda _: pytest.fail("measured although it was set"))
    assert threads.choose_threads() == torch.get_num_threads() == 1


def test_the_same_number_is_numpys(monkeypatch):
    """Two processes with two threads each on two cores took 2.4 times as long as with one."""

    def of_numpy():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    monkeypatch.setattr(threads, "_measured_at", -float("inf"))
    for wanted in (2, 1):
        monkeypatch.setenv("SPEECH_THREADS", str(wanted))
        assert threads.choose_threads() == wanted and of_numpy() == {wanted}


def test_measured_again_only_when_stale(monkeypatch):
    monkeypatch.delenv("SPEECH_THREADS", raising=False)
    asked = []
    monkeypatch.setattr(threads, "_quickest", lambda cores: asked.append(cores) or 1)
    monkeypatch.setattr(threads, "_measured_at", -float("inf"))
    threads.choose_threads()
    threads.choose_threads()
    assert len(asked) == 1


@pytest.mark.parametrize(("slow", "expected"), [(2, 1), (1, 2)])
def test_several_threads_must_be_clearly_quicker(monkeypatch, slow, expected):
    """A clock that runs ten times faster while `slow` threads compute."""
    now = [0.0]

    def clock():
        now[0] += 10.0 if torch.get_num_threads() == slow else 1.0
        return now[0]

    monkeypatch.setattr(threads.time, "perf_counter", clock)
    assert threads._quickest(2) == expected
