"""How projection is computed: a plane for each layer, and how faithful it is."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, listed, read_only
from methods.projection import embedding
from methods.projection import points as projection_points
from methods.projection.points import Mapped, Points, PointsAsked
from methods.projection.result import Projection, ProjectionControls

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
SENSE = projection_points.SENSE


@analysis(SENSE)
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
) -> Steps[Projection]:
    """Where do the items of a corpus lie, on a 2-D map of every layer?

    `method` is one of `embedding.METHODS`; `unit` "phones", "vowels", "words" or "frames"; `label` "own" (the phone or
    word), a phonological class ("manner", "place", "voicing", "height", "backness"), or a column such as "speaker".
    At most `most` points, fewer of frequent labels. `standardise` brings every dimension to unit variance. `metric`
    is for MDS and UMAP, `perplexity` for t-SNE, `neighbours` for UMAP. `seed` draws the points, and the recordings
    that LDA learns from. `window` and `subtract_silence`: see `features.of_model`. Raises UserError if there are too
    few points, or LDA has nothing to learn from.
    """
    asked = PointsAsked(
        method=method, unit=unit, label=label, standardise=standardise, metric=metric, perplexity=perplexity,
        neighbours=neighbours, most=most, window=window, subtract_silence=subtract_silence,
        random_seeds=random_seeds, seed=seed,
    )  # fmt: skip
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    chosen = projection_points.choose(corpus, states, asked)
    maps = yield from within(_maps(states, chosen, asked, "trained"), 0.3, 0.49)
    yield Step(0.49, "where the formants point")
    result = _result(corpus, model, states, chosen, maps, asked)
    yield Step(0.5, "acoustic features", result)
    result = replace(result, controls=_baselines(result, corpus, model, chosen, asked))
    twins: list[list[Mapped]] = []
    for number, random_seed in enumerate(random_seeds):
        begin, end = (0.55 + 0.45 * (number + part) / len(random_seeds) for part in (0, 1))
        who = f"random weights, seed {random_seed}"
        yield Step(begin, who, result)
        steps = _states(corpus, models.random_twin(model, random_seed), asked)
        twin = yield from within(steps, begin, (begin + end) / 2)
        twins.append((yield from within(_maps(twin, chosen, asked, who), (begin + end) / 2, end)))
        result = _with_random(result, twins)
    return result


def _states(corpus: Corpus, model: SpeechModel, asked: PointsAsked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _maps(states: Features, chosen: Points, asked: PointsAsked, who: str) -> Steps[list[Mapped]]:
    found = []
    for number, (name, layer) in enumerate(zip(states.names, states.layers, strict=True)):
        yield Step(number / len(states.names), f"map of layer {name} ({who})")
        found.append(projection_points.mapped(layer, chosen, asked))
    return found


def _result(
    corpus: Corpus, model: SpeechModel, states: Features, chosen: Points, maps: list[Mapped], asked: PointsAsked
) -> Projection:
    points = embedding.aligned([found.made.points for found in maps])
    formants = projection_points.formants(corpus, chosen)
    shown = chosen.shown
    return Projection(
        method=asked.method, layers=states.names, points=read_only(points),
        quality=read_only([found.quality for found in maps]),
        chance=read_only([found.chance for found in maps]),
        explained=read_only([found.made.explained.sum() for found in maps]),
        stress=read_only([found.made.stress for found in maps]),
        accuracy=read_only([(found.made.accuracy, found.made.shuffled) for found in maps]),
        formants=read_only(formants), directions=read_only(projection_points.directions(points, formants)),
        label=tuple(map(str, chosen.label[shown])), name=tuple(map(str, chosen.items.label[shown])),
        speaker=tuple(map(str, chosen.items.columns["speaker"][shown])),
        utterance=read_only(chosen.items.utterance[shown], np.int64),
        start=read_only(chosen.items.start[shown]), end=read_only(chosen.items.end[shown]),
        left_out=chosen.left_out, notes=projection_points.notes(chosen, asked),
        provenance=corpus_provenance("projection", corpus, model, **listed(asked), features_note=states.note),
    )  # fmt: skip


def _baselines(
    result: Projection, corpus: Corpus, model: SpeechModel, chosen: Points, asked: PointsAsked
) -> ProjectionControls:
    maps = [
        projection_points.mapped(features.acoustic(corpus, model, kind).layers[0], chosen, asked) for kind in BASELINES
    ]
    return ProjectionControls(
        baselines=tuple(BASELINES.values()),
        baseline_points=read_only([_towards(result.points[0], found) for found in maps]),
        baseline_quality=read_only([found.quality for found in maps]),
        baseline_chance=read_only([found.chance for found in maps]),
    )


def _with_random(result: Projection, twins: list[list[Mapped]]) -> Projection:
    controls = replace(
        result.controls,
        random_points=read_only([list(map(_towards, result.points, maps)) for maps in twins]),
        random_quality=read_only([[found.quality for found in maps] for maps in twins]),
        random_chance=read_only([[found.chance for found in maps] for maps in twins]),
    )
    return replace(result, controls=controls)


def _towards(own: np.ndarray, found: Mapped) -> np.ndarray:
    """(n, 2) a control's map, turned towards the trained model's own."""
    return embedding.aligned([own, found.made.points])[1]
