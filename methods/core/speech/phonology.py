"""What kind of sound is a phone? Articulatory classes of the 39 ARPAbet phones of English.

Textbook values for General American (Ladefoged & Johnson, *A Course in Phonetics*); diphthongs are classed by their
first half, affricates as a manner of their own, /r/ as post-alveolar, /w/ as labial.
"""

from collections.abc import Collection, Mapping

# phone -> (manner, place, voicing); lower case, without stress digits
CONSONANTS: dict[str, tuple[str, str, str]] = {
    "p": ("plosive", "labial", "voiceless"),
    "b": ("plosive", "labial", "voiced"),
    "t": ("plosive", "alveolar", "voiceless"),
    "d": ("plosive", "alveolar", "voiced"),
    "k": ("plosive", "velar", "voiceless"),
    "g": ("plosive", "velar", "voiced"),
    "f": ("fricative", "labial", "voiceless"),
    "v": ("fricative", "labial", "voiced"),
    "th": ("fricative", "dental", "voiceless"),
    "dh": ("fricative", "dental", "voiced"),
    "s": ("fricative", "alveolar", "voiceless"),
    "z": ("fricative", "alveolar", "voiced"),
    "sh": ("fricative", "post-alveolar", "voiceless"),
    "zh": ("fricative", "post-alveolar", "voiced"),
    "hh": ("fricative", "glottal", "voiceless"),
    "ch": ("affricate", "post-alveolar", "voiceless"),
    "jh": ("affricate", "post-alveolar", "voiced"),
    "m": ("nasal", "labial", "voiced"),
    "n": ("nasal", "alveolar", "voiced"),
    "ng": ("nasal", "velar", "voiced"),
    "l": ("approximant", "alveolar", "voiced"),
    "r": ("approximant", "post-alveolar", "voiced"),
    "w": ("approximant", "labial", "voiced"),
    "y": ("approximant", "palatal", "voiced"),
}
# phone -> (height, backness, rounding)
VOWELS: dict[str, tuple[str, str, str]] = {
    "iy": ("high", "front", "unrounded"),
    "ih": ("high", "front", "unrounded"),
    "ey": ("mid", "front", "unrounded"),
    "eh": ("mid", "front", "unrounded"),
    "ae": ("low", "front", "unrounded"),
    "aa": ("low", "back", "unrounded"),
    "ao": ("mid", "back", "rounded"),
    "ow": ("mid", "back", "rounded"),
    "uh": ("high", "back", "rounded"),
    "uw": ("high", "back", "rounded"),
    "ah": ("mid", "central", "unrounded"),
    "er": ("mid", "central", "unrounded"),
    "ay": ("low", "central", "unrounded"),
    "aw": ("low", "central", "unrounded"),
    "oy": ("mid", "back", "rounded"),
}
PHONES = frozenset(CONSONANTS) | frozenset(VOWELS)
FEATURES = ("manner", "place", "voicing", "height", "backness", "rounding")


MOST_STRAY = 0.1  # share of the labels; of SAMPA, IPA or TIMIT's larger set a third and more is no ARPAbet


def feature(phone: str, name: str) -> str:
    """The phone's class under this feature; empty where the feature is not defined (the height of /t/, say).

    Vowels have manner "vowel" and are voiced; they have no place.
    """
    if phone in CONSONANTS:
        return dict(zip(FEATURES[:3], CONSONANTS[phone], strict=True)).get(name, "")
    if phone in VOWELS:
        own = dict(zip(FEATURES[3:], VOWELS[phone], strict=True)) | {"manner": "vowel", "voicing": "voiced"}
        return own.get(name, "")
    return ""


def nearly_all_known(labels: Collection[str]) -> bool:
    """Whether labels, one per item, are phones of these tables but for a few strays; strays have no class."""
    strays = sum(label not in PHONES for label in labels)
    return strays < len(labels) and strays <= MOST_STRAY * len(labels)


def in_table_order(names: Collection[str]) -> list[str] | None:
    """Names of phones as in a table of sounds, vowels first, strays last; None if fewer than half are phones."""
    table = {phone: place for place, phone in enumerate((*VOWELS, *CONSONANTS))}
    if 2 * sum(name in table for name in names) < len(names):
        return None
    return sorted(names, key=lambda name: table.get(name, len(table)))


def arpabet(label: str) -> str | None:
    """The ARPAbet phone that a label stands for ("AH1" -> "ah"), or None."""
    plain = label.strip().lower().rstrip("012")
    return plain if plain in PHONES else None


def arpabet_of_all(labels: Collection[str]) -> dict[str, str] | None:
    """Each label's ARPAbet phone, or None if the labels are of another alphabet.

    Case tells: in SAMPA “s” and “S” are two phones, in ARPAbet only one case is ever used. Labels in capitals need a
    vowel or another sign of two letters among them, for “S Z N” alone could be either.
    """
    known = {label: arpabet(label) for label in labels}
    letters = "".join(labels)
    if None in known.values() or not (letters.islower() or letters.isupper()):
        return None
    return known if letters.islower() or any(len(phone) > 1 for phone in known.values()) else None


def arpabet_of_most(counts: Mapping[str, int]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Each label's ARPAbet phone where nearly all are written in it, and the labels that are not, most frequent first.

    One label by one: an “NS” among hundreds of phones, or a few in the other case, must not keep “AH0” and “AH1”
    apart. Strays stay as they are. If the labels are of another alphabet, nothing is known and nothing is a stray.
    """
    if (all_known := arpabet_of_all(counts)) is not None:
        return all_known, ()
    cases = [{label for label in counts if is_case(label)} for is_case in (str.islower, str.isupper)]
    known = {label: phone for case in cases for label, phone in _sure(case).items()}
    strays = sorted(counts.keys() - known, key=lambda label: (-counts[label], label))
    if not known or sum(counts[label] for label in strays) > MOST_STRAY * sum(counts.values()):
        return {}, ()
    return known, tuple(strays)


def _sure(labels: Collection[str]) -> dict[str, str]:
    """The ARPAbet among labels of one case, if a phone of two letters shows that it is that alphabet."""
    known = {label: phone for label in labels if (phone := arpabet(label)) is not None}
    return known if any(len(phone) > 1 for phone in known.values()) else {}
