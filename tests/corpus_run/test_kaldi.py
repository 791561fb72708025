"""Kaldi's folders, and sets that are not there."""

import numpy as np
import pandas as pd
import pytest
from corpus_run import doubles

from methods.core.errors import UserError
from methods.corpus_run import Ask, run
from methods.corpus_run.plan import asks


@pytest.fixture
def asked(monkeypatch, tiny_model):
    doubles.register(monkeypatch)
    return (Ask("loudness", tiny_model.id),)


def test_a_kaldi_folder(tiny_model, tmp_path):
    sounds = doubles.recordings(tmp_path / "sounds", {"one": 0.1}, seconds=0.6)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "wav.scp").write_text(f"utt1 {sounds / 'one.wav'}\n", encoding="utf-8")
    (folder / "ctm").write_text("utt1 1 0.10 0.20 hello\nutt1 1 0.30 0.20 world\n", encoding="utf-8")
    (folder / "utt2spk").write_text("utt1\tann\n", encoding="utf-8")
    (folder / "text").write_text("utt1 hello  world\nutt2\n", encoding="utf-8")
    asked = asks(["attention"], [tiny_model.id], ["stacks=encoder", "random_seeds=[]"], "words", False)
    assert run(asked, str(folder), tmp_path / "out").measured == 1
    table = pd.read_parquet(tmp_path / "out/attention.parquet")
    assert set(table.speaker) == {"ann"} and set(table.row) == {"hello", "world"}
    starts = table.groupby("row").row_start_s.first()
    np.testing.assert_allclose(starts[["hello", "world"]], [0.1, 0.3], atol=1e-9)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"wav.scp": "utt1 sox x.wav -t wav - |\n"}, "as a command, and none is run"),
        ({"wav.scp": "utt1 nowhere.wav\n"}, "there is no such file"),
        ({"wav.scp": "utt1\n"}, "is followed by nothing"),
        ({"wav.scp": "u wav.scp\nu wav.scp\n"}, "names “u” twice"),
        ({"wav.scp": "", "segments": "a b 0 1\n"}, "cuts its recordings"),
        ({"wav.scp": "", "ctm": "utt1 1 zero 0.2 hello\n"}, "ctm, line 1"),
    ],
)
def test_a_kaldi_folder_that_cannot_be_used(asked, tmp_path, files, sentence):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        run(asked, str(tmp_path), tmp_path / "out")


def test_a_corpus_that_is_not_there(asked, tmp_path):
    with pytest.raises(UserError, match="There is no corpus “nowhere”"):
        run(asked, "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no recording"):
        run(asked, str(tmp_path / "empty"), tmp_path / "out")
