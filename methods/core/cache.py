"""A small cache bounded by memory, shared by all visitors of a running app."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class BoundedCache:
    """Keeps the most recently used values whose sizes add up to at most `limit` bytes.

    One caller at a time computes: two visitors who ask for the same thing must not do the work twice on two cores.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.RLock()

    def fetch(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """The value kept under `key`, made now if it is not there; `size` tells its bytes."""
        with self._lock:
            if key not in self._items:
                value = make()
                self._items[key] = (value, size(value))
            self._items.move_to_end(key)
            value = self._items[key][0]
            self._shrink()
            return value

    def peek(self, key: Hashable) -> Any:
        """The value kept under `key`, or None; nothing is computed."""
        with self._lock:
            return self._items[key][0] if key in self._items else None

    def _shrink(self) -> None:
        while len(self._items) > 1 and sum(size for _, size in self._items.values()) > self.limit:
            self._items.popitem(last=False)

    def __len__(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
