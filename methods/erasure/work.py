"""What a layer is asked with: its states in both halves, its erasers, and the network above it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from methods.core.corpus.features import Features
from methods.erasure import probes
from methods.erasure.frames import LabelledFrames
from methods.erasure.layers import Layered
from methods.erasure.leace import Eraser, Whitening


@dataclass(frozen=True, eq=False)
class Work:
    """Everything that a layer is asked with."""

    split: LabelledFrames
    states: Features
    layers: tuple[int, ...]  # numbers of the layers, 0 being what the first block reads
    network: Layered
    _spaces: dict[int, Whitening] = field(default_factory=dict, init=False)

    def space(self, layer: int) -> Whitening:
        """The whitening of the fitted half, made once."""
        if layer not in self._spaces:
            self._spaces[layer] = Whitening.of(self.half(layer, True)[0])
        return self._spaces[layer]

    def eraser(self, layer: int) -> Eraser:
        """Of the true labels."""
        known, codes, _ = self.half(layer, True)
        return self.space(layer).without(known, codes, self.classes)

    @property
    def classes(self) -> int:
        return len(self.split.classes)

    def half(self, layer: int, fitted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, dim) states, (n,) codes and (n,) recordings of one half."""
        row, codes, recording = self.split.half(fitted)
        return self.states.layers[self.states.layer_0 + layer][row], codes, recording

    def name(self, layer: int) -> str:
        return self.states.names[self.states.layer_0 + layer]

    def losses(self, *reads: Any) -> np.ndarray:
        """(reads,) nats that the text loses with each of these `network.read`."""
        return self.network.base - self.network.logprobs(*reads)

    def accuracy(self, layer: int, eraser: Eraser) -> float:
        """Of a probe that is trained on one half after erasure and tested on the other."""
        (known, codes, _), (asked, truth, _) = self.half(layer, True), self.half(layer, False)
        return float((probes.carried(eraser(known), codes, eraser(asked), self.classes) == truth).mean())
