"""How much faster are 1,000 shuffles of items for all layers at once than one at a time, and are they the same?

    python benchmarks/rsa.py --items 150 --layers 7

    loop     for every shuffle and layer: rows and columns of the reference, upper triangle, np.corrcoef
    fast     chance.shuffled: many orders gathered at a time, one product for all layers

Both take the same orders. Seconds of the processor, one thread.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from methods.core.statistics import matching
from methods.rsa import chance, similarity


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--items", type=int, default=150)
    options.add_argument("--layers", type=int, default=7)
    options.add_argument("--shuffles", type=int, default=1000)
    chosen = options.parse_args()
    rng, n = np.random.default_rng(0), chosen.items
    layers = np.stack([similarity.vectors(rng.normal(size=(n, 64))) for _ in range(chosen.layers)])
    reference, orders = similarity.vectors(rng.normal(size=(n, 8))), matching.orders(np.arange(n), chosen.shuffles)
    start = time.process_time()
    fast = chance.shuffled(np.stack([similarity.pairs(m) for m in layers]), similarity.pairs(reference), orders)
    middle = time.process_time()
    slow = one_at_a_time(layers, reference, orders)
    end = time.process_time()
    print(f"{n} items, {chosen.layers} layers, {chosen.shuffles} shuffles, 1 thread")
    print(f"loop {end - middle:.2f} s, fast {middle - start:.2f} s, ratio {(end - middle) / (middle - start):.1f}, "
          f"max difference {np.abs(fast - slow).max():.1e}")  # fmt: skip


def one_at_a_time(layers: np.ndarray, reference: np.ndarray, orders: np.ndarray) -> np.ndarray:
    upper, found = np.triu_indices(len(reference), 1), []
    for order in orders:
        moved = reference[np.ix_(order, order)][upper]
        found.append([np.corrcoef(layer[upper], moved)[0, 1] for layer in layers])
    return np.array(found)


if __name__ == "__main__":
    main()
