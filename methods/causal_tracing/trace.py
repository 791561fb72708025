"""One network, two runs, and the answer when one of them holds at some places what the other one held."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.causal_tracing.result import Direction, Side
from methods.core.cache import BoundedCache
from methods.core.interventions import decoder, encoder
from methods.core.interventions.decoder import DecoderRun
from methods.core.interventions.encoder import EncoderRun, Site
from methods.core.interventions.wanted import Wanted, spelled, written
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Window

_runs = BoundedCache(2**28)  # bytes; a run of whisper-base over 30 s takes 40 MB


@dataclass(frozen=True, eq=False)
class EncoderTrace:
    """The encoder's frames: positions are frames of 20 ms."""

    model: SpeechModel
    wanted: Wanted
    site: Site
    base: EncoderRun  # the run that goes on
    other: EncoderRun  # the run that states are taken from

    @property
    def count(self) -> int:
        """Layers that the stack has."""
        return self.base.layers

    @property
    def positions(self) -> int:
        """Positions that the decoder reads, padding included."""
        return self.base.streams.shape[1]

    def score(self, layer: int, rows: torch.Tensor, source: int | None = None) -> float:
        """Nats when `rows` of this layer are exchanged; for "residual" also by the states of another layer."""
        return float(self.wanted.logprobs(self.model, self._states(layer, rows, source)).sum())

    def _states(self, layer: int, rows: torch.Tensor, source: int | None = None) -> torch.Tensor:
        with self.model.lock:
            if source is None:
                stream = encoder.patched(self.base, self.other, layer, self.site, rows)
            else:
                stream = self.base.streams[layer][None].clone()
                stream[:, rows] = self.other.streams[source][rows]
            return encoder.onward(self.base, stream, layer)

    def ends(self) -> tuple[float, float]:
        """Nats of the run that goes on and of the one that states are taken from, unchanged."""
        nothing, everything = torch.arange(0), torch.arange(self.positions)
        whole = EncoderTrace(self.model, self.wanted, "residual", self.base, self.other)
        return whole.score(self.count, nothing), whole.score(self.count, everything)

    def said(self, layer: int, rows: torch.Tensor, text: Transcript) -> str:
        """What the model then writes by itself."""
        return written(self.model, self._states(layer, rows), text)


@dataclass(frozen=True, eq=False)
class DecoderTrace:
    """The decoder's positions: one for each token that is read."""

    model: SpeechModel
    wanted: Wanted
    site: Site
    base: DecoderRun
    other: DecoderRun

    @property
    def count(self) -> int:
        return self.base.layers

    @property
    def positions(self) -> int:
        return self.base.streams.shape[1]

    def score(self, layer: int, rows: torch.Tensor) -> float:
        """Nats when `rows` of this layer are exchanged."""
        return float(self.wanted.of(self._table(layer, rows)).sum())

    def _table(self, layer: int, rows: torch.Tensor) -> torch.Tensor:
        with self.model.lock:
            stream = decoder.patched(self.base, self.other, layer, self.site, rows)
            return decoder.onward(self.base, stream, layer, len(self.wanted.tokens))

    def ends(self) -> tuple[float, float]:
        """Nats of the run that goes on and of the one that states are taken from, unchanged."""
        values = []
        for run in (self.base, self.other):
            with self.model.lock:
                table = decoder.onward(run, run.streams[-1][None], run.layers, len(self.wanted.tokens))
            values.append(float(self.wanted.of(table).sum()))
        return values[0], values[1]

    def said(self, layer: int, rows: torch.Tensor, _text: Transcript) -> str:
        """The likeliest token at each wanted place, the text before it being as it was."""
        best = self._table(layer, rows).argmax(-1)
        return spelled(self.model, best.tolist())


Trace = EncoderTrace | DecoderTrace


@dataclass(frozen=True)
class Where:
    """What is exchanged, and which run goes on."""

    side: Side
    site: Site
    direction: Direction
    window: Window
    own: int  # frames that are the clip's own


def encoded(model: SpeechModel, sounds: Sequence[np.ndarray], where: Where) -> tuple[EncoderRun, ...]:
    """The encoder's runs over some sounds; kept, for cells are opened one after the other."""

    def run(sound: np.ndarray) -> EncoderRun:
        key = (model.key, sound.tobytes(), where.window)
        return _runs.fetch(key, lambda: encoder.record(model, sound, where.own, where.window), _bytes)

    return tuple(run(sound) for sound in sounds)


def _bytes(run: EncoderRun) -> int:
    return run.streams.nbytes + run.heads.nbytes


def trace(model: SpeechModel, wanted: Wanted, runs: Sequence[EncoderRun], where: Where) -> Trace:
    """Both runs of one network, clean first, ready to have something exchanged."""
    if where.side == "decoder":
        read = []
        for run in runs:
            with model.lock:
                states = encoder.onward(run, run.streams[-1][None], run.layers)
            read.append(decoder.record(model, states, wanted.read))
        clean, corrupted = read
        made = DecoderTrace
    else:
        clean, corrupted = runs
        made = EncoderTrace
    ordered = (clean, corrupted) if where.direction == "disturb" else (corrupted, clean)
    return made(model, wanted, where.site, *ordered)
