"""Fair turns: everything that is computed for visitors is computed here, step by step, one job after the other.

A step takes at most about a second. Before each the turn goes to the job whose visitor has had least of the machine in
the last minutes; jobs that have shown nothing yet go before those that have. Who asks for what is being computed
joins it; what nobody watches any more is dropped; what is finished is kept in a `Store`.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from methods.core.progress import Step, too_long
from page.runs.experience import Experience, Place
from page.runs.jobs import Job, News, Watch, finished
from page.runs.question import Alone
from page.runs.store import Store

MEMORY = 120.0  # s; of what a visitor has had, half is forgotten after so long


class Turns:
    """Jobs by key, and whose turn it is."""

    def __init__(
        self,
        store: Store,
        *,
        at_once: int = 1,  # steps that are taken at the same time
        longest: Callable[[], float] = lambda: math.inf,  # s of computing that one job may take
        before: Callable[[], object] = lambda: None,  # called in the thread that will take a job's first step
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.experience = store, Experience()
        self._at_once, self._longest, self._before, self._clock = at_once, longest, before, clock
        self._jobs: dict[Hashable, Job] = {}
        self._dropped: list[Job] = []
        self._had: dict[str, tuple[float, float]] = {}  # visitor -> s of computing, and when that was so
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    # What visitors do

    def join(
        self,
        key: Hashable,
        name: str,
        work: Callable[[], Iterator[Step]],
        visitor: str,
        wake: Callable[[], None] = lambda: None,
    ) -> Watch:
        """Watch the job of this key; it is begun with `work()` unless it is under way or done."""
        with self._changed:
            job = self._jobs.get(key)
            if job is None:
                kept = self.store.find(key)
                job = Job(key, name, work()) if kept is None else finished(key, kept)
                if kept is None:
                    self._jobs[key] = job
            watch = Watch(job, visitor, wake)
            job.watches.append(watch)
            self._changed.notify()
            return watch

    def leave(self, watch: Watch) -> None:
        """Watch no longer. Others who watch the same notice nothing; if there are none, the job is dropped."""
        with self._changed:
            if watch in watch.job.watches:
                watch.job.watches.remove(watch)
            self._drop_unwatched(watch.job)

    def place(self, watch: Watch) -> Place:
        """How many go before this one now, and how long it will be until there is more to see."""
        with self._changed:
            order = sorted(self._jobs.values(), key=self._rank(self._clock()))
            return self.experience.place(watch.job, order)

    def is_ready(self, key: Hashable) -> bool:
        """Whether the answer is there already."""
        return self.store.find(key) is not None

    def shown(self, key: Hashable) -> Any:
        """The latest that there is to see of a job under way, or None."""
        with self._changed:
            return self._jobs[key].news.shown if key in self._jobs else None

    def version(self, key: Hashable) -> int:
        """Which partial result that is."""
        with self._changed:
            return self._jobs[key].news.version if key in self._jobs else 0

    @property
    def waiting(self) -> int:
        """How many jobs are under way or wait."""
        return len(self._jobs)

    # What the machine does

    def start(self) -> None:
        """Begin to compute, in threads of its own; once."""
        with self._changed:
            while len(self._threads) < self._at_once:
                name = f"turns {len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work_for_ever, name=name, daemon=True))
                self._threads[-1].start()

    def advance(self) -> bool:
        """Take the next step of whose turn it is; False if nobody waits."""
        with self._changed:
            dropped, self._dropped = self._dropped, []
            ready = [job for job in self._jobs.values() if not job.at_work]
            job = min(ready, key=self._rank(self._clock()), default=None)
            if job is not None:
                job.at_work = True
        for old in dropped:
            with contextlib.suppress(Exception):  # nobody is there to be told
                old.close()
        if job is not None:
            self._take_step(job)
        return job is not None or bool(dropped)

    def _work_for_ever(self) -> None:
        while True:
            with self._changed:
                while not self._dropped and all(job.at_work for job in self._jobs.values()):
                    self._changed.wait()
            self.advance()

    def _take_step(self, job: Job) -> None:
        if not job.spent:
            self._before()
        begin = self._clock()
        news = job.advance()
        seconds = self._clock() - begin
        limit = self._longest()
        with self._changed:
            job.at_work, job.spent = False, job.spent + seconds
            if not news.ended and job.spent > limit:
                news = job.stopped(too_long(news.step, limit))
                self._dropped.append(job)
            self._charge(job, seconds)
            self._publish(job, news)
            watches = list(job.watches)
            self._drop_unwatched(job)
            self._changed.notify_all()
        for watch in watches:
            watch.wake()

    def _publish(self, job: Job, news: News) -> None:
        if job.until_shown is None and news.version and news.error is None:
            job.until_shown = job.spent
        job.news = news
        if news.ended:
            del self._jobs[job.key]
        if news.ended and news.error is None:
            self.store.drop(("stopped", job.key))
            if not isinstance(job.key, Alone):  # nobody else can ask for that
                self.store.put(job.key, news.shown)
            self.experience.learn(job)
        elif news.ended:
            self._keep_partial(job)

    def _drop_unwatched(self, job: Job) -> None:
        if not job.watches and not job.at_work and self._jobs.get(job.key) is job:
            del self._jobs[job.key]
            self._dropped.append(job)
            self._keep_partial(job)
            self._changed.notify()

    def _keep_partial(self, job: Job) -> None:
        """What was on screen when a run was stopped is still looked at, and downloaded."""
        if job.news.shown is not None:
            self.store.put(("stopped", job.key), job.news.shown)

    # Whose turn it is

    def _rank(self, now: float) -> Callable[[Job], tuple[bool, float, int]]:
        """By what jobs are ordered, at one moment for all: one visitor's two jobs are equal but for their age."""

        def rank(job: Job) -> tuple[bool, float, int]:
            least = min((self._attained(watch.visitor, now) for watch in job.watches), default=math.inf)
            return not job.waits_for_a_picture, least, job.number

        return rank

    def _attained(self, visitor: str, now: float) -> float:
        """Seconds of computing that a visitor has had, older ones counting less."""
        seconds, when = self._had.get(visitor, (0.0, 0.0))
        return seconds * 0.5 ** ((now - when) / MEMORY)

    def _charge(self, job: Job, seconds: float) -> None:
        """Those who watch one job share what it costs."""
        now, visitors = self._clock(), {watch.visitor for watch in job.watches}
        for visitor in visitors:
            self._had[visitor] = (self._attained(visitor, now) + seconds / len(visitors), now)
        if len(self._had) > 1000:  # of visitors who left long ago nothing is left worth keeping
            self._had = {who: had for who, had in self._had.items() if self._attained(who, now) > 0.01}
