"""A server that runs for weeks: files go in time, visitors who have left are forgotten, an end is quick and silent."""

import datetime
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio import networking

import app
from page import upkeep

ROOT = Path(__file__).parents[2]
NOW = datetime.datetime(2026, 1, 1, 12)


class Growing(set):
    """Uploads that go on coming while the list is read."""

    comes = 3

    def __iter__(self):
        for path in set(self):
            if Growing.comes:
                Growing.comes -= 1
                raise RuntimeError("Set changed size during iteration")
            yield path


def test_an_upload_at_the_wrong_moment_keeps_no_recording(tmp_path):
    recording = tmp_path / "voice.wav"
    recording.write_bytes(b"sound")
    page = SimpleNamespace(blocks={}, temp_file_sets=[Growing([str(recording)])])
    assert upkeep.delete_files(page, 3600) and recording.exists()  # not old enough
    Growing.comes = 3
    assert upkeep.delete_files(page, None) and not recording.exists()
    Growing.comes = 10**9
    page.temp_file_sets = [Growing(["never"])]
    assert not upkeep.delete_files(page, None)  # given up for now; another round comes


def holding(minutes):
    """A page whose visitors left so many minutes ago; those of a negative number are still there."""
    with gr.Blocks() as page:
        gr.State(None)
    state = {str(n): SimpleNamespace(is_closed=age >= 0) for n, age in enumerate(minutes)}
    used = {str(n): NOW - datetime.timedelta(minutes=abs(age)) for n, age in enumerate(minutes)}
    lock = threading.Lock()
    page.app = SimpleNamespace(state_holder=SimpleNamespace(session_data=state, time_last_used=used, lock=lock))
    page._queue.pending_event_ids_session = {"0": {"event"}}
    return page


def test_who_has_left_is_forgotten_after_a_while_and_who_is_there_is_not():
    page = holding([20, 3, -300, -800, 0])
    assert upkeep.forget_gone(page, NOW) == 2
    assert list(page.app.state_holder.session_data) == ["1", "2", "4"] == list(page.app.state_holder.time_last_used)
    assert not page._queue.pending_event_ids_session


def test_of_many_who_left_the_last_fifty_may_come_back():
    page = holding([2 + n / 100 for n in range(200)] + [0.1] * 60)
    upkeep.forget_gone(page, NOW)
    kept = page.app.state_holder.session_data
    assert len(kept) == 60 and set(kept) == {str(200 + n) for n in range(60)}  # too young even for that


def test_a_machine_that_is_slow_to_make_its_first_page_opens_all_the_same(monkeypatch):
    """Gradio asks for the page itself once more, waits 3 s, and says that localhost is not accessible."""
    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    with gr.Blocks() as page:
        gr.Markdown("Here.")
    try:
        address = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **app.LAUNCH)[1]
        assert b"Here." in urllib.request.urlopen(address, timeout=30).read()
    finally:
        page.close(verbose=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The app as `python app.py` starts it; where it listens, the process, and where its files are."""
    place = tmp_path_factory.mktemp("gradio")
    env = os.environ | {"GRADIO_TEMP_DIR": str(place), "HF_HUB_OFFLINE": "1", "SPEECH_THREADS": "1"}
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([sys.executable, "-u", "app.py"], cwd=ROOT, env=env, **told)
    line = process.stdout.readline()
    yield line.split()[-1], process, place
    process.kill()


def test_no_link_writes_a_visitors_state_and_the_end_is_quick_silent_and_leaves_no_file(served):
    address, process, place = served
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}/gradio_api/deep_link?session_hash=x", timeout=30)
    page = urllib.request.urlopen(urllib.request.Request(address, headers={"Accept-Encoding": "gzip"}), timeout=30)
    packed = page.read()
    assert page.headers["Content-Encoding"] == "gzip" and len(packed) < 0.2 * len(gzip.decompress(packed))
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="voice.wav"\r\n\r\nsound\r\n--b--\r\n'
    about = {"Content-Type": "multipart/form-data; boundary=b"}
    urllib.request.urlopen(urllib.request.Request(f"{address}/gradio_api/upload", body, about), timeout=30).read()
    assert list(place.rglob("voice.wav"))
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - begin < 5
    assert "Traceback" not in process.stdout.read()
    assert not list(place.rglob("voice.wav")) and not list(place.rglob("state.json"))
