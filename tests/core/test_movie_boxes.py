"""A movie's claims about the number of its pieces, read before anything makes room for them."""

import resource
import struct

import pytest
from sounds import tone, write_with_pyav

from methods.core.audio import ClipError, load_clip

CLAIM = 20_000_000  # pieces in a file of some kB
PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def movie(path, fragmented):
    muxer = {"movflags": "frag_keyframe+empty_moov"} if fragmented else {}
    write_with_pyav(path, "aac", tone(16_000), 16_000, container="mp4", muxer=muxer)
    return bytearray(path.read_bytes())


def replaced(data, kind, content):
    """The file with one box's content exchanged, and the sizes of those around it mended."""
    at = data.index(kind) - 4
    old, new = struct.unpack_from(">I", data, at)[0], struct.pack(">I4s", 8 + len(content), kind) + content
    data[at : at + old] = new
    for outer in PATH:
        where = data.index(outer) - 4
        struct.pack_into(">I", data, where, struct.unpack_from(">I", data, where)[0] + len(new) - old)
    return data


def with_sizes(data, *fields):
    return replaced(data, b"stsz", struct.pack(f">{len(fields)}I", *fields))


def with_large_box(data):
    """The count in a box whose size is written in eight bytes."""
    at = data.index(b"stsz") - 4
    size = struct.unpack_from(">I", data, at)[0]
    data[at : at + size] = struct.pack(">I4sQIII", 1, b"stsz", 28, 0, 6, CLAIM)
    return data


def one_chunk(data):  # with one size for all, what FFmpeg makes room for first: 700 MB
    return with_sizes(replaced(data, b"stsc", struct.pack(">5I", 0, 1, 1, CLAIM, 1)), 0, 6, CLAIM)


def with_run(data, flags):
    at = data.index(b"trun")
    struct.pack_into(">II", data, at + 4, flags, CLAIM)
    return data


@pytest.mark.parametrize(
    ("fragmented", "claim"),
    [
        (False, lambda data: with_sizes(data, 0, 6, CLAIM)),
        (False, lambda data: with_sizes(data, 0, 0, CLAIM)),
        (False, one_chunk),
        (False, with_large_box),
        (False, lambda data: data + struct.pack(">I4sIII", 20, b"stsz", 0, 6, CLAIM)),  # after all others
        (True, lambda data: with_run(data, 1)),
        (True, lambda data: with_run(data, 0x301)),
        (False, lambda data: data + struct.pack(">I4s", 8, b"free") * 100_001),
        (False, lambda data: data + struct.pack(">I4sI4s", 16, b"moov", 8, b"cmov")),
    ],
)
def test_a_claim_that_no_half_minute_can_keep_is_refused_before_room_is_made(tmp_path, fragmented, claim):
    path = tmp_path / "claims.mp4"
    path.write_bytes(claim(movie(path, fragmented)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ClipError, match="more pieces of sound than it can hold"):
        load_clip(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kB on Linux; of the highest so far
    assert grown < 50_000


@pytest.mark.parametrize("fragmented", [False, True])
def test_an_honest_movie_is_read(tmp_path, fragmented):
    path = tmp_path / "good.mp4"
    movie(path, fragmented)
    assert load_clip(path).seconds == pytest.approx(2.0, abs=0.15)  # AAC pads both ends


def test_names_of_boxes_in_other_sound_are_no_claims(tmp_path):
    """Within an MP3 or Ogg file these letters may stand by chance."""
    path = tmp_path / "a.mp3"
    write_with_pyav(path, "libmp3lame", tone(16_000), 16_000)
    path.write_bytes(path.read_bytes() + b"stsz" + bytes([0, 0, 0, 0, 0, 0, 0, 6, 255, 255, 255, 255]) + b"cmov")
    assert load_clip(path).seconds == pytest.approx(2.0, abs=0.15)
