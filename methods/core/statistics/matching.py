"""Chance over recordings: whose items stand in for whose, so that nothing is left but being in recordings.

    orders(groups, 1000)       # (draws, n) which item takes each one's place, for a band or a rank p
    mine, other = apart(groups)     # one deal in which no recording meets itself, with hardly an item left over

Items of one recording are alike (a voice, a room, a rate of speech, neighbours in time) on both sides of a comparison,
whatever these have to do with each other. Chance by items moved one by one, or along across recordings, lacks that and
is exceeded far too often; so recordings move as wholes, their items in order (Winkler et al. 2015,
doi:10.1016/j.neuroimage.2015.05.092, on exchangeability blocks).
"""

import math
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, permutations, product

import numpy as np

MATCHABLE = 5  # recordings that change places with each other: 120 orders


def orders(groups: np.ndarray, count: int, seed: int = 0, within: np.ndarray | None = None) -> np.ndarray:
    """(draws, n) int, the item that stands in for each; -1 where the recording in its place has none there.

    `groups` (n,) tells which recording an item is of. Recordings change places with those that have about as many
    items, at least 5 together: `count` draws. Where each item is a recording of its own these are permutations.
    `within` (n,), such as the speakers of the recordings, lets them change places only with those of the same, for
    comparisons that this has been taken out of; a recording that is alone there stays in its place, and where all are
    there is no order but the actual one, and none is drawn.

    Where that gives fewer than 120 orders (`few`), in any of them, the items of each are moved along by 1 to half of
    them besides, which takes recordings as stationary, and no way is drawn twice: where there are fewer than `count`,
    each comes once (a recording of 9 items alone has 8, one of 10 has 10). What has no partner then is left out: with
    the end followed by the beginning, unrelated drifts of 25 (40) items that are .9 (.95) alike from one to the next
    had p of at most .05 in .26 (.33) of 300 simulations, so in .03 (.07) (`benchmarks/chance.py`). A trend or an event
    that both sides have at the same time is beyond them.
    """
    items, lots = _items(groups), _lots(groups, within)
    if few(groups, within):
        return _moved_along(items, lots, count, seed)
    if max(map(len, lots)) == 1:
        return np.empty((0, len(groups)), int)
    rng, sizes = np.random.default_rng(seed), np.array([len(own) for own in items])
    table = np.stack([np.pad(own, (0, sizes.max() - len(own)), constant_values=-1) for own in items])
    found = np.full((count, len(groups)), -1)
    for stratum in (lot[same] for lot in lots for same in strata(sizes[lot])):
        partners = rng.permuted(np.tile(stratum, (count, 1)), axis=1)
        for column, own in enumerate(stratum):
            partner, place = partners[:, column, None], np.arange(sizes[own])[None]
            there = place < sizes[partner]
            found[:, items[own]] = np.where(there, table[partner, np.where(there, place, 0)], -1)
    return found


def few(groups: np.ndarray, within: np.ndarray | None = None) -> bool:
    """Are there too few orders of recordings, and are these long enough for items to be moved along in them?"""
    ways = math.prod(math.factorial(len(lot)) for lot in _lots(groups, within))
    return ways < math.factorial(MATCHABLE) and max(map(len, _items(groups))) > 1


def _lots(groups: np.ndarray, within: np.ndarray | None) -> list[np.ndarray]:
    """Which recordings may change places with each other, by their numbers: all, or those within the same."""
    first = np.unique(groups, return_index=True)[1]
    return _items(np.zeros(len(first)) if within is None else within[first])


def _moved_along(items: Sequence[np.ndarray], lots: Sequence[np.ndarray], count: int, seed: int) -> np.ndarray:
    """(draws, n) orders of few recordings, the items of each moved along by at most half of them, no way twice."""
    met = list(_exchanges(lots))
    moves = [[_moves(own, items[other]) for own, other in zip(items, others, strict=True)] for others in met]
    ends = list(accumulate(math.prod(each) for each in moves))
    chosen = _sample(ends[-1], count, seed)
    found = np.full((len(chosen), sum(map(len, items))), -1)
    for order, number in zip(found, chosen, strict=True):
        way = bisect_right(ends, number)
        left = number - (ends[way - 1] if way else 0)
        for own, other, ways in zip(items, met[way], moves[way], strict=True):
            left, move = divmod(left, ways)
            mine, stands = _with_partner(own, items[other], move)
            order[mine] = stands
    return found


def _exchanges(lots: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """(recordings,) which recording comes to each one's place, in every way."""
    places = np.argsort(np.concatenate(lots))
    for way in product(*(permutations(lot) for lot in lots)):
        yield np.concatenate(way)[places]


def _sample(ways: int, count: int, seed: int) -> list[int]:
    """Numbers below `ways`, which may be beyond 64 bits: `count` of them or all, none twice."""
    rng, found = random.Random(seed), dict[int, None]()
    while len(found) < min(count, ways):
        found[rng.randrange(ways)] = None
    return list(found)


def _moves(own: np.ndarray, other: np.ndarray) -> int:
    """How many ways there are of moving one recording along another: earlier or later, by 1 to half of the shorter."""
    return max(2 * (min(len(own), len(other)) // 2), 1)


def _with_partner(own: np.ndarray, other: np.ndarray, move: int) -> tuple[np.ndarray, np.ndarray]:
    """The items that have one, and those that stand in for them; one item alone has none."""
    length, by = min(len(own), len(other)), move // 2 + 1
    early, late = slice(length - by), slice(by, length)
    return (own[early], other[late]) if move % 2 else (own[late], other[early])


def apart(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m,), (m,) items of the one side and of the other: each recording with the next longer one, the longest with the
    shortest, the longer of two cut.

    So all but as many items take part as the longest recording has more than the shortest. A single recording is moved
    along by half its length, the end followed by the beginning: CCA in sample of 300 unrelated items of a drift (.95
    alike from one to the next) was .53 on average and so is this, where half of the items would give .65
    (`benchmarks/chance.py`).
    """
    items = sorted(_items(groups), key=len)
    if len(items) == 1:
        return items[0], np.roll(items[0], len(items[0]) // 2)
    pairs = zip(items, [*items[1:], items[0]], strict=True)
    mine, other = zip(*((a[: len(b)], b[: len(a)]) for a, b in pairs), strict=True)
    return np.concatenate(mine), np.concatenate(other)


def _items(groups: np.ndarray) -> list[np.ndarray]:
    """The items of every recording, in their order."""
    names, members = np.unique(groups, return_inverse=True)
    return [np.flatnonzero(members == number) for number in range(len(names))]


def strata(sizes: np.ndarray) -> Sequence[np.ndarray]:
    """Which of (n,) sizes are about the same, by their numbers: each size in one lot, at least MATCHABLE in a lot."""
    found: list[list[int]] = [[]]
    for size in np.unique(sizes):
        if len(found[-1]) >= MATCHABLE:
            found.append([])
        found[-1].extend(np.flatnonzero(sizes == size).tolist())
    if len(found) > 1 and len(found[-1]) < MATCHABLE:
        found[-2].extend(found.pop())
    return [np.array(lot) for lot in found]
