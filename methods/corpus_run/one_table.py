"""Many small files become one table, with no more than a part of it in memory."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from methods.core.errors import UserError

T = TypeVar("T")
Source: TypeAlias = Path | pa.BufferReader
NUMBERED = pa.dictionary(pa.int32(), pa.string())
TEXTS = 2**26  # bytes of a column's different texts in a group of rows, beyond which every row holds its own
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


def writer(place: Path | BinaryIO, schema: pa.Schema, says: Mapping[bytes, str]) -> pq.ParquetWriter:
    """A Parquet file that says this of itself: texts by number, each once in a group of rows, numbers as they are.

    Texts come back as texts, though they may lie in memory by number (`store_schema`).
    """
    texts = [field.name for field in schema if not pa.types.is_floating(field.type)]
    file = pq.ParquetWriter(
        place, schema, compression="zstd", store_schema=False, use_dictionary=texts, dictionary_pagesize_limit=TEXTS
    )
    file.add_key_value_metadata(says)
    return file


def _write(place: Path, files: Sequence[Path], extra: Sequence[bytes], holds: str) -> None:
    sources = [*files, *(pa.BufferReader(part) for part in extra)]
    parts = list(zip(sources, _schemas(sources), strict=True))
    schema = _by_number(_of_all({each for _, each in parts}))
    part = place.with_suffix(".part")
    try:
        with writer(part, schema, {HOLDS: holds}) as file:
            for table in _in_groups(parts, schema):
                file.write_table(table)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _schemas(sources: Iterable[Source]) -> Iterator[pa.Schema]:
    """What each part holds; of the few schemas that there are, every one is in memory once."""
    known: dict[pa.Schema, pa.Schema] = {}
    for source in sources:
        found = _read(source, pq.read_schema).remove_metadata()
        yield known.setdefault(found, found)


def _of_all(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Every column that some part has, as the fullest orders them: a refused recording has few, and may come first."""
    return pa.unify_schemas(sorted(schemas, key=lambda each: (-len(each), each.names)), promote_options="permissive")


def _by_number(schema: pa.Schema) -> pa.Schema:
    """The same whose texts are numbers of entries of a list: thousands of rows come from one recording."""
    return pa.schema([field.with_type(NUMBERED) if _is_text(field) else field for field in schema])


def _is_text(field: pa.Field) -> bool:
    return pa.types.is_string(field.type) or pa.types.is_large_string(field.type)


def _read(source: Source, reader: Callable[[Source], T]) -> T:
    if isinstance(source, pa.BufferReader):
        source.seek(0)
    try:
        return reader(source)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UserError(
            f"“{source}” is damaged ({problem}); delete it, and the same command measures its recording again."
        ) from problem


def _in_groups(parts: Sequence[tuple[Source, pa.Schema]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of about `ROWS` rows, columns that a part lacks being empty in it."""
    waiting, rows = [], 0
    for batch in (parts[start : start + TOGETHER] for start in range(0, len(parts), TOGETHER)):
        tables = [_fitted(_table(*part), schema) for part in batch]
        waiting.append(pa.concat_tables(tables).combine_chunks())
        rows += len(waiting[-1])
        if rows >= ROWS:
            yield pa.concat_tables(waiting).unify_dictionaries()
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries()


def _table(source: Source, schema: pa.Schema) -> pa.Table:
    texts = [field.name for field in schema if _is_text(field)]
    return _read(source, lambda place: pq.ParquetFile(place, read_dictionary=texts).read())


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    there = {name for name in table.column_names if not pa.types.is_null(table.schema.field(name).type)}
    columns = [
        table.column(field.name).cast(field.type) if field.name in there else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
