"""Does a sound file hold all that it says it holds? Its own statements about its end, against what was decoded.

Only the few bytes that state a length are read here, by hand, because the decoders read what there is and say nothing:
chunk sizes (WAV, AIFF, AU, CAF, Wave64), the number of frames in an MP3's Xing or VBRI header, the end mark of an Ogg
stream, and the beginning of a second file that somebody joined on.
"""

import mmap
import re
import struct
from typing import BinaryIO, NamedTuple

TOLERANCE = 0.1  # s; encoders' delays, padding and rounding stay well below it
STREAMED = 0x7FF0_0000  # bytes; programs that cannot go back to the header write 2 or 4 GB there
# A file's beginning inside another: at least seven given bytes, which sound does not produce by chance.
BEGINNING = re.compile(
    rb"RIFF.{4}WAVE|FORM.{4}AIF[FC]|fLaC\x00\x00\x00\x22|caff\x00\x01\x00\x00desc|\x00\x00\x00.ftyp", re.DOTALL
)


class Chunks(NamedTuple):
    """How a format writes its chunks."""

    first: int  # bytes before the first
    name: int  # bytes of a name
    size: str  # how `struct` reads a size
    counted: int  # bytes of its own header that a size includes
    align: int  # chunks begin at multiples of it
    sound: bytes  # the beginning of the name of the chunk with the sound


CHUNKS = {
    b"RIFF": Chunks(12, 4, "<I", 0, 2, b"data"),
    b"FORM": Chunks(12, 4, ">I", 0, 2, b"SSND"),
    b"caff": Chunks(8, 4, ">Q", 0, 1, b"data"),
    b"riff": Chunks(40, 16, "<Q", 24, 8, b"data"),  # Wave64
}


def missing(file: BinaryIO, seconds: float, rate: float, stated: float | None = None) -> tuple[str, ...]:
    """What is not in these decoded `seconds`, a clause each? `stated`: the length that the container gives."""
    file.seek(0)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        sizes = _sound_bytes(data)
        stated = stated or _frames_by_header(data) / rate
        if sizes and 0 < sizes.there < sizes.stated:  # the container may have been read as far as there is sound
            stated = seconds * sizes.stated / sizes.there
        return tuple(_clauses(data, seconds, stated, sizes))


def is_joined(file: BinaryIO) -> bool:
    """Whether a second file begins inside this one."""
    file.seek(0)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _has_second(data)


def _has_second(data: mmap.mmap) -> bool:
    return BEGINNING.search(data, _behind_tags(data) + 16) is not None


def _clauses(data: mmap.mmap, seconds: float, stated: float, sizes: "Sizes | None") -> list[str]:
    found = []
    if stated > seconds + TOLERANCE:
        found.append(f"cut short or damaged: the file states {stated:.2f} s and {seconds:.2f} s of them could be read")
    elif data[:4] == b"OggS" and not _has_end_mark(data):
        found.append(f"cut short: the file stops after {seconds:.2f} s without its end mark")
    if _has_second(data):
        found.append("a second file is joined on behind the first and was left out")
    elif sizes and sizes.there and (beyond := seconds * sizes.behind / sizes.there) > TOLERANCE:
        found.append(f"{beyond:.2f} s behind the end that the header states were left out")
    return found


class Sizes(NamedTuple):
    """Bytes of sound in a file made of chunks."""

    stated: int
    there: int
    behind: int  # after it, and no chunk


def _sound_bytes(data: mmap.mmap) -> Sizes | None:
    """None if the file is of another format, or was streamed and states no length."""
    if data[:4] == b".snd" and len(data) >= 12:
        begin, stated = struct.unpack(">II", data[4:12])
        there = max(len(data) - begin, 0)
        return None if stated >= STREAMED else Sizes(stated, min(stated, there), max(there - stated, 0))
    form = CHUNKS.get(data[:4])
    at = form.first if form else len(data)
    while form and (head := _chunk(data, at, form)):
        name, begin, size = head
        end = begin + size
        if name.startswith(form.sound):
            if not 0 < size < STREAMED:
                return None
            behind = 0 if _chunk(data, end + -end % form.align, form) else max(len(data) - end, 0)
            return Sizes(size, min(size, len(data) - begin), behind)
        at = end + -end % form.align
    return None


def _chunk(data: mmap.mmap, at: int, form: Chunks) -> tuple[bytes, int, int] | None:
    """Name, beginning and size of the chunk that begins here; None where none does."""
    begin = at + form.name + struct.calcsize(form.size)
    if begin > len(data):
        return None
    name = data[at : at + form.name]
    (size,) = struct.unpack(form.size, data[at + form.name : begin])
    return (
        (name, begin, max(size - form.counted, 0)) if name[:4].isascii() and name[:4].decode().isprintable() else None
    )


def _frames_by_header(data: mmap.mmap) -> int:
    """Samples by the Xing, Info or VBRI header of an MP3; 0 where there is none.

    The encoder's delay and padding are taken off where it states them (after “LAME”): decoders leave them out too.
    """
    at = _behind_tags(data)
    head = data[at : at + 200]
    if head[:1] != b"\xff" or len(head) < 60:
        return 0
    samples = 1152 if head[1] >> 3 & 3 == 3 else 576  # MPEG 1; MPEG 2 and 2.5 have half as long frames
    xing = max(head.find(b"Xing"), head.find(b"Info"))
    if 0 < xing < 188 and head[xing + 7] & 1:
        stated = samples * struct.unpack(">I", head[xing + 8 : xing + 12])[0]
        around = data[at + xing + 120 : at + xing + 144]  # behind four fields and a table of 100 bytes
        if around[:4] not in (b"LAME", b"Lavc", b"Lavf") or len(around) < 24:
            return stated
        both = int.from_bytes(around[21:24], "big")  # 12 bits each
        return max(stated - (both >> 12) - (both & 0xFFF), 0)
    return samples * struct.unpack(">I", head[50:54])[0] if head[36:40] == b"VBRI" else 0


def _behind_tags(data: mmap.mmap) -> int:
    """Where a file begins, behind ID3 tags."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        at += 10 + sum(byte << shift for byte, shift in zip(data[at + 6 : at + 10], (21, 14, 7, 0), strict=True))
    return at


def _has_end_mark(data: mmap.mmap) -> bool:
    """Is the last Ogg page whole, and marked as the last?"""
    at = data.rfind(b"OggS")
    if at < 0 or at + 27 > len(data):
        return False
    segments = data[at + 26]
    end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
    return bool(data[at + 5] & 4) and end <= len(data)
