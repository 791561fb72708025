"""What a visitor's own transcript, TextGrid or edited times do to the clip on screen."""

import asyncio
import wave
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from snapshot import save_whisper

from methods.core import alignment, models
from methods.core.alignment import AlignmentError, Segment
from methods.core.audio import clip_from_samples, to_wav
from methods.core.errors import UserError
from methods.core.models import load_model, whisper
from page import session as sessions
from page.export import api
from page.runs.machine import Visitor
from page.top import clip_area, corrections
from page.widgets.sound_plot import SoundPlot
from tiny import tiny_whisper

REQUEST = SimpleNamespace(session_hash="a visitor")  # what is read of Gradio's


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


def listened(session, model_id, gone=lambda: False):
    with gr.Blocks():
        plot = SoundPlot()
    seen = []

    async def listen():
        async for update in clip_area.listen(session, model_id, "words", plot, Visitor("a visitor", gone=gone)):
            seen.append(update)

    try:
        asyncio.run(listen())
    except Exception as problem:
        return seen, problem
    return seen, None


def test_a_loop_is_shown_as_text_and_called_a_loop(looping, monkeypatch):
    """What the model wrote is what it heard, even where its words have no times."""
    session, model = looping
    real = models.transcribe(session.clip, model)
    loop = replace(real, text="oh oh", tokens=(3, 4) * 112, token_texts=(" oh",) * 224, complete=False)
    monkeypatch.setattr(models, "transcribe", lambda *args, **kwargs: loop)

    def untimed(*args):
        raise AlignmentError("more words than frames")

    monkeypatch.setattr(alignment, "words_in_states", untimed)
    seen, problem = listened(session, model.id)
    line = seen[-1][2]
    assert problem is None
    assert "in a loop" in line and "limit of 224 tokens" in line and "more words" in line
    assert "oh oh" in seen[-1][3]
    assert seen[-1][0].words is None and seen[-1][4] == session.key(model.id, "words")


@pytest.mark.parametrize(
    ("failure", "said"), [(UserError("<b>Too loud."), "<b\\>Too loud."), (ValueError("x"), "on our side")]
)
def test_nobody_is_said_to_listen_once_listening_has_failed(looping, monkeypatch, failure, said):
    def fail(*args):
        raise failure

    monkeypatch.setattr(sessions, "hearing", fail)
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
    answer = asyncio.run(api.words(str(path), model.id, "", REQUEST))
    assert answer["text"] == " ".join("a" * 112)
    assert answer["complete"] is False and answer["words"] == []
    assert [word in note for word, note in zip(clauses, answer["notes"], strict=True)] == [True] * 4


TIERS = {
    "comment": (Segment("noisy", 0.0, 2.0),),
    "words": (Segment("weasels", 0.1, 0.9), Segment("have", 0.9, 1.2)),
    "glosses": (Segment("belettes", 0.1, 0.9), Segment("sil", 0.9, 1.2)),
    "sounds": (Segment("w", 0.1, 0.3), Segment("i", 0.3, 0.5)),
    "empty": (),
}


def test_another_tier_of_the_textgrid_can_be_taken_and_is_named(weasels):
    content = alignment.write_textgrid(TIERS, weasels.clip.seconds).encode()
    first = sessions.with_textgrid(weasels, content)
    assert (first.word_tier, first.phone_tier) == ("words", "") and "words from its tier “words”" in first.about
    menus = corrections.filling(first, "", True, "words")[2:4]
    assert [value for _, value in menus[0].choices] == ["", "comment", "words", "glosses", "sounds"]
    assert [menu.value for menu in menus] == ["words", ""] and all(menu.visible for menu in menus)
    other = corrections.retake(first, "glosses", "sounds")
    assert [word.label for word in other.words] == ["belettes"]  # silences are gaps in every tier
    assert other.phones == TIERS["sounds"]
    assert "words from its tier “glosses”" in other.about and "phones from its tier “sounds”" in other.about
    assert other.key("m", "words") != first.key("m", "words")
    bare = corrections.retake(other, "", "sounds")
    assert bare.words is None and "they are the model's" in bare.about
    with pytest.raises(UserError, match="not in the TextGrid of this clip"):
        corrections.retake(first, "no such", "")
    with pytest.raises(UserError, match="not in the TextGrid of this clip"):
        corrections.retake(weasels, "words", "")
    assert not any(menu.visible for menu in corrections.filling(weasels, "", True, "words")[2:4])


def test_readings_are_shown_where_there_are_numbers_and_can_be_changed(weasels):
    text = "Weasels ate $43,000 in 1984."
    shown = corrections.filling(weasels, text, True, "words")[1]
    assert shown.visible and shown.value == "$43,000 = forty three thousand dollars\n1984 = nineteen eighty four"
    assert not corrections.filling(weasels, text, False, "words")[1].visible  # another language has other rules
    assert not corrections.filling(weasels, "No numbers", True, "words")[1].visible
    own = corrections.read_aloud(shown.value.replace("forty three", "43") + "\n\n1 = one\n", text)
    assert own == {"$43,000": "43 thousand dollars"}  # what is assumed anyway is not kept, nor what is not in the text
    kept = corrections.filling(replace(weasels, readings=tuple(own.items())), text, True, "words")[1]
    assert kept.value.startswith("$43,000 = forty three thousand dollars\n")
    with pytest.raises(UserError, match=r"“\$5” does not say how a word is read"):
        corrections.read_aloud("$5", text)


def test_phones_follow_the_reading_that_the_visitor_gave():
    """The bundled “weasels” with one word written as a number and read as the word that is said."""
    clip = sessions.from_example("en_f_weasels")
    plain = asyncio.run(
        clip_area.align(clip, "Weasels have eaten our phone system", "openai/whisper-tiny.en", "", REQUEST)
    )
    text = "Weasels have 8n our phone system"
    read = asyncio.run(clip_area.align(clip, text, "openai/whisper-tiny.en", "8n = eaten", REQUEST))
    assert read.phones == plain.phones and read.words[2].label == "8n"
    assert read.readings == (("8n", "eaten"),) and "“8n” was read as “eaten”" in read.timing


def test_a_clip_that_is_too_long_is_told_of_the_scissors(tmp_path):
    path = tmp_path / "long.wav"
    frames = np.random.default_rng(0).integers(-3000, 3000, 34 * 16_000, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, len(frames), "NONE", ""))
        file.writeframes(frames.tobytes())
    with pytest.raises(UserError, match=r"too long, 34.00 s.*The scissors under the player cut it here\."):
        clip_area.open_own(str(path))


def test_the_scissors_event_opens_what_is_left_and_nothing_can_be_shared():
    """Gradio's browser side sends “edit” when a sound was trimmed; to it the recorder is an Audio like any other."""
    with gr.Blocks() as page:
        area = clip_area.clip_strip(clip_area.clip_choices(), clip_area.corrections_area())
        clip_area.connect(area)
    opened = [fn for fn in page.fns.values() if getattr(fn.fn, "__wrapped__", None) is clip_area.open_own]
    assert {(area.own._id, event) for event in ("upload", "stop_recording", "edit")} == set(opened[0].targets)
    config = area.own.get_config()
    assert config["name"] == "recorder" and config["buttons"] == ["download"] and area.own.get_block_name() == "audio"
    plain = gr.Audio(sources=["upload", "microphone"], type="filepath", label="Your recording", elem_id="own")
    assert config.keys() == plain.get_config().keys()


def test_what_is_found_out_about_an_older_clip_does_not_overwrite_a_newer_one(looping):
    """Another clip that comes just before the end: nothing but the plot was shown, and no session is written."""
    session, model = looping
    answers = iter([False, False, True])
    seen, problem = listened(session, model.id, gone=lambda: next(answers, True))
    assert problem is None and len(seen) == 1 and seen[0][0] == gr.skip()
