"""Recordings with labels: the bundled ones are whole, a visitor's own come in as they are."""

import csv
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import PHONES, WORDS, record, textgrid, toy_corpus, zipped

from methods.core import corpus as corpora
from methods.core.audio import Clip
from methods.core.corpus import CORPORA, Corpus, Utterance, of_clip, read_folder, read_zip, recordings
from methods.core.corpus import files as corpus_files
from methods.core.corpus.files import CorpusError
from methods.core.frames import Segment
from methods.core.models import hub
from methods.core.speech.phonology import PHONES as ARPABET
from methods.core.speech.phonology import VOWELS

BOTH = {"words": WORDS, "phones": PHONES}
COLUMNS = ["file", "speaker", "sex", "language", "transcript", "source", "licence", "attribution"]


def labels(segments) -> list[str]:
    return [segment.label for segment in segments]


@pytest.fixture
def own(tmp_path) -> Path:
    """Two speakers, a recording each, WAV and FLAC."""
    record(tmp_path / "own/ann/one.wav", BOTH)
    record(tmp_path / "own/bob/two.flac", BOTH, hertz=500)
    return tmp_path / "own"


# The bundled ones


def index_of(name: str) -> list[dict[str, str]]:
    with (corpora.FOLDER / name / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", CORPORA)
def test_every_file_has_its_textgrid_its_row_and_its_licence(name):
    folder, rows = corpora.FOLDER / name, index_of(name)
    assert [list(row) for row in rows] == [COLUMNS] * len(rows)
    assert all(all(row.values()) for row in rows)
    assert sorted(row["file"] for row in rows) == sorted(path.name for path in folder.glob("*.flac"))
    assert {path.stem for path in folder.glob("*.TextGrid")} == {Path(row["file"]).stem for row in rows}
    notice = (folder / "LICENCE.txt").read_text(encoding="utf-8")
    for row in rows:
        credit, _, changes = row["attribution"].partition(" Changes: ")
        assert credit in notice and changes in notice
        assert row["licence"].lower() in notice.lower()
    assert {path.suffix for path in folder.iterdir()} == {".flac", ".TextGrid", ".csv", ".txt"}


def test_they_are_small():
    files = [path for name in CORPORA for path in (corpora.FOLDER / name).iterdir()]
    assert sum(path.stat().st_size for path in files) < 6_000_000  # bytes


@pytest.mark.parametrize("name", CORPORA)
def test_sounds_are_alike_and_load_unchanged(name):
    for utterance in corpora.bundled(name).utterances:
        info = soundfile.info(corpora.FOLDER / name / f"{utterance.clip.name}.flac")
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert utterance.clip.notes == ()
        assert np.abs(utterance.clip.samples).max() == pytest.approx(0.7, abs=1e-3)  # a step of 16 bits is 3e-5


@pytest.mark.parametrize("name", CORPORA)
def test_labels_are_arpabet_inside_words_inside_the_clip(name):
    transcripts = {Path(row["file"]).stem: row["transcript"] for row in index_of(name)}
    for utterance in corpora.bundled(name).utterances:
        assert " ".join(labels(utterance.words)) == transcripts[utterance.clip.name]
        assert set(labels(utterance.phones)) <= ARPABET
        assert set(utterance.tiers) == {"stress"} and set(labels(utterance.tiers["stress"])) <= set("012")
        for tier in (utterance.words, utterance.phones, utterance.tiers["stress"]):
            assert all(a.end <= b.start + 1e-9 for a, b in pairwise(tier))
            assert tier[-1].end <= utterance.clip.seconds
        for phone in utterance.phones:
            assert sum(w.start - 1e-9 <= phone.start and phone.end <= w.end + 1e-9 for w in utterance.words) == 1
        spans = {(p.start, p.end): p.label for p in utterance.phones}
        assert all(spans[s.start, s.end] in VOWELS for s in utterance.tiers["stress"])


def test_they_are_what_the_menu_says():
    prompts, voices = (corpora.bundled(name) for name in ("prompts", "voices"))
    assert (len(prompts.utterances), prompts.speakers) == (55, ("allison",))
    assert (len(voices.utterances), len(voices.speakers)) == (11, 3)
    for corpus, sex in ((prompts, "f"), (voices, "m")):
        assert f"{corpus.seconds:.0f} s" in CORPORA[corpus.name]
        assert {(u.sex, u.language) for u in corpus.utterances} == {(sex, "en")}
        assert corpus.notes == ()
    assert (prompts.licence, voices.licence) == ("CC BY-SA 3.0", "Public domain, BSD-2-Clause")
    assert corpora.bundled("prompts") is prompts
    with pytest.raises(CorpusError, match="no bundled corpus “nothing”; choose one of prompts, voices"):
        corpora.bundled("nothing")


# A visitor's own


def test_a_folder_comes_in_as_it_is(own):
    corpus = read_folder(own)
    first, second = corpus.utterances
    assert (corpus.name, corpus.seconds, corpus.speakers, corpus.notes) == ("own", 2.0, ("ann", "bob"), ())
    assert (first.clip.name, second.clip.name) == ("one", "two")
    assert first.words == (Segment("See", 0.1, 0.5), Segment("it", 0.5, 0.8))
    assert labels(first.phones) == ["s", "iy", "ih", "t"]
    assert (first.sex, first.language, first.tiers) == ("", "", {})
    # 16 bits, so a half step of 1/65536 and the writer's own rounding.
    expected = 0.5 * np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(second.clip.samples, expected, atol=4e-5)


def test_a_zip_of_it_is_the_same_and_leaves_nothing_behind(own, tmp_path, monkeypatch):
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    corpus = read_zip(zipped(own, tmp_path / "own.zip"))
    assert corpus.sha256 == read_folder(own).sha256
    assert (corpus.name, corpus.sound_sha256) == ("own", read_folder(own, "x").sound_sha256)
    assert list(place.iterdir()) == []


def test_recordings_are_in_the_order_of_their_numbers(tmp_path):
    """2 before 10, in a folder and in a zip; text as ever, and leading zeros leave equals in the order of text."""
    names = [f"{folder}/s{number}" for folder in ("c2", "c10") for number in (1, 2, 10, 11)]
    for name in reversed(names):
        record(tmp_path / f"own/{name}.wav", BOTH)
    for corpus in (read_folder(tmp_path / "own"), read_zip(zipped(tmp_path / "own", tmp_path / "own.zip"))):
        assert [f"{u.speaker}/s{u.clip.name.rpartition('s')[2].split('.')[0]}" for u in corpus.utterances] == names
    listed = ["a", "a1b2", "a1b10", "a01b3", "a10", "b"]
    assert sorted(listed, key=corpus_files.reading_order) == ["a", "a1b2", "a01b3", "a1b10", "a10", "b"]


def test_one_clip_is_a_corpus_too():
    clip = Clip(np.ones(16_000) * 0.1, "clip")
    corpus = of_clip(clip, [Segment("See", 0, 0.5)], [Segment("S", 0, 0.2), Segment("IY1", 0.2, 0.5)], language="en")
    (utterance,) = corpus.utterances
    assert (corpus.name, utterance.speaker, utterance.language) == ("clip", "speaker", "en")
    assert labels(utterance.phones) == ["s", "iy"]
    assert of_clip(clip, ()).utterances[0].words == ()


def test_other_alphabets_keep_their_case(tmp_path):
    # “S” is the first sound of “ship” in SAMPA. The second recording alone could be taken for ARPAbet.
    record(tmp_path / "one.wav", {"phones": (("S", 0.1, 0.3), ("I", 0.3, 0.5), ("p", 0.5, 0.8))})
    record(tmp_path / "two.wav", {"phones": (("S", 0.1, 0.3), ("s", 0.3, 0.5))})
    assert [labels(u.phones) for u in read_folder(tmp_path).utterances] == [["S", "I", "p"], ["S", "s"]]


def test_one_stray_label_is_named_and_changes_no_other(tmp_path):
    phones = tuple((label, i / 20, i / 20 + 0.04) for i, label in enumerate(["AH0", "AH1", "T", "IY2"] * 4))
    record(tmp_path / "one.wav", {"phones": phones})
    record(tmp_path / "two.wav", {"phones": (("NS", 0.1, 0.2),)})
    corpus = read_folder(tmp_path)
    assert [labels(u.phones) for u in corpus.utterances] == [["ah", "ah", "t", "iy"] * 4, ["NS"]]
    (note,) = corpus.notes
    assert note.endswith("kept as they are: “NS” (first in two)")


@pytest.mark.parametrize(
    ("names", "words", "phones", "others"),
    [
        (("words", "phones", "stress"), "words", "phones", {"stress"}),
        (("Phones ", "WORDS"), "WORDS", "Phones ", set()),
        (("ann - phones", "ann - words"), "ann - words", "ann - phones", set()),
        (("ORT-MAU", "KAN-MAU", "MAU"), "ORT-MAU", "MAU", {"KAN-MAU"}),
        (("my words", "word", "phoneme"), "word", "phoneme", {"my words"}),
        (("tones",), None, None, {"tones"}),
        (("KAN-MAU",), None, None, {"KAN-MAU"}),  # whole pronunciations, one per word: neither
    ],
)
def test_tiers_go_by_many_names(tmp_path, names, words, phones, others):
    record(tmp_path / "a.wav", {name: ((f"in {name.strip()}", 0.1, 0.5), ("sil", 0.5, 0.6)) for name in names})
    (utterance,) = read_folder(tmp_path).utterances
    assert labels(utterance.words) == ([f"in {words}"] if words else [])
    assert labels(utterance.phones) == ([f"in {phones.strip()}"] if phones else [])
    assert set(utterance.tiers) == others


def test_a_label_may_end_a_little_after_its_sound_but_no_more(tmp_path):
    record(tmp_path / "a.wav", {"words": (("late", 0.5, 1.015),)})
    assert read_folder(tmp_path).utterances[0].words == (Segment("late", 0.5, 1.0),)
    record(tmp_path / "a.wav", {"words": (("late", 0.5, 1.2),)})
    with pytest.raises(CorpusError, match=r"labels of “a\.wav” cannot be used.*ends at 1\.2 s but the clip at 1 s"):
        read_folder(tmp_path)


def test_what_has_no_partner_is_told(tmp_path):
    record(tmp_path / "a.wav", BOTH)
    record(tmp_path / "b.wav")
    (tmp_path / "c.TextGrid").write_text(textgrid(BOTH), encoding="utf-8")
    assert read_folder(tmp_path).notes == (
        "without labels: b",
        "TextGrids without a recording of their name: c.TextGrid",
    )


def test_long_labels_are_cut_and_recordings_of_one_name_told_apart(tmp_path):
    record(tmp_path / "ann/1.wav", {"words": (("w" * 5000, 0.1, 0.5),)})
    record(tmp_path / "bob/1.wav", BOTH)
    first, second = read_folder(tmp_path).utterances
    assert first.words[0].label == "w" * 99 + "…"
    assert (first.clip.name, second.clip.name) == ("ann_1", "bob_1")


@pytest.mark.parametrize("ending", [".TextGrid", ".textgrid", ".TEXTGRID"])
def test_capitals_of_file_names_do_not_matter(tmp_path, ending):
    record(tmp_path / "One.WAV")
    (tmp_path / f"one{ending}").write_text(textgrid(BOTH), encoding="utf-8")
    assert labels(read_folder(tmp_path).utterances[0].words) == ["See", "it"]


def test_letters_of_a_mac_are_the_same_letters(tmp_path):
    parted = unicodedata.normalize("NFD", "Zoë")
    record(tmp_path / parted / "é.wav", BOTH)
    (tmp_path / "index.csv").write_text(f"file,speaker\n{parted}/é.wav,Zoë\n", encoding="utf-8")
    (utterance,) = read_folder(tmp_path).utterances
    assert (utterance.speaker, utterance.clip.name) == ("Zoë", "é")


def test_hidden_twins_are_left_out(own):
    for name in ("._one.wav", "__MACOSX/ann/two.wav", ".ipynb_checkpoints/one.wav"):
        (own / name).parent.mkdir(exist_ok=True, parents=True)
        (own / name).write_bytes(b"\0\5\x16\7")
    assert len(read_folder(own).utterances) == 2


def test_the_hubs_cache_is_made_of_links(own, tmp_path, monkeypatch):
    snapshot = tmp_path / "snapshot"
    for path in own.rglob("*.*"):
        link = snapshot / path.relative_to(own)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    asked = []
    monkeypatch.setattr(hub, "data_set", lambda name, patterns: asked.append((name, patterns)) or snapshot)
    corpus = corpora.from_hub("someone/recordings")
    assert (corpus.name, corpus.sha256) == ("someone/recordings", read_folder(own).sha256)
    assert {"*.wav", "*.flac", "*.TextGrid", "*.csv"} <= set(asked[0][1])


# What cannot be used


def test_a_broken_file_is_named(own):
    (own / "bob/two.TextGrid").write_text(textgrid(BOTH)[:120], encoding="utf-8")
    with pytest.raises(CorpusError, match=r"labels of “bob/two\.flac” cannot be used\. The TextGrid is damaged"):
        read_folder(own)
    (own / "ann/one.wav").write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match=r"In “ann/one\.wav”: “one” cannot be read as sound"):
        read_folder(own)


def test_nothing_to_work_on_is_a_sentence(tmp_path):
    with pytest.raises(CorpusError, match=r"There is no folder “.*nowhere”"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="no sound file here"):
        read_folder(tmp_path)
    record(tmp_path / "a.wav")
    with pytest.raises(CorpusError, match="None of the recordings has a label"):
        read_folder(tmp_path)
    record(tmp_path / "a.wav", {"words": (("sil", 0.1, 0.5),)})
    with pytest.raises(CorpusError, match="None of the recordings has a label"):
        read_folder(tmp_path)


def test_too_much_is_a_sentence(own, tmp_path, monkeypatch):
    packed = zipped(own, tmp_path / "own.zip")
    for name, limit, sentence in (
        ("MOST_SECONDS", 1.5, "last more than 0 minutes"),
        ("MOST_LABELS", 7, "more than 7 labels"),  # words and phones of both, silences among them: 20
    ):
        with monkeypatch.context() as patch:
            patch.setattr(recordings, name, limit)
            with pytest.raises(CorpusError, match=sentence):
                read_folder(own)
    monkeypatch.setattr(corpus_files, "MOST_FILES", 1)
    for read, path in ((read_folder, own), (read_zip, packed)):
        with pytest.raises(CorpusError, match="There are 2 recordings and the limit is 1"):
            read(path)


def test_one_recording_in_two_formats_would_be_asked_twice(own):
    record(own / "ann/one.flac")
    with pytest.raises(CorpusError, match="There are 2 sound files called “ann/one”"):
        read_folder(own)


# The whole


def test_the_hash_tells_sounds_labels_and_speakers_apart():
    def made(*, samples=0.1, label="a", end=0.5, speaker="x", sex="f", name="n", tiers=None) -> Corpus:
        words = (Segment(label, 0, end),)
        clip = Clip(np.full(16_000, samples), name)
        return Corpus(name, (Utterance(clip, speaker, sex, words=words, tiers=tiers or {}),))

    first = made()
    assert made(name="other").sha256 == first.sha256
    changed = [{"samples": 0.2}, {"label": "b"}, {"end": 0.6}, {"speaker": "y"}, {"sex": "m"}]
    changed.append({"tiers": {"tone": (Segment("1", 0, 1),)}})
    assert len({made(**change).sha256 for change in changed} | {first.sha256}) == 7
    assert made(label="b").sound_sha256 == first.sound_sha256 != made(samples=0.2).sound_sha256


def test_parts_and_sums():
    toy = toy_corpus()
    ann, bob = toy.only(["ann"]), toy.only(["bob"])
    assert [u.clip.name for u in ann.utterances] == ["one", "three"]
    assert ann.name == "toy (ann)"
    both = bob.joined(ann)
    assert [u.clip.name for u in both.utterances] == ["two", "one", "three"]
    assert both.seconds == pytest.approx(0.50 + 0.73 + 0.31)
    with pytest.raises(CorpusError, match="has no speaker 'eve'; choose among ann, bob"):
        toy.only(["eve"])
    joined = corpora.bundled("prompts").joined(corpora.bundled("voices"))
    assert joined.licence == "CC BY-SA 3.0 / Public domain, BSD-2-Clause"
    assert joined.source == f"{CORPORA['prompts']} / {CORPORA['voices']}"
