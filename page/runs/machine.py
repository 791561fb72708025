"""The one machine that all visitors share: its turns, its memory, its models on their way, its drawing thread."""

import os
from collections.abc import AsyncGenerator, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from methods.core import models
from methods.core.models.speech_model import SpeechModel
from methods.core.models.threads import choose_threads
from methods.core.progress import Step, Steps, Work
from page.runs.drawing import Drawings
from page.runs.loading import Loads, Say
from page.runs.question import Alone, key_of, named
from page.runs.store import Store
from page.runs.turns import Turns
from page.runs.watching import Seen, follow, leaving
from page.space import allowed_model, longest_run

MEMORY = 768 * 2**20  # bytes of results, pictures and visitors' corpora
CORES_PER_TURN = 2  # on two cores one step with two threads beats two with one: they share a network's lock
BESIDE = "other"  # the option that names a second model


@dataclass(frozen=True)
class Machine:
    """What computes, draws, loads and keeps."""

    store: Store
    turns: Turns
    drawings: Drawings
    loads: Loads


def machine(memory: int = MEMORY) -> Machine:
    """One with nothing in it."""
    store = Store(memory)
    at_once = max(1, (os.cpu_count() or 1) // CORES_PER_TURN)
    turns = Turns(store, at_once=at_once, longest=longest_run, before=choose_threads)
    return Machine(store, turns, Drawings(store), Loads(models.load_model))


MACHINE = machine()


@dataclass(frozen=True)
class Held:
    """A result by its key: what a visitor's session remembers, so that results are kept in one place alone."""

    key: Hashable

    @property
    def found(self) -> Any:
        """The result, as far as it is there; None if it had to make room."""
        kept = MACHINE.store.find(self.key)
        kept = MACHINE.turns.shown(self.key) if kept is None else kept
        return MACHINE.store.find(("stopped", self.key)) if kept is None else kept


@dataclass(frozen=True)
class Visitor:
    """Whoever asks: his session, how he is told what goes on, and whether he is still there."""

    name: str
    say: Say = lambda _: None
    gone: Callable[[], bool] = field(default_factory=leaving)

    async def model(self, identifier: str) -> SpeechModel:
        """A model that this page may load."""
        return await MACHINE.loads.model(allowed_model(identifier), self.say, self.gone)

    async def asked(self, ask: Callable[[], Work]) -> tuple[Hashable, Work]:
        """A piece of work and its key; a second model that it needs is loaded before, beside the turns."""
        work = await MACHINE.drawings.looked_up(ask)
        beside = work.asked.get(BESIDE)
        if isinstance(beside, str):
            other = await self.model(beside)
            return (*key_of(work), named(other)), work  # its files may have changed, and its name not
        return key_of(work), work

    def follows(self, key: Hashable, work: Work) -> AsyncGenerator[Seen, None]:
        """All that there is to see of this work."""
        return follow(MACHINE.turns, key, work.name, lambda: work, self.name, self.gone)

    async def answer(self, ask: Callable[[], Work]) -> Any:
        """The finished result; None if the visitor has left."""
        key, work = await self.asked(ask)
        return await self.result(key, work)

    async def once(self, name: str, work: Callable[..., Any], *args: Any) -> Any:
        """What `work(*args)` gives, computed for this visitor alone, in his turn, in one step."""
        return await self.result(Alone(), Work(name, {}, _in_one_step(name, work, *args)))

    async def result(self, key: Hashable, work: Work) -> Any:
        """The same for work whose key is known."""
        found = None
        async for seen in self.follows(key, work):
            found = seen.news.shown if seen.news.ended else None
        return found


def _in_one_step(name: str, work: Callable[..., Any], *args: Any) -> Steps[Any]:
    yield Step(0.0, name)
    return work(*args)
