"""Who does the work: this process, others of this machine, or a Dask cluster. Answers come in any order.

Each takes tasks lazily and hands on outcomes; no more than a few tasks per worker are on their way at once, so that
memory does not grow with the number of recordings. A task whose process died is given to another one, twice.
"""

import itertools
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from methods.core.errors import UserError
from methods.corpus_run.measure import Outcome, Task, failed, measure

Engine = Callable[[Iterable[Task]], Iterator[Outcome]]
Job = Callable[[Task], Outcome]
AHEAD = 4  # tasks per worker that are on their way
TRIES = 3  # of a task whose process dies
DIED = (
    "The process that measured this recording died {tries} times, most likely for want of memory; use fewer "
    "processes, a smaller model or a shorter clip, and run the command again."
)


def here(tasks: Iterable[Task]) -> Iterator[Outcome]:
    """One after the other, in this process."""
    return map(measure, tasks)


def alone(task: Task) -> Outcome:
    """The same in one of several processes: with one thread, since the others have the other cores."""
    os.environ["SPEECH_THREADS"] = "1"
    return measure(task)


def _undisturbed() -> None:
    """Ctrl-C reaches every process of a terminal; only the one that was started ends the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def processes(count: int, job: Job = alone) -> Engine:
    """That many processes of this machine, each with its own models and one thread. `job` is what each does."""

    def work(tasks: Iterable[Task]) -> Iterator[Outcome]:
        waiting = iter(tasks)
        while True:
            lost: list[Task] = []
            try:
                yield from _pool(count, job, waiting, lost, AHEAD * count)
                return
            except BrokenProcessPool:
                yield from _one_by_one(job, lost)

    return work


def _pool(count: int, job: Job, tasks: Iterable[Task], lost: list[Task], most: int) -> Iterator[Outcome]:
    """One pool for as long as it lives, `most` tasks on their way at once; those are in `lost` when it breaks."""
    running: dict[Future[Outcome], Task] = {}
    pool = ProcessPoolExecutor(count, get_context("spawn"), _undisturbed)
    try:
        for task in tasks:
            lost[:] = [*running.values(), task]
            running[pool.submit(job, task)] = task
            if len(running) >= most:
                yield from _ended(running, lost)
        while running:
            yield from _ended(running, lost)
    finally:
        pool.shutdown(cancel_futures=True)


def _ended(running: dict[Future[Outcome], Task], lost: list[Task]) -> Iterator[Outcome]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        lost[:] = running.values()
        outcome = future.result()
        del running[future]
        yield outcome


def _one_by_one(job: Job, lost: Iterable[Task]) -> Iterator[Outcome]:
    """Each alone, so that it is clear at which of them a process dies; whoever kills too many is given up."""
    left, deaths = deque(lost), Counter[str]()
    while left:
        guilty: list[Task] = []
        try:
            yield from _pool(1, job, _drained(left), guilty, 1)
        except BrokenProcessPool:
            deaths[guilty[0].key] += 1
            if deaths[guilty[0].key] < TRIES:
                left.appendleft(guilty[0])
            else:
                yield failed(guilty[0], DIED.format(tries=TRIES))


def _drained(left: deque[Task]) -> Iterator[Task]:
    while left:
        yield left.popleft()


def dask(address: str | None, workers: int | None, *, carry: bool, job: Job = alone) -> Engine:
    """A Dask cluster: the one at `address`, or `workers` processes of this machine under a scheduler of their own.

    `carry` sends the bytes of sounds and labels, for workers that cannot read the folder. Raises UserError if Dask is
    not installed or the scheduler does not answer.
    """
    try:
        import distributed  # noqa: PLC0415 (an extra that most users do not need)
    except ImportError as problem:
        raise UserError(
            "Dask is not installed; `pip install -r requirements-cluster.txt`, or use --processes N on this machine."
        ) from problem

    def work(tasks: Iterable[Task]) -> Iterator[Outcome]:
        with _client(distributed, address, workers) as client:
            yield from _on_cluster(distributed, client, job, (task.carried() if carry else task for task in tasks))

    return work


def _client(distributed: object, address: str | None, workers: int | None) -> object:
    try:
        if address:
            return distributed.Client(address, timeout=20)  # s
        return distributed.Client(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
    except (OSError, TimeoutError) as problem:
        raise UserError(
            f"No Dask scheduler answers at “{address}” ({problem}); start one (`dask scheduler`) and give its address "
            "with --scheduler."
        ) from problem


def _on_cluster(distributed: object, client: object, job: Job, tasks: Iterator[Task]) -> Iterator[Outcome]:
    """Keep the workers busy, hand on what is done. The scheduler itself gives a dead worker's tasks to others."""
    known: dict[str, Task] = {}
    ended = distributed.as_completed()

    def start(task: Task) -> None:
        known[task.key] = task
        ended.add(client.submit(job, task, key=f"{task.ask.technique}-{task.key}", pure=True))

    for task in itertools.islice(tasks, AHEAD * max(1, len(client.scheduler_info()["workers"]))):
        start(task)
    for future in ended:
        key = future.key.rpartition("-")[2]
        task = known.pop(key)
        yield future.result() if future.status == "finished" else failed(task, DIED.format(tries=TRIES))
        future.release()
        for following in itertools.islice(tasks, 1):
            start(following)
