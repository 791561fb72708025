"""The run itself: what is asked, of which recordings, by whom it is measured, and where the answers go."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from methods.core import corpus as corpora
from methods.core import models
from methods.core.corpus import files as corpus_files
from methods.core.corpus.recordings import Reference, references
from methods.core.errors import UserError
from methods.core.models import hub
from methods.corpus_run import engines, kaldi
from methods.corpus_run.measure import Outcome, Task, measure
from methods.corpus_run.plan import Ask, code_of
from methods.corpus_run.results_folder import ResultsFolder

Watch = Callable[[Iterable[Outcome], int], Iterable[Outcome]]


@dataclass
class Summary:
    """How a run ended."""

    asked: int  # recordings × techniques × models × options
    known: int = 0  # were there before
    measured: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # sentence -> how many
    bugs: list[str] = field(default_factory=list)  # tracebacks
    stopped: bool = False
    tables: list[Path] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Cost:
    """What a run would take, from one recording of each kind that was really measured."""

    tasks: int
    left: int
    seconds: float  # on one process
    bytes: float


@contextmanager
def recordings(where: str) -> Iterator[tuple[str, tuple[Reference, ...]]]:
    """The recordings of a bundled corpus, a folder (Kaldi's too), a zip or a data set on the Hub, not read yet."""
    if where in corpora.CORPORA:
        yield where, references(corpus_files.in_folder(corpora.recordings.FOLDER / where))
    elif (Path(where) / kaldi.SCRIPT).is_file():
        yield Path(where).resolve().name, kaldi.references(Path(where))
    elif Path(where).is_dir():
        yield Path(where).resolve().name, references(corpus_files.in_folder(Path(where)))
    elif Path(where).is_file():
        with corpus_files.in_zip(where) as files:
            yield Path(where).stem, references(files)
    elif where.count("/") == 1 and not where.startswith((".", "/")):
        yield where, references(corpus_files.in_folder(hub.data_set(where, corpora.recordings.PATTERNS)))
    else:
        raise UserError(
            f"There is no corpus “{where}”; give a folder, a zip, a data set on the Hub (owner/name), or one of "
            f"{', '.join(corpora.CORPORA)}."
        )


def run(
    asks: Sequence[Ask],
    corpus: str,
    out: str | Path,
    *,
    engine: engines.Engine = engines.here,
    keep_arrays: bool = False,
    retry: bool = False,
    watch: Watch = lambda outcomes, _count: outcomes,
) -> Summary:
    """Measure every recording of `corpus` for every ask, and put the rows into one table per technique.

    What is in `out` already is not measured again; `retry` tries once more what was refused. `watch` sees the outcomes
    pass, with their number: a progress bar. A KeyboardInterrupt ends the run in order. Raises UserError if the corpus,
    a model or the folder cannot be used at all.
    """
    folder, began = ResultsFolder(out), time.monotonic()
    with recordings(corpus) as (name, sources), folder.opened():
        every = tasks(asks, name, sources, keep_arrays, _place(corpus))
        folder.settle(every)
        left = [task for task in every if not folder.has(task, retry=retry)]
        summary = Summary(asked=len(every), known=len(every) - len(left))
        broken = _drive(watch(engine(left), len(left)), folder, summary)
        for technique in dict.fromkeys(ask.technique for ask in asks):
            table = folder.gather(technique, [each.parquet for each in broken if each.technique == technique])
            summary.tables += [table] if table else []
    summary.seconds = time.monotonic() - began
    return summary


def _drive(outcomes: Iterable[Outcome], folder: ResultsFolder, summary: Summary) -> list[Outcome]:
    """Keep every outcome; those that are mistakes of ours come back."""
    broken: list[Outcome] = []
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
    return broken


def cost(asks: Sequence[Ask], corpus: str, out: str | Path, *, keep_arrays: bool = False) -> Cost:
    """How long would this take, and how large would it be? One recording is really measured for every ask.

    The recording of median size stands for the others; nothing is kept.
    """
    folder = ResultsFolder(out)
    with recordings(corpus) as (name, sources):
        every = tasks(asks, name, sources, keep_arrays, _place(corpus))
        left = [task for task in every if not folder.has(task)]
        seconds, size = 0.0, 0
        for ask in asks:
            mine = sorted((task for task in left if task.ask is ask), key=lambda task: task.source.path.stat().st_size)
            if mine:
                spent, written = _timed(mine[len(mine) // 2])
                seconds, size = seconds + len(mine) * spent, size + len(mine) * written
    return Cost(len(every), len(left), seconds, size)


def _timed(task: Task) -> tuple[float, int]:
    models.load_model(task.ask.model)  # once per process, however many recordings there are
    begin = time.perf_counter()
    outcome = measure(task)
    return time.perf_counter() - begin, len(outcome.parquet) + len(outcome.npz or b"")


def tasks(
    asks: Sequence[Ask], corpus: str, sources: Sequence[Reference], keep_arrays: bool, place: str = ""
) -> list[Task]:
    """Every recording for every ask, each once. `place` tells sets of the same name apart.

    Raises UserError for a set without recordings, or a model that is not there.
    """
    if not sources:
        raise UserError("This set holds no recording; give a folder or a zip of sound files.")
    found: dict[tuple[str, str], Task] = {}
    for ask in asks:
        key, code = models.load_model(ask.model).key, code_of(ask.technique)
        every = (Task(ask, source, ask.key(key, source), corpus, code, place, keep_arrays) for source in sources)
        found |= {(task.ask.technique, task.key): task for task in every}
    return list(found.values())


def _place(where: str) -> str:
    return str(Path(where).resolve()) if Path(where).exists() else where
