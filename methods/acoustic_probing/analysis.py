"""How acoustic probing is computed: a ridge regression from every layer to a measured property of the sound."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from methods.acoustic_probing import regression
from methods.acoustic_probing.regression import Measured, Targets
from methods.acoustic_probing.result import AcousticProbing
from methods.core import models
from methods.core.corpus import Corpus, features
from methods.core.corpus.articulation import Articulation
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, corpus_provenance, read_only
from methods.core.statistics import intervals

SENSE = {"target": tuple(regression.TARGETS)}
MEASURES = {"r": "Pearson's r", "r2": "share of variance (R²)"}


@analysis(SENSE)
def analyse(
    corpus: Corpus | Articulation,
    model: SpeechModel,
    *,
    target: str = "f0",
    window: str = "clip",
    subtract_silence: bool = False,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[AcousticProbing]:
    """From which layer can F0, formants, intensity, duration or articulation be read?

    `target` is one of `regression.TARGETS`; "articulation" needs an `Articulation` for a corpus. `window` and
    `subtract_silence`: see `features.of_model`. Raises UserError if there is too little to measure or to split, or
    if it is the same everywhere.
    """
    clips = corpus.corpus if isinstance(corpus, Articulation) else corpus
    regression.check(corpus, target)
    how = {"window": window, "subtract_silence": subtract_silence}
    states = yield from within(features.of_model(clips, model, **how), 0.0, 0.3)
    asked = yield from within(regression.targets(corpus, target, states, seed), 0.3, 0.32)
    measured = yield from within(regression.measure(states, asked, sure=True), 0.32, 0.39)
    sound = features.acoustic(clips, model, "mfcc")
    mfcc = yield from within(regression.measure(sound, asked), 0.39, 0.4, name="MFCC")
    origin = corpus_provenance(
        "acoustic probing", clips, model, target=target, **how, random_seeds=list(random_seeds), seed=seed,
        features_note=states.note, interval_note=intervals.note(len(np.unique(asked.utterance)), "recordings", True),
    )  # fmt: skip
    recordings = tuple(utterance.clip.name for utterance in clips.utterances)
    result = _result(states.names, recordings, asked, measured, mfcc, origin)
    yield Step(0.4, "log-mel energies", result)
    sound = features.acoustic(clips, model, "log-mel")
    result = _with_baseline(result, (yield from within(regression.measure(sound, asked), 0.4, 0.42)))
    lines = []
    for number, random_seed in enumerate(random_seeds):
        begin, end = (0.42 + 0.58 * (number + step) / len(random_seeds) for step in (0, 1))
        middle = (begin + 2 * end) / 3
        yield Step(begin, "random weights", result)
        twin = models.random_twin(model, random_seed)
        untrained = yield from within(features.of_model(clips, twin, **how), begin, middle)
        work = regression.measure(untrained, asked)
        lines.append((yield from within(work, middle, end, name=f"random weights, seed {random_seed}")).r)
        result = replace(result, random_r=read_only(lines))
    return result


def _result(
    layers: tuple[str, ...],
    recordings: tuple[str, ...],
    asked: Targets,
    measured: Measured,
    mfcc: Measured,
    origin: Provenance,
) -> AcousticProbing:
    scores = ("r", "r2", "rmse", "mean_r", "low", "high", "train_r", "shifted")
    return AcousticProbing(
        target=origin["options"]["target"],
        channels=asked.channels,
        units=asked.units,
        layers=layers,
        **{name: read_only(getattr(measured, name)) for name in scores},
        baselines=("MFCC",),
        baseline_r=read_only(mfcc.r),
        baseline_r2=read_only(mfcc.r2),
        recordings=recordings,
        recording=read_only(asked.utterance, np.int64),
        times=read_only(asked.times),
        truth=read_only(asked.values),
        predicted=read_only(measured.predicted, np.float32),
        predicted_mfcc=read_only(mfcc.predicted[0], np.float32),
        provenance=origin,
    )


def _with_baseline(result: AcousticProbing, measured: Measured) -> AcousticProbing:
    return replace(
        result,
        baselines=(*result.baselines, "log-mel"),
        baseline_r=read_only(np.concatenate([result.baseline_r, measured.r])),
        baseline_r2=read_only(np.concatenate([result.baseline_r2, measured.r2])),
    )
