"""How fast is the decoder lens? Every encoder layer of a model decoded at once, against layer-by-layer `generate`.

    python benchmarks/decoder_lens.py [--models NAME ...] [--repeats N] [--clip FILE] [--threads N]

Both sides get the same encoder states (final LayerNorm applied), the same prompt, the same suppressed tokens and the
same cap, and decode greedily; the encoder's pass is in neither. They take turns in one process, so that a busy
machine slows both alike. Absolute times are this machine's; the ratios are the message.

    generate      transformers' own loop on `encoder_outputs`, one call per layer
    ours          one loop for all layers (`decoder.greedy`)
    whole result  decoder_lens.analyse without controls, on a clip it has not seen: encoder passes included
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np
import torch
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from methods import decoder_lens
from methods.core import models
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples, load_clip
from methods.core.lenses import decoder
from methods.core.models.speech_model import SpeechModel

EXAMPLE = ROOT / "examples_audio" / "cc-by-sa-3.0" / "en_f_question.wav"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", nargs="+", default=["openai/whisper-tiny.en", "openai/whisper-base"])
    options.add_argument("--repeats", type=int, default=3, help="interleaved rounds")
    options.add_argument("--clip", type=Path, default=EXAMPLE)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    logging.set_verbosity_error()  # generate warns about each setting that it is given
    clip = load_clip(chosen.clip)
    for name in chosen.models:
        report(name, clip, chosen.threads, chosen.repeats)


def report(name: str, clip: Clip, threads: int, repeats: int) -> None:
    model = load_once(name, threads)
    heard = models.transcribe(clip, model)
    states = decoder.readable(model, decoder.streams(clip, model))
    cap = max(decoder_lens.SHORTEST_CAP, 2 * len(heard.tokens))
    unseen = iter(range(1, 1_000_000))
    variants: dict[str, Callable[[], list[tuple[int, ...]]]] = {
        "generate": lambda: [generated(model, state, heard.prompt, cap) for state in states],
        "ours": lambda: [written.tokens for written in decoder.greedy(model, states, heard.prompt, cap)],
        "whole result": lambda: whole(slightly_other(clip, next(unseen)), model),
    }
    texts = {label: run() for label, run in variants.items()}  # also the warm-up
    times = interleaved(variants, repeats)
    same = [a == b for a, b in zip(texts["generate"], texts["ours"], strict=True)]
    print(f"\n{name}, {threads} thread(s), {clip.seconds:.1f} s, {len(states)} layers, {repeats} rounds, cap {cap}")
    print(
        f"tokens per layer: {[len(tokens) for tokens in texts['ours']]}; equal to generate: {sum(same)} of {len(same)}"
    )
    print(f"{'':15}{'median s':>10}{'min s':>10}{'x generate':>12}{'x (min)':>9}")
    for label, taken in times.items():
        ratio = statistics.median(times["generate"]) / statistics.median(taken)
        least = min(times["generate"]) / min(taken)
        print(f"{label:15}{statistics.median(taken):10.3f}{min(taken):10.3f}{ratio:12.1f}{least:9.1f}")


def load_once(name: str, threads: int) -> SpeechModel:
    model = models.load_model(name)  # chooses a number of threads of its own
    torch.set_num_threads(threads)
    return model


@torch.inference_mode()
def generated(model: SpeechModel, state: torch.Tensor, prompt: tuple[int, ...], cap: int) -> tuple[int, ...]:
    """Text tokens that transformers' greedy loop makes of one layer's state."""
    decoding = model.decoding
    ids = model.network.generate(
        encoder_outputs=BaseModelOutput(state[None]),
        decoder_input_ids=torch.tensor([prompt]),
        max_new_tokens=cap,
        do_sample=False,
        num_beams=1,
        suppress_tokens=list(decoding.suppressed),
        begin_suppress_tokens=list(decoding.suppressed_first),
        return_timestamps=False,
    )[0].tolist()
    tokens = ids[len(prompt) :] if tuple(ids[: len(prompt)]) == prompt else ids
    return tuple(tokens[: tokens.index(decoding.end)] if decoding.end in tokens else tokens)


def whole(clip: Clip, model: SpeechModel) -> list[tuple[int, ...]]:
    decoder_lens.analyse(clip, model, random_seeds=())
    return []


def interleaved(variants: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of each variant in each round; a round runs all of them once."""
    times: dict[str, list[float]] = {label: [] for label in variants}
    for _ in range(repeats):
        for label, run in variants.items():
            start = time.perf_counter()
            run()
            times[label].append(time.perf_counter() - start)
    return times


def slightly_other(clip: Clip, number: int) -> Clip:
    """The same clip but for a part in a million of its loudness: another one to the cache, not to the ear."""
    return clip_from_samples(clip.samples * np.float32(1 - 1e-6 * number), SAMPLE_RATE, clip.name)


if __name__ == "__main__":
    main()
