"""TextGrids of other programs: odd headers, starts, spellings, overlaps, and which tier is taken."""

import unicodedata

import pytest
from corpora import record

from methods.core.alignment.textgrid import read_textgrid
from methods.core.alignment.tiers import chosen, is_silence
from methods.core.alignment.trigraphs import TRIGRAPHS, decoded
from methods.core.corpus import CorpusError, read_folder
from methods.core.errors import UserError
from methods.core.frames import AlignmentError, Segment
from page import session as sessions


def grid(tiers, start=0.0, end=2.951, header="ooTextFile"):
    """The short format by hand: tier -> (label, start, end)."""
    lines = [f'File type = "{header}"', '"TextGrid"', "", repr(start), repr(end), "<exists>", str(len(tiers))]
    for name, intervals in tiers.items():
        lines += ['"IntervalTier"', f'"{name}"', repr(start), repr(end), str(len(intervals))]
        lines += [line for label, a, b in intervals for line in (repr(a), repr(b), f'"{label}"')]
    return "\n".join(lines)


def labels(segments):
    return [segment.label for segment in segments]


WORDS = (("", 0, 0.3), ("weasels", 0.3, 0.7), ("have", 0.7, 0.9))


@pytest.fixture(scope="module")
def weasels():
    """A clip of 2.951 s."""
    return sessions.from_example("en_f_weasels")


def test_the_header_of_old_short_files():
    tiers = read_textgrid(grid({"word": WORDS}, header="ooTextFile short"))
    assert labels(tiers["word"]) == ["weasels", "have"]


@pytest.mark.parametrize("start", [0.5, 10.0, -2.0])
def test_times_count_from_the_textgrids_start_and_a_note_says_so(start):
    moved = tuple((label, a + start, b + start) for label, a, b in WORDS)
    tiers = read_textgrid(grid({"words": moved}, start, start + 2.951), seconds=2.951)
    assert tiers["words"] == (Segment("weasels", 0.3, 0.7), Segment("have", 0.7, 0.9))
    assert tiers.notes == (f"times count from the TextGrid's start at {start:g} s",)


def test_a_start_that_only_rounding_keeps_from_zero():
    tiny = -1.3877787807814457e-17
    for start in (tiny, 0.0):
        tiers = read_textgrid(grid({"words": (("uh", tiny, 0.3),)}, start), seconds=2.951)
        assert (tiers["words"], tiers.notes) == ((Segment("uh", 0, 0.3),), ())


def test_a_textgrid_of_another_length_is_refused_or_said():
    with pytest.raises(AlignmentError, match=r"The TextGrid lasts 14\.20 s but the clip 2\.95 s, so it probably"):
        read_textgrid(grid({"words": WORDS}, end=14.2), seconds=2.951)
    assert "lasts 1.00 s, the clip 2.95 s" in read_textgrid(grid({"words": WORDS}, end=1.0), seconds=2.951).notes[0]
    assert read_textgrid(grid({"words": WORDS}, end=3.0), seconds=2.951).notes == ()  # what an encoder may pad


def test_overlaps_are_parted_at_their_middle_and_the_result_can_be_written(weasels):
    content = grid({"words": (("a", 0.3, 0.7), ("b", 0.6, 0.9), ("c", 0.9, 1.0))})
    session = sessions.with_textgrid(weasels, content.encode())
    assert [(s.label, s.start, s.end) for s in session.words] == [
        ("a", 0.3, pytest.approx(0.65)),
        ("b", pytest.approx(0.65), 0.9),
        ("c", 0.9, 1.0),
    ]
    assert "overlaps in the tier “words” parted at their middles (1)" in session.about
    assert labels(read_textgrid(sessions.textgrid(session), seconds=2.951)["words"]) == ["a", "b", "c"]


def test_one_spelling_of_one_letter():
    parted, composed = "a\u0303", "\u00e3"
    tiers = read_textgrid(grid({"phones": ((parted, 0.1, 0.2), (composed, 0.2, 0.3), ("\\ae", 0.3, 0.4))}))
    assert labels(tiers["phones"]) == [composed, composed, "æ"]


def test_names_and_tables_are_composed_too(tmp_path):
    record(tmp_path / "one.wav")
    rows = "".join(
        f"one.wav,phones,{label},{i / 10},{i / 10 + 0.1}\n" for i, label in enumerate(["a\u0303", "\u00e3"])
    )
    (tmp_path / "segments.csv").write_text("file,tier,label,start,end\n" + rows, encoding="utf-8")
    (utterance,) = read_folder(tmp_path).utterances
    assert labels(utterance.phones) == ["\u00e3"] * 2


@pytest.mark.parametrize(
    ("written", "letters"),
    [
        ("\\sh\\ng", "ʃŋ"),
        ("i\\:f", "iː"),
        ("e\\~^", "ẽ"),
        ("\\'1t\\^h", "ˈtʰ"),
        ("C:\\zz", "C:\\zz"),
        ("\\", "\\"),
        ("\\x\\ae", "\\xæ"),
    ],
)
def test_praats_symbols(written, letters):
    assert decoded(written) == letters


def test_every_symbol_is_what_praat_makes_of_it():
    parselmouth = pytest.importorskip("parselmouth")
    ask = parselmouth.praat.call
    written = ask("Create TextGrid", 0, len(TRIGRAPHS), "symbols", "")
    for number, symbol in enumerate(TRIGRAPHS):
        if number:
            ask(written, "Insert boundary", 1, float(number))
        ask(written, "Set interval text", 1, number + 1, f"x\\{symbol}y")
    ask(written, "Convert to Unicode")
    theirs = [ask(written, "Get label of interval", 1, number + 1) for number in range(len(TRIGRAPHS))]
    assert [decoded(f"x\\{symbol}y") for symbol in TRIGRAPHS] == [unicodedata.normalize("NFC", t) for t in theirs]


@pytest.mark.parametrize("label", ["", "sil", "SP", "spn", "<p:>", "<eps>", "#", "(.)", " h# "])
def test_silences(label):
    assert is_silence(label)


@pytest.mark.parametrize("label", ["silence", "pause", "s", "p", "uh"])
def test_words_and_phones_are_no_silences(label):
    assert not is_silence(label)


@pytest.mark.parametrize(
    ("names", "words", "phones"),
    [
        (("ORT-MAU", "KAN-MAU", "MAU"), "ORT-MAU", "MAU"),
        (("sentence", "Wörter", "Laute"), "Wörter", "Laute"),
        (("comments", "orthography"), "orthography", None),
        (("ann - words", "ann - phones"), "ann - words", "ann - phones"),
    ],
)
def test_page_and_corpus_take_the_same_tiers_and_the_page_names_them(tmp_path, weasels, names, words, phones):
    given = {name: ((f"in {name}", 0.1, 0.5), ("sil", 0.5, 0.6)) for name in names}
    session = sessions.with_textgrid(weasels, grid(given).encode())
    record(tmp_path / "a.wav", given)
    (utterance,) = read_folder(tmp_path).utterances
    assert labels(session.words) == labels(utterance.words) == [f"in {words}"]
    assert labels(session.phones) == labels(utterance.phones) == ([f"in {phones}"] if phones else [])
    assert f"words from its tier “{words}”" in session.about
    assert ("no phones" if phones is None else f"phones from its tier “{phones}”") in session.about


def test_a_tier_of_an_unknown_name_is_taken_only_where_there_is_none_and_named(weasels):
    content = grid({"empty": (), "vorn": (("eins", 0.1, 0.2),), "hinten": (("zwei", 0.1, 0.2),)})
    session = sessions.with_textgrid(weasels, content.encode())
    assert labels(session.words) == ["eins"]
    assert "words from its tier “vorn”" in session.about
    assert "other tiers can be chosen" in session.about


def test_an_empty_tier_of_words_leaves_them_to_the_model(weasels):
    phones = (("w", 0.1, 0.2), ("iy", 0.2, 0.4))
    session = sessions.with_textgrid(weasels, grid({"words": (("", 0, 2.951),), "phones": phones}).encode())
    assert session.words is None
    assert labels(session.phones) == ["w", "iy"]
    assert "no words, so they are the model's" in session.about
    with pytest.raises(UserError, match="no label in any tier"):
        sessions.with_textgrid(weasels, grid({"words": (("sil", 0, 2.951),)}).encode())
    assert chosen({}).words == ()


def test_a_corpus_says_what_was_changed_and_where(tmp_path):
    for name in ("one", "two"):
        file = record(tmp_path / f"{name}.wav", {"words": (("a", 0.1, 0.5),)})
        file.with_suffix(".TextGrid").write_text(grid({"words": (("a", 7.1, 7.5),)}, 7.0, 8.0), encoding="utf-8")
    assert "times count from the TextGrid's start at 7 s: one, two" in read_folder(tmp_path).notes
    over = (("a", 0.1, 0.9), ("b", 0.2, 0.3), ("c", 0.21, 0.22))
    (tmp_path / "one.TextGrid").write_text(grid({"words": over}, 0.0, 1.0), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"The labels of “one\.wav” cannot be used.*third segment"):
        read_folder(tmp_path)
