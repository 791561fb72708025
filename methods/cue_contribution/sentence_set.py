"""Cue contribution over a whole set of examples: run them, go on after a stop, and average.

    examples = sentences.read_folder(folder)             # or from_hub(), bundled("french")
    found = finish(analyse_set_in_steps(examples, model, journal=path))
    found.mean("encoder"), found.interval("encoder")     # (3 scores, layers), and 95% intervals

The set of Mohebbi et al. (EMNLP 2023) has 720 pairs of determiner and noun, 257 of pronoun and verb, and 23 sentences
with both; the latter are used twice (determiner → noun, determiner and noun → verb).
"""

import hashlib
import json
from collections import Counter
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Step, Steps, within
from methods.core.results import Gathered, corpus_provenance, read_only
from methods.core.statistics import intervals
from methods.cue_contribution.analysis import analyse
from methods.cue_contribution.cue import SCORES
from methods.cue_contribution.sentences import CueSentence

MEASURED_AS = 3  # goes up when the same options give other numbers, so that an old journal is not mixed with new ones
PUBLISHED = {"det_noun": 720, "pronoun_verb": 257, "det_noun_verb": 23}  # examples of each template


@dataclass(frozen=True, eq=False)
class SetResult:
    """Cue contribution of many examples."""

    names: tuple[str, ...]  # (examples,) those that could be measured
    groups: tuple[str, ...]  # (examples,)
    templates: tuple[str, ...]  # (examples,)
    shares: dict[str, np.ndarray]  # stack -> (examples, 3 scores, layers) share of the target that comes from the cue
    random: dict[str, np.ndarray]  # stack -> (examples, 3, layers) mean over the random-weights seeds; {} without
    refused: tuple[tuple[str, str], ...]  # name, and why it could not be measured
    stretches: dict[str, np.ndarray] = field(default_factory=dict)  # stack -> (examples, 3, layers) mean over random
    #   stretches as long as the cue; NaN where there was no room
    probabilities: np.ndarray | None = None  # (examples, conditions) of the target's tokens; None: no text is written
    conditions: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    complete: bool = True  # False: more sentences are to come, or the run was stopped

    def mean(self, stack: str = "encoder", *, of: str = "shares") -> np.ndarray:
        """(3, layers) mean over the examples of the shares, the "random" ones or the "stretches"; NaN: none."""
        return _mean(getattr(self, of)[stack])

    def interval(self, stack: str = "encoder", *, of: str = "shares") -> np.ndarray:
        """(3, layers, 2) 95% interval of that mean, over groups of sentences; NaN with fewer than five of them."""
        values = getattr(self, of)[stack]
        found = np.full((*values.shape[1:], 2), np.nan)
        for place in np.ndindex(values.shape[1:]):
            found[place] = self._interval(values[(slice(None), *place)])
        return found

    def likely(self) -> np.ndarray:
        """(conditions, 3) mean probability of the target's tokens, and the 95% interval's ends (NaN: too few)."""
        columns = [] if self.probabilities is None else self.probabilities.T
        return np.array([(np.nanmean(column), *self._interval(column)) for column in columns]).reshape(-1, 3)

    def _interval(self, values: np.ndarray) -> tuple[float, float]:
        known = np.isfinite(values)
        return intervals.of_mean(values[known], np.array(self.groups)[known])

    def counts(self) -> Counter:
        """How many examples there are of each template."""
        return Counter(self.templates)

    def table(self) -> pd.DataFrame:
        """One line per attention, score and layer: mean and interval, trained and random; then one per condition."""
        parts = [self._lines(stack) for stack in self.shares]
        if self.probabilities is not None:
            names = ("probability", "low", "high")
            parts.append(pd.DataFrame(self.likely(), columns=names).assign(condition=self.conditions))
        return pd.concat(parts, ignore_index=True).assign(examples=len(self.names))

    def _lines(self, stack: str) -> pd.DataFrame:
        score, layer = np.indices(self.shares[stack].shape[1:]).reshape(2, -1)
        frame = pd.DataFrame({"attention": stack, "score": np.array(SCORES)[score], "layer": layer + 1})
        for of, before in (("shares", ""), ("random", "random_"), ("stretches", "stretches_")):
            if stack in getattr(self, of):
                frame[f"{before}contribution"] = self.mean(stack, of=of).ravel()
                for name, ends in zip(("low", "high"), np.moveaxis(self.interval(stack, of=of), -1, 0), strict=True):
                    frame[f"{before}{name}"] = ends.ravel()
        if stack in self.stretches:  # a short text before the target has no room for any
            frame["stretches_examples"] = np.isfinite(self.stretches[stack]).sum(0).ravel()
        return frame


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))


def analyse_set_in_steps(
    examples: Sequence[CueSentence],
    model: SpeechModel,
    *,
    journal: str | Path | MutableMapping[str, Any] | None = None,
    random_seeds: Sequence[int] = (0,),
    name: str = "sentences",
    **options: Any,
) -> Steps[SetResult]:
    """Measure every example; partial results hold all so far.

    `journal` is a file to which every example is added as one line of JSON as soon as it is done, or a dictionary in
    memory; what is in it for the same sound, words, weights and options is not run again. An example that is refused
    (a word is not there) is counted and named, and the others go on. `name` is what the set is called in the results.
    Raises UserError for an empty set, or one in which none can be measured.
    """
    if not examples:
        raise UserError("There is no example in this set; check the folder or the index.")
    known = journal if isinstance(journal, MutableMapping) else _journal(journal)
    records: list[dict[str, Any]] = []
    seconds, asked = 0.0, {**options, "random_seeds": list(random_seeds)}

    def gathered(complete: bool) -> SetResult | None:
        if not any("shares" in one for one in records):
            return None
        return replace(_gathered(records, (name, model, seconds, asked)), complete=complete)

    for number, example in enumerate(examples):
        text, done = f"{example.name} ({number + 1} of {len(examples)})", number / len(examples)
        yield Step(done, text, partial=gathered(complete=False))
        clip = example.sound()
        seconds += clip.seconds
        key = _key(example, clip, model, random_seeds, options)
        if key not in known:
            steps = _measured(example, clip, model, random_seeds, options)
            known[key] = {"key": key, **(yield from within(steps, done, done + 1 / len(examples), None, text))}
            if isinstance(journal, str | Path):
                with Path(journal).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[key]) + "\n")
        # As the set says now: it may call and group a sentence otherwise than when it was measured.
        records.append(known[key] | {"name": example.name, "group": example.group, "template": example.template})
    found = gathered(complete=True)
    if found is None:
        raise UserError(f"None of the {len(examples)} examples could be measured; the first: {records[0]['refused']}")
    return found


def _journal(path: str | Path | None) -> dict[str, dict[str, Any]]:
    """What was done before, by key. A last line that was cut off by a crash is left out."""
    if path is None or not Path(path).is_file():
        return {}
    found = {}
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            found[record["key"]] = record
        except (ValueError, KeyError, TypeError) as problem:
            if number < len(lines):
                raise UserError(
                    f"Line {number} of the journal {Path(path).name} is damaged; delete that line, or the file to "
                    "start anew."
                ) from problem
            with Path(path).open("w", encoding="utf-8") as file:
                file.writelines(f"{kept}\n" for kept in lines[:-1])
    return found


def _key(example: CueSentence, clip: Clip, model: SpeechModel, seeds: Sequence[int], options: dict[str, Any]) -> str:
    spoken = [[word.label, word.start, word.end] for word in example.words or ()]
    parts = (MEASURED_AS, clip.sha256,
             example.transcript, example.cue, example.target, example.language, *model.key,
             list(seeds), sorted(options.items()), spoken)  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _measured(
    example: CueSentence,
    clip: Clip,
    model: SpeechModel,
    seeds: Sequence[int],
    options: dict[str, Any],
) -> Steps[dict[str, Any]]:
    """What is measured, or why a sentence cannot be. Nothing, so that it is tried again, where time runs out."""
    given = {"cue": example.cue, "target": example.target, "segments": example.words, "random_seeds": seeds}
    said = {"transcript": example.transcript, "language": example.language}
    given |= (said if model.writes_text else {}) | options
    try:
        result = yield from analyse.in_steps(clip, model, **given)
    except UserError as problem:
        return {"refused": str(problem)}
    record: dict[str, Any] = {}
    stacks = [stack for stack in ("encoder", "decoder", "cross") if getattr(result, stack) is not None]
    record["shares"] = {stack: _listed(result.contribution(stack)) for stack in stacks}
    if result.random:
        record["random"] = {stack: _listed(_mean(result.control(stack))) for stack in stacks}
    nulls = {stack: np.moveaxis(getattr(result, f"{stack}_null"), -1, 0) for stack in stacks}
    record["stretches"] = {stack: _listed(_mean(values)) for stack, values in nulls.items()}
    if result.probabilities is not None:
        record["conditions"] = list(result.conditions)
        record["probabilities"] = result.probabilities[:, 0].tolist()
    return record


def _listed(values: np.ndarray) -> list[list[float | None]]:
    """Numbers for JSON, which has no NaN."""
    return [[float(value) if np.isfinite(value) else None for value in row] for row in values]


def _gathered(records: Sequence[dict[str, Any]], origin: tuple[str, SpeechModel, float, dict[str, Any]]) -> SetResult:
    done = [record for record in records if "shares" in record]
    kinds = {
        of: {stack: read_only([record[of][stack] for record in done]) for stack in done[0][of]}
        for of in ("shares", "random", "stretches")
        if all(of in record for record in done)
    }
    conditions = tuple(done[0].get("conditions", ()))
    return SetResult(
        names=tuple(record["name"] for record in done),
        groups=tuple(record["group"] for record in done),
        templates=tuple(record["template"] for record in done),
        **{"random": {}, **kinds},
        refused=tuple((record["name"], record["refused"]) for record in records if "refused" in record),
        probabilities=read_only([record["probabilities"] for record in done]) if conditions else None,
        conditions=conditions,
        provenance=_origin(records, *origin),
    )


def _origin(
    records: Sequence[dict[str, Any]], name: str, model: SpeechModel, seconds: float, options: dict[str, Any]
) -> dict[str, Any]:
    """Where the numbers come from; the set's hash is that of its sounds, words, weights and options."""
    digest = hashlib.sha256("".join(record["key"] for record in records).encode()).hexdigest()
    whole = Gathered(name=name, sha256=digest, utterances=records, seconds=seconds)
    return corpus_provenance("cue contribution of a set", whole, model, **options)
