"""What a run over a corpus costs beside the analysis itself, and how far it goes with memory and restarts.

    python benchmarks/runs.py [--clips 10000] [--rounds 5] [--only overhead | processes | growth]

1. Overhead: `python -m methods run` against bare `analyse` calls over the same recordings, by turns in this process,
   for maps of words (a table of some thousand rows a recording) and probes of every frame (tens of thousands).
2. Clips per minute with one process and with two, by turns, from the first answer to the last (starting them and
   loading their models is told apart).
3. Growth: synthetic clips of one second through a technique that costs nothing, in a process of its own: bookkeeping
   per clip (all that is not decoding and analysing it), memory, restart.

Others may use the machine: of what is done by turns the ratios hold, seconds do not.
"""

import argparse
import inspect
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

from methods import attention, live_probes
from methods.core import corpus as corpora
from methods.core.audio import load_clip
from methods.core.models import load_model, passes
from methods.corpus_run import Ask, engines, run

MODEL = "openai/whisper-tiny.en"
CORPUS = "prompts"  # 55 recordings
WHEN = ("after a tenth", "after all", "with the table")
OPTIONS = {"stacks": ("encoder",), "random_seeds": ()}
TABLES = {attention: OPTIONS, live_probes: {}}  # technique -> options: a large table and a very large one
CLOCKS = ("of the processor", "of the clock")


class Patch:
    """Sets for good what a test would set for a while."""

    def setitem(self, place, name, value):
        place[name] = value


def bare(technique, options) -> None:
    """Read and analyse, nothing else: what the run has to do at least."""
    passes._passes.clear()
    model, takes = load_model(MODEL), inspect.signature(technique.analyse).parameters
    for utterance in corpora.read_folder(corpora.recordings.FOLDER / CORPUS).utterances:
        given = {"segments": utterance.words, "phones": utterance.phones, "words": utterance.words}
        labels = {name: value for name, value in given.items() if name in takes}
        technique.analyse(utterance.clip, model, **labels, **options).table()


def through_run(technique, options) -> None:
    passes._passes.clear()
    with tempfile.TemporaryDirectory() as out:
        done = run([Ask(technique.__name__.removeprefix("methods."), MODEL, options)], CORPUS, out)
    assert done.measured == done.asked, (done.refused, done.bugs)


def overhead(rounds: int) -> None:
    load_model(MODEL)
    for each in TABLES.items():
        bare(*each)  # the first of all pays for what is made once
        turns = [(timed(lambda: bare(*each)), timed(lambda: through_run(*each))) for _ in range(rounds)]  # noqa: B023
        print(f"{each[0].__name__} over “{CORPUS}”, a run's time by that of bare `analyse`, {rounds} turns:")
        for place, name in ((1, CLOCKS[0]), (0, CLOCKS[1])):
            ratios = sorted(second[place] / first[place] for first, second in turns)
            print(f"  {name}: {statistics.median(ratios):.3f} (between {ratios[0]:.3f} and {ratios[-1]:.3f})")


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
        alone = timed(lambda: analysed(folder, min(count, 1000), asked[0].model))
        whole = timed(lambda: run(asked, str(folder), Path(place) / "out", watch=watched))
        marks.append(memory())
        again = timed(lambda: run(asked, str(folder), Path(place) / "out"))
    for name, each, all_in, restart in zip(CLOCKS[::-1], alone, whole, again, strict=True):
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
