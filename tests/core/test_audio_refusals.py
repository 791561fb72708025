"""Reading sound: every refusal is one clear sentence."""

import struct

import av
import numpy as np
import pytest
import soundfile
from sounds import tone, write_with_pyav

from methods.core.audio import ClipError, clip_from_samples, load_clip
from methods.core.errors import UserError

# ------------------------------------------------------------------------------ refusals


def test_clip_error_is_one_of_the_errors_the_page_shows():
    assert issubclass(ClipError, UserError)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ClipError, match=r"no sound file called “gone\.wav” here"):
        load_clip(tmp_path / "gone.wav")
    with pytest.raises(ClipError, match="no sound file"):
        load_clip(tmp_path)


def soundless():
    """A WAV whose samples have 0 bits: a track that no decoder is made for."""
    layout = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 0)
    body = b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", 32_000) + bytes(32_000)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"These are words, not sound.\n" * 500, "cannot be read as sound"),
        (np.random.default_rng(0).bytes(50_000), "cannot be read as sound"),
        (np.random.default_rng(1).bytes(50_000), "cannot be read as sound"),
        (bytes(50_000), "cannot be read as sound"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "cannot be read as sound"),
        (soundless(), "cannot be read as sound"),
    ],
)
@pytest.mark.parametrize("ending", ["wav", "mp3", "m4a", "raw"])
def test_not_audio(tmp_path, content, message, ending):
    file = tmp_path / f"odd.{ending}"
    file.write_bytes(content)
    with pytest.raises(ClipError, match=message):
        load_clip(file)


def test_a_playlist_never_opens_another_file(tmp_path):
    secret = write_with_pyav(tmp_path / "secret.aac", "aac", tone(48_000), 48_000, container="adts")
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile {secret}\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ClipError, match="cannot be read as sound"):
            load_clip(tmp_path / name)


def test_half_an_upload_and_a_damaged_block_are_not_passed_off_as_the_clip(tmp_path):
    soundfile.write(tmp_path / "whole.flac", tone(16_000), 16_000)
    whole = (tmp_path / "whole.flac").read_bytes()
    middle = len(whole) // 2
    for name, content in {"half": whole[:middle], "hit": whole[:middle] + b"\x55" * 99 + whole[middle + 99 :]}.items():
        (tmp_path / f"{name}.flac").write_bytes(content)
        with pytest.raises(ClipError, match=f"“{name}” is damaged and cannot be read to its end"):
            load_clip(tmp_path / f"{name}.flac")
    memo = write_with_pyav(tmp_path / "memo.m4a", "aac", tone(48_000), 48_000)
    memo.write_bytes(memo.read_bytes()[:-2000])  # the table of contents stands at the end
    with pytest.raises(ClipError, match="cannot be read as sound"):
        load_clip(memo)


def test_a_film_without_sound(tmp_path):
    with av.open(str(tmp_path / "mute.mp4"), "w") as file:
        pictures = file.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 64
        for _ in range(5):
            file.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(pictures.encode(None))
    with pytest.raises(ClipError, match="“mute” has no sound track"):
        load_clip(tmp_path / "mute.mp4")


def test_limits_of_length_are_inclusive():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 30 * 44_100 + 1).astype(np.float32)
    assert clip_from_samples(noise[:-1], 44_100).seconds == 30
    assert clip_from_samples(noise[:4410], 44_100).seconds == pytest.approx(0.1, abs=1e-9)
    with pytest.raises(ClipError, match=r"too long, 30\.01 s"):
        clip_from_samples(noise, 44_100)
    with pytest.raises(ClipError, match=r"too short, 0\.099 s"):
        clip_from_samples(noise[:4366], 44_100)
    with pytest.raises(ClipError, match="no samples at all"):
        clip_from_samples(noise[:0], 44_100)


def test_ten_hours_are_refused_from_the_header_alone(tmp_path, monkeypatch):
    seconds, rate = 36_000, 8_000
    size = seconds * rate * 2  # bytes, 16-bit mono; none of them is stored
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    with (tmp_path / "day.wav").open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size))
        file.truncate(44 + size)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)  # reading would crash
    with pytest.raises(ClipError, match=r"too long, 36000\.00 s, where"):
        load_clip(tmp_path / "day.wav")


def test_long_memo_is_refused_from_its_header_and_a_long_bare_stream_after_31_seconds(tmp_path):
    long = tone(16_000, seconds=60)
    with pytest.raises(ClipError, match=r"too long, 60\.\d\d s, where"):
        load_clip(write_with_pyav(tmp_path / "a.m4a", "aac", long, 16_000))
    with pytest.raises(ClipError, match=r"too long, 31\.\d\d s or more"):
        load_clip(write_with_pyav(tmp_path / "a.aac", "aac", long, 16_000, container="adts"))


def test_silence_states_its_level():
    with pytest.raises(ClipError, match="silent: its loudest moment is at exactly zero"):
        clip_from_samples(np.zeros(16_000), 16_000)
    with pytest.raises(ClipError, match="at -86 dBFS"):  # 20 log10(5e-5) = -86.02
        clip_from_samples(tone(16_000, amplitude=5e-5), 16_000)
    with pytest.raises(ClipError, match="silent"):  # a broken microphone: nothing but a constant offset
        clip_from_samples(np.full(16_000, 0.3), 16_000)
    assert clip_from_samples(tone(16_000, amplitude=2e-4), 16_000).seconds == 2  # -74 dBFS: faint, but there
    with pytest.raises(ClipError, match="below 8 kHz"):
        clip_from_samples(tone(48_000, frequency_hz=15_000, quiet_s=0) * np.hanning(96_000), 48_000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(tmp_path, bad):
    samples = tone(16_000)
    samples[[7, 70]] = bad
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(ClipError, match="“a” holds 2 samples that are not numbers"):
        load_clip(tmp_path / "a.wav")


def test_absurd_rates_and_channels():
    with pytest.raises(ClipError, match="2000 Hz, too low to hold speech"):
        clip_from_samples(np.ones(4_000), 2_000)
    with pytest.raises(ClipError, match="the header is probably wrong"):
        clip_from_samples(np.ones(4_000), 1_000_000)
    with pytest.raises(ClipError, match="9 channels"):
        clip_from_samples(np.ones((4_000, 9)), 16_000)


@pytest.mark.parametrize("samples", [np.ones((2, 2, 2)), np.float64(1), np.ones(9, bool), np.array(["a"])])
def test_a_programming_error_is_not_blamed_on_the_visitor(samples):
    with pytest.raises(ValueError, match=r"must be \(n,\) or \(n, channels\)") as caught:
        clip_from_samples(samples, 16_000)
    assert not isinstance(caught.value, ClipError)
