"""**If a layer's sounds are sorted into a few dozen drawers, do the drawers hold phones?**

K-means sorts the frames of each layer into *units*, as HuBERT does to make its training targets. It learns from half
of the recordings, without labels; everything below is counted on the other half. A wav2vec 2.0 checkpoint that still
has its quantiser brings units of its own.

*How to read it.* Mutual information says how many bits a frame's unit tells of its phone; PNMI divides by all there
is to tell. *Phone purity* is the share of frames that a unit's commonest phone gets right, *cluster purity* the share
that a phone's commonest unit catches: more units raise the first and lower the second, so compare layers, never
numbers of units. With many units and few phones all of these rise by themselves, and only what lies above the
shuffled line counts: the same count with the labels of whole phones dealt out anew, the mean of 20 (of single frames
it would be too low, for a phone's frames share a unit because both last). Chance tops the highest of the 20, the
band's upper edge, once in 21 times. Random weights, MFCC and log-mel have shuffled lines of their own, in the CSV. The
tree joins phones that use the same units (square root of the Jensen-Shannon divergence, average linkage). Above it,
the units run under the clip: press one to hear it.

*What it cannot show.* Units are no phonemes: one phone usually takes several, and sounds that vary take more. Frames
near a boundary belong to one phone by the label alone. Labels are automatic (about ±20 ms). Two numbers of bits from
different recordings have different maxima.

*Source.* Hsu et al. 2021 (arXiv 2106.07447) for units, purities and PNMI; Pasad, Chou & Livescu, ASRU 2021 (arXiv
2107.04734) for mutual information over layers; Abdullah et al., Interspeech 2023 (arXiv 2306.02405) for the tree;
Baevski et al. 2020 (arXiv 2006.11477) for the quantiser.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import draw, features, information, models, models_quantiser, unit_counts, unit_figures
from methods.core.audio import Clip
from methods.core.corpus import Corpus
from methods.core.features import Features
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.results import Step, Steps, corpus_provenance, finish, read_only, within
from methods.core.unit_counts import Counted, Split

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
QUANTISER = "quantiser"  # what the model's own units are called
SCORES = ("mutual information", "PNMI", "phone purity", "cluster purity")
VISIBLE = 0.02  # PNMI; where chance alone gives more, a score must not be read from zero
SHUFFLED = "shuffled phones"
SENSE = {"units": (2, 500)}


@dataclass(frozen=True, eq=False)
class DiscreteUnits:
    """What the units of every layer tell of phones, with controls."""

    units: int  # of k-means
    layers: tuple[str, ...]  # the last one may be QUANTISER
    phones: tuple[str, ...]
    scores: np.ndarray  # (layers, 4) the numbers of SCORES: bits, and three shares
    shuffled: np.ndarray  # (layers, 4) the same with the labels of whole phones shuffled, mean of 20
    shuffled_range: np.ndarray  # (layers, 2, 4) lowest and highest of these 20
    entropy: float  # bits of the phones: the most that mutual information can be
    counts: np.ndarray  # (layers, phones, most units) int: evaluation frames of each phone in each unit
    unit_entropy: np.ndarray  # (layers, phones) bits: over how many units a phone is spread
    divergence: np.ndarray  # (layers, phones, phones) Jensen-Shannon divergence of their units, bits, 0 to 1
    train_frames: int
    frames: int  # that were counted
    baselines: tuple[str, ...]
    baseline_scores: np.ndarray  # (baselines, 4)
    baseline_shuffled: np.ndarray  # (baselines, 4) mean of 20
    random: np.ndarray  # (random seeds so far, layers, 4); the quantiser has none: NaN
    random_shuffled: np.ndarray  # (random seeds so far, layers, 4) mean of 20
    clip_units: np.ndarray  # (layers, clip frames) int, units of the clip; (layers, 0) without a clip
    clip_times: np.ndarray  # (clip frames,) s, their centres
    clip_step: float  # s between them
    done: bool  # whether the controls are complete
    provenance: dict[str, Any]

    @property
    def best(self) -> int:
        """The layer with the highest PNMI above shuffled phones."""
        return int((self.scores[:, 1] - self.shuffled[:, 1]).argmax())

    def few(self, layer: int) -> bool:
        """Whether there are so few phones for so many units that chance alone makes a visible part of the score."""
        return bool(self.shuffled[layer, 1] > VISIBLE)

    def table(self) -> pd.DataFrame:
        """One row per layer, control and score; then counts of frames by phone and unit."""
        lowest, highest = self.shuffled_range[:, 0], self.shuffled_range[:, 1]
        kinds = {"model": self.scores, SHUFFLED: self.shuffled,
                 f"{SHUFFLED}, lowest": lowest, f"{SHUFFLED}, highest": highest}  # fmt: skip
        for seed, (found, null) in enumerate(zip(self.random, self.random_shuffled, strict=True)):
            kinds |= {f"random weights {seed}": found, f"random weights {seed}, {SHUFFLED}": null}
        rows = [
            (kind, layer, name, "", "", values[n, s])
            for kind, values in kinds.items()
            for n, layer in enumerate(self.layers)
            for s, name in enumerate(SCORES)
            if not (kind.startswith("random") and np.isnan(values[n, s]))
        ]
        for suffix, values in (("", self.baseline_scores), (f", {SHUFFLED}", self.baseline_shuffled)):
            rows += [(self.baselines[n] + suffix, "", SCORES[s], "", "", v) for (n, s), v in np.ndenumerate(values)]
        rows += [
            ("model", self.layers[n], "frames", self.phones[p], str(unit), value)
            for (n, p, unit), value in np.ndenumerate(self.counts)
            if value
        ]
        return pd.DataFrame(rows, columns=["features", "layer", "score", "phone", "unit", "value"])


def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    units: int = 50,
    clip: Clip | None = None,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> DiscreteUnits:
    """What do the k-means units of each layer, and the model's own if it has a quantiser, tell of phones?

    `units` clusters are learnt from half of each speaker's recordings, drawn with `seed`, and counted on the rest.
    `clip`, if given, is written in units as well. `window` and `subtract_silence`: see `features.of_model`. Raises
    UserError with fewer than two recordings, fewer frames than units, or no phones.
    """
    options = {name: value for name, value in locals().items() if name not in ("corpus", "model")}
    return finish(analyse_in_steps(corpus, model, **options))


def analyse_in_steps(corpus: Corpus, model: SpeechModel, **options: Any) -> Steps[DiscreteUnits]:
    """The same with progress: the trained model first, then acoustic features and random weights."""
    check_options(analyse, options, SENSE)
    asked = _Asked(**options)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    split = unit_counts.split(corpus, states, asked.seed)
    heard = (yield from _of_clip(corpus, model, asked)) if asked.clip is not None else None
    found = yield from within(_counted(states, heard, split, asked, "trained"), 0.3, 0.5)
    own = _quantised(corpus, model, asked, split)
    result = _first(corpus, model, (states, heard), split, found + ([own] if own else []), asked)
    yield Step(0.5, "acoustic features", result)
    result = _with_baselines(result, corpus, model, split, asked)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.55 + 0.45 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        yield Step(begin, f"random weights, seed {seed}", result)
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, (begin + end) / 2)
        who = f"random weights, seed {seed}"
        found = yield from within(_counted(twin, None, split, asked, who), (begin + end) / 2, end)
        result = _with_random(result, found)
    return replace(result, done=True)


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    units: int = 50
    clip: Clip | None = None
    window: str = "clip"
    subtract_silence: bool = True
    random_seeds: Sequence[int] = (0, 1, 2)
    seed: int = 0


def _states(corpus: Corpus, model: SpeechModel, asked: _Asked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _of_clip(corpus: Corpus, model: SpeechModel, asked: _Asked) -> Steps[Features]:
    alone = replace(corpus, name="clip", utterances=(replace(corpus.utterances[0], clip=asked.clip),))
    return (yield from _states(alone, model, asked))


def _counted(states: Features, heard: Features | None, split: Split, asked: _Asked, who: str) -> Steps[list[Counted]]:
    found = []
    for number, (name, layer) in enumerate(zip(states.names, states.layers, strict=True)):
        yield Step(number / len(states.names), f"learning {asked.units} units of layer {name} ({who})")
        also = heard.layers[number] if heard is not None else None
        found.append(unit_counts.by_k_means(layer, split, asked.units, asked.seed, also))
    return found


def _quantised(corpus: Corpus, model: SpeechModel, asked: _Asked, split: Split) -> Counted | None:
    """The model's own units, if it has any."""
    if not models_quantiser.has_quantiser(model):
        return None
    codes = np.concatenate([models_quantiser.codes(u.clip, model) for u in corpus.utterances])
    also = None if asked.clip is None else models_quantiser.codes(asked.clip, model)
    return unit_counts.by_codes(codes, split, asked.seed, also)


def _first(
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
    clip = {"clip": asked.clip and asked.clip.name, "clip_sha256": asked.clip and asked.clip.sha256}
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
        baselines=(), baseline_scores=read_only(np.zeros((0, len(SCORES)))),
        baseline_shuffled=read_only(np.zeros((0, len(SCORES)))),
        random=read_only(np.zeros((0, len(names), len(SCORES)))),
        random_shuffled=read_only(np.zeros((0, len(names), len(SCORES)))),
        clip_units=read_only([counted.also for counted in found], np.int64),
        clip_times=read_only([] if heard is None else heard.times),
        clip_step=states.grids[0].step, done=False,
        provenance=corpus_provenance("discrete_units", corpus, model, **vars(asked) | clip, features_note=states.note),
    )  # fmt: skip


def _with_baselines(
    result: DiscreteUnits, corpus: Corpus, model: SpeechModel, split: Split, asked: _Asked
) -> DiscreteUnits:
    found = [
        unit_counts.by_k_means(features.acoustic(corpus, model, kind).layers[0], split, asked.units, asked.seed)
        for kind in BASELINES
    ]
    return replace(
        result,
        baselines=tuple(BASELINES.values()),
        baseline_scores=read_only([counted.scores for counted in found]),
        baseline_shuffled=read_only([counted.shuffled.mean(0) for counted in found]),
    )


def _with_random(result: DiscreteUnits, found: list[Counted]) -> DiscreteUnits:
    lines = np.full((2, 1, len(result.layers), len(SCORES)), np.nan)
    lines[0, 0, : len(found)] = [counted.scores for counted in found]
    lines[1, 0, : len(found)] = [counted.shuffled.mean(0) for counted in found]
    return replace(
        result,
        random=read_only(np.concatenate([result.random, lines[0]])),
        random_shuffled=read_only(np.concatenate([result.random_shuffled, lines[1]])),
    )


def plot(result: DiscreteUnits, *, score: int = 1, layer: int | None = None) -> Figure:
    """One score over the layers with its controls, and phones by units, divergences and tree of one layer."""
    layer = result.best if layer is None else layer
    figure = draw.new_figure(12.0, 11.0)
    axes = figure.subplot_mosaic([["scores", "tree"], ["counts", "divergence"]], height_ratios=(1, 1.5))
    unit_figures.draw_scores(axes["scores"], result, score)
    unit_figures.draw_tree(axes["tree"], result, layer)
    unit_figures.draw_counts(axes["counts"], result, layer)
    unit_figures.draw_divergence(axes["divergence"], result, layer)
    return figure
