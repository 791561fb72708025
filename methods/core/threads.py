"""How many threads to compute with: measured, because two can be many times slower than one."""

import functools
import os
import time

import torch


@functools.cache
def choose_threads() -> int:
    """How many threads are quickest on this machine now? Measured once; SPEECH_THREADS overrides it.

    On a busy two-core machine two threads wait for each other and can be many times slower than one.
    """
    wanted = os.environ.get("SPEECH_THREADS")
    threads = int(wanted) if wanted else _quickest()
    torch.set_num_threads(threads)
    return threads


def _quickest() -> int:
    """One thread, unless all of them are clearly quicker even in their worst run of five."""
    every = torch.get_num_threads()
    left, right = torch.randn(1500, 384), torch.randn(384, 1536)

    def worst(threads: int) -> float:
        torch.set_num_threads(threads)
        times = []
        for _ in range(6):
            begin = time.perf_counter()
            torch.nn.functional.gelu(left @ right)
            times.append(time.perf_counter() - begin)
        return max(times[1:])  # the first run starts the threads

    return every if every > 1 and worst(every) < 0.8 * worst(1) else 1
