"""From a corpus to ABX: which stretches are compared, by what features, and what comes out of it for one layer."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.abx import triples
from methods.abx.triples import TripleScores, TripleTask
from methods.core import models
from methods.core.corpus import Corpus, features, items
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Step, Steps
from methods.core.statistics import distances, k_means

POOLINGS = ("mean", "centre", "dtw")
REPRESENTATIONS = ("states", "posteriors", "units")
SENSE = {
    "modes": tuple(triples.MODES),
    "pooling": POOLINGS,
    "metric": tuple(distances.METRICS),
    "representation": REPRESENTATIONS,
    "units": (2, math.inf),
    "most": (2, math.inf),  # A and X are two tokens of one category
}
SAME, OTHER = "same", "other"


@dataclass(frozen=True)
class AbxAsked:
    """The options of `abx.analyse`."""

    on: str
    by: Sequence[str]
    across: str
    modes: Sequence[str]
    pooling: str
    metric: str
    representation: str
    units: int
    centred: bool
    most: int
    apart: bool
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    seed: int

    def __post_init__(self) -> None:
        if self.metric == "kl" and self.representation != "posteriors":
            raise UserError("The divergence compares probabilities; choose the posteriors of a CTC model with it.")
        if self.metric == "identical" and self.representation != "units":
            raise UserError("“Equal or not” compares units: no two vectors are ever equal; choose units with it.")
        if self.representation == "units" and self.metric != "identical":
            raise UserError("Units have names and no places, so that they are equal or not; choose that distance.")


@dataclass(frozen=True, eq=False)
class Tasks:
    """The same tokens for every mode, so that one table of distances serves all."""

    items: Items
    label: np.ndarray  # (tokens,) category
    classes: tuple[str, ...]
    of_mode: dict[str, TripleTask]
    rows: dict[str, np.ndarray]  # mode -> the task's tokens as numbers of `items`

    def examples(self) -> np.ndarray:
        """(modes, classes, classes, 3) tokens a, b, x of one triple of each pair; -1 where there is none."""
        size = len(self.classes)
        found = np.full((len(self.of_mode), size, size, 3), -1)
        for number, (mode, task) in enumerate(self.of_mode.items()):
            place = [self.classes.index(name) for name in task.classes]
            for of, against in np.unique(task.pair, axis=0):
                triple = triples.example(task, of, against)
                if triple is not None:
                    found[number, place[of], place[against]] = self.rows[mode][list(triple)]
        return found


def tasks(corpus: Corpus, asked: AbxAsked) -> tuple[Tasks, list[str]]:
    """The triples of every mode that this corpus allows, and why the others are left out."""
    found = _stretches(corpus, asked.on)
    found.columns["row"] = np.arange(len(found)).astype(str)
    apart = asked.apart and len(np.unique(found.utterance)) > 1
    made, refused = {}, {}
    on = "label" if asked.on.startswith("tier:") else asked.on
    for mode in dict.fromkeys(asked.modes):
        try:
            made[mode] = triples.task(
                found, on=on, by=tuple(asked.by), across=asked.across, mode=mode, most=int(asked.most), apart=apart,
                seed=asked.seed,
            )  # fmt: skip
        except UserError as problem:
            refused[mode] = problem
    if not made:
        raise next(iter(refused.values()), UserError("No way of choosing A, B and X was given; choose at least one."))
    rows = {mode: task.items.columns["row"].astype(int) for mode, task in made.items()}
    used = np.unique(np.concatenate(list(rows.values())))
    kept = found.only(used)
    label = kept.label if on == "label" else kept.columns[on]
    places = {mode: np.searchsorted(used, row) for mode, row in rows.items()}
    classes = tuple(sorted({name for task in made.values() for name in task.classes}))
    return Tasks(kept, label, classes, made, places), [
        _short(mode, why, found, asked) for mode, why in refused.items()
    ]


def _short(mode: str, why: UserError, found: Items, asked: AbxAsked) -> str:
    """Why a mode is left out, in few words where it is the commonest reason."""
    if mode in ("across", "against") and len(np.unique(found.columns[asked.across])) < 2:
        return f"{mode} (these recordings have one {asked.across} only)"
    return f"{mode}: {why}"


def _stretches(corpus: Corpus, on: str) -> Items:
    if on.startswith("tier:"):
        found = items.tier_items(corpus, on.removeprefix("tier:").strip())
    else:
        found = items.word_items(corpus) if on == "word" else items.phone_items(corpus)
    if not len(found):
        what = {"word": "words"}.get(on, on if on.startswith("tier:") else "phones")
        raise UserError(
            f"These recordings have no {what} yet; choose another corpus, upload TextGrids, or give the clip's "
            "transcript and press “Align”."
        )
    return replace(found, columns=dict(found.columns))


# Features


def states(corpus: Corpus, model: SpeechModel, asked: AbxAsked) -> Steps[Features]:
    """Whatever represents the frames: hidden states, posteriors, or the number of a unit."""
    if asked.representation == "posteriors":
        return (yield from _posteriors(corpus, model))
    found = yield from features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)
    if asked.representation == "states":
        return found
    layers = []
    for name, layer in zip(found.names, found.layers, strict=True):
        yield Step(0.9, f"learning {asked.units} units of layer {name}")
        layers.append(k_means.learn(layer, asked.units, asked.seed).assign(layer)[:, None].astype(np.float32))
    return replace(found, layers=tuple(layers))


def _posteriors(corpus: Corpus, model: SpeechModel) -> Generator[Step, None, Features]:
    if models.ctc_vocabulary(model) is None:
        raise UserError(f"{model.id} has no CTC head and hence no posteriors; choose hama-ctc or another CTC model.")
    parts = []
    for number, utterance in enumerate(corpus.utterances):
        yield Step(number / len(corpus.utterances), f"reading {number + 1} of {len(corpus.utterances)} clips")
        parts.append(np.exp(models.ctc_log_probabilities(utterance.clip, model)))
    places = features.acoustic(corpus, model, "mfcc")  # the same frames
    return replace(places, names=("posteriors",), layers=(np.concatenate(parts),), note="posteriors of the CTC head")


# One layer


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distances of pairs of tokens from different recordings, by what they share."""

    names: tuple[str, ...]
    counts: np.ndarray  # (kinds,) int
    distance: np.ndarray  # (kinds,) mean
    precision: float  # average precision of finding the pairs of one category
    chance: float  # their share


@dataclass(frozen=True, eq=False)
class MeasuredTokens:
    """What one layer gives."""

    scores: dict[str, TripleScores]
    matrices: dict[str, np.ndarray]  # mode -> (classes, classes) over the classes of all modes
    pairs: Pairs


def measure(layer: np.ndarray, places: Features, tasks: Tasks, asked: AbxAsked) -> MeasuredTokens:
    """ABX in every mode, and the distances of pairs, from one layer's (frames, dim)."""
    table = _distances(layer, places, tasks, asked)
    scores, matrices = {}, {}
    for mode, task in tasks.of_mode.items():
        rows = tasks.rows[mode]
        scores[mode] = triples.score(task, table[np.ix_(rows, rows)])
        place = [tasks.classes.index(name) for name in task.classes]
        matrices[mode] = np.full((len(tasks.classes),) * 2, np.nan)
        matrices[mode][np.ix_(place, place)] = scores[mode].matrix
    return MeasuredTokens(scores, matrices, pairs(table, tasks.label, tasks.items))


def _distances(layer: np.ndarray, places: Features, tasks: Tasks, asked: AbxAsked) -> np.ndarray:
    """(tokens, tokens); NaN for pairs that nobody asks for."""
    if asked.centred and asked.representation == "states":
        layer = layer - layer.mean(0)
    spans = features.frames_of(places, tasks.items)
    if asked.pooling != "dtw":
        return distances.whole(_pooled(layer, spans, asked), asked.metric)
    wanted = np.concatenate([tasks.rows[mode][task.pairs] for mode, task in tasks.of_mode.items()])
    wanted = np.unique(np.sort(wanted, axis=1), axis=0)
    table = np.full((len(spans), len(spans)), np.nan)
    np.fill_diagonal(table, 0.0)
    table[wanted[:, 0], wanted[:, 1]] = distances.aligned(layer, spans, wanted, asked.metric)
    table[wanted[:, 1], wanted[:, 0]] = table[wanted[:, 0], wanted[:, 1]]
    return table


def _pooled(layer: np.ndarray, spans: Sequence[range], asked: AbxAsked) -> np.ndarray:
    if asked.pooling == "centre":
        return layer[[span.start + (len(span) - 1) // 2 for span in spans]]
    if asked.representation == "units":  # the commonest, for there is no mean of names
        return np.array([[np.bincount(layer[span, 0].astype(int)).argmax()] for span in map(list, spans)])
    return np.stack([layer[span.start : span.stop].mean(0) for span in spans])


def pairs(table: np.ndarray, label: np.ndarray, found: Items) -> Pairs:
    """How far apart are two tokens of the same and of different categories, by the same and by different speakers?

    Pairs within one recording are left out where there are several recordings.
    """
    first, second = np.triu_indices(len(label), 1)
    recordings, speaker = found.utterance, found.columns["speaker"]
    kept = ~np.isnan(table[first, second])
    if len(np.unique(recordings)) > 1:
        kept &= recordings[first] != recordings[second]
    first, second = first[kept], second[kept]
    distance, alike = table[first, second], label[first] == label[second]
    kin = speaker[first] == speaker[second]
    several = len(np.unique(speaker)) > 1
    kinds = {}
    for here, category in ((alike, SAME), (~alike, OTHER)):
        for who, voice in ((kin, SAME), (~kin, OTHER)) if several else ((True, ""),):
            kinds[f"{category} category" + (f", {voice} speaker" if voice else "")] = here & who
    counts = np.array([mask.sum() for mask in kinds.values()])
    means = np.array([distance[mask].mean() if mask.any() else np.nan for mask in kinds.values()])
    chance = float(alike.mean()) if len(alike) else np.nan
    return Pairs(tuple(kinds), counts, means, average_precision(distance, alike), chance)


def average_precision(distance: np.ndarray, alike: np.ndarray) -> float:
    """Area under precision against recall when pairs are called alike from the nearest on; ties enter together."""
    if not alike.any():
        return float("nan")
    order = np.argsort(distance, kind="stable")
    hits = np.cumsum(alike[order])
    last = np.append(np.flatnonzero(np.diff(distance[order])), len(order) - 1)  # the end of each run of ties
    gained = np.diff(hits[last], prepend=0)
    return float((gained * hits[last] / (last + 1)).sum() / hits[-1])
