"""What a run over a corpus costs beside the analysis itself, and how far it goes with memory and restarts.

    python benchmarks/runs.py [--clips 10000] [--minutes 1]

1. Overhead: `python -m methods run` against bare `analyse` calls over the same recordings, by turns in this process.
2. Clips per minute with one process and with two.
3. Growth: synthetic clips of one second through a technique that costs nothing: bookkeeping per clip, memory, restart.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from corpus_run import doubles

from methods import attention
from methods.core import corpus as corpora
from methods.core.models import load_model, passes
from methods.corpus_run import Ask, engines, run

MODEL = "openai/whisper-tiny.en"
OPTIONS = {"stacks": ("encoder",), "random_seeds": ()}


class Patch:
    """Sets for good what a test would set for a while."""

    def setitem(self, place, name, value):
        place[name] = value


def bare() -> float:
    begin, model = time.perf_counter(), load_model(MODEL)
    for utterance in corpora.read_folder(corpora.recordings.FOLDER / "voices").utterances:
        attention.analyse(utterance.clip, model, segments=utterance.words, **OPTIONS).table()
    return time.perf_counter() - begin


def through_run(engine=engines.here) -> float:
    with tempfile.TemporaryDirectory() as out:
        return run([Ask("attention", MODEL, OPTIONS)], "voices", out, engine=engine).seconds


def forget() -> None:
    passes._passes.clear()


def overhead(rounds: int = 5) -> None:
    load_model(MODEL)
    pairs = []
    for _ in range(rounds):
        forget()
        first = bare()
        forget()
        pairs.append((first, through_run()))
    ratio = statistics.median(b / a for a, b in pairs)
    clips = len(corpora.bundled("voices").utterances)
    print(f"attention, {clips} clips: bare {pairs[-1][0]:.2f} s, run {pairs[-1][1]:.2f} s; median ratio {ratio:.3f}")
    for count in (1, 2):
        seconds = through_run(engines.processes(count))
        print(f"{count} process(es), start included: {60 * clips / seconds:.0f} clips a minute")


def growth(count: int) -> None:
    doubles.register(Patch())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "corpus"
        folder.mkdir()
        sound = 0.1 * np.sin(2 * np.pi * 100 * np.arange(16_000) / 16_000)
        for number in range(count):
            soundfile.write(folder / f"{number:06d}.wav", sound * (1 + number / count), 16_000, subtype="PCM_16")
        asked = [Ask("loudness", MODEL)]
        marks = []

        def watched(outcomes, _count):
            for number, outcome in enumerate(outcomes):
                yield outcome
                if number in (count // 10, count - 1):
                    marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)

        first = run(asked, str(folder), Path(place) / "out", watch=watched)
        again = run(asked, str(folder), Path(place) / "out")
        print(
            f"{count} clips: {1000 * first.seconds / count:.2f} ms each, all included; restart {again.seconds:.1f} s"
        )
        print(f"memory {marks[0]:.0f} MB after a tenth, {marks[1]:.0f} MB at the end")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    asked = parser.parse_args()
    overhead()
    growth(asked.clips)
