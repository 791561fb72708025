"""The passage that context mixing looks at: a clip, its segments, and the tokens that the decoder reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from methods.core import models, results
from methods.core.alignment import words
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models.sites import Site, Stack
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.progress import Step, Steps

T = TypeVar("T")
LARGEST = 64 * 2**20  # numbers in one stack's maps: half a gigabyte
STACK_TITLES: dict[Stack, str] = {
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
    "cross": "Cross-attention, text to sound",
}
STACKS: tuple[Stack, ...] = tuple(STACK_TITLES)


@dataclass(frozen=True, eq=False)
class Passage:
    """A clip as one model meets it, cut into segments (of sound) and tokens (of text)."""

    clip: Clip
    model: SpeechModel
    segments: tuple[Segment, ...]
    spans: tuple[range, ...]  # the encoder frames of each segment
    transcript: Transcript | None  # what the decoder reads; None without a decoder

    def sites(self, stack: Stack) -> tuple[Site, ...]:
        """The attention modules of a stack, first layer first."""
        if stack == "encoder":
            return models.encoder_states(self.clip, self.model).sites
        states = models.decoder_states(self.clip, self.model, self.transcript.ids)
        return states.self_sites if stack == "decoder" else states.cross_sites

    def groups(self, stack: Stack) -> tuple[tuple[range, ...], tuple[range, ...]]:
        """Which positions make up each row, and each column, of a stack's map."""
        tokens = tuple(range(i, i + 1) for i in range(len(self.transcript.ids))) if self.transcript else ()
        return {"encoder": (self.spans, self.spans), "decoder": (tokens, tokens), "cross": (tokens, self.spans)}[stack]

    def twin(self, seed: int) -> "Passage":
        """The same clip, segments and tokens in a network of the same shape with random weights."""
        return replace(self, model=models.random_twin(self.model, seed))


@dataclass(frozen=True)
class Asked:
    """Which maps are wanted, as far as the model has them, and which controls."""

    stacks: tuple[Stack, ...]
    layers: tuple[int, ...] | None  # from 1; None: all
    random_seeds: tuple[int, ...]


def passage(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stacks: Sequence[Stack] = ("encoder", "decoder", "cross"),
) -> Passage:
    """Cut a clip into segments (the model's own words unless given) and the tokens that its decoder reads.

    Where only the encoder is asked for, nothing is decoded.
    """
    wants_text = model.writes_text and any(stack != "encoder" for stack in stacks)
    text = models.transcribe(clip, model, text=transcript, language=language) if wants_text else None
    segments = words(clip, model, transcript=transcript, language=language) if segments is None else segments
    segments = results.enough_segments(segments, models.no_speech(clip, model) if len(segments) < 2 else None)
    return Passage(clip, model, segments, tuple(models.frame_grid(clip, model).spans(segments)), text)


def single_frames(clip: Clip, model: SpeechModel) -> tuple[Segment, ...]:
    """One segment per frame of the model, named by the time of its centre."""
    grid = models.frame_grid(clip, model)
    edges = np.clip(np.append(grid.times - grid.step / 2, np.inf), 0.0, clip.seconds).tolist()
    times = zip(grid.times, edges[:-1], edges[1:], strict=True)
    return tuple(Segment(f"{time:.2f} s", start, end) for time, start, end in times)


def possible_layers(passage: Passage, stacks: Sequence[Stack], layers: Sequence[int] | None) -> tuple[int, ...] | None:
    """The layers asked for (from 1; None: all), checked against the deepest of the stacks."""
    if not layers:
        return None
    most = max(len(passage.sites(stack)) for stack in stacks)
    return tuple(checked_layer(layer, most) for layer in layers)


def possible_stacks(model: SpeechModel, stacks: Sequence[Stack]) -> tuple[Stack, ...]:
    """The stacks asked for, as far as the model has them. Raises UserError if it has none of them."""
    found = tuple(stack for stack in stacks if stack == "encoder" or model.writes_text)
    if not found:
        raise UserError(
            f"{model.id} has no decoder, so there is no {' or '.join(stacks)} map; choose the encoder's own "
            "attention.",
            mend={"stacks": "encoder", "stack": "encoder"},
        )
    return found


def checked_size(layers: int, heads: int, rows: int, columns: int) -> None:
    """Raises UserError for maps that do not fit into memory."""
    if layers * heads * rows * columns > LARGEST:
        raise UserError(
            f"{layers} layers × {heads} heads × {rows} × {columns} cells do not fit in memory; choose one layer, or a "
            "shorter clip.",
            mend={"layers": "1"},
        )


def heard(clip: Clip, model: SpeechModel, step: Step) -> Steps[None]:
    """The encoder's pass before it is needed, as a step of its own: little else takes as long."""
    yield step
    models.encoder_states(clip, model)
    yield replace(step, partial=None)


def twin(passage: Passage, seed: int, step: Step) -> Steps[Passage]:
    """The passage in a network with random weights, which has been heard when this ends."""
    yield step
    made = passage.twin(seed)
    yield from heard(passage.clip, made.model, replace(step, partial=None))
    return made


def with_controls(passage: Passage, seeds: Sequence[int], measure: Callable[[Passage], T]) -> Steps[T]:
    """Measure the trained model, then one random-weights twin per seed; it can be stopped between all passes."""
    yield Step(0.0, f"{passage.model.id}, trained weights")
    result, controls = measure(passage), []
    for number, seed in enumerate(seeds):
        step = Step((number + 1) / (len(seeds) + 1), f"random weights, seed {seed}", result)
        controls.append(measure((yield from twin(passage, seed, step))))
    return replace(result, random=tuple(controls))


def checked_layer(layer: int | None, layers: int, what: str = "layer") -> int:
    """The layer (or the head), counted from 1; the last one if none is named."""
    number, most = (layers if layer is None else layer), layers
    if number not in range(1, most + 1):
        raise UserError(f"This model has {what}s 1 to {most}, so there is no {what} {number}; choose another.")
    return int(number)
