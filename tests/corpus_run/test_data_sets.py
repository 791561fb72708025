"""Data sets kept in tables: which column holds what is said, rows come one by one, sounds as they were stored."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from corpus_run import doubles

from methods.core.errors import UserError
from methods.corpus_run import Ask, data_sets, run
from methods.corpus_run.command import main
from methods.corpus_run.plan import asks

datasets = pytest.importorskip("datasets")
COLUMNS = "sound=audio,id=name,speaker=who,text=said,words=words"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No network is asked, and nothing is left in the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", tmp_path / "modules")


def sound(amplitude, ending="WAV"):
    buffer = io.BytesIO()
    times = np.arange(9_600) / doubles.RATE
    kind = {"WAV": "FLOAT", "FLAC": "PCM_24"}[ending]
    soundfile.write(buffer, amplitude * np.sin(2 * np.pi * 100 * times), doubles.RATE, format=ending, subtype=kind)
    return buffer.getvalue()


def words(*labels):
    return [{"word": label, "start": 0.3 * n, "end": 0.3 * (n + 1)} for n, label in enumerate(labels)]


@pytest.fixture
def table(tmp_path):
    """Three rows as the Hub keeps them: bytes and the name of the file."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = {
        "audio": [{"bytes": sound(0.1 * n, ending), "path": f"x.{ending.lower()}"} for n, ending in
                  ((1, "WAV"), (2, "FLAC"), (4, "WAV"))],
        "name": ["a", "b", "a"],
        "who": ["ann", "ben", "ann"],
        "said": ["hello world", "hello there", None],
        "words": [words("hello", "world"), words("hello", "there"), []],
        "heavy": ["x" * 1000] * 3,
    }  # fmt: skip
    made = datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio(decode=False))
    made.cast_column("audio", datasets.Audio()).to_parquet(str(folder / "train.parquet"))
    return folder


def asked(model, **options):
    return (Ask("loudness", model.id, options),)


def test_rows_are_measured_as_their_bytes_are(monkeypatch, table, tiny_model, tmp_path):
    doubles.register(monkeypatch)
    rows = data_sets.rows(COLUMNS, "train", None)
    done = run(asked(tiny_model), str(table), tmp_path / "out", rows=rows)
    assert (done.asked, done.measured, done.known) == (3, 3, 0)
    found = pd.read_parquet(tmp_path / "out/loudness.parquet").query("layer == 1").set_index("clip")
    assert dict(found.speaker) == {"a": "ann", "b": "ben", "a (row 3)": "ann"}
    # A whole number of periods; 24 bits round by 6e-8 of full scale.
    wanted = np.array([0.1, 0.2, 0.4]) / np.sqrt(2)
    np.testing.assert_allclose(found.level[["a", "b", "a (row 3)"]], wanted, atol=1e-6)
    again = run(asked(tiny_model), str(table), tmp_path / "out", rows=rows)
    assert (again.asked, again.measured, again.known) == (3, 0, 3)


def test_rows_are_read_only_when_they_are_asked_for(monkeypatch, table, tiny_model, tmp_path):
    """The first answer is there before the second row is read: a set need not fit on the disk."""
    doubles.register(monkeypatch)
    events, real = [], data_sets._reference

    def told(cells, number, *rest):
        events.append(f"read {number}")
        assert "heavy" not in cells  # columns that nobody named do not travel
        return real(cells, number, *rest)

    def watched(outcomes, count):
        assert count is None
        for number, outcome in enumerate(outcomes, start=1):
            events.append(f"measured {number}")
            yield outcome

    monkeypatch.setattr(data_sets, "_reference", told)
    run(
        asked(tiny_model),
        str(table),
        tmp_path / "out",
        rows=data_sets.rows("sound=audio", "train", None),
        watch=watched,
    )
    assert events == [f"{what} {number}" for number in (1, 2, 3) for what in ("read", "measured")]


def test_words_and_text_of_a_row_reach_the_technique(table, tiny_model, tmp_path):
    out = tmp_path / "out"
    command = ["run", "attention", "--corpus", str(table), "--model", tiny_model.id, "--out", str(out)]
    command += ["--option", "stacks=encoder", "--option", "random_seeds=[]", "--columns", COLUMNS]
    assert main(command) == 1  # the third row has no words
    rows = pd.read_parquet(out / "attention.parquet")
    assert set(rows.row.dropna()) == {"hello", "world", "there"}
    assert "has no words in its labels" in rows.query("clip == 'a (row 3)'").error.item()


def test_a_text_without_times_is_what_a_decoder_is_made_to_write(table, tiny_model, tmp_path):
    rows = data_sets.rows("sound=audio,text=said", "train", None)
    wanted = asks(["word_confidence"], [tiny_model.id], ["random_seeds=[]"], "own", True)
    done = run(wanted, str(table), tmp_path / "out", rows=rows)
    assert "has no words in its labels and no text" in "".join(done.refused) and done.measured == 2, done
    table = pd.read_parquet(tmp_path / "out/word_confidence.parquet").query("error == ''")
    assert {json.loads(each)["options"]["transcript"] for each in table.provenance} == {"hello world", "hello there"}


def test_a_folder_of_json_lines_that_name_their_sounds(monkeypatch, tiny_model, tmp_path):
    doubles.register(monkeypatch)
    folder = doubles.recordings(tmp_path / "set", {"one": 0.3})
    (folder / "train.jsonl").write_text('{"file": "one.wav"}\n{"file": null}\n', encoding="utf-8")
    done = run(asked(tiny_model), str(folder), tmp_path / "out", rows=data_sets.rows("sound=file", "train", None))
    assert done.measured == 1 and len(done.refused) == 1 and "000002" in next(iter(done.refused))


@pytest.mark.parametrize(
    ("columns", "split", "sentence"),
    [
        ("sound=nothing", "train", "has no column “nothing”; it has: audio, name"),
        ("text=said", "train", "the column of the sound is not among them"),
        ("sound=audio,voice=who", "train", "“voice” is none of them"),
        ("sound", "train", "“sound” is none of them"),
        ("sound=audio", "tset", "could not be opened"),
        ("sound=audio,words=said", "train", "a label, start and end"),
    ],
)
def test_what_cannot_be_asked_of_a_table_is_a_sentence(columns, split, sentence, table, tiny_model, tmp_path):
    ask = (Ask("word_confidence", tiny_model.id, {}, "own"),)
    with pytest.raises(UserError, match=sentence):
        run(ask, str(table), tmp_path / "out", rows=data_sets.rows(columns, split, None))


def test_a_set_that_is_not_there(monkeypatch, tiny_model, tmp_path):
    doubles.register(monkeypatch)
    with pytest.raises(UserError, match="could not be opened"):
        run(asked(tiny_model), "no/such-set", tmp_path / "out", rows=data_sets.rows("sound=audio", "train", None))


def test_a_table_that_breaks_off_keeps_what_was_measured(monkeypatch, table, tiny_model, tmp_path):
    doubles.register(monkeypatch)
    real = data_sets._reference

    def breaks(cells, number, *rest):
        if number == 3:
            raise ConnectionError("the line went dead")
        return real(cells, number, *rest)

    monkeypatch.setattr(data_sets, "_reference", breaks)
    with pytest.raises(UserError, match=r"beyond row 3 \(the line went dead\)"):
        run(asked(tiny_model), str(table), tmp_path / "out", rows=data_sets.rows("sound=audio", "train", None))
    assert len(pd.read_parquet(tmp_path / "out/loudness.parquet")) == 4


def test_without_the_library_there_is_a_sentence(monkeypatch, table):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UserError, match="need the library `datasets`"):
        next(data_sets.references(str(table), data_sets.rows("sound=audio", "train", None)))


def test_numbers_are_no_sound_file(monkeypatch, tiny_model, tmp_path):
    doubles.register(monkeypatch)
    folder = tmp_path / "set"
    folder.mkdir()
    pq.write_table(pa.table({"audio": [{"array": [0.0, 0.1], "sampling_rate": 16_000}]}), folder / "train.parquet")
    with pytest.raises(UserError, match="numbers and not a sound file"):
        run(asked(tiny_model), str(folder), tmp_path / "out", rows=data_sets.rows("sound=audio", "train", None))
