"""How long do the interventions take until the first row, the whole map, and all controls are there?

    python benchmarks/interventions.py --models openai/whisper-tiny.en

Targets, on two idle cores, whisper-tiny.en, a clip of 3 s with six words: causal tracing of all layers in the exact
window shows its first row after 3 s, its map after 15 s and all controls after 60 s; 72 heads switched off after 20 s
and all controls after 60 s; erasure of phones, the states of the corpus being cached, after 5 s and 30 s; no step
longer than about a second. `process` is processor time of all threads, which a
busy machine hardly changes: with two threads the wall clock of an idle machine shows a good half of it.

Compared with a hook on the plain network, which runs all layers and the decoder's keys and values anew each time.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

from methods import causal_tracing, erasure, head_ablation
from methods.core import corpus as corpora
from methods.core import models
from methods.core.alignment import read_textgrid
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples, load_clip
from methods.core.corpus import features
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps, finish
from methods.core.results import Result

EXAMPLE = ROOT / "examples_audio" / "cc-by-sa-3.0" / "en_f_weasels.wav"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", nargs="+", default=["openai/whisper-tiny.en"])
    options.add_argument("--threads", type=int, help="default: measured, as in the app")
    chosen = options.parse_args()
    if chosen.threads:
        os.environ["SPEECH_THREADS"] = str(chosen.threads)
    clip = slightly_other(load_clip(EXAMPLE))
    tiers = read_textgrid(EXAMPLE.with_suffix(".TextGrid").read_bytes())
    words = tuple(segment for segment in tiers["words"] if segment.label.strip())
    for name in chosen.models:
        report(load_model(name), clip, words)


def report(model: SpeechModel, clip: Clip, words: tuple[Segment, ...]) -> None:
    models.transcribe(clip, model)  # the page has it already
    print(f"\n{model.id}, {torch.get_num_threads()} thread(s), {clip.seconds:.1f} s, {len(words)} words")
    print(f"{'':16}{'first row':>16}{'whole map':>16}{'all controls':>16}{'longest step':>16}   (wall / process, s)")
    timed("causal tracing", causal_tracing.analyse.in_steps(clip, model, segments=words), lambda r: r.patched)
    timed("head ablation", head_ablation.analyse.in_steps(clip, model), all_losses)
    corpus = corpora.bundled("prompts")
    for each in (model, models.random_twin(model, 0)):
        finish(features.of_model(corpus, each, window="full", subtract_silence=False))
    timed("erasure", erasure.analyse.in_steps(corpus, model, clip=clip), lambda r: r.loss)
    print(f"one run by a hook, every layer and the whole decoder: {hooked(model, clip):.2f} s process")


def all_losses(result: head_ablation.HeadAblation) -> np.ndarray:
    return np.concatenate([values.ravel() for values in result.losses.values()])


def timed(name: str, steps: Steps[Result], numbers: Callable[[Result], np.ndarray]) -> None:
    """Run to the end and print when something, the whole map and everything was there."""
    begun = before = now()
    first = whole = longest = np.zeros(2)
    while True:
        try:
            step = next(steps)
        except StopIteration:
            break
        taken, before = now() - before, now()
        longest = np.maximum(longest, taken)
        if step.partial is not None and not first.any():
            first = now() - begun
        if step.partial is not None and not whole.any() and np.isfinite(numbers(step.partial)).all():
            whole = now() - begun
    parts = [f"{wall:.1f} / {process:.1f}" for wall, process in (first, whole, now() - begun, longest)]
    print(f"{name:16}" + "".join(f"{part:>16}" for part in parts))


def now() -> np.ndarray:
    """(2,) s: wall clock and processor time."""
    return np.array([time.perf_counter(), time.process_time()])


@torch.inference_mode()
def hooked(model: SpeechModel, clip: Clip, runs: int = 5) -> float:
    """Mean processor time (s) of one run with a module's output replaced by a hook."""
    text, features = models.transcribe(clip, model), whisper.features(model, clip.samples)
    block = model.network.model.encoder.layers[-1]
    handle = block.register_forward_hook(lambda _module, _inputs, output: output)
    begun = time.process_time()
    for _ in range(runs):
        model.network(features, decoder_input_ids=torch.tensor([text.ids]))
    handle.remove()
    return (time.process_time() - begun) / runs


def slightly_other(clip: Clip) -> Clip:
    """The same clip but for a part in a million of its loudness: another one to the caches, not to the ear."""
    return clip_from_samples(clip.samples * np.float32(1 - 1e-6), SAMPLE_RATE, clip.name)


if __name__ == "__main__":
    main()
