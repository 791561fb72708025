"""The run itself: what is asked, of which recordings, by whom it is measured, and where the answers go."""

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from methods.core import corpus as corpora
from methods.core import models
from methods.core.corpus import files as corpus_files
from methods.core.corpus.recordings import Reference, references
from methods.core.errors import UserError
from methods.core.models import hub
from methods.corpus_run import data_sets, engines, kaldi
from methods.corpus_run.data_sets import Rows
from methods.corpus_run.measure import Outcome, Task, measure
from methods.corpus_run.plan import Ask, code_of
from methods.corpus_run.results_folder import ResultsFolder

Watch = Callable[[Iterable[Outcome], int | None], Iterable[Outcome]]  # None: nobody knows how many


@dataclass
class Summary:
    """How a run ended."""

    asked: int = 0  # recordings × techniques × models × options
    known: int = 0  # were there before
    refused_before: int = 0  # of those: what is there is the sentence of a refusal
    measured: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # sentence -> how many
    bugs: list[str] = field(default_factory=list)  # tracebacks
    stopped: bool = False
    tables: list[Path] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Cost:
    """What a run would take, from one recording of each kind that was really measured."""

    tasks: int | None  # None: not known before all rows were read, and the rest is of one recording
    left: int
    seconds: float  # on one process
    bytes: float


@contextmanager
def recordings(where: str, rows: Rows | None = None) -> Iterator[tuple[str, Iterable[Reference]]]:
    """The recordings of a bundled corpus, a folder (Kaldi's too), a zip or a data set on the Hub, not read yet.

    With `rows` it is a data set in tables, whose number of recordings is not known before they were read.
    """
    _check_place(where)
    if rows is not None:
        yield (
            where.rstrip("/").rpartition("/")[2] if Path(where).exists() else where,
            data_sets.references(where, rows),
        )
    elif where in corpora.CORPORA:
        yield where, references(corpus_files.in_folder(corpora.recordings.FOLDER / where))
    elif (Path(where) / kaldi.SCRIPT).is_file():
        yield Path(where).resolve().name, kaldi.references(Path(where))
    elif Path(where).is_dir():
        yield Path(where).resolve().name, references(corpus_files.in_folder(Path(where)))
    elif Path(where).is_file():
        with corpus_files.in_zip(where, bounded=False) as files:
            yield Path(where).stem, references(files)
    elif where.count("/") == 1 and not where.startswith((".", "/")):
        yield where, references(corpus_files.in_folder(hub.data_set(where, corpora.recordings.PATTERNS)))
    else:
        raise UserError(
            f"There is no corpus “{where}”; give a folder, a zip, a data set on the Hub (owner/name), or one of "
            f"{', '.join(corpora.CORPORA)}."
        )


def _check_place(where: str) -> None:
    """Raise UserError for what could be meant in two ways, and for a sound alone."""
    if where in corpora.CORPORA and Path(where).exists():
        raise UserError(
            f"There is a bundled corpus “{where}”, and here is a folder of that name; give ./{where} for your own, or "
            "start in another folder."
        )
    if corpus_files.is_sound(where) and Path(where).is_file():
        raise UserError(f"“{where}” is one recording; put it into a folder, its labels beside it, and give that.")


def run(
    asks: Sequence[Ask],
    corpus: str,
    out: str | Path,
    *,
    engine: engines.Engine = engines.here,
    keep_arrays: bool = False,
    retry: bool = False,
    rows: Rows | None = None,
    watch: Watch = lambda outcomes, _count: outcomes,
) -> Summary:
    """Measure every recording of `corpus` for every ask, and put the rows into one table per technique.

    What is in `out` already is not measured again; `retry` tries once more what was refused. `rows` says which column
    of a data set in tables holds what, and that it is one. `watch` sees the outcomes
    pass, with their number: a progress bar. A KeyboardInterrupt ends the run in order. Raises UserError if the corpus,
    a model or the folder cannot be used at all.
    """
    folder, began = ResultsFolder(out), time.monotonic()
    with recordings(corpus, rows) as (name, sources), folder.opened():
        summary = Summary()
        found = tasks(asks, name, sources, keep_arrays, _place(corpus))
        left, count = _left(found, folder, summary, retry)
        broken: list[Outcome] = []
        try:
            _drive(watch(engine(left), count), folder, summary, broken)
        except UserError:
            with contextlib.suppress(UserError):  # that there is no room was said already
                _gathered(asks, folder, summary, broken)
            raise
        _gathered(asks, folder, summary, broken)
    summary.seconds = time.monotonic() - began
    return summary


def _left(
    found: Iterable[Task], folder: ResultsFolder, summary: Summary, retry: bool
) -> tuple[Iterable[Task], int | None]:
    """The tasks that are still to be done, and how many; None where nobody knows before all were read."""
    if isinstance(found, list):
        folder.settle(found)
        left = list(_counted(found, folder, summary, retry))
        return left, len(left)
    return _counted(found, folder, summary, retry), None


def _counted(found: Iterable[Task], folder: ResultsFolder, summary: Summary, retry: bool) -> Iterator[Task]:
    for task in found:
        summary.asked += 1
        if folder.has(task, retry=retry):
            summary.known += 1
            summary.refused_before += folder.has_refused(task)
        else:
            yield task


def _gathered(asks: Sequence[Ask], folder: ResultsFolder, summary: Summary, broken: Sequence[Outcome]) -> None:
    for technique in dict.fromkeys(ask.technique for ask in asks):
        table = folder.gather(technique, [each.parquet for each in broken if each.technique == technique])
        summary.tables += [table] if table else []


def _drive(outcomes: Iterable[Outcome], folder: ResultsFolder, summary: Summary, broken: list[Outcome]) -> None:
    """Keep every outcome; those that are mistakes of ours go into `broken` as well."""
    try:
        for outcome in outcomes:
            folder.keep(outcome)
            if outcome.bug:
                broken.append(outcome)
                summary.bugs.append(outcome.bug)
            elif outcome.refused:
                summary.refused[outcome.refused] = summary.refused.get(outcome.refused, 0) + 1
            else:
                summary.measured += 1
    except KeyboardInterrupt:
        summary.stopped = True
    finally:
        if isinstance(outcomes, Generator):
            outcomes.close()  # a bar of progress ends here, before anybody says why


def cost(
    asks: Sequence[Ask],
    corpus: str,
    out: str | Path,
    *,
    keep_arrays: bool = False,
    retry: bool = False,
    rows: Rows | None = None,
) -> Cost:
    """How long would this take, and how large would it be? One recording is really measured for every ask.

    The recording of median size stands for the others, of a data set in tables the first; nothing is kept.
    """
    folder = ResultsFolder(out)
    with recordings(corpus, rows) as (name, sources):
        known = isinstance(sources, tuple)
        first = sources if known else tuple(itertools.islice(sources, 1))
        every = tasks(asks, name, first, keep_arrays, _place(corpus))
        left = [task for task in every if not folder.has(task, retry=retry)]
        seconds, size = 0.0, 0
        for ask in asks:
            mine = sorted((task for task in left if task.ask is ask), key=_size)
            if mine:
                spent, written = _timed(mine[len(mine) // 2])
                seconds, size = seconds + len(mine) * spent, size + len(mine) * written
    return Cost(len(every) if known else None, len(left), seconds, size)


def _size(task: Task) -> int:
    try:
        return task.source.path.stat().st_size
    except OSError:
        return 0  # it will be a row that says so


def _timed(task: Task) -> tuple[float, int]:
    models.load_model(task.ask.model)  # once per process, however many recordings there are
    begin = time.perf_counter()
    outcome = measure(task)
    return time.perf_counter() - begin, len(outcome.parquet) + len(outcome.npz or b"")


def tasks(
    asks: Sequence[Ask], corpus: str, sources: Iterable[Reference], keep_arrays: bool, place: str = ""
) -> Iterable[Task]:
    """Every recording for every ask, each once; one after the other where the recordings come so.

    `place` tells sets of the same name apart. Raises UserError for a set without recordings, or a model that is not
    there.
    """
    if isinstance(sources, tuple) and not sources:
        raise UserError(
            "This set holds no recording; give a folder or a zip of sound files, or say with --columns which columns "
            "of a data set in tables hold what."
        )
    once = {(ask.technique, ask.model, ask.named): ask for ask in asks}.values()
    asked = [(ask, models.load_model(ask.model).key, code_of(ask.technique)) for ask in once]

    def made(ask: Ask, key: Sequence[Any], code: str, source: Reference) -> Task:
        task = Task(ask, source, ask.key(key, source), corpus, code, place, keep_arrays)
        return task if source.held is None else task.carried()

    if isinstance(sources, tuple):  # one model after the other: they may not all fit into memory
        return list(
            {task.key: task for task in (made(*each, source) for each in asked for source in sources)}.values()
        )
    return (made(*each, source) for source in sources for each in asked)


def _place(where: str) -> str:
    return str(Path(where).resolve()) if Path(where).exists() else where
