"""The plots tied to sound as a visitor meets them, in a small demo."""

import shutil
import socket

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright
from plot_demo import HOSTILE, SECONDS, WORDS, build, tone

from page.widgets.sound_plot import HEAD

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = tone(tmp_path_factory.mktemp("clip") / "tone.wav")
    demo = build(path)
    options = {"head": HEAD, "ssr_mode": False, "run_history": False, "quiet": True, "prevent_thread_lock": True}
    demo.launch(server_name="127.0.0.1", server_port=port, allowed_paths=[str(path.parent)], **options)
    yield f"http://127.0.0.1:{port}/"
    demo.close()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def wide(browser):
    """One cache for all wide pages: each then opens in half the time."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def visit(browser, wide, address):
    """visit(width) opens the demo; afterwards the console was clean and nothing had been asked of another host."""
    pages, complaints = [], []

    def open_page(width=1280, **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, **options) if options else wide.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on(
            "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else complaints.append(r.url)
        )
        page.goto(address)
        page.locator("#shares .sp-heat canvas").first.wait_for()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []


def cell_centre(page, row, column):
    box = page.locator("#shares .sp-heat .sp-box").first
    box.scroll_into_view_if_needed()
    area = box.bounding_box()
    _, start, end = WORDS[column]
    return area["x"] + area["width"] * (start + end) / 2 / SECONDS, area["y"] + area["height"] * (row + 0.5) / 3


def wait_for_silence(page):
    page.wait_for_function("speechPlayer.audio.paused", timeout=4000)
    return page.evaluate("speechPlayer.audio.currentTime")


def test_a_word_plays_and_stops_at_its_end(visit):
    page = visit()
    assert page.evaluate("[speechPlayer.audio.paused, speechPlayer.audio.currentTime]") == [True, 0]  # silent unasked
    page.evaluate("""() => { window.farthest = 0;
        const look = () => {
            farthest = Math.max(farthest, speechPlayer.audio.currentTime);
            requestAnimationFrame(look);
        };
        look(); }""")
    page.get_by_role("button", name="have, 0.50 to 0.80 s. Play.").first.click()
    page.wait_for_function("farthest > 0.55")  # seen or not while it lasts: a busy machine may look too late
    assert wait_for_silence(page) == pytest.approx(0.8, abs=1e-3)
    # One frame is 17 ms; a busy test machine may drop a few.
    assert 0.7 < page.evaluate("farthest") < 0.9


def test_drag_selects_a_region_and_space_toggles(visit):
    page = visit()
    area = page.locator("#clip .sp-box").first.bounding_box()
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + area["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.5, y, steps=4)
    page.mouse.up()
    assert page.evaluate("speechPlayer.region") == pytest.approx([0.5, 1.0], abs=0.01)
    assert wait_for_silence(page) == pytest.approx(1.0, abs=0.01)
    page.locator("#shares .sp-scroll").focus()
    page.keyboard.press("Space")
    page.wait_for_function("!speechPlayer.audio.paused")
    page.keyboard.press("Space")
    page.wait_for_function("speechPlayer.audio.paused")


def test_hover_reads_and_click_plays_the_column(visit):
    page = visit()
    tip = page.locator("#shares .sp-tip")
    page.mouse.move(*cell_centre(page, 1, 0))
    expect(tip).to_contain_text("12% of what have takes comes from weasels")
    expect(tip).to_contain_text(
        "affected wordhave0.50–0.80 sword that was zeroedweasels0.10–0.50 svalue0.12 share of row"
    )
    expect(page.locator("#shares .sp-axes").first).to_have_text(
        "rows ↓ affected word · columns → word that was zeroed"
    )
    page.mouse.move(*cell_centre(page, 2, 1))
    expect(tip).to_contain_text("no value")
    page.mouse.click(*cell_centre(page, 1, 0))
    assert page.evaluate("speechPlayer.region") == [0.1, 0.5]
    expect(page.locator("#said textarea")).to_have_value(
        "{'of': 1, 'row': 1, 'column': 0, 'value': 0.11999999731779099}"
    )


def test_pixels_carry_the_values(visit):
    """0.9 in row 0, column 1 is darker than its mirror image's 0.12; where no word is, nothing is drawn."""
    page = visit()
    read = """([x, y]) => {
        const c = document.querySelector('#shares .sp-heat canvas'), r = c.getBoundingClientRect();
        const at = [(x - r.x) * c.width / r.width, (y - r.y) * c.height / r.height];
        return [...c.getContext('2d').getImageData(...at, 1, 1).data]; }"""
    shift = 25  # px beside the printed figure in the middle of the cell
    dark, pale = ([x - shift, y] for x, y in (cell_centre(page, 0, 1), cell_centre(page, 1, 0)))
    assert sum(page.evaluate(read, dark)[:3]) < sum(page.evaluate(read, pale)[:3]) - 200
    outside = page.locator("#shares .sp-heat .sp-box").first.bounding_box()
    assert page.evaluate(read, [outside["x"] + 5, outside["y"] + 5])[3] == 0  # before the first word


def test_keyboard_moves_announces_and_plays(visit):
    page = visit()
    page.locator("#shares .sp-heat .sp-box").first.focus()
    page.keyboard.press("ArrowDown")
    live = page.locator("#shares [aria-live]")
    expect(live).to_have_text("12% of what have takes comes from weasels")
    expect(page.locator("#shares .sp-tip em")).to_have_text(["have", "weasels"])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("speechPlayer.region") == [0.5, 0.8]
    page.keyboard.press("ArrowDown")
    expect(live).to_have_text("eaten, have: no value")
    page.keyboard.press("Shift+Enter")
    assert page.evaluate("speechPlayer.region") == [0.8, 1.9]
    expect(page.locator("#shares .sp-selected").first).to_have_text("eaten")


def test_hostile_labels_are_text_in_a_lazy_tab(visit):
    page = visit()
    page.get_by_role("tab", name="Second").click()
    page.locator("#hostile .sp-heat canvas").first.wait_for()
    assert page.locator("#hostile .sp-word").all_text_contents() == HOSTILE
    assert page.locator("#hostile .sp-heat .sp-rowlabel").all_text_contents() == HOSTILE * 2
    page.mouse.move(*page.locator("#hostile .sp-heat .sp-box").last.evaluate(
        "b => { b.scrollIntoView(); const r = b.getBoundingClientRect(); return [r.x + 5, r.y + 5]; }"))  # fmt: skip
    expect(page.locator("#hostile .sp-tip")).to_contain_text(HOSTILE[0])
    assert page.evaluate("[window.hacked, document.querySelectorAll('#hostile img').length]") == [None, 0]
    expect(page.locator("#empty")).to_have_text("Run to see the plot.")


def test_frames_draw_within_50_ms(visit):
    page = visit()
    page.get_by_role("tab", name="Second").click()
    page.locator("#frames .sp-heat canvas").wait_for()
    page.evaluate("""() => { window.spent = []; const put = CanvasRenderingContext2D.prototype.putImageData;
        const start = window.ImageData; let begun = 0;
        window.ImageData = function (...size) { begun = performance.now(); return new start(...size); };
        CanvasRenderingContext2D.prototype.putImageData = function (...a) { put.apply(this, a);
            if (this.canvas.closest('#frames')) spent.push(performance.now() - begun); }; }""")
    for name in ("Zoom in", "Show all of the clip", "Zoom in"):
        page.locator("#frames").get_by_label(name).click()
        page.evaluate("() => new Promise(requestAnimationFrame)")
    assert min(page.evaluate("spent")) < 50  # ms; the best of several, since two cores are shared


def test_a_new_value_redraws_and_leaves_one_subscription_each(visit):
    page = visit()
    before = page.evaluate("speechPlayer.subscribers")
    page.locator("#other").click()
    expect(page.locator("#shares .sp-word").first).to_have_text("we")
    assert page.evaluate("speechPlayer.subscribers") == before == 2  # the clip's and the tab's
    assert page.locator("#shares .sp-bar").count() == 1


def test_a_plot_of_another_clip_does_not_play(visit):
    page = visit()
    page.evaluate("speechPlayer.clip = 'this one'")
    page.locator("#stale").click()
    expect(page.locator("#shares .sp-note")).to_contain_text("another clip")
    page.locator("#shares .sp-word").nth(1).click()
    assert page.evaluate("speechPlayer.region") is None


def test_phone_has_no_sideways_overflow(visit):
    page = visit(390, has_touch=True)
    for _ in range(2):
        page.locator("#shares").get_by_label("Zoom in").tap()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    scroller = page.locator("#shares .sp-scroll").evaluate("s => [s.scrollWidth, s.clientWidth]")
    assert scroller[0] > 2 * scroller[1]  # the zoomed axis scrolls inside its own box
    assert page.locator("#shares .sp-gutter").first.bounding_box()["width"] <= 64


STRETCH = "speechStretches.of(null, 2)"


def settled(page):
    """The stretch in seconds, once every plot has drawn it."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(STRETCH)


def test_one_stretch_of_the_clip_in_every_plot(visit):
    """Wheel, keys, buttons and scrolling move the same window; what stands under the pointer stays there."""
    page = visit()
    area = page.locator("#shares .sp-words .sp-box").first.bounding_box()
    page.mouse.move(area["x"] + area["width"] / 4, area["y"] + 5)  # 0.5 s
    page.mouse.wheel(0, -120)
    assert settled(page) == [0, SECONDS]  # the plain wheel is the page's own
    page.keyboard.down("Control")
    page.mouse.wheel(0, -160)
    page.keyboard.up("Control")
    length = SECONDS * np.exp(-0.4)  # 0.0025 for each pixel of the wheel
    assert settled(page) == pytest.approx([0.5 - length / 4, 0.5 + 3 * length / 4], abs=0.002)
    page.evaluate("speechPlayer.play(0.8, 0.85); speechPlayer.pause()")
    page.locator("#clip .sp-scroll").focus()
    page.keyboard.press("z")
    assert settled(page) == pytest.approx([0.8, 0.85])
    seen = """(id) => { const word = document.querySelectorAll(`${id} .sp-word`)[2].getBoundingClientRect();
        const plot = document.querySelector(`${id} .sp-scroll`), gutter = plot.querySelector('.sp-gutter').offsetWidth;
        const left = plot.getBoundingClientRect().left + gutter;
        return [word.left - left, (word.right - word.left) / (plot.clientWidth - gutter)]; }"""
    for plot in ("#clip", "#shares"):  # 'eaten' begins where the stretch begins, and is 22 times as long
        left, width = page.evaluate(seen, plot)
        assert abs(left) < 2 and width == pytest.approx(1.1 / 0.05, rel=0.001)
    page.keyboard.press("ArrowRight")
    assert settled(page) == pytest.approx([0.805, 0.855])
    page.locator("#shares .sp-scroll").evaluate("s => s.scrollLeft = 0")
    page.wait_for_function(f"{STRETCH}[0] < 0.001")
    assert settled(page)[1] == pytest.approx(0.05, abs=1e-3)
    assert page.evaluate("Math.max(...[...document.querySelectorAll('canvas')].map((c) => c.width))") < 1300


def test_a_new_value_and_another_width_keep_the_stretch(visit):
    page = visit()
    page.evaluate("speechStretches.set(null, 2, 0, 0.05)")
    page.locator("#other").click()
    expect(page.locator("#shares .sp-word").first).to_have_text("we")
    assert settled(page)[1] == pytest.approx(0.05, abs=1e-3)
    page.set_viewport_size({"width": 900, "height": 900})
    assert settled(page)[1] == pytest.approx(0.05, abs=1e-3)
    page.locator("#clip").get_by_label("Show all of the clip").click()
    assert settled(page) == [0, SECONDS]


def test_a_wave_that_is_zoomed_into_shows_its_samples(visit):
    """Ten periods of 220 Hz cross the middle 20 times; the envelope, a wedge, crosses it never."""
    page = visit()
    page.evaluate(f"speechStretches.set(null, 2, 0.5, {0.5 + 10 / 220})")
    page.wait_for_timeout(500)  # the sound is fetched and decoded
    crossings = page.locator("#clip .sp-wave canvas").evaluate("""(c) => {
        const { width, height } = c, pixels = c.getContext('2d').getImageData(0, 0, width, height).data;
        const middle = (x) => { let sum = 0, n = 0;
            for (let y = 0; y < height; y++) { const a = pixels[4 * (y * width + x) + 3]; sum += a * y; n += a; }
            return sum / n - (height - 1) / 2; };
        let found = 0;
        for (let x = 1; x < width; x++) found += middle(x - 1) * middle(x) < 0;
        return found; }""")
    assert 19 <= crossings <= 21


def test_two_fingers_zoom_and_select_nothing(visit):
    page = visit(390, has_touch=True)
    page.locator("#clip").scroll_into_view_if_needed()
    area = page.locator("#clip .sp-image .sp-box").bounding_box()
    y, middle = area["y"] + 30, area["x"] + area["width"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 60), ("touchMove", 90), ("touchMove", 120)):
        points = [{"x": middle + side * apart / 2, "y": y, "id": n} for n, side in enumerate((-1, 1))]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert settled(page) == pytest.approx([0.5, 1.5], abs=0.03)  # twice as far apart, about the middle
    assert page.evaluate("speechPlayer.region") is None


def test_a_finger_moves_the_part_that_is_seen_and_selects_only_after_a_rest(visit):
    page = visit(390, has_touch=True)
    page.locator("#clip").scroll_into_view_if_needed()
    area = page.locator("#clip .sp-scroll").bounding_box()
    page.evaluate("speechStretches.set(speechPlayer.clip, 2, 0.5, 1.5)")
    settled(page)
    wide = page.evaluate("document.querySelector('#clip .sp-scroll').clientWidth - 64")  # px; 64 are the labels'
    touch, x, y = page.context.new_cdp_session(page), area["x"] + 200, area["y"] + 90
    for kind, by in (("touchStart", 0), ("touchMove", -30), ("touchMove", -wide / 5)):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + by, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert settled(page) == pytest.approx([0.7, 1.7], abs=0.02)  # a fifth of what is seen, to the left
    assert page.evaluate("speechPlayer.region") is None
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    page.wait_for_timeout(600)  # more than the finger has to rest
    for kind, points in (("touchMove", [{"x": x - wide / 5, "y": y}]), ("touchEnd", [])):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert np.diff(page.evaluate("speechPlayer.region"))[0] == pytest.approx(1 / 5, abs=0.02)
    assert settled(page) == pytest.approx([0.7, 1.7], abs=0.02)
    ways = "(name) => getComputedStyle(document.querySelector(name)).touchAction"
    assert page.evaluate(ways, "#clip .sp-image .sp-box") == "pan-y"  # the page scrolls as ever
    assert page.evaluate(ways, "#shares .sp-grid .sp-box") == "pan-x pan-y"  # and a wide map in its box


def test_a_selection_is_shaded_over_the_spectrogram(visit):
    page = visit()
    ground = "() => getComputedStyle(document.querySelector('#clip .sp-image .sp-region')).backgroundColor"
    page.evaluate("speechPlayer.select(0.5, 1.0)")
    page.locator("#clip .sp-image .sp-region").wait_for(state="attached")
    assert 0 < float(page.evaluate(ground).rstrip(")").replace("/", " ").replace(",", " ").split()[-1]) < 0.25


def test_a_tap_on_another_map_of_a_plot_is_answered_too(visit):
    """The focus goes from map to map after the tap: it must not take away what the tap has said."""
    page = visit(390, has_touch=True)
    page.get_by_role("tab", name="Second").click()
    page.locator("#hostile .sp-heat canvas").last.wait_for()
    tip = page.locator("#hostile .sp-tip")
    for box in page.locator("#hostile .sp-heat > .sp-box").all():
        box.scroll_into_view_if_needed()
        left, top = box.evaluate("""box => {
            const [left, top, wide, high] = box.places.spot(0, 0), area = box.getBoundingClientRect();
            return [area.left + (left + wide / 2) * area.width, area.top + (top + high / 2) * area.height]; }""")
        page.touchscreen.tap(left, top)
        page.wait_for_timeout(300)  # what comes after a tap has come
        expect(tip).to_be_visible()
        expect(tip.locator(".sp-meaning")).not_to_be_empty()
