"""Watching jobs from Gradio's event loop: a visitor who waits costs no thread, and one who has gone is noticed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from gradio.context import LocalContext

from methods.core.progress import Step
from page.runs.experience import Place
from page.runs.jobs import News
from page.runs.turns import Turns

BEAT = 1.0  # s between looks at the place in the order, and at whether the visitor is still there


@dataclass(frozen=True)
class Seen:
    """News for one visitor, and where his job stands."""

    news: News
    place: Place
    new: bool  # there is something to show that he has not been shown

    @property
    def text(self) -> str:
        """One line for the progress bar."""
        return told(self.news.step, self.place)


async def follow(
    turns: Turns,
    key: Hashable,
    name: str,
    work: Callable[[], Iterator[Step]],
    visitor: str,
    gone: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[Seen, None]:
    """Watch a job to its end, or until the visitor has gone. Raises what the job raised."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: the server stops
            loop.call_soon_threadsafe(changed.set)

    watch = turns.join(key, name, work, visitor, wake)
    turns.start()
    version = 0
    try:
        while not gone():
            changed.clear()
            news = watch.news
            if news.error is not None:
                raise news.error.with_traceback(None)
            yield Seen(news, turns.place(watch), news.version > version)
            version = news.version
            if news.ended:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), BEAT)
    finally:
        turns.leave(watch)


def told(step: Step, place: Place) -> str:
    """What comes next; for whoever shares the machine, his place, and when there is more to see."""
    if not place.others:
        return step.text
    shared = f"{place.others} other run{'s' * (place.others > 1)} take{'s' * (place.others == 1)} turns with this one"
    order = f"yours is number {place.number}" if place.number > 1 else "yours is next"
    until = "" if place.seconds is None else f", about {max(place.seconds, 1):.0f} s until there is more to see"
    return f"{step.text} · {shared}; {order}{until}"


def leaving() -> Callable[[], bool]:
    """Whether the visitor whose event is being handled has closed the page; asked again and again."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    event: Any = queue.event_ids_to_events.get(event_id) if queue is not None else None
    return lambda: event is not None and not event.alive
