"""Which phone of English does a label of another alphabet stand for? IPA and X-SAMPA as ARPAbet, label by label.

Our heads and probes were taught ARPAbet. What has a counterpart there is mapped; what has none (French y, a nasal
vowel, a glottal stop) is named and never guessed. X-SAMPA: J. C. Wells, “Computer-coding the IPA” (1995, revised
2000). Length, stress, ties, aspiration, secondary articulation and the like are passed over.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from methods.core.speech.phonology import arpabet, arpabet_of_most

# Our phone labels (ARPAbet, stress removed) in the International Phonetic Alphabet.
_PAIRS = """AA ɑ  AE æ  AH ə  AO ɔ  AW aʊ  AY aɪ  B b  CH t͡ʃ  D d  DH ð  EH ɛ  ER ɝ  EY eɪ  F f  G ɡ  HH h  IH ɪ
IY i  JH d͡ʒ  K k  L l  M m  N n  NG ŋ  OW oʊ  OY ɔɪ  P p  R ɹ  S s  SH ʃ  T t  TH θ  UH ʊ  UW u  V v  W w  Y j  Z z
ZH ʒ"""
IPA = dict(zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True))

# Other ways to write English: British vowels by their lexical set (LOT ɒ is AA, NURSE ɜ is ER, GOAT əʊ is OW), glides
# as MFA writes them, allophones. For bare e see `_one_e`; bare a is TRAP to some and a foreign vowel to others.
_ALSO = """AA ɒ  AH ʌ ɐ  ER ɚ ɜ ɹ̩ əɹ ɜɹ əʳ  UW ʉ  OW o əʊ əw ow ou  EY ej ei  AY aj ai ɑɪ ɑj  OY ɔj ɔi oj oi
AW aw au ɑʊ  CH ʧ  JH ʤ  G g  L ɫ  R r ɻ  HH ɦ"""
# fmt: off
XSAMPA = {
    '"': "ˈ", "%": "ˌ", ":": "ː", ":\\": "ˑ", "@": "ə", "@`": "ɚ", "{": "æ", "}": "ʉ", "&": "ɶ", "?": "ʔ", "'": "ʲ",
    "1": "ɨ", "2": "ø", "3": "ɜ", "3`": "ɝ", "4": "ɾ", "5": "ɫ", "6": "ɐ", "7": "ɤ", "8": "ɵ", "9": "œ",
    "A": "ɑ", "B": "β", "C": "ç", "D": "ð", "E": "ɛ", "F": "ɱ", "G": "ɣ", "H": "ɥ", "I": "ɪ", "J": "ɲ", "K": "ɬ",
    "L": "ʎ", "M": "ɯ", "N": "ŋ", "O": "ɔ", "P": "ʋ", "Q": "ɒ", "R": "ʁ", "S": "ʃ", "T": "θ", "U": "ʊ", "V": "ʌ",
    "W": "ʍ", "X": "χ", "Y": "ʏ", "Z": "ʒ", "g": "ɡ", "r\\": "ɹ", "r\\`": "ɻ", "h\\": "ɦ", "x\\": "ɧ", "j\\": "ʝ",
    "l\\": "ɺ", "v\\": "ʋ", "s\\": "ɕ", "z\\": "ʑ", "p\\": "ɸ", "R\\": "ʀ", "M\\": "ɰ", "N\\": "ɴ", "I\\": "ᵻ",
    "U\\": "ᵿ", "3\\": "ɞ", "@\\": "ɘ", "?\\": "ʕ", "t`": "ʈ", "d`": "ɖ", "s`": "ʂ", "z`": "ʐ", "n`": "ɳ", "l`": "ɭ",
    "r`": "ɽ", "_h": "ʰ", "_w": "ʷ", "_j": "ʲ", "=": "\u0329", "_=": "\u0329", "_d": "\u032a", "_}": "\u031a",
    "_0": "\u0325", "_^": "\u032f", "_a": "\u033a", "_+": "\u031f", "_-": "\u0320", "~": "\u0303", "_~": "\u0303",
    "_>": "ʼ", "_": "",  # between two symbols it is a tie
}
# fmt: on
# Stress, length, syllable dot, ties; then syllabic, dental, apical, unreleased, voiceless (twice), not syllabic,
# advanced, retracted; aspirated, labialised, palatalised. Nasality stays: French ɛ̃ is no ɛ.
PASSED_OVER = frozenset("ˈˌ'ːˑ.\u0361\u035c\u0329\u032a\u033a\u031a\u0325\u030a\u032f\u031f\u0320ʰʷʲ")
# All letters of IPA that can be told by X-SAMPA, and the plain ones.
LETTERS = frozenset("".join(XSAMPA.values())) - PASSED_OVER | frozenset(map(chr, range(ord("a"), ord("z") + 1)))


@dataclass(frozen=True)
class PhoneReading:
    """What some labels are in ARPAbet."""

    alphabet: str  # "ARPAbet", "IPA" or "X-SAMPA"; empty where it cannot be told
    phones: dict[str, str]  # label -> phone in lower case, of those that have a counterpart
    unmapped: tuple[str, ...]  # the other labels, most frequent first

    def of(self, label: str) -> str:
        """The label's phone; empty where it has none."""
        return self.phones.get(label, "")


def in_arpabet(labels: Iterable[str]) -> PhoneReading:
    """Which phone of ARPAbet is each of these labels? Silences must be out; give all labels of a recording or corpus.

    All are of one alphabet: ARPAbet if most are, IPA if any has a letter beyond ASCII, else X-SAMPA, which is IPA in
    the plain small letters. Capitals that could be ARPAbet as well as X-SAMPA (“S Z N” alone) are left unmapped.
    """
    counts = Counter(labels)
    known, strays = arpabet_of_most(counts)
    if known:
        return PhoneReading("ARPAbet", dict(known), strays)
    spelled = _american(counts)
    alphabet = "IPA" if any(not label.isascii() for label in counts) or _plain(counts) else "X-SAMPA"
    international = _international(counts, alphabet)
    if _covered(spelled, counts) >= _covered(international, counts):
        alphabet, found = "ARPAbet", spelled
    else:
        found = international
    missing = sorted(counts.keys() - found, key=lambda label: (-counts[label], label))
    return PhoneReading(alphabet if found else "", found, tuple(missing))


def _plain(labels: Iterable[str]) -> bool:
    """Whether nothing tells the labels from IPA."""
    return all(label == "g" or _ipa_of_xsampa(label) == label for label in labels)


def listed(labels: Sequence[str]) -> str:
    """The first twelve, and how many more there are."""
    return ", ".join(labels[:12]) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")


def is_phone(label: str) -> bool:
    """Whether a label is a phone of IPA or X-SAMPA at all, be it one of English or not."""
    bare = _bare(_ipa_of_xsampa(label) if label.isascii() else label).replace("\u0303", "")
    return set(bare) <= LETTERS and 1 <= len(bare) <= (1 if label.isascii() else 2)


def _covered(found: Mapping[str, str], counts: Mapping[str, int]) -> int:
    return sum(counts[label] for label in found)


def _american(labels: Iterable[str]) -> dict[str, str]:
    """What of the labels is ARPAbet for sure, among a larger set such as TIMIT's: one case, a phone of two letters."""
    cases = [[label for label in labels if is_case(label)] for is_case in (str.islower, str.isupper)]
    read = [{label: phone for label in case if (phone := arpabet(label))} for case in cases]
    sure = [found for found in read if any(len(phone) > 1 for phone in found.values())]
    return max(sure, key=len, default={})


def _international(labels: Iterable[str], alphabet: str) -> dict[str, str]:
    written = {label: _ipa_of_xsampa(label) if alphabet == "X-SAMPA" else label for label in labels}
    if alphabet == "X-SAMPA" and all(label.isupper() and arpabet(label) for label in written):
        return {}  # “S Z N”
    bare = {label: _bare(symbol) for label, symbol in written.items()}
    table = _TABLE | {"e": _one_e(bare.values())}
    return {label: table[symbol] for label, symbol in bare.items() if symbol in table}


def _one_e(symbols: Iterable[str]) -> str:
    """What bare “e” is: DRESS where nothing is written ɛ, as the British do, else the vowel next to FACE."""
    return "ey" if "ɛ" in set(symbols) else "eh"


def _ipa_of_xsampa(label: str) -> str:
    found, at = [], 0
    while at < len(label):
        size = next((n for n in (3, 2, 1) if label[at : at + n] in XSAMPA), 0)
        found.append(XSAMPA[label[at : at + size]] if size else label[at])
        at += size or 1
    return "".join(found)


def _bare(symbol: str) -> str:
    """A phone without marks that English does not tell phones by; a syllabic ɹ keeps its mark, for it is a vowel."""
    apart = unicodedata.normalize("NFD", symbol.strip())
    plain = "".join(letter for letter in apart if letter not in PASSED_OVER)
    return "ɹ\u0329" if plain == "ɹ" and "\u0329" in apart else plain


def _table() -> dict[str, str]:
    """IPA without marks -> ARPAbet in lower case."""
    found = {_bare(ipa): phone.lower() for phone, ipa in IPA.items()}
    phone = ""
    for word in _ALSO.split():
        if word.isascii() and word.isupper():
            phone = word.lower()
        else:
            found[_bare(word)] = phone
    return found


_TABLE = _table()
