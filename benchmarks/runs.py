"""What a run over a corpus costs beside the analysis itself, and how far it goes with memory and restarts.

    python benchmarks/runs.py [--clips 10000] [--rounds 5] [--only overhead | processes | growth]

1. Overhead: `python -m methods run` against bare `analyse` calls over the same recordings, by turns in this process.
2. Clips per minute with one process and with two, by turns, from the first answer to the last (starting them and
   loading their models is told apart).
3. Growth: synthetic clips of one second through a technique that costs nothing, in a process of its own: bookkeeping
   per clip (all that is not decoding and analysing it), memory, restart.

Others may use the machine: of what is done by turns the ratios hold, seconds do not.
"""

import argparse
import resource
import statistics
import subprocess
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
from methods.core.audio import load_clip
from methods.core.models import load_model, passes
from methods.corpus_run import Ask, engines, run

MODEL = "openai/whisper-tiny.en"
CORPUS = "prompts"  # 55 recordings
WHEN = ("after a tenth", "after all", "with the table")
OPTIONS = {"stacks": ("encoder",), "random_seeds": ()}


class Patch:
    """Sets for good what a test would set for a while."""

    def setitem(self, place, name, value):
        place[name] = value


def bare() -> float:
    """Read and analyse, nothing else: what the run has to do at least."""
    passes._passes.clear()
    begin, model = time.perf_counter(), load_model(MODEL)
    for utterance in corpora.read_folder(corpora.recordings.FOLDER / CORPUS).utterances:
        attention.analyse(utterance.clip, model, segments=utterance.words, **OPTIONS).table()
    return time.perf_counter() - begin


def through_run() -> float:
    passes._passes.clear()
    with tempfile.TemporaryDirectory() as out:
        return run([Ask("attention", MODEL, OPTIONS)], CORPUS, out).seconds


def overhead(rounds: int) -> None:
    load_model(MODEL)
    bare()  # the first of all pays for what is made once
    pairs = [(bare(), through_run()) for _ in range(rounds)]
    ratios = sorted(second / first for first, second in pairs)
    print(f"attention over “{CORPUS}”, a run's time by that of bare `analyse`: {statistics.median(ratios):.3f}")
    print(f"  (median of {rounds} turns, which lie between {ratios[0]:.3f} and {ratios[-1]:.3f})")


def paced(count: int) -> tuple[float, float]:
    """Clips per minute once all processes answer, and seconds until the first answer."""
    marks = []

    def watched(outcomes, _count):
        for outcome in outcomes:
            marks.append(time.perf_counter())
            yield outcome

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        run([Ask("attention", MODEL, OPTIONS)], CORPUS, out, engine=engines.processes(count), watch=watched)
    started = marks[count]  # every process has loaded its model
    return 60 * (len(marks) - 1 - count) / (marks[-1] - started), marks[0] - begin


def processes(rounds: int) -> None:
    found = [(paced(1), paced(2)) for _ in range(rounds)]
    one, two = (statistics.median(each[place][0] for each in found) for place in (0, 1))
    ratio = statistics.median(second[0] / first[0] for first, second in found)
    start = statistics.median(first[1] for first, _ in found)
    print(f"clips a minute: {one:.0f} with one process, {two:.0f} with two; ratio {ratio:.2f}; start {start:.1f} s")


def growth(count: int) -> None:
    doubles.register(Patch())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "corpus"
        folder.mkdir()
        sound = 0.1 * np.sin(2 * np.pi * 100 * np.arange(16_000) / 16_000)
        for number in range(count):
            soundfile.write(folder / f"{number:06d}.wav", sound * (1 + number / count), 16_000, subtype="PCM_16")
        asked, marks = [Ask("loudness", MODEL)], []

        def watched(outcomes, _count):
            for number, outcome in enumerate(outcomes):
                yield outcome
                if number in (count // 10, count - 1):
                    marks.append(memory())

        analysed(folder, 10, asked[0].model)  # loads the model
        bare = timed(lambda: analysed(folder, min(count, 1000), asked[0].model))
        whole = timed(lambda: run(asked, str(folder), Path(place) / "out", watch=watched))
        marks.append(memory())
        again = timed(lambda: run(asked, str(folder), Path(place) / "out"))
    for name, each, all_in, restart in zip(("of the clock", "of the processor"), bare, whole, again, strict=True):
        least, spent = 1000 * each / min(count, 1000), 1000 * all_in / count
        print(f"{count} clips, time {name}: {spent:.2f} ms each, {least:.2f} ms of them to decode and analyse, so")
        print(f"  {spent - least:.2f} ms of bookkeeping; a restart {restart:.1f} s")
    print("memory: " + ", ".join(f"{size:.0f} MB {when}" for size, when in zip(marks, WHEN, strict=True)))


def timed(work) -> tuple[float, float]:
    """Seconds of the clock, and of the processor: the latter hardly change when others use the machine."""
    begin = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin[0], time.process_time() - begin[1]


def memory() -> float:
    """Megabytes that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def analysed(folder: Path, count: int, name: str) -> None:
    """The same without any run."""
    model = load_model(name)
    for path in sorted(folder.iterdir())[:count]:
        doubles.analyse(load_clip(path), model).table()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("overhead", "processes", "growth"))
    asked = parser.parse_args()
    if asked.only in (None, "overhead"):
        overhead(asked.rounds)
    if asked.only in (None, "processes"):
        processes(asked.rounds)
    if asked.only == "growth":
        growth(asked.clips)
    elif asked.only is None:  # the most memory of a process never falls: this one has held spectra of Whisper
        subprocess.run([sys.executable, __file__, "--only", "growth", "--clips", str(asked.clips)], check=True)
