"""Regression probes: what is to be read off the states, frame by frame or phone by phone, and how well it can be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from methods.core.corpus import Corpus, features
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import Features
from methods.core.corpus.items import phone_items, phone_reading
from methods.core.errors import UserError
from methods.core.speech import phonology, praat
from methods.core.statistics import linear_probe, scores, splits

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
RESAMPLES = 400  # of whole recordings, for intervals


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
class Measured:
    """Held-out scores per layer."""

    predicted: np.ndarray  # (layers, n, channels)
    r: np.ndarray  # (layers, channels)
    r2: np.ndarray  # (layers, channels)
    rmse: np.ndarray  # (layers, channels)
    mean_r: np.ndarray  # (layers,)
    low: np.ndarray  # (layers,)
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


def targets(corpus: Corpus | Articulation, target: str, states: Features, seed: int = 0) -> Targets:
    """Measure the target at the frames of these states, and deal the recordings into folds.

    Raises UserError if it cannot be measured here, at fewer than 100 places, or if it is the same everywhere.
    """
    check(corpus, target)
    if isinstance(corpus, Articulation):
        channels, values = corpus.channels, np.concatenate(_tracks(corpus, states))
    elif target == "duration":
        return _durations(corpus, states, seed)
    else:
        channels, values = (target,), _acoustic(corpus, target, states)[:, None]
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


def _acoustic(corpus: Corpus, target: str, states: Features) -> np.ndarray:
    """(frames,) with NaN where the target is not defined."""
    parts, known = [], phone_reading(corpus)
    for utterance, grid in zip(corpus.utterances, states.grids, strict=True):
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


def measure(states: Features, asked: Targets) -> Measured:
    """Train and test a probe on every layer of these states."""
    measured = [_layer(_rows(layer, asked), asked) for layer in states.layers]
    return Measured(*(np.array(values) for values in zip(*measured, strict=True)))


def _rows(layer: np.ndarray, asked: Targets) -> np.ndarray:
    if (asked.counts == 1).all():
        return layer[asked.rows]
    return np.stack([layer[row : row + count].mean(0) for row, count in zip(asked.rows, asked.counts, strict=True)])


def _layer(values: np.ndarray, asked: Targets) -> tuple:
    channels = asked.values.shape[1]
    moved = np.empty_like(asked.values)
    for number in np.unique(asked.utterance):
        own = np.flatnonzero(asked.utterance == number)
        moved[own] = np.roll(asked.values[own], len(own) // 2, axis=0)
    both = np.hstack([asked.values, moved])
    blocks = [slice(column, column + 1) for column in range(2 * channels)]
    held = linear_probe.cross_validate(values, both, asked.fold, blocks, linear_probe.squared_error).predictions
    said, truth = held[:, :channels], asked.values
    r = scores.pearson(said, truth)
    low, high = _interval(said, truth, asked.utterance)
    rmse = np.sqrt(((said - truth) ** 2).mean(0))
    shifted = scores.mean_correlation(scores.pearson(held[:, channels:], moved))
    train = scores.mean_correlation(_on_training(values, asked))
    return said, r, scores.r_squared(said, truth), rmse, scores.mean_correlation(r), low, high, train, shifted


def _on_training(values: np.ndarray, asked: Targets) -> np.ndarray:
    """r on the recordings that a probe was trained on, with the mildest penalty: how much it can learn by heart."""
    probe = linear_probe.Fit(linear_probe.moments(values, asked.values)).probe(float(linear_probe.PENALTIES[0]))
    return scores.pearson(probe(values), asked.values)


def _interval(said: np.ndarray, truth: np.ndarray, utterance: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean correlation, resampling whole recordings: r follows from sums over them."""
    _, members = np.unique(utterance, return_inverse=True)
    count = members.max() + 1
    parts = (np.ones_like(said), said, truth, said**2, truth**2, said * truth)
    sums = np.stack([[np.bincount(members, column, count) for column in part.T] for part in parts])  # (6, c, groups)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    n, a, b, aa, bb, ab = np.einsum("scg,rg->src", sums, draws)
    spread = np.sqrt(np.maximum(aa - a**2 / n, 0) * np.maximum(bb - b**2 / n, 0))
    r = np.divide(ab - a * b / n, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    means = [scores.mean_correlation(row) for row in r]
    low, high = np.nanquantile(means, [0.025, 0.975])
    return float(low), float(high)
