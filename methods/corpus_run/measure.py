"""One recording, measured: what a worker does, in this process, in another, or on another machine."""

import hashlib
import inspect
import io
import json
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from methods import technique
from methods.core import arrays, models
from methods.core.corpus.recordings import Reference, Utterance
from methods.core.errors import UserError
from methods.core.results import Json, Result
from methods.corpus_run import way_out
from methods.corpus_run.one_table import ASKED, writer
from methods.corpus_run.plan import Ask


@dataclass(frozen=True, eq=False)
class Task:
    """A recording that one thing is asked of; `files` carry its bytes where the worker cannot read its folder."""

    ask: Ask
    source: Reference
    key: str
    corpus: str  # its set's name
    code: str
    place: str = ""  # where its set lies
    keep_arrays: bool = False
    files: Mapping[str, bytes] | None = None

    @property
    def asked(self) -> str:
        """Which recording is asked for what, whatever it sounds like: its key tells how it sounded."""
        parts = (self.ask.technique, self.ask.model, self.ask.named, self.code, self.place, self.source.sound)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:40]

    def carried(self) -> "Task":
        """The same with the sound and the labels in it."""
        if self.files is not None:
            return self
        return replace(self, files=self.source.contents(), source=replace(self.source, held=None))


@dataclass(frozen=True)
class Outcome:
    """What came of a task: a Parquet file, and perhaps an NPZ. `bug` holds a traceback that is no user's fault."""

    technique: str
    key: str
    parquet: bytes
    npz: bytes | None = None
    refused: str = ""
    bug: str = ""


def measure(task: Task) -> Outcome:
    """Run the task. Whatever goes wrong becomes a row with a sentence."""
    try:
        result, utterance = _result(task)
        numbers = _numbers(result, task)
        facts = _facts(task) | {
            "speaker": utterance.speaker,
            "clip_sha256": utterance.clip.sha256,
            "clip_seconds": utterance.clip.seconds,
            "weights_sha256": result.provenance["weights_sha256"],
            "provenance": json.dumps(result.provenance, ensure_ascii=False, default=str),
        }
        table = parquet(_table(numbers, facts | {"error": ""}), task.asked)
        return Outcome(task.ask.technique, task.key, table, arrays.npz(result) if task.keep_arrays else None)
    except UserError as problem:
        return failed(task, way_out.told(problem, task.ask, _taken(task.ask)))
    except OSError as problem:
        return failed(task, _unread(task, problem))
    except Exception as problem:  # one clip must not stop ten thousand; the command says so and ends with code 3
        sentence = f"Our mistake: {type(problem).__name__}: {problem}"
        return replace(failed(task, sentence), bug=traceback.format_exc())


def _numbers(result: Result, task: Task) -> pd.DataFrame:
    """The result's table. Raises UserError for an empty one: a recording without a row would be nowhere."""
    numbers = result.table()
    if numbers.empty:
        raise UserError(
            f"{task.ask.technique} finds nothing in “{task.source.title}” to put into a table, perhaps because the "
            "model writes or hears nothing there; give a clip with more speech, or another model."
        )
    return numbers


def _unread(task: Task, problem: OSError) -> str:
    return (
        f"“{task.source.sound}” could not be read ({problem.strerror or problem}); see whether its files are still "
        "there and may be read, and run the command again with --retry."
    )


def failed(task: Task, sentence: str) -> Outcome:
    """A row that says why there are no numbers."""
    row = pa.Table.from_pylist([_facts(task) | {"error": sentence}])
    return Outcome(task.ask.technique, task.key, parquet(row, task.asked), refused=sentence)


def _facts(task: Task) -> dict[str, Json]:
    """What every row says of where it comes from."""
    return {
        "technique": task.ask.technique,
        "model": task.ask.model,
        "corpus": task.corpus,
        "clip": task.source.title,
        "speaker": task.source.who.get("speaker", ""),
        "options": task.ask.named,
        "code": task.code[:12],
        "key": task.key,
    }


def _result(task: Task) -> tuple[Result, Utterance]:
    utterance = _heard(task)
    analyse = technique(task.ask.technique).analyse
    given = given_by(utterance, task.ask, _taken(task.ask), task.source.text)
    return analyse(utterance.clip, models.load_model(task.ask.model), **given, **task.ask.options), utterance


def _taken(ask: Ask) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(technique(ask.technique).analyse).parameters


def _heard(task: Task) -> Utterance:
    """The recording, from files of this machine; what came as bytes lies in a folder while it is read."""
    if task.files is None:
        return task.source.utterance()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in task.files.items():
            (Path(folder) / name).write_bytes(content)
        return task.source.moved(Path(folder)).utterance()


def given_by(
    utterance: Utterance, ask: Ask, taken: Mapping[str, inspect.Parameter], text: str = ""
) -> dict[str, object]:
    """The options of `analyse` that the labels of a recording give; `text` is what is said in it, without times."""
    said = " ".join(word.label for word in utterance.words) or text
    if ask.forced and "transcript" in taken and not said:
        raise UserError(
            f"“{utterance.clip.name}” has no words in its labels and no text, and --forced makes the decoder write "
            "them; give them, or leave --forced out."
        )
    cut = {"words": utterance.words, "phones": utterance.phones, "own": None}[ask.units]
    if ask.units != "own" and "segments" in taken and not cut:
        raise UserError(
            f"“{utterance.clip.name}” has no {ask.units} in its labels; give them, or ask for --units own, the words "
            "of the model's own transcript."
        )
    found = {"segments": cut or None, "phones": utterance.phones, "words": utterance.words or None}
    found |= {"transcript": said or None} if ask.forced else {}
    return {name: value for name, value in found.items() if name in taken and value is not None}


def _table(numbers: pd.DataFrame, facts: Mapping[str, Json]) -> pa.Table:
    """The numbers, with the facts in every row; each fact lies in memory once, however many rows there are."""
    names = [*map(str, numbers.columns), *facts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the table has columns of its own called {twice}")  # one would overwrite the other
    same = pa.array(np.zeros(len(numbers), np.int32))
    told = [pa.DictionaryArray.from_arrays(same, pa.array([value])) for value in facts.values()]
    return pa.table([*(pa.array(column, from_pandas=True) for _, column in numbers.items()), *told], names=names)


def parquet(table: pa.Table, asked: str) -> bytes:
    """A table as a Parquet file, and beside it what was asked; what is the same in every row costs next to nothing."""
    buffer = io.BytesIO()
    with writer(buffer, table.schema, {ASKED: asked}) as file:
        file.write_table(table)
    return buffer.getvalue()
