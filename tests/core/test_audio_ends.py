"""Reading sound to its end: joined, chained, cut and streamed files, and what is said of what they lack."""

import struct

import av
import numpy as np
import pytest
import soundfile
from corpora import WORDS, record
from sounds import tone, write_with_pyav

from methods.core.audio import ClipError, load_clip
from methods.core.corpus import read_folder

RATE, SECONDS = 48_000, 3.0
DELAY = 0.07  # s; a decoder's delay and padding: at most 1105 + 2 * 1152 samples of MP3
SOUNDFILE = {
    "a.wav": {},
    "a.aiff": {},
    "a.au": {},
    "a.caf": {},
    "a.w64": {},
    "a.mp3": {},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
}
PYAV = {"a.m4a": ("aac", {"muxer": {"movflags": "faststart"}}), "a.webm": ("libopus", {})}


def written(folder, name):
    """Three seconds of noise, 100 ms of which are as good as any other."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, round(SECONDS * RATE)).astype(np.float32)
    if name in PYAV:
        codec, options = PYAV[name]
        write_with_pyav(folder / name, codec, noise, RATE, **options)
    else:
        soundfile.write(folder / name, noise, RATE, **SOUNDFILE.get(name, {}))
    return folder / name


@pytest.mark.parametrize("name", [*SOUNDFILE, *PYAV])
def test_half_a_file_is_called_cut_short_and_a_whole_one_is_not(tmp_path, name):
    file = written(tmp_path, name)
    whole = load_clip(file)
    assert whole.seconds == pytest.approx(SECONDS, abs=0.02)
    assert whole.lost == ()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    half = load_clip(file)
    # Bytes are not seconds: a header comes first, and one page of an Ogg file holds a second.
    assert half.seconds == pytest.approx(SECONDS / 2, abs=1)
    assert any(note.startswith("cut short") for note in half.lost)
    assert set(half.lost) <= set(half.notes)


@pytest.mark.parametrize("name", ["a.mp3", "a.opus", "a.webm"])
def test_joined_files_are_read_to_the_end(tmp_path, name):
    file = written(tmp_path, name)
    file.write_bytes(2 * file.read_bytes())
    assert load_clip(file).seconds == pytest.approx(2 * SECONDS, abs=2 * DELAY)


def test_an_id3_tag_between_two_mp3s_costs_no_more_than_a_frame(tmp_path):
    file = written(tmp_path, "a.mp3")
    text = b"\x03" + b"x" * 500
    frame = b"TIT2" + struct.pack(">I", len(text)) + bytes(2) + text
    tag = b"ID3\x03\x00\x00" + bytes([0, 0, len(frame) >> 7, len(frame) & 127]) + frame
    file.write_bytes(tag + file.read_bytes() + tag + file.read_bytes())
    assert load_clip(file).seconds == pytest.approx(2 * SECONDS, abs=2 * DELAY)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.caf", "a.m4a"])
def test_a_second_file_that_cannot_be_read_on_is_named(tmp_path, name):
    file = written(tmp_path, name)
    file.write_bytes(2 * file.read_bytes())
    clip = load_clip(file)
    assert clip.seconds == pytest.approx(SECONDS, abs=0.02)
    assert clip.lost == ("a second file is joined on behind the first and was left out",)


@pytest.mark.parametrize("bit_rate_mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_its_xing_header_is_read_to_its_end(tmp_path, bit_rate_mode):
    """The first frame of such a file is the header: without it only decoding tells how long the sound is."""
    quiet_then_loud = np.concatenate([tone(RATE, 2, amplitude=0.01), tone(RATE, 4, amplitude=0.9, quiet_s=0)])
    file = tmp_path / "a.mp3"
    soundfile.write(file, quiet_then_loud, RATE, bitrate_mode=bit_rate_mode, compression_level=0.5)
    content = file.read_bytes()
    mark = max(content.find(b"Xing"), content.find(b"Info"))
    assert mark > 0
    second = content.index(content[:2], mark)
    file.write_bytes(content[second:])
    assert load_clip(file).seconds == pytest.approx(6, abs=DELAY)


def test_a_wav_whose_size_was_never_filled_in_is_read_and_an_empty_one_is_not(tmp_path):
    file = written(tmp_path, "a.wav")
    content = bytearray(file.read_bytes())
    content[40:44] = bytes(4)  # the data chunk's size
    file.write_bytes(content)
    clip = load_clip(file)
    assert (clip.seconds, clip.lost) == (SECONDS, ())
    content[40:44] = struct.pack("<I", RATE * 2)  # a recorder that wrote its header after a second, and then crashed
    file.write_bytes(content)
    clip = load_clip(file)
    assert (clip.seconds, clip.lost) == (1, ("2.00 s behind the end that the header states were left out",))
    file.write_bytes(content[:40] + bytes(4))
    with pytest.raises(ClipError, match="holds no samples at all"):
        load_clip(file)


def test_chunks_behind_the_sound_are_no_loss(tmp_path):
    file = written(tmp_path, "a.wav")
    comment = b"LIST" + struct.pack("<I", 100_000) + b"INFOICMT" + bytes(99_992)
    file.write_bytes(file.read_bytes() + comment)
    assert load_clip(file).lost == ()


@pytest.mark.parametrize("name", ["a.mp3", "a.opus", "a.m4a", "a.webm"])
def test_a_damaged_tenth_is_named(tmp_path, name):
    file = written(tmp_path, name)
    content = bytearray(file.read_bytes())
    middle, hole = len(content) // 2, len(content) // 10
    content[middle : middle + hole] = b"\x55" * hole
    file.write_bytes(content)
    clip = load_clip(file)
    assert clip.lost
    assert clip.seconds < SECONDS + DELAY


@pytest.mark.parametrize("container", ["mp3", "ogg"])
def test_a_long_file_is_decoded_no_further_than_a_second_past_the_limit(tmp_path, container):
    file = tmp_path / f"long.{container}"
    soundfile.write(file, tone(16_000, 90), 16_000)
    with pytest.raises(ClipError, match=r"too long, (31\.\d\d s or more|90\.\d\d s)"):
        load_clip(file)


def test_a_corpus_names_the_recordings_that_were_cut(tmp_path):
    file = record(tmp_path / "ann/one.wav", {"words": WORDS})
    file.write_bytes(file.read_bytes()[:-8000])  # a quarter of a second
    record(tmp_path / "ann/two.wav", {"words": WORDS})
    file.with_suffix(".TextGrid").unlink()
    notes = read_folder(tmp_path).notes
    expected = "one (cut short or damaged: the file states 1.00 s and 0.75 s of them could be read)"
    assert f"not read in full: {expected}" in notes


def test_pieces_of_an_mp3_that_a_cut_left_without_their_data_are_named(tmp_path):
    """Frames are copied from the middle of a file: the first ones reach back for bytes that stayed behind."""
    whole = written(tmp_path, "a.mp3")
    with av.open(whole) as container:
        frames = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    assert load_clip(whole).lost == ()
    starts = [number for number, frame in enumerate(frames) if 5 < number < 30 and (frame[4] << 1 | frame[5] >> 7) > 0]
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(b"".join(frames[starts[0] :]))
    found = load_clip(cut)
    assert len(found.lost) == 1 and "a cut left out what came before" in found.lost[0]
    assert np.abs(found.samples[:200]).max() == 0  # what FFmpeg plays instead


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_flac_whose_header_states_too_little_is_read_to_its_end(tmp_path, share):
    file = tmp_path / "a.flac"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, round(SECONDS * RATE)).astype(np.float32)
    soundfile.write(file, noise, RATE)
    content = bytearray(file.read_bytes())
    stated = int.from_bytes(content[18:26], "big")  # of STREAMINFO: its last 36 bits are the number of samples
    assert stated & (1 << 36) - 1 == len(noise)
    content[18:26] = (stated - len(noise) + round(share * len(noise))).to_bytes(8, "big")
    file.write_bytes(content)
    clip = load_clip(file)
    assert (clip.seconds, clip.lost) == (SECONDS, ())


def test_a_flac_whose_header_states_too_much_is_damaged_and_not_too_long(tmp_path):
    """It is the length by decoding that counts: 2 s are not refused as 100 s."""
    file = tmp_path / "a.flac"
    soundfile.write(file, tone(16_000, seconds=2.0), 16_000)
    content = bytearray(file.read_bytes())
    stated = int.from_bytes(content[18:26], "big")
    content[18:26] = (stated - 32_000 + 1_600_000).to_bytes(8, "big")
    file.write_bytes(content)
    with pytest.raises(ClipError, match="damaged") as told:
        load_clip(file)
    assert "too long" not in str(told.value)


def test_a_tag_before_a_flac_is_no_second_file(tmp_path):
    file = tmp_path / "a.flac"
    soundfile.write(file, tone(16_000, seconds=1.0), 16_000)
    file.write_bytes(b"ID3\x03\0\0\0\0\0\x10" + bytes(16) + file.read_bytes())
    assert (load_clip(file).seconds, load_clip(file).lost) == (1.0, ())


def test_the_delay_and_padding_of_a_slow_mp3_are_no_loss(tmp_path):
    """At 8 kHz they take 0.15 s, which the number of frames in the header includes and no decoder gives."""
    write_with_pyav(tmp_path / "a.mp3", "libmp3lame", tone(8_000, seconds=SECONDS), 8_000)
    clip = load_clip(tmp_path / "a.mp3")
    assert clip.seconds == pytest.approx(SECONDS, abs=0.002)
    assert clip.lost == ()
