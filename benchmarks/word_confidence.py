"""How fast is word confidence, and does evidence from the sound tell speech from what a model makes up?

    python benchmarks/word_confidence.py [--models NAME ...] [--repeats N] [--threads N]

Prints two tables for each model.

    time        s until the first picture and until all controls, of a 3 s clip. “cold”: a clip that was never heard,
                networks with random weights that are not made yet; “heard”: as on the page, where the model has
                transcribed the clip before a tab is opened, and another clip has been looked at. Target on two idle
                cores, whisper-tiny.en: 1 s and 3 s.
    evidence    of every word over the example clips, nats: quartiles, and the share under 1 nat, for clips in which
                somebody speaks and for those in which nobody does.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np
import torch

from methods import word_confidence
from methods.core import models
from methods.core.audio import Clip, load_clip
from methods.core.models.speech_model import SpeechModel
from methods.core.models.threads import choose_threads

FOLDER = ROOT / "examples_audio"
WEASELS = FOLDER / "cc-by-sa-3.0/en_f_weasels.wav"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["openai/whisper-tiny.en", "openai/whisper-base", "hama-ctc"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    chosen = parser.parse_args()
    print(f"{choose_threads() if chosen.threads is None else chosen.threads} thread(s)")
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    for name in chosen.models:
        model = models.load_model(name)
        print(f"\n{name}")
        _times(model, chosen.repeats)
        _evidence(model)


def _times(model: SpeechModel, repeats: int) -> None:
    speech = load_clip(WEASELS)
    print("time (s)            first picture   all controls   the same in s of processor")
    _line("cold", _run(speech, model))
    heard = []
    for number in range(repeats):
        # Another clip each time, to the ear the same one.
        clip = Clip(speech.samples * np.float32(1 - (number + 1) / 1000), f"{speech.name} {number}")
        if model.writes_text:
            models.transcribe(clip, model)
        heard.append(_run(clip, model))
    _line("heard, median", [statistics.median(column) for column in zip(*heard, strict=True)])


def _line(name: str, taken: Sequence[float]) -> None:
    print(f"  {name:17} {taken[0]:13.2f}   {taken[1]:12.2f}   {taken[2]:12.2f}   {taken[3]:12.2f}")


def _run(clip: Clip, model: SpeechModel) -> list[float]:
    """s until the first picture and until the end, by the clock and then by the processor, all threads together."""
    begun, first = np.array([time.perf_counter(), time.process_time()]), None
    for step in word_confidence.analyse.in_steps(clip, model):
        if first is None and step.partial is not None:
            first = np.array([time.perf_counter(), time.process_time()]) - begun
    last = np.array([time.perf_counter(), time.process_time()]) - begun
    return [first[0], last[0], first[1], last[1]]


def _evidence(model: SpeechModel) -> None:
    with (FOLDER / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    print("evidence (nats)     words    25%    50%    75%   under 1   probability under 50%")
    for name, wanted in (("speech", False), ("no speech", True)):
        languages = ("none",) if wanted else _languages(model)
        clips = [load_clip(FOLDER / row["file"]) for row in rows if row["language"] in languages]
        results = [_judged(clip, model) for clip in clips]
        words = [result for result in results if result is not None]
        doubtful = np.concatenate([result.certainty() < 0.5 for result in words] or [np.zeros(0)])
        for baseline in word_confidence.BASELINES:
            values = np.concatenate([result.word_evidence(baseline) for result in words] or [np.zeros(0)])
            if len(values):
                quartiles = "".join(f"{value:8.1f}" for value in np.quantile(values, (0.25, 0.5, 0.75)))
                shares = f"{(values < 1).mean():10.0%}   {doubtful.mean():22.0%}"
                print(f"  {name:9} {baseline:8}{len(values):5}{quartiles}{shares}")


def _languages(model: SpeechModel) -> tuple[str, ...]:
    return ("en", "fr") if model.writes_text and model.decoding.languages else ("en",)


def _judged(clip: Clip, model: SpeechModel) -> word_confidence.WordConfidence | None:
    """None where a CTC model hears nothing, which is what it should hear where nobody speaks."""
    try:
        return word_confidence.analyse(clip, model, random_seeds=())
    except word_confidence.NothingHeardError:
        return None


if __name__ == "__main__":
    main()
