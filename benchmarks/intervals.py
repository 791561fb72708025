"""How often does a 95% interval hold the truth, with few recordings, and how often did one that kept the training?

    python benchmarks/intervals.py --recordings 5 8 11 27 --draws 200
    python benchmarks/intervals.py --recordings 5 8 12 --draws 2000 --kinds "share .97" "share .9" "mean, one error"

    made      recordings drawn afresh, each with its own shift of the states and of what is asked; the truth is the
              mean score of probes that are trained and tested on so many recordings
    prompts   as many of the 55 bundled prompts, drawn at random; MFCC; truth likewise. Draws of many of the 55
              overlap, which flatters both: the scores spread by sqrt(1 - n / 55) of what new recordings would
    tested    the bootstrap over recordings with the probe as trained, which was shown before
    parts     `methods.core.statistics.intervals`: parts of the recordings left out before training
    share     recordings of 5 to 39 items, in each of which another share is right, spread as Beta(8 p, 8 (1 - p));
              tested: on a straight scale, cut off at 0 and 1, parts: on that of log-odds
    mean, one error   20 phones of as many recordings, a fifth of the variance the recording's, and ±1 standard error
              over phones (tested) and over recordings (parts); Student's t would hold .63 to .66 of them
    unique    unique shares of the encoding probe, which keeps its training: tested alone

Share of intervals that held the truth, tested and parts (200 draws of made, 60 of the prompts; a share of .95 is known
to .015 and .03):

                     5 recordings   8            11           27
    made, mean       .86  .97       .90  .95     .89  .97     .94  .95
    made, accuracy   .70  .96       .79  .97     .78  .97     .85  .96
    made, r          .68  .88       .65  .90     .61  .92     .78  .94
    prompts, phone   .72  .97       .77  1.00    .87  1.00
    prompts, F0      .78  .97       .88  .95     .82  .93

                     5 recordings   8            12
    share .97        .76  .99       .77  .98     .80  .97      (1,000 draws)
    share .9         .87  .95       .91  .95     .90  .94
    mean, one error  .54  .59       .58  .61     .59  .63
    unique           .81            .85          .84           (300 draws)
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from scipy import stats

from methods.acoustic_probing import regression
from methods.core import corpus as corpora
from methods.core.corpus import labels
from methods.core.corpus.features import Features, pooled
from methods.core.frames import FrameGrid
from methods.core.progress import finish
from methods.core.speech import acoustics
from methods.core.statistics import intervals, linear_probe, scores, splits
from methods.core.statistics.intervals import Parts
from methods.encoding_probe import partition

FRAMES, DIM, CLASSES = 40, 8, 4  # of a made recording
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]  # states (n, d), what is asked (n,), recording (n,)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--recordings", type=int, nargs="+", default=[5, 8, 11, 27])
    options.add_argument("--draws", type=int, default=200)
    options.add_argument("--kinds", nargs="+", default=list(KINDS))
    chosen = options.parse_args()
    for kind in chosen.kinds:
        draw, score = KINDS[kind]()
        for count in chosen.recordings:
            report(f"{kind}, {count} recordings", [score(*draw(count, seed)) for seed in range(chosen.draws)])


def report(name: str, found: list[tuple[float, tuple[float, float], tuple[float, float]]]) -> None:
    values = np.array([value for value, _, _ in found])
    truth = values.mean()
    told = []
    for side, what in enumerate(("tested", "parts"), start=1):
        low, high = np.transpose([ends[side] for ends in found])
        if np.isfinite(low).any():
            told.append(f"{what} {np.mean((low <= truth) & (truth <= high)):.2f} (width {np.mean(high - low):.3f})")
    print(f"{name}: truth {truth:.3f}, {', '.join(told)}", flush=True)


def bootstrap(statistic: Callable[[np.ndarray], float], recording: np.ndarray) -> tuple[float, float]:
    """Percentile bootstrap of a statistic of rows, by recordings, the probe as trained."""
    rng, names = np.random.default_rng(0), np.unique(recording)
    rows = [np.flatnonzero(recording == name) for name in names]
    drawn = [np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))]) for _ in range(200)]
    low, high = np.quantile([statistic(each) for each in drawn], [0.025, 0.975])
    return float(low), float(high)


def accuracy(states: np.ndarray, codes: np.ndarray, recording: np.ndarray) -> tuple:
    fold, targets = splits.group_folds(recording), linear_probe.one_hot(codes, int(codes.max()) + 1)
    held = linear_probe.cross_validate(states, targets, fold, [slice(None)], linear_probe.misread)
    right = (held.predictions.argmax(1) == codes).astype(float)
    again = intervals.of_accuracy(states, codes, fold, recording, held.penalties[:, 0], right.mean())
    return right.mean(), bootstrap(lambda rows: right[rows].mean(), recording), finish(again)


def correlation(states: np.ndarray, values: np.ndarray, recording: np.ndarray) -> tuple:
    ones, places = np.ones(len(values), int), np.arange(len(values))
    fold = splits.group_folds(recording)
    asked = regression.Targets(("f0",), "", recording, places * 0.02, places, ones, values[:, None], fold)
    held = linear_probe.cross_validate(states, asked.values, fold, [slice(0, 1)], linear_probe.squared_error)
    said, r = held.predictions[:, 0], scores.pearson(held.predictions, asked.values)
    again = finish(regression._interval(states, r, asked, held.penalties))  # the interval itself is what is measured
    return r[0], bootstrap(lambda rows: np.corrcoef(said[rows], values[rows])[0, 1], recording), again


def mean(_states: np.ndarray, values: np.ndarray, recording: np.ndarray) -> tuple:
    return values.mean(), bootstrap(lambda rows: values[rows].mean(), recording), intervals.of_mean(values, recording)


def share(_states: np.ndarray, right: np.ndarray, recording: np.ndarray) -> tuple:
    straight = np.clip(intervals.of_mean(right, recording), 0, 1)
    return right.mean(), tuple(straight), intervals.of_mean_share(right, recording)


def one_error(_states: np.ndarray, values: np.ndarray, recording: np.ndarray) -> tuple:
    """±1 standard error of the mean over phones, and over recordings."""
    gaps = np.array([(values[recording == each] - values.mean()).sum() for each in np.unique(recording)])
    over = np.sqrt(len(gaps) / (len(gaps) - 1) * (gaps**2).sum()) / len(values)
    ends = [(values.mean() - error, values.mean() + error) for error in (stats.sem(values), over)]
    return values.mean(), *ends


def unique(states: np.ndarray, values: np.ndarray, recording: np.ndarray) -> tuple:
    """What the first 3 columns tell that the others do not."""
    task = partition.Task(values, splits.group_folds(recording), Parts.of(recording))
    sets = [np.arange(6), np.arange(3, 6)]
    found = finish(partition.explained(task, sets, [states]))
    whole, less = found.r2()[:, 0], found.r2_without()[:, 0]
    own = float(whole[0] - whole[1])
    return own, task.parts.interval(own, less[0] - less[1]), (np.nan, np.nan)


def of_shares(count: int, seed: int, p: float) -> Drawn:
    rng = np.random.default_rng([seed, count])
    recording = np.repeat(np.arange(count), rng.integers(5, 40, count))
    right = rng.random(len(recording)) < rng.beta(8 * p, 8 * (1 - p), count)[recording]
    return np.zeros(0), right.astype(float), recording


def of_phones(count: int, seed: int) -> Drawn:
    rng = np.random.default_rng([seed, count])
    recording = np.append([0, 1], rng.integers(0, count, 18))  # two recordings at least
    own = np.sqrt(0.2) * rng.normal(size=count)[recording]
    return np.zeros(0), own + np.sqrt(0.8) * rng.normal(size=20), recording


def of_blocks(count: int, seed: int) -> Drawn:
    """States of 8 dimensions that hold 6 columns, 3 of which know half of the others; 25 items in a recording."""
    rng, recording = np.random.default_rng([seed, count]), np.repeat(np.arange(count), 25)
    columns = rng.normal(size=(len(recording), 6)) + rng.normal(size=(count, 6))[recording]
    columns[:, 3:] += 0.5 * columns[:, :3]
    own = 1.2 * rng.normal(size=(count, 8))[recording]
    held = 0.5 * columns @ np.random.default_rng(3).normal(size=(6, 8))
    return held + own + 2 * rng.normal(size=(len(recording), 8)), columns, recording


def made(count: int, seed: int, classes: bool) -> Drawn:
    rng, recording = np.random.default_rng([seed, count]), np.repeat(np.arange(count), FRAMES)
    true = np.random.default_rng(99).normal(size=(DIM, CLASSES))
    own = rng.normal(size=(count, DIM))[recording]
    states = rng.normal(size=(len(recording), DIM)) + own
    level = rng.normal(size=(count, CLASSES))[recording]
    noise = rng.normal(size=(len(recording), CLASSES))
    asked = (states - own) @ true + 1.5 * level + 2 * noise
    return states, asked.argmax(1) if classes else asked[:, 0], recording


def prompts(target: str) -> Callable[[int, int], Drawn]:
    """Subsets of the bundled prompts, whose MFCC need no model."""
    corpus = corpora.bundled("prompts")
    grids = tuple(FrameGrid(0.0, 0.02, len(u.clip.samples) // 320) for u in corpus.utterances)
    parts = [acoustics.mfcc(u.clip, grid) for u, grid in zip(corpus.utterances, grids, strict=True)]
    offsets = np.concatenate([[0], np.cumsum([grid.frames for grid in grids])])
    times = np.concatenate([grid.times for grid in grids])
    states = Features(("mfcc",), (np.concatenate(parts).astype(np.float32),), offsets, times, grids)
    if target == "f0":
        asked = finish(regression.targets(corpus, "f0", states))
        rows, values, recording = states.layers[0][asked.rows], asked.values[:, 0], asked.utterance
    else:
        task = labels.task(corpus, target)
        rows, values, recording = pooled(states, task.items)[0], task.codes, task.items.utterance

    def draw(count: int, seed: int) -> Drawn:
        chosen = np.random.default_rng([seed, count]).permutation(len(grids))[:count]
        kept = np.isin(recording, chosen)
        return rows[kept].astype(float), values[kept], recording[kept]

    return draw


KINDS: dict[str, Callable[[], tuple[Callable[[int, int], Drawn], Callable[..., tuple]]]] = {
    "made, mean": lambda: (lambda count, seed: made(count, seed, classes=False), mean),
    "made, accuracy": lambda: (lambda count, seed: made(count, seed, classes=True), accuracy),
    "made, r": lambda: (lambda count, seed: made(count, seed, classes=False), correlation),
    "share .97": lambda: (lambda count, seed: of_shares(count, seed, 0.97), share),
    "share .9": lambda: (lambda count, seed: of_shares(count, seed, 0.9), share),
    "mean, one error": lambda: (of_phones, one_error),
    "unique": lambda: (of_blocks, unique),
    "prompts, phone": lambda: (prompts("phone"), accuracy),
    "prompts, F0": lambda: (prompts("f0"), correlation),
}

if __name__ == "__main__":
    main()
