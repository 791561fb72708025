"""When is each word of a text said, judging by where a Whisper decoder looks while it reads the text letter by letter?

Word pieces are coarse clocks: a word of one piece has a single place where the decoder looks for it. Single characters
are many, and their first and last stand nearer to the word's edges (Yeh, Meng & Tang 2025, arXiv 2509.09987). What is
left is a lag that is much the same in all words of a model, so it was measured on one half of the bundled recordings
and is taken off; `MEASURED` tells how good the times are on the other half. `benchmarks/word_times.py` prints both.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from methods.core.alignment.attention_timing import apart, row_starts
from methods.core.frames import AlignmentError, Segment
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.whisper import sites
from methods.core.speech.words import UNSPACED, text_words

LONGEST_PASSAGE = 200  # characters read in one pass; 30 s of speech may have more than the decoder's 448 positions


@dataclass(frozen=True)
class Lag:
    """How far a model's raw times are from forced alignment on average, in frames of 20 ms."""

    start: int  # raw starts come so much too late
    end: int  # raw ends come so much too early


@dataclass(frozen=True)
class Accuracy:
    """Distance of word starts from forced alignment, over recordings on which nothing was measured beforehand."""

    lag: Lag
    median: float  # s
    within: float  # share of starts at most 0.1 s away


MEASURED = {
    "openai/whisper-tiny.en": Accuracy(Lag(3, 1), 0.03, 0.94),
    "openai/whisper-base": Accuracy(Lag(1, 2), 0.02, 0.94),
}
UNKNOWN = Lag(0, 0)  # of a model that was not measured nothing is taken off


@dataclass(frozen=True)
class Spelling:
    """Words as characters: the decoder's ids of each word, and how many of them come before its first letter."""

    ids: tuple[tuple[int, ...], ...]  # (words,) a space that opens the word, then its characters
    opening: tuple[int, ...]  # (words,) ids of the space, 0 where there is none

    @property
    def starts(self) -> np.ndarray:
        """(words,) row of each word's first letter."""
        return self.ends - [len(word) for word in self.ids] + self.opening

    @property
    def ends(self) -> np.ndarray:
        """(words,) row after each word's last letter."""
        return np.cumsum([len(word) for word in self.ids])


def spelling(words: Sequence[str], encode: Callable[[str], Sequence[int]], *, spaced: bool = True) -> Spelling:
    """Each word as a space and single characters, as the decoder would read them one by one.

    The first word too opens with a space, which takes up the silence before it. Where a language writes no spaces,
    only the first one has it.
    """
    space = tuple(encode(" "))
    openings = [space if spaced or not number else () for number in range(len(words))]
    known = {character: tuple(encode(character)) for character in set("".join(words))}
    letters = [tuple(i for character in word for i in known[character]) for word in words]
    ids = tuple(opening + word for opening, word in zip(openings, letters, strict=True))
    return Spelling(ids, tuple(map(len, openings)))


def passages(lengths: Iterable[int], longest: int = LONGEST_PASSAGE) -> list[range]:
    """Which of a text's ids are read together, if its words have so many? At most `longest`, whole words that fit.

    A word alone may be longer: models go round in loops without a space.
    """
    found, begun, end = [], 0, 0
    for length in lengths:
        if begun < end and end + length - begun > longest:
            found.append(range(begun, end))
            begun = end
        end += length
        while end - begun > longest:
            found.append(range(begun, begun + longest))
            begun += longest
    return [*found, range(begun, end)]


def words_in_states(
    text: Transcript, model: SpeechModel, states: torch.Tensor, own: int, seconds: float
) -> tuple[Segment, ...]:
    """When is each word of `text` said, for a decoder that reads `states`, (1, positions, dim)?

    The first `own` positions are the clip's, which lasts `seconds`. Words, their labels and their number are those of
    `text_words`. Raises AlignmentError if there are more words than frames.
    """
    labels = [word.label for word in text_words(text)]
    if not labels:
        return ()
    spelt = spelling(labels, _encoder(model.tokenizer), spaced=text.language not in UNSPACED)
    rows, lag = row_starts(_scores(labels, spelt, text.prompt, model, states, own)), lag_of(model)
    starts = np.maximum(rows[spelt.starts] - lag.start, 0).tolist()
    ends = np.minimum(rows[spelt.ends] + lag.end, own).tolist()
    try:
        return apart(labels, starts, ends, seconds)
    except AlignmentError as problem:
        if text.given:
            raise
        raise AlignmentError(
            f"The text that {model.id} wrote has more words than {seconds:.2f} s of sound have frames of 20 ms, most "
            "likely because it went round in a loop, so they have no times; give the transcript of what is said, or "
            "choose another model."
        ) from problem


def lag_of(model: SpeechModel) -> Lag:
    """What is taken off this model's times."""
    return MEASURED[model.id].lag if model.id in MEASURED else UNKNOWN


@torch.inference_mode()
def _scores(
    labels: list[str], spelt: Spelling, prompt: tuple[int, ...], model: SpeechModel, states: torch.Tensor, own: int
) -> Iterator[np.ndarray]:
    """(heads, characters + 1, own) of each layer: row i predicts character i, the last one what comes after the text.

    A passage is read after everything before it in word pieces, which need fewer positions.
    """
    encode, positions = _encoder(model.tokenizer), model.network.config.max_target_positions
    ids, edges = [i for word in spelt.ids for i in word], [0, *spelt.ends]
    parts = passages(map(len, spelt.ids), min(LONGEST_PASSAGE, positions // 2 - len(prompt)))
    queries: list[list[torch.Tensor]] = []
    for part in parts:
        word = np.searchsorted(edges, part.start, side="right") - 1
        earlier = (*_pieces(labels[:word], encode), *ids[edges[word] : part.start])
        too_many = max(len(prompt) + len(earlier) + len(part) - positions, 0)
        before = (*prompt, *earlier[too_many:])
        with model.lock:
            read = sites.cross_reading(model.network, states, (*before, *ids[part.start : part.stop]))
        rows = slice(len(before) - 1, None if part is parts[-1] else -1)
        queries.append([query[:, rows] for query, _ in read])
        keys = [key[:, :own] for _, key in read]
    for layer, key in enumerate(keys):
        query = torch.cat([passage[layer] for passage in queries], 1)
        yield (query @ key.transpose(1, 2)).numpy()


def _pieces(labels: Sequence[str], encode: Callable[[str], Sequence[int]]) -> tuple[int, ...]:
    return tuple(encode(" " + " ".join(labels))) if labels else ()


def _encoder(tokenizer: Any) -> Callable[[str], Sequence[int]]:
    return lambda text: tokenizer.encode(text, add_special_tokens=False)
