"""One computation and all who watch it."""

import itertools
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from methods.core.progress import Step

FIRST = Step(0.0, "waiting for its turn")
FIRST_PICTURE = 10.0  # s of computing; what has shown nothing by then does so later than others expect theirs
_numbers = itertools.count()


@dataclass(eq=False)
class Watch:
    """One who waits for a job."""

    job: "Job"
    visitor: str  # the same for all that one visitor asks
    wake: Callable[[], None] = lambda: None  # told whenever there is news; from any thread

    @property
    def news(self) -> "News":
        """How far it is now."""
        return self.job.news


@dataclass(frozen=True)
class News:
    """How far a job is."""

    step: Step
    version: int  # counts what there was to show; 0: nothing yet
    shown: Any  # the latest that can be shown, or None
    ended: bool = False
    error: Exception | None = None  # why there is no result; raised by whoever watches


@dataclass(eq=False)
class Job:
    """A piece of work on its way. Its steps are taken by one thread at a time."""

    key: Hashable
    name: str  # of what is done: those of one name take about as long as each other
    steps: Iterator[Step]
    watches: list[Watch] = field(default_factory=list)
    news: News = News(FIRST, 0, None)
    spent: float = 0.0  # s of computing
    until_shown: float | None = None  # s of computing until there was something to show
    at_work: bool = False  # a thread is taking a step
    number: int = field(default_factory=_numbers.__next__)  # who came first

    @property
    def waits_for_a_picture(self) -> bool:
        """Whether those who watch it see nothing yet: first results go before controls."""
        return self.until_shown is None and self.spent < FIRST_PICTURE

    def advance(self) -> News:
        """Take one step; what came of it. Never raises."""
        try:
            step = next(self.steps)
        except StopIteration as end:
            return News(Step(1.0, "done"), self.news.version + 1, end.value, ended=True)
        except Exception as problem:
            return News(self.news.step, self.news.version, self.news.shown, ended=True, error=problem)
        if step.partial is None:
            return News(step, self.news.version, self.news.shown)
        return News(step, self.news.version + 1, step.partial)

    def stopped(self, error: Exception) -> News:
        """The news of a job that may go on no longer."""
        return News(self.news.step, self.news.version, self.news.shown, ended=True, error=error)

    def close(self) -> None:
        """Stop for good, between two steps."""
        close = getattr(self.steps, "close", None)
        if close is not None:
            close()


def finished(key: Hashable, kept: Any) -> Job:
    """A job whose result is there already."""
    return Job(key, "", iter(()), news=News(Step(1.0, "done"), 1, kept, ended=True))
