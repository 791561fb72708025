"""A data set that is kept in tables, on the Hub or in a folder (Parquet, JSON lines, CSV), read row by row.

    --corpus owner/name --columns sound=audio,text=sentence,speaker=speaker_id --split test

Which column holds what is asked for, never guessed. Rows come one after the other while others are measured, so that a
set may be larger than disk and memory; sounds come as they were stored (`decode=False`) and are read as any other
file is. Source: the library `datasets` (Lhoest et al. 2021, 10.18653/v1/2021.emnlp-demo.21), whose only home this is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from methods.core.audio import clean_name
from methods.core.corpus.recordings import Reference
from methods.core.corpus.tables import Row
from methods.core.errors import UserError
from methods.core.models import hub

ROLES = ("sound", "text", "id", "speaker", "words", "phones")  # words and phones: lists of label, start and end in s
Cells = Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """Which rows of a data set, and which of their columns hold what."""

    columns: Mapping[str, str]  # role -> column
    split: str = "train"
    config: str | None = None


def rows(written: str, split: str, config: str | None) -> Rows:
    """The same as it is written: `sound=audio,text=sentence`. Raises UserError for a role that there is not."""
    pairs = [part.partition("=") for part in written.split(",") if part.strip()]
    columns = {role.strip(): column.strip() for role, _, column in pairs}
    odd = [role for role, column in columns.items() if role not in ROLES or not column]
    if odd or "sound" not in columns:
        what = f"“{odd[0][:40]}” is none of them" if odd else "the column of the sound is not among them"
        raise UserError(
            f"--columns takes pairs such as sound=audio,text=sentence, and {what}; what a column may hold: "
            f"{', '.join(ROLES)}."
        )
    return Rows(columns, split, config)


def references(where: str, asked: Rows) -> Iterator[Reference]:
    """Every row as a recording, in their order, each read when it is asked for.

    Raises UserError if the library or the set is not there, a column is not in it, or reading breaks off.
    """
    stream, count = _opened(where, asked), 0
    seen: set[int] = set()
    try:
        for count, cells in enumerate(stream, start=1):
            found = _reference(cells, count, asked.columns, Path(where))
            again = hash(found.sound) in seen  # a name that is there twice is told apart by its row
            seen.add(hash(found.sound))
            yield _reference(cells, count, asked.columns, Path(where), f" (row {count})") if again else found
    except (*hub.UNREACHED, ValueError) as problem:
        raise UserError(
            f"“{where}” could not be read beyond row {count} ({_first(problem)}); what was measured is kept, and the "
            "same command goes on from there."
        ) from problem


def _opened(where: str, asked: Rows) -> Any:
    try:
        import datasets  # noqa: PLC0415 (an extra that most users do not need)
    except ImportError as problem:
        raise UserError(
            "Data sets in tables need the library `datasets`; `pip install -r requirements-datasets.txt`, or give a "
            "folder or zip of sound files."
        ) from problem
    try:
        stream = datasets.load_dataset(where, asked.config, split=asked.split, streaming=True)
    except (*hub.UNREACHED, ValueError, datasets.exceptions.DatasetsError) as problem:
        raise UserError(
            f"The data set “{where}” could not be opened ({_first(problem)}); check its name, --split "
            f"(“{asked.split}”), --config, and whether there is a network."
        ) from problem
    features = stream.features or stream._resolve_features().features
    lacking = [column for column in asked.columns.values() if column not in features]
    if lacking:
        raise UserError(f"“{where}” has no column “{lacking[0]}”; it has: {', '.join(features)}.")
    kept = stream.select_columns(list(dict.fromkeys(asked.columns.values())))
    sound = asked.columns["sound"]
    is_audio = isinstance(features[sound], datasets.Audio)
    return kept.cast_column(sound, datasets.Audio(decode=False)) if is_audio else kept


def _first(problem: Exception) -> str:
    return str(problem).strip().split("\n", 1)[0][:200] or type(problem).__name__


def _reference(cells: Cells, number: int, columns: Mapping[str, str], folder: Path, more: str = "") -> Reference:
    content, place = _stored(cells[columns["sound"]], folder)
    name = (str(cells[columns["id"]]) if "id" in columns else f"{number:06d}") + more
    tiers = [tier for tier in ("words", "phones") if tier in columns]
    listed = [row for tier in tiers for row in _labels(cells[columns[tier]], tier, number)]
    who = {"speaker": str(cells[columns["speaker"]])} if "speaker" in columns else {}
    text = str(cells[columns["text"]] or "") if "text" in columns else ""
    file = Path(f"{clean_name(name)}{PurePosixPath(place).suffix.lower()[:6]}")
    return Reference(name, clean_name(name), file, None, tuple(listed), (), who, text, content)


def _stored(cell: Any, folder: Path) -> tuple[bytes, str]:
    """The bytes of a sound and the name it had; nothing for an empty cell, which the reader of sounds then names."""
    if isinstance(cell, bytes):
        return cell, ""
    if isinstance(cell, str):
        return _fetched(cell, folder), cell
    cell = cell or {}
    if not isinstance(cell, Mapping) or "array" in cell:
        raise ValueError("its sound is numbers and not a sound file; save it with the library's type Audio")
    place = cell.get("path") or ""
    content = cell.get("bytes")
    return (_fetched(place, folder) if content is None and place else content or b""), place


def _fetched(place: str, folder: Path) -> bytes:
    """A file that a cell only names: beside the tables, or on the Hub."""
    import fsspec  # noqa: PLC0415 (comes with `datasets`)

    near = folder / place
    with fsspec.open(str(near) if near.is_file() else place, "rb") as file:
        return file.read()


def _labels(cell: Any, tier: str, number: int) -> Iterator[Row]:
    """A list of labels in time, as rows of a table; libraries part such lists into one list per column, too."""
    parts = cell or []
    if isinstance(parts, Mapping):
        parts = [dict(zip(parts, each, strict=True)) for each in zip(*parts.values(), strict=True)]
    for part in parts:
        names = [key for key in part if key not in ("start", "end")] if isinstance(part, Mapping) else []
        label = next((part[key] for key in names if isinstance(part[key], str)), None)
        if label is None or not {"start", "end"} <= part.keys():
            raise ValueError(f"row {number}: “{tier}” should be a list, each with a label, start and end in seconds")
        yield {"tier": tier, "label": label, "start": str(part["start"]), "end": str(part["end"]), "line": str(number)}
