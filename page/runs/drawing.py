"""Pictures, made once for all who see the same: sixty times one SVG costs more than the map that it shows."""

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from page.runs.store import Store

T = TypeVar("T")


class Drawings:
    """One thread that draws: Matplotlib's settings are the process's, and Python draws no faster in two."""

    ASKING = 2  # threads that look up what a visitor asks for; now and then one of them has to look into a network

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, concurrent.futures.Future] = {}
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "drawing")
        self._asking = concurrent.futures.ThreadPoolExecutor(self.ASKING, "asking")

    async def shared(self, key: Hashable, draw: Callable[[], Any]) -> Any:
        """What `draw()` gives, made now unless somebody has had it made."""
        kept = self._store.find(("drawn", key))
        if kept is not None:
            return kept
        with self._lock:
            future = self._under_way.get(key)
            if future is None:
                future = self._under_way[key] = self._thread.submit(self._draw, key, draw)
        return await asyncio.shield(asyncio.wrap_future(future))  # whoever leaves takes it from nobody

    async def alone(self, draw: Callable[..., T], *args: Any) -> T:
        """What `draw(*args)` gives, in the same thread, for one visitor."""
        return await self._run(self._thread, draw, *args)

    async def looked_up(self, look: Callable[..., T], *args: Any) -> T:
        """What `look(*args)` gives, where nothing is drawn."""
        return await self._run(self._asking, look, *args)

    async def _run(self, threads: concurrent.futures.Executor, work: Callable[..., T], *args: Any) -> T:
        context = contextvars.copy_context()  # in which Gradio finds whose toast it is
        return await asyncio.wrap_future(threads.submit(context.run, work, *args))

    def _draw(self, key: Hashable, draw: Callable[[], Any]) -> Any:
        try:
            made = draw()
            self._store.put(("drawn", key), made)
            return made
        finally:
            with self._lock:
                self._under_way.pop(key, None)
