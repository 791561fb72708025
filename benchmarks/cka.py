"""How much faster is CKA of all pairs of layers with every Gram matrix centred once, and how close to the plain loop?

    python benchmarks/cka.py --layers 13 --dim 768 --repeats 3

    loop     for every pair: both Gram matrices, centre, multiply, with the steps of the published code; float32
    lean     the same changed in place, nothing checked or copied
    fast     kernels.grams once per layer, then one product for all pairs; debiased, biased and floor come together

One thread, in turns, in seconds of the processor, which a busy machine hardly changes. Absolute times are this
machine's; the ratios are the message. Differences are to the loop in float64.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from reference_spaces import naive_grid, published_grid

from methods.cka.kernels import alignment, grams


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--layers", type=int, default=13)
    options.add_argument("--dim", type=int, default=768)
    options.add_argument("--items", type=int, nargs="+", default=[300, 750, 1500])
    options.add_argument("--repeats", type=int, default=3, help="interleaved rounds")
    chosen = options.parse_args()
    print(f"{chosen.layers} x {chosen.layers} layers, {chosen.dim} dimensions, {chosen.repeats} rounds, 1 thread")
    heads = (
        ("items", 6),
        ("estimator", 11),
        ("loop s", 9),
        ("lean s", 9),
        ("fast ms", 9),
        ("x loop", 8),
        ("x lean", 8),
    )
    named = "".join(name.rjust(width) for name, width in heads)
    print(f"{named}  max difference to float64")
    for n in chosen.items:
        layers = stream(chosen.layers, n, chosen.dim)
        for debiased in (True, False):
            report(layers, debiased, chosen.repeats)


def stream(layers: int, n: int, dim: int) -> list[np.ndarray]:
    """Layers that each add something to the one before, as in a residual stream."""
    rng, state, kept = np.random.default_rng(0), 0.0, []
    for _ in range(layers):
        state = state + rng.normal(size=(n, dim)) * np.geomspace(1, 0.01, dim)
        kept.append(np.asarray(state, np.float32))
    return kept


def report(layers: list[np.ndarray], debiased: bool, repeats: int) -> None:
    def fast() -> np.ndarray:
        made = grams(layers)
        found = alignment(made, made)
        return found.debiased if debiased else found.biased

    variants = {
        "loop": lambda: published_grid(layers, layers, debiased),
        "lean": lambda: naive_grid(layers, layers, debiased),
        "fast": fast,
    }
    times = interleaved(variants, repeats)
    exact_layers = [layer.astype(np.float64) for layer in layers[:3]]
    exact = naive_grid(exact_layers, exact_layers, debiased)
    loop, lean, quick = (statistics.median(taken) for taken in times.values())
    difference = np.abs(fast()[:3, :3] - exact).max()
    name = "debiased" if debiased else "biased"
    ratios = f"{loop / quick:8.1f}{lean / quick:8.1f}{difference:27.1e}"
    print(f"{len(layers[0]):6}{name:>11}{loop:9.2f}{lean:9.2f}{1000 * quick:9.0f}{ratios}", flush=True)


def interleaved(variants: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of each variant in each round."""
    times: dict[str, list[float]] = {label: [] for label in variants}
    for _ in range(repeats):
        for label, run in variants.items():
            start = time.process_time()
            run()
            times[label].append(time.process_time() - start)
    return times


if __name__ == "__main__":
    main()
