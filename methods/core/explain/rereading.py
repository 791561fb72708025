"""Whisper reading one clip again and again, each time with something changed: what it says, and how sure it is.

    reader = Rereader(clip, model, transcript)      # the short window; window="full" for the exact 30 s
    states = reader.states(mels)                    # (n, mels, own frames) changed log-mel features -> encoder states
    reader.log_probabilities(states)                # one (tokens + 1, vocabulary) table each, teacher-forced
    reader.texts(states)                            # what is now written

The text that is forced upon the decoder is always the same, so that every token can be compared with itself.

The short window is the clip and 6 s of silence instead of 30 s: about four times cheaper for a clip of 3 s. With less
silence Whisper does not notice that a clip has ended and writes its sentence twice or thrice. Of 32 partly silenced
versions of two bundled clips, tiny.en did so in 25% with 2 s, 3% with 4 s and none with 6 s (nor with 30 s, of 16).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.frames import WHISPER_FRAMES
from methods.core.lenses import decoder
from methods.core.models import whisper
from methods.core.models.devices import beside
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Window
from methods.core.models.whisper import short_window
from methods.core.models.whisper.log_mel import log_mel, padding_value
from methods.core.speech import edits

LONGER = 2  # a text that grows beyond twice its length is cut: by then every word is wrong anyway
MARGIN = 300  # frames of 20 ms after the clip that the short window keeps
SHORT = "clip + 6 s"  # what status lines and provenance call the short window
BATCH: dict[Window, int] = {"clip": 8, "full": 2}  # versions between two looks at Stop; the decoder reads them at once


@dataclass(frozen=True, eq=False)
class Rereader:
    """A Whisper model, a clip, and the text whose tokens are looked at."""

    clip: Clip
    model: SpeechModel
    transcript: Transcript
    window: Window = "clip"

    @cached_property
    def own(self) -> int:
        """Frames of 20 ms that are the clip's own."""
        return models.frame_grid(self.clip, self.model).frames

    @cached_property
    def mel(self) -> torch.Tensor:
        """(mels, 2 · own) log-mel features of the unchanged clip."""
        return self._window[:, : 2 * self.own]

    @cached_property
    def _window(self) -> torch.Tensor:
        return whisper.features(self.model, self.clip.samples)[0].cpu()

    @cached_property
    def unchanged(self) -> torch.Tensor:
        """(1, positions, dim) what the decoder reads of the unchanged clip."""
        return self.states(self.mel[None])

    @property
    def quiet(self) -> float:
        """What digital silence looks like in this clip's features."""
        return padding_value(self.mel)

    @property
    def batch(self) -> int:
        """How many versions are read at once."""
        return BATCH[self.window]

    def mels(self, sounds: Sequence[np.ndarray]) -> torch.Tensor:
        """(n, mels, 2 · own) features of changed samples, each as long as the clip."""
        samples = torch.tensor(np.stack(sounds), dtype=torch.float32)
        return log_mel(self.model.front_end, samples, 2 * self.own)

    @torch.inference_mode()
    def states(self, mels: torch.Tensor) -> torch.Tensor:
        """(n, positions, dim) what the decoder reads of (n, mels, 2 · own) changed features.

        One by one: in batches the encoder's work no longer fits the processor's cache (8 at once: a fifth slower).
        """
        with self.model.lock:
            return torch.cat([self._state(mel[None]) for mel in mels])

    def _state(self, mel: torch.Tensor) -> torch.Tensor:
        network = self.model.network
        if self.window == "clip":
            frames = min(self.own + MARGIN, WHISPER_FRAMES)
            return short_window.states(network, self._whole(mel, 2 * frames), frames)[:, -1]
        return network.model.encoder(self._whole(mel, 2 * WHISPER_FRAMES)).last_hidden_state

    def _whole(self, mels: torch.Tensor, length: int) -> torch.Tensor:
        """(n, mels, length) the changed features with the padding that follows the clip."""
        padding = self._window[:, 2 * self.own : length]
        return beside(self.model.network, torch.cat((mels, padding.expand(len(mels), -1, -1)), -1))

    @torch.inference_mode()
    def log_probabilities(self, states: torch.Tensor) -> Iterator[torch.Tensor]:
        """For each state, (tokens + 1, vocabulary) natural log-probabilities of each next token, and of the end."""
        ids = self.transcript.prompt + self.transcript.tokens
        with self.model.lock:
            read = decoder.LayerReader(self.model.network, states).read(torch.tensor([ids] * len(states)))
            for last in read[:, len(self.transcript.prompt) - 1 :]:  # one by one: all at once would be a large table
                yield self.model.network.proj_out(last).log_softmax(-1).cpu()

    def texts(self, states: torch.Tensor, hopeless: Callable[[str], bool] | None = None) -> list[str]:
        """What the decoder writes by itself, cut at twice the length of the text (and never under 16 tokens).

        A text whose beginning is `hopeless` may be left at that.
        """
        longest = min(max(16, LONGER * len(self.transcript.tokens)), whisper.LONGEST_TRANSCRIPT)
        # Of several versions one differs soon, so that reading the unchanged text first would only cost time.
        asked: dict[str, Any] = {"guess": self.transcript.tokens} if len(states) == 1 else {}
        if hopeless is not None:
            asked["hopeless"] = lambda tokens: hopeless(decoder.spelled_out(self.model, tokens))
        with self.model.lock:
            written = decoder.greedy(self.model, states, self.transcript.prompt, longest, **asked)
        return [decoder.spelled_out(self.model, each.tokens) for each in written]


def similarity(meant: Sequence[str], said: Sequence[str]) -> float:
    """1 - word error rate, not below 0: 1 if the same words are said."""
    return max(0.0, 1.0 - edits.error_rate(meant, said))
