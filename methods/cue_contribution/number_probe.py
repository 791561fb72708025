"""The number probe: does the target's representation tell singular from plural, which sound the same?

Source: Mohebbi et al., EMNLP 2023, figure 4.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from methods.core import mixing, models
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Step, Steps, within
from methods.core.results import Gathered, Provenance, corpus_provenance, read_only
from methods.core.speech.words import find_words
from methods.core.statistics import intervals, linear_probe, splits
from methods.cue_contribution.sentences import NUMBERS, CueSentence

FEWEST = 10  # examples of each number that a probe needs


@dataclass(frozen=True, eq=False)
class NumberProbe:
    """How well a linear probe tells the target's number, layer by layer."""

    layers: tuple[str, ...]
    accuracy: np.ndarray  # (layers,) cross-validated by sentence, 0 to 1
    interval: np.ndarray  # (layers, 2) 95%, trained without each tenth of the sentences; NaN with fewer than five
    random: np.ndarray  # (seeds, layers) accuracy with random weights
    majority: float  # accuracy of always saying the commoner number
    examples: int
    provenance: Provenance = field(default_factory=dict)
    complete: bool = True  # it has no parts

    def table(self) -> pd.DataFrame:
        """One line per layer: accuracy, its interval, and the same with random weights."""
        columns = {"layer": self.layers, "accuracy": self.accuracy, "low": self.interval[:, 0]}
        columns |= {"high": self.interval[:, 1], "majority": self.majority, "examples": self.examples}
        return pd.DataFrame(columns | {f"random_{number}": line for number, line in enumerate(self.random)})


def number_probe_in_steps(
    examples: Sequence[CueSentence],
    model: SpeechModel,
    *,
    random_seeds: Sequence[int] = (0, 1, 2),
    name: str = "sentences",
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
    accuracy, ends, names = [], np.empty((0, 2)), ()
    networks = [model, *(models.random_twin(model, seed) for seed in random_seeds)]
    for place, network in enumerate(networks):
        done, part = place / len(networks), 1 / len(networks)
        states, names = yield from _target_states(usable, model, network, done, 0.9 * part)
        work = _probed(np.moveaxis(states, 1, 0), numbers, groups, sure=network is model)
        right, found = yield from within(work, done + 0.9 * part, done + part, name=f"{network.id}: probes")
        accuracy.append(right)
        ends = found if network is model else ends
    return NumberProbe(
        layers=names,
        accuracy=read_only(accuracy[0]),
        interval=read_only(ends),
        random=read_only(accuracy[1:]),
        majority=float(counts.max() / counts.sum()),
        examples=len(usable),
        provenance=_origin(usable, model, name, random_seeds),
    )


def _origin(examples: Sequence[CueSentence], model: SpeechModel, name: str, seeds: Sequence[int]) -> Provenance:
    sounds = [example.sound() for example in examples]
    parts = [(clip.sha256, one.target, one.number) for clip, one in zip(sounds, examples, strict=True)]
    digest, seconds = hashlib.sha256(repr(parts).encode()).hexdigest(), sum(clip.seconds for clip in sounds)
    whole = Gathered(name=name, sha256=digest, utterances=examples, seconds=seconds)
    return corpus_provenance("number probe", whole, model, random_seeds=list(seeds))


def _target_states(
    examples: Sequence[CueSentence], model: SpeechModel, network: SpeechModel, done: float, part: float
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


def _probed(
    layers: np.ndarray, numbers: np.ndarray, groups: np.ndarray, *, sure: bool
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """(layers,) accuracy of probes that did not see an example's sentence; (layers, 2) its interval if asked for."""
    fold, targets = splits.group_folds(groups), linear_probe.one_hot(numbers, 2)
    right, ends = np.empty(len(layers)), np.full((len(layers), 2), np.nan)
    for number, layer in enumerate(layers):
        begin, end = number / len(layers), (number + 1) / len(layers)
        training = linear_probe.cross_validated(layer, targets, fold, [slice(0, 2)], linear_probe.misread)
        held = yield from within(training, begin, (begin + end) / 2)
        right[number] = (held.predictions.argmax(1) == numbers).mean()
        if sure:
            again = intervals.of_accuracy(layer, numbers, fold, groups, held.penalties[:, 0], right[number])
            ends[number] = yield from within(again, (begin + end) / 2, end)
    return right, ends
