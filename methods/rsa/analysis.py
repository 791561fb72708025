"""How RSA is computed: how alike the distances of a layer and of a reference are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import FOR_95, analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, read_only
from methods.core.statistics import matching
from methods.rsa import chance, similarity
from methods.rsa import items as rsa_items
from methods.rsa.items import CONFOUNDS, ItemsAsked
from methods.rsa.result import KINDS, Rsa, RsaControls, within_speakers

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
AT_ONCE = 4  # parts of the shuffles of residuals, each a step
SENSE = {
    "unit": tuple(rsa_items.UNITS),
    "references": tuple(rsa_items.REFERENCES),
    "confounds": tuple(rsa_items.REFERENCES),
    "method": tuple(similarity.METHODS),
    "most": (rsa_items.FEWEST, math.inf),
    "shuffles": (FOR_95, math.inf),
}


@dataclass(frozen=True)
class _Options:
    """The options of `analyse`."""

    unit: str
    references: Sequence[str] | None
    method: str
    confounds: Sequence[str]
    other: str | None
    parses: str
    centred: bool
    most: int
    shuffles: int
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    seed: int


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    unit: str = "words",
    references: Sequence[str] | None = None,
    method: str = "pearson",
    confounds: Sequence[str] = CONFOUNDS,
    other: str | None = None,
    parses: str = "",
    centred: bool = True,
    most: int = 150,
    shuffles: int = 1000,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[Rsa]:
    """How well do similarities in each layer agree with other similarities of the same items?

    `unit` is one of `rsa_items.UNITS`; `references` names some of `rsa_items.REFERENCES` (all that the items allow);
    `method` is "pearson" or "spearman"; `confounds` are taken out for the partial correlation. `other` names a second
    model to compare the layers with. `parses` are bracketed trees of the recordings, found by their words (those of
    the bundled prompts come along). `centred` subtracts the items' mean vector before the cosine. `window` and
    `subtract_silence`: see `features.of_model`. Raises UserError for fewer than 10 items.
    """
    asked = _Options(
        unit=unit, references=references, method=method, confounds=confounds, other=other, parses=parses,
        centred=centred, most=most, shuffles=shuffles, window=window, subtract_silence=subtract_silence,
        random_seeds=random_seeds, seed=seed,
    )  # fmt: skip
    items = rsa_items.chosen(corpus, unit, most, parses, seed)
    second = None if other is None else models.load_model(other)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.25)
    columns = states if second is None else (yield from within(_states(corpus, second, asked), 0.25, 0.35))
    yield Step(0.35, "comparing all pairs")
    work = _Work(corpus, model, items, asked, _references(corpus, model, items, asked))
    return (yield from _with_controls(_compared(work, states, columns), work, states))


@dataclass(frozen=True, eq=False)
class _Work:
    """What all the steps share."""

    corpus: Corpus
    model: SpeechModel
    items: ItemsAsked
    asked: _Options
    references: dict[str, np.ndarray]  # all that the items allow, confounds among them

    @property
    def wanted(self) -> list[str]:
        return [name for name in self.references if self.asked.references is None or name in self.asked.references]

    def layers(self, states: Features) -> np.ndarray:
        """(layers, items, items) similarities."""
        return rsa_items.layers(states, self.items, self.asked.centred)

    def pairs(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([similarity.pairs(matrix, self.asked.method) for matrix in matrices])

    def confounds(self, reference: str) -> list[np.ndarray]:
        names = [name for name in self.taken if name != reference]
        return list(self.pairs([self.references[name] for name in names])) if names else []

    def sides(self, rows: np.ndarray, reference: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """The layers' pairs and the reference's, with the confounds taken out of both for "partial"."""
        known = similarity.pairs(self.references[reference], self.asked.method)
        if kind == "whole":
            return rows, known
        taken = self.confounds(reference)
        return similarity.without(rows, taken), similarity.without(known[None], taken)[0]

    def orders(self, reference: str, kind: str) -> tuple[np.ndarray, bool]:
        """Whose items stand in for whose, and whether recordings were so few that items were moved along in them.

        What the speakers are taken out of is shuffled within speakers: two that tell speakers apart, each in its own
        way, still agree when same or other speaker is out of the pairs, and so they must in the shuffles.
        """
        items = self.items.items
        speakers = items.columns["speaker"] if within_speakers(reference, kind, self.taken) else None
        orders = matching.orders(items.utterance, self.asked.shuffles, self.asked.seed, speakers)
        return orders, matching.few(items.utterance, speakers)

    @property
    def taken(self) -> tuple[str, ...]:
        """The confounds that differ between these items."""
        return tuple(name for name in self.asked.confounds if name in self.references)

    def basis(self, reference: str) -> np.ndarray | None:
        """what is taken out of the items for this reference; None: too little would be left."""
        of_items = [name for name in rsa_items.OF_ITEMS if name in self.taken and name != reference]
        return rsa_items.known_of_items(self.items, of_items)

    def residuals(self, states: Features, reference: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The layers' pairs, the reference as a matrix, and what was taken out of both; None: too little is left."""
        basis = self.basis(reference)
        if basis is None:
            return None
        rows = self.pairs(rsa_items.residual_layers(states, self.items, basis))
        return rows, rsa_items.residual_reference(reference, self.references[reference], basis), basis

    def residual(self, states: Features, reference: str) -> np.ndarray:
        """(layers,) correlations of residuals."""
        found = self.residuals(states, reference)
        if found is None:
            return np.full(len(states.names), np.nan)
        return similarity.correlations(found[0], similarity.pairs(found[1], self.asked.method))

    def all_kinds(self, states: Features) -> np.ndarray:
        """(kinds, references, layers) whole and partial correlations, and those of residuals."""
        rows = self.pairs(self.layers(states))
        of_pairs = [
            [similarity.correlations(*self.sides(rows, name, kind)) for name in self.wanted]
            for kind in ("whole", "partial")
        ]
        return np.array([*of_pairs, [self.residual(states, name) for name in self.wanted]])


def _states(corpus: Corpus, model: SpeechModel, asked: _Options) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _references(corpus: Corpus, model: SpeechModel, items: ItemsAsked, asked: _Options) -> dict[str, np.ndarray]:
    if asked.references is not None and not len(asked.references):
        raise UserError(f"No reference was chosen; choose some of {', '.join(rsa_items.REFERENCES)}.")
    found = rsa_items.compared(corpus, model, items)
    if not any(asked.references is None or name in asked.references for name in found):
        raise UserError(
            f"All {len(items)} items are the same in what you ask for ({', '.join(asked.references or ())}); choose "
            f"another reference ({', '.join(found)}) or other recordings."
        )
    return found


def _compared(work: _Work, states: Features, columns: Features) -> Rsa:
    matrices, items, wanted = work.layers(states), work.items.items, work.wanted
    rows = work.pairs(matrices)
    others = rows if columns is states else work.pairs(work.layers(columns))
    whole, partial, residual = work.all_kinds(states)
    shown = matrices[-1] if work.asked.unit == "utterances" else work.references.get("string", matrices[-1])
    shown = work.references.get("class", shown)
    return Rsa(
        unit=work.asked.unit, items=len(items), label=tuple(map(str, items.label)),
        utterance=read_only(items.utterance, np.int64), start=read_only(items.start), end=read_only(items.end),
        method=work.asked.method, layers=states.names, references=tuple(wanted),
        confounds=work.taken,
        whole=read_only(whole), partial=read_only(partial), residual=read_only(residual),
        between=read_only(np.array([similarity.correlations(rows, column) for column in others]).T),
        columns=columns.names, matrices=read_only(matrices, np.float32),
        reference_matrices=read_only([work.references[name] for name in wanted], np.float32),
        order=read_only(similarity.display_order(shown, list(map(str, items.label))), np.int64),
        provenance=corpus_provenance("rsa", work.corpus, work.model, **vars(work.asked), features_note=states.note),
    )  # fmt: skip


def _with_controls(result: Rsa, work: _Work, states: Features) -> Steps[Rsa]:
    """Shuffles and acoustic features, states as they are, and random weights, one after the other."""
    yield Step(0.45, "shuffling the recordings", result)
    null = yield from within(_chance(work, states), 0.45, 0.55)
    controls = RsaControls(**null, baselines=tuple(BASELINES.values()), baseline=_baselines(work))
    yield Step(0.55, "states as they are", replace(result, controls=controls))
    if work.asked.subtract_silence:
        options = replace(work.asked, subtract_silence=False)
        plain = yield from within(_states(work.corpus, work.model, options), 0.55, 0.6)
        if plain.note != states.note:
            controls = replace(controls, unsubtracted=read_only(work.all_kinds(plain)))
    yield Step(0.6, "random weights", replace(result, controls=controls))
    seeds, scores = work.asked.random_seeds, []
    for number, seed in enumerate(seeds):
        begin, end = (0.6 + 0.4 * (number + part) / len(seeds) for part in (0, 1))
        twin = yield from within(_states(work.corpus, models.random_twin(work.model, seed), work.asked), begin, end)
        scores.append(work.all_kinds(twin))
        controls = replace(controls, random=read_only(scores))
        yield Step(end, "random weights", replace(result, controls=controls))
    return replace(result, controls=controls)


def _chance(work: _Work, states: Features) -> Steps[dict[str, np.ndarray]]:
    """What shuffled recordings give."""
    rows, found = work.pairs(work.layers(states)), {}
    counts, few = (np.zeros((len(KINDS), len(work.wanted)), dtype) for dtype in (np.int64, bool))
    for place, kind in enumerate(KINDS):
        bands, shares = [], []
        for number, name in enumerate(work.wanted):
            begin, end = ((place + (number + part) / len(work.wanted)) / len(KINDS) for part in (0, 1))
            orders, few[place, number] = work.orders(name, kind)
            counts[place, number] = len(orders)
            actual, null = yield from within(_null(work, states, rows, (name, kind), orders), begin, end)
            bands.append(chance.band(null))
            shares.append(np.where(np.isnan(actual), np.nan, chance.p_values(actual, null)))
        found |= {f"{kind}_null": read_only(bands), f"{kind}_p": read_only(shares)}
    return found | {"shuffles": read_only(counts, np.int64), "moved_along": read_only(few, bool)}


def _null(
    work: _Work, states: Features, rows: np.ndarray, asked: tuple[str, str], orders: np.ndarray
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """(layers,) correlations with a reference, and (shuffles, layers) those with its recordings shuffled."""
    name, kind = asked
    yield Step(0.0, "shuffling the recordings")
    if kind != "residual":
        mine, known = work.sides(rows, name, kind)
        return similarity.correlations(mine, known), chance.shuffled(mine, known, orders)
    sides = work.residuals(states, name) if len(orders) else None
    if sides is None:
        return np.full(len(rows), np.nan), np.full((len(orders), len(rows)), np.nan)
    actual, null = similarity.correlations(sides[0], similarity.pairs(sides[1], work.asked.method)), []
    for number, some in enumerate(np.array_split(orders, AT_ONCE)):
        yield Step(number / AT_ONCE, "shuffling the recordings")
        null.append(chance.shuffled_residuals(*sides, some, work.asked.method))
    return actual, np.concatenate(null)


def _baselines(work: _Work) -> np.ndarray:
    sounds = [features.acoustic(work.corpus, work.model, kind) for kind in BASELINES]
    return read_only(np.stack([work.all_kinds(sound)[..., 0] for sound in sounds], axis=-1))
