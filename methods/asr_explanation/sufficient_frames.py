"""Which frames of a sound are enough for the same transcript? Rankings, and the smallest set that a ranking leads to.

A frame is a short stretch of sound, kept or silenced. All works on two questions that others answer: how similar is
the transcript when only some frames are kept (0 to 1), and is that similar enough. (Wu, Bell & Rajan 2023.)
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from methods.core.explain.removal import KERNEL_WIDTH, RIDGE
from methods.core.progress import Step, Steps, within

Similarities = Callable[[np.ndarray], np.ndarray]  # (n, frames) bool, True for kept -> (n,) 0 to 1
Formula = Literal["Ochiai", "Tarantula", "Zoltar", "Wong-II"]
FORMULAS: tuple[Formula, ...] = ("Ochiai", "Tarantula", "Zoltar", "Wong-II")
AT_ONCE = 8  # versions from one step to the next
PARTS = 4  # into which a region is cut: 16 ways to keep them
ZOLTAR = 10_000.0  # the weight of that formula's last term


def heard_in_steps(similarities: Similarities, kept: np.ndarray, text: str, at_once: int) -> Steps[np.ndarray]:
    """(n,) the similarities of (n, frames) versions, `at_once` of them between two steps."""
    found = [np.zeros(0)]
    for start in range(0, len(kept), at_once):
        yield Step(start / len(kept), text)
        found.append(similarities(kept[start : start + at_once]))
    return np.concatenate(found)


# Statistical fault localisation


def mutants(frames: int, count: int, seed: int) -> np.ndarray:
    """(count, frames) bool, True for kept: each keeps a share of the frames that is itself drawn between 0 and 1."""
    random = np.random.default_rng(seed)
    return random.random((count, frames)) < random.random((count, 1))


def counts(kept: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """(4, frames) mutants: frame kept and passed, kept and failed, masked and passed, masked and failed."""
    rows = ((kept, passed), (kept, ~passed), (~kept, passed), (~kept, ~passed))
    return np.array([(frame & outcome[:, None]).sum(0) for frame, outcome in rows], dtype=float)


def suspiciousness(table: np.ndarray, formula: Formula) -> np.ndarray:
    """(frames,) how much keeping a frame goes with passing; what has no denominator is 0."""
    kp, kf, mp, mf = table
    if formula == "Ochiai":
        return _ratio(kp, np.sqrt((kp + mp) * (kp + kf)))
    if formula == "Tarantula":
        hits, false = _ratio(kp, kp + mp), _ratio(kf, kf + mf)
        return _ratio(hits, hits + false)
    if formula == "Zoltar":
        return _ratio(kp, kp + mp + kf + ZOLTAR * _ratio(mp * kf, kp))
    return kp - kf


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)


def linear_scores(kept: np.ndarray, similar: np.ndarray) -> np.ndarray:
    """(frames,) LIME: coefficients of a ridge regression of similarity on what is kept, near the whole clip most."""
    distance = 100 * (1 - np.sqrt(kept.mean(1)))  # cosine distance to keeping all
    weights = np.sqrt(np.exp(-((distance / KERNEL_WIDTH) ** 2)))
    weights = weights / weights.mean()
    centre, level = np.average(kept, axis=0, weights=weights), np.average(similar, weights=weights)
    inputs = (kept - centre) * np.sqrt(weights)[:, None]
    moments = inputs.T @ inputs + RIDGE * np.eye(kept.shape[1])
    return np.linalg.solve(moments, inputs.T @ ((similar - level) * np.sqrt(weights)))


# Causal responsibility


@dataclass(frozen=True, eq=False)
class Responsibility:
    """How much each frame is a cause of the transcript."""

    values: np.ndarray  # (frames,) 0 to 1, mean over the random partitions
    asked: int  # sounds that had to be heard
    settled: float  # share of the frames that were refined down to single frames (or found to be no cause)


def responsibility_in_steps(
    similarities: Similarities,
    frames: int,
    threshold: float,
    *,
    partitions: int = 3,
    budget: int = 200,
    seed: int = 0,
    at_once: int = AT_ONCE,
) -> Steps[Responsibility]:
    """Cut the clip into four at random places; a part is a cause if, with k other parts silenced, the transcript still
    passes, and fails once the part is silenced too. Its responsibility is 1 / (1 + smallest k) (Chockler & Halpern
    2004). Each cause is cut again, with those k parts left silent, the most responsible first, until single frames are
    reached or `budget` sounds have been heard.
    """
    random, values, settled, asked = np.random.default_rng(seed), [], [], 0
    for number in range(partitions):
        share, spent = budget // partitions, 0
        found, open_regions = np.ones(frames), [_Region(range(frames), np.zeros(frames, bool), 0)]
        while open_regions and spent < share:
            text, done = f"causes: partition {number + 1} of {partitions}", (number + spent / share) / partitions
            region = open_regions.pop(max(range(len(open_regions)), key=lambda i: open_regions[i].urgency))
            parts = _cut(region.frames, random)
            choices = [c for size in range(len(parts) + 1) for c in combinations(range(len(parts)), size)]
            kept = np.array([~_silenced(region, parts, choice) for choice in choices])
            similar = yield from within(heard_in_steps(similarities, kept, text, at_once), done, done)
            passes = dict(zip(choices, (similar >= threshold).tolist(), strict=True))
            spent += len(passes)
            open_regions += list(_causes(region, parts, passes, found))
        done = np.ones(frames, bool)
        for region in open_regions:
            done[region.frames.start : region.frames.stop] = False
        values.append(found)
        settled.append(done.mean())
        asked += spent
    return Responsibility(np.mean(values, axis=0), asked, float(np.mean(settled)))


@dataclass(frozen=True, eq=False)
class _Region:
    frames: range
    silenced: np.ndarray  # (frames of the clip,) bool: the others that are silent while this one is a cause
    contingency: int  # how many parts those are

    @property
    def urgency(self) -> tuple[float, int]:
        return 1 / (1 + self.contingency), len(self.frames)


def _cut(frames: range, random: np.random.Generator) -> list[range]:
    """Up to four parts that follow each other, cut at random places."""
    pieces = min(PARTS, len(frames))
    places = np.sort(random.choice(np.arange(1, len(frames)), pieces - 1, replace=False))
    edges = [0, *places.tolist(), len(frames)]
    return [frames[a:b] for a, b in pairwise(edges)]


def _silenced(region: _Region, parts: list[range], choice: tuple[int, ...]) -> np.ndarray:
    silenced = region.silenced.copy()
    for part in choice:
        silenced[parts[part].start : parts[part].stop] = True
    return silenced


def _causes(
    region: _Region, parts: list[range], passes: dict[tuple[int, ...], bool], found: np.ndarray
) -> Iterator[_Region]:
    """The parts that are causes and can be cut again; writes every part's responsibility into `found`."""
    for number, part in enumerate(parts):
        without = [c for c in passes if number not in c and passes[c] and not passes[tuple(sorted((*c, number)))]]
        if not without:
            found[part.start : part.stop] = 0.0
            continue
        contingency = region.contingency + len(without[0])  # choices come in the order of their size
        found[part.start : part.stop] = 1 / (1 + contingency)
        if len(part) > 1:
            yield _Region(part, _silenced(region, parts, without[0]), contingency)


# The smallest set that a ranking leads to


@dataclass(frozen=True, eq=False)
class Growth:
    """A ranking, followed from the top."""

    sizes: np.ndarray  # (steps,) frames kept, ascending
    similarity: np.ndarray  # (steps,) of the transcript
    enough: np.ndarray  # (frames,) bool, the first set that passes


def grown_in_steps(
    similarities: Similarities, order: np.ndarray, threshold: float, steps: int = 12, at_once: int = AT_ONCE
) -> Steps[Growth]:
    """Keep the first frames of an order, more and more, then look closely before the first set that passes."""
    frames, found = len(order), {}

    def heard(sizes: np.ndarray) -> Steps[None]:
        text = f"{sizes[0]} to {sizes[-1]} frames of {frames}"
        similar = yield from heard_in_steps(similarities, _first(order, sizes), text, at_once)
        found.update(zip(sizes.tolist(), similar, strict=True))

    yield from heard(np.unique(np.round(np.linspace(0, frames, steps + 1)).astype(int)))
    passing = next(size for size in found if found[size] >= threshold or size == frames)
    between = np.arange(max((size for size in found if size < passing), default=0) + 1, passing)
    if len(between):
        yield from heard(between)
    smallest = next(size for size in sorted(found) if found[size] >= threshold or size == frames)
    kept = sorted(found)
    return Growth(np.array(kept), np.array([found[size] for size in kept]), _first(order, np.array([smallest]))[0])


def _first(order: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(sizes, frames) bool: the first frames of the order."""
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    return rank < np.asarray(sizes)[:, None]


def redundancy_in_steps(
    similarities: Similarities, enough: np.ndarray, threshold: float, at_once: int = AT_ONCE
) -> Steps[float]:
    """Share of the kept frames of which each, alone, could go without failing; NaN if none is kept."""
    members = np.flatnonzero(enough)
    without = np.tile(enough, (len(members), 1))
    without[np.arange(len(members)), members] = False
    text = f"each of {len(members)} frames alone"
    similar = yield from heard_in_steps(similarities, without, text, at_once)
    return float((similar >= threshold).mean()) if len(members) else float("nan")


def pruned_in_steps(
    similarities: Similarities, enough: np.ndarray, order: np.ndarray, threshold: float
) -> Steps[np.ndarray]:
    """(frames,) bool: frames leave one by one, the last of the order first, whenever it still passes without them.

    The frames take turns until as many in a row as are left have to stay, so that every one of them is needed.
    """
    kept, turns, in_vain = enough.copy(), deque(frame for frame in order[::-1] if enough[frame]), 0
    while in_vain < len(turns):
        yield Step(0.0, f"{len(turns)} frames are left")
        frame = turns.popleft()
        kept[frame] = float(similarities((kept & (np.arange(len(kept)) != frame))[None])[0]) < threshold
        in_vain = in_vain + 1 if kept[frame] else 0
        if kept[frame]:
            turns.append(frame)
    return kept


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Jaccard: frames that both keep, as a share of those that either keeps; NaN if neither keeps any."""
    either = (first | second).sum()
    return float((first & second).sum() / either) if either else float("nan")
