"""What a first visit loads, and how soon there is something to see, beside an empty Gradio page of the same version.

    python benchmarks/first_paint.py [--rounds N]

Both pages are served by this machine, and opened in turn by a Chromium with nothing in its cache. Bytes are those that
travel (compressed where the server does that). A view that is opened by the table of contents is timed too, from the
click until its question is there, and until its controls are.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
EMPTY = "import gradio as gr\nwith gr.Blocks() as page:\n    gr.Markdown('# Nothing')\npage.launch()\n"
PORTS = {"empty": 7881, "ours": 7882}
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
OPENED = ("rsa", "cka", "abx")  # views that nobody has opened yet
PATIENCE = 120.0  # s


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "empty.py").write_text(EMPTY, encoding="utf-8")
        servers = [served(Path(folder) / "empty.py", "empty"), served(ROOT / "app.py", "ours")]
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                compare(browser, rounds)
        finally:
            for server in servers:
                server.terminate()


def served(script: Path, name: str) -> subprocess.Popen:
    """A page's server, once it answers."""
    env = os.environ | {"GRADIO_SERVER_PORT": str(PORTS[name]), "GRADIO_ANALYTICS_ENABLED": "False"}
    server = subprocess.Popen([sys.executable, str(script)], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address(name), timeout=2)
            return server
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"The {name} page did not answer within {PATIENCE:.0f} s.")


def address(name: str) -> str:
    return f"http://127.0.0.1:{PORTS[name]}/"


def compare(browser: Browser, rounds: int) -> None:
    found: dict[str, list[tuple[float, ...]]] = {"empty": [], "ours": []}
    opened = []
    for _ in range(rounds):
        for name, visits in found.items():
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            visits.append(first_visit(page, name))
            if name == "ours":
                opened += [frame_of(page, view) for view in OPENED]
            page.context.close()
    for name, visits in found.items():
        requests, kilobytes, paint, ready = (statistics.median(column) for column in zip(*visits, strict=True))
        print(
            f"{name:6} {requests:4.0f} requests, {kilobytes:6.0f} kB, first paint {paint:5.2f} s, ready {ready:5.2f} s"
        )
    ours, empty = (statistics.median(visit[2] for visit in found[name]) for name in ("ours", "empty"))
    print(f"first paint beyond an empty page: {ours - empty:.2f} s")
    for what, times in zip(("question", "controls"), zip(*opened, strict=True), strict=True):
        print(f"a view that opens shows its {what} after {statistics.median(times):.2f} s, at most {max(times):.2f} s")


def first_visit(page: Page, name: str) -> tuple[float, float, float, float]:
    """Requests, kB, s until the first paint, s until the page can be used."""
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    begin = time.perf_counter()
    page.goto(address(name))
    page.locator("h1, #example input").first.wait_for(timeout=1000 * PATIENCE)
    ready = time.perf_counter() - begin
    page.wait_for_timeout(2000)
    return len(sizes), sum(sizes) / 1000, page.evaluate(PAINT) / 1000, ready


def frame_of(page: Page, view: str) -> tuple[float, float]:
    """s from a click in the table of contents until the view's question is there, and until its controls are."""
    begin = time.perf_counter()
    page.locator(f"#contents a[data-view='{view}']").click()
    page.locator(f"#view-{view}").wait_for(timeout=1000 * PATIENCE)
    asked = time.perf_counter() - begin
    page.locator(f"#run-{view}").wait_for(timeout=1000 * PATIENCE)
    return asked, time.perf_counter() - begin


if __name__ == "__main__":
    main()
