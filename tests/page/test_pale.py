"""What is seen of the clip or the model before is pale, in a browser."""

import threading

import pytest
from conftest import PATIENCE
from playwright.sync_api import expect

from page import session as sessions
from page.runs.machine import MACHINE


@pytest.mark.browser
def test_a_picture_is_pale_from_the_choice_of_another_model_on(visit, monkeypatch):
    """While the new model is loaded and listens, what is still seen is of the one before."""
    page = visit("?technique=attention")
    told, area = page.locator("#status-attention"), page.locator("#view-attention .first-side .shown")
    expect(told).to_contain_text("whisper-tiny.en", timeout=PATIENCE)
    expect(page.locator("#stop-attention")).to_be_hidden(timeout=PATIENCE)
    expect(area).to_have_css("opacity", "1", timeout=PATIENCE)
    go_on = _slow_to_hear(monkeypatch)
    model = page.locator("#model input").first
    model.click()
    model.fill("hama-ctc")
    model.press("Enter")
    expect(area).to_have_css("opacity", "0.4", timeout=PATIENCE)
    go_on.set()
    expect(told).to_contain_text("hama-ctc", timeout=PATIENCE)
    assert not page.evaluate("document.documentElement.classList.contains('listening')")
    expect(area).to_have_css("opacity", "1", timeout=PATIENCE)


def _slow_to_hear(monkeypatch):
    """Listening waits until it may go on."""
    MACHINE.store.clear()  # else what another visitor has heard is there at once
    hearing, go_on = sessions._hearing, threading.Event()

    def slowly(*asked):
        go_on.wait(PATIENCE / 1000)
        return (yield from hearing(*asked))

    monkeypatch.setattr(sessions, "_hearing", slowly)
    return go_on
