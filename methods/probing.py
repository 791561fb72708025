"""**Which phone, word or speaker is it? How well can a linear probe tell from each layer?**

A probe is a linear classifier that reads one layer's hidden states. It is trained on some recordings and tested on
others, so the curve says how plainly a layer shows what you ask for. Phones are asked one vector per phone (the mean
over its frames) unless you choose the centre frame or every frame.

*How to read it.* Compare the line with its controls, never with 100 %. MFCC and log-mel energies are what a probe can
do without a model; random weights are the same architecture untrained; the dotted line always says the most frequent
class. On the control task each place in a word (or phone with its neighbour; none if nothing finer than the classes is
known) has an arbitrary label: accuracy there is memory, and *selectivity* (accuracy less control accuracy) is what is
left. Bands are 95 % intervals over recordings. Sex and language are split by speaker if there are enough of them.

*What it cannot show.* That something can be read off does not mean that the model uses it. The bundled prompts are one
speaker, share words, and have automatic labels (about ±20 ms): the line for other speakers shows how little of the
score may carry over. A deeper layer with a lower score may hold the same in a form that is not linear.

*Source.* Alain & Bengio 2016 (arXiv 1610.01644); Hewitt & Liang, EMNLP 2019 (arXiv 1909.03368) for control tasks;
English, Kelleher & Carson-Berndsen, SIGMORPHON 2022 (doi 10.18653/v1/2022.sigmorphon-1.9) for phonetic features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import corpus as corpora
from methods.core import diagnostic, draw, features, models, probe_figures, probe_targets
from methods.core.corpus import Corpus
from methods.core.diagnostic import Measured, Plan
from methods.core.errors import UserError
from methods.core.features import Features
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.probe_figures import SCORES
from methods.core.results import Step, Steps, corpus_provenance, finish, read_only, within

LEARNING_SIZES = (3, 5, 10, 20, 40, 80)  # training recordings
FEWEST_OF_A_SPEAKER = 60  # items, for the matrix of speakers
SENSE = {
    "unit": diagnostic.UNITS,
    "probe": diagnostic.KINDS,
    "groups": ("auto", "utterance", "speaker"),
    "transfer": tuple(corpora.CORPORA),
}


@dataclass(frozen=True, eq=False)
class Probing:
    """Held-out scores of one linear probe per layer, with their controls. Shares are between 0 and 1."""

    target: str
    classes: tuple[str, ...]  # (classes,) in alphabetical order
    dropped: tuple[str, ...]  # classes with too few items
    items: int  # phones, words … that were asked about
    layers: tuple[str, ...]
    accuracy: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,) 95 % interval of the accuracy, over recordings
    high: np.ndarray  # (layers,)
    balanced: np.ndarray  # (layers,) mean recall over the classes
    macro_f1: np.ndarray  # (layers,)
    confusion: np.ndarray  # (layers, classes, classes) int, rows: what it was, columns: what the probe said
    control: np.ndarray  # (control seeds, layers) accuracy on control tasks; (0, layers) if no finer type is known
    control_types: str  # what control tasks give a label each, or why there is no control task
    shuffled: np.ndarray  # (layers,) accuracy on shuffled labels
    majority: float  # share of the most frequent class, among frames if those were asked about
    baselines: tuple[str, ...]  # acoustic features
    baseline_scores: np.ndarray  # (baselines, 3) accuracy, balanced accuracy, macro-F1
    random: np.ndarray  # (random seeds so far, 3, layers) the same three with random weights
    other: np.ndarray  # (3, layers) accuracy on other speakers, and its interval; (3, 0) where none were asked
    learning_sizes: np.ndarray  # (sizes,) int, training recordings
    learning: np.ndarray  # (1 + 1, sizes) accuracy of the best layer and of MFCC, ridge probes
    speakers: tuple[str, ...]
    by_speaker: np.ndarray  # (speakers, speakers) trained on the row, tested on the column, best layer, ridge
    weights: np.ndarray  # (layers, dim + 1, classes) probes on all items, intercept last; NaN beyond a layer's dim
    done: bool  # whether the controls are complete
    provenance: dict[str, Any]

    @property
    def best(self) -> int:
        """The layer with the highest accuracy."""
        return int(self.accuracy.argmax())

    @property
    def selectivity(self) -> np.ndarray:
        """(control seeds, layers) accuracy less control accuracy."""
        return self.accuracy - self.control

    def table(self) -> pd.DataFrame:
        """One row per layer, control and score."""
        rows = [
            ("model", layer, score, value)
            for score in (*SCORES, "low", "high", "shuffled")
            for layer, value in zip(self.layers, getattr(self, score), strict=True)
        ]
        rows += [
            (f"control task {seed}", layer, "accuracy", value)
            for seed, line in enumerate(self.control)
            for layer, value in zip(self.layers, line, strict=True)
        ]
        rows += [
            (f"random weights {seed}", layer, score, value)
            for seed, lines in enumerate(self.random)
            for score, line in zip(SCORES, lines, strict=True)
            for layer, value in zip(self.layers, line, strict=True)
        ]
        rows += [
            (name, "", score, value)
            for name, values in zip(self.baselines, self.baseline_scores, strict=True)
            for score, value in zip(SCORES, values, strict=True)
        ]
        rows += [
            ("other speakers", layer, score, value)
            for score, line in zip(("accuracy", "low", "high"), self.other, strict=True)
            for layer, value in zip(self.layers, line, strict=False)  # none where nobody was asked
        ]
        rows.append(("most frequent class", "", "accuracy", self.majority))
        rows += self._learnt()
        return pd.DataFrame(rows, columns=["features", "layer", "score", "value"])

    def _learnt(self) -> list[tuple[str, str, str, float]]:
        """Rows of the learning curves and of the matrix of speakers."""
        layer = self.layers[self.best]
        rows = [
            (name, place, f"accuracy after {size} recordings", value)
            for name, place, line in zip(("model", "MFCC"), (layer, ""), self.learning, strict=True)
            for size, value in zip(self.learning_sizes, line, strict=True)
        ]
        return rows + [
            (f"trained on {name}", layer, f"accuracy on {other}", value)
            for name, line in zip(self.speakers, self.by_speaker, strict=True)
            for other, value in zip(self.speakers, line, strict=True)
        ]


def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    target: str = "phone",
    unit: str = "segments",
    probe: str = "ridge",
    groups: str = "auto",
    transfer: str | None = None,
    layers: Sequence[int] | None = None,
    window: str = "clip",
    subtract_silence: bool = False,
    random_seeds: Sequence[int] = (0, 1, 2),
    control_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Probing:
    """Which layer shows a phone, a feature, a word or a speaker most plainly?

    `target` is one of `probe_targets.TARGETS` or "tier:NAME"; `unit` is "segments" (mean over the frames), "centre"
    or "frames"; `probe` is "ridge" (closed form) or "logistic"; folds are dealt by `groups`, "utterance" or
    "speaker", so that no recording (speaker) is on both sides; "auto": by speaker for sex and language if there are
    enough of each. `transfer` names a bundled corpus of other speakers. `window`, `subtract_silence`: see
    `features.of_model`. Raises UserError if there is too little to train, choose and test on.
    """
    options = {name: value for name, value in locals().items() if name not in ("corpus", "model")}
    return finish(analyse_in_steps(corpus, model, **options))


def analyse_in_steps(corpus: Corpus, model: SpeechModel, **options: Any) -> Steps[Probing]:
    """The same with progress: the trained model and the acoustic baselines first, then random weights and the rest."""
    check_options(analyse, options, SENSE)
    asked = _Asked(**options)
    task = probe_targets.task(corpus, asked.target)
    by, caution = probe_targets.split(task, asked.target, asked.groups, asked.seed)
    controls = asked.control_seeds if task.types is not None else ()
    plan = diagnostic.plan(task, asked.unit, asked.probe, by, controls, asked.seed)
    others, lack = _others(corpus, task.classes, asked)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    yield Step(0.3, "training probes on every layer")
    notes = {"split": by, "split_note": caution, "transfer_note": lack, "features_note": states.note}
    result = _first(corpus, model, states, plan, vars(asked) | notes)
    yield Step(0.35, "training probes on acoustic features", result)
    result = _with_baselines(result, corpus, model, plan)
    yield Step(0.4, "random weights", result)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = 0.4 + 0.5 * number / len(asked.random_seeds), 0.4 + 0.5 * (number + 1) / len(asked.random_seeds)
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, end)
        result = _with_random(result, diagnostic.measure(twin, replace(plan, controls=())))
        yield Step(end, "random weights", result)
    result = _with_learning(result, corpus, model, states, plan)
    yield Step(0.95, "other speakers", result)
    return _with_speakers(result, corpus, model, states, others, asked)


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    target: str = "phone"
    unit: str = "segments"
    probe: str = "ridge"
    groups: str = "auto"
    transfer: str | None = None
    layers: Sequence[int] | None = None
    window: str = "clip"
    subtract_silence: bool = False
    random_seeds: Sequence[int] = (0, 1, 2)
    control_seeds: Sequence[int] = (0, 1, 2)
    seed: int = 0


def _others(corpus: Corpus, classes: tuple[str, ...], asked: _Asked) -> tuple[Corpus | None, str]:
    """The recordings of other speakers to test on, or why there are none."""
    if asked.transfer is None or asked.target in probe_targets.OF_THE_SPEAKER:
        return None, ""
    others = corpora.bundled(asked.transfer)
    if others.sound_sha256 == corpus.sound_sha256:
        return None, f"“{others.name}” is what was trained on, so nobody else was tested"
    if not probe_targets.asks(others, asked.target, classes):
        return None, f"“{others.name}” has fewer than two of these classes, so it was not tested"
    return others, ""


def _states(corpus: Corpus, model: SpeechModel, asked: _Asked) -> Steps[Features]:
    states = yield from features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)
    if asked.layers is None:
        return states
    wrong = [layer for layer in asked.layers if not 0 <= layer < len(states.names)]
    if wrong or not asked.layers:
        raise UserError(
            f"There is no layer {wrong[0] if wrong else '(none was given)'}; this model has layers 0 to "
            f"{len(states.names) - 1}. Give their numbers, or leave the choice empty for all."
        )
    return features.only_layers(states, tuple(asked.layers))


def _first(corpus: Corpus, model: SpeechModel, states: Features, plan: Plan, options: dict[str, Any]) -> Probing:
    measured, task = diagnostic.measure(states, plan), plan.task
    options = options | {"penalties": measured.penalty.tolist()}
    return Probing(
        target=options["target"],
        classes=task.classes,
        dropped=task.dropped,
        items=len(task.items),
        layers=states.names,
        **{name: read_only(getattr(measured, name)) for name in (*SCORES, "low", "high", "control", "shuffled")},
        control_types=task.types_are,
        confusion=read_only(measured.confusion, np.int64),
        majority=float(measured.confusion[0].sum(1).max() / measured.confusion[0].sum()),
        baselines=(),
        baseline_scores=read_only(np.zeros((0, 3))),
        random=read_only(np.zeros((0, 3, len(states.names)))),
        other=read_only(np.zeros((3, 0))),
        learning_sizes=read_only([], np.int64),
        learning=read_only(np.zeros((2, 0))),
        speakers=(),
        by_speaker=read_only(np.zeros((0, 0))),
        weights=read_only(_weights(states, plan, measured)),
        done=False,
        provenance=corpus_provenance("probing", corpus, model, **options),
    )


def _weights(states: Features, plan: Plan, measured: Measured) -> np.ndarray:
    """Probes on all items, with the penalty that was chosen in the folds."""
    layers, item = diagnostic.rows(states, plan.task, plan.unit)
    codes, classes = plan.task.codes[item], len(plan.task.classes)
    kept = np.full((len(layers), max(layer.shape[1] for layer in layers) + 1, classes), np.nan)
    for number, (layer, penalty) in enumerate(zip(layers, measured.penalty, strict=True)):
        probe = diagnostic.fitted(layer, codes, classes, plan.kind, float(penalty))
        kept[number, : layer.shape[1]] = probe.weights
        kept[number, -1] = probe.intercept
    return kept


def _with_baselines(result: Probing, corpus: Corpus, model: SpeechModel, plan: Plan) -> Probing:
    names, scored = ("MFCC", "log-mel"), []
    for kind in ("mfcc", "log-mel"):
        measured = diagnostic.measure(features.acoustic(corpus, model, kind), replace(plan, controls=()))
        scored.append([getattr(measured, score)[0] for score in SCORES])
    return replace(result, baselines=names, baseline_scores=read_only(scored))


def _with_random(result: Probing, measured: Measured) -> Probing:
    lines = np.array([[getattr(measured, score) for score in SCORES]])
    return replace(result, random=read_only(np.concatenate([result.random, lines])))


def _with_learning(result: Probing, corpus: Corpus, model: SpeechModel, states: Features, plan: Plan) -> Probing:
    utterance = plan.task.items.utterance
    fewest = min(len(np.unique(utterance[plan.fold != k])) for k in np.unique(plan.fold))  # to train on, in any fold
    sizes = [size for size in LEARNING_SIZES if size <= fewest]
    lines = []
    for source, layer, penalty in (
        (states, result.best, _ridge_penalty(result)),
        (features.acoustic(corpus, model, "mfcc"), 0, diagnostic.PLAIN_PENALTY),
    ):
        layers, item = diagnostic.rows(source, plan.task, plan.unit)
        lines.append(diagnostic.learning_curve(layers[layer], item, plan, penalty, sizes))
    return replace(result, learning_sizes=read_only(sizes, np.int64), learning=read_only(lines))


def _ridge_penalty(result: Probing) -> float:
    """The best layer's, if ridge was asked for; logistic regression counts penalties in another unit."""
    options = result.provenance["options"]
    return options["penalties"][result.best] if options["probe"] == "ridge" else diagnostic.PLAIN_PENALTY


def _with_speakers(
    result: Probing, corpus: Corpus, model: SpeechModel, states: Features, others: Corpus | None, asked: _Asked
) -> Probing:
    """Trained on this corpus, tested on other speakers; and every speaker against every other."""
    if asked.target in probe_targets.OF_THE_SPEAKER:
        return replace(result, done=True)
    joint = corpus
    if others is not None:
        heard = finish(_states(others, model, asked))
        result = replace(result, other=read_only(_on_others(result, others, heard, asked)))
        joint, states = corpus.joined(others), features.joined(states, heard)
    if len(joint.speakers) < 2:
        return replace(result, done=True)
    task = probe_targets.task(joint, asked.target, classes=result.classes)
    layers, item = diagnostic.rows(states, task, asked.unit)
    best, penalty = layers[result.best], _ridge_penalty(result)
    names, table = diagnostic.between_speakers(best, item, task, penalty, FEWEST_OF_A_SPEAKER)
    return replace(result, speakers=names, by_speaker=read_only(table), done=True)


def _on_others(result: Probing, others: Corpus, heard: Features, asked: _Asked) -> np.ndarray:
    task = probe_targets.task(others, asked.target, classes=result.classes)
    layers, item = diagnostic.rows(heard, task, asked.unit)
    scored = []
    for layer, kept in zip(layers, result.weights, strict=True):
        probe = diagnostic.Probe(kept[: layer.shape[1]], kept[-1])
        scored.append(diagnostic.transferred(probe, layer, task.codes[item], task.items.utterance[item]))
    return np.array(scored).T


def plot(result: Probing, *, score: str = "accuracy", layer: int | None = None) -> Figure:
    """Scores and controls over the layers, selectivity, learning curve, confusions, and speaker against speaker."""
    layer = result.best if layer is None else layer
    figure = draw.new_figure(11.0, 10.0)
    axes = figure.subplots(3, 2, height_ratios=(1, 1, 1.6))
    probe_figures.draw_scores(axes[0, 0], result, score)
    probe_figures.draw_selectivity(axes[0, 1], result)
    if len(result.learning_sizes):
        probe_figures.draw_learning(axes[1, 0], result)
    if len(result.speakers):
        probe_figures.draw_matrix(axes[1, 1], result.by_speaker, result.speakers, ("tested on", "trained on"))
    probe_figures.draw_confusion(axes[2, 0], result, layer)
    for ax in (axes[0, 1], axes[1, 0], axes[1, 1], axes[2, 1]):
        ax.set_visible(bool(ax.has_data() or ax.texts))
    return figure
