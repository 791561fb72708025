"""How far are word times by cross-attention from forced alignment, and what do they cost?

    python benchmarks/word_times.py --models openai/whisper-tiny.en openai/whisper-base

The bundled recordings of both corpora, their TextGrids (forced alignment, about 20 ms) taken for true. Every second
recording serves to measure the lag, the others to test it. OpenAI's recipe (whisper/timing.py) stands beside: word
pieces, published heads, z-scores over tokens, median of seven, DTW; its first word starts at 0 by construction.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import scipy.ndimage
import torch

from methods.core import corpus as corpora
from methods.core import models
from methods.core.alignment import characters, dtw_path
from methods.core.audio import Clip
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.whisper import sites
from methods.core.speech.words import text_words

FRAME = 0.02  # s
Times = np.ndarray  # (words, 2) s


@dataclass
class Found:
    """Differences from the truth, a row a word, start and end, and what they cost."""

    errors: list[np.ndarray] = field(default_factory=list)  # one entry per recording
    seconds: float = 0.0  # of processor


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", nargs="+", default=["openai/whisper-tiny.en", "openai/whisper-base"])
    options.add_argument("--recordings", type=int, help="only so many, the first ones")
    torch.set_num_threads(1)
    chosen = options.parse_args()
    for name in chosen.models:
        report(models.load_model(name), chosen.recordings)


def report(model: SpeechModel, most: int | None) -> None:
    kept, raw = characters.lag_of(model), {"OpenAI's": Found(), "characters, raw": Found(), "characters": Found()}
    for utterance in [each for name in ("prompts", "voices") for each in corpora.bundled(name).utterances][:most]:
        measure(model, utterance.clip, utterance.words, raw)
    print(f"\n{model.id}: the lag taken off is {kept}")
    measured = np.concatenate(raw["characters, raw"].errors[::2]).mean(0) / FRAME
    print(f"lag of the first half: starts {measured[0]:+.2f} frames, ends {measured[1]:+.2f}")
    print("                                   words    median   within 0.1 s      bias   processor (s)")
    for name, found in raw.items():
        for side, edge in enumerate(("starts", "ends")):
            for half, part in (("measured on", found.errors[::2]), ("tested on", found.errors[1::2])):
                off = np.concatenate(part)[:, side]
                print(
                    f"{name:16} {edge:6} {half:12}{len(off):5}{1000 * np.median(abs(off)):7.0f} ms"
                    f"{(abs(off) < 0.1001).mean():14.1%}{1000 * off.mean():+7.0f} ms{found.seconds:12.1f}"
                )


def measure(model: SpeechModel, clip: Clip, truth: tuple, into: dict[str, Found]) -> None:
    text = " ".join(word.label for word in truth).capitalize() + "."
    language = "en" if model.decoding.languages else None
    heard = models.transcribe(clip, model, text=text, language=language)
    states, own = models.encoder_states(clip, model, keep=False).output, models.frame_grid(clip, model).frames
    wanted = np.array([[word.start, word.end] for word in truth])

    def new() -> Times:
        words = characters.words_in_states(heard, model, states, own, clip.seconds)
        return np.array([[word.start, word.end] for word in words])

    def without_lag() -> Times:
        known = dict(characters.MEASURED)
        characters.MEASURED.clear()
        try:
            return new()
        finally:
            characters.MEASURED.update(known)

    recipes = (lambda: openai_times(model, heard, states, own), without_lag, new)
    for found, recipe in zip(into.values(), recipes, strict=True):
        begun = time.process_time()
        times = recipe()
        found.seconds += time.process_time() - begun
        found.errors.append(times - wanted)


def openai_times(model: SpeechModel, heard: Transcript, states: torch.Tensor, own: int) -> Times:
    """(words, 2) s by whisper/timing.py."""
    read = sites.decoder_pass(model.network, states, heard.ids, own)
    maps = [read.cross_sites[layer].weights()[head, :, :own].numpy() for layer, head in model.decoding.alignment_heads]
    weights = np.stack(maps).astype(float)
    weights /= weights.sum(-1, keepdims=True)
    scores = (weights - weights.mean(1, keepdims=True)) / weights.std(1, keepdims=True)
    rows, frames = dtw_path(
        -scipy.ndimage.median_filter(scores, (1, 1, 7), mode="mirror").mean(0)[len(heard.prompt) - 1 :]
    )
    starts = frames[np.flatnonzero(np.diff(rows, prepend=-1))] * FRAME
    first = len(heard.prompt)
    spans = [word.tokens for word in text_words(heard)]
    return np.array([[starts[span.start - first], starts[span.stop - first]] for span in spans])


if __name__ == "__main__":
    main()
