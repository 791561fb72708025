"""What is kept for everybody: finished results, what was drawn of them, and corpora, within so many bytes of memory.

Nothing of it is ever written to disk.
"""

import dataclasses
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd


class Store:
    """Values by key; those that nobody has asked for longest go when there are more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes
        self._lock = threading.Lock()
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value; one that is larger than all the room there is pushes out everything else."""
        size = size_of(value)
        with self._lock:
            self._forget(key)
            self._items[key] = (value, size)
            self._bytes += size
            while self._bytes > self.limit and len(self._items) > 1:
                self._forget(next(iter(self._items)))

    def find(self, key: Hashable) -> Any:
        """What is kept under this key, or None."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def drop(self, key: Hashable) -> None:
        """Keep it no longer."""
        with self._lock:
            self._forget(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._bytes = 0

    @property
    def bytes(self) -> int:
        """How much is kept now."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._items)

    def _forget(self, key: Hashable) -> None:
        _, size = self._items.pop(key, (None, 0))
        self._bytes -= size


def size_of(value: Any, seen: set[int] | None = None) -> int:
    """About how many bytes a value takes, everything in it counted once."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        # A view keeps all of the array that it looks into.
        return size_of(value.base, seen) if isinstance(value.base, np.ndarray) else value.nbytes + 100
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=True).sum())
    return sys.getsizeof(value) + sum(size_of(part, seen) for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, tuple | list | set | frozenset):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return list(vars(value).values()) if hasattr(value, "__dict__") else []
    return []
