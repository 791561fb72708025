"""Labels as published corpora keep them, beside each recording: TIMIT, Buckeye, and the tables of MFA.

| file | holds | times |
|---|---|---|
| `x.PHN`, `x.WRD` (TIMIT) | begin, end, label in each line | samples at 16 kHz |
| `x.phones`, `x.words` (Buckeye) | end, colour, label after a line `#` | seconds; each begins where another ends |
| `x.csv` (MFA) | columns Begin, End, Label, Type | seconds |

Sources: Garofolo et al. 1993, TIMIT (LDC93S1), readme; Pitt et al. 2007, Buckeye Corpus, manual; MFA's own help.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath

from methods.core.alignment.textgrid import LENGTH_SLACK
from methods.core.corpus.files import TABLE, CorpusError
from methods.core.corpus.tables import number as decimal
from methods.core.frames import Segment

RATE = 16_000  # Hz: what TIMIT counts in
TIERS = {".phn": "phones", ".wrd": "words", ".phones": "phones", ".words": "words"}
MFA = {"begin", "end", "label", "type"}  # columns
NO_SPEECH = "<{"  # Buckeye writes <SIL>, <VOCNOISE>, {B_TRANS}

Found = dict[str, tuple[Segment, ...]]


def beside(files: Mapping[str, Path], sounds: Collection[str]) -> dict[str, tuple[tuple[str, Path], ...]]:
    """Sound -> the ending and place of each file of this kind that has its name."""
    stems = {_stem(sound).casefold(): sound for sound in sounds}
    found = defaultdict(list)
    for name, path in sorted(files.items()):
        sound = stems.get(_stem(name).casefold())
        ending = PurePosixPath(name).suffix.lower()
        if sound and ending in (*TIERS, TABLE):
            found[sound].append((ending, path))
    return {sound: tuple(paths) for sound, paths in found.items()}


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))


def read(path: Path, ending: str, seconds: float) -> Found:
    """The tiers that a file holds, of a recording of this length; raises CorpusError that names the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    readers: dict[str, Callable[[str, float], Found]] = {TABLE: _mfa, ".phn": _timit, ".wrd": _timit}
    found = readers.get(ending, _buckeye)(text, seconds)
    return {tier or TIERS[ending]: segments for tier, segments in found.items()}


def _timit(text: str, seconds: float) -> Found:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if parts:
            parts = [*parts, ""] if len(parts) == 1 else parts
            begin, end = _numbers(parts[:2], number, "two numbers of samples, then a label")
            found.append(_segment(" ".join(parts[2:]), begin / RATE, end / RATE, number, seconds))
    return {"": tuple(found)}


def _buckeye(text: str, seconds: float) -> Found:
    """Each line has the end of a label; words are followed by their transcriptions behind semicolons."""
    _, _, body = text.partition("\n#")
    skipped, found, at = text.count("\n", 0, len(text) - len(body)), [], 0.0
    for number, line in enumerate(body.splitlines()[1:], start=skipped + 2):
        parts = line.split(";")[0].split(maxsplit=2)
        if parts:
            (end,) = _numbers(parts[:1], number, "the second at which a label ends, a colour, the label")
            label = parts[2].strip() if len(parts) > 2 else ""
            if end > at and label and label[0] not in NO_SPEECH:
                found.append(_segment(label, at, end, number, seconds))
            at = max(at, end)
    return {"": tuple(found)}


def _mfa(text: str, seconds: float) -> Found:
    rows = csv.DictReader(io.StringIO(text))
    columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    if not set(columns) >= MFA:
        return {}  # a table about something else
    found = defaultdict(list)
    for row in rows:
        if None in row or None in row.values():
            raise CorpusError(
                f"line {rows.line_num} has more or fewer fields than the first line has columns, perhaps because a "
                "label holds a comma; write quotation marks around it."
            )
        begin, end = _numbers([row[columns["begin"]], row[columns["end"]]], rows.line_num, "Begin and End in seconds")
        label = (row[columns["label"]] or "").strip()
        if label:
            found[row[columns["type"]]].append(_segment(label, begin, end, rows.line_num, seconds))
    return {tier: tuple(segments) for tier, segments in found.items()}


def _numbers(parts: list[str | None], line: int, wanted: str) -> list[float]:
    try:
        return [decimal(part or "") for part in parts]
    except ValueError as problem:
        raise CorpusError(f"line {line} should hold {wanted}, and begins “{parts[0]}”.") from problem


def _segment(label: str, begin: float, end: float, line: int, seconds: float) -> Segment:
    if not 0 <= begin < end or begin >= seconds or end > seconds + LENGTH_SLACK:
        raise CorpusError(
            f"line {line}: “{label[:40]}” lasts from {begin:.3f} to {end:.3f} s, and the recording has {seconds:.3f} "
            "s; is it the labels of another recording?"
        )
    return Segment(label, begin, min(end, seconds))
