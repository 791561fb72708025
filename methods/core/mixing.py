"""Context mixing: what attention, attention norms and value zeroing share.

Each of them asks, within one layer, how much position i takes from position j. Here is the passage that they all look
at (a clip, its segments, the tokens that the decoder is teacher-forced on), the random-weights controls beside every
result, and the view that both the page and the figures draw.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from methods.core import models, results
from methods.core.alignment import words
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.layers import Site, Stack
from methods.core.network import SpeechModel, Transcript
from methods.core.results import Step, Steps

PASSAGE = ("segments", "transcript", "language")  # the options of every technique that `passage` takes
LARGEST = 64 * 2**20  # numbers in one stack's maps: half a gigabyte
STACK_TITLES: dict[Stack, str] = {
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
    "cross": "Cross-attention, text to sound",
}
STACKS: tuple[Stack, ...] = tuple(STACK_TITLES)


@dataclass(frozen=True, eq=False, kw_only=True)
class MixingResult:
    """What every result of context mixing holds beside its maps: what its rows and columns are, and the control."""

    random: tuple[Any, ...]  # the same result with random weights, one per seed
    labels: tuple[str, ...]  # (segments,)
    starts: np.ndarray  # (segments,) seconds
    ends: np.ndarray  # (segments,) seconds
    frames: np.ndarray  # (segments,) number of encoder frames in each segment
    tokens: tuple[str, ...]  # decoder input tokens, prompt first; () without a decoder
    prompt: int  # how many of the tokens are the prompt
    provenance: dict[str, Any]


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
    segments = results.enough_segments(segments)
    return Passage(clip, model, segments, tuple(models.frame_grid(clip, model).spans(segments)), text)


def single_frames(clip: Clip, model: SpeechModel) -> tuple[Segment, ...]:
    """One segment per frame of the model, named by the time of its centre."""
    grid = models.frame_grid(clip, model)
    edges = np.clip(np.append(grid.times - grid.step / 2, np.inf), 0.0, clip.seconds).tolist()
    times = zip(grid.times, edges[:-1], edges[1:], strict=True)
    return tuple(Segment(f"{time:.2f} s", start, end) for time, start, end in times)


def asked(
    clip: Clip, model: SpeechModel, options: dict[str, Any]
) -> tuple[Passage, tuple[Stack, ...], tuple[int, ...] | None]:
    """The passage, stacks and layers (from 1; None: all) that the options ask for, as far as the model has them."""
    stacks, layers = possible_stacks(model, options.get("stacks") or STACKS), options.get("layers")
    found = passage(clip, model, stacks=stacks, **{key: options.get(key) for key in PASSAGE})
    if layers is not None:
        most = max(len(found.sites(stack)) for stack in stacks)
        layers = tuple(checked_layer(layer, most) for layer in layers)
    return found, stacks, layers or None


def possible_stacks(model: SpeechModel, stacks: Sequence[Stack]) -> tuple[Stack, ...]:
    """The stacks asked for, as far as the model has them. Raises UserError if it has none of them."""
    found = tuple(stack for stack in stacks if stack == "encoder" or model.writes_text)
    if not found:
        raise UserError(
            f"{model.id} has no decoder, so there is no {' or '.join(stacks)} map; choose the encoder's own attention."
        )
    return found


def checked_size(layers: int, heads: int, rows: int, columns: int) -> None:
    """Raises UserError for maps that do not fit into memory."""
    if layers * heads * rows * columns > LARGEST:
        raise UserError(
            f"{layers} layers × {heads} heads × {rows} × {columns} cells do not fit in memory; choose one layer, or a "
            "shorter clip."
        )


def with_controls(passage: Passage, seeds: Sequence[int], measure: Callable[[Passage], Any]) -> Steps[Any]:
    """Measure the trained model, then one random-weights twin per seed; each is a step that can be stopped at."""
    yield Step(0.0, f"{passage.model.id}, trained weights")
    result, controls = measure(passage), []
    for number, seed in enumerate(seeds):
        yield Step((number + 1) / (len(seeds) + 1), f"random weights, seed {seed}", partial=result)
        controls.append(measure(passage.twin(seed)))
    return replace(result, random=tuple(controls))


def labels(passage: Passage) -> dict[str, Any]:
    """The fields that say what the rows and columns of a result are."""
    return {
        "labels": tuple(segment.label for segment in passage.segments),
        "starts": results.read_only([segment.start for segment in passage.segments]),
        "ends": results.read_only([segment.end for segment in passage.segments]),
        "frames": results.read_only([len(span) for span in passage.spans], np.int64),
        "tokens": passage.transcript.labels if passage.transcript else (),
        "prompt": len(passage.transcript.prompt) if passage.transcript else 0,
    }


def origin(technique: str, passage: Passage, options: dict[str, Any]) -> dict[str, Any]:
    """Where a context-mixing result comes from."""
    text = passage.transcript
    spelled = {"transcript": text.text, "transcript_given": text.given, "language": text.language} if text else {}
    spoken = [[segment.label, segment.start, segment.end] for segment in passage.segments]
    return results.provenance(
        technique, passage.clip, passage.model, seed=passage.model.seed, segments=spoken, **spelled, **options
    )


def required(result: Any, stack: Stack) -> np.ndarray:
    """A stack's map, or a sentence about why there is none."""
    values = getattr(result, stack) if stack in STACKS else None
    if values is None:
        raise UserError(f"This result has no {stack} map: the model has no decoder, or the stack was not asked for.")
    return values


def row_shares(values: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; NaN where the row is all zero, because nothing has no shares."""
    total = values.sum(-1, keepdims=True)
    return np.divide(values, total, out=np.full_like(values, np.nan), where=total > 0)


def self_share(shares: np.ndarray) -> np.ndarray:
    """(layers, …) mean of the diagonal: how much a word takes from itself."""
    return _quiet_mean(np.diagonal(shares, axis1=-2, axis2=-1))


@dataclass(frozen=True)
class Place:
    """A row or column of a map; start and end in seconds where it is a stretch of sound."""

    label: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, eq=False)
class View:
    """What is drawn of a result: one layer's map, the random-weights mean beside it, and a curve over all layers."""

    title: str
    unit: str
    rows: tuple[Place, ...]
    columns: tuple[Place, ...]
    values: np.ndarray  # (rows, columns)
    control: np.ndarray | None  # (rows, columns) mean over the random-weights seeds
    seeds: int  # how many
    top: float  # upper end of the colour scale, the same for every layer and for the control
    curve_name: str
    curve: np.ndarray  # (layers,)
    curve_control: np.ndarray  # (seeds, layers)
    chance: float | None  # what an even spread over the columns would give in the curve
    layer: int  # from 1

    @property
    def summary(self) -> str:
        """One sentence with the map's main result, for readers who cannot see it."""
        row, column = np.unravel_index(np.nanargmax(self.values), self.values.shape)
        return (
            f"{self.title}, layer {self.layer}: the largest value is {self.values[row, column]:.3g} {self.unit}, "
            f"row “{self.rows[row].label}”, column “{self.columns[column].label}”. "
            f"{self.curve_name} by layer: {', '.join(f'{value:.2f}' for value in self.curve)}."
        )


def places(
    result: Any, stack: Stack, prompt: bool
) -> tuple[tuple[Place, ...], tuple[Place, ...], np.ndarray, np.ndarray]:
    """The rows and columns of a stack's map, and which of the result's rows and columns they are."""
    sound = [Place(*item) for item in zip(result.labels, result.starts.tolist(), result.ends.tolist(), strict=True)]
    tokens = result.tokens
    if stack == "cross":  # the state that reads the sound at one token writes the next one: name both
        tokens = tuple(f"{this} → {following}" for this, following in zip(tokens, (*tokens[1:], "end"), strict=True))
    text = [Place(token) for token in tokens]
    first = 0 if prompt else first_writer(result.prompt) if stack == "cross" else result.prompt
    rows, row_index = (
        (sound, np.arange(len(sound))) if stack == "encoder" else (text[first:], np.arange(first, len(text)))
    )
    in_text = stack == "decoder"
    columns, column_index = (text[first:], np.arange(first, len(text))) if in_text else (sound, np.arange(len(sound)))
    return tuple(rows), tuple(columns), row_index, column_index


def first_writer(prompt: int) -> int:
    """The first row of a decoder that writes a token of the text, and reads the sound for it: the prompt's last."""
    return max(prompt - 1, 0)


def build_view(
    result: Any,
    stack: Stack,
    *,
    pick: Callable[[Any], np.ndarray],
    title: str,
    unit: str,
    layer: int | None,
    shares: bool,
    prompt: bool,
) -> View:
    """Choose a layer, drop the prompt if wanted, renormalise rows, and average the random-weights controls.

    `pick` takes a result (or one of its random twins) to its (layers, rows, columns) map.
    """
    required(result, stack)
    rows, columns, row_index, column_index = places(result, stack, prompt)

    def shown(part: Any) -> np.ndarray:
        values = pick(part)[:, row_index][:, :, column_index]
        return row_shares(values) if shares else values

    values, controls = shown(result), [shown(part) for part in result.random]
    number = checked_layer(layer, len(values))
    curve_name, curve, chance = _curve(stack, shares)
    return View(
        title=title,
        unit=unit,
        rows=rows,
        columns=columns,
        values=values[number - 1],
        control=np.mean([part[number - 1] for part in controls], axis=0) if controls else None,
        seeds=len(controls),
        top=_top([values, *controls], shares),
        curve_name=curve_name,
        curve=curve(values),
        curve_control=np.array([curve(part) for part in controls]).reshape(len(controls), len(values)),
        chance=chance(len(columns)),
        layer=number,
    )


def _top(maps: Sequence[np.ndarray], shares: bool) -> float:
    """One colour scale for all layers and the control, so that maps can be compared."""
    largest = max(float(np.nanmax(values)) if np.isfinite(values).any() else 0.0 for values in maps)
    return 1.0 if shares and largest > 0.5 else largest or 1.0


def _curve(stack: Stack, shares: bool) -> tuple[str, Callable, Callable]:
    """The one number per layer that sums up a map: what a word takes from itself, or how peaked its rows are."""
    if stack == "encoder" and shares:
        return "Self share", lambda values: _quiet_mean(np.diagonal(values, axis1=1, axis2=2)), lambda n: 1 / n
    if shares:
        return (
            "Largest share in a row",
            lambda values: _quiet_mean(values.max(-1)),
            lambda n: 1 / n if stack == "cross" else None,
        )
    return "Mean row sum", lambda values: _quiet_mean(values.sum(-1)), lambda n: None


def _quiet_mean(values: np.ndarray) -> np.ndarray:
    """(layers,) mean over rows that have a value; NaN for a layer that has none."""
    counted = np.isfinite(values).sum(-1)
    return np.divide(np.nansum(values, -1), counted, out=np.full(len(values), np.nan), where=counted > 0)


def checked_layer(layer: int | None, layers: int, what: str = "layer") -> int:
    """The layer (or the head), counted from 1; the last one if none is named."""
    number, most = (layers if layer is None else layer), layers
    if number not in range(1, most + 1):
        raise UserError(f"This model has {what}s 1 to {most}, so there is no {what} {number}; choose another.")
    return int(number)


def table(result: Any, value: str) -> pd.DataFrame:
    """One line per attention, layer (and head), row and column: value, its share of the row, and the controls.

    `attention` is "encoder", "decoder" or "cross" ("stack" would collide with a method of every DataFrame).
    """
    tables = [_stack_table(result, stack, value) for stack in ("encoder", "decoder", "cross")]
    return pd.concat([part for part in tables if part is not None], ignore_index=True)


def _stack_table(result: Any, stack: Stack, value: str) -> pd.DataFrame | None:
    raw = getattr(result, stack)
    if raw is None:
        return None
    rows, columns, _, _ = places(result, stack, prompt=True)
    index = np.indices(raw.shape).reshape(raw.ndim, -1)
    frame = pd.DataFrame({"attention": stack, "layer": index[0] + 1})
    if raw.ndim == 4:
        frame["head"] = index[1] + 1
    for name, axis, items in (("row", index[-2], rows), ("column", index[-1], columns)):
        frame[f"{name}_index"] = axis
        frame[name] = np.array([place.label for place in items], dtype=object)[axis]
        frame[f"{name}_start_s"] = np.array([place.start for place in items], dtype=float)[axis]
        frame[f"{name}_end_s"] = np.array([place.end for place in items], dtype=float)[axis]
    frame[value] = raw.ravel()
    frame["share"] = row_shares(raw).ravel()
    for control in result.random:
        seed = control.provenance["options"]["seed"]
        frame[f"random_{seed}_{value}"] = getattr(control, stack).ravel()
        frame[f"random_{seed}_share"] = row_shares(getattr(control, stack)).ravel()
    return frame
