"""The example clips: the index tells the truth, the files are legal and small, the alignments cover the clips."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bundled import FOLDER, ROWS, read_tiers

from methods.core.audio import load_clip

COLUMNS = [
    "file",
    "title",
    "language",
    "speaker",
    "voice",
    "transcript",
    "source",
    "licence",
    "attribution",
    "why",
    "pair",
]
LICENCES = {"cc-by-sa-3.0": "CC BY-SA 3.0", "public-domain": "Public domain", "cc0-1.0": "CC0 1.0"}
ENGLISH = [row["file"] for row in ROWS if row["language"] == "en"]


def _files() -> list[Path]:
    """Those of the example clips; the corpora have tests of their own."""
    return [path for path in FOLDER.rglob("*") if path.is_file() and FOLDER / "corpora" not in path.parents]


def test_the_index_names_each_sound_file_once():
    on_disk = {path.relative_to(FOLDER).as_posix() for path in _files() if path.suffix == ".wav"}
    assert [list(row) for row in ROWS] == [COLUMNS] * len(ROWS)
    assert sorted(row["file"] for row in ROWS) == sorted(on_disk)
    assert len({row["title"] for row in ROWS}) == len(ROWS)


def test_the_set_is_small_and_varied():
    assert 10 <= len(ROWS) <= 16
    assert {row["language"] for row in ROWS} == {"en", "fr", "none"}
    assert len({row["speaker"] for row in ROWS}) >= 3
    assert {row["voice"] for row in ROWS} == {"female", "male", "none"}
    assert sum(path.stat().st_size for path in _files()) < 4_000_000  # bytes


@pytest.mark.parametrize("row", ROWS, ids=lambda row: Path(row["file"]).stem)
def test_each_row_is_complete_and_names_its_licence(row):
    assert all(row[column].strip() for column in COLUMNS if column not in ("pair", "transcript"))
    assert bool(row["transcript"]) == (row["language"] != "none")
    assert 8 <= len(row["why"].split()) <= 20
    folder = FOLDER / Path(row["file"]).parent
    assert row["licence"] == LICENCES[folder.name]
    notice = (folder / "LICENCE.txt").read_text(encoding="utf-8")
    credit, _, changes = row["attribution"].partition(" Changes: ")
    assert credit in notice
    assert all(change in notice for change in changes.rstrip(".").split(", "))


def test_twins_name_each_other():
    twins = {row["file"]: row["pair"] for row in ROWS if row["pair"]}
    assert twins
    assert all(twins[other] == file for file, other in twins.items())


@pytest.mark.parametrize("file", [row["file"] for row in ROWS])
def test_each_clip_is_16_khz_mono_16_bit_and_loads_unchanged(file):
    info = soundfile.info(FOLDER / file)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    clip = load_clip(FOLDER / file)
    assert clip.notes == ()
    assert clip.name == Path(file).stem
    assert 1 < clip.seconds < 6
    assert np.abs(clip.samples).max() == pytest.approx(0.7, abs=1e-3)  # as made: far from clipping, and equally loud


@pytest.mark.parametrize("file", ENGLISH)
def test_alignments_leave_no_gap_and_end_with_the_clip(file):
    seconds = load_clip(FOLDER / file).seconds
    tiers = read_tiers((FOLDER / file).with_suffix(".TextGrid"))
    assert list(tiers) == ["words", "phones"]
    for intervals in tiers.values():
        starts, ends, _ = zip(*intervals, strict=True)
        assert starts[0] == 0
        assert ends[-1] == pytest.approx(seconds, abs=1e-9)
        assert starts[1:] == ends[:-1]
        assert all(start < end for start, end in zip(starts, ends, strict=True))


@pytest.mark.parametrize("row", [row for row in ROWS if row["language"] == "en"], ids=lambda row: row["file"])
def test_the_words_are_the_transcript_and_the_phones_lie_inside_them(row):
    tiers = read_tiers((FOLDER / row["file"]).with_suffix(".TextGrid"))
    words = [interval for interval in tiers["words"] if interval[2]]
    phones = [interval for interval in tiers["phones"] if interval[2]]
    assert [word for _, _, word in words] == re.findall(r"[a-z']+", row["transcript"].lower())
    inside = [sum(w[0] <= p[0] and p[1] <= w[1] for w in words) for p in phones]
    assert inside == [1] * len(phones)
    assert {boundary for word in words for boundary in word[:2]} <= {b for phone in phones for b in phone[:2]}


def test_the_noisy_twin_is_5_db_above_its_noise():
    clean = load_clip(FOLDER / "cc-by-sa-3.0/en_f_weasels.wav").samples.astype(float)
    noisy = load_clip(FOLDER / "cc-by-sa-3.0/en_f_weasels_noisy_5dB.wav").samples.astype(float)
    gain = clean @ noisy / (clean @ clean)
    noise = noisy - gain * clean
    ratio = 10 * np.log10(gain**2 * (clean @ clean) / (noise @ noise))
    # The fit of the gain takes the chance correlation with the noise for signal. Noise with some 2,000 free values
    # (2.95 s, mostly below 400 Hz) correlates by about 1/sqrt(2000) = 0.022: 2 * 0.022 * 10^(-5/20) = 2.5%, 0.1 dB.
    assert ratio == pytest.approx(5, abs=0.3)  # three times that


def test_the_silent_clip_is_mostly_silent():
    tiers = read_tiers(FOLDER / "cc-by-sa-3.0/en_f_silence_heavy.TextGrid")
    spoken = sum(end - start for start, end, label in tiers["words"] if label)
    assert spoken < 0.3 * tiers["words"][-1][1]


def test_the_clips_without_speech_are_made_by_the_lines_in_the_readme(tmp_path, monkeypatch):
    """They are ours to give away because nothing but these lines is in them."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    saves = re.search(r"def save\(.*?\n    .*?\n", text)[0]
    lines = re.search(r"\nnoise = np.random.*?(?=```)", text, re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    exec(saves + lines, {"np": np, "soundfile": soundfile})
    for made in tmp_path.iterdir():
        np.testing.assert_array_equal(soundfile.read(made)[0], soundfile.read(FOLDER / "cc0-1.0" / made.name)[0])
    assert len(list(tmp_path.iterdir())) == sum(row["language"] == "none" for row in ROWS)


def test_both_ones_of_the_digits_are_the_same_samples_on_the_same_frame_grid():
    samples = load_clip(FOLDER / "cc-by-sa-3.0/en_f_digits_3_1_4_1_5.wav").samples
    first, second, length = 16_320, 46_400, 14_580  # samples: 1.02 s, 2.90 s, 0.911 s
    assert (second - first) % 320 == 0  # 20 ms, Whisper's frame
    np.testing.assert_array_equal(samples[first : first + length], samples[second : second + length])
