"""The folder of results: one small file per recording, written whole or not at all, and one table per technique.

results/about.json               which version wrote it
results/parts/TECHNIQUE/KEY.parquet   the rows of one recording; KEY is made from all that they depend on
results/parts/TECHNIQUE/KEY.npz       its arrays, where they were asked for
results/parts/TECHNIQUE/KEY.refused.parquet   a row with the sentence that says why there are no numbers
results/superseded/TECHNIQUE/    parts of recordings whose sound or labels have changed since, and damaged ones
results/TECHNIQUE.parquet        all rows, one recording after the other
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import filelock

from methods.core.errors import UserError
from methods.corpus_run.measure import Outcome, Task
from methods.corpus_run.one_table import ASKED, gathered, stated

T = TypeVar("T")
FORMAT = 1
WHOLE = b"PAR1"  # what a Parquet file ends with
REFUSED, TABLE, ARRAYS = ".refused.parquet", ".parquet", ".npz"


class ResultsFolder:
    """Where a run keeps what it found."""

    def __init__(self, place: str | Path) -> None:
        self.place = Path(place)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The folder for this run alone. Raises UserError where another run writes, or an older version wrote."""
        self._begin()
        place = self.place / ".lock"
        _or_sentence(place, place.touch)  # a folder that may only be read
        lock = filelock.FileLock(place)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as problem:
            raise UserError(
                f"Another run is writing into “{self.place}”; wait for it, or give another folder with --out. Nothing "
                "was changed."
            ) from problem
        try:
            self._sweep()
            yield
        finally:
            lock.release()

    def _begin(self) -> None:
        about = self.place / "about.json"
        if self.place.is_file():
            raise UserError(f"“{self.place}” is a file; give a folder with --out.")
        if about.is_file():
            found = _format(about)
            if found != FORMAT:
                raise UserError(
                    f"“{self.place}” was written in format {found}, and this version writes {FORMAT}; give another "
                    "folder with --out. The old one was left as it is."
                )
            return
        if self.place.is_dir() and any(path.suffix != ".part" for path in self.place.iterdir()):
            raise UserError(
                f"“{self.place}” holds files that no run has written; give an empty or a new folder with --out."
            )
        _or_sentence(self.place, lambda: self.place.mkdir(parents=True, exist_ok=True))
        written(about, json.dumps({"format": FORMAT}).encode())

    def _sweep(self) -> None:
        """Take away what a killed run had half written."""
        for path in self.place.rglob("*.part"):
            path.unlink(missing_ok=True)

    def parts(self, technique: str) -> Path:
        """Where the recordings of a technique lie."""
        return self.place / "parts" / technique

    def aside(self, technique: str) -> Path:
        """Where parts lie that stand for no recording as it is today."""
        return self.place / "superseded" / technique

    def has(self, task: Task, *, retry: bool = False) -> bool:
        """Whether a task needs no work: it was measured, with its arrays if they are wanted, or it was refused."""
        place = self.parts(task.ask.technique)
        if self.has_refused(task):
            return not retry
        arrays = not task.keep_arrays or (place / f"{task.key}{ARRAYS}").is_file()
        return arrays and _is_whole(place / f"{task.key}{TABLE}")

    def has_refused(self, task: Task) -> bool:
        """Whether what is there of a task is the sentence that says why it has no numbers."""
        return _is_whole(self.parts(task.ask.technique) / f"{task.key}{REFUSED}")

    def settle(self, tasks: Iterable[Task]) -> None:
        """Put aside what a recording gave before its sound or labels changed, and take back what is true again."""
        wanted: dict[str, dict[str, str]] = {}  # technique -> asked -> key
        for task in tasks:
            wanted.setdefault(task.ask.technique, {})[task.asked] = task.key
        for technique, keys in wanted.items():
            here, aside, true = self.parts(technique), self.aside(technique), set(keys.values())
            _move([path for path in _files(aside) if _key(path) in true], here)
            others = [path for path in _files(here) if _key(path) not in true]
            gone = {_key(path) for path in others if path.suffix == TABLE and _is_gone(path, keys)}
            _move([path for path in others if _key(path) in gone], aside)

    def keep(self, outcome: Outcome) -> None:
        """Add what came of a task: the arrays first, since the table says that all is there."""
        place = self.parts(outcome.technique)
        if outcome.bug:  # a mistake of ours is tried again by the next run
            return
        _or_sentence(place, lambda: place.mkdir(parents=True, exist_ok=True))
        if outcome.npz is not None:
            written(place / f"{outcome.key}{ARRAYS}", outcome.npz)
        refused = place / f"{outcome.key}{REFUSED}"
        written(refused if outcome.refused else place / f"{outcome.key}{TABLE}", outcome.parquet)
        if not outcome.refused:
            refused.unlink(missing_ok=True)

    def gather(self, technique: str, extra: Sequence[bytes] = ()) -> Path | None:
        """Put the parts of a technique into one table, `extra` ones behind them; None if there is none.

        A table that holds these parts already stays. Raises UserError if there is no room, or for a damaged part.
        """
        files = [path for path in _files(self.parts(technique)) if path.suffix == TABLE]
        if not files and not extra:
            return None
        place = self.place / f"{technique}{TABLE}"
        _or_sentence(place, lambda: gathered(place, files, extra))
        return place


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _key(path: Path) -> str:
    return path.name.partition(".")[0]


def _move(files: Iterable[Path], folder: Path) -> None:
    for path in files:
        _or_sentence(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
        path.replace(folder / path.name)


def _format(about: Path) -> object:
    """Which version wrote the folder; the present one if the file is empty, as a full disk leaves it."""
    text = about.read_text(encoding="utf-8", errors="replace").strip()
    try:
        return json.loads(text)["format"] if text else FORMAT
    except (ValueError, KeyError, TypeError):
        return f"“{text[:40]}”"


def _is_whole(path: Path) -> bool:
    """Whether a part was written to its end: after a power cut the last ones may be empty or zeros."""
    try:
        with path.open("rb") as file:
            file.seek(-len(WHOLE), os.SEEK_END)
            return file.read() == WHOLE
    except OSError:
        return False


def _is_gone(path: Path, asked: Mapping[str, str]) -> bool:
    """Whether a part stands for a recording that is another one now, or for nothing that can be read."""
    said = stated(path, ASKED)
    return said is None or said in asked


def _or_sentence(place: Path, work: Callable[[], T]) -> T:
    """Do what writes to the disk. Raises UserError if there is no room for it, or it may not be written there."""
    try:
        return work()
    except OSError as problem:
        raise UserError(
            f"“{place.name}” could not be written ({problem.strerror or problem}); make room or give another folder "
            "with --out. What was measured before is kept, and the same command goes on from there."
        ) from problem


def written(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises UserError if there is no room for it."""
    part = path.with_suffix(".part")  # the folder is this run's alone

    def write() -> None:
        part.write_bytes(content)
        part.replace(path)

    _or_sentence(path, write)
