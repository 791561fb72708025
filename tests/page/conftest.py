"""The page in a browser: every test that visits it fails on a console error or a request to another host."""

import shutil
import sys
import time
import traceback
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
WEASELS = ROOT / "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
PATIENCE = 60_000  # ms; a loaded machine may take that long, an idle one takes a second


@pytest.fixture(scope="module")
def address():
    import app

    # Only here the random-weights controls are computed by the page's own run; there is no warm-up thread.
    _, url, _ = app.demo.queue(**app.QUEUE).launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **app.LAUNCH
    )
    yield url.rstrip("/")
    app.demo.close()
    settle()


def settle():
    """Wait for runs that a closed page left behind: Python must not end while a thread is inside a network."""
    deadline = time.monotonic() + 60

    def computing():
        stacks = (traceback.extract_stack(frame) for frame in sys._current_frames().values())
        return any("/methods/" in line.filename for stack in stacks for line in stack)

    while computing() and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.fixture(scope="module")
def context(address):
    with sync_playwright() as playwright:
        fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        sound = [f"--use-file-for-fake-audio-capture={WEASELS}", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", *fake, *sound]
        )
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write", "microphone"])
        yield context
        browser.close()


@pytest.fixture
def visit(context, address, request):
    pages, complaints = [], []
    # Gradio's own little player says this of a file that is no sound; it is what the visitor gave.
    expected = ("Waveform load error: MediaError",) if "corrupt" in request.node.name else ()
    if request.node.get_closest_marker("reloads"):  # and its client this of the streams that end with the page
        expected = ("AbortError: signal is aborted", "Unexpected error Connection errored out")

    def open_page(query="", width=1280, height=900):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else complaints.append(r.url)
        )
        pages.append(page)
        page.goto(f"{address}/{query}")
        page.locator("#heard").get_by_text("The model hears").wait_for(timeout=PATIENCE)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert [complaint for complaint in complaints if not complaint.startswith(expected)] == []
