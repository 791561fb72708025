"""What a visitor's own transcript, TextGrid or edited times do to the clip on screen."""

from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from snapshot import save_whisper

from methods.core import alignment, models
from methods.core.alignment import AlignmentError
from methods.core.audio import clip_from_samples, to_wav
from methods.core.errors import UserError
from methods.core.models import load_model, whisper
from page import session as sessions
from page.export import api
from page.top import clip_area
from page.widgets.sound_plot import SoundPlot
from tiny import tiny_whisper


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


@pytest.fixture(scope="module")
def looping(tmp_path_factory):
    """A tiny random model, whose text is a loop, and 0.3 s of sound: 15 frames."""
    folder = save_whisper(tiny_whisper(seed=1), tmp_path_factory.mktemp("looping"))
    sound = 0.1 * np.random.default_rng(0).standard_normal(4800)
    return sessions.Session(clip_from_samples(sound, 16_000, "short"), None), load_model(str(folder))


def listened(session, model_id):
    with gr.Blocks():
        plot = SoundPlot()
    seen = []
    try:
        for update in clip_area.listen(session, model_id, "words", plot):
            seen.append(update)
    except Exception as problem:
        return seen, problem
    return seen, None


def test_a_loop_is_shown_as_text_and_called_a_loop(looping, monkeypatch):
    """What the model wrote is what it heard, even where its words have no times."""
    session, model = looping
    real = models.transcribe(session.clip, model)
    loop = replace(real, text="oh oh", tokens=(3, 4) * 112, token_texts=(" oh",) * 224, complete=False)
    monkeypatch.setattr(models, "transcribe", lambda *args, **kwargs: loop)
    monkeypatch.setattr(models, "decoder_states", lambda *args: None)

    def untimed(*args):
        raise AlignmentError("more words than frames")

    monkeypatch.setattr(alignment, "words_of_pass", untimed)
    seen, problem = listened(session, model.id)
    line = seen[-1][2]
    assert problem is None
    assert "**oh oh**" in line and "in a loop" in line and "limit of 224 tokens" in line and "more words" in line
    assert seen[-1][0].words is None and seen[-1][5] == session.key(model.id, "words")


@pytest.mark.parametrize(
    ("failure", "said"), [(UserError("<b>Too loud."), "<b\\>Too loud."), (ValueError("x"), "on our side")]
)
def test_nobody_is_said_to_listen_once_listening_has_failed(looping, monkeypatch, failure, said):
    def fail(*args):
        raise failure

    monkeypatch.setattr(sessions, "heard", fail)
    seen, problem = listened(looping[0], looping[1].id)
    assert problem is failure
    assert "listening" in seen[0][2] and "listening" not in seen[-1][2] and said in seen[-1][2].replace("\\<", "<")


def test_a_program_gets_the_text_of_a_loop_with_what_is_wrong_with_it(looping, tmp_path, monkeypatch):
    session, model = looping
    path = tmp_path / "short.wav"
    path.write_bytes(to_wav(session.clip))

    def three_letters(model, output, prompt):  # " a a a …": more words than frames
        letter = model.tokenizer.get_vocab()
        return (letter["Ġ"], letter["a"]) * 112, False

    monkeypatch.setattr(whisper, "greedy_ids", three_letters)
    clauses = "loop", "224", "frames", "alignment heads"
    answer = api.words(str(path), model.id, "")
    assert answer["text"] == " ".join("a" * 112)
    assert answer["complete"] is False and answer["words"] == []
    assert [word in note for word, note in zip(clauses, answer["notes"], strict=True)] == [True] * 4
