"""The map of layers by places, row by row from the top, and what it must be read against."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from methods.causal_tracing.result import CausalTracing, TracingControls
from methods.causal_tracing.trace import EncoderTrace, Trace, Where, encoded, trace
from methods.core import models
from methods.core.frames import Segment
from methods.core.interventions.wanted import Wanted
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.progress import Step, Steps
from methods.core.results import Provenance, read_only


@dataclass(frozen=True, eq=False)
class Work:
    """All that a tracing needs, options settled."""

    model: SpeechModel
    text: Transcript
    wanted: Wanted
    clean: np.ndarray  # (n,) samples
    segments: tuple[Segment, ...]  # the places in time; () for tokens
    labels: tuple[str, ...]  # (places,)
    rows: tuple[torch.Tensor, ...]  # (places,) positions of each
    where: Where
    corrupt: Callable[[int], np.ndarray]  # seed of the noise -> (n,) samples
    noise_seeds: tuple[int, ...]  # () where nothing is drawn
    random_seeds: tuple[int, ...]
    draws: int  # of random places
    crossed: bool
    seed: int
    least_gap: float  # nats
    origin: Provenance

    @cached_property
    def corrupted(self) -> np.ndarray:
        """(n,) samples of the map's own corrupted clip."""
        return self.corrupt(self.noise_seeds[0] if self.noise_seeds else 0)

    @property
    def null_draws(self) -> int:
        """Random places mean something where places are stretches of sound."""
        return self.draws if self.where.side == "encoder" else 0


class _Clock:
    """How many of all runs are done."""

    def __init__(self, work: Work, layers: int) -> None:
        cells = layers * len(work.rows)
        further = len(work.noise_seeds[1:]) + len(work.random_seeds)
        crossed = layers * layers if work.crossed else 0
        self.all = cells * (1 + further) + layers * (2 + work.null_draws) + crossed
        self.done = 0

    def step(self, text: str, partial: CausalTracing | None = None) -> Step:
        self.done += 1
        return Step(min((self.done - 1) / self.all, 0.999), text, partial)


def with_controls(result: CausalTracing, work: Work, two: Trace) -> Steps[CausalTracing]:
    """The same result with every number in it; each part can be shown as soon as it is there."""
    clock = _Clock(work, len(result.layers))
    patched = np.array(result.patched)
    for row in _from_the_top(result):
        patched[row] = yield from _one_layer(two, int(result.layers[row]), work, clock)
        result = replace(result, patched=read_only(patched))
        yield Step(clock.done / clock.all, "", result)
    result = yield from _joint(result, work, two, clock)
    for part in (_null, _noise, _random, _crossed):
        result = yield from part(result, work, two, clock)
    return result


def _from_the_top(result: CausalTracing) -> Iterator[int]:
    """Rows of the map, the highest layer first: least is left to run above it."""
    return reversed(range(len(result.layers)))


def _one_layer(two: Trace, layer: int, work: Work, clock: _Clock, name: str = "") -> Steps[list[float]]:
    """(places,) nats, place by place."""
    found = []
    for label, rows in zip(work.labels, work.rows, strict=True):
        yield clock.step(f"{name}layer {layer}, “{label}”")
        found.append(two.score(layer, rows))
    return found


def _joint(result: CausalTracing, work: Work, two: Trace, clock: _Clock) -> Steps[CausalTracing]:
    """All places at once, and all that lies in none of them."""
    inside = torch.cat(work.rows).unique()
    outside = torch.tensor([i for i in range(two.positions) if i not in set(inside.tolist())], dtype=torch.long)
    together, rest = np.array(result.together), np.array(result.outside)
    for row in _from_the_top(result):
        layer = int(result.layers[row])
        yield clock.step(f"layer {layer}, all places at once")
        together[row] = two.score(layer, inside)
        if len(outside):
            yield clock.step(f"layer {layer}, all but the places")
            rest[row] = two.score(layer, outside)
    return replace(result, together=read_only(together), outside=read_only(rest))


def _null(result: CausalTracing, work: Work, two: Trace, clock: _Clock) -> Steps[CausalTracing]:
    """As much sound at random places: as long as the places, in turn, and mostly elsewhere than each."""
    draw, own = np.random.default_rng(work.seed), work.where.own
    spans: list[tuple[int, int]] = []
    found: list[np.ndarray] = []
    for number in range(work.null_draws):
        start, length = _elsewhere(work.rows[number % len(work.rows)], own, draw)
        values = np.zeros(len(result.layers))
        for row in _from_the_top(result):
            yield clock.step(f"a random place, {number + 1} of {work.null_draws}", result if row == 0 else None)
            values[row] = two.score(int(result.layers[row]), torch.arange(start, start + length))
        spans.append((start, start + length))
        found.append(result.share(values))
        if (number + 1) % 5 == 0 or number + 1 == work.null_draws:
            result = _with(result, null=read_only(found), null_spans=read_only(spans, np.int64))
    return result


def _elsewhere(rows: torch.Tensor, own: int, draw: np.random.Generator) -> tuple[int, int]:
    """First frame and length of a stretch that shares at most half of its frames with this place, if there is one."""
    length, here = len(rows), int(rows[0])
    starts = np.arange(own - length + 1)
    shared = np.maximum(length - np.abs(starts - here), 0)
    free = starts[2 * shared <= length]
    return int(draw.choice(free if free.size else starts)), length


def _with(result: CausalTracing, **found: np.ndarray) -> CausalTracing:
    return replace(result, controls=replace(result.controls or TracingControls(), **found))


def _whole_map(two: Trace, result: CausalTracing, work: Work, clock: _Clock, name: str) -> Steps[np.ndarray]:
    values = np.array(result.patched)
    for row in _from_the_top(result):
        values[row] = yield from _one_layer(two, int(result.layers[row]), work, clock, f"{name}: ")
    return values


def _noise(result: CausalTracing, work: Work, two: Trace, clock: _Clock) -> Steps[CausalTracing]:
    """The same with other white noise: is the map one of the clip, or of this noise?"""
    found, gaps = [], []
    for seed in work.noise_seeds[1:]:
        yield Step(clock.done / clock.all, f"other noise, seed {seed}", result)
        runs = encoded(work.model, (work.clean, work.corrupt(seed)), work.where)
        other = trace(work.model, work.wanted, runs, work.where)
        ends = other.ends()
        values = yield from _whole_map(other, result, work, clock, f"other noise, seed {seed}")
        gap = _gap(ends, work)
        told = gap >= work.least_gap
        found.append((values - ends[0]) / (ends[1] - ends[0]) if told else np.full_like(values, np.nan))
        gaps.append(gap)
        result = _with(result, noise=read_only(found), noise_gaps=read_only(gaps))
    return result


def _gap(ends: tuple[float, float], work: Work) -> float:
    """Nats that the change costs this network."""
    return ends[0] - ends[1] if work.where.direction == "disturb" else ends[1] - ends[0]


def _random(result: CausalTracing, work: Work, two: Trace, clock: _Clock) -> Steps[CausalTracing]:
    """The same exchange with random weights, as shares of the trained network's gap: their own may be nothing."""
    found, gaps = [], []
    for seed in work.random_seeds:
        yield Step(clock.done / clock.all, f"random weights, seed {seed}", result)
        twin, runs = models.random_twin(work.model, seed), []
        for sound in (work.clean, work.corrupted):
            yield Step(clock.done / clock.all, f"random weights, seed {seed}")
            runs += encoded(twin, [sound], work.where)
        other = trace(twin, work.wanted, runs, work.where)
        ends = other.ends()
        values = yield from _whole_map(other, result, work, clock, f"random weights, seed {seed}")
        sign = -1.0 if work.where.direction == "disturb" else 1.0
        found.append(sign * (values - ends[0]) / result.gap)
        gaps.append(_gap(ends, work))
        result = _with(result, random=read_only(found), random_gaps=read_only(gaps))
    return result


def _crossed(result: CausalTracing, work: Work, two: Trace, clock: _Clock) -> Steps[CausalTracing]:
    """States of every layer put into every layer, at all of the clip's own frames: do layers speak one language?"""
    if not work.crossed or not isinstance(two, EncoderTrace):
        return result
    rows, count = torch.arange(work.where.own), two.count + 1
    found = np.full((count, count), np.nan)
    for into in reversed(range(count)):
        for source in range(count):
            yield clock.step(f"states of layer {source} put into layer {into}", None)
            found[source, into] = result.share(np.array(two.score(into, rows, source)))
    return _with(result, crossed=read_only(found))
