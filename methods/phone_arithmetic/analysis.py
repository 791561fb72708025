"""How phone arithmetic is computed: means of halves of the recordings, sums of them, and the same of every control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items, at_least, phone_items, phone_reading
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, listed, read_only
from methods.core.statistics import intervals
from methods.core.statistics.intervals import Parts
from methods.phone_arithmetic import arithmetic
from methods.phone_arithmetic.arithmetic import Totals
from methods.phone_arithmetic.contrasts import KINDS, analogies
from methods.phone_arithmetic.result import ArithmeticControls, PhoneArithmetic

EXAMPLES = 2  # of each phone, to listen to
FEWEST_RECORDINGS = 4
SENSE = {
    "kinds": KINDS,
    "fewest": (2, math.inf),
    "splits": (1, math.inf),
    "shuffles": (1, math.inf),
    "window": features.WINDOWS,
}


@dataclass(frozen=True)
class ArithmeticAsked:
    """The options of `analyse`."""

    kinds: str
    fewest: int
    splits: int
    shuffles: int
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    seed: int


@dataclass(frozen=True, eq=False)
class Scene:
    """What is the same for every network: the phones, the sums, and the halves."""

    items: Items
    phones: tuple[str, ...]
    phone: np.ndarray  # (tokens,) int
    recording: np.ndarray  # (tokens,) int
    sums: np.ndarray  # (n, 4) int
    contrasts: tuple[str, ...]
    halves: np.ndarray  # (splits, recordings) bool


@dataclass(frozen=True, eq=False)
class LayerScore:
    """What one layer gives."""

    right: np.ndarray  # (n,)
    ranks: np.ndarray  # (n,)
    nearest: np.ndarray  # (n,) int
    consistency: float


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    kinds: str = "consonants",
    fewest: int = 10,
    splits: int = 10,
    shuffles: int = 20,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[PhoneArithmetic]:
    """How often is the mean state of [d] - [t] + [p] nearest to that of [b], layer by layer?

    `kinds` are "consonants", "vowels" or "all"; phones with fewer than `fewest` tokens are left out. The recordings
    are halved `splits` times with `seed`: sums are made of one half and looked up in the other, both ways. `shuffles`
    is how often the names of the phones are dealt anew as a control. `window` and `subtract_silence`: see
    `features.of_model`. Raises UserError where there are too few recordings, phones, or pairs of pairs.

    Source: arXiv 2602.18899; consistency after Fournier, Dupoux & Dunbar 2020, 10.18653/v1/2020.conll-1.29.
    """
    asked = ArithmeticAsked(kinds, fewest, splits, shuffles, window, subtract_silence, tuple(random_seeds), seed)
    scene = scene_of(corpus, asked)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    result = yield from _result(corpus, model, states, scene, asked)
    yield Step(0.5, "MFCC", result)
    (mfcc,) = features.pooled(features.acoustic(corpus, model, "mfcc"), scene.items)
    score = score_layer(mfcc, scene)
    known = ArithmeticControls(mfcc_found=float(score.right.mean()), mfcc_consistency=score.consistency)
    result, found = replace(result, controls=known), []
    for number, each in enumerate(random_seeds):
        begin, end = (0.5 + 0.5 * (number + part) / len(random_seeds) for part in (0, 1))
        yield Step(begin, f"random weights, seed {each}", result)
        places = yield from within(_states(corpus, models.random_twin(model, each), asked), begin, end)
        scores = [score_layer(layer, scene) for layer in features.pooled(places, scene.items)]
        found.append([[s.right.mean(), s.ranks.mean(), s.consistency] for s in scores])
        by_score = [read_only(values) for values in np.moveaxis(np.array(found), -1, 0)]
        result = replace(result, controls=replace(known, **dict(zip(
            ("random_found", "random_rank", "random_consistency"), by_score, strict=True))))  # fmt: skip
    return result


def _states(corpus: Corpus, model: SpeechModel, asked: ArithmeticAsked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def scene_of(corpus: Corpus, asked: ArithmeticAsked) -> Scene:
    """The phones that are there often enough, the sums that they allow, and halves of the recordings."""
    items, known = phone_items(corpus), phone_reading(corpus)
    items = at_least(
        items.labelled(np.array([known.of(str(label)) for label in items.label], dtype=str)), asked.fewest
    )
    numbers, recording = np.unique(items.utterance, return_inverse=True)
    if len(numbers) < FEWEST_RECORDINGS:
        raise UserError(
            f"There are {len(numbers)} recordings with phones that are frequent enough, and halves of them are "
            f"compared: it takes {FEWEST_RECORDINGS}; choose a corpus of more recordings."
        )
    chosen = analogies(items.label, asked.kinds)
    phones = tuple(sorted({phone for each in chosen for phone in each.phones}))
    if not chosen or len(phones) < 5:
        raise UserError(
            f"Among the phones with at least {asked.fewest} tokens no two pairs differ in the same one feature, or "
            "there is nothing else to choose from; give more speech, or ask for fewer tokens."
        )
    kept = np.isin(items.label, phones)
    items, recording = items.only(kept), recording[kept]
    phone = np.searchsorted(phones, items.label)
    counts = Totals.of(np.zeros((len(items), 1)), phone, recording).counts
    halves = arithmetic.halves(counts, asked.splits, asked.seed)
    if not len(halves):
        raise UserError(
            "The recordings cannot be halved so that every phone is on both sides; ask for phones with more tokens."
        )
    sums = np.array([[phones.index(name) for name in each.phones] for each in chosen])
    return Scene(items, phones, phone, recording, sums, tuple(each.contrast for each in chosen), halves)


def score_layer(states: np.ndarray, scene: Scene) -> LayerScore:
    """The sums of one layer's (tokens, dim) states."""
    totals = Totals.of(states, scene.phone, scene.recording)
    placed = _placed(totals, scene)
    answers = placed[:, np.arange(len(scene.sums)), scene.sums[:, 3]]
    return LayerScore(
        right=(answers == 1).mean(0),
        ranks=answers.mean(0),
        nearest=(placed == 1).sum(0).argmax(-1),
        consistency=arithmetic.consistency(totals.means(np.ones(len(totals.sums), bool)), scene.sums),
    )


def _placed(totals: Totals, scene: Scene, sums: np.ndarray | None = None, offset: bool = True) -> np.ndarray:
    """(2 splits, n, phones) the place of each phone, in both directions of every half."""
    found = []
    for half in scene.halves:
        one, other = totals.means(half), totals.means(~half)
        for query, answers in ((one, other), (other, one)):
            found.append(arithmetic.ranks(query, answers, scene.sums if sums is None else sums, offset))
    return np.stack(found)


def _share(totals: Totals, scene: Scene, sums: np.ndarray | None = None, offset: bool = True) -> float:
    """Share of the sums whose answer is the nearest; those are passed over whose phones are not in both halves."""
    chosen = scene.sums if sums is None else sums
    answers = _placed(totals, scene, chosen, offset)[:, np.arange(len(chosen)), chosen[:, 3]]
    known = np.isfinite(answers)
    return float((answers == 1)[known].mean()) if known.any() else float("nan")


def _result(
    corpus: Corpus, model: SpeechModel, states: Features, scene: Scene, asked: ArithmeticAsked
) -> Steps[PhoneArithmetic]:
    scores, lows, alone, shuffled, planes = [], [], [], [], []
    random = np.random.default_rng(asked.seed)
    dealt = [random.permutation(len(scene.phones)) for _ in range(asked.shuffles)]
    parts = Parts.of(np.arange(scene.recording.max() + 1), seed=asked.seed)
    for number, layer in enumerate(features.pooled(states, scene.items)):
        yield Step(0.3 + 0.2 * number / len(states.names), f"layer {states.names[number]}")
        totals = Totals.of(layer, scene.phone, scene.recording)
        scores.append(score_layer(layer, scene))
        left = [_share(_without(totals, parts.part == part), scene) for part in range(parts.count)]
        share = float(scores[-1].right.mean())
        lows.append(intervals.of_share(share, parts.interval(share, left), int(parts.groups.sum())))
        alone.append(_share(totals, scene, offset=False))
        shuffled.append([_share(totals, scene, names[scene.sums]) for names in dealt])
        means = totals.means(np.ones(len(totals.sums), bool))
        planes.append([arithmetic.plane(means, each) for each in scene.sums])
    low, high = np.array(lows).T
    examples = _examples(scene)
    return PhoneArithmetic(
        layers=states.names, phones=scene.phones, contrasts=scene.contrasts,
        counts=read_only(np.bincount(scene.phone), np.int64), analogies=read_only(scene.sums, np.int64),
        right=read_only([score.right for score in scores]), ranks=read_only([score.ranks for score in scores]),
        nearest=read_only([score.nearest for score in scores], np.int64), low=read_only(low), high=read_only(high),
        consistency=read_only([score.consistency for score in scores]), alone=read_only(alone),
        shuffled=read_only(np.array(shuffled).T),
        planes=read_only([[points for points, _ in layer] for layer in planes], np.float32),
        shown=read_only([[share for _, share in layer] for layer in planes]),
        utterance=read_only(examples[0], np.int64), start=read_only(examples[1]), end=read_only(examples[2]),
        splits=len(scene.halves),
        provenance=corpus_provenance("phone arithmetic", corpus, model, **listed(asked), features_note=states.note),
    )  # fmt: skip


def _without(totals: Totals, gone: np.ndarray) -> Totals:
    """The same without the recordings of a mask."""
    kept = ~gone[:, None]
    return Totals(totals.sums * kept[..., None], totals.counts * kept)


def _examples(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(phones, EXAMPLES) recording, start and end of the longest tokens of each phone, of different recordings."""
    shape, items = (len(scene.phones), EXAMPLES), scene.items
    utterance, start, end = np.full(shape, -1), np.full(shape, np.nan), np.full(shape, np.nan)
    for phone in range(shape[0]):
        mine = np.flatnonzero(scene.phone == phone)
        mine = mine[np.argsort(-(items.end - items.start)[mine], kind="stable")]
        _, first = np.unique(items.utterance[mine], return_index=True)
        for place, token in enumerate(mine[np.sort(first)][:EXAMPLES]):
            utterance[phone, place], start[phone, place] = items.utterance[token], items.start[token]
            end[phone, place] = items.end[token]
    return utterance, start, end
