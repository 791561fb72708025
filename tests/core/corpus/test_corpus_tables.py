"""index.csv and segments.csv, as people and spreadsheets write them."""

import hashlib
import time
import zipfile
from dataclasses import replace

import pytest
from corpora import PHONES, WORDS, record, zipped

from methods.core.corpus import read_folder, read_zip
from methods.core.corpus.files import CorpusError, reading_order
from methods.core.corpus.items import phone_items
from methods.core.frames import Segment

BOTH = {"words": WORDS, "phones": PHONES}


@pytest.fixture
def own(tmp_path):
    record(tmp_path / "ann/1.wav", BOTH)
    record(tmp_path / "bob/1.wav", BOTH, hertz=500)
    record(tmp_path / "bob/2.wav", BOTH, hertz=700)
    return tmp_path


def who(folder) -> list[tuple[str, str, str]]:
    return [(u.speaker, u.sex, u.language) for u in read_folder(folder).utterances]


@pytest.mark.parametrize(
    "text",
    [
        "file,speaker,sex,language\nann/1.wav,A,f,en\nbob/1.wav,B,m,EN\n2.wav,C,m,en\n",
        "\ufeffFile;Speaker;Sex;Language\r\nann\\1.wav;A;F;en\r\nbob\\1.wav;B;Male;en\r\nbob\\2.wav;C;man;en\r\n",
        "speaker\tsex\tlanguage\tfile\nA\tfemale\ten\t./ann/1.wav\nB\tm\ten\t/bob/1.WAV\nC\tm\ten\t2.wav\n",
        'file, speaker ,sex,language,remark\n"ann/1.wav","A",f,en,"a, b"\nbob/1.wav,B,m,en\n2.wav,C,m,en,,,\n',
    ],
    ids=["plain", "european Windows", "tabs", "quoted, ragged"],
)
def test_an_index_tells_who_speaks_where(own, text):
    (own / "index.csv").write_text(text, encoding="utf-8", newline="")
    expected = [("A", "f", "en"), ("B", "m", "en"), ("C", "m", "en")]
    if "/bob/1.WAV" in text:  # no such file with these capitals, and two of that name without them
        with pytest.raises(CorpusError, match=r"index\.csv, line 3: there are 2 files called “/bob/1\.WAV”"):
            read_folder(own)
    else:
        assert who(own) == expected


def test_rows_may_lack_and_others_speak_by_their_folder(own):
    (own / "index.csv").write_text("file,speaker,sex\n2.wav,C,m\nelsewhere.wav,D,f\n", encoding="utf-8")
    assert who(own) == [("ann", "", ""), ("bob", "", ""), ("C", "m", "")]
    (own / "index.csv").write_text("sex,file\nm,2.wav\nf\n", encoding="utf-8")  # no speaker column, a row cut short
    assert who(own) == [("ann", "", ""), ("bob", "", ""), ("bob", "m", "")]


def test_each_folder_may_have_an_index_of_its_own(own):
    (own / "ann/index.csv").write_text("file,speaker\n1.wav,A\n", encoding="utf-8")
    (own / "bob/index.csv").write_text("file,speaker\n1.wav,B\n2.wav,B\n", encoding="utf-8")
    assert [speaker for speaker, _, _ in who(own)] == ["A", "B", "B"]


def test_either_table_may_name_accents_and_groups(own, tmp_path_factory):
    """Of the index, then of segments.csv; nothing where neither says so. Zips are read as folders are."""
    (own / "index.csv").write_text(
        "file,Accent,group\nann/1.wav,Received  Pronunciation,learner\nbob/1.wav,,\n", encoding="utf-8"
    )
    (own / "segments.csv").write_text(
        "file,tier,label,start,end,accent\nbob/1.wav,mood,glad,0,0.5,Scots\nbob/1.wav,mood,sad,0.5,1,\n",
        encoding="utf-8",
    )
    expected = [("Received Pronunciation", "learner"), ("Scots", ""), ("", "")]
    corpus = read_folder(own)
    assert [(u.accent, u.group) for u in corpus.utterances] == expected
    packed = read_zip(zipped(own, tmp_path_factory.mktemp("zip") / "own.zip"))
    assert [(u.accent, u.group) for u in packed.utterances] == expected
    items = phone_items(corpus)
    assert set(items.columns["accent"]) == {"Received Pronunciation", "Scots", ""}
    assert items.columns["group"][items.utterance == 0].tolist() == ["learner"] * int((items.utterance == 0).sum())


def test_accents_change_which_corpus_it_is_and_nothing_else_does(own):
    bare = read_folder(own)
    assert not {"accent", "group"} & set(phone_items(bare).columns)
    named = replace(bare, utterances=(replace(bare.utterances[0], accent="Scots"), *bare.utterances[1:]))
    assert named.sha256 != bare.sha256
    assert named.sound_sha256 == bare.sound_sha256
    # As before there were accents: what was kept under a corpus's sum stays valid.
    digest = hashlib.sha256()
    for one in bare.utterances:
        digest.update(one.clip.sha256.encode())
        tiers = {"words": one.words, "phones": one.phones, **one.tiers}
        digest.update(repr(((one.speaker, one.sex, one.language), sorted(tiers.items()))).encode())
    assert bare.sha256 == digest.hexdigest()


def test_a_recording_has_one_accent(own):
    (own / "index.csv").write_text("file,accent\nann/1.wav,Scots\n", encoding="utf-8")
    (own / "segments.csv").write_text(
        "file,tier,label,start,end,accent\nann/1.wav,mood,glad,0,0.5,Irish\n", encoding="utf-8"
    )
    with pytest.raises(CorpusError, match=r"“ann/1\.wav” has two entries .* “accent”, “Scots” and “Irish”"):
        read_folder(own)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name,speaker\n1.wav,A\n", "index.csv has no column called “file”"),
        ("file,speaker\n1.wav,Zoë\n".encode("latin-1"), "index.csv is not a table in UTF-8"),
        (b"file,speaker\n1.wav,A\n", "line 2: there are 2 files called “1.wav”; write the folder too"),
        (b"file,speaker\n2.wav,A\n2.wav,B\n", "two entries in the columns “speaker”, “A” and “B”"),
        (b"file,speaker,speaker\n2.wav,A,B\n", "two columns called “speaker”; leave one of them out"),
        (b"file,speaker\nthree.wav,A\n", r"index.csv names no recording that is here \(“three.wav”"),
        (
            b'file,speaker\n"2.wav,A\n' + b"x" * 140_000,
            "index.csv is not a table that can be read",
        ),  # a quote that never ends
    ],
)
def test_a_bad_index_is_a_sentence(own, content, sentence):
    (own / "index.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=sentence):
        read_folder(own)


# Labels without TextGrids


@pytest.fixture
def bare(tmp_path):
    record(tmp_path / "one.wav")
    record(tmp_path / "two.wav", hertz=500)
    return tmp_path


TABLE = """file,tier,label,start,end
one.wav,words,it,0.5,0.8
one.wav,words,See,0.1,0.5
one.wav,phones,S,0.1,0.3
one.wav,phones,IY1,0.3,0.5
one.wav,phones,sil,0.9,1.0
two.wav,creaky,yes,0.2,1.01
two.wav,creaky,,0.0,0.2
"""


@pytest.mark.parametrize(
    "text", [TABLE, TABLE.replace(".", "p").replace(",", ";").replace("pwav", ".wav").replace("p", ",")]
)
def test_segments_may_come_in_a_table(bare, text):
    if ";" in text:  # as a German spreadsheet would: “0,5”; the words of this table with a “p” have to be mended
        text = text.replace(",hones", "phones")
    (bare / "segments.csv").write_text(text, encoding="utf-8")
    one, two = read_folder(bare).utterances
    assert one.words == (Segment("See", 0.1, 0.5), Segment("it", 0.5, 0.8))  # in order of time
    assert one.phones == (Segment("s", 0.1, 0.3), Segment("iy", 0.3, 0.5))
    assert two.tiers == {"creaky": (Segment("yes", 0.2, 1.0),)}


def test_a_table_may_add_a_tier_to_a_textgrid_but_not_repeat_one(bare):
    record(bare / "one.wav", BOTH)
    (bare / "segments.csv").write_text("file,tier,label,start,end\none.wav,creaky,yes,0.2,0.4\n", encoding="utf-8")
    one, _ = read_folder(bare).utterances
    assert (len(one.words), one.tiers) == (2, {"creaky": (Segment("yes", 0.2, 0.4),)})
    (bare / "segments.csv").write_text("file,tier,label,start,end\none.wav,words,yes,0.2,0.4\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"“one\.wav” has its tier “words” both in a TextGrid and in segments\.csv"):
        read_folder(bare)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("one.wav,words,a,soon,0.5", "segments.csv, line 2: a start or end is not a number"),
        ("one.wav,words,a,0.5", "segments.csv, line 2: a start or end is not a number"),
        ("one.wav,words,a,0.5,0.5", "line 2: “a” is said to last from 0.5 to 0.5 s"),
        ("one.wav,words,a,nan,0.5", "no stretch of time"),
        ("one.wav,words,a,0.5,1.2", "line 2: “a” ends at 1.2 s but the recording at 1 s"),
        ("one.wav,words,a,100,500", "must be in seconds"),
        ("one.wav,,a,0.1,0.5", "line 2: there is no tier"),
        ("three.wav,words,a,0.1,0.5", "names no recording that is here"),
    ],
)
def test_a_bad_row_is_named(bare, row, sentence):
    (bare / "segments.csv").write_text(f"file,tier,label,start,end\n{row}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=sentence):
        read_folder(bare)


def test_a_column_that_is_lacking_is_named(bare):
    (bare / "segments.csv").write_text("file,label,start,end\none.wav,a,0.1,0.5\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"segments\.csv has no column called “tier”.*file, tier, label, start, end"):
        read_folder(bare)


# Rows that do not fit

HEADING = "file,tier,label,start,end\n"


def refused(folder, text) -> str:
    (folder / "segments.csv").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(CorpusError) as caught:
        read_folder(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "fields"), [("one.wav,phones,s,0,1,0,2", 7), ("one.wav,words,1,000,0.7,0.9", 6)], ids=["decimals", "1,000"]
)
def test_too_many_fields_are_refused_by_line(bare, row, fields):
    sentence = refused(bare, f"{HEADING}one.wav,words,a,0.1,0.2\n{row}\n")
    assert f"segments.csv, line 3: the row has {fields} fields where the first line names 5 columns" in sentence


def test_cleared_columns_of_a_spreadsheet_are_none(bare):
    (bare / "segments.csv").write_text(f"{HEADING}one.wav,words,a,0.1,0.2,,,\n,,,,,,,\n", encoding="utf-8")
    assert read_folder(bare).utterances[0].words == (Segment("a", 0.1, 0.2),)


@pytest.mark.parametrize("stated", ["sep=;", '"sep=;"', "SEP=;"])
def test_excels_line_about_the_separator_is_read_and_counted(bare, stated):
    text = f"{stated}\r\nfile;tier;label;start;end\r\none.wav;words;a, b, c;0,1;0,2\r\n"
    (bare / "segments.csv").write_text(text, encoding="utf-8", newline="")
    assert read_folder(bare).utterances[0].words == (Segment("a, b, c", 0.1, 0.2),)
    assert "segments.csv, line 4: the row has 6 fields" in refused(bare, text + "one.wav;words;a;b;0,1;0,2\r\n")


def test_in_tab_files_a_quotation_mark_is_a_letter_unless_it_encloses_a_field(bare):
    """X-SAMPA's main stress; and what a spreadsheet writes for `say "a", b`."""
    rows = ['"a:', "k", '"i:', '"say ""a"", b"']
    body = "".join(f"one.wav\tphones\t{row}\t{i / 10}\t{i / 10 + 0.1}\n" for i, row in enumerate(rows))
    (bare / "segments.csv").write_text("file\ttier\tlabel\tstart\tend\n" + body, encoding="utf-8")
    labels = [phone.label for phone in read_folder(bare).utterances[0].phones]
    assert labels == ['"a:', "k", '"i:', 'say "a", b']


def test_between_commas_an_open_quotation_mark_is_refused_by_line(bare):
    sentence = refused(
        bare, HEADING + 'one.wav,phones,"a:,0.3,0.5\none.wav,phones,k,0.5,0.6\none.wav,phones,",0.6,0.7\n'
    )
    assert "segments.csv, line 4: the field “label” runs over several lines" in sentence


def test_a_million_rows_are_refused_before_they_are_read(bare):
    text = HEADING + "one.wav,words,a,0.1,0.2\n" * 1_000_000
    began = time.perf_counter()
    assert "larger than 20 MB" in refused(bare, text)
    assert "more than 100000 rows" in refused(bare, text[: 20 * 2**20])
    assert time.perf_counter() - began < 20  # s; a second or two, where the whole took a minute


@pytest.mark.parametrize("column", ["file", "tier", "label", "start", "end"])
def test_a_number_of_5000_digits_is_a_sentence_or_a_label(bare, column):
    row = {"file": "one.wav", "tier": "words", "label": "a", "start": "0.1", "end": "0.2"} | {column: "1" * 5000}
    text = HEADING + ",".join(row.values()) + "\n"
    if column in ("tier", "label"):
        (bare / "segments.csv").write_text(text, encoding="utf-8")
        assert read_folder(bare).utterances[0].clip.name == "one"
    else:
        assert "segments.csv" in refused(bare, text)


def test_file_names_with_numbers_beyond_pythons_are_in_order():
    big, bigger = "a" + "9" * 5000, "a1" + "0" * 5000
    assert sorted([bigger, "a10", big, "a2"], key=reading_order) == ["a2", "a10", big, bigger]


def test_names_in_the_coding_of_an_old_zip_are_matched_by_their_bytes(tmp_path):
    record(tmp_path / "sound.wav")
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        # zipfile writes such a name as its bytes in DOS's coding, which are those of the Chinese name in GBK.
        name = "录音一.wav".encode("gbk").decode("cp437")
        info = zipfile.ZipInfo("x" * len(name))
        archive.writestr(info, (tmp_path / "sound.wav").read_bytes())
        archive.writestr("segments.csv", HEADING + "录音一.wav,words,have,0.1,0.2\n")
    packed = (tmp_path / "own.zip").read_bytes()
    (tmp_path / "own.zip").write_bytes(packed.replace(b"x" * len(name), "录音一.wav".encode("gbk")))
    assert read_zip(tmp_path / "own.zip").utterances[0].words == (Segment("have", 0.1, 0.2),)


def test_films_are_named_as_left_out(bare):
    record(bare / "one.wav", BOTH)
    (bare / "two.mp4").write_bytes(b"a film")
    assert (
        "left out, as only sound files are read (save the sound of films as WAV): two.mp4" in read_folder(bare).notes
    )
    packed = read_zip(zipped(bare, bare.parent / f"{bare.name}.zip"))
    assert any("two.mp4" in note for note in packed.notes)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("file,tier,label,start,end,label\n2.wav,mood,glad,0,0.5,sad\n", "two columns called “label”"),
        ("file,tier,label,start,end\n2.wav,mood,glad,0,0_5e-1\n", "line 2: a start or end is not a number"),
    ],
)
def test_no_column_and_no_digit_is_guessed(own, table, sentence):
    (own / "segments.csv").write_text(table, encoding="utf-8")
    with pytest.raises(CorpusError, match=sentence):
        read_folder(own)
