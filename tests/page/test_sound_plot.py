"""The plots tied to sound as a visitor meets them, in a small demo, and the builders of their values."""

import base64
import shutil
import socket
import wave
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from page.widgets.sound_plot import (
    HEAD,
    SoundPlot,
    grid_row,
    image_row,
    line_row,
    matrix_row,
    plot_value,
    segments_row,
    wave_row,
)

pytestmark = pytest.mark.browser

SECONDS = 2.0
WORDS = [("weasels", 0.1, 0.5), ("have", 0.5, 0.8), ("eaten", 0.8, 1.9)]
SHARES = np.array([[0.1, 0.9, 0.0], [0.12, 0.76, 0.12], [0.1, np.nan, 0.9]])
TOLD = {  # what any map of words by words says of itself
    "row_name": "affected word",
    "column_name": "word that was zeroed",
    "sentence": "{percent} of what *{row}* takes comes from *{column}*",
}
HOSTILE = ["<img src=x onerror=window.hacked=1>", "${window.hacked=1}{{value}}", "long" * 75]


def tone(path):
    """Two seconds of 220 Hz: the clip of every plot here."""
    samples = (8000 * np.sin(2 * np.pi * 220 * np.arange(int(16_000 * SECONDS)) / 16_000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


def clip_view(path):
    ramp = np.linspace(0, 1, 200)
    rows = [
        wave_row(-ramp, ramp),
        image_row(np.outer(np.arange(40), ramp), alt="Rising ramp"),
        segments_row(WORDS),
    ]
    return plot_value(SECONDS, rows, "Three words, getting louder.", audio=path)


def shares(words=WORDS, clip=None):
    matrix = matrix_row(SHARES, words, words, title="Shares", unit="share of row", vmax=1.0, **TOLD)
    curve = line_row({"model": [0, 1, np.nan, 2], "chance": [1, 1, 1, 1]}, "curve", dashed=["chance"])
    labels = [label for label, *_ in words]
    grid = grid_row(SHARES, labels, labels, title="Tokens", unit="nats", scale="rdbu", vmin=-1, **TOLD)
    return plot_value(SECONDS, [segments_row(words), matrix, curve, grid], "Most keep to themselves.", clip=clip)


def frames():
    spans = [("frame", i * SECONDS / 250, (i + 1) * SECONDS / 250) for i in range(250)]
    return plot_value(SECONDS, [matrix_row(np.eye(250), spans, spans, title="Frames", **TOLD)], "The diagonal.")


def build(path):
    with gr.Blocks() as demo:
        SoundPlot(clip_view(path), elem_id="clip")
        with gr.Tabs():
            with gr.Tab("First"):
                plot = SoundPlot(shares(), elem_id="shares")
                other = gr.Button("Other", elem_id="other")
                stale = gr.Button("Stale", elem_id="stale")
                said = gr.Textbox(elem_id="said")
            with gr.Tab("Second"):
                SoundPlot(
                    shares([(label, *times) for label, (_, *times) in zip(HOSTILE, WORDS, strict=True)]),
                    elem_id="hostile",
                )
                SoundPlot(frames(), elem_id="frames")
                SoundPlot(None, elem_id="empty")
        other.click(lambda: shares([("we", 0.0, 0.4), ("are", 0.4, 0.9), ("here", 0.9, 2.0)]), None, plot)
        stale.click(lambda: shares(clip="another"), None, plot)

        def select(event: gr.EventData):
            return str(event._data)

        plot.select(select, None, said, show_progress="hidden")
    return demo


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
    page.wait_for_function("!speechPlayer.audio.paused && speechPlayer.audio.currentTime > 0.55")
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
    expect(tip).to_contain_text("12 % of what have takes comes from weasels")
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
    expect(live).to_have_text("12 % of what have takes comes from weasels")
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
    for factor in ("2", "1", "2"):
        page.get_by_label(f"Zoom {factor} times").last.click()
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
    page.locator("#shares").get_by_label("Zoom 4 times").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    scroller = page.locator("#shares .sp-scroll").evaluate("s => [s.scrollWidth, s.clientWidth]")
    assert scroller[0] > 2 * scroller[1]  # the zoomed axis scrolls inside its own box
    assert page.locator("#shares .sp-gutter").first.bounding_box()["width"] <= 64


def test_values_survive_both_encodings():
    small = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    row = grid_row(small, list("abc"), list("wxyz"), title="t", vmin=-1, **TOLD)
    assert row["dtype"] == "float32"
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(row["data"]), "<f4").reshape(3, 4), small)
    big = np.random.default_rng(0).normal(size=(200, 300))
    big[3, 5] = np.nan
    row = grid_row(big, ["r"] * 200, ["c"] * 300, title="t", **TOLD)
    steps = np.frombuffer(base64.b64decode(row["data"]), "<u2").reshape(big.shape)
    span = row["scale_max"] - row["scale_min"]
    decoded = np.where(steps == 65_535, np.nan, row["scale_min"] + steps / 65_534 * span)
    # Rounding to a step is off by at most half of one; float32 on the way in adds less than 1e-6.
    np.testing.assert_allclose(decoded, big, atol=span / 65_534 / 2 + 1e-6)


def test_500_by_500_stays_under_a_megabyte():
    assert len(grid_row(np.ones((500, 500)), ["r"] * 500, ["c"] * 500, title="t", **TOLD)["data"]) < 1e6


def test_builders_refuse_what_does_not_fit():
    segment = SimpleNamespace(label="a", start=0.0, end=1.0)
    assert segments_row([segment], scores=[np.nan])["items"] == [
        {"label": "a", "start": 0.0, "end": 1.0, "score": None}
    ]
    with pytest.raises(ValueError, match="do not label an array of shape"):
        matrix_row(np.ones((2, 2)), [segment], [segment], title="t", **TOLD)
    with pytest.raises(ValueError, match="finite values"):
        grid_row([[np.inf]], ["a"], ["b"], title="t", **TOLD)
    with pytest.raises(ValueError, match="No colour scale 'jet'"):
        grid_row([[1.0]], ["a"], ["b"], title="t", scale="jet", **TOLD)
    with pytest.raises(ValueError, match="0 <= start <= end"):
        segments_row([("a", 1.0, 0.5)])
    with pytest.raises(ValueError, match="as many scores"):
        segments_row([segment], scores=[1.0, 2.0])
    with pytest.raises(ValueError, match="low <= high"):
        wave_row([1.0], [0.0])
    with pytest.raises(ValueError, match="needs one axis"):
        line_row([[1.0]], "curve")
    with pytest.raises(ValueError, match="positive length"):
        plot_value(0.0, [wave_row([0.0], [0.0])], "nothing")
