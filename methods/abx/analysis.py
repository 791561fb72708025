"""How ABX is computed: scores of pairs of categories, layer by layer, and their controls."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from methods.abx import tokens as abx_tokens
from methods.abx import triples as abx_triples
from methods.abx.result import Abx, AbxControls
from methods.abx.tokens import AbxAsked
from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, listed, read_only

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
SENSE = abx_tokens.SENSE


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    on: str = "phone",
    by: Sequence[str] = (),
    across: str = "speaker",
    modes: Sequence[str] = ("within", "across"),
    pooling: str = "mean",
    metric: str = "angular",
    representation: str = "states",
    units: int = 50,
    centred: bool = True,
    most: int = abx_triples.MOST,
    apart: bool = True,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[Abx]:
    """How well does each layer keep the categories of `on` apart?

    `on`, `by` and `across` are attributes of the stretches: "phone", "word", "speaker", "previous", "next", "sex",
    "utterance", "position", or, for `on`, "tier:NAME". `by` is held equal for a, b and x; `modes` ("any", "within",
    "across", "against") say how `across` is dealt with, one score each; those that the corpus does not allow are left
    out and named, if one remains. `pooling` is "mean", "centre", or "dtw" (frames, aligned); `metric` one of
    `distances.METRICS`; `representation` "states", "posteriors" (CTC models), or "units" (k-means, `units` of
    them, learnt from the same frames without labels). `centred` subtracts the mean of all frames. `most` bounds the
    tokens of a category under the same circumstances; `apart` takes x from another recording than a and b.
    `window` and `subtract_silence`: see `features.of_model`. Raises UserError if there is too little to compare.
    """
    asked = AbxAsked(
        on=on, by=by, across=across, modes=modes, pooling=pooling, metric=metric, representation=representation,
        units=units, centred=centred, most=most, apart=apart, window=window, subtract_silence=subtract_silence,
        random_seeds=random_seeds, seed=seed,
    )  # fmt: skip
    tasks, left_out = abx_tokens.tasks(corpus, asked)
    states = yield from within(abx_tokens.states(corpus, model, asked), 0.0, 0.4)
    yield Step(0.4, "comparing")
    result = _result(corpus, model, states, tasks, left_out, asked)
    yield Step(0.5, "acoustic features", result)
    if representation == "states" and metric != "kl":
        result = _with_baselines(result, corpus, model, tasks, asked)
    return (yield from _with_random(result, corpus, model, tasks, asked))


def _result(
    corpus: Corpus,
    model: SpeechModel,
    states: Features,
    tasks: abx_tokens.Tasks,
    left_out: Sequence[str],
    asked: AbxAsked,
) -> Abx:
    scored = [abx_tokens.measure(layer, states, tasks, asked) for layer in states.layers]
    modes, items = tuple(tasks.of_mode), tasks.items

    def each(name: str) -> np.ndarray:
        return read_only([[getattr(layer.scores[mode], name) for layer in scored] for mode in modes])

    return Abx(
        on=asked.on, modes=modes, left_out=tuple(left_out), classes=tasks.classes, layers=states.names,
        error=each("error"), low=each("low"), high=each("high"),
        matrix=read_only([[layer.matrices[mode] for layer in scored] for mode in modes]),
        triples=read_only([scored[0].scores[mode].triples for mode in modes], np.int64), tokens=len(items),
        pair_names=scored[0].pairs.names,
        pair_counts=read_only(scored[0].pairs.counts, np.int64),
        pair_distance=read_only([layer.pairs.distance for layer in scored]),
        precision=read_only([layer.pairs.precision for layer in scored]),
        precision_chance=scored[0].pairs.chance,
        examples=read_only(tasks.examples(), np.int64),
        utterance=read_only(items.utterance, np.int64), start=read_only(items.start), end=read_only(items.end),
        label=tuple(map(str, tasks.label)), speaker=tuple(map(str, items.columns["speaker"])),
        provenance=corpus_provenance("abx", corpus, model, **listed(asked), features_note=states.note),
    )  # fmt: skip


def _with_baselines(result: Abx, corpus: Corpus, model: SpeechModel, tasks: abx_tokens.Tasks, asked: AbxAsked) -> Abx:
    errors, precisions = [], []
    for kind in BASELINES:
        found = features.acoustic(corpus, model, kind)
        measured = abx_tokens.measure(found.layers[0], found, tasks, asked)
        errors.append([measured.scores[mode].error for mode in result.modes])
        precisions.append(measured.pairs.precision)
    controls = AbxControls(
        baselines=tuple(BASELINES.values()),
        baseline_error=read_only(errors),
        baseline_precision=read_only(precisions),
    )
    return replace(result, controls=controls)


def _with_random(
    result: Abx, corpus: Corpus, model: SpeechModel, tasks: abx_tokens.Tasks, asked: AbxAsked
) -> Steps[Abx]:
    errors, precisions = [], []
    known = result.controls or AbxControls()  # posteriors and units have no acoustic features beside them
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.5 + 0.5 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        yield Step(begin, f"random weights, seed {seed}", result)
        twin = models.random_twin(model, seed)
        states = yield from within(abx_tokens.states(corpus, twin, asked), begin, end)
        scored = [abx_tokens.measure(layer, states, tasks, asked) for layer in states.layers]
        errors.append([[layer.scores[mode].error for layer in scored] for mode in result.modes])
        precisions.append([layer.pairs.precision for layer in scored])
        controls = replace(known, random=read_only(errors), random_precision=read_only(precisions))
        result = replace(result, controls=controls)
    return result
