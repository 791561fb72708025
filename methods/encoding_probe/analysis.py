"""How an encoding probe is computed: states of phones predicted from all blocks of features, all but one, and one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, corpus_provenance, read_only
from methods.core.statistics import intervals, splits
from methods.core.statistics.intervals import Parts
from methods.encoding_probe import blocks, partition
from methods.encoding_probe.blocks import Design
from methods.encoding_probe.partition import Explained, Task
from methods.encoding_probe.result import EncodingControls, EncodingProbe

SENSE: dict[str, tuple[float, float]] = {}


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[EncodingProbe]:
    """How much of each layer can be predicted from the sound, the phone, its neighbours, the word, the speaker …?

    `window` and `subtract_silence`: see `features.of_model`. `seed` deals recordings to folds and permutes blocks.
    Raises UserError with fewer than 100 phones or three recordings, or where the states are the same everywhere.
    """
    yield Step(0.0, "measuring MFCC")
    how = {"window": window, "subtract_silence": subtract_silence}
    sound = features.acoustic(corpus, model, "mfcc")
    asked = blocks.design(corpus, sound)
    recording = asked.items.utterance
    task = Task(asked.values, splits.group_folds(recording, seed=seed), Parts.of(recording))
    states = yield from within(features.of_model(corpus, model, **how), 0.0, 0.2)
    layers = _pooled(states, asked, model)
    origin = corpus_provenance(
        "encoding probe", corpus, model, **how, random_seeds=list(random_seeds), seed=seed,
        features_note=states.note, interval_note=intervals.note(len(np.unique(recording)), "recordings", False),
    )  # fmt: skip

    def shown(found: Explained) -> EncodingProbe:
        return _result(asked, states.names, found, task, origin)

    result = shown((yield from within(partition.explained(task, _all_but(asked), layers), 0.2, 0.28, show=shown)))
    yield Step(0.28, "each block alone", result)
    alone = (yield from within(partition.explained(task, asked.columns, layers), 0.28, 0.35)).r2()
    result = replace(result, alone=read_only(alone.T))
    yield Step(0.35, "MFCC and log-mel energies in the place of states", result)
    heard = (sound, features.acoustic(corpus, model, "log-mel"))
    result = replace(result, controls=(yield from within(_baselines(heard, asked, task), 0.35, 0.4)))
    yield Step(0.4, "blocks in random order", result)
    shuffled = yield from within(_permuted(asked, task, layers, seed), 0.4, 0.55)
    permuted = read_only(shuffled - (result.r2[:, None] - result.unique))
    result = replace(result, controls=replace(result.controls, permuted=permuted))
    twins = (_twin(corpus, models.random_twin(model, each), asked, task, how) for each in random_seeds)
    return (yield from _with_twins(result, random_seeds, twins))


def _pooled(states: Features, asked: Design, model: SpeechModel) -> tuple[np.ndarray, ...]:
    """Per layer: (n, dimensions), the mean over each phone's frames."""
    layers = features.pooled(states, asked.items)
    for name, layer in zip(states.names, layers, strict=True):
        if np.ptp(layer, axis=0).max() == 0:
            raise UserError(
                f"Layer {name} of {model.id} is the same at all {len(layer)} phones, so there is nothing to explain; "
                "perhaps the recordings are silent: choose others."
            )
    return layers


def _all_but(asked: Design) -> list[np.ndarray]:
    """Columns of all blocks, and of all but each of them."""
    return [asked.every, *(np.setdiff1d(asked.every, own) for own in asked.columns)]


@dataclass(frozen=True, eq=False)
class _Shares:
    whole: np.ndarray  # (layers, …)
    without: np.ndarray  # (layers, blocks, …)

    @property
    def unique(self) -> np.ndarray:
        return self.whole[:, None] - self.without


def _parted(values: np.ndarray) -> _Shares:
    """Shares by layer from (sets, layers, …), in the order of `_all_but`."""
    by_layer = np.moveaxis(values, 0, 1)
    return _Shares(by_layer[:, 0], by_layer[:, 1:])


def _split(found: Explained) -> _Shares:
    return _parted(found.r2())


def _result(asked: Design, layers: tuple[str, ...], found: Explained, task: Task, origin: Provenance) -> EncodingProbe:
    shares = _split(found)
    low, high = _ends(found, task, shares.unique) if found.items == len(asked.items) else [shares.unique * np.nan] * 2
    return EncodingProbe(
        blocks=asked.names,
        features=read_only([len(own) for own in asked.columns], np.int64),
        left_out=asked.left_out,
        items=len(asked.items),
        held_out=found.items,
        layers=layers,
        r2=read_only(shares.whole),
        unique=read_only(shares.unique),
        low=read_only(low),
        high=read_only(high),
        alone=read_only(np.full_like(shares.unique, np.nan)),
        provenance=origin,
    )


def _ends(found: Explained, task: Task, unique: np.ndarray) -> np.ndarray:
    """(2, layers, blocks) of the 95 % intervals of unique shares."""
    left = _parted(found.r2_without()).unique
    ends = [[task.parts.interval(*pair) for pair in zip(*row, strict=True)] for row in zip(unique, left, strict=True)]
    return np.moveaxis(np.array(ends), -1, 0)


def _baselines(heard: Sequence[Features], asked: Design, task: Task) -> Steps[EncodingControls]:
    layers = [features.pooled(sound, asked.items)[0] for sound in heard]
    shares = _split((yield from partition.explained(task, _all_but(asked), layers)))
    names = ("MFCC", "log-mel")
    return EncodingControls(names, read_only(shares.whole), read_only(shares.unique))


def _permuted(asked: Design, task: Task, layers: Sequence[np.ndarray], seed: int) -> Steps[np.ndarray]:
    """(layers, blocks) R² of all blocks, one of them with its rows in random order."""
    found = []
    for number, (name, own) in enumerate(zip(asked.names, asked.columns, strict=True)):
        values = asked.values.copy()
        values[:, own] = blocks.permuted(values[:, own], asked.items.utterance, seed)
        work = partition.explained(replace(task, values=values), [asked.every], layers)
        ends = number / len(asked.names), (number + 1) / len(asked.names)
        found.append((yield from within(work, *ends, name=f"{name} in random order")).r2()[0])
    return np.array(found).T


def _twin(
    corpus: Corpus, twin: SpeechModel, asked: Design, task: Task, how: Mapping[str, str | bool]
) -> Steps[_Shares]:
    yield Step(0.0, "reading the states")
    untrained = yield from within(features.of_model(corpus, twin, **how), 0.0, 0.5)
    work = partition.explained(task, _all_but(asked), _pooled(untrained, asked, twin))
    return _split((yield from within(work, 0.5, 1.0)))


def _with_twins(
    result: EncodingProbe, random_seeds: Sequence[int], twins: Iterator[Steps[_Shares]]
) -> Steps[EncodingProbe]:
    """The same from random weights, seed by seed; each network is made when it is its turn."""
    for number, random_seed in enumerate(random_seeds):
        begin, end = (0.55 + 0.45 * (number + step) / len(random_seeds) for step in (0, 1))
        yield Step(begin, "random weights", result)
        shares = yield from within(next(twins), begin, end, name=f"random weights, seed {random_seed}")
        result = replace(result, controls=_with_random(result.controls, shares))
    return result


def _with_random(known: EncodingControls, drawn: _Shares) -> EncodingControls:
    r2 = [drawn.whole] if known.random_r2 is None else [*known.random_r2, drawn.whole]
    unique = [drawn.unique] if known.random_unique is None else [*known.random_unique, drawn.unique]
    return replace(known, random_r2=read_only(r2), random_unique=read_only(unique))
