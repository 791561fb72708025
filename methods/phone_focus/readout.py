"""How likely each layer finds a phone, as a differentiable function of the spectrogram; and where that gradient lies.

readout = phone_readout(model)                  # hama-ctc by its own head, whisper-tiny.en by ours on each layer
layers = readout.layers(model, mel, own)        # [(frames, symbols) log-probabilities, …]
shares = gradient_shares(layer, mel, …)         # (phones, mel frames), each row sums to 1
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from methods.core import models
from methods.core.errors import UserError
from methods.core.lenses import ctc_heads
from methods.core.models.devices import beside
from methods.core.models.speech_model import SpeechModel
from methods.core.models.whisper import short_window
from methods.core.speech.phone_alphabets import IPA

Layers = Callable[[Any, torch.Tensor, int], list[torch.Tensor]]


@dataclass(frozen=True, eq=False)
class PhoneReadout:
    """What reads phones off the layers of a network: the trained one, or one with random weights."""

    symbols: dict[str, int]  # ARPAbet in lower case -> column
    names: tuple[str, ...]  # (layers,)
    layers: Layers  # network, (1, mels, mel frames), own frames of 20 ms -> a tensor (own, symbols) for each layer
    label: str  # whose head it is


def phone_readout(model: SpeechModel) -> PhoneReadout:
    """The phone head of this model; raises UserError where there is none."""
    if models.family_of(model).layered is not None:
        return _own(model)
    heads = ctc_heads.heads_for(model)
    if heads is None:
        raise UserError(
            f"{model.id} has no head that tells phones; choose hama-ctc, or openai/whisper-tiny.en, for which we have "
            "trained some."
        )
    return _whisper(heads)


def _own(model: SpeechModel) -> PhoneReadout:
    labels = {label.casefold(): number for number, label in enumerate(models.ctc_vocabulary(model).labels)}
    symbols = {arpabet.lower(): labels[ipa] for arpabet, ipa in IPA.items() if ipa in labels}
    family = models.family_of(model)
    names = (f"0 ({family.first})", *(str(i + 1) for i in range(models.layer_count(model))))
    return PhoneReadout(symbols, names, family.layered, f"{family.name}'s own head, on every layer")


def _whisper(heads: ctc_heads.CtcHeads) -> PhoneReadout:
    weights, biases = (torch.from_numpy(np.array(part["phones"])) for part in (heads.weights, heads.biases))
    symbols = {symbol.lower(): number for number, symbol in enumerate(heads.symbols("phones")) if symbol.isalpha()}

    def layers(network: Any, mel: torch.Tensor, own: int) -> list[torch.Tensor]:
        states = short_window.states(network, mel, own)[0]
        read = zip(states, beside(network, weights), beside(network, biases), strict=True)
        return [(state @ weight.T + bias).log_softmax(-1) for state, weight, bias in read]

    names = ("0 (conv + positions)", *(str(i) for i in range(1, len(weights) - 1)), f"{len(weights) - 1} (final norm)")
    return PhoneReadout(symbols, names, layers, heads.label)


def gradient_shares(
    scores: torch.Tensor, entering: torch.Tensor, frames: Sequence[range], columns: Sequence[int]
) -> np.ndarray:
    """(phones, input frames) where the gradient of each phone's score lies; rows sum to 1, or are NaN if it is 0.

    `scores` (frames, symbols) depends on `entering` (1, bins, input frames). A phone's score is the mean of its column
    over its own frames; the size of the gradient at an input frame is its Euclidean norm over the bins.
    """
    found = []
    for span, column in zip(frames, columns, strict=True):
        score = scores[span.start : span.stop, column].mean()
        (gradient,) = torch.autograd.grad(score, entering, retain_graph=True)
        size = gradient[0].cpu().double().norm(dim=0).numpy()
        found.append(size / size.sum() if size.sum() > 0 else np.full(len(size), np.nan))
    return np.array(found).reshape(len(found), entering.shape[-1])


def earth_mover(shares: np.ndarray, span: range, step: float) -> float:
    """How far a distribution over frames must be moved (s, per unit of its mass) to lie evenly on a span."""
    even = np.zeros(len(shares))
    even[span.start : span.stop] = 1 / len(span)
    return float(np.abs(np.cumsum(shares - even))[:-1].sum() * step)
