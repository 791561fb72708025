"""Random stretches: other places of the length of a cue, in the sound or in the text, and how many truly differ.

Two places that overlap hold nearly the same sound, so their values are nearly one value. Random stretches therefore
stand side by side with the cue, none on another. If the cue were no more than one of these places, any of them would
be as likely to be it, and then its rank among them is a test: p = (1 + places with at least the cue's share) / (places
+ 1) is at most .05 in no more than 5% of cases (Phipson & Smyth 2010, arXiv 1603.05766).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05  # rank p at which a share is marked
FEWEST = 19  # places with which p can be as low as that


@dataclass(frozen=True)
class Stretches:
    """Places for spans as long as the cue's, none of them twice."""

    places: list[list[range]]  # each has as many spans as the cue, with the same lengths and gaps
    distinct: int  # how many of the places overlap no other of these; they come first
    where: str  # what they were drawn from


def rank_p(share: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(…,) how often one of the places is as high as the cue, the cue among them; drawn (…, places); NaN stays NaN.

    A place without a share speaks for nothing, and counts as one that is as high.
    """
    above = (~(drawn < share[..., None])).sum(-1)
    return np.where(np.isfinite(share), (1 + above) / (1 + drawn.shape[-1]), np.nan)


def chance_share(places: int) -> float:
    """The share of cells that are marked where the cue is one place among so many, and no two are alike."""
    return int(LEVEL * (places + 1) + 1e-9) / (places + 1) if places >= FEWEST else 0.0


def random_stretches(
    spans: Sequence[range], target: range, end: int, draws: int, seed: int, first: int = 0
) -> Stretches:
    """Up to `draws` random places side by side with the cue and off the target, from `first` to `end`.

    Before the target if there are enough of them, where the cue is too; or else on both sides of it, as far as there
    is room. Where there are fewer places than `draws`, all of them.
    """
    every = _side_by_side(spans, first, end)
    before = [place for place in every if place[-1].stop <= target.start]
    after = [place for place in every if place[0].start >= target.stop]
    choices = before if len(before) >= min(draws, FEWEST) else [*before, *after]
    places = [choices[number] for number in np.random.default_rng(seed).permutation(len(choices))[:draws]]
    return Stretches(places, len(places), _where(before, choices))


def _side_by_side(spans: Sequence[range], first: int, end: int) -> list[list[range]]:
    """The places of a row of which the cue is one; gaps between its spans belong to it."""
    start, stop = spans[0].start, spans[-1].stop
    length = stop - start
    shifts = (number * length for number in range(-((start - first) // length), (end - stop) // length + 1) if number)
    return [[range(span.start + shift, span.stop + shift) for span in spans] for shift in shifts]


def _where(before: list[list[range]], choices: list[list[range]]) -> str:
    if not choices:
        return "nowhere (there is no other place of this length)"
    if len(choices) == len(before):
        return "before the target"
    return "before and after the target" if before else "after the target (no room before it)"


def nearest_stretches(spans: Sequence[range], before: int, most: int, first: int = 0) -> Stretches:
    """At most `most` places that end at `before` at the latest, the nearest to it first, whether they overlap or not.

    Those that overlap none before them come before the others.
    """
    apart, close = _parted(shifted_spans(spans, before, spans, first)[::-1])
    return Stretches([*apart, *close][:most], min(len(apart), most), "before the target")


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


def _parted(places: list[list[range]]) -> tuple[list[list[range]], list[list[range]]]:
    """Those that overlap none before them, then the others, each in their order; gaps between spans belong to them."""
    apart: list[list[range]] = []
    close: list[list[range]] = []
    for place in places:
        free = all(place[-1].stop <= kept[0].start or kept[-1].stop <= place[0].start for kept in apart)
        (apart if free else close).append(place)
    return apart, close
