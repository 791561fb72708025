"""A lesson's mark as a visitor sees it: on what it names, and nowhere where that is not on the picture."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # ms


def middle(ring):
    area = ring.bounding_box()
    return area["x"] + area["width"] / 2, area["y"] + area["height"] / 2


def test_rings_stand_on_the_cells_that_the_lesson_names_and_go_with_them(visit):
    page = visit("?technique=value_zeroing&clip=en_f_weasels&layer=1&lesson=1", 1280, 1200)
    told, rings = page.locator("#lesson-1 .lesson-mark"), page.locator("#view-value_zeroing .lesson-ring")
    expect(told).to_be_visible(timeout=PATIENCE)
    expect(told).to_have_text("Marked: what each word takes from itself.")
    expect(rings).to_have_count(6)
    for place, word in enumerate(("weasels", "have", "eaten", "our", "phone", "system")):
        page.mouse.move(*middle(rings.nth(place)))
        tip = page.locator("#plot-value_zeroing .sp-tip")
        expect(tip).to_contain_text(re.compile(rf"% of what {word} takes comes from {word}"))
    page.evaluate("speechStretches.ask('1', '2')")  # a ring stays on its cell when the picture is drawn closer
    page.wait_for_function("document.querySelector('#plot-value_zeroing .sp').classList.contains('sp-zoomed')")
    page.mouse.move(*middle(rings.nth(2)))
    expect(page.locator("#plot-value_zeroing .sp-tip")).to_contain_text("of what eaten takes comes from eaten")
    page.locator("#lesson-1 summary").click()
    expect(rings).to_have_count(6)  # with the answer, too
    page.locator("#example input").click()
    page.get_by_role("option", name="Message saved (statement)").click()
    expect(page.locator("#plot-value_zeroing .sp-word", has_text="saved").first).to_be_visible(timeout=PATIENCE)
    expect(rings).to_have_count(0)
    expect(told).to_be_hidden()


def test_a_point_of_a_curve_is_marked(visit):
    page = visit("?technique=phone_arithmetic&layer=1&lesson=12", 390, 844)
    rings = page.locator("#view-phone_arithmetic svg .lesson-ring")
    expect(rings).to_have_count(1, timeout=PATIENCE)
    expect(page.locator("#lesson-12 .lesson-mark")).to_be_visible()
    circle, picture = rings.locator("circle.line").bounding_box(), page.locator("svg:has(.lesson-ring)").bounding_box()
    assert picture["x"] < circle["x"] < picture["x"] + picture["width"] / 2  # layer 1 of 0 to 4
    assert circle["width"] == pytest.approx(circle["height"], abs=1)
    page.evaluate("ism.go('')")
    expect(page.locator(".lesson-mark:visible, .lesson-ring:visible")).to_have_count(0)


def test_a_number_in_the_line_about_a_run_is_marked(visit):
    page = visit("?technique=attention&model=openai/whisper-base&clip=en_f_weasels&layer=6&lesson=3")
    expect(page.locator("#lesson-3 .lesson-mark")).to_be_visible(timeout=PATIENCE)
    assert re.fullmatch(r"padding mass \d+%", page.evaluate("String([...CSS.highlights.get('lesson')][0])"))
    page.evaluate("ism.go('')")
    page.wait_for_function("!CSS.highlights.has('lesson')")
