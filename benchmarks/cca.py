"""How much faster is held-out CCA from sums per part than from the items, trial by trial, and are the scores the same?

    python benchmarks/cca.py --items 4000 --dim 384 --columns 80

    loop     for each of 3 trials and 4 ridges: covariances of the training items, inverse roots, singular values,
             projections of the dev and test items
    fast     canonical.held_out: sums of products once per part, variances once per trial

Seconds of the processor, one thread.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from methods.cca import canonical


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--items", type=int, default=4000)
    options.add_argument("--dim", type=int, default=384)
    options.add_argument("--columns", type=int, default=80)
    chosen = options.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(chosen.items, chosen.dim))
    y = x[:, : chosen.columns] + rng.normal(size=(chosen.items, chosen.columns))
    part = canonical.parts(np.arange(chosen.items) // 20)
    start = time.process_time()
    fast = canonical.held_out(x, y, part, "mean")
    middle = time.process_time()
    slow = from_items(x, y, part)
    end = time.process_time()
    print(f"{chosen.items} items, {chosen.dim} and {chosen.columns} dimensions, 3 trials, 4 ridges, 1 thread")
    print(f"loop {end - middle:.2f} s, fast {middle - start:.2f} s, ratio {(end - middle) / (middle - start):.1f}, "
          f"max difference {np.abs(fast.trials - slow).max():.1e}")  # fmt: skip


def from_items(x: np.ndarray, y: np.ndarray, part: np.ndarray) -> np.ndarray:
    scores = []
    for trial in range(canonical.TRIALS):
        test, dev = part == trial, part == trial + 1
        train = ~test & ~dev
        tried = [fitted(x[train], y[train], ridge) for ridge in canonical.RIDGES]
        best = max(tried, key=lambda found: transferred(found, x[dev], y[dev]))
        scores.append(transferred(best, x[test], y[test]))
    return np.array(scores)


def fitted(x: np.ndarray, y: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    roots = []
    for view in (x, y):
        covariance = np.cov(view.T, bias=True)
        covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        values, vectors = np.linalg.eigh(covariance)
        roots.append(vectors / np.sqrt(values) @ vectors.T)
    across = (x - x.mean(0)).T @ (y - y.mean(0)) / len(x)
    left, _, right = np.linalg.svd(roots[0] @ across @ roots[1], full_matrices=False)
    return roots[0] @ left, roots[1] @ right.T


def transferred(found: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    u, v = x @ found[0], y @ found[1]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(u.T, v.T, strict=True)]))


if __name__ == "__main__":
    main()
