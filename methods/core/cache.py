"""A small cache bounded by memory, shared by all visitors of a running app."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Making:
    """One key that somebody works on, and how many wait for it or work on it."""

    lock: Any = field(default_factory=threading.RLock)  # whoever makes a value may ask for it again on the way
    callers: int = 0


class BoundedCache:
    """Keeps the most recently used values whose sizes add up to at most `limit` bytes.

    Two visitors who ask for the same thing must not do the work twice on two cores: the second waits for the first.
    Whoever wants anything else waits for nobody. If the work fails, the next caller tries afresh.

    Ask for nothing here while holding a model's lock: whoever makes that value may be waiting for the model.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self._lock = threading.Lock()  # of the tables alone, never held while a value is made

    def fetch(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """The value kept under `key`, made now if it is not there; `size` tells its bytes."""
        with self._alone(key):
            found = self._found(key)
            if not found:
                value = make()
                found = self._kept(key, value, size(value))
            return found[0]

    def peek(self, key: Hashable) -> Any:
        """The value kept under `key`, or None; nothing is computed."""
        with self._lock:
            return self._items[key][0] if key in self._items else None

    @contextlib.contextmanager
    def _alone(self, key: Hashable) -> Generator[None, None, None]:
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.callers += 1
        try:
            with making.lock:
                yield
        finally:
            with self._lock:
                making.callers -= 1
                if not making.callers:
                    del self._making[key]

    def _found(self, key: Hashable) -> tuple[Any, ...]:
        with self._lock:
            if key not in self._items:
                return ()
            self._items.move_to_end(key)
            return self._items[key][:1]

    def _kept(self, key: Hashable, value: Any, size: int) -> tuple[Any]:
        with self._lock:
            self._items[key] = (value, size)
            self._items.move_to_end(key)
            while len(self._items) > 1 and sum(each for _, each in self._items.values()) > self.limit:
                self._items.popitem(last=False)
        return (value,)

    def __len__(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
