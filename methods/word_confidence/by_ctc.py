"""A text as a CTC head finds it, symbol by symbol, at the frames where the paths that spell it say each symbol."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.lenses import ctc_layers
from methods.core.lenses.ctc import runs
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.core.results import read_only
from methods.word_confidence.ctc_paths import occupancy, weighted
from methods.word_confidence.pieces import Judged, entropy_bits, rivals
from methods.word_confidence.result import SureWord

BLANK, SPACE = "(nothing new)", "(between words)"


class NothingHeardError(UserError):
    """A recogniser spells no symbol in this clip, as it should where nobody speaks: there is nothing to judge."""


@dataclass(frozen=True)
class CtcText:
    """A text in a CTC head's symbols, and the clip in which it is said."""

    clip: Clip
    vocabulary: Vocabulary
    ids: tuple[int, ...]  # with the symbol between words, where the head has one

    def heard(self, model: SpeechModel) -> np.ndarray:
        """(frames, symbols) natural log-probabilities of the head, hearing the clip."""
        return models.ctc_log_probabilities(self.clip, model)

    def silence(self, model: SpeechModel) -> np.ndarray:
        """The same, hearing digital silence of the clip's length."""
        return models.ctc_log_probabilities(Clip(np.zeros_like(self.clip.samples), "silence"), model)

    def mean(self, model: SpeechModel) -> np.ndarray:
        """The same, the head reading in each frame the average of what it reads in all."""
        states = ctc_layers.lens_states(self.clip, model)[1][-1]
        return ctc_layers.head_of(model).top(states.mean(0, keepdim=True).expand(len(states), -1))

    def weights(self, heard: np.ndarray) -> tuple[np.ndarray, float]:
        """(symbols of the text, frames) where its paths say each symbol, and ln P of them all."""
        return occupancy(heard, self.ids, self.vocabulary.blank)

    def logprobs(self, log_probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(symbols of the text,) nats of each symbol at its own frames."""
        return read_only(weighted(log_probabilities, weights)[np.arange(len(self.ids)), list(self.ids)])

    def judged(self, model: SpeechModel) -> Judged:
        """The text, hearing the clip, with all that else could have been read there."""
        heard = self.heard(model)
        weights, total = self.weights(heard)
        logs = weighted(heard, weights)
        names, others = rivals(logs, np.array(self.ids), self._name)
        return Judged(
            text=self.vocabulary.spell(self.ids),
            pieces=tuple(map(self._name, self.ids)),
            words=self._words(weights, models.frame_grid(self.clip, model).times),
            logprobs=self.logprobs(heard, weights),
            entropy=read_only(entropy_bits(logs)),
            alternatives=names,
            alternative_logprobs=others,
            total=total,
            no_speech=None,
        )

    def _name(self, symbol: int) -> str:
        named = {self.vocabulary.blank: BLANK, self.vocabulary.space: SPACE}
        return named.get(symbol, self.vocabulary.labels[symbol])

    def _words(self, weights: np.ndarray, times: np.ndarray) -> tuple[SureWord, ...]:
        """Each from the frame where its first symbol most likely is to that of its last, whole frames."""
        step, found, first = times[1] - times[0] if len(times) > 1 else self.clip.seconds, [], 0
        peaks = times[weights.argmax(1)]
        for stop in [*(at for at, symbol in enumerate(self.ids) if symbol == self.vocabulary.space), len(self.ids)]:
            if stop > first:
                label = self.vocabulary.joint.join(self.vocabulary.labels[symbol] for symbol in self.ids[first:stop])
                start, end = max(peaks[first] - step / 2, 0.0), min(peaks[stop - 1] + step / 2, self.clip.seconds)
                found.append(SureWord(label, first, stop, float(start), float(end)))
            first = stop + 1
        return tuple(found)


def ctc_text(clip: Clip, model: SpeechModel, transcript: str | None) -> CtcText:
    """The text that is given, in the head's symbols, or the one that the model hears.

    Raises NothingHeardError where there is none, UserError for what the head cannot spell.
    """
    vocabulary = models.ctc_vocabulary(model)
    if transcript is not None:
        return CtcText(clip, vocabulary, _given(model, vocabulary, transcript))
    best = models.ctc_log_probabilities(clip, model).argmax(-1).tolist()
    ids = tuple(label for label, _ in runs(best, vocabulary.blank))
    if not ids:
        raise NothingHeardError(
            f"{model.id} hears nothing in this clip, so there is no word to judge; give its text.",
            mend={"transcript": "…"},
        )
    return CtcText(clip, vocabulary, ids)


def _given(model: SpeechModel, vocabulary: Vocabulary, said: str) -> tuple[int, ...]:
    head = ctc_layers.head_of(model)
    known = {label.casefold(): number for number, label in enumerate(vocabulary.labels)}
    ids: list[int] = []
    for word in filter(str.strip, said.split("|") if vocabulary.joint else said.split()):
        symbols = ctc_layers.reference_symbols(head, word)
        ids += [vocabulary.space] if ids and vocabulary.space is not None else []
        ids += _numbers(model, known, symbols)
    if not ids:
        raise UserError("The transcript is empty; type what is said in the clip.", mend={"transcript": None})
    return tuple(ids)


def _numbers(model: SpeechModel, known: dict[str, int], symbols: Sequence[str]) -> list[int]:
    lacking = [symbol for symbol in symbols if symbol not in known]
    if lacking:
        raise UserError(
            f"{model.id} has no symbol for {' '.join(lacking[:10])}, so it cannot spell this text; use its own.",
            mend={"transcript": None},
        )
    return [known[symbol] for symbol in symbols]
