"""Which recordings the page works on, and what it says about a visitor's own."""

import shutil
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from corpora import PHONES, WORDS, record, toy_corpus, zipped

from methods.core import corpus as corpora
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from page.runs.machine import MACHINE
from page.runs.store import size_of
from page.session import Session
from page.top import corpus_area


@pytest.fixture
def session():
    return Session(Clip(np.full(16_000, 0.1), "mine"), None)


def test_the_menu_offers_every_bundled_corpus_the_clip_and_ones_own():
    control = corpus_area.corpus_control()
    assert isinstance(control, gr.Dropdown) and control.value == "prompts"
    values = [value for _, value in control.choices]
    assert values == [*corpora.CORPORA, "clip", "own"]
    assert all(any(what in label for label, _ in control.choices) for what in corpora.CORPORA.values())


def test_each_value_means_its_corpus(session):
    assert corpus_area.chosen(session, "voices") is corpora.bundled("voices")
    toy = toy_corpus()
    assert corpus_area.chosen(replace(session, corpus=toy), "own") is toy
    labelled = replace(
        session, words=(Segment("Hi", 0.1, 0.5),), phones=(Segment("HH", 0.1, 0.2), Segment("AY1", 0.2, 0.5))
    )
    alone = corpus_area.chosen(labelled, "clip")
    assert (alone.name, alone.seconds, alone.speakers) == ("mine", 1.0, ("speaker",))
    assert [word.label for word in alone.utterances[0].words] == ["Hi"]
    assert [phone.label for phone in alone.utterances[0].phones] == ["hh", "ay"]
    assert corpus_area.chosen(session, "clip").utterances[0].words == ()  # nobody has listened yet


def test_what_is_not_there_is_a_sentence(session):
    with pytest.raises(UserError, match=r"not given a corpus of your own yet; open “Your own corpus”"):
        corpus_area.chosen(session, "own")
    with pytest.raises(UserError, match="no bundled corpus “everything”"):
        corpus_area.chosen(session, "everything")


def test_a_summary_counts_what_was_found(tmp_path):
    record(tmp_path / "own/ann/one.wav", {"words": WORDS, "phones": PHONES, "tone": (("H*", 0.1, 0.5),)})
    record(tmp_path / "own/bob/two.wav", hertz=500, seconds=2.5)
    told = corpus_area.summary(corpora.read_zip(zipped(tmp_path / "own", tmp_path / "own.zip")))
    assert told == (
        "**2 recordings**, 4 s · 2 speakers: ann, bob · 2 words, 4 phones of 4 kinds · further tiers: tone · "
        "without labels: two"
    )


def test_a_summary_of_many_stays_short():
    (one, two, _) = toy_corpus().utterances
    many = replace(
        toy_corpus(),
        utterances=tuple(
            replace(one if i % 2 else two, speaker=f"speaker {i}", tiers={f"tier {i}": ()}) for i in range(30)
        ),
    )
    told = corpus_area.summary(many)
    assert "30 speakers: speaker 0, speaker 1, speaker 2, speaker 3, speaker 4, speaker 5, …" in told
    assert told.count("tier ") == 8 and told.endswith(", …")


def test_the_help_names_the_limits_and_columns_that_the_reader_has():
    for name in ("`segments.csv`", "`index.csv`", "`words`", "`phones`", "`file`", "`tier`", "`start`", "`speaker`"):
        assert name in corpus_area.HOW
    assert f"{corpora.MOST_SECONDS / 60:.0f} minutes" in corpus_area.HOW
    assert "400 files" in corpus_area.HOW


def read_by_the_page(path):
    """What the upload's own handler answers."""
    with gr.Blocks() as page:
        area = corpus_area.corpus_area()
        corpus_area.connect(area)
    (handler,) = [block.fn for block in page.fns.values()]
    return handler(path)


def test_the_upload_is_read_and_forgotten_and_a_bad_one_is_a_toast(tmp_path):
    record(tmp_path / "own/one.wav", {"words": WORDS})
    own, told = read_by_the_page(str(zipped(tmp_path / "own", tmp_path / "own.zip")))
    assert (len(own.read().utterances), own.read().name) == (1, "own")
    assert told.startswith("**1 recording**")
    assert read_by_the_page(None) == (None, "")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(gr.Error, match="not a zip file"):
        read_by_the_page(str(tmp_path / "bad.zip"))


def test_one_zip_is_held_once_made_again_after_it_had_to_make_room_and_a_session_holds_a_name(tmp_path, session):
    record(tmp_path / "own/one.wav", {"words": WORDS})
    zip_file = zipped(tmp_path / "own", tmp_path / "own.zip")
    copy = shutil.copy(zip_file, tmp_path / "of another visitor.zip")
    first, second = (read_by_the_page(str(path))[0] for path in (zip_file, copy))
    assert first.read() is second.read() and size_of(first) < 2000
    assert corpus_area.with_corpus(session, first).corpus is second.read()
    MACHINE.store.drop(("corpus", first.sha256))
    assert first.read().sha256 == second.read().sha256
    MACHINE.store.drop(("corpus", first.sha256))
    zip_file.unlink()
    with pytest.raises(UserError, match="upload its zip again"):
        first.read()
