"""One attribution, by any method, brought to one form: a curve over time, a score per piece, a map where there is one.

Gradients give a number for every sample, cell of the log-mel or unit of the embedding, which are summed up over time;
removal gives a number for every piece, which holds for all of its time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from methods.core import models
from methods.core.audio import SAMPLE_RATE
from methods.core.errors import UserError
from methods.core.explain import gradients, removal
from methods.core.explain.gradients import GRADIENT_METHODS, MOST_STEPS, NOISY_SAMPLES
from methods.core.explain.perturb import Game, Mode, energies
from methods.core.explain.removal import EXACT_PIECES, REMOVAL_METHODS
from methods.core.explain.targets import Target
from methods.core.frames import Segment
from methods.core.models.stages import Level
from methods.core.progress import Steps, within
from methods.core.results import read_only

Aggregate = Literal["sum", "mean", "max", "L2", "sum of magnitudes"]
AGGREGATES: dict[Aggregate, Callable[[np.ndarray], float]] = {
    "sum": lambda values: float(values.sum()),  # keeps the whole
    "mean": lambda values: float(values.mean()),  # favours short words
    "max": lambda values: float(values.max()),
    "L2": lambda values: float(np.sqrt(np.square(values).sum())),
    "sum of magnitudes": lambda values: float(np.abs(values).sum()),
}
ADDED = ("sum", "sum of magnitudes")
METHODS = (*REMOVAL_METHODS, *GRADIENT_METHODS)
CURVE_STEP = 0.01  # s, of the curve over time
GRADIENT_COST = 3.0  # a gradient takes about as long as three scores
TIME_LIMIT = 600.0  # s, the longest that one attribution may take


@dataclass(frozen=True, eq=False)
class Evidence:
    """An attribution of one target by one method."""

    method: str
    level: str  # "waveform", "log-mel", "embedding", or "pieces" for methods that take pieces away
    scores: np.ndarray  # (pieces,) float64
    times: np.ndarray  # (frames,) s, centres of the curve's frames
    curve: np.ndarray  # (frames,) float64
    map: np.ndarray | None  # (mels, frames) of the clip's own log-mel frames, 10 ms each; None at other levels
    outside: float  # what falls on the silence behind the clip that Whisper reads too
    total: float | None  # what the parts must add up to; None for methods that promise no sum
    gap: float  # how far they miss it, as a share of it; NaN where nothing is promised
    fit: float  # R² of LIME's or KernelSHAP's linear model; NaN for other methods
    runs: int  # passes through the network that the method needs
    start: str = ""  # what integrated gradients set out from; "" for methods that start nowhere

    def __post_init__(self) -> None:
        for name in ("scores", "times", "curve", "map"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_only(getattr(self, name)))


@dataclass(frozen=True)
class MapRecipe:
    """How an attribution is made."""

    method: str = "leave one out"
    level: Level = "log-mel"  # for gradients
    aggregate: Aggregate = "sum"
    steps: int = MOST_STEPS  # of integrated gradients, at most
    samples: int | None = None  # of SmoothGrad, LIME, KernelSHAP; None: a good number
    width: float = 0.1  # s, occlusion's window
    stride: float = 0.05  # s
    seed: int = 0


def evidence(target: Target, game: Game, recipe: MapRecipe, limit: float = TIME_LIMIT) -> Steps[Evidence]:
    """The attribution of a target by one recipe; every pass through the network is a step.

    Raises UserError for an unknown method, and where the passes would take longer than `limit` seconds.
    """
    if recipe.method not in METHODS:
        raise UserError(f"There is no method {recipe.method!r}; choose one of {', '.join(METHODS)}.")
    check_affordable(target, recipe, len(game), limit)
    if recipe.method in GRADIENT_METHODS:
        return (yield from _by_gradients(target, game, recipe))
    if recipe.method == "occlusion":
        return (yield from _by_window(target, game, recipe))
    if recipe.method == "leave one out":
        scores = yield from removal.leave_one_out(game.value, len(game))
    else:
        method = removal.lime if recipe.method == "LIME" else removal.shapley
        scores = yield from method(game.value, len(game), samples=recipe.samples, seed=recipe.seed)
    adds_up = recipe.method == "Shapley"
    total = game.value(np.ones(len(game), bool)) - game.value(np.zeros(len(game), bool)) if adds_up else None
    gap = gradients.completeness_gap(float(scores.values.sum()), total) if adds_up else float("nan")
    frames = curve_times(target.clip.seconds)
    curve = scores.values[_piece_of(frames, game.pieces)]
    return Evidence(
        recipe.method, "pieces", scores.values, frames, curve, None, 0.0, total, gap, scores.fit, scores.runs
    )


def passes(recipe: MapRecipe, pieces: int, seconds: float) -> float:
    """About how many scores a recipe costs."""
    if recipe.method in GRADIENT_METHODS:
        noisy = recipe.samples or NOISY_SAMPLES
        return GRADIENT_COST * {"SmoothGrad": noisy, "integrated gradients": recipe.steps}.get(recipe.method, 1)
    if recipe.method == "occlusion":
        return seconds / recipe.stride
    if recipe.method == "leave one out":
        return pieces + 1
    if recipe.method == "Shapley" and pieces <= EXACT_PIECES and recipe.samples is None:
        return 2**pieces
    return recipe.samples or max(removal.SAMPLES_PER_PIECE * pieces, 100)


def check_affordable(target: Target, recipe: MapRecipe, pieces: int, limit: float) -> None:
    """Raise UserError where a recipe would take too long, judged by how long the first score took."""
    count = passes(recipe, pieces, target.clip.seconds)
    needed = count * target.seconds
    if needed > limit:
        raise UserError(
            f"“{recipe.method}” needs about {count:.0f} passes through {target.model.id}, which is {needed:.0f} s "
            f"here and more than the limit of {limit:.0f} s; choose {cheaper(target, recipe, pieces)}.",
            mend={"time_limit": "…"},
        )


def cheaper(target: Target, recipe: MapRecipe, pieces: int) -> str:
    """What would make a recipe quicker, of all that there is for this method and this model."""
    method, ways = recipe.method, []
    if target.model.writes_text and target.window == "full":
        ways.append("the clip-only window")
    if method == "integrated gradients":
        ways.append("fewer steps")
    elif recipe.samples is not None and method in ("SmoothGrad", "LIME", "Shapley"):
        ways.append(f"fewer samples than {recipe.samples}")
    if method in ("leave one out", "LIME", "Shapley"):
        ways.append("fewer and longer pieces")
    elif method == "occlusion":
        ways.append("a shorter clip")
    if method in GRADIENT_METHODS and passes(recipe, pieces, target.clip.seconds) > GRADIENT_COST:
        ways.append("saliency (one gradient)")
    elif method in REMOVAL_METHODS and passes(recipe, pieces, target.clip.seconds) > pieces + 1:
        ways.append("leave one out")
    ways.append("a smaller model")
    return f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]


def curve_times(seconds: float) -> np.ndarray:
    """(frames,) s, centres of the 10 ms frames of a clip."""
    return (np.arange(max(1, int(seconds / CURVE_STEP + 1e-9))) + 0.5) * CURVE_STEP


def _by_window(target: Target, game: Game, recipe: MapRecipe) -> Steps[Evidence]:
    samples = np.asarray(target.clip.samples)
    values, places = yield from removal.occlusion(
        target, samples, width=min(recipe.width, target.clip.seconds), stride=recipe.stride, mode=game.mode,
        seed=game.seed,
    )  # fmt: skip
    # Each sample's number is that of whole windows: their mean over a word compares with other words, a sum would not.
    where = (np.arange(len(values)) + 0.5) / SAMPLE_RATE
    frames = curve_times(target.clip.seconds)
    return Evidence(
        method="occlusion",
        level="pieces",
        scores=pooled(values, where, game.pieces, "mean"),
        times=frames,
        curve=_framed(values, where, frames, "mean"),
        map=None,
        outside=0.0,
        total=None,
        gap=float("nan"),
        fit=float("nan"),
        runs=len(places) + 1,
    )


def _by_gradients(target: Target, game: Game, recipe: MapRecipe) -> Steps[Evidence]:
    # A cut leaves nothing to start from: integrated gradients then set out from silence, and the result says so.
    start: Mode = "silence" if game.mode == "cut" else game.mode
    steps = gradients.gradient_map(
        target, recipe.level, recipe.method, baseline=start, steps=recipe.steps,
        samples=recipe.samples or NOISY_SAMPLES, seed=recipe.seed,
    )  # fmt: skip
    found = yield from within(steps, 0.0, 1.0)
    where = cell_times(target, recipe.level, found.values.shape[-1])
    own = where < target.clip.seconds
    values, where = found.values[..., own], where[own]
    frames = curve_times(target.clip.seconds) if recipe.level == "waveform" else where
    return Evidence(
        method=recipe.method,
        level=recipe.level,
        scores=pooled(values, where, game.pieces, recipe.aggregate),
        times=frames,
        curve=_framed(values, where, frames, recipe.aggregate),
        map=values if recipe.level == "log-mel" else None,
        outside=float(found.values[..., ~own].sum()),
        total=found.total,
        gap=found.gap,
        fit=float("nan"),
        runs=round(passes(recipe, len(game), target.clip.seconds) / GRADIENT_COST),
        start=start if recipe.method == "integrated gradients" else "",
    )


def cell_times(target: Target, level: Level, cells: int) -> np.ndarray:
    """(cells,) s, centres in time of what enters at a level, those of Whisper's padding included."""
    if level == "waveform":
        return (np.arange(cells) + 0.5) / SAMPLE_RATE
    if level == "log-mel":
        return np.arange(cells) * 0.01
    grid = models.frame_grid(target.clip, target.model)
    return grid.first_centre + grid.step * np.arange(cells)


def pooled(values: np.ndarray, where: np.ndarray, pieces: tuple[Segment, ...], how: Aggregate) -> np.ndarray:
    """(pieces,) cells (…, time) whose centre lies in a piece, brought together; the nearest where there is none.

    A cell that k pieces hold (several short ones may borrow the same) counts 1/k in each of their sums.
    """
    if how not in AGGREGATES:
        raise UserError(f"There is no way “{how}” to bring numbers together; choose one of {', '.join(AGGREGATES)}.")
    held = np.array([_held(where, piece) for piece in pieces])
    if how in ADDED:  # else the same cell would be added more than once
        values = values / np.maximum(held.sum(0), 1)
    return np.array([AGGREGATES[how](values[..., inside]) for inside in held])


def _held(where: np.ndarray, piece: Segment) -> np.ndarray:
    """(time,) bool: the cells of a piece."""
    inside = (where >= piece.start - 1e-9) & (where < piece.end - 1e-9)
    if not inside.any():
        inside[np.abs(where - (piece.start + piece.end) / 2).argmin()] = True
    return inside


def _framed(values: np.ndarray, where: np.ndarray, frames: np.ndarray, how: Aggregate) -> np.ndarray:
    """(frames,) cells brought together over everything but time, and over the samples of a frame."""
    edges = np.concatenate(([-np.inf], (frames[1:] + frames[:-1]) / 2, [np.inf]))
    owner = np.searchsorted(edges, where, side="right") - 1
    flat = np.atleast_2d(values)
    starts = np.searchsorted(owner, np.arange(len(frames) + 1))
    return np.array([AGGREGATES[how](flat[:, slice(*edge)]) for edge in pairwise(starts.tolist())])


def _piece_of(times: np.ndarray, pieces: tuple[Segment, ...]) -> np.ndarray:
    """(times,) index of the piece that each moment lies in."""
    starts = np.array([piece.start for piece in pieces])
    return np.clip(np.searchsorted(starts, times + 1e-9, side="right") - 1, 0, len(pieces) - 1)


def random_like(curve: np.ndarray, seed: int) -> np.ndarray:
    """(frames,) Gaussian noise as smooth as the curve: the same (circular) autocorrelation, mean and spread."""
    noise = np.random.default_rng(seed).standard_normal(len(curve))
    shape = np.abs(np.fft.rfft(curve - curve.mean()))
    made = np.fft.irfft(np.fft.rfft(noise) * shape, len(curve))
    made -= made.mean()
    spread = float(made.std())
    return curve.mean() + made * (float(curve.std()) / spread if spread > 0 else 0.0)


def strongest(evidence: Evidence, pieces: tuple[Segment, ...], share: float) -> tuple[Segment, ...]:
    """The stretches with the highest scores that make up this share of the clip's time, or just over it.

    Whole pieces where pieces were judged, frames of the curve otherwise.
    """
    whole = by_pieces(evidence)
    return first_of(stretches(evidence, pieces), evidence.scores if whole else evidence.curve, share)


def loudest(samples: np.ndarray, evidence: Evidence, pieces: tuple[Segment, ...], share: float) -> tuple[Segment, ...]:
    """As `strongest`, by mean power: stretches of the same kind."""
    parts = stretches(evidence, pieces)
    return first_of(parts, energies(samples, parts), share)


def by_pieces(evidence: Evidence) -> bool:
    """Whether whole pieces were judged, which all of their time shares."""
    return evidence.level == "pieces" and evidence.method != "occlusion"


def stretches(evidence: Evidence, pieces: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """What has a score of its own: the pieces, or the frames of the curve."""
    if by_pieces(evidence):
        return pieces
    step = float(evidence.times[1] - evidence.times[0]) if len(evidence.times) > 1 else CURVE_STEP
    starts = np.maximum(evidence.times - step / 2, 0.0)
    return tuple(Segment("", start, start + step) for start in starts.tolist())


def first_of(parts: Sequence[Segment], scores: np.ndarray, share: float) -> tuple[Segment, ...]:
    """The parts with the highest scores that make up this share of all parts' time, or just over it, in time order."""
    chosen, time_taken = [], 0.0
    wanted = share * sum(part.end - part.start for part in parts)
    for index in np.argsort(-scores, kind="stable"):
        if time_taken >= wanted - 1e-9:
            break
        chosen.append(parts[index])
        time_taken += parts[index].end - parts[index].start
    return tuple(sorted(chosen, key=lambda part: part.start))
