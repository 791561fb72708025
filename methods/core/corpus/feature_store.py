"""Hidden states of the bundled corpora on disk, bounded: encoding them again takes longer than reading them.

Only corpora that came with the app are kept; what a visitor brings never touches this folder.
"""

import contextlib
import hashlib
import importlib.metadata
import logging
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Hashable
from functools import cache
from pathlib import Path

import numpy as np

from methods.core.corpus import CORPORA, Corpus, bundled
from methods.core.models import fingerprint

log = logging.getLogger("inside_speech_models")
_said = False
LIMIT = 2 * 2**30  # bytes on disk
ABANDONED = 3600.0  # s; a half-written file this old belongs to a process that was killed
LIBRARIES = ("torch", "transformers")  # another version may round differently
# Our own sources that decide what is kept: another version of them may mean something else by it.
SOURCES = ("core/models", "core/frames.py", "core/corpus/features.py", "core/corpus/feature_store.py")
DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def folder() -> Path:
    """Where they are kept: the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inside-speech-models" / "features"


def may_keep(corpus: Corpus) -> bool:
    """Whether this is one of ours."""
    return corpus.name in CORPORA and bundled(corpus.name).sound_sha256 == corpus.sound_sha256


def parts(corpus: Corpus) -> tuple[Corpus, ...]:
    """The corpora of ours that this one is, one after the other; none if there is anything else in it."""
    names = corpus.name.split(" + ")
    if not CORPORA.keys() >= set(names):
        return ()
    found = tuple(map(bundled, names))
    sounds = [utterance.clip.sha256 for part in found for utterance in part.utterances]
    return found if sounds == [utterance.clip.sha256 for utterance in corpus.utterances] else ()


def load(key: Hashable) -> dict[str, np.ndarray] | None:
    """What was kept under this key (name of each layer -> its states), or None."""
    place = folder() / _name(key)
    try:
        with np.load(place, allow_pickle=False) as kept:
            layers = {str(name): kept[f"{number:03d}"] for number, name in enumerate(kept["names"])}
    except DAMAGE:
        return None  # not kept, or damaged: it is made again
    with contextlib.suppress(OSError):  # a folder that may only be read is of use too
        place.touch()  # it was used just now
    for layer in layers.values():
        layer.flags.writeable = False
    return layers


def save(key: Hashable, layers: dict[str, np.ndarray]) -> None:
    """Keep these; the least recently used go when there are more than `LIMIT` bytes. A full disk keeps nothing."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write(place, _name(key), layers)
        _shrink(place)
    except OSError as problem:
        _say_once(problem)


def _say_once(problem: OSError) -> None:
    """The results are as good, only slower to come by; whoever runs the app may want to know."""
    global _said  # noqa: PLW0603 (one disk, one note)
    if _said:
        return
    _said = True
    log.warning("Hidden states cannot be kept in %s (%s); they are computed anew each time.", folder(), problem)


def _write(place: Path, name: str, layers: dict[str, np.ndarray]) -> None:
    """All of it or nothing: another process may be reading."""
    numbered = {f"{number:03d}": layer for number, layer in enumerate(layers.values())}
    with tempfile.NamedTemporaryFile(dir=place, suffix=".part", delete=False) as file:
        part = Path(file.name)
    try:
        with part.open("wb") as file:
            np.savez(file, names=np.array(list(layers)), **numbered)
        part.replace(place / name)
    finally:
        part.unlink(missing_ok=True)


def _shrink(place: Path) -> None:
    for part in place.glob("*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED:
            part.unlink(missing_ok=True)
    files = sorted(place.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > LIMIT:
            path.unlink(missing_ok=True)


def _name(key: Hashable) -> str:
    return hashlib.sha256(repr((fingerprint.code(*SOURCES), _versions(), key)).encode()).hexdigest()[:32] + ".npz"


@cache
def _versions() -> tuple[str, ...]:
    return tuple(importlib.metadata.version(library) for library in LIBRARIES)
