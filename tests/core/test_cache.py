"""The cache: bounded, each value made once, and nobody waits for a value that he did not ask for."""

import threading

import pytest

from methods import decoder_lens
from methods.core.cache import BoundedCache
from methods.core.explain import answers
from methods.core.models import passes, transcribe

SOON = 10  # s; what must not wait takes milliseconds, and a test must not hang


def fetch(cache, key, made):
    return cache.fetch(key, made, lambda _: 4)


def test_cache_forgets_the_oldest_beyond_its_limit():
    cache, made = BoundedCache(10), []
    for name in ("a", "b", "a", "c", "b"):
        fetch(cache, name, lambda name=name: made.append(name) or name)
    assert made == ["a", "b", "c", "b"]  # c (third, 12 bytes in all) pushed b out, which had been used before a
    assert len(cache) == 2


def test_a_value_that_is_being_made_holds_up_only_those_who_want_it():
    cache, begun, release, made = BoundedCache(100), threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        assert release.wait(SOON)
        made.append("slow")
        return "slow"

    found = []
    askers = [threading.Thread(target=lambda: found.append(fetch(cache, "slow", slow))) for _ in range(3)]
    for asker in askers:
        asker.start()
    assert begun.wait(SOON)
    assert fetch(cache, "other", lambda: "other") == "other"  # would hang here if one lock were for all
    assert cache.peek("slow") is None and cache.peek("other") == "other"
    release.set()
    for asker in askers:
        asker.join(SOON)
    assert found == ["slow"] * 3 and made == ["slow"]


def test_after_a_failure_the_next_asker_tries_afresh():
    cache = BoundedCache(100)

    def broken():
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        fetch(cache, "a", broken)
    assert fetch(cache, "a", lambda: "there now") == "there now"


def test_whoever_makes_a_value_may_ask_for_another_and_for_his_own():
    cache = BoundedCache(100)
    nested = fetch(cache, "a", lambda: fetch(cache, "b", lambda: "b") + fetch(cache, "a", lambda: "inner"))
    assert nested == "binner"


def test_no_cache_is_asked_while_the_model_is_held(clip, tiny_model, segments, monkeypatch):
    """Who makes the value may be waiting for the model: both would wait for ever."""
    asked, fetched = [], BoundedCache.fetch

    def watched(self, *args):
        asked.append(tiny_model.lock._is_owned())
        return fetched(self, *args)

    monkeypatch.setattr(passes, "_passes", BoundedCache(passes.PASS_MEMORY))
    monkeypatch.setattr(answers, "_known", BoundedCache(2**20))
    monkeypatch.setattr(BoundedCache, "fetch", watched)
    transcribe(clip, tiny_model)
    decoder_lens.analyse(clip, tiny_model, segments=segments, transcript="ab cd", random_seeds=())
    scale, mean = "log-probability", lambda _, output: output.mean().numpy()
    panel = answers.Panel(clip, tiny_model, ("all",), (scale,), (1,), mean, window="clip")
    monkeypatch.setattr(answers.target_kinds, "answer", lambda *_: "said")
    panel.heard(clip.samples)
    assert len(asked) > 4 and not any(asked)
