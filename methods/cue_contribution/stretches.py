"""Random stretches: other places of the length of a cue, in the sound or in the text, and how many truly differ.

Two places that overlap hold nearly the same sound, so their values are nearly one value: a percentile over twenty
places of which nineteen are neighbours is the percentile of two. Places that overlap no other are therefore drawn
first, and their number is what counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH = 10  # distinct places under which no share is called higher than 95 % of them


@dataclass(frozen=True)
class Stretches:
    """Places for spans as long as the cue's, none of them twice."""

    places: list[list[range]]  # each has as many spans as the cue, with the same lengths and gaps
    distinct: int  # how many of the places overlap no other of these; they come first
    where: str  # what they were drawn from


def shifted_spans(spans: Sequence[range], before: int, taken: Sequence[range], first: int = 0) -> list[list[range]]:
    """All ways to put these spans elsewhere, keeping lengths and gaps: from `first`, ending at `before` at the latest.

    No shifted span touches one of `taken`.
    """
    start, stop = spans[0].start, spans[-1].stop
    blocked = {index for span in taken for index in span}
    places = []
    for shift in range(first - start, before - stop + 1):
        moved = [range(span.start + shift, span.stop + shift) for span in spans]
        if not any(index in blocked for span in moved for index in span):
            places.append(moved)
    return places


def random_stretches(
    spans: Sequence[range], target: range, end: int, draws: int, seed: int, first: int = 0
) -> Stretches:
    """Up to `draws` random places for spans as long as the cue's, away from cue and target, from `first` on.

    Before the target where there is room; elsewhere in the clip (up to `end`) where there is none, and none at all if
    the clip is full. Where there are fewer places than `draws`, all of them.
    """
    choices = shifted_spans(spans, target.start, spans, first)
    where = "before the target"
    if not choices:
        choices, where = shifted_spans(spans, end, [*spans, target], first), "after the target (no room before it)"
    if not choices:
        return Stretches([], 0, "nowhere (there is no other place of this length)")
    order = np.random.default_rng(seed).permutation(len(choices))
    apart, close = _parted([choices[number] for number in order])
    return Stretches([*apart, *close][:draws], min(len(apart), draws), where)


def nearest_stretches(spans: Sequence[range], before: int, most: int, first: int = 0) -> Stretches:
    """The same without chance: at most `most` places, those nearest to `before` first among the distinct ones."""
    apart, close = _parted(shifted_spans(spans, before, spans, first)[::-1])
    return Stretches([*apart, *close][:most], min(len(apart), most), "before the target")


def _parted(places: list[list[range]]) -> tuple[list[list[range]], list[list[range]]]:
    """Those that overlap none before them, then the others, each in their order; gaps between spans belong to them."""
    apart: list[list[range]] = []
    close: list[list[range]] = []
    for place in places:
        free = all(place[-1].stop <= kept[0].start or kept[-1].stop <= place[0].start for kept in apart)
        (apart if free else close).append(place)
    return apart, close
