"""How probing is computed: a linear probe for each layer, with its control tasks and baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core import corpus as corpora
from methods.core import models
from methods.core.corpus import Corpus, features, labels
from methods.core.corpus.features import Features
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, finish, within
from methods.core.results import Provenance, corpus_provenance, listed, read_only
from methods.core.statistics import linear_probe
from methods.probing import probes
from methods.probing.probes import Measured, Plan
from methods.probing.result import SCORES, Probing, ProbingControls

LEARNING_SIZES = (3, 5, 10, 20, 40, 80)  # training recordings
FEWEST_OF_A_SPEAKER = 60  # items, for the matrix of speakers
SENSE = {
    "unit": probes.UNITS,
    "probe": probes.KINDS,
    "groups": ("auto", "utterance", "speaker"),
    "transfer": tuple(corpora.CORPORA),
}


@analysis(SENSE)
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
) -> Steps[Probing]:
    """Which layer shows a phone, a feature, a word or a speaker most plainly?

    `target` is one of `corpus.labels.TARGETS` or "tier:NAME"; `unit` is "segments" (mean over the frames), "centre"
    or "frames"; `probe` is "ridge" (closed form) or "logistic"; folds are dealt by `groups`, "utterance" or
    "speaker", so that no recording (speaker) is on both sides; "auto": by speaker for sex and language if there are
    enough of each. `transfer` names a bundled corpus of other speakers. `window`, `subtract_silence`: see
    `features.of_model`. Raises UserError if there is too little to train, choose and test on.
    """
    asked = _Asked(
        target=target, unit=unit, probe=probe, groups=groups, transfer=transfer, layers=layers, window=window,
        subtract_silence=subtract_silence, random_seeds=random_seeds, control_seeds=control_seeds, seed=seed,
    )  # fmt: skip
    task = labels.task(corpus, target)
    by, caution = labels.split(task, target, groups, seed)
    plan = probes.plan(task, unit, probe, by, control_seeds if task.types is not None else (), seed)
    others, lack = _others(corpus, task.classes, asked)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    yield Step(0.3, "training probes on every layer")
    measured = probes.measure(states, plan)
    notes = {"split": by, "split_note": caution, "transfer_note": lack, "features_note": states.note}
    options = listed(asked) | notes | {"penalties": measured.penalty.tolist()}
    result = _result(states, plan, measured, corpus_provenance("probing", corpus, model, **options))
    yield Step(0.35, "training probes on acoustic features", result)
    result = replace(result, controls=_baselines(corpus, model, plan))
    result = yield from _with_random(result, corpus, model, plan, asked)
    result = _with_learning(result, corpus, model, states, plan)
    yield Step(0.95, "other speakers", result)
    return _with_speakers(result, corpus, model, states, others, asked)


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    target: str
    unit: str
    probe: str
    groups: str
    transfer: str | None
    layers: Sequence[int] | None
    window: str
    subtract_silence: bool
    random_seeds: Sequence[int]
    control_seeds: Sequence[int]
    seed: int


def _others(corpus: Corpus, classes: tuple[str, ...], asked: _Asked) -> tuple[Corpus | None, str]:
    """The recordings of other speakers to test on, or why there are none."""
    if asked.transfer is None or asked.target in labels.OF_THE_SPEAKER:
        return None, ""
    others = corpora.bundled(asked.transfer)
    if others.sound_sha256 == corpus.sound_sha256:
        return None, f"“{others.name}” is what was trained on, so nobody else was tested"
    if not labels.asks(others, asked.target, classes):
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


def _result(states: Features, plan: Plan, measured: Measured, origin: Provenance) -> Probing:
    task = plan.task
    return Probing(
        target=origin["options"]["target"],
        classes=task.classes,
        dropped=task.dropped,
        items=len(task.items),
        layers=states.names,
        **{name: read_only(getattr(measured, name)) for name in (*SCORES, "low", "high", "control", "shuffled")},
        control_types=task.types_are,
        confusion=read_only(measured.confusion, np.int64),
        majority=float(measured.confusion[0].sum(1).max() / measured.confusion[0].sum()),
        weights=read_only(_weights(states, plan, measured)),
        provenance=origin,
    )


def _weights(states: Features, plan: Plan, measured: Measured) -> np.ndarray:
    """Probes on all items, with the penalty that was chosen in the folds."""
    layers, item = probes.rows(states, plan.task, plan.unit)
    codes, classes = plan.task.codes[item], len(plan.task.classes)
    kept = np.full((len(layers), max(layer.shape[1] for layer in layers) + 1, classes), np.nan)
    for number, (layer, penalty) in enumerate(zip(layers, measured.penalty, strict=True)):
        probe = probes.fitted(layer, codes, classes, plan.kind, float(penalty))
        kept[number, : layer.shape[1]] = probe.weights
        kept[number, -1] = probe.intercept
    return kept


def _baselines(corpus: Corpus, model: SpeechModel, plan: Plan) -> ProbingControls:
    scored = []
    for kind in ("mfcc", "log-mel"):
        measured = probes.measure(features.acoustic(corpus, model, kind), replace(plan, controls=()))
        scored.append([getattr(measured, score)[0] for score in SCORES])
    return ProbingControls(baselines=("MFCC", "log-mel"), baseline_scores=read_only(scored))


def _with_random(result: Probing, corpus: Corpus, model: SpeechModel, plan: Plan, asked: _Asked) -> Steps[Probing]:
    yield Step(0.4, "random weights", result)
    lines = []
    for number, seed in enumerate(asked.random_seeds):
        begin, end = 0.4 + 0.5 * number / len(asked.random_seeds), 0.4 + 0.5 * (number + 1) / len(asked.random_seeds)
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, end)
        measured = probes.measure(twin, replace(plan, controls=()))
        lines.append([getattr(measured, score) for score in SCORES])
        result = _with(result, random=read_only(lines))
        yield Step(end, "random weights", result)
    return result


def _with(result: Probing, **found: np.ndarray | tuple[str, ...]) -> Probing:
    """The same with more of its controls."""
    return replace(result, controls=replace(result.controls, **found))


def _with_learning(result: Probing, corpus: Corpus, model: SpeechModel, states: Features, plan: Plan) -> Probing:
    utterance = plan.task.items.utterance
    fewest = min(len(np.unique(utterance[plan.fold != k])) for k in np.unique(plan.fold))  # to train on, in any fold
    sizes = [size for size in LEARNING_SIZES if size <= fewest]
    lines = []
    for source, layer, penalty in (
        (states, result.best, _ridge_penalty(result)),
        (features.acoustic(corpus, model, "mfcc"), 0, probes.PLAIN_PENALTY),
    ):
        layers, item = probes.rows(source, plan.task, plan.unit)
        lines.append(probes.learning_curve(layers[layer], item, plan, penalty, sizes))
    return _with(result, learning_sizes=read_only(sizes, np.int64), learning=read_only(lines))


def _ridge_penalty(result: Probing) -> float:
    """The best layer's, if ridge was asked for; logistic regression counts penalties in another unit."""
    options = result.provenance["options"]
    return options["penalties"][result.best] if options["probe"] == "ridge" else probes.PLAIN_PENALTY


def _with_speakers(
    result: Probing, corpus: Corpus, model: SpeechModel, states: Features, others: Corpus | None, asked: _Asked
) -> Probing:
    """Trained on this corpus, tested on other speakers; and every speaker against every other."""
    if asked.target in labels.OF_THE_SPEAKER:
        return result
    joint = corpus
    if others is not None:
        heard = finish(_states(others, model, asked))
        result = _with(result, other=read_only(_on_others(result, others, heard, asked)))
        joint, states = corpus.joined(others), features.joined(states, heard)
    if len(joint.speakers) < 2:
        return result
    task = labels.task(joint, asked.target, classes=result.classes)
    layers, item = probes.rows(states, task, asked.unit)
    best, penalty = layers[result.best], _ridge_penalty(result)
    names, table = probes.between_speakers(best, item, task, penalty, FEWEST_OF_A_SPEAKER)
    return _with(result, speakers=names, by_speaker=read_only(table))


def _on_others(result: Probing, others: Corpus, heard: Features, asked: _Asked) -> np.ndarray:
    task = labels.task(others, asked.target, classes=result.classes)
    layers, item = probes.rows(heard, task, asked.unit)
    scored = []
    for layer, kept in zip(layers, result.weights, strict=True):
        probe = linear_probe.Probe(kept[: layer.shape[1]], kept[-1])
        scored.append(probes.transferred(probe, layer, task.codes[item], task.items.utterance[item]))
    return np.array(scored).T
