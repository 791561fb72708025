"""How CCA is computed: how much of each view can be found in each layer by a linear map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from methods.cca import canonical
from methods.cca.canonical import HeldOut
from methods.cca.result import Cca
from methods.core import models
from methods.core.corpus import Corpus, features, spaces
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import Features
from methods.core.corpus.items import at_least
from methods.core.corpus.spaces import Chosen
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, listed, read_only

# view -> (unit of its items, target, or None for layer 0)
VIEWS = {
    "mel": ("frames", "log-mel"),
    "phone": ("phones", "phone"),
    "word": ("words", "word"),
    "articulation": ("frames", "articulation"),
    "intra": ("frames", None),  # last, for it takes longest
}
NAMES = {
    "mel": "CCA-mel",
    "phone": "CCA-phone",
    "word": "CCA-word",
    "articulation": "CCA-articulation",
    "intra": "CCA-intra (layer 0)",
}
SCORINGS = ("held-out", "in-sample")
BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
FEWEST = 60  # items of a view
TOKENS = 3  # of a phone or word, so that it can be in training and in the test
SENSE = {
    "views": tuple(VIEWS),
    "measure": tuple(canonical.MEASURES),
    "scoring": SCORINGS,
    "most": (FEWEST, math.inf),
}
LONGEST = 400  # correlations of a spectrum that are kept


@dataclass(frozen=True)
class _Options:
    """The options of `analyse`."""

    views: Sequence[str]
    measure: str
    scoring: str
    most: int
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    seed: int


@analysis(SENSE)
def analyse(
    corpus: Corpus | Articulation,
    model: SpeechModel,
    *,
    views: Sequence[str] = tuple(VIEWS),
    measure: str = "pwcca",
    scoring: str = "held-out",
    most: int = 4000,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[Cca]:
    """How much of each view is in each layer, up to a linear map?

    `views` are some of `VIEWS`; those that the corpus does not allow are left out and named, if one remains.
    `measure` is one of `canonical.MEASURES`. `scoring` "held-out" fits, chooses a ridge and scores on different
    recordings; "in-sample" uses all items for all, without a ridge, and raises UserError unless they outnumber the
    dimensions of both sides. At most `most` frames are drawn. `window` and `subtract_silence`: see
    `features.of_model`.
    """
    asked = _Options(
        views=views,
        measure=measure,
        scoring=scoring,
        most=most,
        window=window,
        subtract_silence=subtract_silence,
        random_seeds=tuple(random_seeds),
        seed=seed,
    )
    return (yield from _steps(corpus, model, asked))


def _steps(corpus: Corpus | Articulation, model: SpeechModel, asked: _Options) -> Steps[Cca]:
    """The trained model view by view, then the controls."""
    moved = corpus if isinstance(corpus, Articulation) else None
    corpus = moved.corpus if moved else corpus
    states = yield from within(_states(corpus, model, asked), 0.0, 0.2)
    found, left_out = _seen(corpus, model, states, moved, asked)
    result = _empty(corpus, model, states, found, left_out, asked)
    for number, view in enumerate(found):
        for layer in range(len(states.names)):
            done = 0.2 + 0.4 * (number + layer / len(states.names)) / len(found)
            yield Step(done, f"{NAMES[view.name]}, layer {layer}")
            result = _with_layer(result, view, number, layer, view.layers(states))
        yield Step(0.2 + 0.4 * (number + 1) / len(found), "acoustic features", result)
    result = _with_baselines(result, corpus, model, found)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.6 + 0.4 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        yield Step(begin, "random weights", result)
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, end)
        scores = [_of_twin(view, result.ridge[v], view.layers(twin)) for v, view in enumerate(found)]
        result = replace(result, random=read_only(np.concatenate([result.random, [scores]])))
    return result


@dataclass(frozen=True, eq=False)
class _View:
    """One thing to compare the layers with, over its own items."""

    name: str
    items: Chosen
    part: np.ndarray  # (n,) which part each item is dealt to
    shift: int  # items by which shuffled pairs are moved
    target: np.ndarray | None  # None: layer 0 of the states themselves
    asked: _Options

    def layers(self, states: Features) -> tuple[np.ndarray, ...]:
        return spaces.seen(states, self.items)

    def sides(self, layers: Sequence[np.ndarray], layer: int) -> tuple[np.ndarray, np.ndarray]:
        return layers[layer], layers[0] if self.target is None else self.target

    def scored(self, x: np.ndarray, y: np.ndarray, ridges: Sequence[float] = canonical.RIDGES) -> HeldOut:
        if self.asked.scoring == "held-out":
            return canonical.held_out(x, y, self.part, self.asked.measure, ridges)
        value = canonical.in_sample(x, y, self.asked.measure)
        rho = canonical.fit(canonical.moments(x - x.mean(0), y - y.mean(0)), measure=self.asked.measure).rho
        return HeldOut(value, np.full(canonical.TRIALS, value), np.zeros(canonical.TRIALS), rho, rho)


def _states(corpus: Corpus, model: SpeechModel, asked: _Options) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _seen(
    corpus: Corpus, model: SpeechModel, states: Features, moved: Articulation | None, asked: _Options
) -> tuple[list[_View], list[str]]:
    """The views that these recordings allow, and why the others are left out."""
    if asked.scoring not in SCORINGS:
        raise UserError(f"There is no scoring “{asked.scoring}”; choose one of {', '.join(SCORINGS)}.")
    if wrong := set(asked.views) - set(VIEWS):
        raise UserError(f"There is no view “{min(wrong)}”; choose of {', '.join(VIEWS)}.")
    found, left_out = [], []
    for name in VIEWS:
        if name not in asked.views or (name == "articulation" and moved is None):
            continue
        try:
            found.append(_view(name, (corpus, model), states, moved, asked))
        except UserError as problem:
            left_out.append(f"{NAMES[name]}: {problem}")
    if not found:
        raise UserError(left_out[0] if left_out else "No view was chosen; choose at least one.")
    return found, left_out


def _view(
    name: str, spoken: tuple[Corpus, SpeechModel], states: Features, moved: Articulation | None, asked: _Options
) -> _View:
    unit, kind = VIEWS[name]
    items = spaces.with_movements(spaces.chosen(spoken[0], states, unit, asked.most, FEWEST, asked.seed), moved)
    if unit != "frames":
        kept = at_least(items.items, TOKENS)
        if len(kept) < FEWEST:
            raise UserError(
                f"{len(kept)} {unit} are of a kind that comes {TOKENS} times, and {FEWEST} are needed; give more "
                "recordings."
            )
        items = Chosen(unit, kept, np.full(len(kept), -1))
    target = None if kind is None else spaces.target(*spoken, items, kind, moved)
    if kind is not None and target is None:
        raise UserError(f"all {len(items)} {unit} have the same label; choose other recordings.")
    p, q = (
        max(layer.shape[1] for layer in states.layers),
        states.layers[0].shape[1] if target is None else target.shape[1],
    )
    if asked.scoring == "in-sample" and len(items) <= p + q:
        raise UserError(
            f"{len(items)} {unit} of {p} and {q} dimensions, and scoring in sample needs more than {p + q} (better "
            f"{20 * (p + q)}): score held out, or give more recordings."
        )
    shift = int(np.random.default_rng(asked.seed).integers(len(items) // 4, 3 * len(items) // 4))
    return _View(name, items, canonical.parts(items.groups, asked.seed), shift, target, asked)


def _empty(
    corpus: Corpus, model: SpeechModel, states: Features, found: list[_View], left_out: list[str], asked: _Options
) -> Cca:
    shape = len(found), len(states.names)
    widths = [layer.shape[1] for layer in states.layers]
    nothing = read_only(np.full(shape, np.nan))
    last = [widths[0] if view.target is None else view.target.shape[1] for view in found]
    length = min(LONGEST, max(min(width, most) for width in widths for most in last))
    return Cca(
        measure=asked.measure, scoring=asked.scoring, layers=states.names,
        views=tuple(view.name for view in found), left_out=tuple(left_out),
        items=read_only([len(view.items) for view in found], np.int64),
        dims=read_only([[*widths, most] for most in last], np.int64),
        score=nothing, trials=read_only(np.full((*shape, canonical.TRIALS), np.nan)), ridge=nothing,
        in_sample=nothing, shuffled=nothing, shuffled_in_sample=nothing,
        spectrum=read_only(np.full((*shape, length), np.nan)), fitted=read_only(np.full((*shape, length), np.nan)),
        baselines=(), baseline=read_only(np.zeros((len(found), 0))),
        random=read_only(np.zeros((0, *shape))),
        provenance=corpus_provenance("cca", corpus, model, **listed(asked), features_note=states.note),
    )  # fmt: skip


def _with_layer(result: Cca, view: _View, number: int, layer: int, layers: Sequence[np.ndarray]) -> Cca:
    x, y = view.sides(layers, layer)
    moved = np.roll(y, view.shift, axis=0)
    found = view.scored(x, y)
    ridges = [float(np.median(found.ridges))]
    plain = len(x) > x.shape[1] + y.shape[1]
    numbers = {
        "score": found.score,
        "trials": _padded(found.trials, canonical.TRIALS),
        "ridge": ridges[0],
        "shuffled": view.scored(x, moved, ridges).score,
        "in_sample": canonical.in_sample(x, y, result.measure) if plain else np.nan,
        "shuffled_in_sample": canonical.in_sample(x, moved, result.measure) if plain else np.nan,
        "spectrum": _padded(found.spectrum, result.spectrum.shape[2]),
        "fitted": _padded(found.fitted, result.fitted.shape[2]),
    }
    return replace(result, **{name: _put(getattr(result, name), number, layer, v) for name, v in numbers.items()})


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values[:length], (0, max(0, length - len(values))), constant_values=np.nan)


def _put(array: np.ndarray, number: int, layer: int, value: Any) -> np.ndarray:
    copy = array.copy()
    copy[number, layer] = value
    return read_only(copy)


def _with_baselines(result: Cca, corpus: Corpus, model: SpeechModel, found: list[_View]) -> Cca:
    """What MFCC and log-mel energies have in common with each view (but themselves).

    NaN for one with fewer dimensions than the view: it would be scored on fewer correlations, only the highest, and
    stand above layers with all that it holds (39 MFCCs: .66 of the mel bands; 351 columns that contain them: .57).
    """
    scores = np.full((len(found), len(BASELINES)), np.nan)
    for column, kind in enumerate(BASELINES):
        sound = features.acoustic(corpus, model, kind)
        for row, view in enumerate(found):
            if view.target is None or VIEWS[view.name][1] == kind:
                continue
            x = view.layers(sound)[0]
            if x.shape[1] < view.target.shape[1]:
                continue
            if result.scoring == "held-out" or len(x) > x.shape[1] + view.target.shape[1]:
                scores[row, column] = view.scored(x, view.target).score
    return replace(result, baselines=tuple(BASELINES.values()), baseline=read_only(scores))


def _of_twin(view: _View, ridges: np.ndarray, layers: Sequence[np.ndarray]) -> list[float]:
    """Scores of a random twin's layers, with the ridges that were chosen for the trained model's."""
    return [view.scored(*view.sides(layers, i), [float(ridge)]).score for i, ridge in enumerate(ridges)]
