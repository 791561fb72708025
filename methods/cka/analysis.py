"""How CKA is computed: layers against layers, against targets, and against the same layer elsewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from methods.cka import kernels, witnesses
from methods.cka.kernels import Grams, KernelAlignment
from methods.cka.result import ESTIMATES, Cka, CkaControls
from methods.core import models
from methods.core.corpus import Corpus, features, spaces
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import Features
from methods.core.corpus.spaces import Chosen
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, read_only

FEWEST = 20  # items; below, not even the debiased value says anything
TARGETS = ("log-mel", "mfcc", "phone", "classes", "articulation")
SENSE = {
    "unit": tuple(spaces.UNITS),
    "kernel": tuple(kernels.KERNELS),
    "targets": tuple(spaces.TARGETS),
    "tau": (0.01, 100),  # beyond, all items are equally alike
    "most": (FEWEST, math.inf),
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
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[Cka]:
    """How alike are layers to layers, to another model's, and to what was heard, said or moved?

    `other` names a second model for the columns; without it the layers are compared with each other. An item is one
    of `spaces.UNITS`; at most `most` of them are drawn. `kernel` is "linear" or "rbf", `tau` its width in root median
    distances. Targets that the corpus does not offer are left out. `window` and `subtract_silence`: see
    `features.of_model`. Raises UserError for fewer than 20 items.
    """
    asked = _Asked(
        other=other, unit=unit, kernel=kernel, tau=tau, targets=targets, most=most, window=window,
        subtract_silence=subtract_silence, random_seeds=random_seeds, seed=seed,
    )  # fmt: skip
    moved = corpus if isinstance(corpus, Articulation) else None
    corpus = moved.corpus if moved else corpus
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    items = _items(corpus, states, moved, asked)
    second = None if other is None else models.load_model(other)
    columns = states if second is None else (yield from within(_states(corpus, second, asked), 0.3, 0.4))
    yield Step(0.4, "comparing layers")
    found = _targets(corpus, model, items, moved, asked)
    work = _Work(corpus, model, second, items, asked, states, columns, found)
    return (yield from _with_controls(_compared(work), work))


@dataclass(frozen=True, eq=False)
class _Work:
    """What all the steps share."""

    corpus: Corpus
    model: SpeechModel
    second: SpeechModel | None  # the model of the columns, if it is another
    items: Chosen
    asked: _Asked
    states: Features
    columns: Features  # the same as `states` where there is no other model
    named_targets: dict[str, np.ndarray]  # (items, dims) each

    @cached_property
    def layers(self) -> Grams:
        return self.grams(spaces.seen(self.states, self.items))

    @cached_property
    def others(self) -> Grams:
        return self.layers if self.second is None else self.grams(spaces.seen(self.columns, self.items))

    @cached_property
    def targets(self) -> Grams | None:
        """None where the corpus offers none."""
        return self.grams(list(self.named_targets.values())) if self.named_targets else None

    def grams(self, matrices: Sequence[np.ndarray]) -> Grams:
        return kernels.grams(matrices, self.asked.kernel, self.asked.tau)

    def without_targets(self) -> np.ndarray:
        """(0, rows) what a comparison with no targets at all gives."""
        return np.zeros((0, len(self.states.names)))


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


def _compared(work: _Work) -> Cka:
    """The layers with the layers and with the targets."""
    states, asked, targets = work.states, work.asked, work.named_targets
    return Cka(
        unit=asked.unit, items=len(work.items), recordings=len(np.unique(work.items.groups)),
        kernel=asked.kernel, layers=states.names,
        dims=read_only([layer.shape[1] for layer in states.layers], np.int64),
        other=asked.other or work.model.id, columns=work.columns.names,
        **_numbers(kernels.alignment(work.layers, work.others)),
        targets=tuple(targets),
        target_dims=read_only([matrix.shape[1] for matrix in targets.values()], np.int64),
        **_target_numbers(work),
        among=read_only(kernels.alignment(work.targets, work.targets).debiased if work.targets else np.zeros((0, 0))),
        provenance=corpus_provenance("cka", work.corpus, work.model, **vars(asked), features_note=states.note),
    )  # fmt: skip


def _target_numbers(work: _Work) -> dict[str, np.ndarray]:
    if work.targets:
        return _numbers(kernels.alignment(work.targets, work.layers), "target_")
    return {f"target_{name}": read_only(work.without_targets()) for name in ESTIMATES}


def _numbers(found: KernelAlignment, prefix: str = "") -> dict[str, np.ndarray]:
    return {f"{prefix}{name}": read_only(getattr(found, name)) for name in ESTIMATES}


def _with_controls(result: Cka, work: _Work) -> Steps[Cka]:
    """Intervals, states as they are, and random weights, one after the other."""
    yield Step(0.45, "leaving out recordings", result)
    result = replace(result, controls=(yield from within(_bounds(work), 0.45, 0.55)))
    if work.asked.subtract_silence:
        yield Step(0.55, "states as they are", result)
        unsubtracted = yield from within(_unsubtracted(work), 0.55, 0.6)
        result = replace(result, controls=replace(result.controls, unsubtracted=unsubtracted))
    yield Step(0.6, "random weights", result)
    seeds, twins = work.asked.random_seeds, []
    for number, seed in enumerate(seeds):
        begin, end = (0.6 + 0.4 * (number + part) / len(seeds) for part in (0, 1))
        states = _states(work.corpus, models.random_twin(work.model, seed), work.asked)
        twin = yield from within(states, begin, end)
        twins.append(_untrained(work, work.grams(spaces.seen(twin, work.items))))
        own, same, targets = (read_only(np.stack(parts)) for parts in zip(*twins, strict=True))
        controls = replace(result.controls, random=own, random_same=same, random_targets=targets)
        result = replace(result, controls=controls)
        yield Step(end, "random weights", result)
    return result


def _bounds(work: _Work) -> Steps[CkaControls]:
    """How sure each number is, and what chance gives."""
    sides = yield from within(_bounds_of(work, work.layers, work.others), 0.0, 0.6)
    targets = (work.without_targets(),) * 3
    if work.targets:
        targets = yield from within(_bounds_of(work, work.targets, work.layers), 0.6, 1.0)
    names = ("low", "high", "null")
    found = zip((*names, *(f"target_{name}" for name in names)), (*sides, *targets), strict=True)
    return CkaControls(**{name: read_only(values) for name, values in found})


def _bounds_of(work: _Work, first: Grams, second: Grams) -> Steps[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Both ends of the interval, and the largest value of recordings that are matched at random."""
    groups = work.items.groups
    ends = witnesses.interval(first, second, groups)
    null = yield from witnesses.matched_in_steps(first, second, groups, work.asked.seed)
    return *ends, null.max(0)


def _unsubtracted(work: _Work) -> Steps[np.ndarray | None]:
    """The same comparison of the states as they are; None where subtracting did not change them."""
    asked = replace(work.asked, subtract_silence=False)
    states = yield from _states(work.corpus, work.model, asked)
    if states.note == work.states.note:
        return None
    first = second = work.grams(spaces.seen(states, work.items))
    if work.second is not None:
        others = yield from _states(work.corpus, work.second, asked)
        second = work.grams(spaces.seen(others, work.items))
    return read_only(kernels.alignment(first, second).debiased)


def _untrained(work: _Work, twin: Grams) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random twin's layers with each other, each with the same layer trained, and with the targets."""
    return (
        kernels.alignment(twin, twin).debiased,
        np.diag(kernels.alignment(work.layers, twin).debiased),
        kernels.alignment(work.targets, twin).debiased if work.targets else work.without_targets(),
    )
