"""How long things take here: what a visitor who waits is told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from page.runs.jobs import Job

NEWEST = 0.3  # share of the newest run in what is expected of the next one
ENOUGH = 0.05  # of a job done, to judge the rest by


@dataclass(frozen=True)
class Place:
    """Where a job stands among the others."""

    number: int  # 1: next
    others: int  # jobs beside this one
    seconds: float | None  # until there is something more to see, those of the others included; None: not known


class Experience:
    """Seconds of computing until a run of each kind shows something, and until it ends."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}

    def learn(self, job: Job) -> None:
        """A job has ended."""
        found = (job.spent if job.until_shown is None else job.until_shown, job.spent)
        before = self._known.get(job.name, found)
        self._known[job.name] = tuple(
            NEWEST * new + (1 - NEWEST) * old for new, old in zip(found, before, strict=True)
        )

    def remaining(self, job: Job) -> float | None:
        """Seconds of computing until a job shows something, or, if it has, until it ends."""
        first, whole = self._known.get(job.name, (math.nan, math.nan))
        if job.until_shown is None:
            left = first - job.spent
        elif job.news.step.done > ENOUGH:
            left = job.spent / job.news.step.done * (1 - job.news.step.done)
        else:
            left = whole - job.spent
        return None if math.isnan(left) else max(left, 0.0)

    def expected(self, name: str) -> float | None:
        """Seconds of computing of a whole run of this kind; None before there was one."""
        return self._known[name][1] if name in self._known else None

    def place(self, job: Job, order: Sequence[Job]) -> Place:
        """Its place in this order. Turns alternate, so another job costs at most as long as this one takes itself."""
        number = order.index(job) + 1 if job in order else 1
        own = self.remaining(job)
        others = [other for other in order if other is not job]
        if own is None:
            return Place(number, len(others), None)
        beside = (self.remaining(other) for other in others)
        return Place(number, len(others), own + sum(own if left is None else min(left, own) for left in beside))
