"""How is an English transcript said? Written words become dictionary words; words without an entry get phones.

The only home of hama's letter-to-sound model. pocketsphinx gives its dictionary here, and times in `alignment`.
Phones are the 39 of ARPAbet, without stress digits.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from methods.core.speech.words import CURRENCIES, SYMBOLS, bare_word

# fmt: off
ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}

# Words of the example clips' source that the dictionary lacks, so that these are known and not guessed.
EXTRA_WORDS = {
    "unmute": "AH N M Y UW T",
    "pbx": "P IY B IY EH K S",
    "digium": "D IH JH IY AH M",
    "caret": "K EH R AH T",
    "touchtone": "T AH CH T OW N",
}

# Every symbol that hama writes for English, and those of its Spanish-like moods that have an English neighbour.
IPA_TO_ARPABET = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "ɡ": "G", "t͡ʃ": "CH", "d͡ʒ": "JH",
    "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH",
    "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɫ": "L", "ɹ": "R", "r": "R", "j": "Y", "w": "W",
    "i": "IY", "ɪ": "IH", "e": "EH", "ɛ": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɔ": "AO", "o": "OW", "ʊ": "UH",
    "u": "UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɝ": "ER", "ɚ": "ER",
    "eɪ": "EY", "aɪ": "AY", "ɔɪ": "OY", "aʊ": "AW", "oʊ": "OW", "ɪə": "IY",
    "ɾ": "D", "ɣ": "G", "β": "V", "x": "K", "ɦ": "HH", "ʁ": "R", "ʝ": "Y", "ɲ": "N", "ʎ": "L",
}
# fmt: on
IPA_IGNORED = {"", " ", "ː", "ɟ"}  # length, hama's separator, and the first half of its ɟ͡ʝ
LONGEST_WORD = 40  # letters; hama reads 128 and writes 32 phones

PIECE = re.compile(r"\d+(?:st|nd|rd|th)(?![a-z])|\d+'?s(?![a-z])|\d+|'?[^\W\d_]+(?:'[^\W\d_]+)*'?|[#*&%+=@$€£°]")
_letter_to_sound_lock = threading.Lock()  # one engine, and nothing says that it may be entered twice


@dataclass(frozen=True)
class WrittenWord:
    """One word as the user wrote it, and the dictionary words it is said as."""

    label: str  # the user's spelling without the punctuation around it
    said: tuple[str, ...]  # lower case; "42" is said as ("forty", "two")


@cache
def dictionary_words() -> frozenset[str]:
    """Which words can the English aligner pronounce? About 125,000, in lower case."""
    from pocketsphinx import get_model_path  # noqa: PLC0415  only English alignment needs it

    lines = Path(get_model_path(), "en-us", "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition(" ")[0] for line in lines if "(" not in line)  # "was(2)" is a second way to say it


def written_words(transcript: str) -> tuple[WrittenWord, ...]:
    """Which words does the transcript hold, and how is each said?

    Remarks in [square] or <angle> brackets and lone punctuation are left out. A hyphenated word stays one word.
    """
    text = re.sub(r"\[[^\]]*\]|<[^>]*>|[—–…]", " ", transcript)
    spelled_acronyms = text.upper() != text  # in a transcript all in capitals they mean nothing
    words = [WrittenWord(bare_word(token), _say(token, spelled_acronyms)) for token in text.split()]
    return tuple(word for word in words if word.said and word.label)


def _say(token: str, spelled_acronyms: bool) -> tuple[str, ...]:
    """("weasels",) for "Weasels,"; letters that are not English stay as they are and will have no pronunciation."""
    plain = unicodedata.normalize("NFKD", token.replace("’", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    said: list[str] = []
    for piece in PIECE.findall(_numbers_in_words(plain)):
        said += _say_piece(piece, spelled_acronyms)
    return tuple(said)


def _numbers_in_words(text: str) -> str:
    """The number formats that need their surroundings: 1,000 · $5.50 · 3.14 · -5 · #1. Bare digits are left."""
    if not any(c.isdigit() for c in text):
        spoken = not any(c.isalpha() for c in text)
        return text if spoken else re.sub("[*#]", "", text)  # in *emphasis* and #topic nobody says the symbol
    text = re.sub(r"\d{1,3}(?:,\d{3})+(?!\d)", lambda m: _spaced(_cardinal(int(m[0].replace(",", "")[:6]))), text)
    text = re.sub(r"([$€£])(\d+)(?:\.(\d\d)(?!\d))?", _amount, text)
    text = re.sub(r"(\d+)\.(\d+)", lambda m: f"{m[1]} point {_spaced(ONES[int(d)] for d in m[2])}", text)
    return re.sub(r"#(?=\d)", "number ", re.sub(r"^[-−](?=\d)", "minus ", text))


def _amount(match: re.Match[str]) -> str:
    unit = CURRENCIES[match[1]]
    return f"{match[2]} {unit[:-1] if match[2] == '1' else unit} {match[3] or ''}"


def _spaced(words: Iterable[str]) -> str:
    return f" {' '.join(words)} "


def _say_piece(piece: str, spelled_acronyms: bool) -> list[str]:
    if piece[0].isdigit():
        return _say_number(piece)
    if piece in SYMBOLS:
        return [SYMBOLS[piece]]
    word = piece.casefold()
    known = [form for form in (word, word.strip("'")) if form in dictionary_words() or form in EXTRA_WORDS]
    if known:
        return [known[0]]
    word = word.strip("'")
    if spelled_acronyms and piece.isupper() and piece.isascii() and piece.isalpha() and len(piece) <= 5:
        return [f"{letter}." for letter in word]  # "b." is the letter's entry; a bare "a" would be the article
    return [word]


def _say_number(piece: str) -> list[str]:
    digits = re.match(r"\d+", piece)[0]
    ending = piece[len(digits) :].strip("'")
    number = int(digits)
    if (digits[0] == "0" and len(digits) > 1) or len(digits) > 6:
        words = [ONES[int(d)] for d in digits]  # a code or a telephone number
    elif 1100 <= number < 2000 or 2010 <= number < 2100:
        words = _year(number)
    else:
        words = _cardinal(number)
    if ending == "s":
        words[-1] = words[-1][:-1] + "ies" if words[-1].endswith("y") else words[-1] + "s"
    elif ending:
        last = words[-1]
        words[-1] = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last.removesuffix("t") + "th")
    return words


def _cardinal(number: int) -> list[str]:
    """0 to 999,999, the American way: 101 is "one hundred one"."""
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10], *([ONES[number % 10]] if number % 10 else [])]
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % size
    return [*_cardinal(number // size), name, *(_cardinal(rest) if rest else [])]


def _year(number: int) -> list[str]:
    century, rest = divmod(number, 100)
    if rest == 0:
        return [*_cardinal(century), "hundred"]
    return [*_cardinal(century), *(["oh", ONES[rest]] if rest < 10 else _cardinal(rest))]


@lru_cache(maxsize=1024)
def guessed_phones(word: str) -> str | None:
    """How might this English word sound? ARPAbet phones separated by spaces, or None where even a guess is hopeless.

    hama's letter-to-sound model, which knows many languages at once and now and then takes a word for Spanish:
    about 9 in 100 phones differ from the dictionary (600 words that both know).
    """
    if not re.fullmatch(rf"[a-z']{{1,{LONGEST_WORD}}}", word):
        return None
    with _letter_to_sound_lock:
        model = _letter_to_sound()
        symbols = [a.phoneme for a in model.predict(word).alignments] if model else []
    bare = ["".join(c for c in s if s in IPA_TO_ARPABET or not unicodedata.combining(c)) for s in symbols]
    heard = [s for s in bare if s not in IPA_IGNORED]
    if not heard or not all(s in IPA_TO_ARPABET for s in heard):
        return None
    return " ".join(IPA_TO_ARPABET[s] for s in heard)


@cache
def _letter_to_sound():
    """hama's model, or None where its wheel brings no library for this machine (Windows)."""
    try:
        from hama import G2PModel  # noqa: PLC0415  loads a native library, which not every machine has

        return G2PModel()
    except (ImportError, OSError, RuntimeError):
        return None
