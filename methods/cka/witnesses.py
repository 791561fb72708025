"""How sure is a CKA, and what does chance give, when items come in recordings?

    low, high = interval(layers, targets, groups)              # 95%, over recordings
    null = matched_at_random(layers, targets, groups)          # (draws, layers, targets)

Neighbouring frames are no independent witnesses: those of one recording are alike on both sides of any comparison,
whatever its sides have to do with each other. So debiased CKA of unrelated spaces is 0 on average over independent
items only; over frames of four recordings that have half of the variance in 10 dimensions to themselves it is .36, of
twelve .16 (`benchmarks/chance.py`). Therefore whole recordings are left out for the interval, and whole recordings are
matched at random for chance.
"""

from itertools import pairwise

import numpy as np
from scipy import stats

from methods.cka.kernels import FEWEST, Grams, alignment, ratio
from methods.core.progress import Step, Steps, finish

MOST_BLOCKS = 60  # of neighbouring recordings that are left out together
FEWEST_RECORDINGS = 3  # of an interval
DRAWS = 19  # the actual matching above all of them: 1 in 20 by chance
MATCHABLE = 5  # recordings; they have 44 ways to give each the partner of another, four have nine


def interval(first: Grams, second: Grams, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first, second) lower and upper end of 95% of debiased CKA by leaving out each recording once.

    `groups` (n,) tells which recording an item is of. The value ± Student's t times the jackknife's standard error
    (Tukey 1958; for U-statistics Arvesen 1969, doi:10.1214/aoms/1177697287), cut to -1 and 1. Drawing recordings
    again with replacement would not do: a recording drawn twice is its own twin, which moves all values up, most
    with few recordings. NaN with fewer than 3 recordings.
    """
    edges = _block_edges(groups)
    blocks = len(edges) - 1
    if blocks < FEWEST_RECORDINGS:
        nothing = np.full((len(first.flat), len(second.flat)), np.nan)
        return nothing, nothing
    value, less = alignment(first, second).debiased, _left_out(first, second, edges)
    error = np.sqrt((blocks - 1) / blocks * ((less - less.mean(0)) ** 2).sum(0))
    reach = stats.t.ppf(0.975, blocks - 1) * error
    return np.maximum(value - reach, -1.0), np.minimum(value + reach, 1.0)


def _block_edges(groups: np.ndarray) -> np.ndarray:
    """Where the recordings begin (and the last ends), at most MOST_BLOCKS groups of neighbouring ones."""
    starts = _starts(groups)
    if len(starts) > MOST_BLOCKS:
        starts = starts[np.linspace(0, len(starts), MOST_BLOCKS, endpoint=False).astype(int)]
    return np.append(starts, len(groups))


def _starts(groups: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1])


def _left_out(first: Grams, second: Grams, edges: np.ndarray) -> np.ndarray:
    """(blocks, first, second) debiased CKA without each block; NaN where too few items remain."""
    a = _u_centred_stack(first)
    if second is first:
        inner = of_a = of_b = _without_each(a, a, edges)
    else:
        b = _u_centred_stack(second)
        inner, of_a, of_b = (_without_each(x, y, edges) for x, y in ((a, b), (a, a), (b, b)))
    norms = of_a.diagonal(0, 1, 2)[:, :, None] * of_b.diagonal(0, 1, 2)[:, None]
    return ratio(inner, np.sqrt(np.maximum(norms, 0.0)))


def _without_each(a: np.ndarray, b: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(blocks, first, second) inner products of U-centred matrices, centred again, of what each block leaves."""
    whole, found = _pairs(a, b), np.full((len(edges) - 1, len(a), len(b)), np.nan)
    # (layers, n, blocks): the sum of every row over each block
    sums = [np.add.reduceat(side, edges[:-1], axis=2).astype(np.float64) for side in (a, b)]
    for number, (begin, end) in enumerate(pairwise(edges)):
        kept = np.r_[0:begin, end : a.shape[1]]
        if (n := len(kept)) < FEWEST:
            continue
        block, inside = np.s_[:, begin:end], np.s_[:, begin:end, begin:end]
        products = whole - 2 * _pairs(a[block], b[block]) + _pairs(a[inside], b[inside])
        # A U-centred row sums to zero, so what is kept of it sums to minus what is left out.
        of_a, of_b = (-side[:, kept, number] for side in sums)
        found[number] = _u_inner(products, of_a @ of_b.T, np.outer(of_a.sum(1), of_b.sum(1)), n)
    return found


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(first, second) inner products of the matrices of two stacks."""
    return (a.reshape(len(a), -1) @ b.reshape(len(b), -1).T).astype(np.float64)


def _u_inner(products: np.ndarray, rows: np.ndarray, totals: np.ndarray, n: int) -> np.ndarray:
    """The U-statistic of matrices with zero diagonals whose rows need not sum to zero."""
    return products - 2 / (n - 2) * rows + totals / ((n - 1) * (n - 2))


def _u_centred_stack(side: Grams) -> np.ndarray:
    return np.stack([_u_centred(matrix) for matrix in side.square])


def _u_centred(centred: np.ndarray) -> np.ndarray:
    """The U-centred matrix of a doubly centred one: zero diagonal, zero row sums."""
    n, diagonal = len(centred), np.diag(centred)
    means = -diagonal / (n - 2) + diagonal.sum() / (2 * (n - 1) * (n - 2))
    found = centred - means[:, None] - means[None]
    np.fill_diagonal(found, 0.0)
    return found


# Chance


def matched_at_random(first: Grams, second: Grams, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """(draws, first, second) debiased CKA when each recording is paired with another one.

    The items of a recording stay together and in their order, and the longer of two recordings is cut. Fewer than 5
    recordings can be matched in too few ways: there, in any order, and the items of each are moved along by a random
    number of places, at most half of them, which takes recordings as stationary. What has no partner then is left out:
    with the end followed by the beginning, two slow drifts that have nothing in common stand above all draws far more
    often. Unrelated spaces exceed the highest of 19 draws in at most 1 of 20 trials. NaN where so few items
    have a partner that nothing is defined.
    """
    return finish(matched_in_steps(first, second, groups, seed))


def matched_in_steps(first: Grams, second: Grams, groups: np.ndarray, seed: int = 0) -> Steps[np.ndarray]:
    """`matched_at_random`, one draw a step."""
    rng = np.random.default_rng(seed)
    found = np.full((DRAWS, len(first.flat), len(second.flat)), np.nan)
    spans = [np.arange(*edge) for edge in pairwise(np.append(_starts(groups), len(groups)))]
    for number, order in enumerate(_orders(len(spans), rng)):
        yield Step(number / DRAWS, "recordings matched at random")
        others = [spans[other] for other in order]
        pairs = [(mine[: len(other)], other[: len(mine)]) for mine, other in zip(spans, others, strict=True)]
        if len(spans) < MATCHABLE:
            pairs = [_moved_along(*pair, rng) for pair in pairs]
        mine, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
        if len(mine) >= FEWEST:
            found[number] = alignment(first.at(mine), second.at(other)).debiased
    return found


def _moved_along(mine: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One of two equally long sides earlier than the other, by 1 item to half of them; the ends that are alone go."""
    kept = len(mine) - int(rng.integers(1, max(len(mine) // 2, 1) + 1))
    late = slice(len(mine) - kept, None)
    return (mine[late], other[:kept]) if rng.random() < 0.5 else (mine[:kept], other[late])


def _orders(recordings: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Which recording each is paired with, in every draw: from 5 on never itself, never an order twice."""
    if recordings < MATCHABLE:
        return [tuple(rng.permutation(recordings).tolist()) for _ in range(DRAWS)]
    found: dict[tuple[int, ...], None] = {}
    while len(found) < DRAWS:
        order = rng.permutation(recordings)
        if (order != np.arange(recordings)).all():
            found[tuple(order.tolist())] = None
    return list(found)
