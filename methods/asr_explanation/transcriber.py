"""A model listening to many changed versions of one clip: which words, or phones, does it write down?

listener = Listener(clip, model)               # Whisper: the clip and 6 s of silence; window="full" for 30 s
listener.own                                   # what is written of the unchanged clip in the exact window
listener.heard([samples, …])                   # one tuple of words each (phones for a phone recogniser)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain.rereading import Rereader, similarity
from methods.core.lenses.ctc import runs
from methods.core.models import stages
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Window
from methods.core.speech import edits

LEAST_RIGHT = 0.5  # of the exact window's words that the quick one has to write too
LONGEST_QUOTE = 60  # characters


def shortened(said: Sequence[str]) -> str:
    """Words as a sentence can quote them."""
    text = " ".join(said)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]} …"


@dataclass(frozen=True, eq=False)
class Transcriber:
    """A model that writes something down, and the clip whose changed versions it hears."""

    clip: Clip
    model: SpeechModel
    language: str | None = None  # Whisper's; None: what it hears in the whole clip
    window: Window = "clip"

    def __post_init__(self) -> None:
        if not self.model.writes_text and models.ctc_vocabulary(self.model) is None:
            raise UserError(
                f"{self.model.id} writes nothing down, so there is no transcript to explain; choose a Whisper or CTC "
                "model."
            )

    @property
    def unit(self) -> str:
        """What is compared: "words", or "phones" of a recogniser that writes those."""
        vocabulary = models.ctc_vocabulary(self.model)
        return "phones" if vocabulary is not None and vocabulary.joint else "words"

    @property
    def batch(self) -> int:
        """How many versions are heard at once."""
        return self._reader.batch if self.model.writes_text else 1

    @cached_property
    def transcript(self) -> Transcript:
        """Of the whole clip; its prompt (language, task) is kept for every version."""
        return models.transcribe(self.clip, self.model, language=self.language)

    @cached_property
    def exact(self) -> "Transcriber":
        """The same model with the window that it was trained on; itself where it has that."""
        return replace(self, window="full") if self.model.writes_text and self.window != "full" else self

    @cached_property
    def own(self) -> tuple[str, ...]:
        """What is heard in the unchanged clip, in the exact window. Raises UserError if that is nothing."""
        heard = self.exact.here
        if not heard:
            raise UserError(
                f"{self.model.id} writes nothing for this clip, so there is nothing to explain; choose another clip."
            )
        return heard

    @cached_property
    def here(self) -> tuple[str, ...]:
        """What is heard in the unchanged clip, in this window."""
        return self.heard([self.clip.samples])[0]

    def passing_mark(self, threshold: float) -> float:
        """The likeness to `own` of a version that has this share of what the unchanged clip has right in this window.

        Raises UserError where that is so little that this window explains another text.
        """
        right = self.likeness(self.here)
        if right < LEAST_RIGHT:
            raise UserError(
                f"In the quick window {self.model.id} writes “{shortened(self.here)}” and not, as in its exact one, "
                f"“{shortened(self.own)}”; choose the exact window of 30 s.",
                mend={"window": "full"},
            )
        return threshold * right

    def heard(self, sounds: Sequence[np.ndarray]) -> list[tuple[str, ...]]:
        """The words or phones of each version, all as long as the clip."""
        return self._in_batches(sounds, None)

    def passing(self, sounds: Sequence[np.ndarray], least: float) -> list[bool]:
        """Whether each version's likeness is at least this (0 to 1); it is not heard to its end where it cannot be."""
        return [self.likeness(said) >= least for said in self._in_batches(sounds, least)]

    def _in_batches(self, sounds: Sequence[np.ndarray], least: float | None) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for start in range(0, len(sounds), self.batch):
            found += self._batch(sounds[start : start + self.batch], least)
        return found

    def likeness(self, said: Sequence[str]) -> float:
        """1 - error rate against what is heard in the unchanged clip in the exact window, not below 0."""
        return similarity(self.own, said)

    @cached_property
    def _reader(self) -> Rereader:
        return Rereader(self.clip, self.model, self.transcript, self.window)

    @torch.inference_mode()
    def _batch(self, sounds: Sequence[np.ndarray], least: float | None) -> list[tuple[str, ...]]:
        """What is heard; only a beginning of it where that cannot be `least` like `own` any more."""
        if not self.model.writes_text:
            return [self._symbols(sound) for sound in sounds]

        def hopeless(text: str) -> bool:
            begun = edits.plain_words(text)[:-1]  # the last word may go on
            return 1 - edits.fewest_errors(self.own, begun) / len(self.own) < least

        states = self._reader.states(self._reader.mels(sounds))
        return [edits.plain_words(text) for text in self._reader.texts(states, None if least is None else hopeless)]

    def _symbols(self, sound: np.ndarray) -> tuple[str, ...]:
        vocabulary, steps = models.ctc_vocabulary(self.model), models.stages_of(self.clip, self.model)
        with self.model.lock:
            scores = stages.onward(steps, "waveform", stages.batch(self.model.network, sound))
        labels = [label for label, _ in runs(scores.argmax(-1).tolist(), vocabulary.blank)]
        if self.unit == "words":
            return tuple(vocabulary.spell(labels).split())
        return tuple(vocabulary.labels[label] for label in labels if label != vocabulary.space)
