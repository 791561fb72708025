"""Does a map stay as it is when the sound changes in a way that no listener minds?

The same question is asked of the clip 20 ms later, 20 ms earlier, and with faint noise, and the scores of the pieces
are compared with those of the clip itself (input stability; Shen et al. 2025 compare seeds in this way). Loudness
hardly changes with such a change and so agrees with itself almost perfectly: a map that does the same is not yet a
good one, but one that does not is a bad one. Random maps say how far maps of so few pieces agree by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.errors import UserError
from methods.core.explain import attribution_map, perturb
from methods.core.explain.attribution_map import Evidence, MapRecipe, random_like
from methods.core.explain.perturb import Game
from methods.core.frames import Segment
from methods.core.progress import Step, Steps, within
from methods.core.results import read_only
from methods.core.statistics import correlation

SHIFT = 0.02  # s: one frame of Whisper's encoder
SNR = 40.0  # dB: a hundredth of the clip's amplitude
VARIANTS: dict[str, float | None] = {"20 ms later": SHIFT, "20 ms earlier": -SHIFT, "noise at 40 dB SNR": None}
SHORTEST = 0.005  # s: a piece of which less is left after the shift can be no piece
DRAWS = 200  # random maps: enough for the 95th percentile, and a matter of milliseconds
SURE = 0.95


@dataclass(frozen=True, eq=False)
class Steadiness:
    """A map beside the maps of the same clip, slightly changed."""

    variants: tuple[str, ...]  # the changes that could be tried
    scores: np.ndarray  # (variants, pieces) the same method asked of the changed clip
    loudness: np.ndarray  # (variants, pieces) mean power of the pieces in it
    spearman: np.ndarray  # (variants,) agreement with the own map, -1 to 1; NaN where one of the two is constant
    pearson: np.ndarray  # (variants,)
    loudness_spearman: np.ndarray  # (variants,) of loudness with the changed clip's loudness
    loudness_pearson: np.ndarray  # (variants,)
    chance_spearman: np.ndarray  # (draws,) of random maps, as smooth as the own one, with it; NaN if it is constant
    chance_pearson: np.ndarray  # (draws,)

    @property
    def sure(self) -> float:
        """The rank correlation that 95% of random maps stay below; NaN where the own map is constant."""
        known = self.chance_spearman[np.isfinite(self.chance_spearman)]
        return float(np.quantile(known, SURE)) if len(known) else float("nan")

    @property
    def lacking(self) -> tuple[str, ...]:
        """Changes under which nothing can be said of the agreement."""
        return tuple(name for name, value in zip(self.variants, self.spearman, strict=True) if not np.isfinite(value))

    def table(self) -> pd.DataFrame:
        """One line per change."""
        return pd.DataFrame(
            {
                "variant": self.variants,
                "spearman": self.spearman,
                "pearson": self.pearson,
                "loudness_spearman": self.loudness_spearman,
                "loudness_pearson": self.loudness_pearson,
                "random_map_spearman_95": self.sure,
            }
        )


def measure(
    game: Game,
    recipe: MapRecipe,
    own: Evidence,
    variants: Sequence[str] = tuple(VARIANTS),
    limit: float = attribution_map.TIME_LIMIT,
) -> Steps[tuple[Steadiness | None, dict[str, str]]]:
    """The map of each changed clip beside `own`, and for each change that could not be tried the reason.

    `game` holds the target, the clip's pieces and what stands in for them.
    """
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    refused: dict[str, str] = {}
    for number, name in enumerate(variants):
        yield Step(number / len(variants), name)
        try:
            changed = variant(game, name)
            steps = attribution_map.evidence(changed.target, changed, recipe, limit)
            scores = (yield from within(steps, number / len(variants), (number + 1) / len(variants))).scores
            found[name] = scores, perturb.energies(changed.samples, changed.pieces)
        except UserError as reason:  # a change that cannot be tried must not take the map away
            refused[name] = str(reason)
    return (compared(game, own, found) if found else None), refused


def variant(game: Game, name: str) -> Game:
    """The same target, pieces and replacement for a changed clip; pieces move with the sound."""
    if name not in VARIANTS:
        raise UserError(f"There is no change “{name}” of the clip; choose among {', '.join(VARIANTS)}.")
    by, clip = VARIANTS[name], game.target.clip
    samples = noisy(game.samples, SNR, game.seed) if by is None else shifted(game.samples, by)
    pieces = game.pieces if by is None else moved(game.pieces, by)
    target = replace(game.target, clip=Clip(samples, f"{clip.name}, {name}"))
    return Game(target, samples, pieces, game.mode, game.before, game.after, game.seed)


def shifted(samples: np.ndarray, by: float) -> np.ndarray:
    """(n,) the sound `by` seconds later (earlier if negative): silence comes in, and as much goes out at the end."""
    count = round(abs(by) * SAMPLE_RATE)
    quiet = np.zeros(count, np.float32)
    kept = samples[: len(samples) - count] if by > 0 else samples[count:]
    return np.concatenate((quiet, kept) if by > 0 else (kept, quiet)).astype(np.float32)


def noisy(samples: np.ndarray, snr: float, seed: int = 0) -> np.ndarray:
    """(n,) the sound with white noise `snr` dB below its mean power."""
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    power = np.mean(np.square(samples, dtype=np.float64)) / 10 ** (snr / 10)
    return (samples + noise * np.sqrt(power / np.mean(noise**2))).astype(np.float32)


def moved(pieces: Sequence[Segment], by: float) -> tuple[Segment, ...]:
    """The pieces `by` seconds later; the first and the last still reach the ends of the clip."""
    end = pieces[-1].end
    edges = [pieces[0].start, *(min(max(piece.start + by, 0.0), end) for piece in pieces[1:]), end]
    for piece, (start, stop) in zip(pieces, pairwise(edges), strict=True):
        if stop - start < SHORTEST:
            raise UserError(
                f"Of “{piece.label}”, {1000 * (piece.end - piece.start):.0f} ms at the clip's edge, too little is "
                f"left when the sound moves by {1000 * abs(by):.0f} ms; take longer pieces."
            )
    return tuple(Segment(piece.label, *edge) for piece, edge in zip(pieces, pairwise(edges), strict=True))


def compared(game: Game, own: Evidence, found: dict[str, tuple[np.ndarray, np.ndarray]]) -> Steadiness:
    """The agreement of the own map, of loudness, and of random maps with those of the changed clips."""
    energy = perturb.energies(game.samples, game.pieces)
    scores, loudness = (np.array(part) for part in zip(*found.values(), strict=True))
    drawn = [
        attribution_map.pooled(random_like(own.curve, seed), own.times, game.pieces, "mean") for seed in range(DRAWS)
    ]

    def all_of(measured: object, one: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
        return read_only([measured(one, other) for other in others])

    spearman, pearson = correlation.spearman, correlation.pearson
    return Steadiness(
        variants=tuple(found),
        scores=read_only(scores),
        loudness=read_only(loudness),
        spearman=all_of(spearman, own.scores, scores),
        pearson=all_of(pearson, own.scores, scores),
        loudness_spearman=all_of(spearman, energy, loudness),
        loudness_pearson=all_of(pearson, energy, loudness),
        chance_spearman=all_of(spearman, own.scores, drawn),
        chance_pearson=all_of(pearson, own.scores, drawn),
    )
