"""Zips that mean harm, and zips that are only odd."""

import random
import tracemalloc
import zipfile

import pytest
from corpora import PHONES, WORDS, record, zipped

from methods.core.corpus import Corpus, files, read_zip
from methods.core.corpus.files import CorpusError

BOTH = {"words": WORDS, "phones": PHONES}
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"  # the two headers of an entry


@pytest.fixture
def recording(tmp_path):
    """Bytes of a sound and its TextGrid."""
    path = record(tmp_path / "made/a.flac", BOTH, seconds=0.2 + 0.8)
    return path.read_bytes(), path.with_suffix(".TextGrid").read_bytes()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where temporary files go."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def pack(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def patched(path, offset, value, at=(LOCAL, CENTRAL)):
    """The zip with these bytes in every header of these kinds. `offset` is that in the local header."""
    content = bytearray(path.read_bytes())
    for mark in at:
        begin = content.find(mark)
        while begin >= 0:
            where = begin + offset + (2 if mark == CENTRAL else 0)  # the central header has a version more
            content[where : where + len(value)] = value
            begin = content.find(mark, begin + 4)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("prefix", "speaker"),
    [
        ("../../evil/", "evil"),
        ("/etc/cron.d/", "cron.d"),
        ("C:\\Users\\Eve\\", "Eve"),
        ("\\\\server\\share\\", "share"),
        ("a/../../b/", "b"),
        ("./", "speaker"),
        ("", "speaker"),
        ("one/two/three/", "three"),
    ],
)
def test_no_name_leads_out_of_the_folder(recording, tmp_path, place, prefix, speaker):
    sound, grid = recording
    before = sorted(tmp_path.rglob("*"))
    path = pack(tmp_path / "x.zip", [(f"{prefix}a.flac", sound), (f"{prefix}a.TextGrid", grid)])
    (utterance,) = read_zip(path).utterances
    assert (utterance.speaker, utterance.clip.name, len(utterance.words)) == (speaker, "a", 2)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


def test_a_bomb_is_not_unpacked(tmp_path, place):
    bomb = pack(tmp_path / "x.zip", [("a.wav", bytes(64 * 2**20)), ("a.TextGrid", b"")])
    assert bomb.stat().st_size < 100_000
    honest = files.MOST_BYTES
    files.MOST_BYTES = 2**20
    try:
        with pytest.raises(CorpusError, match="unpacks to more than 1 MB"):
            read_zip(bomb)
    finally:
        files.MOST_BYTES = honest
    patched(bomb, 22, (1000).to_bytes(4, "little"))  # and now it says that both files have 1,000 bytes
    tracemalloc.start()
    with pytest.raises(CorpusError, match=r"damaged at “a\.(wav|TextGrid)”"):
        read_zip(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20  # of 64 MB
    assert list(place.iterdir()) == []


def test_a_size_that_is_too_large_costs_nothing(recording, tmp_path):
    path = pack(tmp_path / "x.zip", [("a.flac", recording[0])])
    with pytest.raises(CorpusError, match="unpacks to more than 300 MB"):
        read_zip(patched(path, 22, (2**31).to_bytes(4, "little"), at=(CENTRAL,)))


def test_ten_thousand_tables_are_too_many(recording, tmp_path):
    path = pack(tmp_path / "x.zip", [("a.flac", recording[0]), *((f"{i}.csv", b"") for i in range(1300))])
    with pytest.raises(CorpusError, match="or 1200 files"):
        read_zip(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "not a zip file"), (b"RIFF....WAVE", "not a zip file"), (b"PK\x05\x06" + bytes(18), "no sound file here")],
)
def test_no_zip_is_a_sentence(tmp_path, content, sentence):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(CorpusError, match=sentence):
        read_zip(tmp_path / "x.zip")


def test_half_an_upload_is_a_sentence(recording, tmp_path):
    path = pack(tmp_path / "x.zip", [("a.flac", recording[0])])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorpusError, match="not a zip file, or it was cut off"):
        read_zip(path)


def test_locked_and_exotic_zips_are_sentences(recording, tmp_path):
    path = pack(tmp_path / "x.zip", [("a.flac", recording[0])], zipfile.ZIP_LZMA)
    with pytest.raises(CorpusError, match="packed in an unusual way"):
        read_zip(path)
    path = patched(pack(tmp_path / "x.zip", [("a.flac", recording[0])]), 6, b"\x01\x00")
    with pytest.raises(CorpusError, match="protected by a password"):
        read_zip(path)


def test_one_name_twice_is_a_sentence(recording, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = pack(tmp_path / "x.zip", [("a.flac", recording[0]), ("a.flac", recording[0])])
    with pytest.raises(CorpusError, match=r"holds “a\.flac” twice"):
        read_zip(path)


def test_what_macs_add_is_left_out_and_their_letters_are_read(recording, tmp_path):
    sound, grid = recording
    entries = [("XX/a.flac", sound), ("XX/a.TextGrid", grid), ("__MACOSX/XX/._a.flac", b"\0"), ("XX/.DS_Store", b"\0")]
    path = pack(tmp_path / "x.zip", entries)
    # Macs write UTF-8 and do not say so. “é” takes the two bytes of the placeholder.
    path.write_bytes(path.read_bytes().replace(b"XX/", "é/".encode()))
    (utterance,) = read_zip(path).utterances
    assert (utterance.speaker, len(utterance.words)) == ("é", 2)


def test_a_broken_sound_keeps_its_name(recording, tmp_path):
    path = pack(tmp_path / "x.zip", [("ann/Ä b.flac", recording[0][:40]), ("c.txt", b"")])
    with pytest.raises(CorpusError, match=r"In “ann/Ä b\.flac”: “Ä b” "):
        read_zip(path)


def test_whatever_bit_falls_over_it_is_a_corpus_or_a_sentence(tmp_path):
    record(tmp_path / "made/a.wav", BOTH, seconds=1.0)
    whole = zipped(tmp_path / "made", tmp_path / "x.zip").read_bytes()
    rng = random.Random(0)
    # Every other byte of the end, where the directory is, and some of what comes before.
    places = [*range(len(whole) - 250, len(whole), 2), *(rng.randrange(len(whole)) for _ in range(40))]
    outcomes = []
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        (tmp_path / "x.zip").write_bytes(changed)
        try:
            outcomes.append(type(read_zip(tmp_path / "x.zip")))
        except CorpusError:
            outcomes.append(CorpusError)
    assert set(outcomes) == {Corpus, CorpusError}
