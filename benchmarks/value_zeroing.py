"""How much faster is our exact value zeroing than the published algorithm, and how close are both to float64?

    python benchmarks/value_zeroing.py --models openai/whisper-tiny.en --repeats 3

Compared on the encoder, with a 5 s clip and 12 segments as long as words, in one process and in turns, so that a busy
machine slows all alike. Absolute times are this machine's; the ratios are the message.

    peer          as published: for each segment and layer the whole layer again, eager attention, full cosine matrix
    hooks, rows   the same passes with fused attention (sdpa), distances of the clip's own frames only
    ours, whole   value_zeroing.analyse on a clip it has not seen: recording pass included
    ours, zeroing value_zeroing.analyse on a clip whose recording is in the cache
    one pass      an ordinary encoder pass, for scale

`peer` and `hooks, rows` are timed without their recording pass: compare them with `ours, zeroing`.
"""

import argparse
import copy
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("SPEECH_THREADS", "1")  # the measurement of threads would undo --threads

import numpy as np
import torch
from transformers import WhisperFeatureExtractor

from methods import value_zeroing
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples, load_clip
from methods.core.frames import Segment
from methods.core.models import load_model
from reference import Call, cosine_distance, final_norm, record_calls, rerun, value_zeroing_encoder

SECONDS = 5.0
FRAME = 0.02  # s
FIRST = 15  # frame where the first segment starts: 0.3 s
LENGTHS = (8, 22, 15, 31, 12, 18, 26, 9, 20, 14, 28, 17)  # frames; 0.16 to 0.62 s, as words are
WHOLE, ZEROING = "ours, whole", "ours, zeroing"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", nargs="+", default=["openai/whisper-tiny.en", "openai/whisper-base"])
    options.add_argument("--repeats", type=int, default=3, help="interleaved rounds per thread count")
    options.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    options.add_argument("--clip", type=Path, help="a sound file; default: the first example, repeated to 5 s")
    chosen = options.parse_args()
    clip = five_seconds(chosen.clip or first_example())
    for name in chosen.models:
        for threads in chosen.threads:
            report(name, clip, threads, chosen.repeats)


def report(name: str, clip: Clip, threads: int, repeats: int) -> None:
    os.environ["SPEECH_THREADS"] = str(threads)  # what load_model sets
    model = load_model(name)
    features = log_mel(clip, model.network)
    exact = oracle(copy.deepcopy(model.network).double(), features.double())
    variants = contestants(model, clip, features)
    results = {label: run() for label, run in variants.items()}  # also the warm-up
    times = interleaved(variants, repeats)
    print(f"\n{name}, {threads} thread{'s' * (threads > 1)}, {len(LENGTHS)} segments, {repeats} rounds")
    print(f"{'':15}{'median s':>10}{'min s':>10}{'x peer':>9}{'x (min)':>9}{'max rel. difference to float64':>33}")
    for label, taken in times.items():
        ratio = statistics.median(times["peer"]) / statistics.median(taken)
        least = min(times["peer"]) / min(taken)
        error = relative_difference(results[label], exact)
        print(f"{label:15}{statistics.median(taken):10.3f}{min(taken):10.3f}{ratio:9.1f}{least:9.1f}{error:>33}")


def contestants(model, clip: Clip, features: torch.Tensor) -> dict[str, Callable[[], np.ndarray | None]]:
    """What is timed; each gives (layers, affected, zeroed) distances, or None where there are none."""
    fused = copy.deepcopy(model.network)
    fused.set_attn_implementation("sdpa")
    eager = copy.deepcopy(model.network)
    eager.set_attn_implementation("eager")
    fused_calls, eager_calls = (recorded(network.model.encoder, features) for network in (fused, eager))
    segments = words()
    unseen = iter(range(1, 1_000_000))

    def ours(heard: Clip) -> np.ndarray:
        return value_zeroing.analyse(heard, model, segments=segments, stacks=("encoder",), random_seeds=()).encoder

    @torch.no_grad()
    def one_pass() -> None:
        fused.model.encoder(features)

    return {
        "peer": lambda: peer(eager.model.encoder, eager_calls),
        "hooks, rows": lambda: rows_only(fused.model.encoder, fused_calls),
        WHOLE: lambda: ours(slightly_other(clip, next(unseen))),
        ZEROING: lambda: ours(clip),
        "one pass": one_pass,
    }


def recorded(encoder, features: torch.Tensor) -> list[Call]:
    return record_calls(encoder.layers, lambda: encoder(features))


@torch.no_grad()
def peer(encoder, calls: list[Call]) -> np.ndarray:
    """The published form, (layers, affected, zeroed): all positions of the window, each against each."""
    found = np.zeros((len(calls), len(LENGTHS), len(LENGTHS)))
    for index, (layer, call) in enumerate(zip(encoder.layers, calls, strict=True)):
        norm = final_norm(encoder, index)
        original = torch.nn.functional.normalize(norm(call.output)[0], dim=-1)
        for column, frames in enumerate(frame_ranges()):
            changed = torch.nn.functional.normalize(norm(rerun(layer, call, "self_attn", frames))[0], dim=-1)
            distances = (1 - changed @ original.T).diagonal()
            found[index, :, column] = [distances[rows].mean() for rows in map(as_slice, frame_ranges())]
    return found


@torch.no_grad()
def rows_only(encoder, calls: list[Call]) -> np.ndarray:
    """The same passes, but only the distances that are wanted, in float64."""
    found = np.zeros((len(calls), len(LENGTHS), len(LENGTHS)))
    own = slice(0, round(SECONDS / FRAME))
    for index, (layer, call) in enumerate(zip(encoder.layers, calls, strict=True)):
        norm = final_norm(encoder, index)
        original = norm(call.output[0, own])
        for column, frames in enumerate(frame_ranges()):
            distances = cosine_distance(norm(rerun(layer, call, "self_attn", frames)[0, own]), original)
            found[index, :, column] = [distances[rows].mean() for rows in map(as_slice, frame_ranges())]
    return found


def oracle(network, features: torch.Tensor) -> np.ndarray:
    """tests/reference.py in float64, averaged over the affected segment: (layers, affected, zeroed)."""
    rows = range(round(SECONDS / FRAME))
    frames = value_zeroing_encoder(network, features, frame_ranges(), rows).numpy()
    return np.stack([frames[:, :, affected].mean(axis=-1) for affected in map(as_slice, frame_ranges())], axis=1)


def interleaved(variants: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of each variant in each round; a round runs all of them once."""
    times: dict[str, list[float]] = {label: [] for label in variants}
    for _ in range(repeats):
        for label, run in variants.items():
            start = time.perf_counter()
            run()
            times[label].append(time.perf_counter() - start)
    return times


def relative_difference(found: np.ndarray | None, exact: np.ndarray) -> str:
    return "" if found is None else f"{(np.abs(found - exact) / exact).max():.1e}"


def frame_ranges() -> list[range]:
    starts = FIRST + np.cumsum((0, *LENGTHS))
    return [range(start, start + length) for start, length in zip(starts[:-1].tolist(), LENGTHS, strict=True)]


def as_slice(frames: range) -> slice:
    return slice(frames.start, frames.stop)


def words() -> tuple[Segment, ...]:
    """The frame ranges in seconds. Edges lie half-way between frame centres, where no rounding can move a frame."""
    edges = [((f.start - 0.5) * FRAME, (f.stop - 0.5) * FRAME) for f in frame_ranges()]
    return tuple(Segment(f"w{i}", start, end) for i, (start, end) in enumerate(edges, start=1))


def log_mel(clip: Clip, network) -> torch.Tensor:
    front_end = WhisperFeatureExtractor(feature_size=network.config.num_mel_bins)
    return front_end(clip.samples, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features


def first_example() -> Path:
    sounds = sorted(p for p in (ROOT / "examples_audio").rglob("*") if p.suffix in {".wav", ".flac", ".ogg"})
    if not sounds:
        sys.exit("examples_audio/ holds no clip: name one with --clip.")
    return sounds[0]


def five_seconds(path: Path) -> Clip:
    return clip_from_samples(np.resize(load_clip(path).samples, round(SECONDS * SAMPLE_RATE)), SAMPLE_RATE, path.stem)


def slightly_other(clip: Clip, number: int) -> Clip:
    """The same clip but for a part in a million of its loudness: another one to the cache, not to the ear."""
    return clip_from_samples(clip.samples * np.float32(1 - 1e-6 * number), SAMPLE_RATE, clip.name)


if __name__ == "__main__":
    main()
