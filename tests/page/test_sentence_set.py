"""Many sentences on the page: a set runs, stops, goes on, is drawn and downloaded; words of a zip stay words."""

import asyncio
import io
from dataclasses import replace

import numpy as np
import pytest

from methods.core.errors import OutOfTimeError, UserError
from methods.core.frames import Segment
from methods.core.models import load_model, random_twin
from methods.core.progress import finish
from methods.cue_contribution import number_probe, sentences
from methods.cue_contribution.sentence_set import SetResult
from methods.cue_contribution.sentences import CueSentence
from page.export import downloads
from page.runs.machine import MACHINE
from page.tabs import cue_contribution_set

WORDS = (Segment("ab", 0.0, 0.4), Segment("cd", 0.4, 0.8), Segment("ef", 0.8, 1.3))


@pytest.fixture(scope="module")
def examples(clip):
    one = CueSentence("<i>one</i>", lambda: clip, "ab cd ef", "ab", "cd", "g", "en", "<b>", "", WORDS)
    return one, replace(one, name="two", cue="cd", target="ef", group="h"), replace(one, name="no", target="<zz>")


@pytest.fixture(scope="module")
def result(examples, tiny_model):
    return finish(cue_contribution_set.set_steps(examples, tiny_model, "shares", "own", 1, {}))


def test_what_was_done_before_a_stop_is_not_done_again(examples, tiny_model, result):
    journal = {}
    steps = cue_contribution_set.set_steps(examples, tiny_model, "shares", "own", 1, journal)
    while not journal:  # a sentence takes several steps
        next(steps)
    steps.close()
    assert len(journal) == 1
    (record,) = journal.values()
    record["shares"]["encoder"][0][0] = 0.123  # if it were measured again, this would be gone
    again = finish(cue_contribution_set.set_steps(examples, tiny_model, "shares", "own", 1, journal))
    assert again.shares["encoder"][0, 0, 0] == 0.123
    np.testing.assert_array_equal(again.shares["cross"], result.shares["cross"])


def test_the_pictures_and_the_table(result):
    pictures = cue_contribution_set.drawn(result)
    assert len(pictures) == 4 and all("<svg" in picture for picture in pictures[:3])
    assert f"attention {result.mean('decoder')[0, 0]:.0%}" in pictures[1]
    assert "Left out, 1" in pictures[3] and "&lt;zz&gt;" in pictures[3] and "<zz>" not in pictures[3]
    line = cue_contribution_set.status(result, 0.5)
    assert "2 sentences of 2 groups" in line and "&lt;b&gt;" in line and "so far (50%)" in line


def test_downloads_say_where_they_come_from(result, examples, tiny_model):
    origin = result.provenance
    assert origin["corpus"] == "own" and origin["model"] == tiny_model.id and origin["options"]["random_seeds"] == [0]
    assert origin["corpus_sha256"].encode() in downloads.csv(result)
    other = finish(cue_contribution_set.set_steps(examples[:1], tiny_model, "shares", "own", 1, {}))
    assert other.provenance["corpus_sha256"] != origin["corpus_sha256"]
    with np.load(io.BytesIO(downloads.npz(result)), allow_pickle=False) as file:
        assert file["shares_cross"].shape == file["random_cross"].shape == (2, 3, 2)
        assert file["probabilities"].shape == (2, 4)
    picture = downloads.picture("svg", cue_contribution_set._figure(result), result)
    assert origin["corpus_sha256"].encode() in picture


def test_a_model_without_a_decoder_has_one_picture(examples):
    found = finish(cue_contribution_set.set_steps(examples, load_model("hama-ctc"), "shares", "own", 1, {}))
    pictures = cue_contribution_set.drawn(found)
    assert "<svg" in pictures[0] and pictures[1:3] == ("", "") and "<table" not in pictures[3]
    assert isinstance(found, SetResult) and list(found.shares) == ["encoder"]


def test_the_number_probe_is_drawn(examples, clip):
    probe = number_probe.NumberProbe(
        ("a", "b"), np.array([0.5, 0.9]), np.array([[0.4, 0.6], [0.8, 1.0]]), np.array([[0.5, 0.6]]), 0.55, 20,
        {"model": "m", "corpus": "own"},
    )  # fmt: skip
    pictures = cue_contribution_set.drawn(probe)
    assert "<svg" in pictures[0] and "50%, 90%" in pictures[0] and pictures[1:] == ("", "", "")
    assert "55% of the commoner" in cue_contribution_set.status(probe, 1.0)
    assert len(probe.table()) == 2
    assert cue_contribution_set._figure(probe).axes


def test_what_cannot_run_is_a_sentence(examples, tiny_model):
    with pytest.raises(UserError, match="upload one"):
        cue_contribution_set._examples("own", None)
    with pytest.raises(UserError, match="needs 10 singular and 10 plural"):
        finish(cue_contribution_set.set_steps(examples, tiny_model, "number", "own", 1, {}))
    french = tuple(replace(example, language="fr") for example in examples)
    english_only = replace(tiny_model, decoding=replace(tiny_model.decoding, languages={}))
    with pytest.raises(UserError, match="not in English"):
        cue_contribution_set.set_steps(french, english_only, "shares", "own", 1, {})
    assert [len(cue_contribution_set._examples(name, None)[0]) for name in sentences.BUNDLED] == [5, 16]
    pressed = type("Pressed", (), {"target": type("T", (), {"elem_id": "csv-set"})})()
    with pytest.raises(UserError, match="nothing to download"):
        asyncio.run(cue_contribution_set._save(pressed, None))


class Asking:
    """What Gradio hands over of a visitor's request."""

    session_hash = "a visitor"


async def run_set(model_id="openai/whisper-tiny.en"):
    told = []
    work = cue_contribution_set.work(
        model_id, Asking, "shares", "own", "1", None, progress=lambda *_, desc: told.append(desc)
    )
    return [shown async for shown in work], told


def test_a_set_is_shown_sentence_by_sentence_and_goes_on_from_what_was_measured(examples, tiny_model, monkeypatch):
    monkeypatch.setattr(MACHINE.loads, "_load", lambda _name: tiny_model)
    monkeypatch.setattr(cue_contribution_set, "_examples", lambda _chosen, _path: (examples, "a zip"))
    shown, told = asyncio.run(run_set())
    held, *pictures = shown[-1][:6]
    assert isinstance(held.found, SetResult) and "<svg" in pictures[0] and told[-1] == "done"
    assert len(MACHINE.store.find(cue_contribution_set.journal_of("a zip", tiny_model))) == 3  # one was refused


def test_on_the_public_space_a_set_ends_too(examples, tiny_model, monkeypatch):
    random = random_twin(tiny_model, 5)
    monkeypatch.setattr(MACHINE.turns, "_longest", lambda: 0.0)
    monkeypatch.setattr(MACHINE.loads, "_load", lambda _name: random)
    monkeypatch.setattr(cue_contribution_set, "_examples", lambda _chosen, _path: (examples, "a zip"))
    with pytest.raises(OutOfTimeError, match="the limit of this shared machine"):
        asyncio.run(run_set())
