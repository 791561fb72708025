"""A command that cannot be meant, and what it says at the end: each ends in a sentence and a code."""

import shutil

import pandas as pd
import pytest
from corpus_run import doubles

from methods.core.errors import UserError
from methods.corpus_run import results_folder
from methods.corpus_run.command import main


@pytest.fixture
def command(tiny_model, corpus, out, monkeypatch):
    doubles.register(monkeypatch)
    return ["run", "loudness", "--model", tiny_model.id, "--corpus", str(corpus), "--out", str(out)]


def rows(out):
    return pd.read_parquet(out / "loudness.parquet")


def test_what_was_refused_before_is_told_again(command, corpus, capsys):
    (corpus / "damaged.wav").write_bytes(b"RIFF no sound at all")
    assert main(command) == 1 and "3 measured, 0 known before, 1 refused" in capsys.readouterr().err
    assert main(command) == 1
    assert "0 measured, 4 known before (1 of them refused; --retry tries again), 0 refused" in capsys.readouterr().err
    for more, left in (([], 0), (["--retry"], 1)):
        assert main([*command, "--dry-run", *more]) == 0
        assert f"4 measurements, {left} of them to be made" in capsys.readouterr().out
    (corpus / "damaged.wav").unlink()
    assert main(command) == 0


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--processes", "0", "--dry-run"], "--processes 0 is not possible; give 1 or more"),
        (["--workers", "0"], "--workers 0 is not possible"),
        (["--workers", "-1"], "--workers -1 is not possible"),
        (["--workers", "2", "--processes", "2"], "--processes and --workers are different ways to share the work"),
        (["--scheduler", "tcp://x", "--workers", "2"], "--scheduler and --workers are different ways"),
        (["--corpus", ""], "--corpus is empty"),
        (["--out", " "], "--out is empty"),
        (["--model", ""], "--model is empty"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence_before_anything_is_done(command, more, sentence, out, capsys):
    assert main([*command, *more]) == 2 and sentence in capsys.readouterr().err
    assert not out.exists()


def test_a_corpus_that_is_one_file_or_has_a_bundled_name(command, corpus, tmp_path, monkeypatch, capsys):
    assert main([*command, "--corpus", str(corpus / "a.wav")]) == 2 and "is one recording" in capsys.readouterr().err
    shutil.copytree(corpus, tmp_path / "voices")
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--corpus", "voices"]) == 2 and "give ./voices for your own" in capsys.readouterr().err
    assert main([*command, "--corpus", "./voices"]) == 0


def test_a_recording_in_which_nothing_is_found_is_a_row_too(command, out, monkeypatch, capsys):
    made = doubles.Loudness.table
    monkeypatch.setattr(doubles.Loudness, "table", lambda self: made(self).iloc[: 0 if self.level[0] > 0.2 else None])
    assert main(command) == 1 and "loudness finds nothing in “c”" in capsys.readouterr().err
    assert set(rows(out).query("error != ''")["clip"]) == {"c"} and len(rows(out)) == 5


def test_a_full_disk_is_told_on_a_line_of_its_own(command, monkeypatch, capsys):
    def full(path, _content):
        raise UserError(f"“{path.name}” could not be written (No space left on device).")

    monkeypatch.setattr(results_folder.ResultsFolder, "keep", lambda _self, _outcome: full(_self.place, b""))
    assert main(command) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "“out” could not be written (No space left on device)."
