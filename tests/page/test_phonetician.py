"""A phonetician at the page: a part of the clip, its spectrogram, a selection, and boundaries moved by hand."""

import asyncio
import re
import threading

import numpy as np
import pytest
from playwright.sync_api import expect

from methods.core.alignment import Segment, write_textgrid
from methods.core.errors import UserError
from methods.core.speech import praat
from page import session as sessions
from page.examples import EXAMPLES
from page.top import clip_area

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # ms
CLIP = EXAMPLES["en_f_weasels"]
PLOT = "#clip-plot"


def drag(page, box, start, end):
    """From one place of a box to another, in px from its left edge."""
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + end, y, steps=5)
    page.mouse.up()


def titles(page, plot=PLOT):
    return page.locator(f"{plot} .sp-word").evaluate_all("words => words.map((word) => word.title)")


def seen_width(page):
    """How wide the stretch of time is on the screen, px."""
    return page.locator(f"{PLOT} .sp-scroll").evaluate(
        "plot => plot.clientWidth - plot.querySelector('.sp-gutter').offsetWidth"
    )


def at(boundary):
    """Where a boundary is, in seconds."""
    return float(boundary.get_attribute("aria-valuenow"))


def number(pattern, text):
    return float(re.search(pattern, text)[1])


def test_a_link_shows_its_part_in_every_row_and_the_settings_change_the_picture(visit):
    page = visit("?from=1&to=1.5")
    words = page.locator(f"{PLOT} .sp-words .sp-box").first
    eaten, _ = CLIP.tiers()["words"][2:4]
    expect(words.locator(".sp-word", has_text="eaten")).to_be_visible(timeout=PATIENCE)
    wide = words.locator(".sp-word", has_text="eaten").bounding_box()["width"]
    assert wide == pytest.approx(seen_width(page) * (eaten.end - eaten.start) / 0.5, abs=2)
    before = page.locator(f"{PLOT} .sp-image canvas").evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="Spectrogram settings").click()
    page.get_by_label("5 ms", exact=True).check()
    page.get_by_label("0–5 kHz").check()
    for curve in ("F0", "formants", "intensity"):
        page.get_by_label(curve, exact=True).check()
    expect(page.locator(f"{PLOT} .sp-key")).to_contain_text("intensity, 50 to 100 dB", timeout=PATIENCE)
    expect(page.locator(f"{PLOT} .sp-key")).to_contain_text("F0, 75 to 500 Hz")
    assert page.locator(f"{PLOT} .sp-image canvas").evaluate("canvas => canvas.toDataURL()") != before
    picture = page.locator(f"{PLOT} .sp-tall.sp-image .sp-box")
    area = picture.bounding_box()
    # The picture is as wide as the whole clip at this zoom: 1.3 s, a quarter of the way down.
    page.mouse.move(area["x"] + area["width"] * 1.3 / CLIP.clip().seconds, area["y"] + area["height"] / 4)
    _reads_what_praat_measures(page.locator(f"{PLOT} .sp-tip").inner_text())
    expect(page).to_have_url(re.compile("from=1&to=1.5&spectrogram=5ms%2C5kHz%2CF0%2Cformants%2Cintensity"))
    _opens_as_it_was(visit, page.url, page.locator(f"{PLOT} .sp-image canvas").get_attribute("aria-label"))
    page.locator(PLOT).get_by_label("Show all of the clip").click()
    expect(page).not_to_have_url(re.compile("from="))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def _opens_as_it_was(visit, url, drawn):
    """Whoever opens the link sees the spectrogram as it was set, and the settings say so."""
    page = visit(url[url.index("?") :])
    expect(page.locator(f"{PLOT} .sp-key")).to_contain_text("F0, 75 to 500 Hz", timeout=PATIENCE)
    assert page.locator(f"{PLOT} .sp-image canvas").get_attribute("aria-label") == drawn
    page.get_by_role("button", name="Spectrogram settings").click()
    for setting in ("5 ms", "0–5 kHz", "F0", "formants", "intensity"):
        expect(page.get_by_label(setting, exact=True)).to_be_checked()
    expect(page.get_by_label("Pre-emphasis")).not_to_be_checked()


def _reads_what_praat_measures(told):
    time = number(r"(\d\.\d{3})\s*s", told)
    assert time == pytest.approx(1.3, abs=0.002)
    assert number(r"(\d+) Hz", told) == pytest.approx(3750, abs=40)  # a pixel of 140 is 36 Hz
    nearest = np.array([round(time / 0.005) * 0.005])  # values stand every 5 ms, with four digits
    assert number(r"F0\s+([\d.]+) Hz", told) == pytest.approx(praat.f0(CLIP.clip(), nearest)[0], abs=0.1)
    assert number(r"F2\s+(\d+) Hz", told) == pytest.approx(praat.formants(CLIP.clip(), nearest)[0, 1], abs=1)


def test_a_selection_is_told_looped_and_slowed_down(visit):
    page = visit()
    area = page.locator(f"{PLOT} .sp-image .sp-box").bounding_box()
    told = page.locator(f"{PLOT} output")
    expect(told).to_contain_text("No selection")
    drag(page, area, area["width"] / 4, area["width"] / 4 + 30)
    begin, end, length = (float(each) for each in re.findall(r"\d\.\d{3}", told.inner_text()))
    seconds = CLIP.clip().seconds
    assert begin == pytest.approx(seconds / 4, abs=0.004) and length == pytest.approx(
        seconds * 30 / area["width"], abs=0.004
    )
    assert end - begin == pytest.approx(length, abs=0.0011)  # three numbers, each rounded
    page.evaluate("""() => { window.jumps = 0; let last = 0;
        const look = () => {
            const t = speechPlayer.audio.currentTime;
            jumps += t < last - 0.03;
            last = t;
            requestAnimationFrame(look);
        };
        look(); }""")
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Half speed").click()
    page.get_by_role("button", name="Play selection").click()
    page.wait_for_function("jumps >= 2", timeout=20_000)
    assert page.evaluate("[speechPlayer.audio.playbackRate, speechPlayer.audio.preservesPitch]") == [0.5, True]
    assert begin - 0.06 < page.evaluate("speechPlayer.audio.currentTime") < end + 0.2  # a busy machine drops frames
    page.locator(f"{PLOT} .sp-scroll").focus()
    page.keyboard.press("l")
    page.wait_for_function("speechPlayer.audio.paused", timeout=20_000)
    page.keyboard.press("h")
    assert page.evaluate("speechPlayer.audio.playbackRate") == 1
    page.keyboard.press("Shift+ArrowRight")  # a hundredth of what is seen
    assert page.evaluate("speechPlayer.region[1]") == pytest.approx(end + seconds / 100, abs=0.001)
    _grows_towards_the_left(page, seconds)
    for name in ("Loop", "Half speed", "Play selection", "Edit boundaries", "Undo"):
        assert page.get_by_role("button", name=name, exact=True).bounding_box()["height"] >= 24


def _grows_towards_the_left(page, seconds):
    """By keys alone, also beyond what is seen."""
    page.evaluate("speechPlayer.clearRegion(); speechPlayer.audio.currentTime = 1")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
    assert page.evaluate("speechPlayer.region") == pytest.approx([1 - 3 * seconds / 100, 1], abs=0.001)
    page.keyboard.press("z")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowLeft")
    begin = page.evaluate("speechPlayer.region[0]")
    assert begin == pytest.approx(1 - 3 * seconds / 100 * 1.02, abs=0.001)
    page.wait_for_function("begin => Math.abs(speechStretches.of(speechPlayer.clip, 9)[0] - begin) < 0.001", arg=begin)


def test_a_drag_that_leaves_the_plot_ends_at_its_edge(visit):
    """What is outside the stretch on the screen is not selected, nor is a boundary taken there, unseen."""
    page = visit("?from=0.5&to=1.5")
    page.wait_for_function("speechStretches.of(speechPlayer.clip, 9)[0] === 0.5")
    area, wide = page.locator(f"{PLOT} .sp-scroll").bounding_box(), seen_width(page)
    left = area["x"] + area["width"] - wide  # of the stretch, px
    wave = page.locator(f"{PLOT} .sp-wave").bounding_box()
    row = {"x": left, "y": wave["y"], "height": wave["height"]}
    for begin, end, expected in ((wide / 2, wide + 60, (1.0, 1.5)), (wide / 2, -80, (0.5, 1.0))):
        drag(page, row, begin, end)
        assert page.evaluate("speechPlayer.region") == pytest.approx(expected, abs=0.004)
        region = page.locator(f"{PLOT} .sp-wave .sp-region").bounding_box()
        assert region["x"] >= left - 1 and region["x"] + region["width"] <= left + wide + 1
    assert page.evaluate("speechStretches.of(speechPlayer.clip, 9)") == [0.5, 1.5]
    page.get_by_role("button", name="Edit boundaries").click()
    boundary = page.get_by_role("slider", name="words: boundary between have and eaten")
    before, place = at(boundary), boundary.bounding_box()
    drag(page, place, place["width"] / 2, place["width"] / 2 + wide)
    assert before < at(boundary) <= 1.5


def test_a_shared_boundary_moves_in_both_tiers_and_the_technique_runs_again(visit):
    page = visit("?technique=attention")
    page.locator("#plot-attention .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    expect(page.locator(f"{PLOT} .sp-tools")).to_be_hidden()
    page.get_by_role("button", name="More of the clip").click()
    page.evaluate("speechStretches.ask('0.4', '1.4')")
    expect(page.locator(f"{PLOT} .sp-handle").first).to_be_hidden()
    page.get_by_role("button", name="Edit boundaries").click()
    boundary = page.get_by_role("slider", name="words: boundary between weasels and have")
    before, old = titles(page), at(boundary)
    place = boundary.bounding_box()
    drag(page, place, place["width"] / 2, place["width"] / 2 - 50)
    new = at(boundary)
    assert new == pytest.approx(old - 50 / seen_width(page), abs=0.003)  # the stretch is 1 s long
    assert at(page.get_by_role("slider", name="phones: boundary between Z and HH")) == new
    expect(page.locator("#heard-line")).to_contain_text("edited by you", timeout=PATIENCE)
    weasels = page.locator("#plot-attention .sp-word").first
    assert titles(page)[0] != before[0]
    expect(weasels).to_have_attribute("title", titles(page)[0], timeout=PATIENCE)
    expect(boundary).to_be_focused()
    page.keyboard.press("Control+z")
    expect(page.locator("#heard-line")).to_contain_text("aligned beforehand", timeout=PATIENCE)
    expect(boundary).to_have_attribute("aria-valuenow", f"{old:.3f}")
    assert titles(page) == before


def test_keys_move_a_boundary_as_far_as_its_neighbour_and_undo_leads_back(visit):
    page = visit("?from=0.8&to=1.3")
    page.get_by_role("button", name="Edit boundaries").click()
    boundary = page.get_by_role("slider", name="words: boundary between weasels and have")
    neighbour = at(page.get_by_role("slider", name="phones: boundary between HH and AE"))
    old, place = at(boundary), boundary.bounding_box()
    drag(page, place, place["width"] / 2, place["width"] / 2 + seen_width(page))
    assert at(boundary) == pytest.approx(neighbour - 0.001, abs=0.0006)  # three decimals are told
    page.keyboard.press("Control+z")
    expect(boundary).to_have_attribute("aria-valuenow", f"{old:.3f}", timeout=PATIENCE)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(boundary).to_have_attribute("aria-valuenow", f"{old + 0.011:.3f}")
    expect(page.locator("#heard-line")).to_contain_text("edited by you", timeout=PATIENCE)  # sent by itself, once
    page.keyboard.press("Shift+ArrowLeft")
    undo = page.get_by_role("button", name="Undo", exact=True)
    undo.click()  # what was not sent yet is sent first, and then undone
    expect(boundary).to_have_attribute("aria-valuenow", f"{old + 0.011:.3f}", timeout=PATIENCE)
    undo.click()
    expect(page.locator("#heard-line")).to_contain_text("aligned beforehand", timeout=PATIENCE)
    expect(undo).to_have_attribute("aria-disabled", "true")


def test_a_picture_from_before_does_not_take_a_boundary_back(visit, monkeypatch):
    page = visit("?from=0.4&to=1.4")
    page.get_by_role("button", name="Edit boundaries").click()
    boundary = page.get_by_role("slider", name="words: boundary between weasels and have")
    phone = page.get_by_role("slider", name="phones: boundary between Z and HH")
    _a_late_picture_of_the_first_edit(monkeypatch)
    for by in (-30, 20):
        place = boundary.bounding_box()
        drag(page, place, place["width"] / 2, place["width"] / 2 + by)
    page.evaluate("""boundary => { window.places = new Set();
        const name = boundary.ariaLabel, look = () => {
            places.add(document.querySelector(`[aria-label="${name}"]`).ariaValueNow);
            requestAnimationFrame(look);
        };
        look(); }""", boundary.element_handle())  # fmt: skip
    second = at(boundary)
    expect(page.locator("#heard-line")).to_contain_text("edited by you", timeout=PATIENCE)
    assert page.evaluate("[...places].map(Number)") == [second] and at(phone) == second
    undo = page.get_by_role("button", name="Undo", exact=True)
    undo.focus()
    page.keyboard.press("Enter")
    expect(boundary).not_to_have_attribute("aria-valuenow", f"{second:.3f}", timeout=PATIENCE)
    expect(undo).to_be_focused()  # in the picture that was drawn again
    first = at(boundary)
    monkeypatch.setattr(sessions, "with_moved", _refused)
    boundary.press("Shift+ArrowRight")
    page.get_by_text("Not now.").wait_for(timeout=PATIENCE)
    expect(boundary).to_have_attribute("aria-valuenow", f"{first:.3f}", timeout=PATIENCE)  # what the server holds


def _refused(*_):
    raise UserError("Not now.")


def _a_late_picture_of_the_first_edit(monkeypatch):
    """It is drawn when the second edit is on its way, and reaches the browser before that is answered."""
    begun, drawn, moved, picture = threading.Event(), threading.Event(), sessions.with_moved, clip_area.clip_plot
    calls = []

    def slowly(*asked):
        calls.append(asked)
        if len(calls) == 2:
            begun.set()
            drawn.wait(PATIENCE / 1000)
            threading.Event().wait(0.5)  # the way to the browser
        return moved(*asked)

    async def late(*asked):
        await asyncio.to_thread(begun.wait, PATIENCE / 1000)
        found = await picture(*asked)
        drawn.set()
        return found

    monkeypatch.setattr(sessions, "with_moved", slowly)
    monkeypatch.setattr(clip_area, "clip_plot", late)


def test_align_asks_first_and_a_textgrids_words_become_the_text(visit, tmp_path):
    path = tmp_path / "own.TextGrid"
    tiers = {"words": (Segment("weasels", 0.1, 0.9), Segment("have", 0.9, 1.2))}
    path.write_text(write_textgrid(tiers, CLIP.clip().seconds), encoding="utf-8")
    page = visit()
    page.get_by_role("button", name="Correct the transcript").click()
    expect(page.locator("#take-words")).to_be_hidden()
    with page.expect_file_chooser() as chooser:
        page.locator("#textgrid").click()
    chooser.value.set_files(path)
    page.locator("#take-words").click(timeout=PATIENCE)
    expect(page.locator("#heard")).to_contain_text("The model reads your text: weasels have", timeout=PATIENCE)
    expect(page.locator("#text textarea")).to_have_value("weasels have", timeout=PATIENCE)
    expect(page.locator("#heard-line")).to_contain_text("Word times: your TextGrid")
    page.locator("#text textarea").fill("Weasels have eaten our phone system")
    page.locator("#align").click()
    expect(page.locator("#at-stake")).to_contain_text("the words and phones of your TextGrid", timeout=PATIENCE)
    page.locator("#align-keep").click()
    expect(page.locator("#at-stake")).to_be_hidden()
    expect(page.locator("#text textarea")).to_have_value("Weasels have eaten our phone system")
    assert len(titles(page)) == 2
    page.locator("#align").click()
    page.locator("#align-now").click()
    expect(page.locator("#heard-line")).to_contain_text("forced alignment", timeout=PATIENCE)
    expect(page.locator("#at-stake")).to_be_hidden()
    expect(page.locator(f"{PLOT} .sp-word", has_text="eaten")).to_be_visible()
    page.locator("#align").click()  # nothing of hers is left to ask about
    expect(page.locator("#at-stake")).to_be_hidden()
