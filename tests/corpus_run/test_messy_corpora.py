"""Sets of recordings as they come, disks that are full, runs that are killed: each ends in a row or a sentence."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from corpus_run import doubles
from tree import ROOT

from methods.core.corpus import files as corpus_files
from methods.core.corpus.titles import titled
from methods.core.errors import UserError
from methods.core.models import fingerprint
from methods.corpus_run import Ask, one_table, results_folder, run, summary
from methods.corpus_run.command import main
from methods.corpus_run.plan import asks

GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n0.2\n<exists>\n1\n"IntervalTier"\n"{tier}"\n0\n0.2\n1\n'
    '0\n0.2\n"{label}"\n'
)


@pytest.fixture(autouse=True)
def double(monkeypatch):
    doubles.register(monkeypatch)


@pytest.fixture
def asked(tiny_model):
    return (Ask("loudness", tiny_model.id),)


def rows(out):
    return pd.read_parquet(out / "loudness.parquet")


# Names and places


def test_unusual_names(asked, out, tmp_path):
    names = ["two words", "-rf", "Ünïcödé 語", "semi;colon", "a'b\"c", "%s", "x" * 70 + "1", "x" * 70 + "2", ".hidden"]
    corpus = doubles.recordings(tmp_path / "-my corpus", dict.fromkeys(names, 0.1))
    assert run(asked, str(corpus), out).measured == len(names) - 1  # hidden ones are the system's
    clips = set(rows(out)["clip"])
    assert {"two words", "-rf", "Ünïcödé 語"} < clips and len(clips) == len(names) - 1


def test_the_same_name_and_sound_in_two_folders(asked, out, tmp_path):
    for name in ("s1", "s2"):
        doubles.recordings(tmp_path / "corpus" / name, {"a": 0.1})
    assert run(asked, str(tmp_path / "corpus"), out).measured == 2
    assert set(rows(out)["clip"]) == {"s1_a", "s2_a"} and set(rows(out).speaker) == {"s1", "s2"}


@pytest.mark.parametrize(
    ("sounds", "titles"),
    [
        (["a.wav", "b.wav"], ["a", "b"]),
        (["a_b.wav", "a/b.wav", "c/b.wav"], ["a_b (1)", "a_b (2)", "c_b"]),
        (["x/a<.wav", "x/a>.wav", "x/a (1).wav"], ["x_a (1)", "x_a (2)", "a (1)"]),
    ],
)
def test_each_recording_has_a_name_of_its_own(sounds, titles):
    assert titled(sounds) == titles


def test_links(asked, corpus, out, tmp_path):
    """A loop ends, a linked folder is read once, and a link that leads nowhere is a row."""
    elsewhere = doubles.recordings(tmp_path / "elsewhere", {"d": 0.3})
    (corpus / "loop").symlink_to(corpus, target_is_directory=True)
    (corpus / "more").symlink_to(elsewhere, target_is_directory=True)
    (corpus / "again").symlink_to(elsewhere, target_is_directory=True)
    (corpus / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (corpus / "self.wav").symlink_to(corpus / "self.wav")
    done = run(asked, str(corpus), out)
    assert done.measured == 4 and sum(done.refused.values()) == 2 and not done.bugs
    assert set(rows(out).query("error != ''")["clip"]) == {"gone", "self"}


def test_a_folder_that_may_not_be_read(corpus, monkeypatch):
    def walk(place, onerror):
        onerror(PermissionError(13, "Permission denied", str(place)))
        return iter(())

    monkeypatch.setattr(corpus_files.os, "walk", walk)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        corpus_files.in_folder(corpus)


def test_a_sound_or_labels_that_may_not_be_read_are_rows(asked, corpus, out, monkeypatch):
    (corpus / "b.TextGrid").write_text(GRID.format(tier="words", label="hello"), encoding="utf-8")
    real, locked = type(corpus).read_bytes, ("a.wav", "b.TextGrid")

    def read(path):
        if path.name in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(type(corpus), "read_bytes", read)
    done = run(asked, str(corpus), out)
    assert not done.bugs and "b" in set(rows(out).query("error != ''")["clip"])
    assert "Permission denied" in " ".join(done.refused)


@pytest.mark.parametrize(("tier", "label"), [("words", ""), ("notes", "cough"), ("phones", "AH")])
def test_a_textgrid_without_words(tier, label, tiny_model, corpus, out):
    (corpus / "a.TextGrid").write_text(GRID.format(tier=tier, label=label), encoding="utf-8")
    done = run(asks(["attention"], [tiny_model.id], [], "words", False), str(corpus), out)
    assert sum(done.refused.values()) == 3 and not done.bugs and "no words in its labels" in next(iter(done.refused))


def test_a_model_that_does_not_fit_is_a_row_for_each(corpus, out):
    done = run(asks(["decoder_lens"], ["hama-ctc"], ["random_seeds=[]"], "own", False), str(corpus), out)
    assert sum(done.refused.values()) == 3 and not done.bugs


def test_what_is_asked_twice_is_measured_once(tiny_model, corpus, out):
    once = asks(["loudness", "loudness"], [tiny_model.id] * 2, ["gain=2", "gain=2", "gain=2.0"], "words", False)
    assert run(once, str(corpus), out).asked in (3, 6)  # 2 and 2.0 are two spellings


def test_a_zip_may_hold_more_than_the_page_takes(asked, corpus, out, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for path in corpus.iterdir():
            file.write(path, path.name)
    monkeypatch.setattr(corpus_files, "MOST_FILES", 2)
    assert run(asked, str(tmp_path / "set.zip"), out).measured == 3


# What changes between two runs


def test_a_changed_recording_stands_for_itself_alone(asked, corpus, out):
    run(asked, str(corpus), out)
    before, sound = rows(out), (corpus / "b.wav").read_bytes()
    doubles.recordings(corpus, {"b": 0.3})
    assert run(asked, str(corpus), out).measured == 1 and len(rows(out)) == 6
    assert len(list((out / "superseded/loudness").iterdir())) == 1
    summary.means(summary.read(out), "level", ["model"])
    (corpus / "b.wav").write_bytes(sound)
    assert run(asked, str(corpus), out).measured == 0  # it is what it was, and so is the table
    pd.testing.assert_frame_equal(rows(out), before)


def test_two_sets_of_one_name_are_not_mixed_up(asked, out, tmp_path):
    for place, amplitude in (("one", 0.1), ("two", 0.2)):
        folder = doubles.recordings(tmp_path / place / "wavs", {"a": amplitude})
        assert run(asked, str(folder), out).measured == 1
    assert len(rows(out)) == 4
    with pytest.raises(UserError, match="“a” is there 2 times"):
        summary.means(summary.read(out), "level", ["model"])


def test_two_folders_with_the_same_weights_have_rows_of_their_own(tiny_model, corpus, out, tmp_path):
    shutil.copytree(tiny_model.id, tmp_path / "copy")
    both = asks(["loudness"], [tiny_model.id, str(tmp_path / "copy")], [], "words", False)
    assert run(both, str(corpus), out).measured == 6 and rows(out).model.nunique() == 2


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("config.json", {"encoder_attention_heads": 4, "decoder_attention_heads": 4}),
        ("preprocessor_config.json", {"dither": 0.5}),
        ("generation_config.json", {"suppress_tokens": [5]}),
    ],
)
def test_a_model_whose_settings_were_written_anew_is_measured_anew(file, settings, tiny_model, corpus, out, tmp_path):
    folder = shutil.copytree(tiny_model.id, tmp_path / "model")
    asked = asks(["loudness"], [str(folder)], [], "words", False)
    assert run(asked, str(corpus), out).measured == 3
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")
    assert run(asked, str(corpus), out).measured == 3 and len(rows(out)) == 6  # the old ones are put aside


def test_another_version_of_the_code_measures_anew_and_is_not_pooled(asked, corpus, out, monkeypatch):
    run(asked, str(corpus), out)
    monkeypatch.setattr(fingerprint, "code", lambda *_places: "f" * 64)
    assert run(asked, str(corpus), out).measured == 3
    with pytest.raises(UserError, match="differ in their code"):
        summary.means(summary.read(out), "level", ["model"])


def test_a_table_with_a_column_of_the_same_name_loses_nothing(asked, corpus, out, monkeypatch):
    made = doubles.Loudness.table
    monkeypatch.setattr(doubles.Loudness, "table", lambda self: made(self).assign(seconds=7.0))
    run(asked, str(corpus), out)
    assert set(rows(out).seconds) == {7.0} and np.allclose(rows(out).clip_seconds, 0.2)
    monkeypatch.setattr(doubles.Loudness, "table", lambda self: made(self).assign(model="mine"))
    done = run((Ask("loudness", asked[0].model, {"gain": 2.0}),), str(corpus), out)
    assert len(done.bugs) == 3 and "columns of its own" in done.bugs[0]


# The disk


@pytest.mark.parametrize("damage", [b"", bytes(500), b"PAR1"])
def test_a_part_that_a_power_cut_has_left_empty_is_measured_again(asked, corpus, out, damage):
    run(asked, str(corpus), out)
    before = rows(out)
    part = sorted((out / "parts/loudness").glob("*.parquet"))[0]
    part.write_bytes(damage)
    if damage == b"PAR1":  # an end without a beginning
        with pytest.raises(UserError, match="is damaged"):
            run(asked, str(corpus), out)
        part.unlink()
    assert run(asked, str(corpus), out).measured == 1
    pd.testing.assert_frame_equal(rows(out), before)


def test_a_disk_that_is_full_while_the_table_is_written(asked, corpus, out, monkeypatch):
    run(asked, str(corpus), out)
    before = rows(out)
    doubles.recordings(corpus, {"d": 0.3})

    real = one_table.pq.ParquetWriter

    def full(place, *arguments, **options):
        if place != out / "loudness.part":  # a part is made in memory
            return real(place, *arguments, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one_table.pq, "ParquetWriter", full)
    with pytest.raises(UserError, match="No space left on device"):
        run(asked, str(corpus), out)
    pd.testing.assert_frame_equal(rows(out), before)  # the old table is whole
    monkeypatch.undo()


@pytest.mark.parametrize(("about", "known"), [("", True), ("{", False), ("[]", False), ('{"format": 7}', False)])
def test_a_folder_whose_note_is_damaged(asked, corpus, out, about, known):
    run(asked, str(corpus), out)
    (out / "about.json").write_text(about, encoding="utf-8")
    if known:  # a full disk left it empty
        assert run(asked, str(corpus), out).known == 3
    else:
        with pytest.raises(UserError, match="was written in format"):
            run(asked, str(corpus), out)


def test_a_folder_that_may_not_be_written(asked, corpus, out, monkeypatch):
    def refused(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(out), "mkdir", refused)
    with pytest.raises(UserError, match="Permission denied"):
        run(asked, str(corpus), out)


# Ends


def test_ctrl_c_before_the_first_recording_and_while_the_table_is_written(asked, corpus, out, monkeypatch, capsys):
    def pressed(*_arguments):
        raise KeyboardInterrupt

    command = ["run", "loudness", "--model", asked[0].model, "--corpus", str(corpus), "--out", str(out)]
    for place in (results_folder.ResultsFolder, "settle"), (results_folder.ResultsFolder, "gather"):
        with monkeypatch.context() as patch:
            patch.setattr(*place, pressed)
            assert main(command) == 130 and "goes on from here" in capsys.readouterr().err
    assert main(command) == 0 and len(rows(out)) == 6


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_command_that_is_killed_goes_on(asked, out, tmp_path):
    """A real process, killed behind its second recording, leaves what it has measured and no lock."""
    corpus = doubles.recordings(tmp_path / "corpus", {f"{n:02d}": 0.1 + n / 100 for n in range(6)})
    script = f"""
import os, signal
from corpus_run import doubles
from methods.corpus_run import Ask, run
class Patch:
    def setitem(self, place, name, value):
        place[name] = value
def watch(outcomes, count):
    for number, each in enumerate(outcomes):
        yield each
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
doubles.register(Patch())
run([Ask("loudness", {asked[0].model!r})], {str(corpus)!r}, {str(out)!r}, watch=watch)
"""
    places = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": places}, check=False)
    assert done.returncode == -signal.SIGKILL
    again = run(asked, str(corpus), out)
    assert (again.measured, again.known) == (4, 2) and len(rows(out)) == 12
