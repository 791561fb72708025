"""Many small files become one table, with no more than a part of it in memory."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from methods.core.errors import UserError

T = TypeVar("T")
ROWS = 100_000  # of a row group: what lies in memory while the table is put together
TOGETHER = 1000  # parts that are read before they are made one: each has its own buffers
HOLDS = b"holds"  # metadata of a table: which parts are in it
ASKED = b"asked"  # metadata of a part: the recording and what was asked of it, whatever the sound was like


def gathered(place: Path, files: Sequence[Path], extra: Sequence[bytes] = ()) -> None:
    """Write the table of these parts; one that holds them already stays. Raises UserError for a damaged part."""
    holds = _names(files, extra)
    if not (place.is_file() and stated(place, HOLDS) == holds):
        _write(place, files, extra, holds)


def stated(place: Path, name: bytes) -> str | None:
    """What a file says of itself beside its table; None if it cannot be read."""
    try:
        return (pq.read_metadata(place).metadata or {}).get(name, b"").decode()
    except (pa.ArrowInvalid, OSError):
        return None


def _names(files: Sequence[Path], extra: Sequence[bytes]) -> str:
    """Names the parts of a table, as they are now."""
    digest = hashlib.sha256()
    for path in files:
        about = path.stat()
        digest.update(f"{path.name} {about.st_size} {about.st_mtime_ns}\n".encode())
    for part in extra:
        digest.update(part)
    return digest.hexdigest()


def _write(place: Path, files: Sequence[Path], extra: Sequence[bytes], holds: str) -> None:
    sources = [*files, *(pa.BufferReader(part) for part in extra)]
    schema = pa.unify_schemas(_schemas(sources), promote_options="permissive").with_metadata({HOLDS: holds})
    part = place.with_suffix(".part")
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for table in _in_groups(sources, schema):
                writer.write_table(table)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _schemas(sources: Iterable[Path | pa.BufferReader]) -> list[pa.Schema]:
    """The few that there are among many parts, in the order in which they come."""
    return list(dict.fromkeys(_read(source, pq.read_schema).remove_metadata() for source in sources))


def _read(source: Path | pa.BufferReader, reader: Callable[[Path | pa.BufferReader], T]) -> T:
    if isinstance(source, pa.BufferReader):
        source.seek(0)
    try:
        return reader(source)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UserError(
            f"“{source}” is damaged ({problem}); delete it, and the same command measures its recording again."
        ) from problem


def _in_groups(sources: Sequence[Path | pa.BufferReader], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of about `ROWS` rows, columns that a part lacks being empty in it."""
    waiting, rows = [], 0
    for batch in (sources[start : start + TOGETHER] for start in range(0, len(sources), TOGETHER)):
        tables = [_fitted(_read(source, _table), schema) for source in batch]
        waiting.append(pa.concat_tables(tables).combine_chunks())
        rows += len(waiting[-1])
        if rows >= ROWS:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _table(source: Path | pa.BufferReader) -> pa.Table:
    return pq.ParquetFile(source).read()


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
