"""Loading a model by its name, once, and the same network with random weights."""

import hashlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError

from methods.core.cache import BoundedCache
from methods.core.models import hama, hub, weights, whisper
from methods.core.models.devices import chosen_device, placed
from methods.core.models.families import FAMILIES, family_of
from methods.core.models.hama import weights as hama_weights
from methods.core.models.hub import ModelError
from methods.core.models.menu import HAMA
from methods.core.models.speech_model import SpeechModel
from methods.core.models.threads import choose_threads
from methods.core.options import needs_made

MODEL_MEMORY = 3 * 2**30  # bytes of weights kept in memory; the free Space has 16 GB


_models = BoundedCache(MODEL_MEMORY)


def available_offline(identifier: str) -> bool:
    """Whether `load_model` would work with no network now."""
    bundled = weights.BUNDLED.get(identifier)
    if bundled is not None and bundled.paths() is not None:
        return True
    if identifier == HAMA:
        return hama_weights.installed()
    return hub.is_folder(identifier) or hub.cached(identifier) is not None


def load_model(identifier: str | Path, *, device: str | None = None) -> SpeechModel:
    """The model with this hub id or in this local folder; raises ModelError with a remedy if that cannot be.

    Loaded once, and again whenever the files are no longer those that were loaded. `device` is where it runs: "cpu",
    "cuda", "cuda:1", "mps"; None: what SPEECH_DEVICE says, else the CPU. UserError where there is no such device.
    """
    where = chosen_device(device)
    return on_device(_on_cpu(os.fspath(identifier)), where)


def on_device(model: SpeechModel, device: torch.device) -> SpeechModel:
    """The model on a device; results are NumPy arrays wherever it runs."""
    if device.type == "cpu":
        return model

    def make() -> SpeechModel:
        return replace(model, network=placed(model.network, device), lock=threading.RLock())

    return _named_as(model, _models.fetch((model.key, str(device)), make, lambda moved: moved.bytes))


def _on_cpu(identifier: str) -> SpeechModel:
    choose_threads()
    if _packaged(identifier):
        return _models.fetch((identifier, None), lambda: _package(identifier), lambda model: model.bytes)
    folder = hub.snapshot(identifier)
    stamp = hub.stamp(folder)
    return _models.fetch((identifier, stamp), lambda: _load(identifier, folder, stamp), lambda model: model.bytes)


@needs_made
def random_twin(model: SpeechModel, seed: int) -> SpeechModel:
    """The same architecture with freshly initialised weights: the control for what training has added."""

    def make() -> SpeechModel:
        network = family_of(model).random(model, seed)  # drawn on the CPU: the same weights on every device
        network = network if model.device.type == "cpu" else placed(network, model.device)
        name = f"random twin of {model.weights_sha256}, seed {seed}, torch {torch.__version__}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return replace(model, network=network, seed=seed, weights_sha256=digest, lock=threading.RLock())

    return _named_as(model, _models.fetch((model.key, seed), make, lambda twin: twin.bytes))


def _named_as(model: SpeechModel, kept: SpeechModel) -> SpeechModel:
    """The network that is kept for all equal models under the name by which it was asked for this time."""
    same = (kept.id, kept.notes) == (model.id, model.notes)
    return kept if same else replace(kept, id=model.id, notes=model.notes)


def _packaged(identifier: str) -> bool:
    """Whether it comes from an installed package, whose files stay as they are."""
    bundled = weights.BUNDLED.get(identifier)
    return identifier == HAMA or (bundled is not None and bundled.paths() is not None)


def _package(identifier: str) -> SpeechModel:
    return hama.hama_model() if identifier == HAMA else whisper.bundled_whisper(identifier)


def _load(identifier: str, folder: Path, stamp: hub.Stamp) -> SpeechModel:
    model = _read(identifier, folder)
    if hub.stamp(folder) != stamp:  # half of the old and half of the new, under a hash of either
        raise ModelError(f"The files of {identifier} changed while they were read; wait until they are written.")
    return model


def _read(identifier: str, folder: Path) -> SpeechModel:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except ValueError as problem:
        raise ModelError(
            f"The config.json of {identifier} is not JSON; the download is damaged: try again."
        ) from problem
    if kind not in FAMILIES or FAMILIES[kind].load is None:
        known = ", ".join(name for name, family in FAMILIES.items() if family.load)
        raise ModelError(f"{identifier} is a model of type {kind!r}; this app looks inside speech models: {known}.")
    try:
        return FAMILIES[kind].load(identifier, folder, hub.weights_hash(folder))
    except SafetensorError as problem:
        raise ModelError(
            f"The weights of {identifier} cannot be read ({problem}); the file is damaged or not yet complete: "
            "delete it and download it again."
        ) from problem
