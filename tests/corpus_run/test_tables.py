"""What a run writes, against the numbers of the result set down line by line, and parts of an older version."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_run import doubles

from methods import attention
from methods.core.corpus.recordings import read_folder
from methods.core.models import whisper
from methods.core.models.speech_model import SpeechModel
from methods.corpus_run import measure, one_table, run
from methods.corpus_run.plan import asks

SPOKEN = {"seed": 0.3, "ünï 語": 0.2}
OPTIONS = ["random_seeds=0,1"]
ROWS = "start,end,label,tier\n0,0.2,one,words\n0.2,0.3,two “quoted”,words\n0.35,0.6,one,words\n"


@pytest.fixture
def spoken(tmp_path):
    folder = doubles.recordings(tmp_path / "spoken", SPOKEN, seconds=0.6)
    lines = [f"{name}.wav,{row}" for name in SPOKEN for row in ROWS.splitlines()[1:]]
    (folder / "segments.csv").write_text("\n".join([f"file,{ROWS.splitlines()[0]}", *lines]), encoding="utf-8")
    return folder


def line_by_line(result, facts):
    """Every cell of every map as a dictionary: slow, and nothing of ours is asked for how a table is made."""
    lines = []
    sounds = list(zip(result.labels, result.starts, result.ends, strict=True))
    texts = [(token, math.nan, math.nan) for token in result.tokens]
    arrows = [(f"{a} → {b}", math.nan, math.nan) for a, b in itertools.pairwise([*result.tokens, "end"])]
    axes = {"encoder": (sounds, sounds), "decoder": (texts, texts), "cross": (arrows, sounds)}
    for stack, (rows, columns) in axes.items():
        values = getattr(result, stack)
        for place in itertools.product(*map(range, values.shape)):
            line = {"attention": stack, "layer": place[0] + 1, "head": place[1] + 1}
            for name, number, items in (("row", place[2], rows), ("column", place[3], columns)):
                label, start, end = items[number]
                line |= {f"{name}_index": number, name: label, f"{name}_start_s": start, f"{name}_end_s": end}
            for before, one in (("", result), *((f"random_{seed}_", result.random[seed]) for seed in (0, 1))):
                row = getattr(one, stack)[place[:3]]
                total = row.sum()
                line[f"{before}mass"] = row[place[3]]
                line[f"{before}share"] = row[place[3]] / total if total > 0 else math.nan
            lines.append(line | facts)
    return lines


def test_a_big_table_holds_every_number_bit_for_bit(tiny_model: SpeechModel, spoken, out, monkeypatch):
    monkeypatch.setattr(whisper, "LONGEST_TRANSCRIPT", 24)  # a random decoder ends by nothing else
    done = run(asks(["attention"], [tiny_model.id], OPTIONS, "words", False), str(spoken), out)
    assert done.measured == 2, (done.refused, done.bugs)
    found = pq.read_table(out / "attention.parquet").to_pandas()
    corpus = {each.clip.name: each for each in read_folder(spoken).utterances}
    wanted = []
    for name in dict.fromkeys(found["clip"]):
        mine = found[found["clip"] == name].iloc[0]
        one = corpus[name]
        result = attention.analyse(one.clip, tiny_model, segments=one.words, random_seeds=(0, 1))
        facts = {"technique": "attention", "model": tiny_model.id, "corpus": "spoken", "clip": name,
                 "speaker": one.speaker, "options": mine.options, "code": mine.code, "key": mine.key,
                 "clip_sha256": one.clip.sha256, "clip_seconds": one.clip.seconds,
                 "weights_sha256": result.provenance["weights_sha256"],
                 "provenance": json.dumps(result.provenance, ensure_ascii=False), "error": ""}  # fmt: skip
        wanted += line_by_line(result, facts)
    assert len(wanted) == len(found) > 200
    pd.testing.assert_frame_equal(found, pd.DataFrame(wanted), check_exact=True)
    assert json.loads(found.options[0])["random_seeds"] == [0, 1]


def test_texts_are_texts_for_whoever_reads_the_table(tiny_model, spoken, out):
    run(asks(["attention"], [tiny_model.id], ["stacks=encoder", "random_seeds=[]"], "words", False), str(spoken), out)
    for path in (out / "attention.parquet", next(out.glob("parts/attention/*.parquet"))):
        schema = pq.read_schema(path)
        assert {schema.field(name).type for name in ("row", "provenance", "model")} == {pa.string()}
        assert schema.field("mass").type == schema.field("clip_seconds").type == pa.float64()


def test_parts_of_an_older_version_go_into_the_same_table(tmp_path):
    """They were written from pandas, with each text in every row and the schema beside them."""
    numbers = pd.DataFrame({"layer": [1, 2], "word": ["a", None], "score": [0.5, np.nan], "none": [None, None]})
    facts = {"clip": "x", "seconds": 1.5, "error": ""}
    old = pa.Table.from_pandas(numbers, preserve_index=False)
    for name, value in facts.items():
        old = old.append_column(name, pa.repeat(value, len(old)))
    pq.write_table(old.replace_schema_metadata({"asked": "a"}), tmp_path / "1.parquet", compression="zstd")
    (tmp_path / "2.parquet").write_bytes(measure.parquet(measure._table(numbers, facts | {"clip": "y"}), "b"))
    refused = pa.Table.from_pylist([{"clip": "z", "error": "no words"}])
    (tmp_path / "3.parquet").write_bytes(measure.parquet(refused, "c"))
    files = sorted(tmp_path.iterdir())
    assert [one_table.stated(path, one_table.ASKED) for path in files] == ["a", "b", "c"]
    one_table.gathered(tmp_path / "all.parquet", files)
    found = pq.read_table(tmp_path / "all.parquet").to_pylist()
    lines = [
        {"layer": layer, "word": word, "score": score, "none": None, "clip": clip, "seconds": 1.5, "error": ""}
        for clip in "xy"
        for layer, word, score in ((1, "a", 0.5), (2, None, None))
    ]
    nothing = dict.fromkeys(("layer", "word", "score", "none", "seconds"))
    assert found == [*lines, nothing | {"clip": "z", "error": "no words"}]


def test_what_every_row_says_is_in_memory_once(tmp_path):
    """Ten thousand rows with a long text in each: the table takes what its numbers take."""
    long = "x" * 10_000
    table = measure._table(pd.DataFrame({"score": np.arange(10_000.0)}), {"provenance": long, "error": ""})
    assert table.nbytes < 10_000 * (8 + 4 + 4) + 2 * len(long)
    (tmp_path / "1.parquet").write_bytes(measure.parquet(table, "a"))
    (tmp_path / "2.parquet").write_bytes(measure.parquet(table, "b"))
    schemas = [pq.read_schema(path) for path in sorted(tmp_path.iterdir())]
    parts = list(zip(sorted(tmp_path.iterdir()), schemas, strict=True))
    (whole,) = one_table._in_groups(parts, one_table._by_number(schemas[0]))
    assert len(whole) == 20_000 and whole.nbytes < 20_000 * (8 + 4 + 4) + 4 * len(long)


@pytest.mark.parametrize("first", ["measured", "refused"])
def test_the_order_of_columns_does_not_depend_on_which_recording_comes_first(tmp_path, first):
    kinds = {
        "measured": pa.table({"layer": [1], "mass": [0.5], "clip": ["a"], "error": [""]}),
        "refused": pa.table({"clip": ["b"], "error": ["too loud"]}),
    }
    files = [tmp_path / f"{number}.parquet" for number in range(2)]
    for place, kind in zip(files, sorted(kinds, key=lambda kind: kind != first), strict=True):
        pq.write_table(kinds[kind], place)
    one_table.gathered(tmp_path / "all.parquet", files)
    assert pq.read_table(tmp_path / "all.parquet").column_names == ["layer", "mass", "clip", "error"]
