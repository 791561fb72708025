"""A technique that costs nothing, a set of recordings to run it over, and jobs that die."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import soundfile

import methods
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import Result, provenance, read_only
from methods.corpus_run.engines import alone
from methods.corpus_run.measure import Outcome, Task

RATE = 16_000  # Hz


@dataclass(frozen=True, eq=False, kw_only=True)
class Loudness(Result):
    """Root mean square times `gain`, in as many layers."""

    level: np.ndarray  # (layers,)

    def table(self) -> pd.DataFrame:
        return pd.DataFrame({"layer": np.arange(1, len(self.level) + 1), "level": self.level})


@analysis({"gain": (0, 10)})
def analyse(clip: Clip, model: SpeechModel, *, gain: float = 1.0, layers: int = 2, fail: str = "") -> Steps[Loudness]:
    """How loud is it?"""
    yield Step(0.0, "once")
    if fail and fail in clip.name:
        raise UserError(f"“{clip.name}” is too loud; turn it down.")
    if clip.name.startswith("bug"):
        raise ZeroDivisionError("planted")
    level = gain * float(np.sqrt(np.mean(clip.samples.astype(float) ** 2)))
    origin = provenance("loudness", clip, model, gain=gain)
    return Loudness(provenance=origin, level=read_only(level * np.arange(1, layers + 1)))


def register(monkeypatch) -> None:
    """Put the technique beside the real ones."""
    module = ModuleType("methods.loudness", "**How loud?**")
    module.analyse, module.__file__ = analyse, str(Path(methods.__file__).with_name("attention.py"))
    monkeypatch.setitem(sys.modules, "methods.loudness", module)
    monkeypatch.setitem(methods.TECHNIQUES, "loudness", ("Feature importance", "Loudness"))


def recordings(folder: Path, amplitudes: dict[str, float], seconds: float = 0.2) -> Path:
    """Sines: the root mean square of each is its amplitude / √2."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(RATE * seconds)) / RATE
    for name, amplitude in amplitudes.items():
        soundfile.write(folder / f"{name}.wav", amplitude * np.sin(2 * np.pi * 100 * times), RATE, subtype="FLOAT")
    return folder


def dies_once(task: Task) -> Outcome:
    """Kill the process at the first recording whose mark is not there yet: what a lack of memory does."""
    mark = Path(os.environ["MARKS"]) / task.source.title
    if task.source.title == "b" and not mark.exists():
        mark.touch()
        os._exit(9)
    return alone(task)


def dies(task: Task) -> Outcome:
    """At “b” once; at “c” each time, but not before “b”, whose death would else be taken for the second one."""
    if task.source.title == "c":
        while not (Path(os.environ["MARKS"]) / "b").exists():
            time.sleep(0.01)  # s
        os._exit(9)
    return dies_once(task)
