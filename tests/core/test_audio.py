"""Reading sound: every format, and the numbers that reach the models."""

import dataclasses
import hashlib
import io
import struct
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import LOSSLESS, LOSSY, onset_s, spectrum, tone, write_with_pyav

from methods.core.audio import (
    SAMPLE_RATE,
    Clip,
    ClipError,
    clean_name,
    clip_from_samples,
    envelope,
    load_clip,
    log_spectrogram,
    to_wav,
)

# ------------------------------------------------------------------------------ formats


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_keeps_frequency_amplitude_time_and_length(tmp_path, rate):
    soundfile.write(tmp_path / "tone.wav", tone(rate), rate, subtype="PCM_16")
    clip = load_clip(tmp_path / "tone.wav")
    assert len(clip.samples) == 2 * SAMPLE_RATE
    assert clip.samples.dtype == np.float32
    heard = spectrum(clip)
    assert heard.argmax() == 440
    assert heard[440] == pytest.approx(0.5, abs=LOSSLESS)
    assert onset_s(clip) == pytest.approx(0.5, abs=1e-3)  # the sine needs 0.1 ms to reach the threshold; ringing less
    assert bool(clip.notes) == (rate != SAMPLE_RATE)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_24"}, LOSSLESS),
        ("a.wav", {"subtype": "FLOAT"}, LOSSLESS),
        ("a.flac", {}, LOSSLESS),
        ("a.aiff", {}, LOSSLESS),
        ("a.ogg", {"subtype": "VORBIS"}, LOSSY),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, LOSSY),
        ("a.mp3", {}, LOSSY),
        ("no_ending", {"format": "FLAC"}, LOSSLESS),
        ("wrong_ending.raw", {"format": "WAV"}, LOSSLESS),
    ],
)
def test_formats_of_soundfile(tmp_path, name, options, tolerance):
    soundfile.write(tmp_path / name, tone(48_000), 48_000, **options)
    clip = load_clip(tmp_path / name)
    assert spectrum(clip).argmax() == 440
    assert spectrum(clip)[440] == pytest.approx(0.5, abs=tolerance)
    assert onset_s(clip) == pytest.approx(0.5, abs=2e-3)  # under one period, 2.3 ms


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("memo.m4a", "aac", {}),
        ("memo.aac", "aac", {"container": "adts"}),
        ("film.mp4", "aac", {"video": True}),
        ("browser.webm", "libopus", {}),
        ("live.webm", "libopus", {"muxer": {"live": "1"}}),  # no duration, as MediaRecorder writes it
        ("browser.mp4", "libopus", {}),
        ("chat.opus", "libopus", {"container": "ogg"}),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_formats_of_pyav(tmp_path, name, codec, options, channels):
    samples = tone(48_000) if channels == 1 else np.stack([tone(48_000)] * 2, axis=1)
    clip = load_clip(write_with_pyav(tmp_path / name, codec, samples, 48_000, **options))
    assert spectrum(clip).argmax() == 440
    assert spectrum(clip)[440] == pytest.approx(0.5, abs=LOSSY)
    bare = name.endswith(".aac")  # the bare stream cannot say that AAC's first 1024 samples, 21 ms, are its own
    assert onset_s(clip) == pytest.approx(0.5 + bare * 1024 / 48_000, abs=2e-3)
    assert clip.seconds == pytest.approx(2, abs=3 * 1024 / 48_000)  # whole AAC frames
    assert clip.name == Path(name).stem


def test_a_length_missing_from_the_header_is_no_obstacle(tmp_path):
    wav = io.BytesIO()
    soundfile.write(wav, tone(16_000), 16_000, format="WAV", subtype="PCM_16")
    streamed = bytearray(wav.getvalue())
    streamed[4:8] = streamed[40:44] = b"\xff" * 4  # as written by a program that could not go back
    (tmp_path / "a.wav").write_bytes(streamed)
    assert load_clip(tmp_path / "a.wav").seconds == 2
    for seconds in (2, 40):
        soundfile.write(tmp_path / "a.flac", tone(16_000, seconds), 16_000)
        streamed = bytearray((tmp_path / "a.flac").read_bytes())
        streamed[21] &= 0xF0  # the 36 bits of STREAMINFO that hold the number of samples; 0 = unknown
        streamed[22:26] = bytes(4)
        (tmp_path / f"{seconds}.flac").write_bytes(streamed)
    assert load_clip(tmp_path / "2.flac").seconds == 2
    with pytest.raises(ClipError, match=r"too long, 31\.\d\d s or more"):
        load_clip(tmp_path / "40.flac")


# ------------------------------------------------------------------------------ conversion


def test_channels_are_averaged_and_the_note_says_so():
    left, right = tone(16_000), tone(16_000, frequency_hz=1000, amplitude=0.25)
    clip = clip_from_samples(np.stack([left, right], axis=1), 16_000)
    np.testing.assert_allclose(clip.samples, (left + right) / 2, atol=6e-8)  # one rounding of float32 below 1
    assert clip.notes == ("average of 2 channels",)


def test_channels_that_cancel_leave_the_loudest_and_the_note_says_so():
    loud = tone(16_000)
    clip = clip_from_samples(np.stack([-0.95 * loud, loud], axis=1), 16_000)
    np.testing.assert_array_equal(clip.samples, loud)
    assert clip.notes == ("channel 2 of 2 alone, because the channels cancel each other out when averaged",)
    unrelated = np.random.default_rng(0).uniform(-0.5, 0.5, (16_000, 8))
    assert clip_from_samples(unrelated, 16_000).notes == ("average of 8 channels",)
    one_sided = np.stack([loud, 0 * loud], axis=1)
    assert clip_from_samples(one_sided, 16_000).notes == ("average of 2 channels",)


@pytest.mark.parametrize(("scale", "over"), [(1.0035, "0.03"), (1.5, "3.5"), (32_768.0, "90")])  # 20 log10, in dB
def test_floats_beyond_full_scale_are_scaled_down_not_cut(tmp_path, scale, over):
    samples = tone(16_000, amplitude=1.0)
    soundfile.write(tmp_path / "loud.wav", scale * samples, 16_000, subtype="FLOAT")
    clip = load_clip(tmp_path / "loud.wav")
    # Two roundings of float32 (on writing and on scaling), each 6e-8 of a value up to 1, and the tone's own peak.
    np.testing.assert_allclose(clip.samples, samples / np.abs(samples).max(), atol=2e-7)
    assert np.abs(clip.samples).max() == 1
    assert clip.notes[0] == f"scaled down because its peak was {over} dB above full scale"
    assert repr(clip) == f"Clip('loud', 2.00 s, {clip.notes[0]})"


@pytest.mark.parametrize("rate", [16_000, 44_100])  # resampling makes a click of a sample
@pytest.mark.parametrize("height", [1e4, 1e30])
def test_a_broken_sample_that_all_others_were_scaled_down_to_is_told(tmp_path, rate, height):
    samples = tone(rate, amplitude=1.0)
    samples[rate // 2] = height
    soundfile.write(tmp_path / "spike.wav", samples, rate, subtype="FLOAT")
    (told,) = [note for note in load_clip(tmp_path / "spike.wav").notes if "nearly silent" in note]
    assert told.startswith("only 1 sample of 32,000 within 60 dB" if rate == 16_000 else "only ")


def test_integers_are_scaled_by_their_type():
    ramp = np.tile(np.array([-32768, 0, 16384], np.int16), 1000)
    np.testing.assert_array_equal(clip_from_samples(ramp, 16_000).samples[:3], np.float32([-1, 0, 0.5]))
    steps = np.tile(np.array([0, 128, 192], np.uint8), 1000)
    np.testing.assert_array_equal(clip_from_samples(steps, 16_000).samples[:3], np.float32([-1, 0, 0.5]))


@pytest.mark.parametrize(("bits", "kind"), [(16, "i4"), (16, "i8"), (24, "i4"), (24, "i8"), (32, "i8")])
def test_narrow_values_in_a_wide_type_keep_their_scale(bits, kind):
    """-1, 0 and a half, as the narrow type defines them: the type's width is NumPy's choice, not the recorder's."""
    full = 1 << bits - 1
    clip = clip_from_samples(np.tile(np.array([-full, 0, full // 2], kind), 1000), 16_000)
    np.testing.assert_array_equal(clip.samples[:3], np.float32([-1, 0, 0.5]))
    own = 8 * np.dtype(kind).itemsize
    assert clip.notes == (f"taken as {bits}-bit values, since none of these {own}-bit integers is larger",)
    whole = np.tile(np.array([-(2**31), 0, 2**30], np.int32), 1000)
    assert clip_from_samples(whole, 16_000).notes == ()


def test_channels_first_is_channels_too():
    left, right = tone(16_000), tone(16_000, frequency_hz=1000, amplitude=0.25)
    clip = clip_from_samples(np.stack([left, right]), 16_000)
    np.testing.assert_array_equal(clip.samples, clip_from_samples(np.stack([left, right], axis=1), 16_000).samples)
    assert clip.notes == ("channels first, 2 rows of 32000 samples", "average of 2 channels")
    one = clip_from_samples(left[None], 16_000)
    np.testing.assert_array_equal(one.samples, left)
    assert one.notes == ()


def test_telephone_rate_is_welcome_and_noted():
    assert clip_from_samples(tone(8_000), 8_000).notes == ("resampled from 8 kHz to 16 kHz",)
    assert clip_from_samples(tone(44_100), 44_100).notes == ("resampled from 44.1 kHz to 16 kHz",)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("memo 12", "memo 12"),
        ("l'été à Paris", "l'été à Paris"),
        ("e\u0301te\u0301", "été"),
        ("/home/me/secret/take 3", "take 3"),
        ("C:\\Users\\me\\take 3", "take 3"),
        ("<b>bold</b>", "b"),
        ("a\x00b\n\tc\u202ed", "a b c d"),
        ("語" * 99, "語" * 60),
        ("  ", "clip"),
        ("", "clip"),
        ("..", "clip"),
    ],
)
def test_names(given, clean):
    assert clean_name(given) == clean


# ------------------------------------------------------------------------------ the clip


def test_a_clip_cannot_be_changed_and_equals_only_itself():
    own = tone(16_000)
    clip, twin = Clip(own, "a"), Clip(own, "a")
    own[:] = 0  # the caller's array stays the caller's
    assert np.abs(clip.samples).max() > 0.4
    with pytest.raises(ValueError, match="read-only"):
        clip.samples[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError, match="name"):
        clip.name = "b"
    assert clip != twin
    assert len({clip, twin, clip}) == 2
    with pytest.raises(ValueError, match="one channel"):
        Clip(np.zeros((2, 100)), "a")


def test_the_hash_is_of_the_little_endian_samples_only():
    values = [0.0, 0.5, -1.0]
    expected = hashlib.sha256(struct.pack("<3f", *values)).hexdigest()
    assert Clip(np.array(values), "a").sha256 == Clip(np.array(values), "b").sha256 == expected
    assert Clip(np.array([0.0, 0.5, 1.0]), "a").sha256 != expected


def test_the_players_wav_holds_the_same_16_bits(tmp_path):
    pcm = np.array([0, 1, -1, 32767, -32768, 12345] * 400, np.int16)
    with wave.open(io.BytesIO(to_wav(clip_from_samples(pcm, 16_000)))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        np.testing.assert_array_equal(np.frombuffer(file.readframes(9999), "<i2"), pcm)
    (tmp_path / "again.wav").write_bytes(to_wav(Clip(np.float32([0, 1, -1] * 1000), "full scale")))
    assert np.abs(load_clip(tmp_path / "again.wav").samples).max() == 1


# ------------------------------------------------------------------------------ display


@pytest.mark.parametrize("columns", [1, 7, 800, 5000])
def test_envelope_is_the_lowest_and_highest_sample_of_each_column(columns):
    samples = np.random.default_rng(0).uniform(-1, 1, 1601).astype(np.float32)
    drawn = envelope(Clip(samples, "a"), columns)
    edges = [column * 1601 // columns for column in range(columns + 1)]
    parts = [samples[start : max(end, start + 1)] for start, end in pairwise(edges)]
    np.testing.assert_array_equal(drawn, [(part.min(), part.max()) for part in parts])
    assert drawn.dtype == np.float32


def test_envelope_needs_a_column():
    with pytest.raises(ValueError, match="at least 1"):
        envelope(Clip(np.zeros(1600), "a"), 0)


def test_spectrogram_shows_level_frequency_and_time():
    time = np.arange(16_000) / 16_000
    samples = 0.5 * np.sin(2 * np.pi * 1000 * time) + 0.05 * np.sin(2 * np.pi * 3000 * time)
    shown = log_spectrogram(Clip(samples, "two tones 20 dB apart"))
    assert shown.decibels.shape == (201, 257) == (len(shown.times), len(shown.frequencies_hz))
    assert shown.decibels.dtype == np.float32
    assert (shown.frequencies_hz[0], shown.frequencies_hz[-1]) == (0, 8000)
    np.testing.assert_allclose(shown.times, np.arange(201) * 0.005, atol=1e-12)
    assert shown.decibels.max() == 0
    assert shown.decibels.min() == -70
    middle = shown.decibels[100]
    assert shown.frequencies_hz[middle.argmax()] == 1000
    # 3000 Hz lies 50 window bins away, where the Hann window's side lobes are below -100 dB: 0.001 dB.
    assert middle[96] - middle[32] == pytest.approx(-20, abs=0.01)


def test_spectrogram_places_a_click_where_it_is():
    click = np.zeros(16_000)
    click[8_000] = 1  # 0.5 s
    shown = log_spectrogram(Clip(click, "click"))
    lit = shown.times[(shown.decibels > -69).any(axis=1)]
    assert abs(lit - 0.5).max() <= 0.0125  # half a window
    assert lit.mean() == pytest.approx(0.5, abs=0.0025)  # an even window has no middle sample: half a hop at most
    assert shown.times[shown.decibels[:, 10].argmax()] == pytest.approx(0.5)


def test_spectrogram_of_nothing_is_the_floor():
    assert (log_spectrogram(Clip(np.zeros(1600), "zeros")).decibels == -70).all()
