"""Words in a text: where each stands, what of it is letters, and which scripts write no spaces."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from methods.core.errors import UserError
from methods.core.models.speech_model import Transcript
from methods.core.speech.edits import MUCH_REPETITION, repetition

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})  # languages written without spaces between words


@dataclass(frozen=True)
class Word:
    """A word of a text and the decoder positions of its tokens."""

    label: str
    tokens: range


def text_words(transcript: Transcript) -> tuple[Word, ...]:
    """The words that the decoder reads, and at which of its positions; punctuation has no word."""
    offset, groups = len(transcript.prompt), []
    for number, text in enumerate(transcript.token_texts):
        opens = bool(bare_word(text)) if transcript.language in UNSPACED else text.startswith(" ")
        if opens or not groups:
            groups.append([])
        groups[-1].append((number, text))
    words = []
    for group in groups:
        label = bare_word("".join(text for _, text in group))
        # A lone space, and a token that ends inside a character and has no text yet, belong to the word.
        spelled = [number for number, text in group if not text.strip() or bare_word(text)]
        if label and spelled:
            words.append(Word(label, range(offset + spelled[0], offset + spelled[-1] + 1)))
    return tuple(words)


def cautions(transcript: Transcript) -> tuple[str, ...]:
    """What to say of a text that may not be what is heard, each a clause: it was cut, or it goes round in a loop.

    A text that was given is the visitor's, and nothing is said of it.
    """
    if transcript.given:
        return ()
    again = repetition(transcript.tokens)
    cut = f"it was cut at the limit of {len(transcript.tokens)} tokens, before the model had ended it"
    loop = f"it repeats itself ({again:.0%} of its runs of three tokens occur earlier in it), most likely in a loop"
    return (*([loop] if again > MUCH_REPETITION else []), *([] if transcript.complete else [cut]))


def find_words(labels: Sequence[str], wanted: str, role: str, occurrence: int | None = None) -> range:
    """Which of these words are the `wanted` ones, one or several in a row? `occurrence` counts from 1.

    Case and the punctuation around words do not matter. Raises UserError if they are not there, or there more than
    once and no occurrence is chosen.
    """
    plain, phrase = [plain_word(label) for label in labels], [plain_word(word) for word in wanted.split()]
    if not any(phrase):
        raise UserError(f"The {role} is empty; name one of the words: {_listed(labels)}.", mend={role: "…"})
    starts = [i for i in range(len(plain) - len(phrase) + 1) if plain[i : i + len(phrase)] == phrase]
    if not starts:
        raise UserError(
            f"“{wanted}”, the {role}, is not among the words of this clip, which are: {_listed(labels)}. "
            "Choose one of them, or give the transcript in which it occurs.",
            mend={role: "…"},
        )
    if occurrence is None and len(starts) > 1:
        raise UserError(
            f"“{wanted}”, the {role}, occurs {len(starts)} times; say which one is meant ({role}_occurrence=1, 2, …).",
            mend={f"{role}_occurrence": "…", "occurrence": "…"},
        )
    if not 1 <= (occurrence or 1) <= len(starts):
        raise UserError(f"“{wanted}”, the {role}, occurs {len(starts)} times, so there is no number {occurrence}.")
    first = starts[(occurrence or 1) - 1]
    return range(first, first + len(phrase))


def plain_word(word: str) -> str:
    return bare_word(word).casefold().replace("’", "'")


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:40]) + (" …" if len(labels) > 40 else "")


CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "₹": "rupees", "¥": "yen", "￥": "yen"}
SYMBOLS = CURRENCIES | {
    "#": "pound",
    "*": "star",
    "&": "and",
    "%": "percent",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "°": "degrees",
    "¢": "cents",
}
AROUND_NUMBERS = frozenset((*CURRENCIES, *"¢￠%°℃℉"))  # belong to the word, on whichever side of the number they stand


def bare_word(text: str) -> str:
    """What is left of a word without the punctuation around it? A lone symbol that is said stays: “#” is “pound”."""
    text = text.strip()
    wordy = [i for i, character in enumerate(text) if _belongs_to_word(character)]
    if wordy:
        return text[wordy[0] : wordy[-1] + 1]
    symbols = [character for character in text if character in SYMBOLS]
    return symbols[0] if len(symbols) == 1 else ""


def _belongs_to_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN" or character in AROUND_NUMBERS
