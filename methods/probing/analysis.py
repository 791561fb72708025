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
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, corpus_provenance, listed, read_only
from methods.core.statistics import intervals, linear_probe
from methods.probing import probes, transfer
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
    measured = yield from within(probes.measure(states, plan), 0.3, 0.4)
    notes = {"split": by, "split_note": caution, "transfer_note": lack, "features_note": states.note}
    notes["interval_note"] = intervals.note(len(np.unique(plan.group)), _of(by), probe == "ridge")
    options = listed(asked) | notes | {"penalties": measured.penalty.tolist()}
    weights = yield from within(_weights(states, plan, measured), 0.4, 0.42)
    result = _result(plan, measured, weights, corpus_provenance("probing", corpus, model, **options))
    baselines = yield from within(_baselines(corpus, model, plan), 0.42, 0.45, result)
    result = replace(result, controls=baselines)
    result = yield from _with_random(result, corpus, model, plan, asked)
    result = yield from within(_with_learning(result, corpus, model, states, plan), 0.9, 0.95)
    return (yield from within(_with_speakers(result, corpus, model, states, others, asked), 0.95, 1.0, result))


def _of(by: str) -> str:
    """What is dealt as a whole, in words."""
    return {"utterance": "recordings", "speaker": "speakers"}[by]


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


def _result(plan: Plan, measured: Measured, weights: np.ndarray, origin: Provenance) -> Probing:
    task = plan.task
    of_layers = (*SCORES, "low", "high", "control", "learnable_accuracy", "shuffled")
    return Probing(
        target=origin["options"]["target"],
        classes=task.classes,
        dropped=task.dropped,
        items=len(task.items),
        layers=measured.names,
        **{name: read_only(getattr(measured, name)) for name in of_layers},
        control_types=_types(plan),
        learnable=int(plan.learnable.sum()),
        confusion=read_only(measured.confusion, np.int64),
        majority=float(measured.confusion[0].sum(1).max() / measured.confusion[0].sum()),
        weights=read_only(weights),
        provenance=origin,
    )


def _types(plan: Plan) -> str:
    """What control tasks give a label each, or why there is none."""
    task, count = plan.task, int(plan.learnable.sum())
    if task.types is None or count >= probes.FEWEST_LEARNABLE:
        return task.types_are
    return f"of {len(task.items)} items {count} have a {task.types_are} that is in training too"


def _weights(states: Features, plan: Plan, measured: Measured) -> Steps[np.ndarray]:
    """Probes on all items, with the penalty that was chosen in the folds."""
    layers, item = probes.rows(states, plan.task, plan.unit)
    codes, classes = plan.task.codes[item], len(plan.task.classes)
    kept = np.full((len(layers), max(layer.shape[1] for layer in layers) + 1, classes), np.nan)
    for number, (layer, penalty) in enumerate(zip(layers, measured.penalty, strict=True)):
        yield Step(number / len(layers), f"layer {states.names[number]}: training on all recordings")
        probe = yield from within(
            probes.fitted(layer, codes, classes, plan.kind, float(penalty)),
            number / len(layers),
            (number + 1) / len(layers),
        )
        kept[number, : layer.shape[1]] = probe.weights
        kept[number, -1] = probe.intercept
    return kept


def _baselines(corpus: Corpus, model: SpeechModel, plan: Plan) -> Steps[ProbingControls]:
    scored = []
    for number, (kind, name) in enumerate((("mfcc", "MFCC"), ("log-mel", "log-mel energies"))):
        yield Step(number / 2, f"training probes on {name}")
        sound = features.acoustic(corpus, model, kind)
        measured = yield from within(probes.measure(sound, plan.of_scores), number / 2, (number + 1) / 2)
        scored.append([getattr(measured, score)[0] for score in SCORES])
    return ProbingControls(baselines=("MFCC", "log-mel"), baseline_scores=read_only(scored))


def _with_random(result: Probing, corpus: Corpus, model: SpeechModel, plan: Plan, asked: _Asked) -> Steps[Probing]:
    yield Step(0.45, "random weights", result)
    lines = []
    for number, seed in enumerate(asked.random_seeds):
        share = 0.45 / len(asked.random_seeds)
        begin = 0.45 + share * number
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, begin + 0.7 * share)
        training = probes.measure(twin, plan.of_scores)
        measured = yield from within(training, begin + 0.7 * share, begin + share, name=f"random weights, seed {seed}")
        lines.append([getattr(measured, score) for score in SCORES])
        result = _with(result, random=read_only(lines))
        yield Step(begin + share, "random weights", result)
    return result


def _with(result: Probing, **found: np.ndarray | tuple[str, ...]) -> Probing:
    """The same with more of its controls."""
    return replace(result, controls=replace(result.controls, **found))


def _with_learning(
    result: Probing, corpus: Corpus, model: SpeechModel, states: Features, plan: Plan
) -> Steps[Probing]:
    utterance = plan.task.items.utterance
    fewest = min(len(np.unique(utterance[plan.fold != k])) for k in np.unique(plan.fold))  # to train on, in any fold
    sizes = [size for size in LEARNING_SIZES if size <= fewest]
    lines = []
    for number, (source, layer, penalty) in enumerate((
        (states, result.best, _ridge_penalty(result)),
        (features.acoustic(corpus, model, "mfcc"), 0, probes.PLAIN_PENALTY),
    )):  # fmt: skip
        layers, item = probes.rows(source, plan.task, plan.unit)
        learning = transfer.learning_curve(layers[layer], item, plan, penalty, sizes)
        lines.append((yield from within(learning, number / 2, (number + 1) / 2)))
    return _with(result, learning_sizes=read_only(sizes, np.int64), learning=read_only(lines))


def _ridge_penalty(result: Probing) -> float:
    """The best layer's, if ridge was asked for; logistic regression counts penalties in another unit."""
    options = result.provenance["options"]
    return options["penalties"][result.best] if options["probe"] == "ridge" else probes.PLAIN_PENALTY


def _with_speakers(
    result: Probing, corpus: Corpus, model: SpeechModel, states: Features, others: Corpus | None, asked: _Asked
) -> Steps[Probing]:
    """Trained on this corpus, tested on other speakers; and every speaker against every other."""
    if asked.target in labels.OF_THE_SPEAKER:
        return result
    joint = corpus
    if others is not None:
        heard = yield from within(_states(others, model, asked), 0.0, 0.6, name="other speakers")
        scored = yield from within(_on_others(result, others, heard, asked), 0.6, 0.7)
        result = _with(result, other=read_only(scored))
        joint, states = corpus.joined(others), features.joined(states, heard)
    if len(joint.speakers) < 2:
        return result
    task = labels.task(joint, asked.target, classes=result.classes)
    best = features.only_layers(states, (result.best,))
    layers, item = probes.rows(best, task, asked.unit)
    matrix = transfer.between_speakers(layers[0], item, task, _ridge_penalty(result), FEWEST_OF_A_SPEAKER)
    names, table = yield from within(matrix, 0.7, 1.0)
    return _with(result, speakers=names, by_speaker=read_only(table))


def _on_others(result: Probing, others: Corpus, heard: Features, asked: _Asked) -> Steps[np.ndarray]:
    yield Step(0.0, "other speakers")
    task = labels.task(others, asked.target, classes=result.classes)
    layers, item = probes.rows(heard, task, asked.unit)
    scored = []
    for layer, kept in zip(layers, result.weights, strict=True):
        probe = linear_probe.Probe(kept[: layer.shape[1]], kept[-1])
        scored.append(transfer.transferred(probe, layer, task.codes[item], task.items.utterance[item]))
    return np.array(scored).T
