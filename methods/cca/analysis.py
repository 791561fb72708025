"""How CCA is computed: how much of each view can be found in each layer by a linear map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.cca import canonical
from methods.cca.canonical import HeldOut
from methods.cca.result import Cca, CcaControls
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
from methods.core.results import corpus_provenance, read_only
from methods.core.statistics import matching

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
        views=views, measure=measure, scoring=scoring, most=most, window=window, subtract_silence=subtract_silence,
        random_seeds=random_seeds, seed=seed,
    )  # fmt: skip
    moved = corpus if isinstance(corpus, Articulation) else None
    corpus = moved.corpus if moved else corpus
    states = yield from within(_states(corpus, model, asked), 0.0, 0.2)
    found, left_out = _seen(corpus, model, states, moved, asked)
    work = _Work(corpus, model, asked, states, tuple(found), tuple(left_out))
    return (yield from _with_controls((yield from _compared(work)), work))


@dataclass(frozen=True, eq=False)
class _View:
    """One thing to compare the layers with, over its own items."""

    name: str
    items: Chosen
    part: np.ndarray  # (n,) which part each item is dealt to
    apart: tuple[np.ndarray, np.ndarray]  # items of either side, each with one of another recording
    target: np.ndarray | None  # None: layer 0 of the states themselves
    first: int  # where layer 0 is among the states
    asked: _Options

    def layers(self, states: Features) -> tuple[np.ndarray, ...]:
        return spaces.seen(states, self.items)

    def sides(self, layers: Sequence[np.ndarray], layer: int) -> tuple[np.ndarray, np.ndarray]:
        return layers[layer], layers[self.first] if self.target is None else self.target

    def unrelated(self, x: np.ndarray, y: np.ndarray, ridge: float) -> tuple[float, float]:
        """The score of pairs from different recordings, and that in sample; NaN where too few items are left."""
        mine, other = self.apart
        x, y, part, measure = x[mine], y[other], self.part[mine], self.asked.measure
        inside = canonical.in_sample(x, y, measure) if len(x) > x.shape[1] + y.shape[1] else np.nan
        if self.asked.scoring == "in-sample":
            return inside, inside
        enough = len(x) >= FEWEST / 2 and len(np.unique(part)) >= canonical.TRIALS
        return (canonical.held_out(x, y, part, measure, [ridge]).score if enough else np.nan), inside

    def scored(self, x: np.ndarray, y: np.ndarray, ridges: Sequence[float] = canonical.RIDGES) -> HeldOut:
        if self.asked.scoring == "held-out":
            return canonical.held_out(x, y, self.part, self.asked.measure, ridges)
        value = canonical.in_sample(x, y, self.asked.measure)
        rho = canonical.fit(canonical.moments(x - x.mean(0), y - y.mean(0)), measure=self.asked.measure).rho
        return HeldOut(value, np.full(canonical.TRIALS, value), np.zeros(canonical.TRIALS), rho, rho)


@dataclass(frozen=True, eq=False)
class _Work:
    """What all the steps share."""

    corpus: Corpus
    model: SpeechModel
    asked: _Options
    states: Features
    views: tuple[_View, ...]
    left_out: tuple[str, ...]  # views, with the reason

    @property
    def last_dims(self) -> list[int]:
        """The dimensions of what each view looks for in the layers."""
        first = self.states.layers[self.states.layer_0].shape[1]
        return [first if view.target is None else view.target.shape[1] for view in self.views]

    @property
    def longest(self) -> int:
        """How many correlations of a spectrum are kept."""
        widths = [layer.shape[1] for layer in self.states.layers]
        return min(LONGEST, max(min(width, most) for width in widths for most in self.last_dims))


def _states(corpus: Corpus, model: SpeechModel, asked: _Options) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _seen(
    corpus: Corpus, model: SpeechModel, states: Features, moved: Articulation | None, asked: _Options
) -> tuple[list[_View], list[str]]:
    """The views that these recordings allow, and why the others are left out."""
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
        states.layers[states.layer_0].shape[1] if target is None else target.shape[1],
    )
    if asked.scoring == "in-sample" and len(items) <= p + q:
        raise UserError(
            f"{len(items)} {unit} of {p} and {q} dimensions, and scoring in sample needs more than {p + q} (better "
            f"{20 * (p + q)}): score held out, or give more recordings."
        )
    part, apart = canonical.parts(items.groups, asked.seed), matching.apart(items.groups)
    return _View(name, items, part, apart, target, states.layer_0, asked)


def _compared(work: _Work) -> Steps[Cca]:
    """The trained model, view by view."""
    rows, layers, count = [], work.states.names, len(work.views)
    for number, view in enumerate(work.views):
        seen, cells = view.layers(work.states), []
        for layer in range(len(layers)):
            yield Step(0.2 + 0.4 * (number + layer / len(layers)) / count, f"{NAMES[view.name]}, layer {layer}")
            cells.append(_of_layer(view, *view.sides(seen, layer), work.longest))
        rows.append({name: np.stack([cell[name] for cell in cells]) for name in cells[0]})
        result = _so_far(work, rows)
        yield Step(0.2 + 0.4 * (number + 1) / count, "acoustic features", result)
    return result


def _so_far(work: _Work, rows: list[dict[str, np.ndarray]]) -> Cca:
    """The result with the first of its views."""
    asked, states = work.asked, work.states
    widths = [layer.shape[1] for layer in states.layers]
    return Cca(
        measure=asked.measure, scoring=asked.scoring, layers=states.names,
        views=tuple(view.name for view in work.views), left_out=work.left_out,
        items=read_only([len(view.items) for view in work.views], np.int64),
        dims=read_only([[*widths, most] for most in work.last_dims], np.int64),
        **{name: read_only(np.stack([row[name] for row in rows])) for name in rows[0]},
        provenance=corpus_provenance("cca", work.corpus, work.model, **vars(asked), features_note=states.note),
    )  # fmt: skip


def _of_layer(view: _View, x: np.ndarray, y: np.ndarray, longest: int) -> dict[str, np.ndarray | float]:
    found, measure = view.scored(x, y), view.asked.measure
    ridge = float(np.median(found.ridges))
    shuffled, inside = view.unrelated(x, y, ridge)
    plain = len(x) > x.shape[1] + y.shape[1]
    return {
        "score": found.score,
        "trials": _padded(found.trials, canonical.TRIALS),
        "ridge": ridge,
        "shuffled": shuffled,
        "in_sample": canonical.in_sample(x, y, measure) if plain else np.nan,
        "shuffled_in_sample": inside,
        "spectrum": _padded(found.spectrum, longest),
        "fitted": _padded(found.fitted, longest),
    }


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values[:length], (0, max(0, length - len(values))), constant_values=np.nan)


def _with_controls(result: Cca, work: _Work) -> Steps[Cca]:
    """Acoustic features, then random weights, one after the other."""
    controls, seeds, twins = CcaControls(tuple(BASELINES.values()), _baselines(work)), work.asked.random_seeds, []
    for number, seed in enumerate(seeds):
        begin, middle, end = (0.6 + 0.4 * (number + part) / len(seeds) for part in (0, 0.6, 1))
        yield Step(begin, "random weights", replace(result, controls=controls))
        states = _states(work.corpus, models.random_twin(work.model, seed), work.asked)
        twin = yield from within(states, begin, middle)
        twins.append((yield from within(_of_twin(work, result.ridge, twin, seed), middle, end)))
        controls = replace(controls, random=read_only(twins))
    return replace(result, controls=controls)


def _baselines(work: _Work) -> np.ndarray:
    """What MFCC and log-mel energies have in common with each view (but themselves).

    NaN for one with fewer dimensions than the view: it would be scored on fewer correlations, only the highest, and
    stand above layers with all that it holds (39 MFCCs: .66 of the mel bands; 351 columns that contain them: .57).
    """
    scores = np.full((len(work.views), len(BASELINES)), np.nan)
    for column, kind in enumerate(BASELINES):
        sound = features.acoustic(work.corpus, work.model, kind)
        for row, view in enumerate(work.views):
            if view.target is None or VIEWS[view.name][1] == kind:
                continue
            x = view.layers(sound)[0]
            if x.shape[1] < view.target.shape[1]:
                continue
            if work.asked.scoring == "held-out" or len(x) > x.shape[1] + view.target.shape[1]:
                scores[row, column] = view.scored(x, view.target).score
    return read_only(scores)


def _of_twin(work: _Work, ridges: np.ndarray, twin: Features, seed: int) -> Steps[list[list[float]]]:
    """Scores of a random twin's layers, with the ridges that were chosen for the trained model's."""
    rows: list[list[float]] = []
    for view, chosen in zip(work.views, ridges, strict=True):
        layers, row = view.layers(twin), []
        for layer, ridge in enumerate(chosen):
            done = (len(rows) + layer / len(chosen)) / len(work.views)
            yield Step(done, f"random weights, seed {seed}: {NAMES[view.name]}, layer {layer}")
            row.append(view.scored(*view.sides(layers, layer), [float(ridge)]).score)
        rows.append(row)
    return rows
