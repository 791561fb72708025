"""What every result of context mixing holds: what its rows and columns are, shares of rows, and the table."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from methods.core import results
from methods.core.errors import UserError
from methods.core.figures.draw import Place
from methods.core.mixing.passage import STACKS, Passage
from methods.core.models.sites import Stack
from methods.core.results import Provenance, Result


@dataclass(frozen=True, eq=False, kw_only=True)
class MixingResult(Result):
    """What every result of context mixing holds beside its maps: what its rows and columns are, and the control."""

    random: tuple[Self, ...] = ()  # the same result with random weights, one per seed
    labels: tuple[str, ...]  # (segments,)
    starts: np.ndarray  # (segments,) seconds
    ends: np.ndarray  # (segments,) seconds
    frames: np.ndarray  # (segments,) number of encoder frames in each segment
    tokens: tuple[str, ...]  # decoder input tokens, prompt first; () without a decoder
    prompt: int  # how many of the tokens are the prompt


@dataclass(frozen=True, eq=False, kw_only=True)
class MixingMap(MixingResult):
    """A result with one map of each stack; None for a stack that was not asked for or is not there."""

    encoder: np.ndarray | None  # (layers, …, segments, segments)
    decoder: np.ndarray | None  # (layers, …, tokens, tokens)
    cross: np.ndarray | None  # (layers, …, tokens, segments)


def labels(passage: Passage) -> dict[str, tuple[str, ...] | np.ndarray | int]:
    """The fields that say what the rows and columns of a result are."""
    return {
        "labels": tuple(segment.label for segment in passage.segments),
        "starts": results.read_only([segment.start for segment in passage.segments]),
        "ends": results.read_only([segment.end for segment in passage.segments]),
        "frames": results.read_only([len(span) for span in passage.spans], np.int64),
        "tokens": passage.transcript.labels if passage.transcript else (),
        "prompt": len(passage.transcript.prompt) if passage.transcript else 0,
    }


def origin(technique: str, passage: Passage, options: Provenance) -> Provenance:
    """Where a context-mixing result comes from."""
    text = passage.transcript
    spelled = {"transcript": text.text, "transcript_given": text.given, "language": text.language} if text else {}
    spoken = [[segment.label, segment.start, segment.end] for segment in passage.segments]
    return results.provenance(
        technique, passage.clip, passage.model, seed=passage.model.seed, segments=spoken, **spelled, **options
    )


def required(result: MixingResult, stack: Stack) -> np.ndarray:
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
    return quiet_mean(np.diagonal(shares, axis1=-2, axis2=-1))


def places(
    result: MixingResult, stack: Stack, prompt: bool
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


def quiet_mean(values: np.ndarray) -> np.ndarray:
    """(layers,) mean over rows that have a value; NaN for a layer that has none."""
    counted = np.isfinite(values).sum(-1)
    return np.divide(np.nansum(values, -1), counted, out=np.full(len(values), np.nan), where=counted > 0)


def table(result: MixingMap, value: str) -> pd.DataFrame:
    """One line per attention, layer (and head), row and column: value, its share of the row, and the controls.

    `attention` is "encoder", "decoder" or "cross" ("stack" would collide with a method of every DataFrame).
    """
    tables = [_stack_table(result, stack, value) for stack in ("encoder", "decoder", "cross")]
    return pd.concat([part for part in tables if part is not None], ignore_index=True)


def _stack_table(result: MixingMap, stack: Stack, value: str) -> pd.DataFrame | None:
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
