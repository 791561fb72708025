"""How many pieces an MP4 or QuickTime file says it has, read from its boxes before FFmpeg makes room for them.

A few bytes can claim any number of pieces of one size each, and FFmpeg sets up 36 bytes for every one of them before
it looks for the first: 700 MB for the 20 million that a file of 5 kB claimed.
"""

import mmap
import struct
from collections.abc import Iterator
from typing import BinaryIO

COUNTED = {b"stsz": 8, b"stz2": 8, b"trun": 4}  # a box that counts pieces -> where the count is in it, bytes
PACKED = b"cmov"  # a movie box packed with zlib, of before 2000: what it claims cannot be seen from outside
UNREAD = (b"mdat", b"free", b"skip", b"wide")  # boxes in which nothing is looked up
MOST_BOXES = 100_000  # at the top level; half a minute in fragments of 20 ms has 3,000
FEW = 1_000_000  # pieces that cost no more than 36 MB whatever the file's size


def claims_too_many(file: BinaryIO, most: int) -> bool:
    """Whether a movie claims more than `most` pieces, or more than it has bytes; False for what is no movie."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        claimed = 0
        for number, (kind, start, end) in enumerate(_boxes(data)):
            if number >= MOST_BOXES:
                return True
            if not kind.isalnum() or kind in UNREAD:  # FFmpeg looks into no box with another name
                continue
            if data.find(PACKED, start, end) >= 0:
                return True
            claimed += sum(_counts(data, start - 4, end))  # with the box's own name: it may be such a box itself
        return claimed > most or claimed > max(FEW, len(data))


def _boxes(data: mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """The boxes at the top level: kind, and where the content starts and ends."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= len(data):
            size = struct.unpack_from(">Q", data, start)[0]
        end = len(data) if size == 0 else min(at + size, len(data))
        if end < start:
            return
        yield kind, start, end
        at = end


def _counts(data: mmap.mmap, start: int, end: int) -> Iterator[int]:
    """What each box that counts pieces says; FFmpeg reads such a box wherever it stands."""
    for kind, offset in COUNTED.items():
        at = data.find(kind, start, end)
        while at >= 0:
            long = data[at - 4 : at] == b"\0\0\0\1"  # then eight bytes of size follow the kind
            where = at + 4 + offset + 8 * long
            if where + 4 <= len(data):
                yield struct.unpack_from(">I", data, where)[0]
            at = data.find(kind, at + 1, end)
