"""How much faster is ABX in batches than with plain loops, and are the numbers the same?

    python benchmarks/abx.py --tokens 120 --repeats 3

One thread, in turns, so that a busy machine slows all alike. Absolute times are this machine's; the ratios are the
message. Random features of 384 dimensions, ten categories, sequences of 3 to 9 frames (phones of 60 to 180 ms).

    DTW      token_distances.aligned against a double loop per pair (table, then tracing back), both in float64
    score    abx_scores.score with its jackknife over ten folds, against one loop over triples without any

Plain loops take minutes on the bundled corpus; hence fewer tokens here.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))
for name in ("SPEECH_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from reference_abx import abx as slow_abx
from reference_abx import dtw as slow_dtw

from methods.abx import triples
from methods.core.corpus.items import Items
from methods.core.statistics import distances

DIM, CATEGORIES = 384, 10


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tokens", type=int, default=120)
    options.add_argument("--repeats", type=int, default=3, help="interleaved rounds")
    chosen = options.parse_args()
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 10, chosen.tokens)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    spans = [range(a, b) for a, b in itertools.pairwise(edges)]
    frames = rng.normal(size=(edges[-1], DIM)).astype(np.float32)
    pairs = np.argwhere(np.triu(np.ones((chosen.tokens,) * 2), 1))
    report(
        f"DTW of {len(pairs):,} pairs",
        lambda: distances.aligned(frames, spans, pairs, "angular"),
        lambda: np.array([one_pair(frames[spans[i]], frames[spans[j]]) for i, j in pairs]),
        chosen.repeats,
    )
    asked, vectors = question(rng, chosen.tokens), rng.normal(size=(chosen.tokens, DIM))
    table = distances.whole(vectors, "angular")
    label, alone = list(asked.items.label), [""] * chosen.tokens
    report(
        f"score of {triples.score(asked, table).triples:,} triples",
        lambda: np.array([triples.score(asked, table).error]),
        lambda: np.array(
            [slow_abx(table, label, alone, alone, recording=range(len(label)), mode="any", apart=False)[0]]
        ),
        chosen.repeats,
    )


def one_pair(first: np.ndarray, second: np.ndarray) -> float:
    first, second = (np.asarray(x, dtype=np.float64) for x in (first, second))
    first, second = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    return slow_dtw(np.arccos(np.clip(first @ second.T, -1, 1)) / np.pi)


def question(rng: np.random.Generator, count: int) -> triples.TripleTask:
    label = np.array([f"c{number % CATEGORIES}" for number in range(count)])
    rng.shuffle(label)
    items = Items(np.arange(count), np.zeros(count), np.ones(count), label, {"phone": label})
    return triples.task(items, most=count, apart=False)


def report(what: str, ours: Callable, plain: Callable, repeats: int) -> None:
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    found = {}
    for number in range(repeats + 1):
        for name, run in (("ours", ours), ("plain", plain)):
            start = time.perf_counter()
            found[name] = run()
            if number or name == "plain":  # the first round of ours warms up
                times[name].append(time.perf_counter() - start)
    fast, slow = (statistics.median(times[name]) for name in ("ours", "plain"))
    difference = np.abs(found["ours"] - found["plain"]).max()
    print(f"{what}: {1000 * fast:.1f} ms, plain loops {slow:.2f} s, x {slow / fast:.0f}; difference {difference:.1e}")


if __name__ == "__main__":
    main()
