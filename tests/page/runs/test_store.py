"""What is kept for everybody: within its bytes, and under a key that only the same question has."""

import asyncio
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from methods import attention, value_zeroing
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.models import random_twin
from methods.core.progress import Work
from page.runs.machine import MACHINE, Visitor
from page.runs.question import key_of, named
from page.runs.store import Store, size_of


@dataclass(frozen=True)
class Made:
    numbers: np.ndarray
    names: tuple[str, ...] = ()


def test_the_least_recently_asked_for_goes_when_there_are_too_many_bytes():
    store = Store(30_000)
    for name in "abc":
        store.put(name, np.zeros(1000))  # 8,000 bytes each
    assert store.find("a") is not None
    store.put("d", np.zeros(1000))
    assert [name for name in "abcd" if store.find(name) is not None] == ["a", "c", "d"]
    assert store.bytes <= store.limit
    store.put("a", np.zeros(10))  # a new value takes the place of the old one
    store.drop("c")
    store.drop("never there")
    assert len(store) == 2 and 8_000 < store.bytes < 10_000


def test_what_is_larger_than_all_the_room_is_there_until_the_next():
    store = Store(1000)
    store.put("small", "x")
    store.put("large", np.zeros(1000))
    assert store.find("large") is not None and store.find("small") is None
    store.put("next", "y")
    assert store.find("large") is None and store.bytes < 1000


def test_a_size_is_that_of_all_arrays_each_once():
    numbers = np.zeros((100, 100))  # 80,000 bytes
    made = Made(numbers, ("a", "b"))
    assert size_of([made, made, {"again": numbers}]) == pytest.approx(80_000, rel=0.02)
    assert size_of(numbers[:2]) == pytest.approx(80_000, rel=0.02)  # a view holds all of it
    assert size_of(pd.DataFrame({"a": np.zeros(1000)})) > 8_000
    looped = []
    looped.append(looped)
    assert size_of(looped) < 200


def test_the_same_question_has_the_same_key_and_any_other_another(clip, segments, tiny_model):
    def key(technique=value_zeroing, sound=clip, model=tiny_model, cut=segments, **options):
        return key_of(technique.analyse.in_steps(sound, model, segments=cut, **options))

    same = Clip(clip.samples.copy(), clip.name, clip.notes)
    assert key() == key(sound=same) == key(cut=list(segments), transcript=None)
    others = [
        key(technique=attention),
        key(sound=replace(clip, name="somebody's file name")),  # it is in the downloads
        key(sound=Clip(clip.samples * 0.5, clip.name, clip.notes)),
        key(model=random_twin(tiny_model, 0)),
        key(model=replace(tiny_model, id="another name")),
        key(cut=(*segments[:-1], Segment("d", 0.95, 1.29))),
        key(random_seeds=(0,)),
        key(transcript="ab"),
    ]
    assert len({hash(each) for each in (key(), *others)}) == len({key(), *others}) == len(others) + 1


def test_types_arrays_and_unknown_things_are_told_apart():
    assert named(1) != named(True) != named(1.0) != named("1")
    assert named(np.float64(0.5)) == named(0.5) and named([1, 2]) == named((1, 2))
    assert named(np.arange(3)) == named(np.arange(3)) != named(np.arange(3.0))
    assert named(Made(np.arange(3))) != named(Made(np.arange(4)))
    assert named(object()) != named(object()) and named({1}) != named({1})
    assert named({"a": [1]}) == named({"a": (1,)})


def test_a_second_model_is_known_by_its_weights_and_not_by_its_name_alone(tiny_model, monkeypatch):
    """Work names it, as a folder that may have been written anew since."""
    loads = [tiny_model, tiny_model, random_twin(tiny_model, 0)]
    monkeypatch.setattr(MACHINE.loads, "_load", lambda _name: loads.pop(0))
    asked = lambda: Visitor("a script").asked(lambda: Work("cka", {"other": "my_folder"}, iter(())))  # noqa: E731
    before, again, after = (asyncio.run(asked())[0] for _ in range(3))
    assert before == again != after
