"""How far a head looks, how spread and how alike its rows are: scores of attention among a clip's own frames.

Weights are (heads, rows, keys), each row summing to 1 over the keys. Whatever concerns distance comes from one array,
the *distance profile*: the mean mass of a row at each distance |i - j|. Everything can be summed over chunks of rows,
so that a 30 s clip (1,500 × 1,500 weights per head) never stands in memory as a whole.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from methods.core.frames import FrameGrid
from methods.core.models.sites import Site

CHUNK = 128  # rows: 12 heads × 128 × 1,500 weights are 9 MB in single precision
BAND_SHARE = 0.9  # of a row's mass; ours: the paper names no threshold
KINDS = ("global", "vertical", "diagonal")


def row_chunks(frames: int, size: int = CHUNK) -> Iterator[slice]:
    """Consecutive rows, `size` at a time."""
    return (slice(first, min(first + size, frames)) for first in range(0, frames, size))


def own_scores(site: Site, rows: slice) -> torch.Tensor:
    """(heads, rows, own keys) scores before the softmax, for the clip's own frames only."""
    scores = site.query[:, rows] @ site.key[:, : site.own_keys].transpose(1, 2)
    return scores if site.bias is None else scores + site.bias[:, rows][..., : site.own_keys]


def own_weights(site: Site, rows: slice) -> torch.Tensor:
    """(heads, rows, own keys) attention renormalised over the clip's own frames.

    A softmax over some of the scores is the softmax over all of them renormalised, even where padding takes so much
    that the own weights would all round to 0.
    """
    return own_scores(site, rows).softmax(-1)


def distance_mass(weights: torch.Tensor, first_row: int = 0) -> torch.Tensor:
    """(heads, keys) float64 mass at each distance 0, 1, … frames, summed over the rows."""
    heads, rows, keys = weights.shape
    distance = (torch.arange(first_row, first_row + rows)[:, None] - torch.arange(keys)).abs()
    total = torch.zeros(heads, keys, dtype=torch.float64)
    return total.index_add_(1, distance.flatten(), weights.flatten(1).double())


def distance_profile(weights: np.ndarray | torch.Tensor) -> np.ndarray:
    """(heads, frames) mean mass of a row at each distance, from whole (heads, frames, frames) weights."""
    weights = torch.as_tensor(np.ascontiguousarray(weights))
    return (distance_mass(weights) / weights.shape[1]).numpy()


def mean_distance(profile: np.ndarray) -> np.ndarray:
    """(…,) frames: how far away, on average, does a row look?"""
    return profile @ np.arange(profile.shape[-1])


def cumulative_diagonality(profile: np.ndarray) -> np.ndarray:
    """(…,) CAD, 0 to 1: the area under D(r), the mean mass within a radius r of the diagonal (Shim et al. 2022).

    A weight at distance d enters D at r = d / (T - 1), so the area is 1 - mean distance / (T - 1).
    """
    return 1 - mean_distance(profile) / max(profile.shape[-1] - 1, 1)


def diagonality_of(site: Site) -> np.ndarray:
    """(heads,) CAD of one layer's heads among the clip's own frames, a chunk of rows at a time."""
    parts = [distance_mass(own_weights(site, rows), rows.start) for rows in row_chunks(site.own_keys)]
    return cumulative_diagonality((sum(parts) / site.own_keys).numpy())


def within_radius(profile: np.ndarray) -> np.ndarray:
    """(…, frames) D(r) at r = 0, 1/(T - 1), …, 1: the mean mass of a row within that relative radius."""
    return profile.cumsum(-1)


def uniform_diagonality(frames: int) -> float:
    """CAD where every frame weighs the same: (2T - 1) / (3T), near 2/3 and not 1/2."""
    return (2 * frames - 1) / (3 * frames)


def band(profile: np.ndarray, share: float = BAND_SHARE) -> np.ndarray:
    """(…,) int, frames: the smallest half-width w such that |i - j| ≤ w holds this share of the mass (Alastruey 2022).

    The frame itself counts. A mass that reaches the share but for rounding (1e-9) counts as reaching it.
    """
    return (within_radius(profile) >= share - 1e-9).argmax(-1)


def entropy(weights: torch.Tensor) -> torch.Tensor:
    """(…,) nats along the last axis, in float64; 0 log 0 is 0."""
    return torch.special.entr(weights.double()).sum(-1)


def kinds(scores: np.ndarray) -> np.ndarray:
    """Which of `KINDS` stands out most? (kinds, layers, heads) scores -> (layers, heads) indices.

    The three scores have different units, so each is standardised over all heads of the model first.
    """
    return standardised(scores).argmax(0)


def standardised(scores: np.ndarray) -> np.ndarray:
    """(kinds, layers, heads) z-scores over all heads; 0 where all heads are alike."""
    spread = scores.std((1, 2), keepdims=True)
    centred = scores - scores.mean((1, 2), keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12)


def cosine_sum(vectors: torch.Tensor) -> torch.Tensor:
    """(heads, heads) float64: cosine of each pair of heads' vectors (heads, rows, width), summed over the rows."""
    units = torch.nn.functional.normalize(vectors, dim=-1).transpose(0, 1)  # (rows, heads, width)
    return (units @ units.transpose(1, 2)).sum(0, dtype=torch.float64)


def pair_mean(matrices: np.ndarray) -> np.ndarray:
    """(…,) mean over the pairs of different heads of (…, heads, heads); NaN with one head."""
    upper = np.triu_indices(matrices.shape[-1], 1)
    if not len(upper[0]):
        return np.full(matrices.shape[:-2], np.nan)
    return matrices[..., upper[0], upper[1]].mean(-1)


def block_edges(frames: int, largest: int) -> np.ndarray:
    """(cells + 1,) int, the frame with which each block begins, and the number of frames at the end."""
    return np.linspace(0, frames, min(frames, largest) + 1).round().astype(int)


def block_bounds(grid: FrameGrid, largest: int) -> np.ndarray:
    """(cells + 1,) s, where each block begins and ends: half a step before its first frame's centre and so on."""
    bounds = grid.times[0] + grid.step * (block_edges(grid.frames, largest) - 0.5)
    return bounds.clip(0.0, grid.seconds)


def blocks(frames: int, largest: int) -> torch.Tensor:
    """(cells, frames) mean over each of at most `largest` blocks of neighbouring frames, equal in length to one."""
    edges = block_edges(frames, largest)
    pool = torch.zeros(len(edges) - 1, frames)
    for cell, (first, stop) in enumerate(itertools.pairwise(edges.tolist())):
        pool[cell, first:stop] = 1 / (stop - first)
    return pool


class ClassRelation:
    """Phoneme attention relationship: the mean weight from frames of class p to frames of class q (Shim et al. 2022).

    The run of frames of the same class around the row's own frame is left out, so that [p, p] speaks of other
    instances of p and not of the frame's neighbourhood. `classes` holds a number per frame, -1 for none.
    """

    def __init__(self, classes: Sequence[int], count: int) -> None:
        self.classes = np.asarray(classes)
        frames = len(self.classes)
        change = np.flatnonzero(np.diff(self.classes)) + 1
        starts, stops = np.append(0, change), np.append(change, frames)
        self.starts, self.stops = np.repeat(starts, stops - starts), np.repeat(stops, stops - starts)
        self.of_class = torch.zeros(frames, count, dtype=torch.float64)
        inside = np.flatnonzero(self.classes >= 0)
        self.of_class[inside, self.classes[inside]] = 1.0
        self.mass = torch.zeros(0)

    def add(self, weights: torch.Tensor, first_row: int) -> None:
        """Take in (heads, rows, frames) weights of the rows from `first_row` on."""
        heads, rows, _ = weights.shape
        here = slice(first_row, first_row + rows)
        weights = weights.double()
        to_class = weights @ self.of_class  # (heads, rows, classes)
        running = torch.cat([torch.zeros(heads, rows, 1, dtype=torch.float64), weights.cumsum(-1)], -1)
        row = torch.arange(rows)
        own = running[:, row, self.stops[here]] - running[:, row, self.starts[here]]  # (heads, rows)
        members = self.of_class[here]  # (rows, classes)
        total = torch.einsum("rp,hrq->hpq", members, to_class)
        total -= torch.diag_embed(own @ members)
        self.mass = total if not len(self.mass) else self.mass + total

    def mean(self) -> np.ndarray:
        """(heads, classes, classes) rows = the reading class; NaN where no pair of frames is left."""
        lengths = self.of_class.sum(0)  # frames per class
        runs = torch.as_tensor((self.stops - self.starts).astype(float))
        pairs = torch.outer(lengths, lengths) - torch.diag(self.of_class.T @ runs)
        return np.where(pairs > 0, self.mass / pairs.clamp_min(1), np.nan)


def monotonicity(peaks: np.ndarray) -> float:
    """Spearman's rank correlation of order and position (n,); NaN if there are fewer than three or all are equal."""
    peaks = np.asarray(peaks)
    if len(peaks) < 3 or (peaks == peaks[0]).all():
        return float("nan")
    _, inverse, counts = np.unique(peaks, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[inverse]  # ties share their mean rank
    return float(np.corrcoef(np.arange(len(peaks)), ranks)[0, 1])
