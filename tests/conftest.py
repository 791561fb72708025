"""Shared fixtures: tiny random models in a folder like a hub snapshot, and clips that need no file."""

import os
from collections.abc import Iterator

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("SPEECH_THREADS", "1")  # the same sums on every machine
# Each process of the run has a core: threads of NumPy's would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import matplotlib
import numpy as np
import pytest
from snapshot import save_whisper

from methods.core.audio import Clip, clip_from_samples
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.models.speech_model import SpeechModel
from tiny import tiny_whisper


@pytest.fixture(scope="session", autouse=True)
def _no_writing_into_the_users_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hidden states that are kept on disk go to a folder of this run, and none of an earlier run are read.

    All processes of the run share it, as two apps on one machine do: the bundled recordings are encoded once.
    """
    matplotlib.get_cachedir()  # settled before: in an empty folder it would look for all fonts again
    with pytest.MonkeyPatch.context() as patch:
        own = tmp_path_factory.getbasetemp()
        patch.setenv("XDG_CACHE_HOME", str((own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "cache"))
        yield


@pytest.fixture(scope="session")
def clip() -> Clip:
    """1.3 s of a gliding tone in noise: 65 Whisper frames, nothing periodic in them."""
    times = np.arange(20_800) / 16_000
    noise = np.random.default_rng(0).normal(size=times.size)
    return clip_from_samples(0.3 * np.sin(2 * np.pi * (200 + 300 * times) * times) + 0.05 * noise, 16_000, "glide")


@pytest.fixture(scope="session")
def segments() -> tuple[Segment, ...]:
    """Words of unequal length with a pause between the second and the third."""
    bounds = ((0.0, 0.22), (0.22, 0.3), (0.5, 0.95), (0.95, 1.3))
    return tuple(Segment(label, start, end) for label, (start, end) in zip("abcd", bounds, strict=True))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> SpeechModel:
    """A random two-layer Whisper loaded from a local folder, as a user's own model would be."""
    return load_model(str(save_whisper(tiny_whisper(seed=1), tmp_path_factory.mktemp("tiny-whisper"))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy two-core machine may miss a beat: such a test may try twice more, and only such a test."""
    wanted = os.environ.get("LONG_TESTS")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=2))
        if item.get_closest_marker("long") and not wanted:
            item.add_marker(pytest.mark.skip(reason="takes over 20 s of processor; LONG_TESTS=1 runs it"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a test was tried again: one that passes the second time would take its reason with it."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.write_sep("-", f"tried again: {report.nodeid}")
        lines = report.longreprtext.splitlines()
        said = [line for line in lines if line.startswith("E ")][:8]
        terminalreporter.write_line("\n".join([line for line in lines if line.startswith("tests/")] + said))
