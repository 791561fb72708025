"""How sure is a score? 95% intervals from leaving out parts of the recordings, before training where that is cheap.

    parts = Parts.of(recording)                        # at most ten parts of whole recordings
    left = [score without part k, trained and tested anew, for k in range(parts.count)]
    low, high = parts.interval(score, left)

Frames or phones of one recording are not independent, so whole recordings (or speakers, or sentences) go. The
jackknife with parts of unequal size is that of Busing, Meijer & Van der Leeden 1999 (doi 10.1023/A:1008800423698); its
quantile is Student's, because ten parts tell the spread only roughly. A bootstrap of few recordings is too narrow, and
one that draws recordings twice trains on two thirds of them. Coverage as measured: `benchmarks/intervals.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from methods.core.progress import Steps
from methods.core.statistics import linear_probe

PARTS = 10  # with training between them, so that it takes a few times one training and not a hundred
FEWEST = 5  # recordings (speakers, sentences): below, the spread over them is little more than a guess
LEVEL = 0.95
ROUNDING = 1e-12  # a share this near to 0 or 1 is 0 or 1


@dataclass(frozen=True, eq=False)
class Parts:
    """Items dealt into parts, all items of a group in one."""

    part: np.ndarray  # (n,) int
    groups: np.ndarray  # (parts,) int, how many groups each part holds

    @classmethod
    def of(cls, groups: np.ndarray, most: int = PARTS, seed: int = 0) -> "Parts":
        """Deal groups at random into at most `most` parts, as evenly as their number allows."""
        names, members = np.unique(groups, return_inverse=True)
        count = min(most, len(names))
        place = np.random.default_rng(seed).permutation(np.arange(len(names)) % count)
        return cls(place[members], np.bincount(place, minlength=count))

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self.groups)

    @property
    def enough(self) -> bool:
        """Whether there are groups enough for an interval."""
        return bool(self.groups.sum() >= FEWEST)

    def interval(self, whole: float, left: Sequence[float] | np.ndarray) -> tuple[float, float]:
        """95% interval around a score from the same without each part (parts,); NaN if there are too few groups.

        A part without which the score is not defined is passed over; where that leaves fewer than five, or the score
        itself is not defined, the ends are NaN.
        """
        left = np.asarray(left, dtype=float)
        known = np.isfinite(left)
        if not self.enough or known.sum() < min(FEWEST, self.count) or not np.isfinite(whole):
            return float("nan"), float("nan")
        half = student.ppf((1 + LEVEL) / 2, known.sum() - 1) * _error(whole, left[known], self.groups[known])
        return float(whole - half), float(whole + half)


def _error(whole: float, left: np.ndarray, groups: np.ndarray) -> float:
    """The standard error by the delete-m_j jackknife."""
    ratio = groups.sum() / groups  # Busing's h
    pseudo = ratio * whole - (ratio - 1) * left
    centre = len(left) * whole - ((1 - 1 / ratio) * left).sum()
    return float(np.sqrt(((pseudo - centre) ** 2 / (ratio - 1)).mean()))


def of_mean(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """95% interval of the mean of (n,) values, over the groups that they come from; NaN with fewer than five.

    What made the values (the training of a probe, say) stays as it was: how it varies is not in the interval.
    """
    each = Parts.of(groups, most=len(groups))
    sums, sizes = np.bincount(each.part, weights=values), np.bincount(each.part)
    if not each.enough:
        return float("nan"), float("nan")
    return each.interval(sums.sum() / sizes.sum(), (sums.sum() - sums) / (sizes.sum() - sizes))


def of_mean_share(right: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """95% interval of the share of (n,) that are right, over the groups that they come from; see `of_mean`."""
    right = np.asarray(right, dtype=float)
    return of_share(
        float(right.mean()) if len(right) else float("nan"), of_mean(right, groups), len(np.unique(groups))
    )


def of_accuracy(
    values: np.ndarray, codes: np.ndarray, fold: np.ndarray, groups: np.ndarray, penalties: np.ndarray, right: float
) -> Steps[tuple[float, float]]:
    """95% interval of a ridge probe's accuracy, trained and tested anew without each part of the groups.

    `codes` (n,) are what the rows of `values` (n, d) are, `penalties` (folds,) those chosen, `right` the accuracy.
    """
    parts, classes = Parts.of(groups), int(codes.max()) + 1
    if not parts.enough:
        return float("nan"), float("nan")
    targets, each = linear_probe.one_hot(codes, classes), np.repeat(penalties[:, None], classes, axis=1)

    def accuracy(said: np.ndarray, kept: np.ndarray) -> float:
        return float((said.argmax(1) == codes[kept]).mean())

    left = yield from linear_probe.left_out(values, targets, fold, parts.part, each, accuracy)
    return of_share(right, parts.interval(right, left), int(parts.groups.sum()))


def of_share(share: float, ends: tuple[float, float], groups: int) -> tuple[float, float]:
    """95% interval of a share from one on a straight scale, as wide on the scale of log-odds; NaN stays NaN.

    A share near 0 or 1 varies less below it than above, and where all is right nothing varies. Cut off at 0 and 1, an
    interval over 5, 8 and 12 recordings held .97 in .76, .77 and .80 of 1,000 simulations and .90 in .87, .91 and
    .90 (`benchmarks/intervals.py`); this holds them in .94 or more, and still too seldom where few recordings have all
    the errors. Where all (none) is right each of the `groups` counts as one trial (Clopper & Pearson
    1934): five recordings without an error say only that the share is above .48.
    """
    if not np.isfinite([share, *ends]).all():
        return float("nan"), float("nan")
    if share <= ROUNDING or share >= 1 - ROUNDING:
        reach = 1 - ((1 - LEVEL) / 2) ** (1 / groups)
        return (0.0, reach) if share < 0.5 else (1 - reach, 1.0)
    half = (ends[1] - ends[0]) / 2 / (share * (1 - share))
    low, high = expit(logit(share) + np.array([-half, half]))
    return float(low), float(high)


def note(groups: int, of: str, trained: bool) -> str:
    """What an interval holds, or why there is none, in words: `groups` recordings, and whether they left before it."""
    if groups < FEWEST:
        return f"no interval: it takes {FEWEST} {of} and there are {groups}"
    if trained:
        return f"interval: 95%, leaving out {of} before training"
    return f"interval: 95%, over the {of} tested; how another training would differ is not in it"
