"""A visitor's own sound, tiers and readings in a browser: what was done to them is what is heard and shown."""

import re
import threading
import wave
from pathlib import Path

import pytest
from playwright.sync_api import expect

from methods.core.alignment import Segment, write_textgrid
from page import session as sessions
from page.examples import EXAMPLES
from page.runs.machine import MACHINE

pytestmark = pytest.mark.browser

WEASELS = Path(__file__).parents[2] / "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
PATIENCE = 60_000  # ms; a loaded machine may take that long, an idle one takes a second


def test_what_the_scissors_leave_of_a_long_recording_is_heard(visit, tmp_path):
    """34 s are too long; Gradio's own trimming, from a quarter of the sound to less than all of it, makes it fit."""
    path = tmp_path / "long.wav"
    with wave.open(str(WEASELS)) as file:
        rate, frames = file.getframerate(), file.readframes(file.getnframes())
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((frames * 20)[: 34 * rate * 2])
    page = visit()
    page.get_by_role("button", name="Or use your own").click()
    page.locator("#own input[type=file]").set_input_files(path)
    page.get_by_text("The scissors under the player cut it here").wait_for(timeout=PATIENCE)
    expect(page.locator("#own #duration")).to_have_text("0:34", timeout=PATIENCE)  # its sound is read
    page.locator("#own").get_by_label("Trim audio to selection").click()
    page.locator("#own").get_by_role("button", name="Trim").last.click()
    expect(page.locator("#why")).to_contain_text("Your own recording", timeout=PATIENCE)
    expect(page.locator("#heard")).to_contain_text("phone system. ", timeout=PATIENCE)
    expect(page.locator("#clip-plot")).not_to_contain_text("/ 2.95 s", timeout=PATIENCE)  # the clip before it
    seconds = float(re.search(r"/ ([\d.]+) s", page.locator("#clip-plot").inner_text())[1])
    assert 5 < seconds < 30


def test_another_tier_is_chosen_and_a_reading_is_shown(visit, tmp_path):
    tiers = {"comment": (Segment("noisy", 0.0, 2.0),), "words": (Segment("weasels", 0.1, 0.9),)}
    path = tmp_path / "own.TextGrid"
    path.write_text(write_textgrid(tiers, 2.95), encoding="utf-8")
    page = visit()
    page.get_by_role("button", name="Correct the transcript").click()
    expect(page.locator("#word-tier")).to_be_hidden()
    with page.expect_file_chooser() as chooser:
        page.locator("#textgrid").click()
    chooser.value.set_files(path)
    expect(page.locator("#heard")).to_contain_text("words from its tier “words”", timeout=PATIENCE)
    page.locator("#word-tier input").click()
    page.get_by_role("option", name="comment").click()
    expect(page.locator("#heard")).to_contain_text("words from its tier “comment”", timeout=PATIENCE)
    expect(page.locator("#clip-plot .sp-word").first).to_contain_text("noisy", timeout=PATIENCE)
    page.locator("#text textarea").fill("Weasels have 8 our phone system")
    page.locator("#align").click()
    page.locator("#align-now").click()  # "Replace them": see test_phonetician.py
    expect(page.locator("#readings textarea")).to_have_value("8 = eight", timeout=PATIENCE)
    page.locator("#readings textarea").fill("8 = eaten")
    page.locator("#align").click()
    expect(page.locator("#heard")).to_contain_text("“8” was read as “eaten”", timeout=PATIENCE)
    expect(page.locator("#word-tier")).to_be_hidden()


def test_a_textgrid_and_another_tier_give_dragged_boundaries_back(visit, tmp_path):
    tiers = {"comment": (Segment("noisy", 0.0, 2.0),), "words": (Segment("weasels", 0.1, 0.9),)}
    path = tmp_path / "own.TextGrid"
    path.write_text(write_textgrid(tiers, 2.95), encoding="utf-8")
    page = visit("?from=0.4&to=1.4")
    page.get_by_role("button", name="Edit boundaries").click()
    boundary = page.get_by_role("slider", name="words: boundary between weasels and have")
    boundary.focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#heard-line")).to_contain_text("edited by you", timeout=PATIENCE)
    mine = boundary.get_attribute("aria-valuenow")
    page.get_by_role("button", name="Correct the transcript").click()
    with page.expect_file_chooser() as chooser:
        page.locator("#textgrid").click()
    chooser.value.set_files(path)
    expect(page.locator("#heard")).to_contain_text("words from its tier “words”", timeout=PATIENCE)
    expect(page.locator(".toast-body")).to_contain_text("“Undo” above the clip brings them back", timeout=PATIENCE)
    page.locator("#word-tier input").click()
    page.get_by_role("option", name="comment").click()
    expect(page.locator("#heard")).to_contain_text("words from its tier “comment”", timeout=PATIENCE)
    undo = page.locator("#clip-plot").get_by_role("button", name="Undo", exact=True)
    undo.click()
    expect(page.locator("#heard")).to_contain_text("words from its tier “words”", timeout=PATIENCE)
    expect(page.locator("#word-tier input")).to_have_value("words", timeout=PATIENCE)
    undo.click()
    expect(page.locator("#heard-line")).to_contain_text("edited by you", timeout=PATIENCE)
    expect(boundary).to_have_attribute("aria-valuenow", mine, timeout=PATIENCE)
    expect(page.locator("#word-tier")).to_be_hidden(timeout=PATIENCE)
    undo.click()
    expect(page.locator("#heard-line")).to_contain_text("aligned beforehand", timeout=PATIENCE)


def test_what_a_visitor_writes_while_the_model_listens_is_not_overwritten(visit, monkeypatch):
    page = visit()
    page.get_by_role("button", name="Correct the transcript").click()
    begun, go_on = _slow_to_hear_the_question(monkeypatch)
    _choose(page, "Which folder? (question)")
    assert begun.wait(PATIENCE / 1000)
    page.locator("#text textarea").fill("Which older")
    go_on.set()
    expect(page.locator("#heard")).to_contain_text("Which folder", timeout=PATIENCE)
    page.wait_for_timeout(500)  # what fills the box comes right after
    expect(page.locator("#text textarea")).to_have_value("Which older")
    _choose(page, "Message saved (statement)")  # of another clip it would be wrong
    expect(page.locator("#text textarea")).to_have_value("Your message has been saved.", timeout=PATIENCE)


def test_a_clip_chosen_while_another_is_listened_to_is_the_one_that_stays(visit, monkeypatch):
    """The older listening ends last, with what it found out: it must not bring its own clip back."""
    page = visit()
    begun, go_on = _slow_to_hear_the_question(monkeypatch)
    _choose(page, "Which folder? (question)")
    assert begun.wait(PATIENCE / 1000)
    _choose(page, "Message saved (statement)")
    expect(page.locator("#why")).to_contain_text(EXAMPLES["en_f_statement"].why[:20], timeout=PATIENCE)
    go_on.set()
    expect(page.locator("#heard")).to_contain_text("Your message has been saved", timeout=PATIENCE)
    expect(page.locator("#clip-plot .sp-word", has_text="saved")).to_be_visible(timeout=PATIENCE)


def _slow_to_hear_the_question(monkeypatch):
    """Listening to that clip says when it has begun, and waits until it may go on."""
    MACHINE.store.clear()  # else what another visitor has heard is there at once
    hearing, begun, go_on = sessions._hearing, threading.Event(), threading.Event()

    def slowly(session, *models):
        if session.example == "en_f_question":
            begun.set()
            go_on.wait(PATIENCE / 1000)
        return (yield from hearing(session, *models))

    monkeypatch.setattr(sessions, "_hearing", slowly)
    return begun, go_on


def _choose(page, title):
    page.locator("#example input").click()
    page.get_by_role("option", name=title).click()
