"""How many threads to compute with: measured, and measured again, because two can be many times slower than one.

On a busy two-core machine two threads wait for each other at every barrier: value zeroing that takes 0.5 s with one
thread took 12 s with two. On an idle machine two are up to 1.7 times quicker. The same holds for NumPy's and SciPy's
linear algebra, whose threads nobody chooses unless it is done here: with two processes on two cores the probes' tests
took 121 s, and 50 s with one thread each.
"""

import os
import threading
import time

import torch
from threadpoolctl import ThreadpoolController

STALE_SECONDS = 30.0  # a machine that was idle then may be busy now
CLEARLY = 0.8  # several threads must need at most this share of one thread's time, each in its worst run
RUNS = 5
ROWS = 500  # of the product that is timed, with Whisper tiny's feed-forward: 7 ms on one thread

_lock = threading.Lock()
_measured_at = -float("inf")
_chosen = 1


def choose_threads() -> int:
    """The number of threads that is quickest on this machine now, for torch and NumPy; SPEECH_THREADS overrides it.

    Set for the calling thread, even where another one has measured: OpenMP keeps the number for each.
    """
    global _measured_at, _chosen  # noqa: PLW0603 (one machine, one answer)
    wanted = os.environ.get("SPEECH_THREADS")
    with _lock:
        before, stale = _chosen, time.monotonic() - _measured_at > STALE_SECONDS
        if wanted:
            _chosen = int(wanted)
        elif stale:
            _chosen = _quickest(os.cpu_count() or 1)
        if stale or _chosen != before:
            _measured_at = time.monotonic()
            ThreadpoolController().select(user_api="blas").limit(limits=_chosen)
        torch.set_num_threads(_chosen)
        return torch.get_num_threads()


def _quickest(cores: int) -> int:
    """One thread, unless all cores are clearly quicker even in their worst run."""
    left, right = torch.randn(ROWS, 384), torch.randn(384, 1536)

    def worst(threads: int) -> float:
        torch.set_num_threads(threads)
        times = []
        for _ in range(RUNS + 1):
            begin = time.perf_counter()
            torch.nn.functional.gelu(left @ right)
            times.append(time.perf_counter() - begin)
        return max(times[1:])  # the first run starts the threads

    return cores if cores > 1 and worst(cores) < CLEARLY * worst(1) else 1
