"""Records in MATLAB files (versions 5 to 7) of strangers, read within bounds.

SciPy's own reader takes the whole process down on some damaged files and unpacks without limit; a page that anybody
may give a file to cannot use it. Only what EMA recordings are kept in is read here: the first row of structs, and of
its fields numbers and texts. Format: MathWorks, *MAT-File Format*, "Level 5 MAT-Files".
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

MATRIX, COMPRESSED = 14, 15  # kinds of elements
STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
    16: "u1",
    17: "u2",
}
STRUCT, TEXT = 2, 4  # classes of matrices
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
HEADER, LEVEL_5 = 128, 0x0100
MOST_RECORDS, MOST_FIELDS = 1000, 100

Struct = dict[str, np.ndarray | str | list | None]
Element = tuple[int, memoryview]  # kind, content


class MatlabError(ValueError):
    """The file is damaged, of another version, or of another kind."""


def records(content: bytes, most: int) -> list[Struct]:
    """The first row of structs: for each its fields, numbers as arrays, texts as str, all else as None.

    Empty if there is none. Raises MatlabError if it cannot be read, or if it unpacks to more than `most` bytes.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
    if order is None or struct.unpack(f"{order}H", content[HEADER - 4 : HEADER - 2])[0] != LEVEL_5:
        raise MatlabError("this is not a MATLAB file of version 5 to 7")
    for kind, packed in _elements(memoryview(content)[HEADER:], order):
        element = (kind, packed)
        if kind == COMPRESSED:
            unpacked = _inflated(packed, most)
            most -= len(unpacked)
            element = next(_elements(memoryview(unpacked), order), (0, packed))
        found = _value(element, order)
        if isinstance(found, list):
            return found
    return []


def _inflated(packed: memoryview, most: int) -> bytes:
    reader = zlib.decompressobj()
    try:
        unpacked = reader.decompress(packed, max(most, 1))
    except zlib.error as problem:
        raise MatlabError("a compressed part is damaged") from problem
    if reader.unconsumed_tail:
        raise MatlabError("it unpacks to more than is allowed")
    return unpacked


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """The elements one after the other; those of up to four bytes are packed into their own tag."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        begin = at + 8
        if kind >> 16:
            kind, size, begin = kind & 0xFFFF, min(kind >> 16, 4), at + 4
        if begin + size > len(data):
            raise MatlabError("it ends in the middle")
        yield kind, data[begin : begin + size]
        at = begin + size if kind == COMPRESSED else begin + size + (-(begin + size - at) % 8)


def _value(element: Element, order: str) -> Any:
    """What a matrix holds: a list of structs, numbers, a text, or None for what is of no use here."""
    kind, data = element
    parts = _elements(data, order)
    flags, shape, name = (next(parts, None) for _ in range(3))
    if kind != MATRIX or name is None or len(flags[1]) < 4:
        return None
    held = struct.unpack_from(f"{order}I", flags[1])[0] & 0xFF
    if held == STRUCT:
        return _structs(parts, order)
    content = next(parts, None)
    if content is None or held not in (TEXT, *NUMBERS):
        return None
    if held == TEXT:
        return _text(content, order)
    values = _numbers(content, order)
    lengths = _numbers(shape, order).astype(np.int64).tolist()
    if min(lengths, default=-1) < 0 or np.prod(lengths, dtype=float) != len(values):
        raise MatlabError("a matrix is not as large as it says")
    return values.astype(NUMBERS[held]).reshape(lengths, order="F")


def _structs(parts: Iterator[Element], order: str) -> list[Struct]:
    length, names = next(parts, None), next(parts, None)
    if names is None or not (width := int(_numbers(length, order)[:1].sum())) > 0:
        raise MatlabError("a struct has no fields")
    label = bytes(names[1])
    fields = [label[i : i + width].split(b"\0")[0].decode("ascii", "replace") for i in range(0, len(label), width)]
    if not 0 < len(fields) <= MOST_FIELDS:
        raise MatlabError("a struct has no fields, or too many")
    found: list[Struct] = []
    for number, element in enumerate(parts):
        if number >= MOST_RECORDS * len(fields):
            raise MatlabError("there are too many records")
        if number % len(fields) == 0:
            found.append({})
        value = _value(element, order) if element[0] == MATRIX and not _holds_structs(element, order) else None
        found[-1][fields[number % len(fields)]] = value
    return found


def _holds_structs(element: Element, order: str) -> bool:
    """Structs in structs are of no use here, and could be nested without end."""
    flags = next(_elements(element[1], order), None)
    return flags is not None and len(flags[1]) >= 4 and struct.unpack_from(f"{order}I", flags[1])[0] & 0xFF == STRUCT


def _numbers(element: Element, order: str) -> np.ndarray:
    kind, data = element
    if kind not in STORED or len(data) % np.dtype(STORED[kind]).itemsize:
        raise MatlabError("numbers are kept in an unknown way")
    return np.frombuffer(data, dtype=np.dtype(STORED[kind]).newbyteorder(order))


def _text(element: Element, order: str) -> str:
    codes = _numbers(element, order)
    return "".join(chr(code) for code in codes[:200].astype(np.int64) if 0 < code < 0xD800)
