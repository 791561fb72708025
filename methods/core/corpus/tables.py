"""The tables of a corpus: index.csv (who speaks in which file, in what accent) and segments.csv (labels in time).

With commas, semicolons or tabs, as spreadsheets write them. Files are named with their folders, or without where that
is enough.
"""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from methods.core.alignment.textgrid import TEXTGRID_SLACK
from methods.core.corpus.files import CorpusError, plain
from methods.core.errors import UserError
from methods.core.frames import Segment

INDEX, SEGMENTS = "index.csv", "segments.csv"
GROUPS = ("accent", "group")  # columns of either table that sort whole recordings
SPEAKERS = ("speaker", "sex", "language")  # columns of index.csv
COLUMNS = {INDEX: ("file",), SEGMENTS: ("file", "tier", "label", "start", "end")}  # that there must be
QUOTED = re.compile('"((?:[^"]|"")+)"')
MOST_ROWS = 100_000  # five times what 15 minutes of words, phones and stresses need
MOST_BYTES = 20 * 2**20  # of such a table at 200 bytes a row
# What zips made on older systems write names in, without saying so; they then read as if they were of DOS.
OLD_CODINGS = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251", "cp1250", "cp1253", "cp1255", "cp1256")

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
                    f"{place} names no recording that is here (“{rows[0]['file'][:60]}”, say); write the names "
                    "of the sound files, with their endings, into its column “file”" + _about_coding(sounds)
                )
            for sound, row in zip(named, rows, strict=True):
                found[sound or ""].append(row)
    found.pop("", None)  # rows about recordings that were left out
    return dict(found)


def _meant(table: PurePosixPath, row: Row, sounds: Collection[str], alone: Mapping[str, list[str]]) -> str | None:
    exact = plain(str(table.parent / row["file"].replace("\\", "/")))
    if exact in sounds:
        return exact
    found = alone.get(PurePosixPath(exact).name.casefold()) or _in_old_coding(exact, alone)
    if len(found) > 1:
        raise CorpusError(
            f"{table}, line {row['line']}: there are {len(found)} files called “{row['file'][:80]}”; write the folder "
            "too."
        )
    return found[0] if found else None


def _about_coding(sounds: Collection[str]) -> str:
    odd = next((sound for sound in sounds if not sound.isascii()), None)
    return (
        f". One is called “{odd}” here: if that is not its name, pack the zip again with names in UTF-8."
        if odd
        else "."
    )


def _in_old_coding(name: str, alone: Mapping[str, list[str]]) -> list[str]:
    """The files whose names, byte by byte, are this one in a coding of older systems."""
    for coding in OLD_CODINGS:
        try:
            read = plain(PurePosixPath(name).name.encode(coding).decode("cp437"))
        except UnicodeError:
            continue
        if found := alone.get(PurePosixPath(read).name.casefold()):
            return found
    return []


def groups(sound: str, rows: Sequence[Row]) -> dict[str, str]:
    """The accent and the group that the rows about a recording name, in whichever table; "" where none does."""
    return {column: _only(sound, rows, column) for column in GROUPS}


def speaker(sound: str, rows: Sequence[Row]) -> dict[str, str]:
    """What the rows of index.csv about a recording say of its speaker, as far as the table has columns for it."""
    return {column: _only(sound, rows, column) for column in SPEAKERS if any(column in row for row in rows)}


def _only(sound: str, rows: Sequence[Row], column: str) -> str:
    named = list(dict.fromkeys(row[column] for row in rows if row.get(column)))
    if len(named) > 1:
        raise CorpusError(
            f"“{sound}” has two entries in the columns “{column}”, “{named[0]}” and “{named[1]}”, but a recording "
            "is of one; write the same in all its rows, or part the recording."
        )
    return named[0] if named else ""


def number(text: str) -> float:
    """A number of a table; Python's own underscores in it are no digits. Raises ValueError."""
    if "_" in text:
        raise ValueError(text)
    return float(text)


def read(content: bytes, name: str, columns: Sequence[str]) -> list[Row]:
    """The rows of a table that must have these columns.

    Raises CorpusError, with the line, for a row with more fields than columns or one that a quotation mark keeps open.
    """
    if len(content) > MOST_BYTES:
        raise CorpusError(f"{name} is larger than {MOST_BYTES >> 20} MB; leave out the rows that nobody asks about.")
    try:
        text = unicodedata.normalize("NFC", content.decode("utf-8-sig"))  # Macs part é in two
    except UnicodeDecodeError as problem:
        raise CorpusError(f"{name} is not a table in UTF-8; save it as “CSV UTF-8”.") from problem
    delimiter, skipped = _delimiter(text)
    try:
        return list(_rows(text, name, delimiter, skipped, columns))
    except csv.Error as problem:
        raise CorpusError(
            f"{name} is not a table that can be read ({problem}), perhaps because a quotation mark never ends; save "
            "it as “CSV UTF-8”, or with tabs if its labels hold quotation marks."
        ) from problem


def _delimiter(text: str) -> tuple[str, int]:
    """What stands between the fields, and how many lines come before the heading: Excel writes “sep=;” there."""
    if stated := re.match(r'"?sep=(.)"?\r?\n', text, re.IGNORECASE):
        return stated[1], 1
    heading = text.split("\n", 1)[0]
    return max(",;\t", key=heading.count), 0


def _rows(text: str, name: str, delimiter: str, skipped: int, columns: Sequence[str]) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        next(lines)
    # In tab files quotation marks are letters: X-SAMPA writes its main stress so.
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)
    heading = [_bare(key, delimiter).lower() for key in next(reader, [])]
    for number, fields in enumerate(filter(None, reader), start=1):
        if number == 1:  # a table without rows may be as it is
            _check_heading(heading, name, columns)
        if number > MOST_ROWS:
            raise CorpusError(f"{name} has more than {MOST_ROWS} rows; leave out those that nobody asks about.")
        line = reader.line_num + skipped
        values = [_bare(field, delimiter) for field in fields]
        _check_row(values, heading, f"{name}, line {line}", columns)
        values += [""] * (len(heading) - len(values))
        yield dict(zip(heading, values, strict=False)) | {"line": str(line)}


def _bare(field: str, delimiter: str) -> str:
    """The field without the quotation marks that a spreadsheet puts around it, which the reader of tabs leaves on."""
    field = field.strip()
    if delimiter == "\t" and (quoted := QUOTED.fullmatch(field)):
        return quoted[1].replace('""', '"').strip()
    return field


def _check_heading(heading: Sequence[str], name: str, columns: Sequence[str]) -> None:
    lacking = [column for column in columns if column not in heading]
    if lacking:
        raise CorpusError(
            f"{name} has no column called “{lacking[0]}”; its first line must name the columns: {', '.join(columns)}."
        )
    twice = [column for column in (*columns, *GROUPS, *SPEAKERS) if heading.count(column) > 1]
    if twice:
        raise CorpusError(f"{name} has two columns called “{twice[0]}”; leave one of them out, or rename it.")


def _check_row(values: Sequence[str], heading: Sequence[str], where: str, columns: Sequence[str]) -> None:
    if any(values[len(heading) :]):  # empty ones are what spreadsheets leave of cleared columns
        raise CorpusError(
            f"{where}: the row has {len(values)} fields where the first line names {len(heading)} columns, probably "
            "because a text or a number holds a comma, or what else parts the fields; write quotation marks around it."
        )
    for column, value in zip(heading, values, strict=False):
        if column in columns and "\n" in value:
            raise CorpusError(
                f"{where}: the field “{column}” runs over several lines, because a quotation mark opens in it and "
                "none closes; save the table with tabs, where quotation marks are letters, or double them."
            )


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
        start, end = (number(row[side].replace(",", ".")) for side in ("start", "end"))
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
