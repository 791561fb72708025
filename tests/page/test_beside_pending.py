"""While the second side's answer is on its way, what stands there is of an older question: pale, and in no file."""

import asyncio
import threading
import time

import pandas as pd
import pytest
from playwright.sync_api import expect

from page import run_events
from page.beside.events import Pairing
from page.beside.side import WAITS

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # ms


def test_what_stands_beside_an_older_clip_is_pale_and_in_no_file(visit, monkeypatch):
    page = visit("?technique=attention&clip=en_f_weasels&beside=clip:en_f_question")
    expect(page.locator("#beside-told-attention")).to_contain_text("Beside it en_f_question", timeout=PATIENCE)
    expect(page.locator("#view-attention .pale")).to_have_count(0, timeout=PATIENCE)
    _hold_in_the_end(page, {"en_f_weasels", "en_f_question"})
    expect(page.locator("#stop-attention")).to_be_hidden(timeout=PATIENCE)  # nothing of it is left to be cancelled
    go_on = _held_back(monkeypatch)
    page.locator("#example input").click()
    page.get_by_role("option", name="Message saved (statement)").click()
    expect(page.locator("#plot-attention .sp-word", has_text="saved").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#view-attention :is(.beside, .minus).pale")).to_have_count(2)
    assert _clips_in_the_file(page) == {"en_f_statement"}
    go_on.set()
    expect(page.locator("#view-attention .pale")).to_have_count(0, timeout=PATIENCE)
    _hold_in_the_end(page, {"en_f_statement", "en_f_question"})


def test_a_side_whose_left_one_is_computed_says_that_it_waits(visit, monkeypatch):
    page = visit("?technique=attention&clip=en_f_weasels&beside=clip:en_f_question")
    told = page.locator("#beside-told-attention")
    expect(told).to_contain_text("Beside it", timeout=PATIENCE)
    expect(page.locator("#stop-attention")).to_be_hidden(timeout=PATIENCE)
    go_on = _held_back(monkeypatch, run_events, "_seen")
    page.locator("#example input").click()
    page.get_by_role("option", name="Message saved (statement)").click()
    expect(told).to_have_text(WAITS, timeout=PATIENCE)
    assert not told.evaluate("""e => {
        for (let n = e; n; n = n.parentElement) if (getComputedStyle(n).opacity < 1) return true;
        return false; }""")  # what is said can be read
    expect(page.locator("#plot-attention-beside")).to_have_css("opacity", "0.4", timeout=PATIENCE)
    page.locator("#example input").click()  # once more: the run is stopped, which ends in a failure of both sides
    page.get_by_role("option", name="Weasels (statement)").click()
    page.wait_for_timeout(1500)
    expect(told).to_have_text(WAITS)
    go_on.set()
    expect(told).to_contain_text("Beside it", timeout=PATIENCE)
    expect(page.locator("#view-attention .pale")).to_have_count(0, timeout=PATIENCE)


def _clips_in_the_file(page):
    with page.expect_download() as saved:
        page.locator("#csv-attention").click()
    return set(pd.read_csv(saved.value.path())["clip"])


def _hold_in_the_end(page, clips):
    """The first side may get its controls yet, and the second one is of an older question once more until then."""
    deadline = time.monotonic() + PATIENCE / 1000
    while (found := _clips_in_the_file(page)) != clips:
        assert time.monotonic() < deadline, found
        page.wait_for_timeout(200)


def _held_back(monkeypatch, home=Pairing, name="_pair"):
    """A side is not drawn (the second one, or what is named) until the event that is returned is set."""
    go_on, drawn = threading.Event(), getattr(home, name)

    async def later(*asked):
        await asyncio.to_thread(go_on.wait, PATIENCE / 1000)
        return await drawn(*asked)

    monkeypatch.setattr(home, name, later)
    return go_on
