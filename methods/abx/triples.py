"""ABX: is X nearer to A, which is of its own category, than to B, which is not?

    asked = task(items, on="phone", by=("previous", "next"), across="speaker", mode="within")
    scored = score(asked, distances)     # distances (tokens, tokens) between asked.items

A *cell* is one ordered pair of categories under equal circumstances; its error is the share of triples (a, b, x) with
d(a, x) > d(b, x), ties counting one half. Cells are averaged over circumstances, then over speakers, then over pairs
of categories, as in Schatz 2016 (hal tel-01407461) and fastabx (Poli, Chemla & Dupoux 2025, arXiv 2505.02692).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from methods.core.corpus.items import Items
from methods.core.errors import UserError
from methods.core.statistics import intervals
from methods.core.statistics.intervals import Parts

MODES = {
    "any": "whichever speaker",
    "within": "all three the same speaker",
    "across": "X by another speaker than A and B",
    "against": "A by another speaker, B by X's own",
}
MOST = 10  # tokens of each category under the same circumstances
MOST_OTHERS = 5  # speakers that X may come from, for each speaker of A and B
MOST_TOKENS = 4000  # their table of distances takes 128 MB
TRIPLES = 1_000_000  # compared at a time


@dataclass(frozen=True, eq=False)
class TripleTask:
    """Which triples are compared."""

    items: Items  # the tokens that take part
    classes: tuple[str, ...]  # categories, in alphabetical order
    groups: np.ndarray  # (groups, most) int: tokens of one category under the same circumstances; -1: none
    cells: np.ndarray  # (cells, 3) int: group of a, of b, of x
    pair: np.ndarray  # (cells, 2) int: category of a and x, category of b
    speaker: np.ndarray  # (cells,) int: value of the `across` attribute of a, for averaging; 0 where it plays no part
    apart: bool  # whether x must be from another recording than a and b

    @property
    def pairs(self) -> np.ndarray:
        """(pairs, 2) int: the tokens i < j whose distance some cell asks for."""
        count = len(self.items)
        asked = np.zeros((count, count), dtype=bool)
        for cells in (self.cells[:, [2, 0]], self.cells[:, [2, 1]]):
            for left, right in np.unique(cells, axis=0):
                asked[np.ix_(_members(self.groups[left]), _members(self.groups[right]))] = True
        return np.argwhere(np.triu(asked | asked.T, 1))


def _members(group: np.ndarray) -> np.ndarray:
    return group[group >= 0]


@dataclass(frozen=True, eq=False)
class TripleScores:
    """Errors are shares between 0 and 1; one half is chance."""

    error: float
    low: float  # 95% interval from leaving out a tenth of the recordings at a time; NaN with fewer than five
    high: float
    matrix: np.ndarray  # (classes, classes) error of a pair, both ways averaged; NaN where there was none
    triples: int
    cells: int  # with at least one triple


# Which triples


def task(
    items: Items,
    *,
    on: str = "phone",
    by: Sequence[str] = (),
    across: str = "speaker",
    mode: str = "any",
    most: int = MOST,
    apart: bool = True,
    seed: int = 0,
) -> TripleTask:
    """All cells of categories `on`, with `by` equal for a, b and x; `across` and `mode` say whose they are.

    `most` tokens of each group are drawn with `seed`. With `apart`, x is never from the same recording as a or b.
    Raises UserError where no two categories can be compared.
    """
    if mode not in MODES:
        raise UserError(f"There is no way of choosing called “{mode}”; choose one of {', '.join(MODES)}.")
    on_code, classes = _codes(items, [on])
    held = [name for name in by if name != on]
    by_code, _ = _codes(items, held)
    whose, _ = _codes(items, [across] if mode != "any" else [])
    groups, keys = _groups(by_code, whose, on_code, most, seed)
    cells = _cells(keys, np.array([(group >= 0).sum() for group in groups]), mode, seed)
    if not len(cells):
        raise UserError(_nothing(items, on, held, across, mode))
    used = np.unique(groups[np.unique(cells)])
    used = used[used >= 0]
    if len(used) > MOST_TOKENS:
        raise UserError(
            f"This would compare {len(used)} stretches with each other and the limit is {MOST_TOKENS}; allow fewer of "
            "each category, or give fewer recordings."
        )
    place = np.full(len(items) + 1, -1)  # the last entry stands for -1
    place[used] = np.arange(len(used))
    pair = keys[cells[:, :2], 2]
    names = tuple(" ".join(name) for name in classes)
    return TripleTask(items.only(used), names, place[groups], cells, pair, keys[cells[:, 0], 1], apart)


def _codes(items: Items, names: Sequence[str]) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """A number for each combination of these columns, and what the numbers stand for."""
    for name in names:
        if name != "label" and name not in items.columns:
            known = ", ".join(("label", *items.columns))
            raise UserError(f"These stretches of speech have no attribute “{name}”; choose among {known}.")
    if not names:
        return np.zeros(len(items), dtype=np.int64), [()]
    columns = [items.label if name == "label" else items.columns[name] for name in names]
    values, codes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return codes.ravel(), [tuple(map(str, value)) for value in values]


def _groups(by: np.ndarray, whose: np.ndarray, on: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that agree in all three, at most `most` drawn of each, and the three numbers of each group."""
    keys, codes = np.unique(np.stack([by, whose, on], axis=1), axis=0, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(by))
    order = order[np.argsort(codes.ravel()[order], kind="stable")]
    edges = np.concatenate([[0], np.cumsum(np.bincount(codes.ravel(), minlength=len(keys)))])
    groups = np.full((len(keys), min(most, int(np.diff(edges).max()))), -1)  # no wider than the largest
    for number, (begin, end) in enumerate(pairwise(edges)):
        kept = np.sort(order[begin : min(end, begin + most)])
        groups[number, : len(kept)] = kept
    return groups, keys


def _cells(keys: np.ndarray, sizes: np.ndarray, mode: str, seed: int) -> np.ndarray:
    """(cells, 3) the groups of a, b and x: `keys` are circumstances, whose, and category of each group."""
    rng, found = np.random.default_rng(seed), [np.zeros((0, 3), dtype=np.int64)]
    for circumstance in np.unique(keys[:, 0]):
        here = np.flatnonzero(keys[:, 0] == circumstance)
        for a in here:
            if mode in ("any", "within") and sizes[a] < 2:
                continue  # x must be another token than a
            others = _others(keys, here, a, mode, rng)
            found.append(np.array([(a, b, x) for b, x in others], dtype=np.int64).reshape(-1, 3))
    return np.concatenate(found)


def _others(keys: np.ndarray, here: np.ndarray, a: int, mode: str, rng: np.random.Generator) -> list[tuple[int, int]]:
    """The groups of b and x that go with the group of a."""
    whose, on = keys[here, 1], keys[here, 2]
    mine, category = keys[a, 1], keys[a, 2]
    foes = here[(whose == mine) & (on != category)]
    if mode in ("any", "within"):
        return [(b, a) for b in foes]
    friends = here[(whose != mine) & (on == category)]
    if len(friends) > MOST_OTHERS:
        friends = np.sort(rng.permutation(friends)[:MOST_OTHERS])
    if mode == "across":
        return [(b, x) for b in foes for x in friends]
    return [(b, x) for x in friends for b in here[(whose == keys[x, 1]) & (on != category)]]


def _nothing(items: Items, on: str, by: Sequence[str], across: str, mode: str) -> str:
    what = f"There are {len(items)} stretches of speech, and no two categories of “{on}” can be compared"
    if mode in ("across", "against"):
        count = len(np.unique(items.columns.get(across, np.array([""]))))
        return (
            f"{what}: the same {on} is needed from two values of “{across}”, of which there are {count}; choose a "
            "corpus with more of them, or compare within."
        )
    held = f" with equal {' and '.join(by)}" if by else ""
    return f"{what}{held}: one needs two tokens and the other one; give more recordings, or hold less equal."


# Their score


def score(asked: TripleTask, distances: np.ndarray) -> TripleScores:
    """The error of each cell, averaged, from (tokens, tokens) distances (NaN where no cell asks)."""
    recording = np.append(np.unique(asked.items.utterance, return_inverse=True)[1], -1)
    parts = Parts.of(asked.items.utterance)
    fold = np.append(parts.part, -1)  # a padded place is in no part
    table = np.pad(distances, ((0, 1), (0, 1)), constant_values=np.nan)
    lost = np.zeros((1 + parts.count, len(asked.cells)))  # triples that went wrong, in all and without each fold
    counted = np.zeros_like(lost)
    step = max(1, TRIPLES // asked.groups.shape[1] ** 3)
    for begin in range(0, len(asked.cells), step):
        part = slice(begin, begin + step)
        groups = [asked.groups[asked.cells[part, role]] for role in range(3)]
        lost[:, part], counted[:, part] = _compared(table, groups, recording, fold, asked.apart)
    return _averaged(asked, lost, counted, parts)


def _compared(
    table: np.ndarray, groups: list[np.ndarray], recording: np.ndarray, fold: np.ndarray, apart: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(1 + folds, cells) wrong and all triples, for the groups of a, b and x (cells, most) each."""
    a, b, x = groups
    folds = int(fold.max()) + 1
    near, far = table[x[:, :, None], a[:, None]], table[x[:, :, None], b[:, None]]  # (cells, x, other)
    fits_a, fits_b = ((x >= 0)[:, :, None] & (other >= 0)[:, None] for other in (a, b))
    fits_a &= x[:, :, None] != a[:, None]
    if apart:
        fits_a &= recording[x][:, :, None] != recording[a][:, None]
        fits_b &= recording[x][:, :, None] != recording[b][:, None]
    # A missing token is -inf from X as A and inf as B: never wrong …
    near, far = np.where(fits_a, near, -np.inf)[..., None], np.where(fits_b, far, np.inf)[:, :, None]
    wrong = (near > far).astype(np.float32)
    wrong += 0.5 * (near == far)  # … and never equal
    keep = np.arange(folds)[:, None, None] != fold[np.stack([a, b, x])][:, None]
    keep_a, keep_b, keep_x = np.concatenate([np.ones_like(keep[:, :1]), keep], axis=1).astype(np.float32)
    lost = np.matmul(wrong.reshape(len(a), -1, a.shape[1]), keep_b.transpose(1, 2, 0))  # (cells, x and a, folds)
    lost = lost.reshape(*wrong.shape[:3], -1) * keep_a.transpose(1, 2, 0)[:, None]
    left_a, left_b = (
        np.matmul(fits.astype(np.float32), kept.transpose(1, 2, 0))
        for fits, kept in ((fits_a, keep_a), (fits_b, keep_b))
    )
    kept_x = keep_x.transpose(1, 2, 0)
    return (lost.sum(2) * kept_x).sum(1).T, (left_a * left_b * kept_x).sum(1).T


def _averaged(asked: TripleTask, lost: np.ndarray, counted: np.ndarray, parts: Parts) -> TripleScores:
    if not counted[0].any():
        raise UserError(
            "No triple is left, because X must be from another recording than A and B; allow the same recording, or "
            "give more recordings."
        )
    runs = [_over_pairs(asked, lost[run], counted[run]) for run in range(len(lost))]
    error, matrix = runs[0]
    straight = parts.interval(error, [one for one, _ in runs[1:]])
    low, high = intervals.of_share(error, straight, int(parts.groups.sum()))
    return TripleScores(error, low, high, matrix, int(counted[0].sum()), int((counted[0] > 0).sum()))


def _over_pairs(asked: TripleTask, lost: np.ndarray, counted: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over circumstances, then speakers, then ordered pairs; and the table of pairs, both ways averaged."""
    classes = len(asked.classes)
    filled = counted > 0
    values = lost[filled] / counted[filled]
    keys = np.stack([asked.pair[filled, 0], asked.pair[filled, 1], asked.speaker[filled]], axis=1)
    keys, values = _means(keys, values)
    keys, values = _means(keys[:, :2], values)
    table = np.full((classes, classes), np.nan)
    table[keys[:, 0], keys[:, 1]] = values
    both = np.stack([table, table.T])
    known = ~np.isnan(both)
    mean = np.where(known, both, 0).sum(0) / np.maximum(known.sum(0), 1)
    return float(values.mean()) if len(values) else np.nan, np.where(known.any(0), mean, np.nan)


def _means(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the values with equal keys."""
    unique, codes = np.unique(keys, axis=0, return_inverse=True)
    codes = codes.ravel()
    counts = np.bincount(codes, minlength=len(unique))
    return unique, np.bincount(codes, weights=values, minlength=len(unique)) / np.maximum(counts, 1)


# One triple to listen to, and pairs of the same and of different categories


def example(asked: TripleTask, of: int, against: int) -> tuple[int, int, int] | None:
    """The first triple (a, b, x) of these two categories, as numbers of `asked.items`; None where there is none."""
    recording = asked.items.utterance
    for a, b, x in asked.cells[(asked.pair[:, 0] == of) & (asked.pair[:, 1] == against)]:
        for third in _members(asked.groups[x]):
            firsts = [t for t in _members(asked.groups[a]) if t != third]
            seconds = list(_members(asked.groups[b]))
            if asked.apart:
                firsts = [t for t in firsts if recording[t] != recording[third]]
                seconds = [t for t in seconds if recording[t] != recording[third]]
            if firsts and seconds:
                return int(firsts[0]), int(seconds[0]), int(third)
    return None
