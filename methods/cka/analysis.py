"""How CKA is computed: layers against layers, against targets, and against the same layer elsewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from methods.cka import kernels
from methods.cka.kernels import Alignment, Grams
from methods.cka.result import Cka
from methods.core import models
from methods.core.corpus import Corpus, features, spaces
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import Features
from methods.core.corpus.spaces import Chosen
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import FOR_95, analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, listed, read_only

FEWEST = 20  # items; below, not even the debiased value says anything
SHIFTS = 30  # shifted pairings of the null
TARGETS = ("log-mel", "mfcc", "phone", "classes", "articulation")
SENSE = {
    "unit": tuple(spaces.UNITS),
    "kernel": tuple(kernels.KERNELS),
    "targets": tuple(spaces.TARGETS),
    "tau": (0.01, 100),  # beyond, all items are equally alike
    "most": (FEWEST, math.inf),
    "resamples": (FOR_95, math.inf),
}


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    other: str | None
    unit: str
    kernel: str
    tau: float
    targets: Sequence[str]
    most: int
    window: str
    subtract_silence: bool
    resamples: int
    random_seeds: Sequence[int]
    seed: int


@analysis(SENSE)
def analyse(
    corpus: Corpus | Articulation,
    model: SpeechModel,
    *,
    other: str | None = None,
    unit: str = "frames",
    kernel: str = "linear",
    tau: float = 1.0,
    targets: Sequence[str] = TARGETS,
    most: int = 1000,
    window: str = "clip",
    subtract_silence: bool = True,
    resamples: int = 200,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[Cka]:
    """How alike are layers to layers, to another model's, and to what was heard, said or moved?

    `other` names a second model for the columns; without it the layers are compared with each other. An item is one
    of `views.UNITS`; at most `most` of them are drawn. `kernel` is "linear" or "rbf", `tau` its width in root median
    distances. Targets that the corpus does not offer are left out. `window` and `subtract_silence`: see
    `features.of_model`. Raises UserError for fewer than 20 items.
    """
    asked = _Asked(
        other=other,
        unit=unit,
        kernel=kernel,
        tau=tau,
        targets=targets,
        most=most,
        window=window,
        subtract_silence=subtract_silence,
        resamples=resamples,
        random_seeds=tuple(random_seeds),
        seed=seed,
    )
    return (yield from _steps(corpus, model, asked))


def _steps(corpus: Corpus | Articulation, model: SpeechModel, asked: _Asked) -> Steps[Cka]:
    """Trained layers and targets first, then the controls."""
    moved = corpus if isinstance(corpus, Articulation) else None
    corpus = moved.corpus if moved else corpus
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    items = _items(corpus, states, moved, asked)
    columns, other = None, None if asked.other is None else models.load_model(asked.other)
    if other is not None:
        columns = yield from within(_states(corpus, other, asked), 0.3, 0.4)
    yield Step(0.4, "comparing layers")
    targets = _targets(corpus, model, items, moved, asked)
    work = _work((corpus, model), items, asked, states, columns, targets=targets)
    origin = corpus_provenance("cka", corpus, model, **listed(asked), features_note=states.note)
    result = _first(work, states, columns, targets, origin)
    yield Step(0.5, "drawing recordings again", result)
    result = _with_intervals(result, work)
    if asked.subtract_silence:
        yield Step(0.55, "states as they are", result)
        result = yield from within(_with_unsubtracted(result, work, other, states.note), 0.55, 0.6)
    yield Step(0.6, "random weights", result)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.6 + 0.4 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, end)
        result = _with_random(result, work, work.grams(spaces.seen(twin, items)))
        yield Step(end, "random weights", result)
    return result


@dataclass(frozen=True, eq=False)
class _Work:
    """What all the steps share."""

    corpus: Corpus
    model: SpeechModel
    items: Chosen
    asked: _Asked
    layers: Grams
    columns: Grams  # the same as `layers` where there is no other model
    targets: Grams | None  # None where the corpus offers none

    def grams(self, matrices: Sequence[np.ndarray]) -> Grams:
        return kernels.grams(matrices, self.asked.kernel, self.asked.tau)


def _states(corpus: Corpus, model: SpeechModel, asked: _Asked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _items(corpus: Corpus, states: Features, moved: Articulation | None, asked: _Asked) -> Chosen:
    items = spaces.chosen(corpus, states, asked.unit, asked.most, FEWEST, asked.seed)
    kept = spaces.with_movements(items, moved)
    if len(kept) < FEWEST:
        raise UserError(
            f"The sensors were lost at all but {len(kept)} of the chosen {asked.unit}, and CKA needs {FEWEST}; choose "
            "more of them."
        )
    return kept


def _targets(
    corpus: Corpus, model: SpeechModel, items: Chosen, moved: Articulation | None, asked: _Asked
) -> dict[str, np.ndarray]:
    found = {kind: spaces.target(corpus, model, items, kind, moved) for kind in asked.targets}
    return {kind: matrix for kind, matrix in found.items() if matrix is not None}


def _work(
    spoken: tuple[Corpus, SpeechModel], items: Chosen, asked: _Asked, *sides: Features | None, targets: Any
) -> _Work:
    make = partial(kernels.grams, kernel=asked.kernel, tau=asked.tau)
    states, columns = sides
    layers = make(spaces.seen(states, items))
    others = layers if columns is None else make(spaces.seen(columns, items))
    return _Work(*spoken, items, asked, layers, others, make(list(targets.values())) if targets else None)


def _first(
    work: _Work, states: Features, columns: Features | None, targets: dict[str, np.ndarray], provenance: dict[str, Any]
) -> Cka:
    nothing = np.full((len(states.names), len((columns or states).names)), np.nan)
    no_targets = np.full((len(targets), len(states.names)), np.nan)
    rows = len(states.names)
    return Cka(
        unit=work.asked.unit, items=len(work.items), recordings=len(np.unique(work.items.groups)),
        kernel=work.asked.kernel, layers=states.names,
        dims=read_only([layer.shape[1] for layer in states.layers], np.int64),
        other=work.asked.other or work.model.id, columns=(columns or states).names,
        **_numbers(kernels.alignment(work.layers, work.columns)),
        **{name: read_only(nothing) for name in ("low", "high", "null")},
        targets=tuple(targets),
        target_dims=read_only([matrix.shape[1] for matrix in targets.values()], np.int64),
        **(_numbers(kernels.alignment(work.targets, work.layers), "target_") if work.targets else
           {f"target_{name}": read_only(no_targets) for name in ("debiased", "biased", "floor")}),
        **{f"target_{name}": read_only(no_targets) for name in ("low", "high", "null")},
        among=read_only(kernels.alignment(work.targets, work.targets).debiased if work.targets else np.zeros((0, 0))),
        unsubtracted=read_only(np.zeros((0, 0))),
        random=read_only(np.zeros((0, rows, rows))), random_same=read_only(np.zeros((0, rows))),
        random_targets=read_only(np.zeros((0, len(targets), rows))),
        provenance=provenance,
    )  # fmt: skip


def _numbers(found: Alignment, prefix: str = "") -> dict[str, np.ndarray]:
    return {f"{prefix}{name}": read_only(getattr(found, name)) for name in ("debiased", "biased", "floor")}


def _with_intervals(result: Cka, work: _Work) -> Steps[Cka]:
    """How sure each number is, and what chance gives."""
    pairs = {"": (work.layers, work.columns)} | ({"target_": (work.targets, work.layers)} if work.targets else {})
    found = {}
    for prefix, (first, second) in pairs.items():
        options = {"seed": work.asked.seed}
        ends = kernels.interval(first, second, work.items.groups, resamples=work.asked.resamples, **options)
        null = kernels.shifted_null(first, second, shifts=SHIFTS, **options).max(0)
        named = zip(("low", "high", "null"), (*ends, null), strict=True)
        found |= {f"{prefix}{name}": read_only(values) for name, values in named}
    return replace(result, **found)


def _with_unsubtracted(result: Cka, work: _Work, columns: SpeechModel | None, note: str) -> Steps[Cka]:
    """The same comparison of the states as they are, where subtracting changed them."""
    asked = replace(work.asked, subtract_silence=False)
    states = yield from _states(work.corpus, work.model, asked)
    if states.note == note:
        return result
    first = second = work.grams(spaces.seen(states, work.items))
    if columns is not None:
        others = yield from _states(work.corpus, columns, asked)
        second = work.grams(spaces.seen(others, work.items))
    return replace(result, unsubtracted=read_only(kernels.alignment(first, second).debiased))


def _with_random(result: Cka, work: _Work, twin: Grams) -> Cka:
    own = kernels.alignment(twin, twin).debiased
    same = np.diag(kernels.alignment(work.layers, twin).debiased)
    targets = kernels.alignment(work.targets, twin).debiased if work.targets else np.zeros((0, len(result.layers)))
    return replace(
        result,
        random=read_only(np.concatenate([result.random, own[None]])),
        random_same=read_only(np.concatenate([result.random_same, same[None]])),
        random_targets=read_only(np.concatenate([result.random_targets, targets[None]])),
    )
