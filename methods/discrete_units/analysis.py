"""How discrete units is computed: states sorted into k-means clusters, and what the clusters hold of phones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.models.speech_model import SpeechModel
from methods.core.models.wav2vec2 import quantiser
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import corpus_provenance, listed, read_only
from methods.core.statistics.k_means import ClusterRecipe
from methods.discrete_units import counts as unit_counts
from methods.discrete_units import information
from methods.discrete_units.counts import Counted, Split
from methods.discrete_units.result import SCORES, DiscreteUnits, DiscreteUnitsControls

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
QUANTISER = "quantiser"  # what the model's own units are called
SENSE = {"units": (2, 500)}


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    units: int = 50,
    recipe: ClusterRecipe = "scaled",
    clip: Clip | None = None,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[DiscreteUnits]:
    """What do the k-means units of each layer, and the model's own if it has a quantiser, tell of phones?

    `units` clusters are learnt from half of each speaker's recordings, drawn with `seed`, and counted on the rest;
    by `recipe` "scaled" every dimension has unit variance first, by "HuBERT" states are taken as they are.
    `clip`, if given, is written in units as well. `window` and `subtract_silence`: see `features.of_model`. Raises
    UserError with fewer than two recordings, fewer frames than units, or no phones.
    """
    asked = _Asked(
        units=units, recipe=recipe, clip=clip, window=window, subtract_silence=subtract_silence,
        random_seeds=random_seeds, seed=seed,
    )  # fmt: skip
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    split = unit_counts.split(corpus, states, seed)
    heard = (yield from _of_clip(corpus, model, clip, asked)) if clip is not None else None
    found = yield from within(_counted(states, heard, split, asked, "trained"), 0.3, 0.5)
    own = _quantised(corpus, model, asked, split)
    result = _result(corpus, model, (states, heard), split, found + ([own] if own else []), asked)
    yield Step(0.5, "acoustic features", result)
    result = replace(result, controls=_baselines(corpus, model, split, asked))
    twins: list[list[Counted]] = []
    for number, random_seed in enumerate(random_seeds):
        begin, end = (0.55 + 0.45 * (number + part) / len(random_seeds) for part in (0, 1))
        who = f"random weights, seed {random_seed}"
        yield Step(begin, who, result)
        steps = _states(corpus, models.random_twin(model, random_seed), asked)
        twin = yield from within(steps, begin, (begin + end) / 2)
        twins.append((yield from within(_counted(twin, None, split, asked, who), (begin + end) / 2, end)))
        result = _with_random(result, twins)
    return result


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    units: int
    recipe: ClusterRecipe
    clip: Clip | None
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    seed: int


def _states(corpus: Corpus, model: SpeechModel, asked: _Asked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _of_clip(corpus: Corpus, model: SpeechModel, clip: Clip, asked: _Asked) -> Steps[Features]:
    alone = replace(corpus, name="clip", utterances=(replace(corpus.utterances[0], clip=clip),))
    return (yield from _states(alone, model, asked))


def _counted(states: Features, heard: Features | None, split: Split, asked: _Asked, who: str) -> Steps[list[Counted]]:
    found = []
    for number, (name, layer) in enumerate(zip(states.names, states.layers, strict=True)):
        yield Step(number / len(states.names), f"learning {asked.units} units of layer {name} ({who})")
        also = heard.layers[number] if heard is not None else None
        found.append(unit_counts.by_k_means(layer, split, asked.units, asked.seed, also, asked.recipe))
    return found


def _quantised(corpus: Corpus, model: SpeechModel, asked: _Asked, split: Split) -> Counted | None:
    """The model's own units, if it has any."""
    if not quantiser.has_quantiser(model):
        return None
    codes = np.concatenate([quantiser.codes(u.clip, model) for u in corpus.utterances])
    also = None if asked.clip is None else quantiser.codes(asked.clip, model)
    return unit_counts.by_codes(codes, split, asked.seed, also)


def _result(
    corpus: Corpus,
    model: SpeechModel,
    both: tuple[Features, Features | None],
    split: Split,
    found: list[Counted],
    asked: _Asked,
) -> DiscreteUnits:
    states, heard = both  # of the corpus, and of the clip
    names = states.names + (QUANTISER,) * (len(found) - len(states.names))
    most = max(counted.table.shape[1] for counted in found)
    counts = np.array([np.pad(c.table, ((0, 0), (0, most - c.table.shape[1]))) for c in found])
    options = listed(asked) | {"clip": asked.clip and asked.clip.name, "clip_sha256": asked.clip and asked.clip.sha256}
    return DiscreteUnits(
        units=asked.units, layers=names, phones=split.phones,
        scores=read_only([counted.scores for counted in found]),
        shuffled=read_only([counted.shuffled.mean(0) for counted in found]),
        shuffled_range=read_only([(counted.shuffled.min(0), counted.shuffled.max(0)) for counted in found]),
        entropy=information.entropy(np.bincount(split.codes[split.test])),
        counts=read_only(counts, np.int64),
        unit_entropy=read_only([information.spread(table) for table in counts]),
        divergence=read_only([information.divergences(table) for table in counts]),
        train_frames=int(split.train.sum()), frames=int(split.test.sum()),
        clip_units=read_only([counted.also for counted in found], np.int64),
        clip_times=read_only([] if heard is None else heard.times),
        clip_step=states.grids[0].step,
        provenance=corpus_provenance("discrete_units", corpus, model, **options, features_note=states.note),
    )  # fmt: skip


def _baselines(corpus: Corpus, model: SpeechModel, split: Split, asked: _Asked) -> DiscreteUnitsControls:
    of_sound = (features.acoustic(corpus, model, kind).layers[0] for kind in BASELINES)
    found = [unit_counts.by_k_means(each, split, asked.units, asked.seed, None, asked.recipe) for each in of_sound]
    return DiscreteUnitsControls(
        baselines=tuple(BASELINES.values()),
        baseline_scores=read_only([counted.scores for counted in found]),
        baseline_shuffled=read_only([counted.shuffled.mean(0) for counted in found]),
    )


def _with_random(result: DiscreteUnits, twins: list[list[Counted]]) -> DiscreteUnits:
    lines = np.full((2, len(twins), len(result.layers), len(SCORES)), np.nan)  # NaN for the quantiser
    for number, found in enumerate(twins):
        lines[0, number, : len(found)] = [counted.scores for counted in found]
        lines[1, number, : len(found)] = [counted.shuffled.mean(0) for counted in found]
    random, shuffled = map(read_only, lines)
    return replace(result, controls=replace(result.controls, random=random, random_shuffled=shuffled))
