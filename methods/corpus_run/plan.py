"""What is asked of every clip, and the name under which the answer is kept."""

import hashlib
import inspect
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from methods import TECHNIQUES, technique
from methods.core.audio import Clip
from methods.core.corpus.recordings import Reference
from methods.core.errors import UserError
from methods.core.models import fingerprint
from methods.core.options import check_options, described, from_text, literals, own_options
from methods.core.results import Json

FORMAT = 1  # of what is kept for a clip; a new one makes every clip be measured anew
Units = Literal["words", "phones", "own"]


@dataclass(frozen=True)
class Ask:
    """One technique, model and set of options, asked of every clip."""

    technique: str
    model: str
    options: Mapping[str, Json] = field(default_factory=dict)
    units: Units = (
        "words"  # which labels cut the clip; "own": the technique's default, words of the model's transcript
    )
    forced: bool = False  # the labelled words are the text that a decoder is made to write; else the model's own text

    @property
    def named(self) -> str:
        """The options as JSON, in one spelling."""
        return json.dumps({**self.options, "units": self.units, "forced": self.forced}, sort_keys=True)

    def key(self, model_key: Sequence[Any], source: Reference) -> str:
        """The name of the answer for a recording: of all that its numbers depend on."""
        asked = (
            self.technique,
            self.model,
            self.named,
        )  # rows bear the model's name: a copy of it has rows of its own
        parts = (FORMAT, *asked, code_of(self.technique), tuple(model_key), source.sha256)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:40]


def code_of(name: str) -> str:
    """The technique's own sources and core's as one hash: a mended formula is measured anew."""
    own = Path(technique(name).__file__)
    return fingerprint.code(name if own.name == "__init__.py" else own.name, "core")


def asks(
    names: Sequence[str], models: Sequence[str], options: Sequence[str], units: Units, forced: bool
) -> tuple[Ask, ...]:
    """Every technique with every model and every combination of the options, each written as `name=value`.

    A name that is given twice stands for two sets of options. Raises UserError for what there is not.
    """
    found = []
    for name in names:
        module = clip_technique(name)
        sets = option_sets(module, options)
        found += [Ask(name, model, chosen, units, forced) for model in models for chosen in sets]
    return tuple(found)


def clip_technique(name: str) -> ModuleType:
    """The module of a technique that analyses one clip; a sentence for any other name."""
    if name not in TECHNIQUES:
        raise UserError(f"There is no technique “{name}”; there are: {', '.join(clip_techniques())}.")
    module = technique(name)
    if not analyses_clips(module):
        raise UserError(
            f"“{name}” is about a corpus as a whole, not about clip after clip; call `methods.{name}.analyse(corpus, "
            f"model)` in Python. Over clips there are: {', '.join(clip_techniques())}."
        )
    return module


def clip_techniques() -> tuple[str, ...]:
    """The names of all techniques that analyse a clip."""
    return tuple(name for name in TECHNIQUES if analyses_clips(technique(name)))


def analyses_clips(module: ModuleType) -> bool:
    """Whether `analyse` takes a clip."""
    kind = next(iter(inspect.signature(module.analyse).parameters.values())).annotation
    return kind is Clip or Clip in get_args(kind)


def option_sets(module: ModuleType, written: Sequence[str]) -> tuple[dict[str, Json], ...]:
    """Every combination of the options that were written, checked as `analyse` itself does."""
    taken = own_options(module.analyse)
    values: dict[str, list[Json]] = {}
    for each in written:
        name, equals, text = each.partition("=")
        if not equals or name not in taken:
            there = ", ".join(taken) or "none"
            raise UserError(f"“{each[:60]}” is no option here; write name=value, with a name among: {there}.")
        values.setdefault(name, []).append(from_text(text, taken[name].annotation))
    found = tuple(dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values()))
    for chosen in found:
        check_options(module.analyse, chosen, module.analyse.sense)
    lacking = [name for name, each in taken.items() if each.default is each.empty and name not in values]
    if lacking:
        raise UserError(f"The option “{lacking[0]}” is needed; add --option {lacking[0]}=…")
    return found


def described_options(module: ModuleType) -> Iterator[tuple[str, str, str, str]]:
    """For each option: its name, its kind in words, its default, and the values that make sense."""
    for name, each in own_options(module.analyse).items():
        default = "needed" if each.default is each.empty else json.dumps(each.default, default=str)
        limit = literals(each.annotation) or module.analyse.sense.get(name, ())
        yield name, described(each.annotation), default, _reach(limit)


def _reach(limit: Any) -> str:
    if not limit:
        return ""
    values = tuple(limit)
    if isinstance(values[0], str):
        return "one of " + ", ".join(values)
    least, most = (f"{value:,.12g}" for value in values)
    return f"{least} or more" if values[1] == math.inf else f"{least} to {most}"
