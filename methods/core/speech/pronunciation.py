"""How is an English transcript said? Written words become dictionary words; words without an entry get phones.

The only home of hama's letter-to-sound model. pocketsphinx gives its dictionary here, and times in `alignment`.
Phones are the 39 of ARPAbet, without stress digits.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from methods.core.speech import numbers, units
from methods.core.speech.words import CURRENCIES, SYMBOLS, bare_word

# fmt: off
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

NARROW = "[\u00a0\u2009\u202f]"  # spaces that keep a number together
_SIGNS = re.escape("".join(SYMBOLS))
PIECE = re.compile(rf"[ap]\. m\.|'?[^\W\d_]+(?:'[^\W\d_]+)*'?|[{_SIGNS}]")
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


def written_words(transcript: str, readings: Mapping[str, str] | None = None) -> tuple[WrittenWord, ...]:
    """Which words does the transcript hold, and how is each said?

    Remarks in [square] or <angle> brackets and lone punctuation are left out. A hyphenated word stays one word.
    `readings` say how a word is read aloud, by its label: {"$5": "five bucks"}; see `readings_of` for what is assumed.
    """
    text = re.sub(r"\[[^\]]*\]|<[^>]*>|—|…", " ", transcript)
    text = re.sub("–", lambda dash: "–" if _in_range(text, dash.start()) else " ", text)
    tokens = _numbers_in_one(text).split()
    spelled_acronyms = text.upper() != text  # in a transcript all in capitals they mean nothing
    words, currency = [], ""
    for before, token, following in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        label, said, after = bare_word(token), _plain_letters(token), bare_word(following).casefold()
        amount = numbers.money(said) if units.magnitude(after) else None
        if readings and label in readings:
            said, currency = readings[label], ""
        elif amount:  # “$3 million” is “three million dollars”
            said, currency = amount
        elif currency:
            said = units.magnitude(label.casefold()) or said
            if not units.magnitude(after):
                said, currency = said if after == currency else f"{said} {currency}", ""
        else:
            said = _plain_letters(numbers.said_after(_plain_sign(before), _plain_sign(label)) or token)
        words.append(WrittenWord(label, _say(said, spelled_acronyms)))
    return tuple(word for word in words if word.said and word.label)


def _in_range(text: str, dash: int) -> bool:
    return numbers.joins(text[max(dash - 8, 0) : dash], text[dash + 1 : dash + 3])


def _numbers_in_one(text: str) -> str:
    """Numbers whose parts a space keeps from each other in one piece: “$ 5”, a narrow “1 000”, “(555) 123-4567”."""
    text = re.sub(f"\\d+(?:{NARROW}\\d{{3}})+(?!\\d)(?:,\\d+(?![.,]?\\d))?", _with_commas, text)
    text = re.sub(r"\((\d{3})\)\s*(?=\d{3}-\d{4}(?!\d))", r"\1-", text)
    return re.sub(rf"(?<![\d.,½¼¾])(\s|^)([{''.join(CURRENCIES)}¢￠])\s+(?=\d)", r"\1\2", text)


def _with_commas(found: re.Match[str]) -> str:
    """“1 234,5” as “1,234.5”."""
    return re.sub(NARROW, ",", found[0].replace(",", "."))


def _plain_sign(token: str) -> str:
    """A number or a unit with the usual cent and degrees: “￠” is “¢”, “℃” is “°C”; “½” stays."""
    return token.replace("￠", "¢").replace("℃", "°C").replace("℉", "°F")


def readings_of(transcript: str, readings: Mapping[str, str] | None = None) -> dict[str, str]:
    """How are the numbers and symbols of a transcript read aloud? Label -> words, as far as they are not letters."""
    return {word.label: " ".join(word.said) for word in written_words(transcript, readings) if is_read_out(word)}


def is_read_out(word: WrittenWord) -> bool:
    """Whether a number, a symbol or a short unit in a word is said by rules, not by the letters that stand there."""
    signs = any(character.isnumeric() or character in SYMBOLS for character in word.label)
    return signs or (units.is_short(word.label) and word.said != (word.label.casefold(),))


def _plain_letters(token: str) -> str:
    plain = unicodedata.normalize("NFKD", numbers.apart(token.replace("’", "'")))
    return "".join(c for c in plain if not unicodedata.combining(c))


def _say(text: str, spelled_acronyms: bool) -> tuple[str, ...]:
    """("weasels",) for "Weasels,"; letters that are not English stay as they are and will have no pronunciation."""
    if not any(c.isdigit() for c in text) and any(c.isalpha() for c in text):
        text = re.sub("[*#]", "", text)  # in *emphasis* and #topic nobody says the symbol
    said: list[str] = []
    for piece in PIECE.findall(numbers.in_words(text)):
        said += _say_piece(piece, spelled_acronyms)
    return tuple(said)


def _say_piece(piece: str, spelled_acronyms: bool) -> list[str]:
    if piece in ("a. m.", "p. m."):
        return piece.split()
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
