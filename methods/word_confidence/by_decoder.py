"""A text as Whisper's decoder finds it, piece by piece: hearing the clip, hearing silence, hearing only an average."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.core import alignment, models
from methods.core.audio import Clip
from methods.core.frames import AlignmentError, Segment
from methods.core.lenses import decoder
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.results import read_only
from methods.core.speech.words import text_words
from methods.word_confidence.pieces import Judged, entropy_bits, rivals
from methods.word_confidence.result import SureWord

END = "(end)"


@dataclass(frozen=True)
class DecoderText:
    """A text and the Whisper model that is asked about it."""

    clip: Clip
    text: Transcript
    segments: tuple[Segment, ...] | None  # the text's words with their times; None: by the model's own attention

    def heard(self, model: SpeechModel) -> torch.Tensor:
        """(positions, dim) what the decoder reads of the clip."""
        return models.encoder_states(self.clip, model).output[0]

    def silence(self, model: SpeechModel) -> torch.Tensor:
        """(positions, dim) what it reads of 30 s of digital silence."""
        return decoder.readable(model, decoder.silent_streams(model)[-1])

    def mean(self, model: SpeechModel) -> torch.Tensor:
        """(positions, dim) the clip, each of its frames holding the average of all; the padding stays."""
        return decoder.averaged(self.heard(model)[None], models.frame_grid(self.clip, model).frames)[0]

    def logprobs(self, model: SpeechModel, states: torch.Tensor) -> np.ndarray:
        """(tokens + 1,) nats of the text and its end."""
        with model.lock:
            return read_only(decoder.forced_logprobs(model, states[None], self.text.prompt, self.text.tokens)[0][0])

    def no_speech(self, model: SpeechModel, states: torch.Tensor) -> float | None:
        """What the model gives to “no speech” right after the start token."""
        if model.decoding.no_speech is None:
            return None
        with model.lock:
            opening = decoder.forced_logprobs(model, states[None], self.text.prompt[:1], ())[1][0]
        return float(np.exp(opening[model.decoding.no_speech]))

    def judged(self, model: SpeechModel) -> Judged:
        """The text, hearing the clip, with all that else could have been written."""
        text, states = self.text, self.heard(model)
        with model.lock:
            logs = decoder.forced_distributions(model, states, text.prompt, text.tokens)
        wanted = np.array([*text.tokens, model.decoding.end])
        names, others = rivals(logs, wanted, lambda token: named(model, token))
        logprobs = read_only(logs[np.arange(len(wanted)), wanted])
        return Judged(
            text=text.text,
            pieces=(*text.token_texts, END),
            words=self._words(model),
            logprobs=logprobs,
            entropy=read_only(entropy_bits(logs)),
            alternatives=names,
            alternative_logprobs=others,
            total=float(logprobs.sum()),
            no_speech=text.no_speech,
        )

    def _words(self, model: SpeechModel) -> tuple[SureWord, ...]:
        offset, found = len(self.text.prompt), text_words(self.text)
        times = self._times(model)
        if len(times) != len(found):  # a cut into something else than this text's words
            return tuple(SureWord(w.label, w.tokens.start - offset, w.tokens.stop - offset) for w in found)
        return tuple(
            SureWord(w.label, w.tokens.start - offset, w.tokens.stop - offset, time.start, time.end)
            for w, time in zip(found, times, strict=True)
        )

    def _times(self, model: SpeechModel) -> Sequence[Segment]:
        if self.segments is not None:
            return self.segments
        try:
            return alignment.attended_words(
                self.clip, model, transcript=self.text.text if self.text.given else None, language=self.text.language
            )
        except AlignmentError:
            return ()


def named(model: SpeechModel, token: int) -> str:
    """A token as a person can read it, a leading space kept; what is no text by its name in brackets."""
    if token == model.decoding.end:
        return END
    text = model.tokenizer.decode([token], clean_up_tokenization_spaces=False)
    if "\ufffd" in text:
        return "(part of a letter)"
    return text if text.strip() else f"({decoder.spelled_out(model, [token]).strip('<>') or 'space'})"
