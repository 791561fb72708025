"""When is each word and phone of an English transcript said? pocketsphinx, to about 20 ms."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.frames import AlignmentError, Segment
from methods.core.speech.pronunciation import (
    EXTRA_WORDS,
    WrittenWord,
    dictionary_words,
    guessed_phones,
    is_read_out,
    written_words,
)

if TYPE_CHECKING:
    from pocketsphinx import Decoder


PADS = (0.25, 0.1, 0.0, 0.4, 0.15)  # s of faint noise at both ends, tried in turn: abrupt starts defeat pocketsphinx
PAD_LEVEL = 1e-4  # -80 dBFS: digital silence defeats it too
MAX_CHARACTERS = 2000  # 30 s of the fastest speech is under 700

TimedWords = list[tuple[str, list[tuple[str, int, int]]]]  # word, then phone, first frame, frames of 10 ms
_one_at_a_time = threading.Lock()  # pocketsphinx keeps its log settings in one place for all decoders


@dataclass(frozen=True)
class Alignment:
    """Words and phones with their times, and how far to trust them."""

    words: tuple[Segment, ...]  # one for each word of the transcript, in the user's spelling
    phones: tuple[Segment, ...]  # ARPAbet without stress digits; empty where the method gives no phones
    method: str
    accuracy: str  # a clause for the reader
    notes: tuple[str, ...] = ()  # what was assumed on the way, each a short clause


def forced_alignment(clip: Clip, transcript: str, readings: Mapping[str, str] | None = None) -> Alignment:
    """When is each word and phone of this English transcript said?

    `readings` say how words are read aloud, {"$5": "five bucks"}; by default as `readings_of` says.

    Raises AlignmentError if a word cannot be pronounced, or if the sound does not hold these words.
    """
    words = _checked_words(transcript, readings or {})
    guesses = _guesses(words)
    said = [part for word in words for part in word.said]
    entries = {part: EXTRA_WORDS.get(part) or guesses[part] for part in said if part not in dictionary_words()}
    with _one_at_a_time:
        attempts = (_align_once(clip.samples, said, entries, pad) for pad in PADS)
        found = next((timed for timed in attempts if timed), None)
    if found is None:
        raise AlignmentError(
            "No alignment was found: the transcript does not fit what is said, or there is too much noise; please "
            "correct the transcript, choose timing by cross-attention, or give a TextGrid.",
            mend={"segments": "phones"},
        )
    parts = iter(found)
    grouped = [(word, [next(parts)[0] for _ in word.said]) for word in words]
    return Alignment(
        words=tuple(Segment(word.label, timed[0].start, timed[-1].end) for word, timed in grouped),
        phones=tuple(phone for _, phones in found for phone in phones),
        method="English forced alignment (pocketsphinx)",
        accuracy="about 20 ms (word starts 19 ms and phone boundaries 16 ms from hand labels, on average)",
        notes=tuple(_notes(words, guesses)),
    )


def _checked_words(transcript: str, readings: Mapping[str, str]) -> tuple[WrittenWord, ...]:
    if len(transcript) > MAX_CHARACTERS:
        raise AlignmentError(
            f"The transcript has {len(transcript)} characters, more than anyone says in 30 s: "
            "please give only the words of this clip."
        )
    words = written_words(transcript, readings)
    if not words:
        raise AlignmentError("The transcript holds no word to look for: please type what is said in the clip.")
    return words


def _guesses(words: Iterable[WrittenWord]) -> dict[str, str]:
    """Word that no dictionary holds -> guessed phones."""
    guesses: dict[str, str] = {}
    known = (dictionary_words(), EXTRA_WORDS)
    unknown = [(word, part) for word in words for part in word.said if not any(part in entries for entries in known)]
    for word, part in unknown:
        phones = guessed_phones(part)
        if phones is None:
            raise AlignmentError(
                f"“{word.label}” is not in the English dictionary and its sound cannot be guessed: please respell "
                "it the way it sounds in English, or choose timing by cross-attention."
            )
        guesses[part] = phones
    return guesses


def _notes(words: Iterable[WrittenWord], guesses: Mapping[str, str]) -> list[str]:
    spelled = [word for word in words if is_read_out(word) or not re.fullmatch(r"[^\W\d_]+|.*['’-].*", word.label)]
    read = [f"“{word.label}” was read as “{' '.join(word.said)}”" for word in spelled]
    return [*dict.fromkeys(read), *(f"pronunciation of “{word}” guessed: {guess}" for word, guess in guesses.items())]


def _align_once(
    samples: np.ndarray, said: list[str], entries: Mapping[str, str], pad: float
) -> list[tuple[Segment, list[Segment]]] | None:
    """Each dictionary word with its phones, or None if even one is missing.

    A new decoder each time (0.1 s): a failed one stays broken, and no visitor's words stay in its dictionary.
    """
    from pocketsphinx import Decoder  # noqa: PLC0415  only English alignment needs it

    decoder = Decoder(lm=None, loglevel="FATAL")
    for word, phones in entries.items():
        decoder.add_word(word, phones, True)
    noise = PAD_LEVEL * np.random.default_rng(0).standard_normal((2, round(pad * SAMPLE_RATE)))
    pcm = (np.concatenate([noise[0], samples, noise[1]]).clip(-1, 1) * 32767).astype("<i2").tobytes()
    try:
        timed = _timed(decoder, " ".join(said), pcm)
    except RuntimeError:  # its word for "not found"
        return None
    if [name for name, _ in timed] != said:
        return None
    return _in_clip(timed, pad, len(samples) / SAMPLE_RATE)


def _timed(decoder: Decoder, text: str, pcm: bytes) -> TimedWords:
    """Every word but silence with its phones; empty if no way through the sound was found."""
    decoder.set_align_text(text)
    _decode(decoder, pcm)
    if decoder.hyp() is None:
        return []
    decoder.set_alignment()  # the second pass, for the phones
    _decode(decoder, pcm)
    # Copied while `alignment` lives: its words point into its memory, and reading them later crashes the process.
    alignment = decoder.get_alignment()
    words = [(word.name, [(p.name, p.start, p.duration) for p in word]) for word in alignment.words()]
    # "<sil>" and "[NOISE]" are no words; "was(2)" is a second way to say "was".
    return [(name.partition("(")[0], phones) for name, phones in words if name[0] not in "<["]


def _decode(decoder: Decoder, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _in_clip(timed: TimedWords, pad: float, seconds: float) -> list[tuple[Segment, list[Segment]]] | None:
    """pocketsphinx's 10 ms frames of the padded sound as seconds of the clip; None if a word lies in the padding."""
    before, found = round(pad * 100), []
    for word, parts in timed:
        times = [
            (label, max((at - before) / 100, 0.0), min((at - before + n) / 100, seconds)) for label, at, n in parts
        ]
        phones = [Segment(label, start, end) for label, start, end in times if start < end]
        if not phones:
            return None
        found.append((Segment(word, phones[0].start, phones[-1].end), phones))
    return found
