"""What a model says when the states of one layer are changed on their way: Whisper, CTC models and classifiers.

Layer 0 is what the first block reads, layer l the output of block l, and the last one what the encoder passes on,
after its final norm where it has one: the states of `Encoding.hidden`. Only the clip's own frames are changed, and
only the layers above them are run.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.explain import target_kinds
from methods.core.explain.targets import Target
from methods.core.interventions import encoder, wanted
from methods.core.interventions.encoder import EncoderRun
from methods.core.models import stages
from methods.core.models.devices import beside
from methods.core.models.sites import captured
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Window
from methods.erasure.silence import Silence, silence

Change = Callable[[np.ndarray], np.ndarray]  # (frames, dim) states -> the same, changed


def unchanged(states: np.ndarray) -> np.ndarray:
    """The states as they are."""
    return states


def _changed(stream: torch.Tensor, own: int, change: Change) -> torch.Tensor:
    """(1, positions, dim) with the first `own` positions changed."""
    found = stream.clone()
    found[0, :own] = torch.from_numpy(change(stream[0, :own].numpy())).to(stream.dtype)
    return found


@dataclass(frozen=True, eq=False)
class WhisperLayers:
    """Whisper: nats of the whole transcript, its end included."""

    clip: Clip
    model: SpeechModel
    text: Transcript
    window: Window
    _silences: dict[int, Silence | None] = field(default_factory=dict, init=False)  # of layers that were asked

    @property
    def heard(self) -> str:
        """What the numbers are about."""
        return self.text.text

    @cached_property
    def run(self) -> EncoderRun:
        own = models.frame_grid(self.clip, self.model).frames
        return encoder.record(self.model, self.clip.samples, own, self.window)

    @property
    def count(self) -> int:
        """Layers, layer 0 among them."""
        return self.run.layers + 1

    @cached_property
    def base(self) -> float:
        """Nats of the transcript with nothing changed."""
        return float(self.logprobs(self.read(self.run.layers))[0])

    @torch.inference_mode()
    def read(self, layer: int, change: Change = unchanged) -> torch.Tensor:
        """(1, positions, dim) what the decoder reads with the states of this layer changed."""
        run, stream = self.run, self.run.streams[layer][None]
        with self.model.lock:
            if layer == run.layers:
                return _changed(self._normed(stream), run.own, change)
            changed = _changed(stream, run.own, change)
            known = self._silence_above(layer)
            if known is None:
                return encoder.onward(run, changed, layer)
            return encoder.onward(run, known.after(changed), layer + 1)

    def _silence_above(self, layer: int) -> Silence | None:
        """What the block above this layer knows of the silence after the clip; None where it is not worth its price.

        To make it costs what three runs save, so that a layer is asked once without it, as the random twin's are; and
        in the clip's own window there is no silence.
        """
        if layer not in self._silences:
            self._silences[layer] = None
        elif self._silences[layer] is None and self.run.own < self.run.streams.shape[1]:
            self._silences[layer] = silence(self.run.blocks[layer], self.run.streams[layer][None], self.run.own)
        return self._silences[layer]

    def _normed(self, stream: torch.Tensor) -> torch.Tensor:
        return self.model.network.model.encoder.layer_norm(stream)

    def logprobs(self, *reads: torch.Tensor) -> np.ndarray:
        """(reads,) nats of the transcript when the decoder reads each of these."""
        return wanted.whole(self.model, self.text).logprobs_of_each(self.model, torch.cat(reads)).sum(1)

    def said(self, read: torch.Tensor) -> str:
        """What the model writes by itself when the decoder reads this."""
        return wanted.written(self.model, read, self.text)

    @torch.inference_mode()
    def seen(self, layer: int, change: Change = unchanged) -> str:
        """What the decoder writes when it reads this layer at once (DecoderLens)."""
        stream = self.run.streams[layer][None]
        if layer == self.run.layers:
            read = _changed(self._normed(stream), self.run.own, change)
        else:
            read = self._normed(_changed(stream, self.run.own, change))
        return wanted.written(self.model, read, self.text)

    def twin(self, seed: int) -> "WhisperLayers":
        """The same question to the same architecture with random weights."""
        return WhisperLayers(self.clip, models.random_twin(self.model, seed), self.text, self.window)


@dataclass(frozen=True, eq=False)
class _Recorded:
    """One unchanged pass: what enters, and what every block gave, whatever else it gave with it."""

    entering: torch.Tensor
    outputs: tuple[Any, ...]
    streams: tuple[torch.Tensor, ...]  # (1, frames, dim) each: layer 0, …, the last, after the final norm


@dataclass(frozen=True, eq=False)
class EncoderLayers:
    """An encoder with a CTC head or a classifier: nats of the whole string, or of the likeliest class."""

    target: Target

    @property
    def clip(self) -> Clip:
        return self.target.clip

    @property
    def model(self) -> SpeechModel:
        return self.target.model

    @property
    def heard(self) -> str:
        """What the model says, unchanged."""
        return self.said(self.read(0))

    @cached_property
    def _parts(self) -> tuple[list[Any], Any]:
        """The blocks, and the norm after them where there is one."""
        family = models.family_of(self.model)
        return family.blocks(self.model.network), family.final_norm(self.model.network)

    @cached_property
    def recorded(self) -> _Recorded:
        blocks, norm = self._parts
        entering, kept = self.target.entering("embedding"), []
        with torch.inference_mode(), self.model.lock, ExitStack() as stack:
            seen = stack.enter_context(captured({"first": blocks[0]}, inputs=True))
            for block in blocks:
                handle = block.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
                stack.callback(handle.remove)
            stages.onward(self.target.steps, "embedding", entering)
            streams = [seen["first"][None], *map(_hidden, kept)]
            streams[-1] = streams[-1] if norm is None else norm(streams[-1])
        return _Recorded(entering, tuple(kept), tuple(stream.cpu() for stream in streams))

    @property
    def count(self) -> int:
        """Layers, layer 0 among them."""
        return len(self.recorded.streams)

    @cached_property
    def own(self) -> int:
        """The clip's own frames."""
        return models.frame_grid(self.clip, self.model).frames

    @cached_property
    def base(self) -> float:
        """Nats with nothing changed."""
        return float(self.logprobs(self.read(self.count - 1))[0])

    @torch.inference_mode()
    def read(self, layer: int, change: Change = unchanged) -> Any:
        """What the model gives with the states of this layer changed; blocks below it answer what they answered."""
        (blocks, norm), known = self._parts, self.recorded
        outputs = list(known.outputs[:layer])
        changed = beside(self.model.network, _changed(known.streams[layer], self.own, change))
        with self.model.lock, ExitStack() as stack:
            if not layer:
                stack.enter_context(stages.replaced(blocks[0], _reading(blocks[0].forward, changed)))
            elif layer == len(blocks) and norm is not None:
                stack.enter_context(stages.replaced(norm, _always(changed)))
            else:
                outputs[-1] = _with_hidden(outputs[-1], changed)
            for block, output in zip(blocks, outputs, strict=False):
                stack.enter_context(stages.replaced(block, _always(output)))
            return stages.onward(self.target.steps, "embedding", known.entering)

    def logprobs(self, *reads: Any) -> np.ndarray:
        """(reads,) nats of the string, or of the class, in each that the model gave."""
        return np.array([float(self.target.readout(self.model, read)) for read in reads])

    def said(self, read: Any) -> str:
        """What the model says by itself in what it gave."""
        return target_kinds.answer(self.model, read, None)

    @torch.inference_mode()
    def seen(self, layer: int, change: Change = unchanged) -> str:
        """What the head says when it reads this layer at once, after the final norm where there is one."""
        last, norm = self.count - 1, self._parts[1]
        stream = _changed(self.recorded.streams[layer], self.own, change)
        stream = stream if layer == last or norm is None else norm(beside(self.model.network, stream)).cpu()
        return self.said(self.read(last, lambda _: stream[0, : self.own].numpy()))

    def twin(self, seed: int) -> "EncoderLayers":
        """The same question to the same architecture with random weights."""
        return EncoderLayers(self.target.twin(seed))


Layered = WhisperLayers | EncoderLayers


def _hidden(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]


def _with_hidden(output: Any, changed: torch.Tensor) -> Any:
    return changed if isinstance(output, torch.Tensor) else (changed, *output[1:])


def _always(output: Any) -> Callable[..., Any]:
    return lambda *_, **__: output


def _reading(forward: Callable[..., Any], changed: torch.Tensor) -> Callable[..., Any]:
    return lambda _, *rest, **named: forward(changed, *rest, **named)


def layered(clip: Clip, model: SpeechModel, transcript: str | None, language: str | None, window: Window) -> Layered:
    """The model with changeable layers; raises UserError where it says nothing that could be lost."""
    if model.writes_text:
        text = wanted.heard(clip, model, transcript, language, "its layers are judged by what it writes")
        return WhisperLayers(clip, model, text, window)
    return EncoderLayers(wanted.of_encoder(clip, model, transcript, "when something is erased from them"))
