"""**Does X sound more like A or like B? How well does each layer keep two categories apart?**

A and X are two tokens of one category, say of /iy/, and B is of another, /ih/. The layer errs if it puts X nearer to
B. No classifier is trained: only distances between the states count. Chance is 50 %.

*How to read it.* Lower is better. Compare the curve with MFCC (what the sound itself gives away) and with random
weights. *Within* takes all three from one speaker, *across* takes X from another one, and *against* sets the two
against each other: A is the right category by another speaker, B the wrong one by X's own, so errors above 50 % mean
that the layer hears who before what. Press a cell of the table to hear A, B and X. Three tokens of one recording
would make it too easy: X is always from another recording than A and B where there is more than one. Bands are 95 %
intervals from leaving out tenths of the recordings.

*What it cannot show.* A layer that keeps categories apart need not use them. Vectors averaged over a phone lose its
course (try the aligned frames). Without equal neighbours, part of what tells two phones apart is their context, which
the states hold as well. Labels are automatic (about ±20 ms). Published scores of other corpora hold triphone contexts
and thousands of tokens, and are not comparable with these.

*Source.* Schatz et al., Interspeech 2013, 1781–1785; Schatz 2016 (hal tel-01407461); fastabx: Poli, Chemla & Dupoux
2025 (arXiv 2505.02692), whose conventions are kept; same and different words: Carlin et al., Interspeech 2011.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import abx_figures, abx_scores, abx_tokens, draw, features, models
from methods.core.abx_tokens import Asked
from methods.core.corpus import Corpus
from methods.core.features import Features
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.results import Step, Steps, corpus_provenance, finish, read_only, within

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
SENSE = abx_tokens.SENSE


@dataclass(frozen=True, eq=False)
class Abx:
    """ABX errors of every layer, with controls. Errors are shares between 0 and 1; one half is chance."""

    on: str  # what the categories are
    modes: tuple[str, ...]  # whose A, B and X are
    left_out: tuple[str, ...]  # modes that these recordings do not allow, with the reason
    classes: tuple[str, ...]  # categories
    layers: tuple[str, ...]
    error: np.ndarray  # (modes, layers)
    low: np.ndarray  # (modes, layers) 95 % interval over recordings; NaN with fewer than three
    high: np.ndarray  # (modes, layers)
    matrix: np.ndarray  # (modes, layers, classes, classes) error of each pair; NaN where none could be asked
    triples: np.ndarray  # (modes,) int
    tokens: int
    pair_names: tuple[str, ...]  # kinds of pairs of tokens: same or other category, same or other speaker
    pair_counts: np.ndarray  # (kinds,) int
    pair_distance: np.ndarray  # (layers, kinds) mean distance
    precision: np.ndarray  # (layers,) average precision of finding pairs of the same category by their distance
    precision_chance: float  # the share of such pairs
    baselines: tuple[str, ...]  # acoustic features
    baseline_error: np.ndarray  # (baselines, modes)
    baseline_precision: np.ndarray  # (baselines,)
    random: np.ndarray  # (random seeds so far, modes, layers)
    random_precision: np.ndarray  # (random seeds so far, layers)
    examples: np.ndarray  # (modes, classes, classes, 3) int, which tokens are a, b, x of one triple; -1: none
    utterance: np.ndarray  # (tokens,) int, where the tokens are
    start: np.ndarray  # (tokens,) s
    end: np.ndarray  # (tokens,) s
    label: tuple[str, ...]  # (tokens,) category
    speaker: tuple[str, ...]  # (tokens,)
    done: bool  # whether the controls are complete
    provenance: dict[str, Any]

    @property
    def best(self) -> int:
        """The layer with the lowest error in the first mode."""
        return int(self.error[0].argmin())

    def table(self) -> pd.DataFrame:
        """One row per number: errors and intervals per layer, controls, pairs of categories, pairs of tokens."""
        rows = [
            ("model", mode, layer, name, "", "", values[m, n])
            for name, values in (("error", self.error), ("low", self.low), ("high", self.high))
            for m, mode in enumerate(self.modes)
            for n, layer in enumerate(self.layers)
        ]
        rows += [
            (f"random weights {seed}", mode, layer, "error", "", "", values[m, n])
            for seed, values in enumerate(self.random)
            for m, mode in enumerate(self.modes)
            for n, layer in enumerate(self.layers)
        ]
        rows += [
            (name, mode, "", "error", "", "", values[m])
            for name, values in zip(self.baselines, self.baseline_error, strict=True)
            for m, mode in enumerate(self.modes)
        ]
        rows += [
            ("model", self.modes[m], self.layers[n], "error", self.classes[a], self.classes[b], value)
            for (m, n, a, b), value in np.ndenumerate(self.matrix)
            if a < b and not np.isnan(value)
        ]
        rows += [
            ("model", "", self.layers[n], f"distance, {self.pair_names[k]}", "", "", value)
            for (n, k), value in np.ndenumerate(self.pair_distance)
        ]
        rows += [("model", "", layer, "average precision", "", "", value)
                 for layer, value in zip(self.layers, self.precision, strict=True)]  # fmt: skip
        columns = ["features", "speakers", "layer", "score", "category", "other_category", "value"]
        return pd.DataFrame(rows, columns=columns)


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
    most: int = abx_scores.MOST,
    apart: bool = True,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Abx:
    """How well does each layer keep the categories of `on` apart?

    `on`, `by` and `across` are attributes of the stretches: "phone", "word", "speaker", "previous", "next", "sex",
    "utterance", "position", or, for `on`, "tier:NAME". `by` is held equal for a, b and x; `modes` ("any", "within",
    "across", "against") say how `across` is dealt with, one score each; those that the corpus does not allow are left
    out and named, if one remains. `pooling` is "mean", "centre", or "dtw" (frames, aligned); `metric` one of
    `token_distances.METRICS`; `representation` "states", "posteriors" (CTC models), or "units" (k-means, `units` of
    them, learnt from the same frames without labels). `centred` subtracts the mean of all frames. `most` bounds the
    tokens of a category under the same circumstances; `apart` takes x from another recording than a and b.
    `window` and `subtract_silence`: see `features.of_model`. Raises UserError if there is too little to compare.
    """
    options = {name: value for name, value in locals().items() if name not in ("corpus", "model")}
    return finish(analyse_in_steps(corpus, model, **options))


def analyse_in_steps(corpus: Corpus, model: SpeechModel, **options: Any) -> Steps[Abx]:
    """The same with progress: the trained model first, then acoustic features and random weights."""
    check_options(analyse, options, SENSE)
    asked = Asked(**options)
    tasks, left_out = abx_tokens.tasks(corpus, asked)
    states = yield from within(abx_tokens.states(corpus, model, asked), 0.0, 0.4)
    yield Step(0.4, "comparing")
    result = _first(corpus, model, states, tasks, left_out, asked)
    yield Step(0.5, "acoustic features", result)
    if asked.representation == "states" and asked.metric != "kl":
        result = _with_baselines(result, corpus, model, tasks, asked)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.5 + 0.5 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        yield Step(begin, f"random weights, seed {seed}", result)
        twin = models.random_twin(model, seed)
        states = yield from within(abx_tokens.states(corpus, twin, asked), begin, end)
        result = _with_random(result, states, tasks, asked)
    return replace(result, done=True)


def _first(
    corpus: Corpus,
    model: SpeechModel,
    states: Features,
    tasks: abx_tokens.Tasks,
    left_out: Sequence[str],
    asked: Asked,
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
        baselines=(), baseline_error=read_only(np.zeros((0, len(modes)))), baseline_precision=read_only([]),
        random=read_only(np.zeros((0, len(modes), len(states.names)))),
        random_precision=read_only(np.zeros((0, len(states.names)))),
        examples=read_only(tasks.examples(), np.int64),
        utterance=read_only(items.utterance, np.int64), start=read_only(items.start), end=read_only(items.end),
        label=tuple(map(str, tasks.label)), speaker=tuple(map(str, items.columns["speaker"])), done=False,
        provenance=corpus_provenance("abx", corpus, model, **vars(asked), features_note=states.note),
    )  # fmt: skip


def _with_baselines(result: Abx, corpus: Corpus, model: SpeechModel, tasks: abx_tokens.Tasks, asked: Asked) -> Abx:
    errors, precisions = [], []
    for kind in BASELINES:
        found = features.acoustic(corpus, model, kind)
        measured = abx_tokens.measure(found.layers[0], found, tasks, asked)
        errors.append([measured.scores[mode].error for mode in result.modes])
        precisions.append(measured.pairs.precision)
    names = tuple(BASELINES.values())
    return replace(result, baselines=names, baseline_error=read_only(errors), baseline_precision=read_only(precisions))


def _with_random(result: Abx, states: Features, tasks: abx_tokens.Tasks, asked: Asked) -> Abx:
    scored = [abx_tokens.measure(layer, states, tasks, asked) for layer in states.layers]
    errors = [[[layer.scores[mode].error for layer in scored] for mode in result.modes]]
    precisions = [[layer.pairs.precision for layer in scored]]
    return replace(
        result,
        random=read_only(np.concatenate([result.random, errors])),
        random_precision=read_only(np.concatenate([result.random_precision, precisions])),
    )


def plot(result: Abx, *, mode: str | None = None, layer: int | None = None) -> Figure:
    """Errors over the layers with their controls, pairs of categories at one layer, and same against different."""
    layer = result.best if layer is None else layer
    mode = mode if mode in result.modes else result.modes[0]
    figure = draw.new_figure(11.0, 8.5)
    axes = figure.subplot_mosaic([["curve", "matrix"], ["pairs", "matrix"]], width_ratios=(1, 1.3))
    abx_figures.draw_errors(axes["curve"], result)
    abx_figures.draw_pairs(axes["pairs"], result)
    mesh = abx_figures.draw_matrix(axes["matrix"], result, mode, layer)
    figure.colorbar(mesh, ax=axes["matrix"], label="ABX error", shrink=0.6)
    return figure
