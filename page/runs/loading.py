"""Models on their way: each in a thread of its own, so that a download holds up nobody but those who wait for it."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from methods.core.errors import UserError
from methods.core.models import hub
from methods.core.models.speech_model import SpeechModel

LONGEST = 600.0  # s that one visitor waits for a model: a gigabyte at 2 MB/s
BEAT = 0.5  # s between looks at how far it is
Load = Callable[[str], SpeechModel]
Say = Callable[[str], None]


class AbandonedError(Exception):
    """Nobody waits for this model any more."""


@dataclass(eq=False)
class _Coming:
    """A model that is being loaded for all who asked for it."""

    waiting: int = 0
    text: str = "loading"
    done: threading.Event = field(default_factory=threading.Event)
    model: SpeechModel | None = None
    error: Exception | None = None

    def report(self, there: int, of: int) -> None:
        """How far a download is; it ends here when nobody wants it."""
        if not self.waiting:
            raise AbandonedError
        self.text = f"downloading, {there / 1e6:.0f} of {of / 1e6:.0f} MB" if of else "downloading"


class Loads:
    """Models by name, as they come."""

    def __init__(self, load: Load, longest: float = LONGEST) -> None:
        self._load, self._longest = load, longest
        self._lock = threading.Lock()
        self._coming: dict[str, _Coming] = {}

    async def model(
        self, identifier: str, say: Say = lambda _: None, gone: Callable[[], bool] = lambda: False
    ) -> SpeechModel:
        """The model, waited for without holding up anybody; `say` is told how far it is.

        Raises UserError when it cannot be had, or is not there after the time that one visitor waits.
        """
        begun, coming = time.monotonic(), self._join(identifier)
        try:
            while not coming.done.is_set():
                if time.monotonic() - begun > self._longest or gone():
                    raise self._late(identifier)
                await _beat(coming.done)
                say(f"{identifier}: {coming.text}")
        finally:
            coming.waiting -= 1
        if coming.error is not None:
            raise coming.error
        return coming.model

    def _join(self, identifier: str) -> _Coming:
        with self._lock:
            coming = self._coming.get(identifier)
            if coming is None:
                coming = self._coming[identifier] = _Coming()
                name = f"loading {identifier}"
                threading.Thread(target=self._fetch, args=(identifier, coming), name=name, daemon=True).start()
            coming.waiting += 1
            return coming

    def _fetch(self, identifier: str, coming: _Coming) -> None:
        try:
            with hub.reported(coming.report):
                coming.model = self._load(identifier)
        except Exception as problem:
            coming.error = problem
        finally:
            with self._lock:  # whoever asks from now on asks afresh: the files may have changed
                self._coming.pop(identifier, None)
            coming.done.set()

    def _late(self, identifier: str) -> UserError:
        return UserError(
            f"{identifier} has not come within {self._longest:.0f} s; the hub may be slow or out of reach: try again "
            "later, or choose a model that is not marked “needs a download”."
        )


async def _beat(done: threading.Event) -> None:
    """Until it is done, or a moment: most models are in memory and come at once."""
    end = time.monotonic() + BEAT
    pause = 0.002
    while not done.is_set() and time.monotonic() < end:
        await asyncio.sleep(pause)
        pause = min(2 * pause, 0.1)
