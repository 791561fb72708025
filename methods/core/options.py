"""Options that a person gives: of their kind, among what there is, and within what makes sense.

    SENSE = {"method": ("pearson", "spearman"), "most": (10, math.inf)}

    @analysis(SENSE)
    def analyse(corpus, model, *, method: str = "pearson", most: int = 100) -> Steps[Rsa]:
        yield Step(0.0, "reading the corpus")
        …

    analyse(corpus, model, most=3)            # raises UserError; else the result
    analyse.in_steps(corpus, model, most=30)  # the same with progress, for a page that can stop it

The kinds are the annotations of `analyse`; what they cannot say is in `SENSE`, beside each technique. The page and the
HTTP API allow less than this, never more.
"""

import functools
import inspect
import json
import math
import os
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from methods.core.errors import UserError
from methods.core.progress import Steps, Work, finish

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

Sense = Mapping[str, Collection[str] | tuple[float, float]]  # names that there are, or the least and the most

SEEDS = (0, 2**32 - 1)  # what NumPy, PyTorch and scikit-learn all take
NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
FOR_95 = 20  # draws: with fewer, the ends of a 95% interval are the extremes themselves
GIVEN = {"transcript", "segments", "phones", "words"}  # come with the clip
EVERYWHERE: Sense = {
    "seed": SEEDS,
    "draw_seed": SEEDS,
    "random_seeds": SEEDS,
    "control_seeds": SEEDS,
    "layers": (0, math.inf),
    "window": ("clip", "full"),
}


MADE_BY = {  # what an analysis takes -> how it is made
    "clip": 'methods.core.audio.load_clip("my_recording.wav"), or clip_from_samples(samples, rate)',
    "corpus": 'methods.core.corpus.bundled("prompts"), or read_folder("my_recordings")',
    "model": 'methods.core.models.load_model("openai/whisper-tiny.en")',
}


class Analysis(Protocol[P, R_co]):
    """What `@analysis` makes: a function that gives the result, and the same with progress."""

    in_steps: Callable[P, Work[R_co]]
    sense: Sense

    def __call__(self, *args: P.args, **options: P.kwargs) -> R_co: ...


def analysis(sense: Sense = types.MappingProxyType({})) -> Callable[[Callable[P, Steps[T]]], Analysis[P, T]]:
    """Declare an analysis once, as a generator of `Step`s that returns its result.

    It becomes the plain function `analyse(...) -> result`, which keeps its signature, annotations and help;
    `analyse.in_steps(...)` is the work with progress, whose partial results say that they are not complete. Both check
    the options before any work.
    """

    def declared(work: Callable[P, Steps[T]]) -> Analysis[P, T]:
        taken = inspect.signature(work)

        def checked(given: Mapping[str, Any], *args: P.args, **options: P.kwargs) -> Steps[T]:
            check_options(work, options, sense)
            check_given(given, work)
            return (yield from incomplete(work(*args, **options)))

        @functools.wraps(work)
        def in_steps(*args: P.args, **options: P.kwargs) -> Work[T]:
            asked = taken.bind(*args, **options)  # a name that does not exist is a bug of the caller: TypeError
            given = dict(list(asked.arguments.items())[:2])
            asked.apply_defaults()
            return Work(f"{work.__module__}.{work.__qualname__}", asked.arguments, checked(given, *args, **options))

        @functools.wraps(work)
        def analyse(*args: P.args, **options: P.kwargs) -> T:
            return finish(in_steps(*args, **options))

        result = get_args(taken.return_annotation)[-1]
        analyse.__signature__ = taken.replace(return_annotation=result)
        analyse.__annotations__ = work.__annotations__ | {"return": result}
        analyse.in_steps, analyse.sense = in_steps, {**EVERYWHERE, **sense}
        return analyse

    return declared


def incomplete(steps: Steps[T]) -> Steps[T]:
    """The same work, whose partial results say that more is to come."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        yield step if step.partial is None else replace(step, partial=replace(step.partial, complete=False))


def needs_made(work: Callable[P, T]) -> Callable[P, T]:
    """Let a function outside the techniques refuse a name, a path or samples for a clip or a model as they do."""
    taken = inspect.signature(work)

    @functools.wraps(work)
    def checked(*args: P.args, **options: P.kwargs) -> T:
        check_given(taken.bind(*args, **options).arguments, work)
        return work(*args, **options)

    return checked


def check_given(given: Mapping[str, Any], work: Callable) -> None:
    """Raise UserError where what is given as clip, corpus or model is not of the type that `work` is annotated with.

    Nothing is loaded behind the caller's back: what was changed in a file is in the clip's notes.
    """
    for name, value in given.items():
        if name in MADE_BY and not isinstance(value, _types(work)[name]):
            how = MADE_BY[name]
            raise UserError(
                f"What was given as {name} is {_mistaken(value)}, which has to be made into one first: {how}."
            )


@functools.cache
def _types(work: Callable) -> dict[str, Any]:
    return get_type_hints(work)


def _mistaken(value: Any) -> str:
    """What stands where a clip, a corpus or a model should."""
    if isinstance(value, str | os.PathLike):
        return f"“{str(value)[:60]}”"
    if isinstance(value, np.ndarray | list | tuple):
        return "samples"
    return "nothing" if value is None else f"of the type {type(value).__name__}"


def check_options(analyse: Callable, options: Mapping[str, Any], sense: Sense = types.MappingProxyType({})) -> None:
    """Raise UserError for the first option that is not of its kind, not among what there is, or out of reach."""
    parameters = inspect.signature(analyse).parameters
    for name, value in options.items():
        kind = parameters[name].annotation
        if not fits(value, kind, any_name=True):
            raise UserError(f"The option “{name}” cannot be {short(value)}; it is {described(kind)}.")
        limit = literals(kind) or sense.get(name, EVERYWHERE.get(name))
        if limit is None or value is None:
            continue
        parts = list(value) if is_list(value) else [value]
        for part in parts:
            _check_sense(name, part, limit)
        if is_list(value):
            _check_repeats(name, parts)


def _check_sense(name: str, value: Any, limit: Collection[str] | tuple[float, float]) -> None:
    if isinstance(value, str):
        if value not in limit:
            raise UserError(f"There is no “{value[:40]}” for “{name}”; choose one of {', '.join(limit)}.")
    elif not limit[0] <= value <= limit[1]:
        reach = f"of at least {limit[0]:g}" if limit[1] == math.inf else f"from {limit[0]:g} to {limit[1]:g}"
        raise UserError(f"The option “{name}” cannot be {str(value)[:20]}; give a number {reach}.")


def _check_repeats(name: str, parts: Sequence[Any]) -> None:
    again = [part for place, part in enumerate(parts) if part in parts[:place]]
    if again:
        raise UserError(f"The option “{name}” names {again[0]} twice, which would count it twice; name each once.")


def fits(value: Any, kind: Any, any_name: bool = False) -> bool:
    """Whether a value is what an annotation says; a number must be finite, and no truth value.

    `any_name` leaves it open whether a name is one of those that there are.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, part, any_name) for part in parts)
    if origin is tuple:
        whole = isinstance(value, list | tuple) and len(value) == len(parts)
        return whole and all(fits(*pair, any_name) for pair in zip(value, parts, strict=True))
    if origin is Sequence:
        return is_list(value) and all(fits(part, parts[0], any_name) for part in value)
    return isinstance(value, str) and (any_name or value in parts) if origin is Literal else _fits_alone(value, kind)


def _fits_alone(value: Any, kind: Any) -> bool:
    if kind in (int, float):
        return is_number(value) and (kind is float or isinstance(value, Integral)) and -math.inf < value < math.inf
    return isinstance(value, bool | np.bool_) if kind is bool else isinstance(value, kind)


def own_options(analyse: Callable) -> dict[str, inspect.Parameter]:
    """The options of an `analyse` that do not come with its clip."""
    parameters = list(inspect.signature(analyse).parameters.items())[2:]  # behind the clip, or corpus, and the model
    return {name: each for name, each in parameters if name not in GIVEN}


def literals(kind: Any) -> tuple[str, ...]:
    """The names that an annotation lists, alone, in a sequence, or beside None."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(name for part in get_args(kind) for name in literals(part))


def from_text(text: str, kind: Any) -> Any:
    """A value as it is written on a command line: JSON, or a bare word, or several of them parted by commas.

    A text in double quotes is one text, whatever is in it.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    kinds = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    several = any(get_origin(part) is Sequence for part in kinds)
    only_several = several and str not in kinds
    bare = isinstance(value, str) and value == text
    if several and bare and ("," in value or only_several):
        return tuple(from_text(part, str) for part in value.split(",") if part)
    if only_several and not isinstance(value, list) and value is not None:
        value = [value]
    return tuple(value) if isinstance(value, list) else value


def is_list(value: Any) -> bool:
    """Whether a value is several in a row, as a person may write it."""
    return isinstance(value, list | tuple | range | np.ndarray)


def is_number(value: Any) -> bool:
    """Whether a value is a number, which a truth value is not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def short(value: Any) -> str:
    """A value as a sentence can hold it."""
    return "nothing" if value is None else f"{type(value).__name__} {repr(value)[:40]}"


def described(kind: Any, names: Mapping[Any, str] = NAMES, several: str = "a list", other: str = "") -> str:
    """What an annotation asks for, in words: `names` of kinds, `several` of them, any `other` kind by its own name."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(described(part, names, several, other) for part in parts)
    if origin is Literal:
        return "one of " + ", ".join(parts)
    if origin is Sequence:
        return f"{several}, each {described(parts[0], names, several, other)}"
    if origin is tuple:
        return f"a list of {len(parts)}"
    return names.get(kind) or other or f"a {getattr(kind, '__name__', kind)}"


def options_of(view: Callable) -> Callable[[Callable], Callable]:
    """Mark a `plot` that hands its options on to `view`: `help(plot)` names them, with their defaults."""

    def marked(plot: Callable) -> Callable:
        plot.__signature__ = inspect.signature(view).replace(return_annotation=plot.__annotations__["return"])
        return plot

    return marked
