"""The other sound: the same length, with something in it that changes the answer."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.errors import UserError
from methods.core.explain import perturb
from methods.core.frames import Segment
from methods.core.interventions.wanted import Wanted
from methods.core.models.speech_model import Transcript
from methods.core.speech.words import find_words, plain_word, text_words

Corruption = Literal["noise", "silence", "splice", "recording"]
CORRUPTIONS: dict[Corruption, str] = {
    "noise": "white noise over the whole clip",
    "silence": "one word silenced",
    "splice": "another word of the clip in its place",
    "recording": "another recording of equal length",
}


def noisy(samples: np.ndarray, snr: float, seed: int) -> np.ndarray:
    """(n,) float32 samples with white noise whose mean power lies `snr` dB below that of the clip."""
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    power = np.mean(np.square(samples, dtype=np.float64))
    noise *= np.sqrt(power / np.mean(noise**2) / 10 ** (snr / 10))
    return (samples + noise).astype(np.float32)


def spliced(samples: np.ndarray, place: Segment, donor: Segment) -> np.ndarray:
    """(n,) float32 samples with the middle of `donor` in `place`; a shorter donor has silence around it."""
    instead = np.zeros(len(samples), np.float32)
    start, stop = _samples_of(place, len(samples))
    first, last = _samples_of(donor, len(samples))
    spare = (last - first) - (stop - start)  # samples that the donor is longer by
    if spare >= 0:
        instead[start:stop] = samples[first + spare // 2 : first + spare // 2 + stop - start]
    else:
        at = start - spare // 2 - spare % 2
        instead[at : at + last - first] = samples[first:last]
    return perturb.exchanged(samples, instead, [place])


def _samples_of(segment: Segment, count: int) -> tuple[int, int]:
    return min(round(segment.start * SAMPLE_RATE), count), min(round(segment.end * SAMPLE_RATE), count)


def of_recording(clip: Clip, other: Clip | None) -> np.ndarray:
    """(n,) the other recording's samples. Raises UserError where there is none, or one of another length."""
    if other is None:
        raise UserError(
            "Another recording is needed to take states from; choose one that is as long as this clip.",
            mend={"corruption": "noise"},
        )
    if len(other.samples) != len(clip.samples):
        raise UserError(
            f"“{other.name}” lasts {other.seconds:.3f} s and “{clip.name}” {clip.seconds:.3f} s, so their frames do "
            "not belong to each other; choose a recording of equal length, or another change."
        )
    return other.samples


def changed_word(
    words: Sequence[Segment], named: tuple[str | None, int | None], asked: Wanted, text: Transcript
) -> Segment:
    """The stretch of sound that is changed: the word that is named (and which of several), or the one asked for.

    That one is found by its place where text and sound have as many words (a model may spell “Weasles” what is
    labelled “weasels”), else by its label. Raises UserError where it is not there, or there more than once.
    """
    labels, written = [word.label for word in words], text_words(text)
    here = [i for i, word in enumerate(written) if word.tokens.start >= len(asked.before)]
    if named[0] is None and len(written) == len(words) and here:
        inside = [i for i in here if written[i].tokens.stop <= len(asked.before) + len(asked.tokens)]
        return Segment(asked.label, words[inside[0]].start, words[inside[-1]].end)
    found = find_words(labels, named[0] or asked.label.strip("“”"), "changed", named[1])
    return Segment(labels[found.start], words[found.start].start, words[found.stop - 1].end)


def donor(words: Sequence[Segment], wanted: str | None, place: Segment) -> Segment:
    """The word that is put in another's place: the named one, or the longest of the others."""
    if wanted is not None:
        found = find_words(
            [word.label for word in words], wanted, "spliced word", 1 if _several(words, wanted) else None
        )
        return words[found.start]
    others = [word for word in words if word.start >= place.end or word.end <= place.start]
    if not others:
        raise UserError(
            "This clip has no other word that could be put in its place; choose noise or silence.",
            mend={"corruption": "noise"},
        )
    return max(others, key=lambda word: word.end - word.start)


def _several(words: Sequence[Segment], wanted: str) -> bool:
    return sum(plain_word(word.label) == plain_word(wanted) for word in words) > 1
