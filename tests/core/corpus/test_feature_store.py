"""What is kept on the disk: of the bundled corpora only, bounded, and never believed when it is damaged."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from corpora import toy_corpus

from methods.core import corpus, models
from methods.core.cache import BoundedCache
from methods.core.corpus import feature_store, features
from methods.core.corpus.features import of_model
from methods.core.progress import finish


@pytest.fixture(scope="module")
def toy():
    return toy_corpus()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    """An empty memory and an empty disk for each test."""
    forget(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def ours(monkeypatch, toy):
    """The toy corpus as if it came with the app."""
    mine = replace(toy, name="prompts")
    monkeypatch.setattr(feature_store, "bundled", lambda name: mine)
    return mine


def kept() -> list:
    return sorted(feature_store.folder().glob("*")) if feature_store.folder().exists() else []


def forget(monkeypatch) -> None:
    monkeypatch.setattr(features, "_kept", BoundedCache(features.MEMORY))


def test_bundled_corpora_are_kept_and_read_again(ours, tiny_model, monkeypatch, tmp_path):
    first = finish(of_model(ours, tiny_model))
    (file,) = kept()
    assert file.suffix == ".npz" and file.is_relative_to(tmp_path)
    forget(monkeypatch)
    steps = []
    second = finish(of_model(ours, tiny_model), steps.append)
    assert steps == [] and second.names == first.names
    for a, b in zip(first.layers, second.layers, strict=True):
        np.testing.assert_array_equal(a, b)
        assert b.dtype == np.float32 and not b.flags.writeable
    finish(of_model(ours, tiny_model, window="full"))
    finish(of_model(ours, models.random_twin(tiny_model, 1)))
    assert len(kept()) == 3


def test_corpora_of_ours_that_were_joined_are_kept_each_on_its_own(toy, tiny_model, monkeypatch):
    mine = {
        "prompts": replace(toy, name="prompts"),
        "voices": replace(toy, name="voices", utterances=toy.utterances[:1]),
    }
    monkeypatch.setattr(feature_store, "bundled", mine.__getitem__)
    both = mine["prompts"].joined(mine["voices"])
    assert feature_store.parts(both) == tuple(mine.values())
    found, steps = finish(of_model(both, tiny_model)), []
    whole = finish(of_model(replace(both, name="a visitor's"), tiny_model))
    for a, b in zip(found.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.offsets, whole.offsets)
    assert len(kept()) == 2
    forget(monkeypatch)
    finish(of_model(mine["voices"], tiny_model), steps.append)
    assert steps == []  # read from the disk
    other = replace(both, utterances=both.utterances[1:])
    assert feature_store.parts(other) == () == feature_store.parts(replace(both, name="own + voices"))


def test_a_visitors_recordings_never_touch_the_disk(toy, ours, tiny_model):
    shorter = replace(ours, utterances=ours.utterances[:2])  # other sounds under the name of ours
    for corpus_ in (toy, shorter, ours.only(["bob"]), replace(toy, name="own")):
        assert not feature_store.may_keep(corpus_)
        finish(of_model(corpus_, tiny_model))
    assert kept() == []
    assert feature_store.may_keep(ours)


def test_the_real_bundled_corpora_may_be_kept_whatever_their_labels():
    prompts = corpus.bundled("prompts")
    assert feature_store.may_keep(prompts)
    assert feature_store.may_keep(
        replace(prompts, utterances=tuple(replace(u, phones=()) for u in prompts.utterances))
    )


def test_a_damaged_file_is_made_again(ours, tiny_model, monkeypatch):
    first = finish(of_model(ours, tiny_model))
    (file,) = kept()
    file.write_bytes(file.read_bytes()[:-50])
    forget(monkeypatch)
    again = finish(of_model(ours, tiny_model))
    np.testing.assert_array_equal(again.layers[1], first.layers[1])
    assert kept() == [file]


def test_no_damage_is_taken_for_states():
    layers = {"CNN": np.arange(12, dtype=np.float32).reshape(3, 4), "0": np.ones((3, 2), np.float32)}
    feature_store.save("x", layers)
    (file,) = kept()
    whole = file.read_bytes()
    flipped = [whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :] for place in range(0, len(whole), 5)]
    damaged = [b"", b"\x93NUMPY", whole[:100], whole[:-50], *flipped]
    lost = 0
    for content in damaged:
        file.write_bytes(content)
        found = feature_store.load("x")
        lost += found is None
        if found is not None:  # a byte that means nothing, such as the hour
            assert list(found) == list(layers)
            for name, layer in layers.items():
                np.testing.assert_array_equal(found[name], layer)
    assert len(damaged) > lost > len(damaged) / 2


def test_the_store_is_bounded_and_the_least_recently_used_go(monkeypatch):
    layers = {"0": np.zeros((100, 10), np.float32)}  # 4,000 bytes and some for names and headers
    monkeypatch.setattr(feature_store, "LIMIT", 10_000)
    for number in range(2):
        feature_store.save(number, layers)
        old = time.time() - 100 + number
        os.utime(feature_store.folder() / feature_store._name(number), (old, old))
    assert feature_store.load(0) is not None  # used just now, so that number 1 is the oldest
    feature_store.save(2, layers)
    assert [feature_store.load(number) is not None for number in range(3)] == [True, False, True]
    assert sum(path.stat().st_size for path in kept()) <= 10_000


def test_a_full_or_locked_disk_keeps_nothing_leaves_nothing_and_is_said_once(monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_store, "_said", False)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        feature_store.save("x", {"0": np.zeros(3, np.float32)})
    assert kept() == []
    assert feature_store.load("x") is None
    feature_store.folder().rmdir()
    feature_store.folder().write_text("a file where the folder should be", encoding="utf-8")
    feature_store.save("x", {"0": np.zeros(3, np.float32)})
    assert feature_store.load("x") is None
    assert [record.message[:32] for record in caplog.records] == ["Hidden states cannot be kept in "]


def test_what_a_killed_process_left_is_swept(monkeypatch):
    feature_store.folder().mkdir(parents=True)
    old, new = (feature_store.folder() / name for name in ("old.part", "new.part"))
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    feature_store.save("x", {"0": np.zeros(3, np.float32)})
    assert not old.exists() and new.exists()
    before = feature_store._name("x")
    monkeypatch.setattr(feature_store, "_versions", lambda: ("2.0", "5.0"))
    assert feature_store._name("x") != before  # another version of the libraries: other states
