"""The tables of a corpus: index.csv (who speaks in which file, in what accent) and segments.csv (labels in time).

With commas, semicolons or tabs, as spreadsheets write them. Files are named with their folders, or without where that
is enough.
"""

import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from methods.core.alignment.textgrid import TEXTGRID_SLACK
from methods.core.corpus.files import CorpusError, plain
from methods.core.errors import UserError
from methods.core.frames import Segment

INDEX, SEGMENTS = "index.csv", "segments.csv"
GROUPS = ("accent", "group")  # columns of either table that sort whole recordings
COLUMNS = {INDEX: ("file",), SEGMENTS: ("file", "tier", "label", "start", "end")}  # that there must be

Row = dict[str, str]  # column in lower case -> value; "" where the table has none; "line": where it stands


def by_sound(files: Mapping[str, Path], table: str, sounds: Collection[str]) -> dict[str, list[Row]]:
    """Sound file -> its rows of the tables of this name, in whatever folder they lie."""
    alone = defaultdict(list)
    for sound in sounds:
        alone[PurePosixPath(sound).name.casefold()].append(sound)
    found: dict[str, list[Row]] = defaultdict(list)
    for place, path in files.items():
        if PurePosixPath(place).name.lower() == table:
            rows = read(path.read_bytes(), place, COLUMNS[table])
            named = [_meant(PurePosixPath(place), row, sounds, alone) for row in rows]
            if rows and not any(named):
                raise CorpusError(
                    f"{place} names no recording that is here (“{rows[0]['file']}”, for example); write the names of "
                    "the sound files, with their endings, into its column “file”."
                )
            for sound, row in zip(named, rows, strict=True):
                found[sound or ""].append(row)
    found.pop("", None)  # rows about recordings that were left out
    return dict(found)


def _meant(table: PurePosixPath, row: Row, sounds: Collection[str], alone: Mapping[str, list[str]]) -> str | None:
    exact = plain(str(table.parent / row["file"].replace("\\", "/")))
    if exact in sounds:
        return exact
    found = alone.get(PurePosixPath(exact).name.casefold(), [])
    if len(found) > 1:
        raise CorpusError(
            f"{table}, line {row['line']}: there are {len(found)} files called “{row['file']}”; write the folder too."
        )
    return found[0] if found else None


def groups(sound: str, rows: Sequence[Row]) -> dict[str, str]:
    """The accent and the group that the rows about a recording name, in whichever table; "" where none does."""
    found = {}
    for column in GROUPS:
        named = list(dict.fromkeys(row[column] for row in rows if row.get(column)))
        if len(named) > 1:
            raise CorpusError(
                f"“{sound}” has two entries in the columns “{column}”, “{named[0]}” and “{named[1]}”, but a recording "
                "is of one; write the same in all its rows, or part the recording."
            )
        found[column] = named[0] if named else ""
    return found


def read(content: bytes, name: str, columns: Sequence[str]) -> list[Row]:
    """The rows of a table that must have these columns."""
    try:
        text = unicodedata.normalize("NFC", content.decode("utf-8-sig"))  # Macs part é in two
        heading = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=heading.count)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="", restval="")
        rows = [_row(row, reader.line_num) for row in reader]
    except (UnicodeDecodeError, csv.Error) as problem:
        raise CorpusError(f"{name} is not a table in UTF-8; save it as “CSV UTF-8”.") from problem
    lacking = [column for column in columns if rows and column not in rows[0]]
    if lacking:
        raise CorpusError(
            f"{name} has no column called “{lacking[0]}”; its first line must name the columns: {', '.join(columns)}."
        )
    return rows


def _row(values: Mapping[str, str | list], line: int) -> Row:
    return {key.strip().lower(): str(value).strip() for key, value in values.items()} | {"line": str(line)}


def tiers(rows: Sequence[Row], seconds: float) -> dict[str, tuple[Segment, ...]]:
    """The segments that these rows of segments.csv give to one recording of this length; empty labels are left out."""
    found: dict[str, list[Segment]] = defaultdict(list)
    for row in rows:
        if row["label"]:
            found[row["tier"]].append(_segment(row, seconds))
    return {tier: tuple(sorted(segments, key=lambda s: (s.start, s.end))) for tier, segments in found.items()}


def _segment(row: Row, seconds: float) -> Segment:
    where = f"{SEGMENTS}, line {row['line']}"
    try:
        start, end = (float(row[side].replace(",", ".")) for side in ("start", "end"))
        segment = Segment(row["label"], start, end)
        if not row["tier"]:
            raise CorpusError("there is no tier; write words, phones, or a name of your own.")
    except UserError as problem:
        raise CorpusError(f"{where}: {problem}") from problem
    except ValueError as problem:
        raise CorpusError(f"{where}: a start or end is not a number; give seconds such as 1.23.") from problem
    if end > seconds + TEXTGRID_SLACK or start >= seconds:
        raise CorpusError(
            f"{where}: “{segment.label}” ends at {end:g} s but the recording at {seconds:g} s; the times must be in "
            "seconds and of this recording."
        )
    return Segment(segment.label, start, min(end, seconds))
