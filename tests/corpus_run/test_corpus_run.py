"""A run over a corpus: what is measured, kept, gone on with, refused; against one `analyse` after the other."""

import json
import re
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
from corpus_run import doubles
from tree import ROOT

from methods import attention
from methods.core import models
from methods.core.audio import load_clip
from methods.core.corpus import files as corpus_files
from methods.core.corpus.recordings import read_folder, references
from methods.core.errors import UserError
from methods.corpus_run import Ask, engines, run
from methods.corpus_run.command import _parser, main
from methods.corpus_run.plan import asks
from methods.corpus_run.run import cost

AMPLITUDES = {"a": 0.1, "b": 0.2, "c": 0.4}
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
{seconds}
<exists>
1
"IntervalTier"
"words"
0
{seconds}
2
0
{middle}
"hello"
{middle}
{seconds}
"world"
"""


@pytest.fixture
def double(monkeypatch):
    doubles.register(monkeypatch)


@pytest.fixture
def corpus(tmp_path):
    return doubles.recordings(tmp_path / "corpus", AMPLITUDES)


@pytest.fixture
def asked(double, tiny_model):
    return (Ask("loudness", tiny_model.id, {"gain": 2.0}),)


def rows(out, technique="loudness"):
    return pd.read_parquet(out / f"{technique}.parquet")


def test_every_recording_is_measured_once(asked, corpus, tmp_path, monkeypatch):
    first = run(asked, str(corpus), tmp_path / "out")
    table = rows(tmp_path / "out")
    level = table[table.layer == 1].set_index("clip").level
    # A whole number of periods; 32-bit samples round by 6e-8 of 0.4.
    np.testing.assert_allclose(level[list(AMPLITUDES)], np.array(list(AMPLITUDES.values())) * np.sqrt(2), rtol=1e-6)
    assert (first.measured, first.known, len(table)) == (3, 0, 6)
    assert json.loads(table.provenance[0])["technique"] == "loudness" and set(table.error) == {""}
    again = run(asked, str(corpus), tmp_path / "out", engine=lambda tasks: pytest.fail("ran") if tasks else ())
    assert (again.measured, again.known) == (0, 3)
    pd.testing.assert_frame_equal(rows(tmp_path / "out"), table)


def test_what_changed_is_measured_anew(asked, corpus, tmp_path):
    run(asked, str(corpus), tmp_path / "out")
    other = (Ask("loudness", asked[0].model, {"gain": 3.0}),)
    assert run(other, str(corpus), tmp_path / "out").measured == 3
    doubles.recordings(corpus, {"b": 0.3})
    assert (done := run(asked, str(corpus), tmp_path / "out")).measured == 1 and done.known == 2
    (corpus / "c.TextGrid").write_text(GRID.format(seconds=0.2, middle=0.1), encoding="utf-8")
    assert run(asked, str(corpus), tmp_path / "out").measured == 1


def test_a_refused_recording_is_a_row_and_stops_nobody(double, tiny_model, corpus, tmp_path):
    asked = (Ask("loudness", tiny_model.id, {"fail": "b"}),)
    done = run(asked, str(corpus), tmp_path / "out")
    table = rows(tmp_path / "out")
    assert done.measured == 2 and list(done.refused.values()) == [1]
    assert table[table["clip"] == "b"].error.item() == "“b” is too loud; turn it down."
    assert run(asked, str(corpus), tmp_path / "out").known == 3
    assert sum(run(asked, str(corpus), tmp_path / "out", retry=True).refused.values()) == 1
    (corpus / "damaged.wav").write_bytes(b"RIFF no sound at all")
    assert len(run(asked, str(corpus), tmp_path / "out").refused) == 1


def test_a_mistake_of_ours_is_shown_and_tried_again(asked, corpus, tmp_path):
    doubles.recordings(corpus, {"bug": 0.1})
    for _ in range(2):
        done = run(asked, str(corpus), tmp_path / "out")
        assert "ZeroDivisionError: planted" in done.bugs[0]
        assert "Our mistake" in rows(tmp_path / "out").query("clip == 'bug'").error.item()


def test_a_stopped_run_goes_on(asked, corpus, tmp_path):
    def stopped(outcomes, _count):
        yield next(iter(outcomes))
        raise KeyboardInterrupt

    first = run(asked, str(corpus), tmp_path / "out", watch=stopped)
    assert (first.stopped, first.measured) == (True, 1) and len(rows(tmp_path / "out")) == 2
    second = run(asked, str(corpus), tmp_path / "out")
    assert (second.known, second.measured) == (1, 2) and len(rows(tmp_path / "out")) == 6


def test_arrays_are_kept_where_they_are_asked_for(asked, corpus, tmp_path):
    run(asked, str(corpus), tmp_path / "out")
    assert run(asked, str(corpus), tmp_path / "out", keep_arrays=True).measured == 3
    kept = [np.load(path)["level"] for path in (tmp_path / "out/parts/loudness").glob("*.npz")]
    table = rows(tmp_path / "out")
    np.testing.assert_array_equal(np.sort(np.ravel(kept)), np.sort(table.level))


def test_a_real_technique_gives_what_analyse_gives(tiny_model, tmp_path):
    corpus = doubles.recordings(tmp_path / "corpus", {"tone": 0.3}, seconds=0.6)
    (corpus / "tone.TextGrid").write_text(GRID.format(seconds=0.6, middle=0.3), encoding="utf-8")
    asked = asks(["attention"], [tiny_model.id], ["stacks=encoder", "random_seeds=0"], "words", False)
    done = run(asked, str(corpus), tmp_path / "out")
    assert done.measured == 1, done.refused
    utterance = read_folder(corpus).utterances[0]
    wanted = attention.analyse(
        load_clip(corpus / "tone.wav"), tiny_model, segments=utterance.words, stacks=("encoder",), random_seeds=(0,)
    ).table()
    found = rows(tmp_path / "out", "attention")[list(wanted.columns)]
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def test_a_recording_without_the_labels_is_refused(tiny_model, corpus, tmp_path):
    done = run(asks(["attention"], [tiny_model.id], [], "words", False), str(corpus), tmp_path / "out")
    assert all("has no words in its labels" in sentence for sentence in done.refused)


# Who does the work


@pytest.fixture
def three_labelled(tiny_model, tmp_path, monkeypatch):
    """A real technique, three recordings with words, and where a process that dies leaves its mark."""
    corpus = doubles.recordings(tmp_path / "corpus", AMPLITUDES, seconds=0.6)
    for name in AMPLITUDES:
        (corpus / f"{name}.TextGrid").write_text(GRID.format(seconds=0.6, middle=0.3), encoding="utf-8")
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("MARKS", str(marks))
    return asks(["attention"], [tiny_model.id], ["stacks=encoder", "random_seeds=0"], "words", False), corpus, marks


def test_a_process_that_dies_loses_nothing(three_labelled, tmp_path, monkeypatch):
    """A dead one's recordings are measured by others, each once, with one process's numbers; who kills all is refused.

    One run for both: each process that is started takes the time of all our imports.
    """
    asked, corpus, marks = three_labelled
    run(asked, str(corpus), tmp_path / "alone")
    monkeypatch.setattr(engines, "TRIES", 1)
    killed = run(asked, str(corpus), tmp_path / "pool", engine=engines.processes(2, doubles.dies))
    assert [mark.name for mark in marks.iterdir()] == ["b"] and killed.measured == 2
    assert "died 1 times" in next(iter(killed.refused)) and list(killed.refused.values()) == [1]
    found, wanted = rows(tmp_path / "pool", "attention"), rows(tmp_path / "alone", "attention")
    assert set(found["clip"][found.error != ""]) == {"c"}
    kept = found[found["clip"] != "c"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, wanted[wanted["clip"] != "c"].reset_index(drop=True), check_dtype=False)


def test_a_cluster_of_two_workers_gives_the_same_numbers_when_one_is_killed(three_labelled, tmp_path):
    pytest.importorskip("distributed")
    asked, corpus, marks = three_labelled
    alone = run(asked, str(corpus), tmp_path / "alone")
    cluster = engines.dask(None, 2, carry=True, job=doubles.dies_once)
    done = run(asked, str(corpus), tmp_path / "cluster", engine=cluster)
    assert list(marks.iterdir()) and done.measured == alone.measured == 3
    pd.testing.assert_frame_equal(rows(tmp_path / "cluster", "attention"), rows(tmp_path / "alone", "attention"))


# The folder


def test_two_runs_into_one_folder(asked, corpus, tmp_path):
    def second(outcomes, _count):
        with pytest.raises(UserError, match="Another run is writing"):
            run(asked, str(corpus), tmp_path / "out")
        return outcomes

    assert run(asked, str(corpus), tmp_path / "out", watch=second).measured == 3


def test_a_folder_of_another_version_or_of_somebody_else(asked, corpus, tmp_path):
    with pytest.raises(UserError, match="no run has written"):
        run(asked, str(corpus), corpus)
    run(asked, str(corpus), tmp_path / "out")
    (tmp_path / "out/about.json").write_text('{"format": 0}', encoding="utf-8")
    with pytest.raises(UserError, match="was written in format 0"):
        run(asked, str(corpus), tmp_path / "out")
    with pytest.raises(UserError, match="is a file"):
        run(asked, str(corpus), corpus / "a.wav")


def test_a_full_disk_loses_nothing(asked, corpus, tmp_path, monkeypatch):
    real = type(tmp_path).write_bytes
    kept = []

    def full(path, content):
        if path.suffix == ".part" and len(kept) == 1:
            raise OSError(28, "No space left on device")
        kept.append(path)
        return real(path, content)

    out = tmp_path / "out"
    run((Ask("loudness", asked[0].model, {"gain": 9.0}),), str(corpus), out)
    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        run(asked, str(corpus), out)
    monkeypatch.undo()


def test_a_part_left_by_a_killed_run_is_swept_away(asked, corpus, tmp_path):
    run(asked, str(corpus), tmp_path / "out")
    half = tmp_path / "out/parts/loudness/abc.part"
    half.write_bytes(b"half")
    run(asked, str(corpus), tmp_path / "out")
    assert not half.exists()


def test_references_read_what_the_corpus_reads(tmp_path):
    corpus = doubles.recordings(tmp_path / "corpus", {"a": 0.1})
    (corpus / "a.TextGrid").write_text(GRID.format(seconds=0.2, middle=0.1), encoding="utf-8")
    one = references(corpus_files.in_folder(corpus))[0].utterance()
    other = read_folder(corpus).utterances[0]
    assert (one.words, one.speaker, one.clip.sha256) == (other.words, other.speaker, other.clip.sha256)


# The command


def test_the_command_ends_with_a_code(double, tiny_model, corpus, tmp_path, capsys):
    command = ["run", "loudness", "--model", tiny_model.id, "--corpus", str(corpus), "--out", str(tmp_path / "out")]
    assert main([*command, "--dry-run"]) == 0 and "3 measurements, 3 of them" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main([*command, "--option", "gain=2", "--option", "gain=3", "--option", "fail=b"]) == 1
    told = capsys.readouterr()
    assert "4 measured, 0 known before, 2 refused, 0 broken, of 6" in told.err and "2 × “b” is too loud" in told.err
    assert main([*command, "--option", "gain=11"]) == 2 and "from 0 to 10" in capsys.readouterr().err
    assert main(["list"]) == 0 and "value_zeroing" in capsys.readouterr().out
    assert main(["describe", "value_zeroing"]) == 0
    told = capsys.readouterr().out
    assert "ablation" in told and "one of zero, mean" in told and "EACL 2023" in told


def printed_commands():
    """Every command that README prints, in a block of its own or within a line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("python -m methods")]
    within = [each.strip("`") for each in re.findall(r"`python -m methods [^`]+`", text)]
    return [shlex.split(each)[3:] for each in (*lines, *within) if "…" not in each]


def test_the_commands_of_the_readme_can_be_read():
    found = [_parser().parse_args(each) for each in printed_commands()]
    assert {each.do.__name__ for each in found} == {"_run", "_summarise", "_describe", "_list"}
    for each in found:
        if hasattr(each, "corpus"):
            assert asks(each.technique, each.model, each.option, each.units, each.forced)
            assert cost((), each.corpus, each.out).tasks == 0  # the corpus is there


def test_the_example_of_the_readme_ends_in_a_table_and_a_figure(tiny_model, tmp_path, monkeypatch, capsys):
    """Its own two commands, with a model that costs nothing in the place of each of the two."""
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(tiny_model.id, other)
    first, second = (each for each in printed_commands() if {"--corpus", "--figure"} & {*each})
    named = dict(zip(("openai/whisper-tiny.en", "openai/whisper-base"), (tiny_model.id, str(other)), strict=True))
    assert main([named.get(part, part) for part in first]) == 0
    assert main(second) == 0
    told = capsys.readouterr().out
    assert "difference" in told and "median" in told and (tmp_path / "self_share.svg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("technique", "option", "found"),
    [
        ("attention", "stacks=encoder,cross", ("encoder", "cross")),
        ("attention", "layers=1,2", (1, 2)),
        ("attention", "layers=2", (2,)),
        ("attention", "random_seeds=[]", ()),
        ("attention", "random_seeds=0", (0,)),
        ("paralinguistics", "properties=loudness", ("loudness",)),
        ("paralinguistics", "properties=flat F0,length", ("flat F0", "length")),
        ("attribution", "compared=[]", ()),
        ("attribution", "compared=LIME", ("LIME",)),
        ("cue_contribution", "language=en", "en"),
        ("asr_explanation", "frame=0.05", 0.05),
        ("decoder_lens", "norm=false", False),
        ("cue_contribution", "alternative=bear", "bear"),
    ],
)
def test_options_are_read_by_their_kind(technique, option, found):
    extra = ["cue=a", "target=b"] if technique == "cue_contribution" else []
    chosen = asks([technique], ["m"], [option, *extra], "words", False)[0].options
    assert chosen[option.partition("=")[0]] == found


@pytest.mark.parametrize(
    ("technique", "options", "sentence"),
    [
        ("nothing", [], "There is no technique “nothing”"),
        ("probing", [], "is about a corpus as a whole"),
        ("attention", ["stack=encoder"], "is no option here"),
        ("attention", ["layers=two"], "cannot be"),
        ("cue_contribution", ["cue=a"], "The option “target” is needed"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(technique, options, sentence):
    with pytest.raises(UserError, match=sentence):
        asks([technique], ["m"], options, "words", False)


def test_the_model_is_loaded_once(asked, corpus, tmp_path):
    before = models.load_model(asked[0].model)
    run(asked, str(corpus), tmp_path / "out")
    assert models.load_model(asked[0].model) is before
