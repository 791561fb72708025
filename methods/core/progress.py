"""How long a piece of work will take, told before it starts: a run that is cut off at its limit is worth nothing."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from methods.core.errors import OutOfTimeError, UserError

T = TypeVar("T")
_limit: ContextVar[tuple[float, float]] = ContextVar("limit", default=(math.inf, math.inf))  # end (s), seconds


@dataclass(frozen=True)
class Step:
    """How far a piece of work has come; between two steps it can be stopped."""

    done: float  # share of the work, 0 to 1
    text: str  # what comes next
    partial: Any = None  # what can be shown already


Steps = Generator[Step, None, T]


class Work(Iterator[Step], Generic[T]):
    """Steps that know what was asked for: whoever asks the same may share their result.

    To be gone through once, like any generator; `yield from` works and gives the result.
    """

    def __init__(self, name: str, asked: Mapping[str, Any], steps: Steps[T]) -> None:
        self.name = name  # of the function that does it, with its module's
        self.asked = asked  # all of its arguments, defaults among them
        self._steps = steps

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """Stop between two steps."""
        self._steps.close()


def finish(steps: Steps[T], report: Callable[[Step], None] | None = None) -> T:
    """Run a piece of work to its end, reporting each step on the way."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        end, seconds = _limit.get()
        if time.monotonic() > end:
            raise too_long(step, seconds)
        if report is not None:
            report(step)


@contextlib.contextmanager
def time_limit(seconds: float) -> Generator[None, None, None]:
    """All that is finished inside may take so long (s) together; else it ends in an `OutOfTimeError`."""
    token = _limit.set((time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _limit.reset(token)


def too_long(step: Step, seconds: float) -> OutOfTimeError:
    """What is said of work that has had its time (s) and is not done."""
    return OutOfTimeError(
        f"This was stopped after {seconds:.0f} s, {step.done:.0%} done: the limit of this shared machine; ask for "
        "less (a shorter clip, a smaller model, fewer steps), or run the app on your own machine."
    )


def within(
    steps: Steps[T],
    begin: float,
    end: float,
    partial: Any = None,
    name: str = "",
    *,
    show: Callable[[Any], Any] | None = None,
) -> Steps[T]:
    """A piece of work as a part of a larger one: its steps run from `begin` to `end`, under the part's name.

    What can be shown of the whole, `partial`, comes with the first of them only: drawing takes a while. `show` makes
    it of what can be shown of the part, where that is worth drawing; else it gives None.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        shown = partial if show is None or step.partial is None else show(step.partial)
        yield Step(begin + (end - begin) * step.done, f"{name}: {step.text}" if name else step.text, shown)
        partial = None


def of_the_whole(partial: Any) -> Any:
    """For `show`: where a part changes the whole's own result, what it can show is the whole's."""
    return partial


TIME_LIMIT = 600  # s, the longest that one run may take unless told


def check_time(needed: float, limit: float, what: str, way: str) -> None:
    """Raise UserError where `needed` seconds are more than `limit`; `way` says what to ask for instead."""
    if needed > limit:
        raise UserError(
            f"{what} would take about {needed:.0f} s here, more than the limit of {limit:.0f} s; {way}, or, in "
            "Python, set a higher time_limit.",
            mend={"time_limit": "…"},
        )
