"""For how long does each technique hold the machine between two places where it can be stopped?

    python benchmarks/longest_step.py [TECHNIQUE ...] [--model NAME] [--clip FILE] [--most SECONDS] [--threads N]

Every technique runs with its defaults on a clip of 3 s, or on the bundled prompts, in a process that has seen neither.
Times are seconds of this process's own work, so that a busy machine changes them little. The page can stop a run, and
let another visitor in, between two steps: a step holds the machine about a second at most.

    work      all that was measured, at most `--most`
    longest   the longest stretch between two steps, and the two that lie further down
    after     what the step before it said, and how far it had come
"""

import argparse
import inspect
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from methods import TECHNIQUES, technique
from methods.core import corpus, models
from methods.core.alignment.forced import forced_alignment
from methods.core.audio import Clip, load_clip
from methods.core.models.speech_model import SpeechModel
from methods.core.models.threads import choose_threads
from methods.core.progress import Step, Steps

EXAMPLE = ROOT / "examples_audio" / "cc-by-sa-3.0" / "en_f_weasels.wav"
TEXT = "Weasels have eaten our phone system."
LONG = 1.0  # s, marked
SHOWN = 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("techniques", nargs="*", default=list(TECHNIQUES))
    options.add_argument("--model", default="openai/whisper-tiny.en")
    options.add_argument("--clip", type=Path, default=EXAMPLE)
    options.add_argument("--most", type=float, default=120.0, help="s of work for each technique")
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    print(f"{'technique':22} {'steps':>5} {'work':>7}   longest, after what")
    for name in chosen.techniques:
        # A process and a cache of its own: what another technique has left would hide a step.
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            asked = (name, chosen.model, chosen.clip, chosen.most, chosen.threads)
            worker = multiprocessing.get_context("spawn").Process(target=report, args=asked)
            worker.start()
            worker.join()


def report(name: str, model_id: str, path: Path, most: float, threads: int) -> None:
    os.environ["SPEECH_THREADS"] = str(threads)
    choose_threads()
    clip, model, module = load_clip(path), models.load_model(model_id), technique(name)
    gaps = measured(lambda: started(module, clip, model), most)
    work, first = sum(gap for gap, _ in gaps), True
    for gap, step in sorted(gaps, key=lambda pair: -pair[0])[:SHOWN]:
        head = f"{name:22} {len(gaps):5} {work:7.1f}" if first else " " * 36
        said = f"{step.done:4.0%} {step.text}" if step else "   before the first"
        print(f"{head}   {gap:5.2f}{' !' if gap > LONG else '  '} {said}", flush=True)
        first = False


def measured(begin: Callable[[], Steps], most: float) -> list[tuple[float, Step | None]]:
    """(s of work, the step before it) of each stretch between steps."""
    gaps: list[tuple[float, Step | None]] = []
    steps, step, started_at = begin(), None, time.process_time()
    while started_at is not None:
        try:
            following, ended = next(steps), False
        except StopIteration:
            following, ended = None, True
        now = time.process_time()
        gaps.append((now - started_at, step))
        step = following
        started_at = None if ended or sum(gap for gap, _ in gaps) > most else time.process_time()
    return gaps


def started(module: ModuleType, clip: Clip, model: SpeechModel) -> Steps:
    """The technique with its defaults, on the clip with its known text or on the bundled prompts."""
    taken = inspect.signature(module.analyse).parameters
    if next(iter(taken)) == "corpus":
        return module.analyse.in_steps(corpus.bundled("prompts"), model)
    asked = {name for name, one in taken.items() if one.kind is one.KEYWORD_ONLY and one.default is one.empty}
    known = {"segments": forced_alignment(clip, TEXT).phones, "cue": "our", "target": "phone"}
    return module.analyse.in_steps(clip, model, **{name: known[name] for name in asked})


if __name__ == "__main__":
    main()
