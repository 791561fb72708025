"""Cue contribution over a whole set of examples: read them, run them (and go on after a stop), average, and probe.

    examples = read_folder(folder)                       # an index.csv beside the recordings
    examples = from_hub()                                # the published French set, where there is a network
    found = finish(analyse_set_in_steps(examples, model, cue_contribution.analyse, journal=path))
    found.mean("encoder"), found.interval("encoder")     # (3 scores, layers), and 95 % bootstrap intervals

The set of Mohebbi et al. (EMNLP 2023) has 720 pairs of determiner and noun, 257 of pronoun and verb, and 23 sentences
with both; the latter are used twice (determiner → noun, determiner and noun → verb).
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from methods.core import mixing, models, models_hub, ridge, scores
from methods.core.audio import Clip, load_clip
from methods.core.cue import SCORES, find_words
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.network import SpeechModel
from methods.core.results import Step, Steps, read_only
from methods.core.textgrid import read_textgrid

HUB = "hosein-m/french_homophone_asr"
PUBLISHED = {"det_noun": 720, "pronoun_verb": 257, "det_noun_verb": 23}  # examples of each template
FILES = ["*.csv", "*.wav", "*.flac", "*.mp3", "*.ogg", "*.TextGrid"]
NEEDED = ("file", "transcript", "cue", "target")
NUMBERS = ("singular", "plural")
FEWEST = 10  # examples of each number that a probe needs


@dataclass(frozen=True, eq=False)
class Example:
    """One sentence in which a cue decides how a target is spelled."""

    name: str
    sound: Callable[[], Clip]  # read when it is needed: a set does not fit into memory
    transcript: str
    cue: str
    target: str
    group: str  # examples of one sentence share it: they are not independent
    language: str | None = None
    template: str = ""  # det_noun, pronoun_verb, …
    number: str = ""  # of the target: "singular", "plural", or unknown
    words: tuple[Segment, ...] | None = None  # with their times; None: ask the model


def read_folder(folder: str | Path) -> tuple[Example, ...]:
    """The examples that a folder's index.csv names: columns file, transcript, cue, target; and, as far as they are
    there, second_target, language, template, number (singular or plural), group. Words come from a TextGrid of the
    recording's name, where there is one. Raises UserError for an index that is missing or lacks a column.
    """
    folder = Path(folder)
    index = folder / "index.csv"
    if not index.is_file():
        raise UserError(
            f"There is no index.csv in {folder.name}; make one that lists the recordings, with the columns "
            f"{', '.join(NEEDED)}."
        )
    with index.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in NEEDED if rows and name not in rows[0]]
    if missing or not rows:
        raise UserError(f"index.csv lists no example or lacks the column(s) {', '.join(missing) or 'of a first row'}.")
    return tuple(example for row in rows for example in _examples(folder, row))


def from_hub(identifier: str = HUB) -> tuple[Example, ...]:
    """The examples of a public data set in the same layout; fetched once. Raises UserError where that cannot be."""
    return read_folder(models_hub.data_set(identifier, FILES))


def _examples(folder: Path, row: dict[str, str]) -> Iterator[Example]:
    path = folder / row["file"]
    if not path.is_file():
        raise UserError(f"index.csv names “{row['file']}”, which is not in the folder; add it or take the line out.")
    grid = path.with_suffix(".TextGrid")
    shared = {
        "sound": lambda: load_clip(path),
        "transcript": row["transcript"],
        "group": row.get("group") or row["file"],
        "language": row.get("language") or None,
        "template": row.get("template") or "",
        "words": dict(read_textgrid(grid.read_bytes())).get("words") if grid.is_file() else None,
    }
    number = (row.get("number") or "").strip().casefold()
    known = {"s": "singular", "p": "plural", "number_sing": "singular", "number_plur": "plural"}
    pair = {"cue": row["cue"], "target": row["target"], "number": known.get(number, number)}
    yield Example(name=row["file"], **pair, **shared)
    if row.get("second_target"):  # the first target is part of the second one's cue
        second = {"cue": f"{row['cue']} {row['target']}", "target": row["second_target"], "number": ""}
        yield Example(name=f"{row['file']}, second target", **second, **shared)


@dataclass(frozen=True, eq=False)
class SetResult:
    """Cue contribution of many examples."""

    names: tuple[str, ...]  # (examples,) those that could be measured
    groups: tuple[str, ...]  # (examples,)
    templates: tuple[str, ...]  # (examples,)
    shares: dict[str, np.ndarray]  # stack -> (examples, 3 scores, layers) share of the target that comes from the cue
    random: dict[str, np.ndarray]  # stack -> (examples, 3, layers) mean over the random-weights seeds; {} without
    refused: tuple[tuple[str, str], ...]  # name, and why it could not be measured

    def mean(self, stack: str = "encoder", *, random: bool = False) -> np.ndarray:
        """(3, layers) mean over the examples; NaN where no example has a share."""
        return _mean((self.random if random else self.shares)[stack])

    def interval(self, stack: str = "encoder", *, random: bool = False) -> np.ndarray:
        """(3, layers, 2) 95 % interval of the mean, by resampling sentences."""
        values = (self.random if random else self.shares)[stack]
        found = np.full((*values.shape[1:], 2), np.nan)
        for place in np.ndindex(values.shape[1:]):
            column = values[(slice(None), *place)]
            known = np.isfinite(column)
            if known.any():
                found[place] = scores.interval(column[known], np.array(self.groups)[known])
        return found

    def counts(self) -> Counter:
        """How many examples there are of each template."""
        return Counter(self.templates)

    def table(self) -> pd.DataFrame:
        """One line per attention, score and layer: mean and interval, trained and random."""
        lines = []
        for stack in self.shares:
            mean, ends = self.mean(stack), self.interval(stack)
            control = self.mean(stack, random=True) if self.random else np.full(mean.shape, np.nan)
            for (score, layer), value in np.ndenumerate(mean):
                low, high = ends[score, layer]
                lines.append((stack, SCORES[score], layer + 1, value, low, high, control[score, layer]))
        names = ("attention", "score", "layer", "contribution", "low", "high", "random_contribution")
        return pd.DataFrame(lines, columns=names).assign(examples=len(self.names))


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))


def analyse_set_in_steps(
    examples: Sequence[Example],
    model: SpeechModel,
    measure: Callable[..., Any],
    *,
    journal: str | Path | None = None,
    random_seeds: Sequence[int] = (0,),
    **options: Any,
) -> Steps[SetResult]:
    """Measure every example (`measure` is `cue_contribution.analyse`), one step each; partial results hold all so far.

    `journal` is a file to which every example is added as one line of JSON as soon as it is done; what is in it for
    the same sound, words, weights and options is not run again. An example that is refused (a word is not there) is
    counted and named, and the others go on. Raises UserError for an empty set, or one in which none can be measured.
    """
    if not examples:
        raise UserError("There is no example in this set; check the folder or the index.")
    known = _journal(journal)
    records: list[dict[str, Any]] = []
    for number, example in enumerate(examples):
        partial = _gathered(records) if any("shares" in record for record in records) else None
        yield Step(number / len(examples), f"{example.name} ({number + 1} of {len(examples)})", partial=partial)
        clip = example.sound()
        key = _key(example, clip, model, random_seeds, options)
        if key not in known:
            known[key] = {"key": key, **_measured(example, clip, model, measure, random_seeds, options)}
            if journal is not None:
                with Path(journal).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[key]) + "\n")
        records.append(known[key])
    if not any("shares" in record for record in records):
        raise UserError(f"None of the {len(examples)} examples could be measured; the first: {records[0]['refused']}")
    return _gathered(records)


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


def _key(example: Example, clip: Clip, model: SpeechModel, seeds: Sequence[int], options: dict[str, Any]) -> str:
    spoken = [[word.label, word.start, word.end] for word in example.words or ()]
    parts = (clip.sha256, example.transcript, example.cue, example.target, example.language, model.weights_sha256,
             list(seeds), sorted(options.items()), spoken)  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _measured(
    example: Example,
    clip: Clip,
    model: SpeechModel,
    measure: Callable[..., Any],
    seeds: Sequence[int],
    options: dict[str, Any],
) -> dict[str, Any]:
    record = {"name": example.name, "group": example.group, "template": example.template}
    given = {"cue": example.cue, "target": example.target, "segments": example.words, "random_seeds": seeds}
    said = {"transcript": example.transcript, "language": example.language}
    try:
        result = measure(clip, model, **given, **(said if model.writes_text else {}), **options)
    except UserError as problem:
        return {**record, "refused": str(problem)}
    stacks = [stack for stack in ("encoder", "decoder", "cross") if getattr(result, stack) is not None]
    record["shares"] = {stack: _listed(result.contribution(stack)) for stack in stacks}
    if result.random:
        record["random"] = {stack: _listed(_mean(result.control(stack))) for stack in stacks}
    return record


def _listed(values: np.ndarray) -> list[list[float | None]]:
    """Numbers for JSON, which has no NaN."""
    return [[float(value) if np.isfinite(value) else None for value in row] for row in values]


def _gathered(records: Sequence[dict[str, Any]]) -> SetResult:
    done = [record for record in records if "shares" in record]
    return SetResult(
        names=tuple(record["name"] for record in done),
        groups=tuple(record["group"] for record in done),
        templates=tuple(record["template"] for record in done),
        shares={stack: read_only([record["shares"][stack] for record in done]) for stack in done[0]["shares"]},
        random={stack: read_only([r["random"][stack] for r in done]) for stack in done[0].get("random", {})},
        refused=tuple((record["name"], record["refused"]) for record in records if "refused" in record),
    )


# The number probe: does the target's representation tell singular from plural, which sound the same?


@dataclass(frozen=True, eq=False)
class NumberProbe:
    """How well a linear probe tells the target's number, layer by layer."""

    layers: tuple[str, ...]
    accuracy: np.ndarray  # (layers,) cross-validated by sentence, 0 to 1
    interval: np.ndarray  # (layers, 2) 95 %, by resampling sentences
    random: np.ndarray  # (seeds, layers) accuracy with random weights
    majority: float  # accuracy of always saying the commoner number
    examples: int


def number_probe_in_steps(
    examples: Sequence[Example], model: SpeechModel, *, random_seeds: Sequence[int] = (0, 1, 2)
) -> Steps[NumberProbe]:
    """Ridge probes on the mean of the target's frames. Raises UserError for under 10 examples of either number."""
    usable = [example for example in examples if example.number in NUMBERS]
    numbers = np.array([NUMBERS.index(example.number) for example in usable], int)
    counts = np.bincount(numbers, minlength=2)
    if counts.min() < FEWEST:
        raise UserError(
            f"A number probe needs {FEWEST} singular and {FEWEST} plural targets and this set has {counts[0]} and "
            f"{counts[1]}; add examples, or fill the column “number”."
        )
    groups = np.unique([example.group for example in usable], return_inverse=True)[1]
    hits, names = [], ()
    networks = [model, *(models.random_twin(model, seed) for seed in random_seeds)]
    for place, network in enumerate(networks):
        states, names = yield from _target_states(usable, model, network, place / len(networks), 1 / len(networks))
        hits.append(np.stack([_hits(layer, numbers, groups) for layer in np.moveaxis(states, 1, 0)]))
    trained = hits[0]
    return NumberProbe(
        layers=names,
        accuracy=read_only(trained.mean(1)),
        interval=read_only([scores.interval(row.astype(float), groups) for row in trained]),
        random=read_only([rows.mean(1) for rows in hits[1:]]),
        majority=float(counts.max() / counts.sum()),
        examples=len(usable),
    )


def _target_states(
    examples: Sequence[Example], model: SpeechModel, network: SpeechModel, done: float, part: float
) -> Steps[tuple[np.ndarray, tuple[str, ...]]]:
    """(examples, layers, dim) the mean of the target's frames; words are placed by the trained model throughout."""
    found, names = [], ()
    for number, example in enumerate(examples):
        yield Step(done + part * number / len(examples), f"{network.id}: {example.name}")
        clip = example.sound()
        said = {"transcript": example.transcript, "language": example.language} if model.writes_text else {}
        passage = mixing.passage(clip, model, segments=example.words, stacks=("encoder",), **said)
        labels = [segment.label for segment in passage.segments]
        place = find_words(labels, example.target, "target", None)
        frames = slice(passage.spans[place.start].start, passage.spans[place.stop - 1].stop)
        encoding = models.encode(clip, network)
        found.append(encoding.hidden[:, frames].mean(1))
        names = encoding.layer_names
    return np.stack(found), names


def _hits(features: np.ndarray, numbers: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(examples,) bool: whether the probe that did not see an example's sentence tells its number."""
    fold = ridge.group_folds(groups)
    targets = ridge.one_hot(numbers, 2)
    said = ridge.cross_validate(features, targets, fold, [slice(0, 2)], ridge.misread).predictions
    return said.argmax(1) == numbers
