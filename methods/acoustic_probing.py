"""**How high is the voice, where are its formants, where is the tongue? Can a linear probe tell from each layer?**

Ridge regression reads a number off each layer: F0, the first three formants, intensity, the duration of a phone, or
the positions of tongue, lips and jaw. It is trained on some recordings and tested on others; the score is Pearson's r
between what it says and what was measured.

*How to read it.* MFCC and log-mel energies are what can be read without a model, random weights are the same
architecture untrained, and the *shifted* line trains on targets moved by half a recording: what is left of it comes
for nothing. A score on the training recordings far above the other one means too little data. Acoustic targets are
usually plainest in low layers and fade towards the output, which no longer needs them.

*What it cannot show.* The bundled movements are synthetic: VocalTractLab's model vocal tract speaking random
syllables, not people. They show the method and its controls. For people, bring EMA files of your own; a probe trained
on the synthetic set does not carry over to them (r of .2 to .4). F0, formants and intensity are Praat's estimates;
a frame without a voice has no F0, and digital silence no intensity.

*Source.* Cho, Wu, Mohamed & Anumanchipalli, ICASSP 2023 (arXiv 2210.11723) for articulation; Birkholz 2013
(doi 10.1371/journal.pone.0060603) for VocalTractLab; Boersma & Weenink, Praat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import draw, features, models, regression, regression_figures
from methods.core.articulation import Articulation
from methods.core.corpus import Corpus
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.regression import Measured, Targets
from methods.core.results import Step, Steps, corpus_provenance, finish, read_only, within

SENSE = {"target": tuple(regression.TARGETS)}
MEASURES = {"r": "Pearson's r", "r2": "share of variance (R²)"}


@dataclass(frozen=True, eq=False)
class AcousticProbing:
    """Held-out scores of one linear probe per layer and channel. r between -1 and 1, R² at most 1."""

    target: str
    channels: tuple[str, ...]  # one, or the coordinates of the articulators
    units: str  # of the targets: Hz, dB, mm, s or log units
    layers: tuple[str, ...]
    r: np.ndarray  # (layers, channels)
    r2: np.ndarray  # (layers, channels)
    rmse: np.ndarray  # (layers, channels) in `units`
    mean_r: np.ndarray  # (layers,) over the channels, through Fisher's z
    low: np.ndarray  # (layers,) 95 % interval of `mean_r`, over recordings
    high: np.ndarray  # (layers,)
    train_r: np.ndarray  # (layers,) the same for a nearly unpenalised probe on its own training recordings
    shifted: np.ndarray  # (layers,) the same for targets moved by half a recording
    baselines: tuple[str, ...]
    baseline_r: np.ndarray  # (baselines, channels)
    baseline_r2: np.ndarray  # (baselines, channels)
    random_r: np.ndarray  # (random seeds so far, layers, channels)
    recordings: tuple[str, ...]
    recording: np.ndarray  # (n,) int, which recording a measurement is of
    times: np.ndarray  # (n,) s in that recording
    truth: np.ndarray  # (n, channels) in `units`
    predicted: np.ndarray  # (layers, n, channels) held out, in `units`
    predicted_mfcc: np.ndarray  # (n, channels)
    done: bool
    provenance: dict[str, Any]

    @property
    def best(self) -> int:
        """The layer with the highest mean r."""
        return int(np.nanargmax(self.mean_r))

    def table(self) -> pd.DataFrame:
        """One row per layer, channel and score, and per baseline."""
        rows = [
            ("model", layer, channel, score, values[i, j])
            for score, values in (("r", self.r), ("r2", self.r2), ("rmse", self.rmse))
            for i, layer in enumerate(self.layers)
            for j, channel in enumerate(self.channels)
        ]
        rows += [
            (name, layer, "mean", "r", value)
            for name, line in (
                ("model", self.mean_r),
                ("training recordings", self.train_r),
                ("shifted", self.shifted),
            )
            for layer, value in zip(self.layers, line, strict=True)
        ]
        rows += [
            (f"random weights {seed}", layer, channel, "r", values[i, j])
            for seed, values in enumerate(self.random_r)
            for i, layer in enumerate(self.layers)
            for j, channel in enumerate(self.channels)
        ]
        rows += [
            (name, "", channel, score, value)
            for score, lines in (("r", self.baseline_r), ("r2", self.baseline_r2))
            for name, line in zip(self.baselines, lines, strict=True)
            for channel, value in zip(self.channels, line, strict=True)
        ]
        return pd.DataFrame(rows, columns=["features", "layer", "channel", "score", "value"])


def analyse(
    corpus: Corpus | Articulation,
    model: SpeechModel,
    *,
    target: str = "f0",
    window: str = "clip",
    subtract_silence: bool = False,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> AcousticProbing:
    """From which layer can F0, formants, intensity, duration or articulation be read?

    `target` is one of `regression.TARGETS`; "articulation" needs an `Articulation` for a corpus. `window` and
    `subtract_silence`: see `features.of_model`. Raises UserError if there is too little to measure or to split, or
    if it is the same everywhere.
    """
    options = {"target": target, "window": window, "subtract_silence": subtract_silence, "seed": seed}
    return finish(analyse_in_steps(corpus, model, random_seeds=random_seeds, **options))


def analyse_in_steps(
    corpus: Corpus | Articulation,
    model: SpeechModel,
    *,
    target: str = "f0",
    window: str = "clip",
    subtract_silence: bool = False,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[AcousticProbing]:
    """The same with progress: the trained model first, then acoustic features, then random weights."""
    how = {"window": window, "subtract_silence": subtract_silence}
    check_options(analyse, {"target": target, **how, "random_seeds": random_seeds, "seed": seed}, SENSE)
    clips = corpus.corpus if isinstance(corpus, Articulation) else corpus
    regression.check(corpus, target)
    states = yield from within(features.of_model(clips, model, **how), 0.0, 0.3)
    yield Step(0.3, f"measuring {regression.TARGETS[target]}")
    asked = regression.targets(corpus, target, states, seed)
    measured = regression.measure(states, asked)
    mfcc = regression.measure(features.acoustic(clips, model, "mfcc"), asked)
    options = {"target": target, **how, "random_seeds": list(random_seeds), "seed": seed, "features_note": states.note}
    origin = corpus_provenance("acoustic probing", clips, model, **options)
    result = _first(states.names, asked, measured, mfcc, origin)
    result = replace(result, recordings=tuple(utterance.clip.name for utterance in clips.utterances))
    yield Step(0.4, "log-mel energies", result)
    result = _with_baseline(result, regression.measure(features.acoustic(clips, model, "log-mel"), asked))
    for number, random_seed in enumerate(random_seeds):
        begin, end = (0.4 + 0.6 * (number + step) / len(random_seeds) for step in (0, 1))
        yield Step(begin, "random weights", result)
        twin = yield from within(features.of_model(clips, models.random_twin(model, random_seed), **how), begin, end)
        line = regression.measure(twin, asked).r[None]
        result = replace(result, random_r=read_only(np.concatenate([result.random_r, line])))
    return replace(result, done=True)


def _first(
    names: tuple[str, ...], asked: Targets, measured: Measured, mfcc: Measured, origin: dict[str, Any]
) -> AcousticProbing:
    scores = ("r", "r2", "rmse", "mean_r", "low", "high", "train_r", "shifted")
    return AcousticProbing(
        target=origin["options"]["target"],
        channels=asked.channels,
        units=asked.units,
        layers=names,
        **{name: read_only(getattr(measured, name)) for name in scores},
        baselines=("MFCC",),
        baseline_r=read_only(mfcc.r),
        baseline_r2=read_only(mfcc.r2),
        random_r=read_only(np.zeros((0, *measured.r.shape))),
        recordings=(),
        recording=read_only(asked.utterance, np.int64),
        times=read_only(asked.times),
        truth=read_only(asked.values),
        predicted=read_only(measured.predicted, np.float32),
        predicted_mfcc=read_only(mfcc.predicted[0], np.float32),
        done=False,
        provenance=origin,
    )


def _with_baseline(result: AcousticProbing, measured: Measured) -> AcousticProbing:
    return replace(
        result,
        baselines=(*result.baselines, "log-mel"),
        baseline_r=read_only(np.concatenate([result.baseline_r, measured.r])),
        baseline_r2=read_only(np.concatenate([result.baseline_r2, measured.r2])),
    )


def plot(result: AcousticProbing, *, layer: int | None = None, recording: int = 0, channel: int = 0) -> Figure:
    """r over the layers with its controls, r per channel, and one recording's course as measured and as predicted."""
    layer = result.best if layer is None else layer
    figure = draw.new_figure(11.0, 7.0)
    axes = figure.subplot_mosaic([["scores", "channels"], ["course", "course"]])
    regression_figures.draw_scores(axes["scores"], result)
    regression_figures.draw_channels(axes["channels"], result)
    regression_figures.draw_course(axes["course"], result, layer, recording, channel)
    return figure
