"""The trained probes that come with the app: per model and layer, affine maps from a frame to phone, manner, … and F0.

They were trained by `training/live_probes.py` on the bundled corpora; `probes/README.md` is their card. A file belongs
to one set of weights and is refused for any other.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.models.weights import read_heads
from methods.core.results import Provenance

FOLDER = Path(__file__).parent / "probes"
FILES = {  # model -> its file, and the SHA-256 of that file
    "openai/whisper-tiny.en": (
        "whisper-tiny.en.safetensors",
        "146e5c28afefee2a251f711a84dcbb39e3ce00367478afb43a07ea387a65a266",
    ),
    "openai/whisper-base": (
        "whisper-base.safetensors",
        "f924e5faee27e326ba9bc2b5a65b6bf823bb6657243d1136cb3baac99c4db107",
    ),
    "hama-ctc": (
        "hama-ctc.safetensors",
        "7761a66e7b750cb5e61646906606580e1b870fc8795b85df5dae1a1301d3ad5e",
    ),
}
CLASSIFIED = ("phone", "manner", "voicing")
MEASURED = {"f0": "semitones re 100 Hz", "intensity": "dB re full scale"}
SILENCE = "sil"
RANDOM_SEED = 0  # of the untrained twin whose probes come along


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Probes for every layer of one model, and what they scored on recordings that they were not trained on."""

    layers: tuple[str, ...]  # "MFCC" first, then the model's own
    classes: dict[str, tuple[str, ...]]  # target -> its classes
    weights: dict[
        str, np.ndarray
    ]  # "phone/2" -> (dim + 1, outputs) float32, intercept last; "random/phone/2" likewise
    card: Provenance  # scores: held-out recordings, other speakers, random weights

    def apply(self, target: str, layer: int, states: np.ndarray, *, random: bool = False) -> np.ndarray:
        """(frames, classes) probabilities, or (frames,) values, for (frames, dim) states of that layer."""
        kept = self.weights[f"{'random/' if random else ''}{target}/{layer}"]
        scores = states.astype(np.float64) @ kept[:-1] + kept[-1]
        if target in MEASURED:
            return scores[:, 0]
        scores = np.exp(scores - scores.max(1, keepdims=True))
        return scores / scores.sum(1, keepdims=True)


def has_probes(model: SpeechModel) -> bool:
    """Whether there are probes for this model."""
    return model.id in FILES


def probes_for(model: SpeechModel) -> ProbeSet:
    """The probes of this model. Raises UserError if there are none, or if they were made for other weights."""
    if not has_probes(model):
        raise UserError(
            f"There are no ready-made probes for {model.id}; choose {', '.join(FILES)}, or train your own in the tab "
            "Probing."
        )
    found = _read(model.id)
    if found.card["weights_sha256"] != model.weights_sha256:
        raise UserError(
            f"The ready-made probes were trained on other weights than these of {model.id}; train your own."
        )
    return found


@cache
def _read(identifier: str) -> ProbeSet:
    name, sha256 = FILES[identifier]
    tensors, card = read_heads(FOLDER / name, sha256)
    weights = {key: values.astype(np.float32) for key, values in tensors.items()}
    classes = {target: tuple(names) for target, names in card["classes"].items()}
    return ProbeSet(tuple(card["layers"]), classes, weights, card)
