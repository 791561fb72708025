"""Which phones differ in one feature, and which two pairs differ in the same one: the sums that are tried."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import permutations

from methods.core.speech.phonology import CONSONANTS, FEATURES, VOWELS

DIPHTHONGS = frozenset({"ay", "aw", "oy", "ey", "ow"})  # their tables tell the first half alone
KINDS = ("consonants", "vowels", "all")


@dataclass(frozen=True)
class Analogy:
    """`plus` - `minus` + `given` should be `answer`, for they differ alike: d - t + p = b."""

    plus: str
    minus: str
    given: str
    answer: str
    contrast: str  # "voicing: voiceless / voiced"

    @property
    def phones(self) -> tuple[str, str, str, str]:
        return self.plus, self.minus, self.given, self.answer


def analogies(phones: Collection[str], kinds: str = "consonants") -> tuple[Analogy, ...]:
    """Every sum of four different phones among these in which both pairs differ in one feature, the same one.

    Each two pairs give four sums: either pair can be the given one, in both directions. Diphthongs are left out.
    """
    tables = {"consonants": (0, CONSONANTS), "vowels": (3, VOWELS)}
    found: list[Analogy] = []
    for first, table in tables.values() if kinds == "all" else (tables[kinds],):
        known = sorted((set(phones) & set(table)) - DIPHTHONGS)
        pairs = [(a, b, what) for a, b in permutations(known, 2) if (what := _difference(table[a], table[b], first))]
        found += [
            Analogy(plus, minus, given, answer, _named(what))
            for minus, plus, what in pairs
            for given, answer, other in pairs
            if what == other and len({plus, minus, given, answer}) == 4
        ]
    return tuple(sorted(found, key=lambda each: each.contrast))


def _difference(one: tuple[str, ...], other: tuple[str, ...], first: int) -> tuple[str, str, str] | None:
    """The feature in which two phones differ, from which value to which; None unless it is exactly one."""
    places = [place for place in range(len(one)) if one[place] != other[place]]
    return (FEATURES[first + places[0]], one[places[0]], other[places[0]]) if len(places) == 1 else None


def _named(what: tuple[str, str, str]) -> str:
    name, *values = what
    return f"{name}: {' / '.join(sorted(values))}"
