"""The folder of results: one small file per recording, written whole or not at all, and one table per technique.

results/about.json               which version wrote it
results/parts/TECHNIQUE/KEY.parquet   the rows of one recording; KEY is made from all that they depend on
results/parts/TECHNIQUE/KEY.npz       its arrays, where they were asked for
results/parts/TECHNIQUE/KEY.refused.parquet   a row with the sentence that says why there are no numbers
results/TECHNIQUE.parquet        all rows, one recording after the other
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock
import pyarrow as pa
import pyarrow.parquet as pq

from methods.core.errors import UserError
from methods.corpus_run.measure import Outcome, Task

FORMAT = 1
ROWS = 100_000  # of a row group: what lies in memory while the table is put together


class ResultsFolder:
    """Where a run keeps what it found."""

    def __init__(self, place: str | Path) -> None:
        self.place = Path(place)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The folder for this run alone. Raises UserError where another run writes, or an older version wrote."""
        self._begin()
        lock = filelock.FileLock(self.place / ".lock")
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
            found = json.loads(about.read_text(encoding="utf-8")).get("format")
            if found != FORMAT:
                raise UserError(
                    f"“{self.place}” was written in format {found}, and this version writes {FORMAT}; give another "
                    "folder with --out. The old one was left as it is."
                )
            return
        if self.place.is_dir() and any(self.place.iterdir()):
            raise UserError(
                f"“{self.place}” holds files that no run has written; give an empty or a new folder with --out."
            )
        self.place.mkdir(parents=True, exist_ok=True)
        written(about, json.dumps({"format": FORMAT}).encode())

    def _sweep(self) -> None:
        """Take away what a killed run had half written."""
        for path in self.place.rglob("*.part"):
            path.unlink(missing_ok=True)

    def parts(self, technique: str) -> Path:
        """Where the recordings of a technique lie."""
        return self.place / "parts" / technique

    def has(self, task: Task, *, retry: bool = False) -> bool:
        """Whether a task needs no work: it was measured, with its arrays if they are wanted, or it was refused."""
        place = self.parts(task.ask.technique)
        if (place / f"{task.key}.refused.parquet").is_file():
            return not retry
        arrays = not task.keep_arrays or (place / f"{task.key}.npz").is_file()
        return arrays and (place / f"{task.key}.parquet").is_file()

    def keep(self, outcome: Outcome) -> None:
        """Add what came of a task: the arrays first, since the table says that all is there."""
        place = self.parts(outcome.technique)
        place.mkdir(parents=True, exist_ok=True)
        if outcome.npz is not None:
            written(place / f"{outcome.key}.npz", outcome.npz)
        if outcome.bug:  # a mistake of ours is tried again by the next run
            return
        refused = place / f"{outcome.key}.refused.parquet"
        written(refused if outcome.refused else place / f"{outcome.key}.parquet", outcome.parquet)
        if not outcome.refused:
            refused.unlink(missing_ok=True)

    def gather(self, technique: str, extra: Sequence[bytes] = ()) -> Path | None:
        """Put the parts of a technique into one table, `extra` ones behind them; None if there is none."""
        files = sorted(self.parts(technique).glob("*.parquet")) if self.parts(technique).is_dir() else []
        if not files and not extra:
            return None
        sources = [*files, *(pa.BufferReader(part) for part in extra)]
        schema = pa.unify_schemas([_schema(source) for source in sources], promote_options="permissive")
        place = self.place / f"{technique}.parquet"
        part = place.with_suffix(".part")
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for table in _in_groups(sources, schema):
                writer.write_table(table)
        part.replace(place)
        return place


def _schema(source: Path | pa.BufferReader) -> pa.Schema:
    return pq.read_schema(source).remove_metadata()


def _in_groups(sources: Sequence[Path | pa.BufferReader], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of about `ROWS` rows, columns that a part lacks being empty in it."""
    waiting: list[pa.Table] = []
    for source in sources:
        if isinstance(source, pa.BufferReader):
            source.seek(0)
        table = pq.read_table(source).replace_schema_metadata()
        columns = [_column(table, field) for field in schema]
        waiting.append(pa.table(columns, schema=schema))
        if sum(len(table) for table in waiting) >= ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name in table.column_names:
        return table.column(field.name).cast(field.type)
    return pa.nulls(len(table), field.type)


def written(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises UserError if there is no room for it."""
    try:
        part = path.with_suffix(".part")  # the folder is this run's alone
        part.write_bytes(content)
        part.replace(path)
    except OSError as problem:
        raise UserError(
            f"“{path.name}” could not be written ({problem.strerror or problem}); make room or give another folder "
            "with --out. What was measured before is kept, and the same command goes on from there."
        ) from problem
