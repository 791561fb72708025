"""How projection is computed: a plane for each layer, and how faithful it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.models.speech_model import SpeechModel
from methods.core.options import check_options
from methods.core.progress import Step, Steps, finish, within
from methods.core.results import corpus_provenance, read_only
from methods.projection import embedding
from methods.projection import points as projection_points
from methods.projection.embedding import QUALITY
from methods.projection.points import Asked, Mapped, Points
from methods.projection.result import Projection

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
SENSE = projection_points.SENSE


def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    method: str = "pca",
    unit: str = "phones",
    label: str = "own",
    standardise: bool = True,
    metric: str = "euclidean",
    perplexity: float = 30.0,
    neighbours: int = 15,
    most: int = 600,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Projection:
    """Where do the items of a corpus lie, on a 2-D map of every layer?

    `method` is one of `embedding.METHODS`; `unit` "phones", "vowels", "words" or "frames"; `label` "own" (the phone or
    word), a phonological class ("manner", "place", "voicing", "height", "backness"), or a column such as "speaker".
    At most `most` points, fewer of frequent labels. `standardise` brings every dimension to unit variance. `metric`
    is for MDS and UMAP, `perplexity` for t-SNE, `neighbours` for UMAP. `seed` draws the points, and the recordings
    that LDA learns from. `window` and `subtract_silence`: see `features.of_model`. Raises UserError if there are too
    few points, or LDA has nothing to learn from.
    """
    options = {name: value for name, value in locals().items() if name not in ("corpus", "model")}
    return finish(analyse_in_steps(corpus, model, **options))


def analyse_in_steps(corpus: Corpus, model: SpeechModel, **options: Any) -> Steps[Projection]:
    """The same with progress: the trained model first, then acoustic features and random weights."""
    check_options(analyse, options, SENSE)
    asked = Asked(**options)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    chosen = projection_points.choose(corpus, states, asked)
    maps = yield from within(_maps(states, chosen, asked, "trained"), 0.3, 0.5)
    result = _first(corpus, model, states, chosen, maps, asked)
    yield Step(0.5, "acoustic features", result)
    result = _with_baselines(result, corpus, model, chosen, asked)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.55 + 0.45 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        yield Step(begin, f"random weights, seed {seed}", result)
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, (begin + end) / 2)
        maps = yield from within(_maps(twin, chosen, asked, f"random weights, seed {seed}"), (begin + end) / 2, end)
        result = _with_random(result, maps)
    return replace(result, done=True)


def _states(corpus: Corpus, model: SpeechModel, asked: Asked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _maps(states: Features, chosen: Points, asked: Asked, who: str) -> Steps[list[Mapped]]:
    found = []
    for number, (name, layer) in enumerate(zip(states.names, states.layers, strict=True)):
        yield Step(number / len(states.names), f"map of layer {name} ({who})")
        found.append(projection_points.mapped(layer, chosen, asked))
    return found


def _first(
    corpus: Corpus, model: SpeechModel, states: Features, chosen: Points, maps: list[Mapped], asked: Asked
) -> Projection:
    points = embedding.aligned([found.made.points for found in maps])
    formants = projection_points.formants(corpus, chosen)
    count, shown = points.shape[1], chosen.shown
    return Projection(
        method=asked.method, layers=states.names, points=read_only(points),
        quality=read_only([found.quality for found in maps]),
        chance=read_only([found.chance for found in maps]),
        explained=read_only([found.made.explained.sum() for found in maps]),
        stress=read_only([found.made.stress for found in maps]),
        accuracy=read_only([(found.made.accuracy, found.made.shuffled) for found in maps]),
        formants=read_only(formants), directions=read_only(projection_points.directions(points, formants)),
        baselines=(), baseline_points=read_only(np.zeros((0, count, 2))),
        baseline_quality=read_only(np.zeros((0, len(QUALITY)))), baseline_chance=read_only(np.zeros((0, 2))),
        random_points=read_only(np.zeros((0, len(maps), count, 2))),
        random_quality=read_only(np.zeros((0, len(maps), len(QUALITY)))),
        random_chance=read_only(np.zeros((0, len(maps), 2))),
        label=tuple(map(str, chosen.label[shown])), name=tuple(map(str, chosen.items.label[shown])),
        speaker=tuple(map(str, chosen.items.columns["speaker"][shown])),
        utterance=read_only(chosen.items.utterance[shown], np.int64),
        start=read_only(chosen.items.start[shown]), end=read_only(chosen.items.end[shown]),
        left_out=chosen.left_out, notes=projection_points.notes(chosen, asked), done=False,
        provenance=corpus_provenance("projection", corpus, model, **vars(asked), features_note=states.note),
    )  # fmt: skip


def _with_baselines(
    result: Projection, corpus: Corpus, model: SpeechModel, chosen: Points, asked: Asked
) -> Projection:
    maps = [
        projection_points.mapped(features.acoustic(corpus, model, kind).layers[0], chosen, asked) for kind in BASELINES
    ]
    towards = [embedding.aligned([result.points[0], found.made.points])[1] for found in maps]
    return replace(
        result,
        baselines=tuple(BASELINES.values()),
        baseline_points=read_only(towards),
        baseline_quality=read_only([found.quality for found in maps]),
        baseline_chance=read_only([found.chance for found in maps]),
    )


def _with_random(result: Projection, maps: list[Mapped]) -> Projection:
    towards = [embedding.aligned([own, found.made.points])[1] for own, found in zip(result.points, maps, strict=True)]
    scores, chance = [found.quality for found in maps], [found.chance for found in maps]
    return replace(
        result,
        random_points=read_only(np.concatenate([result.random_points, [towards]])),
        random_quality=read_only(np.concatenate([result.random_quality, [scores]])),
        random_chance=read_only(np.concatenate([result.random_chance, [chance]])),
    )
