"""Which characters or phones could be read off each layer of whisper-tiny.en? Our own linear CTC heads.

    heads = heads_for(model)                                       # None for any other model
    log_p = heads.log_probabilities(encode(clip, model).hidden[3], "phones", layer=3)
    said = [heads.symbols("phones")[i] for i, _ in ctc.runs(log_p.argmax(1).tolist(), heads.blank)]

OpenAI did not make these heads: we trained them, one per layer and unit, on 12 minutes of one speaker, with Whisper
frozen. They show what is linearly there, not what Whisper says. `heads/README.md` has data, licence and error rates.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.models.weights import BUNDLED, read_heads

MODEL = "openai/whisper-tiny.en"
FILE = Path(__file__).parent / "heads" / "whisper-tiny.en-ctc.safetensors"
SHA256 = "15b5a8bec785c3685545386a7f45626b1914573f22d90570a51959de36cdddbe"
LABEL = "our linear CTC head, trained on 12 minutes of one speaker"  # wherever a result of theirs is shown


class HeadError(UserError):
    """A head that does not exist, or states that it was not made for."""


@dataclass(frozen=True, eq=False)
class CtcHeads:
    """Our heads for every entry of `Encoding.hidden`: one affine map of the raw state per unit and layer.

    The standardisation that they were trained with (mean, standard deviation of each dimension) is part of the map.
    """

    vocabularies: dict[str, tuple[str, ...]]  # unit -> its symbols; the first is the blank
    weights: dict[str, np.ndarray]  # unit -> (layers, symbols, dim) float32
    biases: dict[str, np.ndarray]  # unit -> (layers, symbols) float32
    metadata: dict  # data, licence, minutes, error rates
    label: str = LABEL
    blank: int = 0

    @property
    def units(self) -> tuple[str, ...]:
        """What can be read: "characters" and "phones" (ARPAbet without stress)."""
        return tuple(self.vocabularies)

    @property
    def layers(self) -> int:
        """How many entries of `Encoding.hidden` have heads: 0 (conv + positions) to the last (final norm)."""
        return len(next(iter(self.weights.values())))

    def symbols(self, unit: str) -> tuple[str, ...]:
        """What does each column of `log_probabilities` stand for? Raises HeadError for an unknown unit."""
        if unit not in self.vocabularies:
            raise HeadError(f"There is no CTC head for {unit!r}: please choose {' or '.join(self.units)}.")
        return self.vocabularies[unit]

    def log_probabilities(self, states: np.ndarray, unit: str, layer: int) -> np.ndarray:
        """How likely is each symbol at each frame, read off these raw states (frames, dim) of `layer`?

        (frames, symbols) float32, natural logarithms; every row's probabilities sum to 1. Raises HeadError for an
        unknown unit, a layer without a head, or states of another width.
        """
        self.symbols(unit)
        if not 0 <= layer < self.layers:
            raise HeadError(f"Layer {layer} has no CTC head: please choose one from 0 to {self.layers - 1}.")
        states, weight = np.asarray(states, np.float32), self.weights[unit][layer]
        if states.ndim != 2 or states.shape[1] != weight.shape[1]:
            raise HeadError(
                f"Our CTC heads read states of shape (frames, {weight.shape[1]}), not {states.shape}; these probably "
                f"come from another model: please encode the clip with {MODEL}."
            )
        logits = torch.from_numpy(states @ weight.T + self.biases[unit][layer])
        return torch.log_softmax(logits, dim=1).numpy()


def heads_for(model: SpeechModel) -> CtcHeads | None:
    """Our CTC heads for this model; None unless it has the very weights that they were trained on."""
    fits = model.id == MODEL and model.trained and model.weights_sha256 == BUNDLED[MODEL].sha256
    return _heads() if fits else None


@cache
def _heads() -> CtcHeads:
    tensors, metadata = read_heads(FILE, SHA256)
    vocabularies = {unit: tuple(symbols) for unit, symbols in metadata["symbols"].items()}

    def part(name: str) -> dict[str, np.ndarray]:
        return {unit: _read_only(tensors[f"{unit}.{name}"]) for unit in vocabularies}

    return CtcHeads(vocabularies, part("weight"), part("bias"), metadata)


def _read_only(values: np.ndarray) -> np.ndarray:
    array = values.astype(np.float32)
    array.flags.writeable = False
    return array
