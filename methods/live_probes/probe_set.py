"""The trained probes that come with the app: per model and layer, affine maps from a frame to phone, manner, … and F0.

They were trained by `training/live_probes.py` on the bundled corpora; `probes/README.md` is their card. A file belongs
to one set of weights and to what is done with them: the same weights in another number of heads, or behind another
preprocessor, hold other states, of which the probes would say something confidently wrong. So a test sound is heard
once, and its states must be those that the training wrote down. (A hash of the settings would refuse a newer library's
new default, too, and settings of the decoder that no probe reads.)
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from methods.core import models
from methods.core.audio import SAMPLE_RATE, Clip
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
HEARD = FOLDER / "test_sound.json"  # model -> what `test_states` was when the probes were trained
FRAMES, PLACES = (5, 15, 25, 35, 45), 16  # of 50 frames, and so many of the dimensions
TOLERANCE = 2e-3  # of a layer's largest value; another processor differs by 1e-5, half the heads by 0.6

_fitting: set[tuple[str, int | None, str]] = set()  # models that have been looked at


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
    """The probes of this model. Raises UserError if there are none, or if they were made for other states."""
    if not has_probes(model):
        raise UserError(
            f"There are no ready-made probes for {model.id}; choose {', '.join(FILES)}, or train your own with "
            "Probing."
        )
    found = _read(model.id)
    if found.card["weights_sha256"] != model.weights_sha256:
        raise UserError(
            f"The ready-made probes were trained on other weights than these of {model.id}; train your own."
        )
    expected = _test_sound().get(model.id)
    if expected is not None and model.key not in _fitting and not _alike(test_states(model), np.array(expected)):
        raise UserError(
            f"The ready-made probes do not fit this {model.id}: its weights are those that they were trained on, but "
            "a test sound has other states in it, so its configuration or preprocessor is another one; train your own "
            "with Probing, or take the model as it is published."
        )
    _fitting.add(model.key)
    return found


def test_states(model: SpeechModel) -> np.ndarray:
    """(layers, frames, dimensions) some of the states that a made-up sound of 1 s has in this model."""
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * 140 * k * times * (1 + 0.1 * times)) / k for k in range(1, 20))
    samples = 0.1 * tones * np.sin(2 * np.pi * 2 * times) ** 2
    hidden = models.encode(Clip(samples.astype(np.float32), "test sound"), model, keep=False).hidden
    return hidden[:, FRAMES, :: max(hidden.shape[2] // PLACES, 1)]


def _test_sound() -> dict[str, list[list[list[float]]]]:
    """What `test_states` was for each model when its probes were trained."""
    return json.loads(HEARD.read_text(encoding="utf-8"))


def _alike(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two sets of states are the same but for rounding."""
    if found.shape != expected.shape:
        return False
    size = np.abs(expected).max((1, 2), keepdims=True)
    return bool((np.abs(found - expected) <= TOLERANCE * size).all())


@cache
def _read(identifier: str) -> ProbeSet:
    name, sha256 = FILES[identifier]
    tensors, card = read_heads(FOLDER / name, sha256)
    weights = {key: values.astype(np.float32) for key, values in tensors.items()}
    classes = {target: tuple(names) for target, names in card["classes"].items()}
    return ProbeSet(tuple(card["layers"]), classes, weights, card)
