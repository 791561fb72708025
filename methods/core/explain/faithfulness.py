"""Is an attribution true to the model? Take away what it calls important, and see whether the model's answer goes.

Everything works on `value(kept)`, the target's number when only some pieces are left (`perturb.Game.value`, or any
function like it), so that it serves words, windows, phones and cells of a spectrogram alike. Each number stands beside
that of 20 random orders and of the order by energy, which is a strong rival in speech.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core.progress import Step, Steps, finish, within
from methods.core.results import read_only

RANDOM_ORDERS = 20
QUANTILES = tuple(share / 10 for share in range(1, 11))  # 10% to 100% of the pieces

Value = Callable[[np.ndarray], float]


@dataclass(frozen=True, eq=False)
class Trial:
    """One order of the pieces, the most important first, put to the test."""

    order: np.ndarray  # (pieces,) int
    taken: np.ndarray  # (steps + 1,) int, how many of the first pieces were taken; from 0 to all
    share: np.ndarray  # (steps + 1,) the same as a share of the clip's time (or area), 0 to 1
    deletion: np.ndarray  # (steps + 1,) target without the first `taken` pieces; falls fast if the order is good
    insertion: np.ndarray  # (steps + 1,) target with nothing but these; rises fast if the order is good

    @property
    def comprehensiveness(self) -> float:
        """Mean loss of the target when the first pieces go (DeYoung et al. 2020); high is good."""
        return float(np.mean(self.deletion[0] - self.deletion[1:]))

    @property
    def sufficiency(self) -> float:
        """Mean loss of the target when only the first pieces stay; low is good."""
        return float(np.mean(self.deletion[0] - self.insertion[1:]))

    @property
    def deletion_area(self) -> float:
        """Mean of the deletion curve over the share of time that is gone; low is good."""
        return float(np.trapezoid(self.deletion, self.share))

    @property
    def insertion_area(self) -> float:
        """Mean of the insertion curve over the share of time that is there; high is good."""
        return float(np.trapezoid(self.insertion, self.share))


MEASURES = {  # name -> which way is good
    "comprehensiveness": 1.0,
    "sufficiency": -1.0,
    "deletion_area": -1.0,
    "insertion_area": 1.0,
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """An attribution's trial beside those of chance and of loudness."""

    own: Trial
    energy: Trial | None  # by mean power, the loudest first
    random: tuple[Trial, ...]

    def z(self, measure: str, trial: Trial | None = None) -> float:
        """How many standard deviations better than chance; NaN where chance does not vary or was not drawn enough."""
        drawn = np.array([getattr(each, measure) for each in self.random])
        spread = float(drawn.std(ddof=1)) if len(drawn) > 1 else 0.0
        if spread <= _rounding(drawn):
            return float("nan")
        return MEASURES[measure] * (getattr(trial or self.own, measure) - float(drawn.mean())) / spread

    def beaten(self, measure: str, trial: Trial | None = None) -> float:
        """Share of the random orders that are worse, ties half; says more than z where there are few pieces.

        An order made beforehand beats 20 random ones by chance in 1 of 21 cases, and in .03 to .07 of 400 simulations
        with 4 to 20 pieces. One made of what single pieces cost knows the first step where that is one piece: with 4
        to 12 of them its comprehensiveness beat 20 in .08 to .12 although the values were noise
        (`benchmarks/chance.py`).
        """
        own, sign = getattr(trial or self.own, measure), MEASURES[measure]
        gains = sign * (own - np.array([getattr(each, measure) for each in self.random]))
        tied = np.abs(gains) <= _rounding(gains)
        return float(np.mean((gains > 0) & ~tied) + 0.5 * np.mean(tied)) if len(gains) else float("nan")

    def summary(self) -> dict[str, dict[str, float]]:
        """Measure -> own value, energy order's value, chance's mean and spread, z-scores, share beaten."""
        found = {}
        for measure in MEASURES:
            drawn = np.array([getattr(each, measure) for each in self.random])
            found[measure] = {
                "own": getattr(self.own, measure),
                "energy": getattr(self.energy, measure) if self.energy else float("nan"),
                "random_mean": float(drawn.mean()) if len(drawn) else float("nan"),
                "random_sd": float(drawn.std(ddof=1)) if len(drawn) > 1 else float("nan"),
                "z": self.z(measure),
                "beaten": self.beaten(measure),
                "energy_z": self.z(measure, self.energy) if self.energy else float("nan"),
            }
        return found


def _rounding(values: np.ndarray) -> float:
    """Differences up to this are no news."""
    return 1e-12 * max(1.0, float(np.abs(values).max(initial=0.0)))


def ranking(scores: Sequence[float] | np.ndarray) -> np.ndarray:
    """(pieces,) the order of the pieces, highest score first; equal ones in the order of time."""
    return np.argsort(-np.asarray(scores, dtype=float), kind="stable")


def steps_of(pieces: int, quantiles: Sequence[float] = QUANTILES) -> np.ndarray:
    """(steps + 1,) how many pieces go at each step: 0, then int(q·pieces), each number once. Few pieces, few steps."""
    return np.unique([0, *(int(share * pieces + 1e-9) for share in quantiles), pieces])


def trial(value: Value, order: Sequence[int], sizes: Sequence[float], taken: np.ndarray | None = None) -> Trial:
    """Deletion and insertion curves of one order. `sizes` are the pieces' seconds (or areas)."""
    return finish(trial_in_steps(value, order, sizes, taken))


def trial_in_steps(
    value: Value, order: Sequence[int], sizes: Sequence[float], taken: np.ndarray | None = None, name: str = "an order"
) -> Steps[Trial]:
    """The same; before each value there is a step."""
    order, sizes = np.asarray(order, int), np.asarray(sizes, float)
    taken = steps_of(len(order)) if taken is None else taken
    deletion, insertion = [], []
    for number, count in enumerate(taken):
        first = np.zeros(len(order), bool)
        first[order[:count]] = True
        for curve, kept in ((deletion, ~first), (insertion, first)):
            yield Step(number / len(taken), name)
            curve.append(value(kept))
    gone = np.concatenate(([0.0], np.cumsum(sizes[order])))[taken]
    return Trial(
        order=read_only(order, np.int64),
        taken=read_only(taken, np.int64),
        share=read_only(gone / sizes.sum()),
        deletion=read_only(deletion),
        insertion=read_only(insertion),
    )


def verdict_in_steps(
    value: Value,
    scores: Sequence[float] | np.ndarray,
    sizes: Sequence[float] | np.ndarray,
    *,
    energy: Sequence[float] | np.ndarray | None = None,
    draws: int = RANDOM_ORDERS,
    seed: int = 0,
) -> Steps[Verdict]:
    """The trial of an attribution, of the energy order and of random orders; every step can be stopped at."""
    part = 1 / (draws + 2)
    steps = trial_in_steps(value, ranking(scores), sizes, name="deletion and insertion in the attribution's order")
    result = Verdict((yield from within(steps, 0.0, part)), None, ())
    if energy is not None:
        steps = trial_in_steps(value, ranking(energy), sizes, name="the order by energy")
        result = replace(result, energy=(yield from within(steps, part, 2 * part, result)))
    random = np.random.default_rng(seed)
    for number in range(draws):
        steps = trial_in_steps(
            value, random.permutation(len(sizes)), sizes, name=f"random order {number + 1} of {draws}"
        )
        drawn = yield from within(steps, (number + 2) * part, (number + 3) * part, result)
        result = replace(result, random=(*result.random, drawn))
    return result
