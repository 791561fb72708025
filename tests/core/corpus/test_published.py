"""Labels of TIMIT, Buckeye and MFA, copied by hand from their documentation's form, not from their data."""

import numpy as np
import pytest
import soundfile

from methods.core.corpus import read_folder
from methods.core.corpus.files import CorpusError

TIMIT = {
    "x.PHN": "0 1600 h#\n1600 3200 sh\n3200 4800 iy\n4800 16000 h#\n",
    "x.WRD": "1600 4800 she\n",
}
BUCKEYE = {
    "x.words": "signal x\ntype 0\ncolor 121\nnfields 1\n#\n  0.1 122 {B_TRANS}; B\n  0.25 122 she; sh iy; sh iy; PRP\n"
    "  0.4 122 <SIL>; B\n  0.6 122 had; hh ae d; hh ae d; VBD\n",
    "x.phones": "signal x\n#\n 0.1 122 {B_TRANS}\n 0.2 122 sh\n 0.25 122 iy; 23\n 0.4 122 SIL\n 0.6 122 hh\n",
}
MFA = {
    "x.csv": "Begin,End,Label,Type,Speaker\n0.1,0.25,she,words,ann\n0.1,0.2,SH,phones,ann\n0.2,0.25,IY1,phones,ann\n"
}


@pytest.fixture
def folder(tmp_path):
    def written(files):
        noise = 0.1 * np.random.default_rng(0).normal(size=16_000)
        soundfile.write(tmp_path / "x.wav", noise, 16_000)
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return written


def as_rows(segments):
    return [(s.label, pytest.approx(s.start), pytest.approx(s.end)) for s in segments]


@pytest.mark.parametrize(
    ("files", "words", "phones"),
    [
        (TIMIT, [("she", 0.1, 0.3)], [("sh", 0.1, 0.2), ("iy", 0.2, 0.3)]),
        (BUCKEYE, [("she", 0.1, 0.25), ("had", 0.4, 0.6)], [("sh", 0.1, 0.2), ("iy", 0.2, 0.25), ("hh", 0.4, 0.6)]),
        (MFA, [("she", 0.1, 0.25)], [("sh", 0.1, 0.2), ("iy", 0.2, 0.25)]),
    ],
)
def test_labels_are_read(folder, files, words, phones):
    utterance = read_folder(folder(files)).utterances[0]
    assert as_rows(utterance.words) == words and as_rows(utterance.phones) == phones


def test_sphere_files_are_read(tmp_path, folder):
    place = folder(TIMIT)
    samples, rate = soundfile.read(place / "x.wav")
    (place / "x.wav").unlink()
    soundfile.write(place / "x.WAV", samples, rate, format="NIST", subtype="PCM_16")
    assert read_folder(place).seconds == 1.0


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"x.PHN": "0 1600 h#\nsh 1600 3200\n"}, "line 2 should hold two numbers"),
        ({"x.PHN": "3200\n"}, "line 1 should hold two numbers"),
        ({"x.WRD": "1600 99000000 she\n20000 30000 had"}, "the labels of another recording"),
        ({"x.PHN": "0 1600 h#\n1600 99000000 sh\n"}, "line 2.*the labels of another recording"),
        ({"x.PHN": "0 1_600 sh\n"}, "line 1 should hold two numbers"),
        ({"x.words": "head\n#\nshe 0.2 122\n"}, "line 3 should hold the second"),
        ({"x.csv": "Begin,End,Label,Type\n0.1,0.2,she, had,words\n"}, "line 2 has more or fewer fields"),
        ({"x.csv": "Begin,End,Label,Type\n0.1,0.2,she\n"}, "line 2 has more or fewer fields"),
        ({"x.csv": "Begin,End,Label,Type\n0.1,x,she,words\n"}, "Begin and End in seconds"),
    ],
)
def test_what_is_wrong_is_named(folder, files, sentence):
    with pytest.raises(CorpusError, match=sentence):
        read_folder(folder(files))
