"""Attribution by taking pieces away: one at a time, a sliding window, random choices (LIME), or all choices (Shapley).

Everything works on `value(kept)`, the target's number when only some pieces are left, as `perturb.Game.value` gives
it. In an additive model all of these give each piece its own share; where pieces work together they differ, and only
Shapley values still add up to the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Literal

import numpy as np

from methods.core.errors import UserError
from methods.core.explain.perturb import Mode, Scorer, check_audible, replaced
from methods.core.frames import Segment
from methods.core.progress import Step, Steps

RemovalMethod = Literal["leave one out", "occlusion", "LIME", "Shapley"]
REMOVAL_METHODS: tuple[RemovalMethod, ...] = ("leave one out", "occlusion", "LIME", "Shapley")
EXACT_PIECES = 10  # up to here all 2^M choices are run
SAMPLES_PER_PIECE = 10  # fewer random choices leave a regression underdetermined
KERNEL_WIDTH = 25.0  # of LIME, in units of 100 × cosine distance (Pastor et al. 2024)
RIDGE = 0.01  # LIME's penalty; large ones shrink the scores

Value = Callable[[np.ndarray], float]


@dataclass(frozen=True, eq=False)
class Scores:
    """What each piece contributes."""

    values: np.ndarray  # (pieces,) float64
    runs: int  # choices of pieces that were asked for
    fit: float  # share of variance that a linear model explains (LIME: weighted R²); NaN where nothing is fitted


def leave_one_out(value: Value, pieces: int) -> Steps[Scores]:
    """What is lost without each piece: F(all) - F(all but it). Does not add up to the whole."""
    whole, found = value(np.ones(pieces, bool)), np.zeros(pieces)
    for piece in range(pieces):
        yield Step(piece / pieces, f"without piece {piece + 1} of {pieces}")
        found[piece] = whole - value(np.arange(pieces) != piece)
    return Scores(found, pieces + 1, float("nan"))


def lime(
    value: Value, pieces: int, *, samples: int | None = None, seed: int = 0, ridge: float = RIDGE
) -> Steps[Scores]:
    """Coefficients of a linear model of F around the whole clip (Ribeiro et al. 2016; settings of Pastor et al. 2024).

    Between one and all of the pieces are taken away at random, and choices near the whole count most. Raises UserError
    where there are too few pieces or samples for a regression.
    """
    samples = _enough(pieces, samples, "LIME")
    chosen = np.vstack([np.ones(pieces, bool), *_random_choices(pieces, samples - 1, np.random.default_rng(seed))])
    answers = yield from _asked(value, chosen)
    share = chosen.mean(1)
    distance = 100 * (1 - np.sqrt(share))  # cosine distance to the whole
    weights = np.sqrt(np.exp(-((distance / KERNEL_WIDTH) ** 2)))
    return Scores(*_ridge(chosen.astype(float), answers, weights, ridge, samples))


def _ridge(
    chosen: np.ndarray, answers: np.ndarray, weights: np.ndarray, penalty: float, runs: int
) -> tuple[np.ndarray, int, float]:
    """Weighted ridge regression with a free intercept: coefficients, runs, weighted R²."""
    weights = weights / weights.sum() * len(weights)
    centre, level = np.average(chosen, axis=0, weights=weights), np.average(answers, weights=weights)
    inputs, outputs = (chosen - centre) * np.sqrt(weights)[:, None], (answers - level) * np.sqrt(weights)
    moments = inputs.T @ inputs + penalty * np.eye(inputs.shape[1])
    found = np.linalg.lstsq(moments, inputs.T @ outputs, rcond=None)[0]
    spread = float(outputs @ outputs)
    left = outputs - inputs @ found
    return found, runs, 1 - float(left @ left) / spread if spread > 0 else float("nan")


def shapley(value: Value, pieces: int, *, samples: int | None = None, seed: int = 0) -> Steps[Scores]:
    """Shapley values: each piece's mean gain over all orders in which pieces can come. They add up to the whole.

    Exact by all 2^M choices up to 10 pieces. Beyond, KernelSHAP (Lundberg & Lee 2017): a regression over choices drawn
    in pairs (a choice and its opposite), with the sum held to F(all) - F(nothing).
    """
    if pieces < 1:
        raise UserError("There is no piece to attribute to; choose a longer clip or shorter windows.")
    if pieces <= EXACT_PIECES and samples is None:
        answers = yield from _asked(value, _every_choice(pieces))
        return Scores(exact_shapley(answers, pieces), len(answers), float("nan"))
    return (yield from _kernel_shap(value, pieces, _enough(pieces, samples, "KernelSHAP"), seed))


def exact_shapley(answers: np.ndarray, pieces: int) -> np.ndarray:
    """(pieces,) from the value of every choice: entry c of `answers` keeps the pieces whose bits are set in c."""
    number = np.arange(2**pieces)
    size = np.array([bin(choice).count("1") for choice in number])
    weight = np.array([factorial(s) * factorial(pieces - s - 1) / factorial(pieces) for s in range(pieces)])
    found = np.zeros(pieces)
    for piece in range(pieces):
        without = number[(number >> piece) & 1 == 0]
        found[piece] = weight[size[without]] @ (answers[without | 1 << piece] - answers[without])
    return found


def _every_choice(pieces: int) -> np.ndarray:
    return ((np.arange(2**pieces)[:, None] >> np.arange(pieces)) & 1).astype(bool)


def _kernel_shap(value: Value, pieces: int, samples: int, seed: int) -> Steps[Scores]:
    random = np.random.default_rng(seed)
    sizes = np.arange(1, pieces)
    # Weight of all choices of a size together; single choices of that size share it and are drawn alike.
    chance = np.array([(pieces - 1) / (s * (pieces - s)) for s in sizes])
    drawn = []
    for size in random.choice(sizes, max(samples // 2, 1), p=chance / chance.sum()):
        kept = np.zeros(pieces, bool)
        kept[random.choice(pieces, size, replace=False)] = True
        drawn += [kept, ~kept]
    ends = np.array([np.zeros(pieces, bool), np.ones(pieces, bool)])
    nothing, whole, *answers = yield from _asked(value, np.vstack([ends, drawn]))
    # φ of the last piece follows from the sum, so the others are fitted freely.
    chosen = np.array(drawn, float)
    inputs = chosen[:, :-1] - chosen[:, -1:]
    outputs = np.array(answers) - nothing - chosen[:, -1] * (whole - nothing)
    free = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    left, spread = outputs - inputs @ free, float(np.ptp(answers))
    fit = 1 - float(left @ left) / float(np.sum((answers - np.mean(answers)) ** 2)) if spread > 0 else float("nan")
    return Scores(np.append(free, whole - nothing - free.sum()), samples + 2, fit)


def _enough(pieces: int, samples: int | None, name: str) -> int:
    if pieces < 2:
        raise UserError(
            f"{name} needs at least two pieces to tell apart and this clip has {pieces}; "
            "cut it into windows of 70 ms instead, or choose a longer clip.",
            mend={"pieces": "windows"},
        )
    least = SAMPLES_PER_PIECE * pieces
    samples = max(least, 100) if samples is None else samples
    if samples < least:
        raise UserError(
            f"{name} with {samples} samples for {pieces} pieces is underdetermined; "
            f"take at least {least} ({SAMPLES_PER_PIECE} per piece), or fewer pieces.",
            mend={"samples": str(least)},
        )
    return samples


def _random_choices(pieces: int, count: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    for removed in random.integers(1, pieces + 1, count):
        kept = np.ones(pieces, bool)
        kept[random.choice(pieces, removed, replace=False)] = False
        yield kept


def _asked(value: Value, chosen: np.ndarray) -> Steps[np.ndarray]:
    answers = np.zeros(len(chosen))
    for number, kept in enumerate(chosen):
        yield Step(number / len(chosen), f"choice {number + 1} of {len(chosen)}")
        answers[number] = value(kept)
    return answers


def occlusion(
    target: Scorer, samples: np.ndarray, *, width: float, stride: float, mode: Mode = "silence", seed: int = 0
) -> Steps[tuple[np.ndarray, tuple[Segment, ...]]]:
    """(n,) what is lost under a sliding window, in the target's unit per window, and the windows.

    Each sample has the mean over the windows that cover it. `width` and `stride` are seconds.
    """
    check_audible(samples)
    places = sliding_windows(len(samples) / 16_000, width, stride)
    whole, total, covered = target.score(samples), np.zeros(len(samples)), np.zeros(len(samples))
    for number, place in enumerate(places):
        yield Step(number / len(places), f"window {number + 1} of {len(places)}")
        inside = slice(round(place.start * 16_000), round(place.end * 16_000))
        total[inside] += whole - target.score(replaced(samples, [place], mode, seed=seed))
        covered[inside] += 1
    return total / np.maximum(covered, 1), places


def sliding_windows(seconds: float, width: float, stride: float) -> tuple[Segment, ...]:
    """Windows of one width that begin every `stride` seconds; the last one ends with the clip."""
    if not 0 < stride <= width <= seconds:
        raise UserError(
            f"A window of {width:g} s every {stride:g} s does not cover a clip of {seconds:.2f} s; "
            "choose a width between the stride and the clip's length."
        )
    starts: Sequence[float] = [*np.arange(0.0, seconds - width, stride).tolist(), seconds - width]
    return tuple(Segment(f"{start:.2f} s", max(start, 0.0), start + width) for start in starts)
