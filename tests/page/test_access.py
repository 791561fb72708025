"""Anybody can use it: targets that a finger meets, 200% zoom, the keyboard alone, no motion, two browser tabs."""

import re

import pytest
from playwright.sync_api import expect
from visitor import follow

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # ms
LEAST = 24  # px, WCAG 2.2, 2.5.8
# What is smaller than a target may be, and not inside a sentence, nor a button of a row of words or phones: there a
# finger presses the nearest one, and arrow keys walk. What takes text or a number is as large as its field or label.
SMALL = """least => {
    const target = (e) => (e.matches('input') && e.closest('label, .wrap')) || e;
    const inSentence = (e) => getComputedStyle(e).display === 'inline' && e.closest('p, li, td')
        && e.closest('p, li, td').textContent.trim().length > e.textContent.trim().length + 3;
    const found = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
    return found.filter((e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !e.disabled)
        .filter((e) => !e.matches('.sp-word') || e.closest('.sp-box').getBoundingClientRect().height < least)
        .filter((e) => e.type !== 'range')   // the number beside it does the same
        .filter((e) => !inSentence(e) && !e.closest('.sure'))
        .map((e) => [e, target(e).getBoundingClientRect()])
        .filter(([, r]) => r.width > 1 && r.height > 1 && (r.width < least - 0.5 || r.height < least - 0.5))
        .map(([e, r]) => `${e.tagName} ${e.id || e.className} ${(e.ariaLabel || e.textContent).trim().slice(0, 30)} `
            + `${Math.round(r.width)} x ${Math.round(r.height)}`);
}"""


def small(page):
    return page.evaluate(SMALL, LEAST)


def test_targets_are_large_enough_on_a_desk_and_on_a_phone(visit):
    page = visit(width=1280, height=800)
    for view in ("", "value_zeroing", "phone_check"):
        page.set_viewport_size({"width": 1280, "height": 800})
        if view:
            follow(page, view)
            page.locator(f"#plot-{view} .sp-heat canvas").first.wait_for(timeout=PATIENCE)
        assert small(page) == [], view or "start"
        page.set_viewport_size({"width": 390, "height": 844})
        assert small(page) == [], view or "start, on a phone"


def test_a_finger_presses_the_nearest_of_narrow_phones(context, address):
    page = context.browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page.goto(f"{address}/?technique=phone_check&model=hama-ctc")
    phones = page.locator("#plot-phone_check .sp-words").first
    phones.wait_for(timeout=PATIENCE)
    page.locator("#plot-phone_check .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    # While a run is on, its bar of progress stands above the picture, and goes when the run has ended.
    expect(page.locator("#stop-phone_check")).to_be_hidden(timeout=PATIENCE)
    page.locator("#progress-phone_check .progress-level").wait_for(state="detached", timeout=PATIENCE)
    phones.scroll_into_view_if_needed()
    narrow = phones.evaluate("""row => {
        const all = [...row.querySelectorAll('.sp-word')].map((b) => [b.ariaLabel, b.getBoundingClientRect()]);
        const [label, r] = all.reduce((a, b) => (b[1].width < a[1].width ? b : a));
        return { label, width: r.width, x: r.x + r.width / 2, y: r.y + r.height / 2 }; }""")
    assert narrow["width"] < 10  # px: nobody meets that
    touch = context.browser.contexts[-1].new_cdp_session(page)
    touch.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": narrow["x"], "y": narrow["y"]}]}
    )
    label = narrow["label"].split(",")[0]
    expect(page.locator("#plot-phone_check .sp-tip b")).to_have_text(label)  # before the finger is lifted
    expect(page.locator("#plot-phone_check .sp-near")).to_have_attribute("aria-label", narrow["label"])
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    start = float(narrow["label"].split(",")[1].split()[0])
    page.wait_for_function(f"Math.abs(speechPlayer.region?.[0] - {start}) < 0.011")
    page.close()


def test_twice_the_size_without_motion_by_keyboard_in_two_tabs(visit):
    """640 x 400 CSS pixels are 1280 x 800 at 200%."""
    first, second = visit("?technique=value_zeroing", 640, 400), visit("?technique=attention&clip=en_f_question")
    first.emulate_media(reduced_motion="reduce")
    for page, name in ((first, "value_zeroing"), (second, "attention")):
        page.locator(f"#plot-{name} .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    # Two tabs of one browser: each has its own clip and technique.
    assert first.locator("#plot-value_zeroing .sp-word").first.inner_text() == "weasels"
    assert second.locator("#plot-attention .sp-word").first.inner_text() == "which"
    expect(first.locator("#view-attention")).to_be_hidden()
    first.bring_to_front()
    assert first.evaluate("document.documentElement.scrollWidth") <= 640
    cut = """() => [...document.querySelectorAll('#main h3, #main p, #main button, #main label')]
        .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.sp, .sp-hidden, pre'))
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.textContent.slice(0, 40))"""
    assert first.evaluate(cut) == []
    moving = """() => ['#side', '#view-value_zeroing .shown', '.sp-word'].map((name) =>
        getComputedStyle(document.querySelector(name)).transitionDuration).filter((time) => parseFloat(time))"""
    assert first.evaluate(moving) == []
    # From the skip link to a cell with the keyboard alone.
    first.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    first.keyboard.press("Tab")
    expect(first.locator("#skip")).to_be_focused()
    first.keyboard.press("Enter")
    expect(first.locator("#status-value_zeroing")).to_be_focused()
    cells = first.locator("#plot-value_zeroing .sp-heat .sp-box").first
    for _ in range(12):  # play, three zooms, scroller, words, row labels: not one stop for each word or row
        first.keyboard.press("Tab")
        if cells.evaluate("box => box === document.activeElement"):
            break
    expect(cells).to_be_focused()
    first.keyboard.press("ArrowDown")
    expect(first.locator("#plot-value_zeroing [aria-live]")).to_have_text(
        re.compile(r"^[\d.]+% of what have takes comes from weasels$")
    )
    tip = first.locator("#plot-value_zeroing .sp-tip").bounding_box()
    assert tip["y"] >= 0 and tip["y"] + tip["height"] <= 400  # the sentence is on the screen
