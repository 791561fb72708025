"""Canonical correlation: how much of two sets of vectors for the same items is the same up to a linear map?

    found = fit(moments(x, y))                     # correlations and directions, in sample
    kept = held_out(x, y, groups)                  # fitted on some recordings, scored on others

Centred views with covariances S: the singular values of S_xx^(-1/2) S_xy S_yy^(-1/2) are the canonical correlations.
Everything is done with sums of products, so that each recording is read once however often it is dealt to another
side. A ridge is relative: it is added to the covariance in units of the view's mean variance.

Raghu et al. 2017 (arXiv 1706.05806) for SVCCA; Morcos, Raghu & Bengio 2018 (arXiv 1806.05759) for PWCCA, here with
the canonical variates of the view with fewer dimensions as they are defined in the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from methods.core.errors import UserError

MEASURES = {"pwcca": "PWCCA", "mean": "mean CCA", "svcca": "SVCCA"}
RIDGES = (1e-4, 1e-2, 1e-1, 1.0)  # of the mean variance; chosen on dev recordings
EQUAL = 1e-6  # of a score: what differs by less is rounding (a layer with itself correlates by 1 with any ridge)
KEPT = 0.99  # of the variance, for SVCCA
PARTS, TRIALS = 10, 3  # 8 parts to train, 1 to choose the ridge, 1 to score; three times (Pasad et al. 2021)
TINY = 1e-10  # of the largest variance: directions below are none


@dataclass(frozen=True, eq=False)
class CrossMoments:
    """Sums over n items of two views."""

    n: int
    x: np.ndarray  # (p,)
    y: np.ndarray  # (q,)
    xx: np.ndarray  # (p, p)
    yy: np.ndarray  # (q, q)
    xy: np.ndarray  # (p, q)

    def __add__(self, other: "CrossMoments") -> "CrossMoments":
        return CrossMoments(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def covariances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """S_xx, S_yy, S_xy."""
        return tuple(
            products / self.n - np.outer(a, b) / self.n**2
            for products, a, b in ((self.xx, self.x, self.x), (self.yy, self.y, self.y), (self.xy, self.x, self.y))
        )


@dataclass(frozen=True, eq=False)
class Canonical:
    """Canonical correlations and the directions that they belong to."""

    rho: np.ndarray  # (m,) from the highest, 0 to 1
    a: np.ndarray  # (p, m)
    b: np.ndarray  # (q, m)
    weights: np.ndarray  # (m,) how much of the view with fewer dimensions each variate accounts for; they sum to 1


def moments(x: np.ndarray, y: np.ndarray) -> CrossMoments:
    """Sums of two (n, ·) views of the same items, best centred already."""
    x, y = (np.asarray(view, dtype=np.float64) for view in (x, y))
    return CrossMoments(len(x), x.sum(0), y.sum(0), x.T @ x, y.T @ y, x.T @ y)


def fit(found: CrossMoments, ridge: float = 0.0, measure: str = "pwcca") -> Canonical:
    """Canonical correlations in sample. SVCCA first keeps the directions with 99% of each view's variance."""
    return _Views(found, measure).fit(ridge)


class _Views:
    """Two views in the axes of their own variance; fitting with one ridge after another is then cheap."""

    def __init__(self, found: CrossMoments, measure: str) -> None:
        if measure not in MEASURES:
            raise UserError(f"There is no measure “{measure}”; choose one of {', '.join(MEASURES)}.")
        self.xx, self.yy, xy = found.covariances()
        (self.x_variance, self.x_axes), (self.y_variance, self.y_axes) = (
            _axes(view, measure == "svcca") for view in (self.xx, self.yy)
        )
        self.xy = self.x_axes.T @ xy @ self.y_axes

    def fit(self, ridge: float) -> Canonical:
        x_scale, y_scale = (
            1 / np.sqrt(variance + ridge * variance.mean()) for variance in (self.x_variance, self.y_variance)
        )
        left, rho, right = np.linalg.svd(x_scale[:, None] * self.xy * y_scale, full_matrices=False)
        a = self.x_axes @ (x_scale[:, None] * left)
        b = self.y_axes @ (y_scale[:, None] * right.T)
        fewer_x = len(self.xx) <= len(self.yy)
        weights = _accounted(self.xx, a) if fewer_x else _accounted(self.yy, b)
        return Canonical(np.clip(rho, 0.0, 1.0), a, b, weights)


def _axes(covariance: np.ndarray, most: bool) -> tuple[np.ndarray, np.ndarray]:
    """Variances and directions of a view, from the largest; only those with 99% of the variance if `most`."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    if not values[0] > 0:
        raise UserError("One of the views is the same for all items, so nothing can go with it; choose another.")
    kept = int((values > TINY * values[0]).sum())
    if most:
        share = np.cumsum(values[:kept]) / values[:kept].sum()
        kept = int(np.searchsorted(share, KEPT - 1e-12)) + 1
    return values[:kept], vectors[:, :kept]


def _accounted(covariance: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """α_i = Σ_j |<h_i, x_j>| with h_i of unit length, as shares."""
    lengths = np.sqrt(np.maximum(np.einsum("pi,pq,qi->i", directions, covariance, directions, optimize=True), 0.0))
    inner = np.abs(covariance @ directions).sum(0)
    sizes = np.divide(inner, lengths, out=np.zeros_like(inner), where=lengths > 0)
    return sizes / sizes.sum()


def score(found: Canonical, rho: np.ndarray, measure: str) -> float:
    """One number from canonical correlations `rho`: PWCCA weights them, the others take the mean."""
    return float(rho @ found.weights) if measure == "pwcca" else float(rho.mean())


def in_sample(x: np.ndarray, y: np.ndarray, measure: str = "pwcca") -> float:
    """The score on the items it was fitted on. Raises UserError unless n > p + q, where it would be 1 for noise."""
    n, p, q = len(x), x.shape[1], y.shape[1]
    if n <= p + q:
        raise UserError(
            f"CCA in sample of {p} and {q} dimensions needs more than {p + q} items, better {20 * (p + q)}, and there "
            f"are {n}: it would be near 1 for noise; choose held-out scoring, or give more recordings."
        )
    found = fit(moments(x - x.mean(0), y - y.mean(0)), measure=measure)
    return score(found, found.rho, measure)


# Held out


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores on recordings that the directions were not fitted on."""

    score: float  # mean over the trials; about 0 for unrelated views
    trials: np.ndarray  # (trials,)
    ridges: np.ndarray  # (trials,) chosen on dev recordings
    spectrum: np.ndarray  # (m,) correlation of each pair of variates on test recordings, mean over the trials
    fitted: np.ndarray  # (m,) the same on the recordings that were fitted


def parts(groups: np.ndarray, seed: int = 0, most: int = PARTS) -> np.ndarray:
    """(n,) which of at most `most` parts each item is dealt to: whole recordings, parts of much the same size.

    With fewer than three recordings, stretches of neighbouring items. Raises UserError for fewer than 3 parts.
    """
    names, counts = np.unique(groups, return_counts=True)
    if len(names) < 3:
        if len(groups) < 3 * most:
            raise UserError(
                f"Held-out CCA needs at least {3 * most} items and there are {len(groups)}; choose a longer clip."
            )
        return np.arange(len(groups)) * most // len(groups)
    sizes = np.zeros(min(most, len(names)))
    dealt = {}
    for number in np.random.default_rng(seed).permutation(len(names)):
        place = int(sizes.argmin())
        dealt[names[number]] = place
        sizes[place] += counts[number]
    return np.array([dealt[group] for group in groups])


def held_out(
    x: np.ndarray,
    y: np.ndarray,
    part: np.ndarray,
    measure: str = "pwcca",
    ridges: Sequence[float] = RIDGES,
    trials: int = TRIALS,
) -> HeldOut:
    """Fit on all parts but two, choose the ridge on one, score on the other; the mean over some such deals."""
    x, y = (np.asarray(view, dtype=np.float64) for view in (x, y))
    x, y = x - x.mean(0), y - y.mean(0)
    sums = [moments(x[part == number], y[part == number]) for number in np.unique(part)]
    done = [_trial(sums, number, measure, ridges) for number in range(min(trials, len(sums)))]
    scores, chosen, spectra, fitted = zip(*done, strict=True)
    length = min(map(len, spectra))  # SVCCA may keep more directions in one trial than in another
    spectrum, in_training = (np.mean([rho[:length] for rho in curves], axis=0) for curves in (spectra, fitted))
    return HeldOut(float(np.mean(scores)), np.array(scores), np.array(chosen), spectrum, in_training)


def _trial(
    sums: Sequence[CrossMoments], number: int, measure: str, ridges: Sequence[float]
) -> tuple[float, float, np.ndarray, np.ndarray]:
    test, dev = sums[number], sums[(number + 1) % len(sums)]
    train = [each for each in sums if each is not test and each is not dev]
    views = _Views(sum(train[1:], train[0]), measure)
    found = [views.fit(ridge) for ridge in ridges]
    tried = [score(each, _transferred(each, dev), measure) for each in found] if len(ridges) > 1 else [0.0]
    best = int(np.argmax(np.array(tried) >= max(tried) - EQUAL))  # the least of those that are as good
    rho = _transferred(found[best], test)
    return score(found[best], rho, measure), ridges[best], rho, found[best].rho


def _transferred(found: Canonical, other: CrossMoments) -> np.ndarray:
    """(m,) correlation of each pair of variates on other items; 0 where one does not vary there."""
    xx, yy, xy = other.covariances()
    across = np.einsum("pi,pi->i", found.a, xy @ found.b)
    lengths = np.einsum("pi,pi->i", found.a, xx @ found.a) * np.einsum("qi,qi->i", found.b, yy @ found.b)
    lengths = np.sqrt(np.maximum(lengths, 0.0))
    return np.divide(across, lengths, out=np.zeros_like(across), where=lengths > 1e-12)
