"""Regression probes: what is to be read off the states, frame by frame or phone by phone, and how well it can be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from methods.core.corpus import Corpus, features
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import Features
from methods.core.corpus.items import phone_items, phone_reading
from methods.core.errors import UserError
from methods.core.progress import Step, Steps, within
from methods.core.speech import phonology, praat
from methods.core.statistics import linear_probe, scores, splits
from methods.core.statistics.intervals import Parts

TARGETS: Mapping[str, str] = {
    "f0": "F0 in voiced frames",
    "f1": "first formant in vowels",
    "f2": "second formant in vowels",
    "f3": "third formant in vowels",
    "intensity": "intensity in speech",
    "duration": "duration of phones",
    "articulation": "positions of tongue, lips and jaw",
}
UNITS = {
    "f0": "semitones re 100 Hz",
    "intensity": "dB re full scale",
    "duration": "log2 of seconds",
    "articulation": "mm",
}
FORMANTS = ("f1", "f2", "f3")
FEWEST = 100  # measurements
CONSTANT = 1e-6  # of its size (at least of 1 semitone, dB, mm …): a spread no larger is rounding, not a difference


@dataclass(frozen=True, eq=False)
class Targets:
    """What is measured, and where."""

    channels: tuple[str, ...]
    units: str
    utterance: np.ndarray  # (n,) int
    times: np.ndarray  # (n,) s
    rows: np.ndarray  # (n,) the frame that each measurement belongs to; for phones their first
    counts: np.ndarray  # (n,) frames of each; 1 but for phones
    values: np.ndarray  # (n, channels)
    fold: np.ndarray  # (n,)


@dataclass(frozen=True, eq=False)
class RegressionScores:
    """Held-out scores per layer."""

    predicted: np.ndarray  # (layers, n, channels)
    r: np.ndarray  # (layers, channels)
    r2: np.ndarray  # (layers, channels)
    rmse: np.ndarray  # (layers, channels)
    mean_r: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,) 95% interval of `mean_r`; NaN with too few recordings, or where not asked for
    high: np.ndarray  # (layers,)
    train_r: np.ndarray  # (layers,)
    shifted: np.ndarray  # (layers,)


def check(corpus: Corpus | Articulation, target: str) -> None:
    """Raises UserError if there is no such target, or if it cannot be measured on these recordings."""
    if target not in TARGETS:
        raise UserError(f"There is no target “{target}”; choose one of {', '.join(TARGETS)}.")
    if (target == "articulation") != isinstance(corpus, Articulation):
        raise UserError(
            "Positions of the articulators were measured for some recordings only; choose the target articulation "
            "with the synthetic vocal tract or EMA of your own, and the other targets with a corpus of speech."
        )
    if isinstance(corpus, Articulation) or target == "f0":
        return
    vowels = target in FORMANTS
    phones = phonology.VOWELS.keys() & set(phone_reading(corpus).phones.values()) if vowels else _labels(corpus)
    if not phones:
        raise UserError(
            f"“{corpus.name}” has no {'vowels of English' if vowels else 'phones'}, which tell where its {target} is "
            "to be measured; give TextGrids with a tier of phones, or choose F0."
        )


def _labels(corpus: Corpus) -> set[str]:
    return {phone.label for utterance in corpus.utterances for phone in utterance.phones}


def targets(corpus: Corpus | Articulation, target: str, states: Features, seed: int = 0) -> Steps[Targets]:
    """Measure the target at the frames of these states, and deal the recordings into folds.

    Raises UserError if it cannot be measured here, at fewer than 100 places, or if it is the same everywhere.
    """
    check(corpus, target)
    if isinstance(corpus, Articulation):
        channels, values = corpus.channels, np.concatenate(_tracks(corpus, states))
    elif target == "duration":
        return _durations(corpus, states, seed)
    else:
        channels, values = (target,), (yield from _acoustic(corpus, target, states))[:, None]
    kept = np.flatnonzero(np.isfinite(values).all(1))
    ones = np.ones(len(kept), dtype=np.int64)
    utterance = states.utterance[kept]
    return _dealt(channels, UNITS.get(target, "Hz"), utterance, states.times[kept], kept, ones, values[kept], seed)


def _dealt(channels: tuple, units: str, utterance: np.ndarray, times: np.ndarray, *rest: object) -> Targets:
    rows, counts, values, seed = rest
    if len(values) < FEWEST:
        raise UserError(
            f"Only {len(values)} places could be measured and a probe needs {FEWEST}; choose a larger corpus, or "
            "another target."
        )
    _check_spread(channels, units, values)
    return Targets(channels, units, utterance, times, rows, counts, values, splits.group_folds(utterance, seed=seed))


def _check_spread(channels: tuple[str, ...], units: str, values: np.ndarray) -> None:
    """Raises UserError for a channel that does not vary: no correlation is defined, and R² is one of rounding."""
    same = np.ptp(values, axis=0) <= CONSTANT * np.maximum(np.abs(values).max(0), 1)
    for channel, value in zip(np.array(channels)[same], values[0, same], strict=True):
        what = {"duration": "all durations are", "intensity": "the intensity is"}.get(channel, f"{channel} is")
        level = f"{2**value:.3g} s" if channel == "duration" else f"{value:.3g} {units}"
        raise UserError(
            f"Here {what} the same ({level} at {len(values)} places), so there is nothing to tell; give recordings in "
            "which it varies, or choose another target."
        )


def _tracks(moved: Articulation, states: Features) -> list[np.ndarray]:
    return [moved.at(number, grid.times, grid.step) for number, grid in enumerate(states.grids)]


def _acoustic(corpus: Corpus, target: str, states: Features) -> Steps[np.ndarray]:
    """(frames,) with NaN where the target is not defined."""
    parts, count, known = [], len(states.grids), phone_reading(corpus)
    for utterance, grid in zip(corpus.utterances, states.grids, strict=True):
        yield Step(len(parts) / count, f"measuring {TARGETS[target]}, {len(parts) + 1} of {count} recordings")
        times = grid.times
        if target == "f0":
            value = 12 * np.log2(praat.f0(utterance.clip, times) / 100)
        elif target == "intensity":
            value = np.where(_covered(times, utterance.phones), praat.intensity(utterance.clip, times), np.nan)
        else:
            vowels = [phone for phone in utterance.phones if known.of(phone.label) in phonology.VOWELS]
            found = praat.formants(utterance.clip, times)[:, FORMANTS.index(target)]
            value = np.where(_covered(times, vowels), found, np.nan)
        parts.append(value)
    return np.concatenate(parts)


def _covered(times: np.ndarray, segments: object) -> np.ndarray:
    """Which times lie in one of the segments?"""
    inside = np.zeros(len(times), dtype=bool)
    for segment in segments:
        inside |= (times >= segment.start) & (times < segment.end)
    return inside


def _durations(corpus: Corpus, states: Features, seed: int) -> Targets:
    items = phone_items(corpus)
    spans = features.frames_of(states, items)
    rows, counts = np.array([span.start for span in spans]), np.array([len(span) for span in spans])
    values = np.log2(items.end - items.start)[:, None]
    middles = (items.start + items.end) / 2
    return _dealt(("duration",), UNITS["duration"], items.utterance, middles, rows, counts, values, seed)


def measure(states: Features, asked: Targets, *, sure: bool = False) -> Steps[RegressionScores]:
    """Train and test a probe on every layer of these states; `sure` asks for intervals, which doubles the time."""
    measured, count = [], len(states.layers)
    for number, layer in enumerate(states.layers):
        work = _layer(_rows(layer, asked), asked, sure)
        ends = number / count, (number + 1) / count
        measured.append((yield from within(work, *ends, name=f"layer {states.names[number]}")))
    return RegressionScores(*(np.array(values) for values in zip(*measured, strict=True)))


def _rows(layer: np.ndarray, asked: Targets) -> np.ndarray:
    if (asked.counts == 1).all():
        return layer[asked.rows]
    return np.stack([layer[row : row + count].mean(0) for row, count in zip(asked.rows, asked.counts, strict=True)])


def _layer(values: np.ndarray, asked: Targets, sure: bool) -> Steps[tuple]:
    channels = asked.values.shape[1]
    moved = np.empty_like(asked.values)
    for number in np.unique(asked.utterance):
        own = np.flatnonzero(asked.utterance == number)
        moved[own] = np.roll(asked.values[own], len(own) // 2, axis=0)
    both = np.hstack([asked.values, moved])
    blocks = [slice(column, column + 1) for column in range(2 * channels)]
    training = linear_probe.cross_validated(values, both, asked.fold, blocks, linear_probe.squared_error)
    held = yield from within(training, 0.0, 0.5)
    said, truth = held.predictions[:, :channels], asked.values
    r = scores.pearson(said, truth)
    low, high = float("nan"), float("nan")
    if sure:
        low, high = yield from within(_interval(values, r, asked, held.penalties[:, :channels]), 0.5, 0.95)
    yield Step(0.95, "training on all recordings")
    rmse = np.sqrt(((said - truth) ** 2).mean(0))
    shifted = scores.mean_correlation(scores.pearson(held.predictions[:, channels:], moved))
    train = scores.mean_correlation(_on_training(values, asked))
    return said, r, scores.r_squared(said, truth), rmse, scores.mean_correlation(r), low, high, train, shifted


def _on_training(values: np.ndarray, asked: Targets) -> np.ndarray:
    """r on the recordings that a probe was trained on, with the mildest penalty: how much it can learn by heart."""
    probe = linear_probe.solved(linear_probe.moments(values, asked.values), float(linear_probe.PENALTIES[0]))
    return scores.pearson(probe(values), asked.values)


def _interval(values: np.ndarray, r: np.ndarray, asked: Targets, penalties: np.ndarray) -> Steps[tuple[float, float]]:
    """95% interval of the mean correlation: probes trained and tested anew without each part of the recordings.

    In Fisher's z, in which correlations are averaged too, since r itself cannot be far above .9. Where half of the
    variance is the recordings' own, those over 5, 8, 11 and 27 held the truth in .88, .90, .92 and .94 of 200
    simulations (`benchmarks/intervals.py`): high values come with narrow intervals.
    """
    parts = Parts.of(asked.utterance)
    if not parts.enough:
        return float("nan"), float("nan")

    def mean_z(said: np.ndarray, kept: np.ndarray) -> float:
        return float(np.arctanh(scores.mean_correlation(scores.pearson(said, asked.values[kept]))))

    left = yield from linear_probe.left_out(values, asked.values, asked.fold, parts.part, penalties, mean_z)
    low, high = np.tanh(parts.interval(float(np.arctanh(scores.mean_correlation(r))), left))
    return float(low), float(high)
