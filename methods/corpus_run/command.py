"""The command line: `python -m methods run | list | describe | summarise`."""

import argparse
import errno
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from methods import TECHNIQUES
from methods.core.errors import UserError
from methods.core.statistics import intervals
from methods.corpus_run import data_sets, engines, plan, summary
from methods.corpus_run.measure import Outcome
from methods.corpus_run.run import Cost, Summary, cost, run

ALL, SOME_REFUSED, WRONG, BUG, STOPPED = 0, 1, 2, 3, 130  # exit codes
GOES_ON = "Stopped. The same command goes on from here."
CODES = (
    "Exit codes: 0 all measured; 1 some recordings were refused (their rows say why); 2 the command cannot be "
    "carried out; 3 a mistake of ours; 130 stopped, the same command goes on from there."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return asked.do(asked)
    except UserError as problem:
        _say(str(problem))
        return WRONG
    except KeyboardInterrupt:  # before the first recording, or while the table is written
        _say(GOES_ON)
        return STOPPED


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m methods", description="Look inside speech models, clip after clip.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help="the techniques").set_defaults(do=_list)
    one = commands.add_parser("describe", help="what a technique asks, its options and its source")
    one.add_argument("technique")
    one.set_defaults(do=_describe)
    _add_run(commands.add_parser("run", help="measure every recording of a corpus", epilog=CODES))
    _add_summarise(commands.add_parser("summarise", help="means, intervals, differences between models, a figure"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("technique", nargs="+", help="one or more of `python -m methods list`")
    parser.add_argument("--corpus", required=True, help="a folder, a zip, a data set on the Hub, or a bundled corpus")
    parser.add_argument("--model", action="append", required=True, help="Hub id or folder; again for another model")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="again for another value")
    parser.add_argument("--out", default="results", help="folder of the results")
    parser.add_argument("--units", choices=("words", "phones", "own"), default="words", help="labels that cut a clip")
    parser.add_argument("--columns", metavar="sound=A,text=B", help="of a data set in tables: what its columns hold")
    parser.add_argument("--split", default="train", help="of a data set in tables")
    parser.add_argument("--config", help="of a data set in tables that has several")
    parser.add_argument("--forced", action="store_true", help="the labelled words are the text a decoder must write")
    parser.add_argument("--arrays", action="store_true", help="keep every result's arrays as NPZ too")
    parser.add_argument("--retry", action="store_true", help="try again what was refused")
    parser.add_argument("--dry-run", action="store_true", help="how long and how large, from one recording of each")
    parser.add_argument("--processes", type=int, help="of this machine, one thread each")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster")
    parser.add_argument("--workers", type=int, help="as many Dask workers on this machine")
    parser.add_argument("--same-files", action="store_true", help="Dask workers can read the corpus where it lies")
    parser.set_defaults(do=_run)


def _add_summarise(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", help="folder that `run` has written")
    parser.add_argument("--technique", help="needed where the folder holds several")
    parser.add_argument("--value", required=True, help="column of numbers")
    parser.add_argument("--by", default="model", help="columns that part the rows, with commas")
    parser.add_argument("--over", choices=("clip", "speaker"), default="clip", help="what the intervals are over")
    parser.add_argument("--compare", metavar="COLUMN", help="paired differences between the values of this column")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these rows")
    parser.add_argument("--out", help="CSV file (differences go into NAME_differences.csv); else it is printed")
    parser.add_argument("--figure", help="SVG, PNG or PDF file")
    parser.set_defaults(do=_summarise)


def _list(_asked: argparse.Namespace) -> int:
    clips = plan.clip_techniques()
    for name, (group, title) in TECHNIQUES.items():
        about = "clip by clip" if name in clips else "a corpus as a whole: in Python only"
        _show(f"{name:24}{title:26}{group:32}{about}")
    return ALL


def _describe(asked: argparse.Namespace) -> int:
    module = plan.clip_technique(asked.technique)
    _show(f"{module.__doc__.strip()}\n\nOptions (--option NAME=VALUE):")
    for name, kind, default, reach in plan.described_options(module):
        _show(f"  {name} = {default}\n      {kind}{f'; {reach}' if reach and reach not in kind else ''}")
    return ALL


def _run(asked: argparse.Namespace) -> int:
    _check(asked)
    asks = plan.asks(asked.technique, asked.model, asked.option, asked.units, asked.forced)
    rows = data_sets.rows(asked.columns, asked.split, asked.config) if asked.columns is not None else None
    if asked.dry_run:
        return _shown(cost(asks, asked.corpus, asked.out, keep_arrays=asked.arrays, retry=asked.retry, rows=rows))
    done = run(asks, asked.corpus, asked.out, engine=_engine(asked), keep_arrays=asked.arrays, retry=asked.retry,
               rows=rows, watch=_bar)  # fmt: skip
    return _told(done)


def _shown(found: Cost) -> int:
    if found.tasks is None:
        _show(
            f"Nobody knows how many recordings there are before all were read; each takes about {found.seconds:.1f} s "
            f"with one process and {found.bytes / 2**20:.3f} MB (measured with the first one)."
        )
    else:
        _show(
            f"{found.tasks} measurements, {found.left} of them to be made: about {_lasting(found.seconds)} with one "
            f"process, {found.bytes / 2**20:.1f} MB (from one recording of each kind, the one of median size)."
        )
    return ALL


def _engine(asked: argparse.Namespace) -> engines.Engine:
    if asked.scheduler or asked.workers:
        return engines.dask(asked.scheduler, asked.workers, carry=not asked.same_files)
    return engines.here if asked.processes in (None, 1) else engines.processes(asked.processes)


def _check(asked: argparse.Namespace) -> None:
    """Raise UserError for what cannot be meant, before anything is loaded."""
    for name, value in (("corpus", asked.corpus), ("out", asked.out), *(("model", each) for each in asked.model)):
        if not value.strip():
            raise UserError(f"--{name} is empty, perhaps because a variable of the shell is; give its name.")
    for name in ("processes", "workers"):
        if (number := getattr(asked, name)) is not None and number < 1:
            raise UserError(f"--{name} {number} is not possible; give 1 or more.")
    ways = [f"--{name}" for name in ("processes", "scheduler", "workers") if getattr(asked, name)]
    if len(ways) > 1:
        raise UserError(f"{' and '.join(ways)} are different ways to share the work; give one of them.")


def _bar(outcomes: Iterable[Outcome], count: int | None) -> Iterator[Outcome]:
    yield from tqdm(outcomes, total=count, unit=" clips", smoothing=0.05, disable=count == 0)


def _lasting(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _told(done: Summary) -> int:
    refused = sum(done.refused.values())
    before = f" ({done.refused_before} of them refused; --retry tries again)" if done.refused_before else ""
    _say(
        f"{done.measured} measured, {done.known} known before{before}, {refused} refused, {len(done.bugs)} broken, of "
        f"{done.asked}, in {_lasting(done.seconds)}."
    )
    for sentence, count in sorted(done.refused.items(), key=lambda item: -item[1])[:10]:
        _say(f"  {count} × {sentence}")
    if (more := len(done.refused) - 10) > 0:
        _say(f"  and {more} other sentences, in the column “error” of the table")
    for bug in list(dict.fromkeys(done.bugs))[:3]:
        _say(bug)
    for table in done.tables:
        _show(str(table))
    if done.stopped:
        _say(GOES_ON)
        return STOPPED
    if done.bugs:
        return BUG
    return SOME_REFUSED if refused or done.refused_before else ALL


def _summarise(asked: argparse.Namespace) -> int:
    if asked.figure and not Path(asked.figure).suffix:  # Matplotlib would write a file of another name
        raise UserError(f"“{asked.figure}” does not say which kind of picture; end it with .svg, .png or .pdf.")
    rows = summary.read(asked.results, asked.technique, asked.where)
    by = list(dict.fromkeys(name.strip() for name in asked.by.split(",") if name.strip()))
    table = summary.means(rows, asked.value, by, over=asked.over)
    apart = summary.differences(rows, asked.value, by, asked.compare, over=asked.over) if asked.compare else None
    _written(table, asked.out)
    if apart is not None:
        _written(apart, asked.out and str(Path(asked.out).with_suffix("")) + "_differences.csv")
    if table["low"].isna().any():
        _say(f"No interval where there are fewer than {intervals.FEWEST} {asked.over}s.")
    if asked.figure:
        drawn = summary.figure(table, asked.value, by)
        _saved(asked.figure, lambda: drawn.savefig(asked.figure))
    return ALL


def _written(table: object, place: str | None) -> None:
    if place:
        _saved(place, lambda: table.to_csv(place, index=False))
    else:
        _show(table.to_string(index=False))


def _saved(place: str, save: Callable[[], None]) -> None:
    try:
        save()
    except (OSError, ValueError) as problem:  # no such folder; no such kind of picture
        if getattr(problem, "errno", None) == errno.ENOSPC:
            Path(place).unlink(missing_ok=True)  # half a table looks like a whole one
        raise UserError(f"“{place}” cannot be written ({problem}); give another name.") from problem
    _show(place)
