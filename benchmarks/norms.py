"""How much faster are attention norms by Gram matrices than the published tensor, and how close are both to float64?

    python benchmarks/norms.py --model openai/whisper-base --repeats 5

One layer, the clip's own frames (5 s: 250) by the same frames, one thread, in turns, so that a busy machine slows all
alike. Absolute times are this machine's; the ratios are the message.

    tensor        as published: heads × rows × keys × dim, summed over heads, then the norm; float32
    row by row    the same, one row at a time
    Gram          norms.summed_norms with Gram matrices in float64, as the app does it; contributions given, as to all
    contributions values times output matrix, which every variant needs (and value zeroing too)
    12 words      norms.norm_mass of 12 words: weights given, contributions included

Rollout: the layers multiplied up for single frames (250 × 250), and the full product over Whisper's 1,500 positions.
"""

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ["SPEECH_THREADS"] = "1"

import numpy as np
import torch

from methods.context_mixing.rollout import rollout
from methods.core.audio import SAMPLE_RATE, clip_from_samples, load_clip
from methods.core.mixing import norms
from methods.core.models import encoder_states, load_model
from methods.core.models.sites import Site

SECONDS = 5.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", default="openai/whisper-base")
    options.add_argument("--layer", type=int, default=3, help="from 1")
    options.add_argument("--repeats", type=int, default=5, help="interleaved rounds")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    sites = encoder_states(five_seconds(), load_model(chosen.model)).sites
    with torch.inference_mode():
        report(sites[chosen.layer - 1], chosen.repeats)
        roll(sites, chosen.repeats)


def report(site: Site, repeats: int) -> None:
    own = slice(0, site.own_keys)
    weights, parts = site.weights()[:, :, own], site.contributions(own)
    groups = [range(first, first + 20) for first in range(0, 240, 20)]
    variants = {
        "Gram": lambda: norms.summed_norms(weights, norms.gram(parts.double())),
        "row by row": lambda: rows_alone(weights, parts),
        "tensor": lambda: tensor(weights, parts),
        "contributions": lambda: site.contributions(own),
        "12 words": lambda: norms.norm_mass(site, groups, groups, weights),
    }
    # The smallest first: peaks only rise.
    peaks = {label: extra_memory(run) for label, run in list(variants.items())[:3]}
    exact = tensor(weights.double(), parts.double())
    times = interleaved(variants, repeats)
    heads, rows, keys = weights.shape
    print(f"{heads} heads, {rows} rows, {keys} keys, {parts.shape[-1]} dimensions; {repeats} rounds, 1 thread")
    print(f"{'':15}{'median ms':>11}{'x tensor':>10}{'max rel. difference to float64':>33}{'peak memory + MB':>19}")
    for label, taken in times.items():
        ratio = statistics.median(times["tensor"]) / statistics.median(taken)
        error = f"{((variants[label]() - exact).abs() / exact).max():.1e}" if label in peaks else ""
        peak = f"{peaks[label]:.0f}" if label in peaks else ""
        print(f"{label:15}{1000 * statistics.median(taken):11.1f}{ratio:10.1f}{error:>33}{peak:>19}")


def tensor(weights: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """(rows, keys) as published: every head's vector for every pair of positions."""
    return (weights[..., None] * parts[:, None]).sum(0).norm(dim=-1)


def rows_alone(weights: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    return torch.stack([(weights[:, row, :, None] * parts).sum(0).norm(dim=-1) for row in range(weights.shape[1])])


def roll(sites: tuple[Site, ...], repeats: int) -> None:
    own = sites[0].own_keys
    maps = np.stack([site.weights()[:, :, :own].double().mean(0).numpy() for site in sites])
    wide = np.full((len(sites), 1500, 1500), 1 / 1500)
    times = interleaved(
        {"clip's rows": lambda: rollout(maps, residual=True), "1,500": lambda: rollout(wide, residual=True)}, repeats
    )
    small, large = (statistics.median(taken) for taken in times.values())
    rolled, product = rollout(maps, residual=True), np.eye(own)
    for layer in maps / maps.sum(-1, keepdims=True):
        product = (layer + np.eye(own)) @ product / 2
    print(
        f"\nrollout of {len(sites)} layers, {own} frames: {1000 * small:.1f} ms; 1,500 frames: {1000 * large:.0f} ms, "
        f"x {large / small:.0f}; max difference to the plain product {np.abs(rolled[-1] - product).max():.1e}"
    )


def extra_memory(run: Callable) -> float:
    """MB that the process's peak has risen by during `run`."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024  # kB on Linux


def interleaved(variants: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of each variant in each round, after one round of warm-up."""
    times: dict[str, list[float]] = {label: [] for label in variants}
    for number in range(repeats + 1):
        for label, run in variants.items():
            start = time.perf_counter()
            run()
            if number:
                times[label].append(time.perf_counter() - start)
    return times


def five_seconds():
    samples = load_clip(ROOT / "examples_audio/public-domain/en_m_illdisposed.wav").samples
    return clip_from_samples(np.resize(samples, round(SECONDS * SAMPLE_RATE)), SAMPLE_RATE, "5 s")


if __name__ == "__main__":
    main()
