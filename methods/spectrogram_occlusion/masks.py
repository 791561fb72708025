"""Random pieces of a spectrogram hidden, the harm that it does, and from both a map of what matters where.

Patches come at several sizes; each mask belongs to one of them. A cell's relevance is the mean impact of the masks
that hid it (SPES: Fucci et al. 2024). Everything here is plain arithmetic on masks and impacts: no model is run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

THRESHOLDS = np.linspace(0.0, 1.0, 21)  # of the compactness measure, as published


@dataclass(frozen=True, eq=False)
class Masks:
    """Which patches each mask hides. Mask i belongs to patch size i % sizes, so that all sizes get equal shares."""

    patches: np.ndarray  # (sizes, height, width) int, the patch of each cell
    hidden: tuple[np.ndarray, ...]  # one (masks of this size, patches) bool per size

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.hidden)

    def cells(self, number: int) -> np.ndarray:
        """(height, width) bool, True where mask `number` hides the picture."""
        size = number % len(self.patches)
        return self.hidden[size][number // len(self.patches)][self.patches[size]]

    def first(self, count: int) -> "Masks":
        """The first `count` masks only."""
        return self.only(np.arange(count))

    def only(self, numbers: np.ndarray) -> "Masks":
        """These masks, of which the sizes must still take turns."""
        sizes = len(self.patches)
        rows = tuple(hidden[numbers[numbers % sizes == s] // sizes] for s, hidden in enumerate(self.hidden))
        return replace(self, hidden=rows)


def drawn(patches: np.ndarray, count: int, share: float, seed: int) -> Masks:
    """`count` masks that each hide every patch with probability `share`."""
    random, sizes = np.random.default_rng(seed), len(patches)
    each = [len(range(size, count, sizes)) for size in range(sizes)]
    hidden = tuple(
        random.random((rows, int(layout.max()) + 1)) < share for rows, layout in zip(each, patches, strict=True)
    )
    return Masks(patches, hidden)


def by_size(values: np.ndarray, sizes: int) -> Iterator[np.ndarray]:
    """The rows of each patch size, of values per mask."""
    return (values[size::sizes] for size in range(sizes))


def relevance(masks: Masks, impacts: np.ndarray) -> np.ndarray:
    """(height, width) mean impact of the masks that hid each cell, from one impact per mask.

    A cell that no mask has hidden, as can be with very few masks, has no news: it gets the mean of all impacts.
    """
    total, count = np.zeros(masks.patches.shape[1:]), np.zeros(masks.patches.shape[1:])
    rows = by_size(impacts, len(masks.patches))
    for layout, hidden, values in zip(masks.patches, masks.hidden, rows, strict=True):
        total += (values @ hidden)[layout]
        count += hidden.sum(0)[layout]
    return np.divide(total, count, out=np.full(total.shape, impacts.mean()), where=count > 0)


def standardised(impacts: np.ndarray) -> np.ndarray:
    """(masks, tokens) in standard deviations from each token's mean over the masks; 0 for a token that never moves.

    So each token weighs the same in a word's or a sentence's map, however easily it is shaken as a whole.
    """
    spread = impacts.std(0)
    moves = spread > 1e-9 * np.maximum(1.0, np.abs(impacts).max(0, initial=0.0))  # rounding is no movement
    return np.divide(impacts - impacts.mean(0), spread, out=np.zeros(impacts.shape), where=moves)


def halves(masks: Masks, impacts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two (height, width) maps, each from every second mask of every size."""
    numbers = np.arange(len(masks))
    turn = numbers // len(masks.patches) % 2
    return tuple(relevance(masks.only(numbers[turn == side]), impacts[turn == side]) for side in (0, 1))


def split_half(masks: Masks, impacts: np.ndarray) -> float:
    """Pearson correlation of two maps made from half of the masks each; NaN if one of them is flat.

    The map of all masks is steadier than either half.
    """
    first, second = (half.ravel() for half in halves(masks, impacts))
    return correlation(first, second)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's r over all cells; NaN where one map is flat."""
    a, b = first.ravel() - first.mean(), second.ravel() - second.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 1e-15 * len(a) else float("nan")


def shuffled(impacts: np.ndarray, sizes: int, seed: int) -> np.ndarray:
    """The same impacts dealt out to other masks of the same patch size: a map of chance with the true map's grain."""
    random, dealt = np.random.default_rng(seed), np.array(impacts)
    for size in range(sizes):
        dealt[size::sizes] = random.permutation(dealt[size::sizes])
    return dealt


def compactness(relevance_map: np.ndarray) -> float:
    """Mean share of cells at or above a threshold, over thresholds 0, 0.05, … 1 of the map's range (0 is compact).

    NaN for a flat map. (Fucci et al. 2024 call this the size.)
    """
    span = float(np.ptp(relevance_map))
    if span == 0.0:
        return float("nan")
    scaled = (relevance_map - relevance_map.min()) / span
    return float(np.mean([np.mean(scaled >= threshold) for threshold in THRESHOLDS]))


def size_and_chance(masks: Masks, impacts: np.ndarray, draws: int) -> tuple[float, np.ndarray]:
    """Compactness of a map, and (draws,) that of maps of chance with its grain."""
    dealt = (shuffled(impacts, len(masks.patches), seed) for seed in range(draws))
    own, *chance = (compactness(relevance(masks, values)) for values in (impacts, *dealt))
    return own, np.array(chance)
