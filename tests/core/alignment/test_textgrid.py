"""TextGrids in and out, against Praat itself where parselmouth is installed."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from methods.core.alignment.textgrid import read_textgrid, write_textgrid
from methods.core.frames import AlignmentError, Segment

EXAMPLES = Path(__file__).parents[3] / "examples_audio"
WEASELS = EXAMPLES / "cc-by-sa-3.0" / "en_f_weasels.wav"
WEASEL_STARTS = [0.1, 0.89, 1.23, 1.56, 1.7, 2.1]  # s, as Praat shows them


LONG = WEASELS.with_suffix(".TextGrid")
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
3
"IntervalTier"
"words"
0
1.5
3
0
0.5
""
0.5
1.25
"say ""hi"" ! 3"
1.25
1.5
"été"
"TextTier"
"clicks"
0
1.5
1
0.7
"click"
"IntervalTier"
"words"
0
1.5
1
0
1.5
"all"
"""


def test_a_textgrid_written_by_praat_is_read():
    tiers = read_textgrid(LONG.read_bytes())
    assert [s.label for s in tiers["words"]] == ["weasels", "have", "eaten", "our", "phone", "system"]
    assert [s.start for s in tiers["words"]] == WEASEL_STARTS
    assert len(tiers["phones"]) == 24


@pytest.mark.parametrize(
    "encode",
    [
        str,
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: ("! by hand\n" + text).replace("\n", "\r").encode(),
        lambda text: text.replace('"words"', '"words" ! the first tier, "as said" 12').encode(),
    ],
    ids=["str", "utf-8", "utf-8 with BOM", "utf-16", "utf-16 big-endian", "Windows", "old Mac", "comments"],
)
def test_the_short_format_in_every_coding(encode):
    tiers = read_textgrid(encode(SHORT))
    assert tiers["words"] == (Segment('say "hi" ! 3', 0.5, 1.25), Segment("été", 1.25, 1.5))
    assert tiers["words (2)"] == (Segment("all", 0, 1.5),)
    assert tiers.notes == ("point tier “clicks” left out", "a second tier “words” is called “words (2)”")


def test_what_is_written_is_read_again():
    random = np.random.default_rng(9)
    alphabet = [*'ab"" !é今\n=<exists> 12 intervals [1]:', "\\", "\\ae", "\\bs"]
    for _ in range(200):
        seconds = float(random.uniform(1, 30))
        tiers = {}
        for name in ("words", 'a "quoted" tier', r"a \sh", "empty"):
            edges = np.unique(random.uniform(0, seconds, 2 * int(random.integers(0, 15)) * (name != "empty")))
            pairs = zip(edges[0::2], edges[1::2], strict=False)
            tiers[name] = tuple(Segment("x" + "".join(random.choice(alphabet, 6)) + "y", a, b) for a, b in pairs)
        assert dict(read_textgrid(write_textgrid(tiers, seconds), seconds=seconds)) == tiers


def test_no_tier_takes_the_place_of_another_and_what_nobody_sees_is_no_label():
    tiers = ("words (3)", "b", "\u200b"), ("words", "a", "\ufeff \u00a0"), ("words", "c", "\0")
    lines = ['"ooTextFile"', '"TextGrid"', "0", "2", "<exists>", "3"]
    for name, *labels in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", "2", "2", "0", "1", f'"{labels[0]}"', "1", "2", f'"{labels[1]}"']
    read = read_textgrid("\n".join(lines))
    assert {name: [s.label for s in tier] for name, tier in read.items()} == {
        "words (3)": ["b"], "words": ["a"], "words (4)": ["c"],
    }  # fmt: skip


def test_what_is_written_has_no_gaps():
    text = write_textgrid({"words": [Segment("b", 0.5, 0.7), Segment("a", 0.1, 0.3), Segment("c", 0.7, 0.9)]}, 1)
    times = [float(t) for t in re.findall(r"^            xm(?:in|ax) = (.*)$", text, re.MULTILINE)]
    assert times == [0, 0.1, 0.1, 0.3, 0.3, 0.5, 0.5, 0.7, 0.7, 0.9, 0.9, 1]
    assert re.findall(r'^            text = "(.*)"$', text, re.MULTILINE) == ["", "a", "", "b", "c", ""]


def test_praat_reads_what_is_written(tmp_path):
    parselmouth = pytest.importorskip("parselmouth")
    path = tmp_path / "ours.TextGrid"
    tiers = {"words": [Segment('say "hi"', 0.25, 0.5), Segment("été", 0.5, 1.0)], "none": []}
    path.write_text(write_textgrid(tiers, 1.2), encoding="utf-8")
    grid = parselmouth.read(str(path))
    ask = parselmouth.praat.call
    assert ask(grid, "Get number of tiers") == 2
    assert [ask(grid, "Get label of interval", 1, i) for i in (1, 2, 3, 4)] == ["", 'say "hi"', "été", ""]
    assert [ask(grid, "Get start time of interval", 1, i) for i in (1, 2, 3, 4)] == [0, 0.25, 0.5, 1.0]


@pytest.mark.parametrize("command", ["Save as text file", "Save as short text file"])
def test_what_praat_writes_is_read(tmp_path, command):
    parselmouth = pytest.importorskip("parselmouth")
    ask = parselmouth.praat.call
    grid = ask("Create TextGrid", 0, 1.2, "words clicks", "clicks")
    ask(grid, "Insert boundary", 1, 0.123456789)
    ask(grid, "Set interval text", 1, 2, 'été "今" \\ef')
    ask(grid, "Insert point", 2, 0.5, "click")
    ask(grid, f"{command}...", str(tmp_path / "praat.TextGrid"))
    tiers = read_textgrid((tmp_path / "praat.TextGrid").read_bytes(), seconds=1.2)
    assert dict(tiers) == {"words": (Segment('été "今" ɛ', 0.123456789, 1.2),)}
    ask(grid, "Save as binary file...", str(tmp_path / "binary.TextGrid"))
    with pytest.raises(AlignmentError, match="binary format"):
        read_textgrid((tmp_path / "binary.TextGrid").read_bytes())


@pytest.mark.parametrize(
    ("segments", "complaint"),
    [
        ([Segment("a", 0, 0.5), Segment("b", 0.4, 0.8)], "“b” .0.4 to 0.8 s. overlaps its neighbour"),
        ([Segment("a", 0, 1.5)], "ends after the clip .1 s."),
    ],
)
def test_what_a_textgrid_cannot_hold_is_refused(segments, complaint):
    with pytest.raises(AlignmentError, match=complaint):
        write_textgrid({"words": segments}, 1.0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"RIFF....WAVE", "not a TextGrid"),
        ("", "not a TextGrid"),
        (json.dumps({"a": 1}), "not a TextGrid"),
        ('File type = "ooTextFile"\nObject class = "PitchTier"\n0 1 2', "not a TextGrid"),
        (b"ooBinaryFile\x08TextGrid\x00\x00", "binary format"),
        (SHORT[:150], "damaged"),
        (SHORT.replace("\n3\n0\n0.5", "\n999999999\n0\n0.5"), "damaged"),
        (SHORT.replace("\n3\n0\n0.5", "\n1e999\n0\n0.5"), "damaged"),
        (SHORT.replace("1.25", "1,25"), "damaged"),
        (SHORT.replace("\n3\n0\n0.5", "\n-3\n0\n0.5"), "damaged"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1 "TextTier" "p" 0 1 1 0.5 "x"', "no interval tier"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "w" 0 1 1 0.7 0.5 "x"', "no stretch of time"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "w" 0 1 1 nan 0.5 "x"', "damaged"),
        ("x" * 2_000_001, "larger than 2 MB"),
        ("é".encode("latin-1") + SHORT.encode(), "UTF-8"),
        ('"' * 100_001, "not a TextGrid"),
    ],
)
def test_broken_textgrids_are_explained(content, complaint):
    with pytest.raises(AlignmentError, match=complaint):
        read_textgrid(content)


def test_two_megabytes_of_anything_are_read_in_a_moment():
    for content in (
        '"' * 1_999_999,
        '"" ' * 600_000,
        "1 " * 900_000,
        "!" * 1_900_000,
        "a" * 1_999_999,
        '"ooTextFile"' * 150_000,
    ):
        begin = time.perf_counter()
        with pytest.raises(AlignmentError):
            read_textgrid(content)
        assert time.perf_counter() - begin < 5  # s; a pattern that backtracks would need years


def test_times_beyond_the_clip_are_refused_and_a_rounding_is_cut():
    with pytest.raises(AlignmentError, match=r"“été” ends at 1.5 s but the clip at 1.3 s"):
        read_textgrid(SHORT, seconds=1.3)
    assert read_textgrid(SHORT, seconds=1.49)["words"][-1].end == 1.49
