"""What a run says where a technique refuses a recording: its sentence, and what to write in the command instead."""

from collections.abc import Collection

from methods.core.errors import UserError
from methods.corpus_run.plan import Ask


def told(problem: UserError, ask: Ask, taken: Collection[str]) -> str:
    """The sentence of a refusal, and how that is mended here; `taken` is what the technique's `analyse` takes.

    What was asked already is not asked again: then the labels of the recording lack it, as the sentence says.
    """
    ways = [_written(name, value, ask) for name, value in problem.mend.items() if name in taken]
    known = list(dict.fromkeys(way for way in ways if way))
    return f"{problem} In this command: {', or '.join(known)}." if known else str(problem)


def _written(name: str, value: str | None, ask: Ask) -> str:
    if name == "segments":
        return "" if value in (ask.units, None) else f"--units {value} (in Python Ask(…, units={value!r}))"
    if name == "transcript":
        if ask.forced == (value is None):
            return "leave --forced out" if ask.forced else "--forced, for recordings whose labels hold words or a text"
        return ""
    return "" if str(ask.options.get(name)) == value else f"--option {name}={value}"
