"""Praat TextGrids in and out. Our own parser: the package for it is GPL."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from methods.core.alignment.trigraphs import decoded, encoded
from methods.core.frames import AlignmentError, Segment, without_overlap

MAX_TEXTGRID_BYTES = 2_000_000
TEXTGRID_SLACK = 0.02  # s a label may outlast its clip: resampling and rounding
LENGTH_SLACK = 0.1  # s a TextGrid may be longer or shorter than its clip: what encoders of MP3 and AAC pad
SUMMED = 1e-6  # s: what sums of binary fractions miss; xmin = -1.4e-17 is 0
BLANK = "".join(map(chr, [*range(33), *range(0x7F, 0xA1), 0x200B, 0x2028, 0x2029, 0x2060, 0xFEFF]))  # nothing is seen
HEADERS = ('"ooTextFile', '"ooTextFile short')  # the second is that of Praat before 4.2 and of P2FA
# Praat reads only free-standing numbers, quoted texts and flags; all else, such as "xmin =", is for people.
TEXTGRID_TOKEN = re.compile(
    r'"([^"]*(?:""[^"]*)*)"|(?<!\S)([-+]?[\d.]+(?:[eE][-+]?\d+)?|<exists>|<absent>)(?!\S)|![^\r\n]*|[^\s"]+'
)


class Tiers(dict[str, tuple[Segment, ...]]):
    """Tier name -> labelled intervals; `notes` says what was left out or renamed."""

    notes: tuple[str, ...] = ()


def read_textgrid(content: str | bytes, *, seconds: float | None = None) -> Tiers:
    """Which intervals does a Praat TextGrid hold? Long or short text format, UTF-8 or UTF-16.

    Times count from the TextGrid's own start. Labels are composed (NFC), Praat's backslash symbols decoded, overlaps
    parted at their middles, point tiers and empty intervals left out; `notes` says so. Raises AlignmentError if it is
    no such file, is damaged, is over 2 MB, has no interval tier, or is longer than a clip of `seconds`.
    """
    text = _decode_textgrid(content)
    tokens = (m for m in TEXTGRID_TOKEN.finditer(text) if m.lastindex)
    # A quoted text keeps its first quote, to tell it from a number.
    values = iter([m[2] if m[2] is not None else '"' + m[1].replace('""', '"') for m in tokens])
    if next(values, "") not in HEADERS or next(values, "") != '"TextGrid':
        path = " Its content is asked for, not its path." if _is_path(content) else ""
        raise AlignmentError(f"This is not a TextGrid: please upload one saved by Praat as a text file.{path}")
    try:
        start, end = _number(values), _number(values)
        next(values)
        tiers = _read_tiers(values, int(_number(values)), start, seconds)
    except (StopIteration, TypeError, OverflowError) as error:
        raise AlignmentError(
            "The TextGrid is damaged, perhaps because it was cut off: please save it again from Praat."
        ) from error
    if not tiers:
        raise AlignmentError("The TextGrid has no interval tier, only points: please add a tier of words or phones.")
    tiers.notes += _about_length(start, end, seconds)
    return tiers


def _about_length(start: float, end: float, seconds: float | None) -> tuple[str, ...]:
    """What to say of a TextGrid from `start` to `end` for a clip of `seconds`; AlignmentError if it is of another."""
    moved = (f"times count from the TextGrid's start at {start:g} s",) if abs(start) > SUMMED else ()
    if seconds is None or abs(end - start - seconds) <= LENGTH_SLACK:
        return moved
    if end - start > seconds:
        raise AlignmentError(
            f"The TextGrid lasts {end - start:.2f} s but the clip {seconds:.2f} s, so it probably belongs to another "
            "recording: please upload the TextGrid of this clip."
        )
    return (
        *moved,
        f"the TextGrid lasts {end - start:.2f} s, the clip {seconds:.2f} s: check that they belong together",
    )


def _decode_textgrid(content: str | bytes) -> str:
    if not isinstance(content, str | bytes):
        raise TypeError(f"A TextGrid's content is asked for (path.read_bytes()), not a {type(content).__name__}")
    if len(content) > MAX_TEXTGRID_BYTES:
        raise AlignmentError("The TextGrid is larger than 2 MB, far more than a 30 s clip needs: please cut it down.")
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    if content.startswith(b"ooBinaryFile"):
        raise AlignmentError("The TextGrid is in Praat's binary format: please save it as a text file.")
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise AlignmentError(
            "This is not a TextGrid in UTF-8 or UTF-16: please set Praat's text writing preferences to UTF-8 and save "
            "it again."
        ) from error


def _is_path(content: str | bytes) -> bool:
    return isinstance(content, str) and content.lower().endswith(".textgrid")


def _text(values: Iterator[str]) -> str:
    value = next(values)
    if value[0] != '"':
        raise TypeError
    return value[1:]


def _number(values: Iterator[str]) -> float:
    try:
        return float(next(values))
    except ValueError as error:
        raise TypeError from error


def _read_tiers(values: Iterator[str], count: int, start: float, seconds: float | None) -> Tiers:
    tiers, notes = Tiers(), []
    for _ in range(count):
        kind, name = _text(values), decoded(_text(values))
        _number(values), _number(values)
        size = int(_number(values))
        if kind != "IntervalTier":
            for _ in range(size):
                _number(values), _text(values)
            notes.append(f"point tier “{name}” left out")
            continue
        intervals = [(_number(values), _number(values), decoded(_text(values).strip(BLANK))) for _ in range(size)]
        numbered = (f"{name} ({number})" for number in itertools.count(len(tiers) + 1))
        unique = next(each for each in itertools.chain([name], numbered) if each not in tiers)
        if unique != name:
            notes.append(f"a second tier “{name}” is called “{unique}”")
        segments = [Segment(label, _moved(a, start), _moved(b, start)) for a, b, label in intervals if label]
        tiers[unique] = tuple(_fitted(segment, seconds) for segment in without_overlap(segments))
        if overlaps := _overlaps(segments):
            notes.append(f"overlaps in the tier “{unique}” parted at their middles ({overlaps})")
    tiers.notes = tuple(notes)
    return tiers


def _moved(time: float, start: float) -> float:
    moved = time if start == 0 else round(time - start, 9)  # 0.8 - 0.5 is 0.3, not 0.30000000000000004
    return 0.0 if -SUMMED < moved < 0 else moved


def _overlaps(segments: Sequence[Segment]) -> int:
    ordered = sorted(segments, key=lambda s: (s.start, s.end))
    return sum(after.start < before.end - SUMMED for before, after in itertools.pairwise(ordered))


def _fitted(segment: Segment, seconds: float | None) -> Segment:
    if seconds is None or segment.end <= seconds:
        return segment
    if segment.end > seconds + TEXTGRID_SLACK or segment.start >= seconds:
        raise AlignmentError(
            f"The TextGrid's “{segment.label}” ends at {segment.end:g} s but the clip at {seconds:g} s, so it "
            "probably belongs to another recording: please upload the TextGrid of this clip."
        )
    return Segment(segment.label, segment.start, seconds)


def write_textgrid(tiers: Mapping[str, Sequence[Segment]], seconds: float) -> str:
    """The tiers as a TextGrid for Praat (long text format), gaps filled with empty intervals up to `seconds`.

    Raises AlignmentError if segments of one tier overlap (see `without_overlap`) or reach beyond `seconds`.
    """
    if not math.isfinite(seconds):
        raise AlignmentError(f"A TextGrid cannot last {seconds} s: please give the clip's length.")
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {float(seconds)!r}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, segments) in enumerate(tiers.items(), start=1):
        intervals = _without_gaps(sorted(segments, key=lambda s: s.start), float(seconds))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
        ]
        lines += ["        xmin = 0", f"        xmax = {float(seconds)!r}"]
        lines += [f"        intervals: size = {len(intervals)}"]
        for index, (label, start, end) in enumerate(intervals, start=1):
            lines += [f"        intervals [{index}]:", f"            xmin = {start!r}", f"            xmax = {end!r}"]
            lines += [f"            text = {_quoted(label)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + encoded(text).replace('"', '""') + '"'


def _without_gaps(segments: Sequence[Segment], seconds: float) -> list[tuple[str, float, float]]:
    intervals, at = [], 0.0
    for segment in segments:
        if segment.start < at - 1e-9 or segment.end > seconds + 1e-9:  # 1e-9 s: the last digits of sums of floats
            raise AlignmentError(
                f"“{segment.label}” ({segment.start:g} to {segment.end:g} s) overlaps its neighbour or ends after the "
                f"clip ({seconds:g} s), which a TextGrid cannot hold: please correct its times."
            )
        if segment.start > at + 1e-9:
            intervals.append(("", at, segment.start))
            at = segment.start
        intervals.append((segment.label, at, min(segment.end, seconds)))
        at = intervals[-1][2]
    return intervals + ([("", at, seconds)] if at < seconds - 1e-9 else [])
