"""MATLAB files: what SciPy wrote comes back, and damaged or hostile ones end in a sentence."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from methods.core.corpus.matlab import MatlabError, records

PLENTY = 10**7
KINDS = [("NAME", object), ("SRATE", object), ("SIGNAL", object), ("NOTE", object)]


def rows(count=3):
    rng = np.random.default_rng(0)
    signals = [rng.normal(size=(20 + i, 3)) for i in range(count)]
    return np.array([(f"SENSOR {i}", 100.0 + i, signal, "ok") for i, signal in enumerate(signals)], dtype=KINDS)[None]


def saved(path, content, **options):
    savemat(path, content, **options)
    return path.read_bytes()


@pytest.mark.parametrize("compressed", [False, True])
def test_records_are_those_that_scipy_reads(tmp_path, compressed):
    content = saved(tmp_path / "x.mat", {"x": rows()}, do_compression=compressed)
    found = records(content, PLENTY)
    theirs = loadmat(tmp_path / "x.mat", squeeze_me=True, struct_as_record=False)["x"]
    assert len(found) == len(theirs) == 3
    for mine, other in zip(found, theirs, strict=True):
        assert mine["NAME"] == other.NAME and mine["NOTE"] == "ok" and list(mine) == [name for name, _ in KINDS]
        assert mine["SRATE"].item() == other.SRATE
        np.testing.assert_array_equal(mine["SIGNAL"], other.SIGNAL)
        assert mine["SIGNAL"].dtype == np.float64


@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_every_kind_of_number_keeps_its_kind(tmp_path, dtype):
    values = np.arange(1, 13).reshape(4, 3).astype(dtype)  # as columns in the file, so that an order shows
    row = np.array([("A", 1.0, values, "")], dtype=KINDS)[None]
    found = records(saved(tmp_path / "x.mat", {"x": row}), PLENTY)[0]["SIGNAL"]
    np.testing.assert_array_equal(found, values)
    assert found.dtype == np.dtype(dtype)


def test_other_variables_are_passed_over_and_other_content_is_none(tmp_path):
    row = np.array(
        [("A", np.array([], dtype=float), np.array(["x", 1.0], dtype=object), {"deep": {"deeper": 1.0}})], dtype=KINDS
    )[None]
    for compressed in (False, True):
        content = saved(tmp_path / "x.mat", {"a": np.eye(3), "text": "words", "x": row}, do_compression=compressed)
        found = records(content, PLENTY)[0]
        assert found["NAME"] == "A" and found["SIGNAL"] is None and found["NOTE"] is None
        assert found["SRATE"] is None or found["SRATE"].size == 0
    assert records(saved(tmp_path / "y.mat", {"a": np.eye(3)}), PLENTY) == []


def test_big_endian_files():
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

    def matrix(held, shape, *parts):
        head = element(6, struct.pack(">II", held, 0)) + element(5, struct.pack(">2i", *shape)) + element(1, b"x")
        return element(14, head + b"".join(parts))

    name = matrix(4, (1, 2), element(4, "TT".encode("utf-16-be")))
    signal = matrix(6, (2, 2), element(9, struct.pack(">4d", 1, 2, 3, 4)))
    small = struct.pack(">HH", 4, 5) + struct.pack(">i", 7)  # four bytes in the tag itself: the length of names
    body = matrix(2, (1, 1), small, element(1, b"NAME\0\0\0SIGNAL\0"), name, signal)
    found = records(b"MATLAB".ljust(124) + struct.pack(">H", 0x0100) + b"MI" + body, PLENTY)
    assert found[0]["NAME"] == "TT"
    np.testing.assert_array_equal(found[0]["SIGNAL"], [[1, 3], [2, 4]])  # column by column


def test_it_does_not_unpack_without_end(tmp_path):
    content = saved(tmp_path / "x.mat", {"x": rows(), "zeros": np.zeros(500_000)}, do_compression=True)
    with pytest.raises(MatlabError, match="unpacks to more than is allowed"):
        records(content, 1000)
    body = zlib.compress(b"\0" * 10**7)
    bomb = content[:128] + b"".join(struct.pack("<II", 15, len(body)) + body for _ in range(3))
    with pytest.raises(MatlabError, match="unpacks to more than is allowed"):  # each alone would be allowed
        records(bomb, 2 * 10**7)


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"x" * 400, b"\0" * 1000])
def test_what_is_no_matlab_file(content):
    with pytest.raises(MatlabError, match="not a MATLAB file of version 5 to 7"):
        records(content, PLENTY)


def test_version_4_and_7_3_are_other_formats(tmp_path):
    newest = b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM" + b"\0" * 400
    for content in (newest, saved(tmp_path / "x.mat", {"x": np.eye(9)}, format="4")):
        with pytest.raises(MatlabError, match="not a MATLAB file"):
            records(content, PLENTY)


@pytest.mark.parametrize("compressed", [False, True])
def test_whatever_byte_is_wrong_it_is_records_or_a_sentence(tmp_path, compressed):
    good = saved(tmp_path / "x.mat", {"x": rows(2)}, do_compression=compressed)
    rng, ends = np.random.default_rng(1), {"read": 0, "refused": 0}
    for number in range(600):
        damaged = bytearray(good[: rng.integers(len(good))] if number % 5 == 0 else good)
        for _ in range(number % 3 + 1 if number % 5 else 0):
            damaged[rng.integers(len(damaged) if number % 2 else 500)] = rng.integers(256)
        try:
            assert isinstance(records(bytes(damaged), PLENTY), list)
            ends["read"] += 1
        except MatlabError:
            ends["refused"] += 1
    assert min(ends.values()) > 20
