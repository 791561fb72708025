"""What is asked of a decoder while something is changed inside: the log-probability of a word, or of a whole text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import targets
from methods.core.explain.target_kinds import explained_word
from methods.core.explain.targets import Target
from methods.core.lenses import decoder
from methods.core.models import whisper
from methods.core.models.speech_model import SpeechModel, Transcript

WHOLE = "the whole transcript"
LONGEST = 2  # a text that grows beyond twice its length is cut: by then it is a loop


@dataclass(frozen=True)
class Wanted:
    """Tokens that are teacher-forced after others; each one's log-probability is asked for, in nats."""

    label: str  # for titles
    before: tuple[int, ...]  # ids that are read first: the prompt and the text so far
    tokens: tuple[int, ...]  # ids whose log-probability is asked for

    @property
    def read(self) -> tuple[int, ...]:
        """All ids that the decoder reads; the last one wanted is only predicted."""
        return self.before + self.tokens[:-1]

    def logprobs(self, model: SpeechModel, states: torch.Tensor) -> np.ndarray:
        """(tokens,) natural log-probabilities when the decoder reads `states` (1, positions, dim)."""
        return self.logprobs_of_each(model, states)[0]

    @torch.inference_mode()
    def logprobs_of_each(self, model: SpeechModel, states: torch.Tensor) -> np.ndarray:
        """(rows, tokens) the same for many `states` (rows, positions, dim): the vocabulary is read once for all."""
        with model.lock:
            last = decoder.LayerReader(model.network, states).read(torch.tensor([self.read] * len(states)))
            tables = model.network.proj_out(last[:, len(self.before) - 1 :]).log_softmax(-1)
            return np.stack([self.of(table) for table in tables])

    def of(self, table: torch.Tensor) -> np.ndarray:
        """(tokens,) the wanted ones, of a (rows, vocabulary) table whose last row predicts the last of them."""
        rows = table[-len(self.tokens) :].cpu()
        return rows.gather(1, torch.tensor(self.tokens)[:, None])[:, 0].double().numpy()


def heard(clip: Clip, model: SpeechModel, transcript: str | None, language: str | None, what: str) -> Transcript:
    """The text that is forced upon the decoder: the given one, or what the model hears.

    Raises UserError for a model without a decoder, and where it writes no word.
    """
    if not model.writes_text:
        raise UserError(f"{model.id} has no text decoder, and {what}; choose a Whisper model.")
    text = models.transcribe(clip, model, text=transcript, language=language)
    if not text.tokens:
        raise UserError(
            f"{model.id} writes no word for this clip, so none can be lost; give the transcript.",
            mend={"transcript": "…"},
        )
    return text


def of_encoder(clip: Clip, model: SpeechModel, transcript: str | None, lost: str) -> Target:
    """What a model without a decoder is asked for: the string of its CTC head, or its likeliest class.

    Raises UserError for one that only makes hidden states; `lost` says by what an answer would be lost.
    """
    kinds = targets.kinds(model)
    if not kinds:
        raise UserError(
            f"{model.id} only makes hidden states, so no answer could be lost {lost}; choose a Whisper, CTC or "
            "classification model."
        )
    asked = {"transcript": transcript} if kinds[0] == "ctc" else {"scale": "log-probability"}
    return targets.build(clip, model, kinds[0], **asked)


def whole(model: SpeechModel, text: Transcript) -> Wanted:
    """All tokens and the end of the text."""
    return Wanted(WHOLE, text.prompt, (*text.tokens, model.decoding.end))


def of_word(text: Transcript, word: str | None, occurrence: int | None = None) -> Wanted:
    """A word, or words in a row; the longest if none is named. Raises UserError where it is not there."""
    found = explained_word(text, word, occurrence)
    ids = text.ids
    return Wanted(f"“{found.label}”", ids[: found.tokens.start], ids[found.tokens.start : found.tokens.stop])


def written(model: SpeechModel, states: torch.Tensor, text: Transcript) -> str:
    """What the decoder writes by itself of `states` (1, positions, dim), cut at twice the length of the text."""
    longest = min(max(16, LONGEST * len(text.tokens)), whisper.LONGEST_TRANSCRIPT)
    with model.lock:
        found = decoder.greedy(model, states, text.prompt, longest, text.tokens)
    return spelled(model, found[0].tokens)


def spelled(model: SpeechModel, tokens: Sequence[int]) -> str:
    """The text of these tokens."""
    return decoder.spelled_out(model, tokens)
