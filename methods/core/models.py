"""Speech models by name: what there is, how to load it, and what it makes of a clip.

    model = load_model("openai/whisper-tiny.en")
    states = encode(clip, model)          # hidden states of the clip's own frames, with times
    heard = transcribe(clip, model)       # greedy transcript, log-probability of every token

Weights come from an installed registry package, a local folder, the hub's cache, or the hub, in this order.
Only safetensors are read, and never a repository's own code.
"""

import functools
import hashlib
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import huggingface_hub
import numpy as np
import torch
from safetensors import SafetensorError

from methods.core import models_whisper, weights
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.frames import FrameGrid, whisper_grid
from methods.core.layers import DecoderPass, EncoderPass
from methods.core.layers_whisper import decoder_pass, encoder_pass
from methods.core.network import Encoding, SpeechModel, Transcript

MODEL_MEMORY = 3 * 2**30  # bytes of weights kept in memory; the free Space has 16 GB
PASS_MEMORY = 2**30  # bytes of recorded passes kept in memory
HUB_FILES = ["*.json", "*.safetensors", "*.txt"]  # never *.py, *.bin, *.pt


class ModelError(UserError):
    """A model that cannot be loaded, or cannot answer what is asked of it."""


@dataclass(frozen=True)
class ModelCard:
    """One line of the model menu."""

    family: str
    title: str
    megabytes: int  # download, or the bundled half-precision file
    languages: str
    note: str  # size, training, what it is good for

    @property
    def label(self) -> str:
        """The line as the menu shows it."""
        return f"{self.title} · {self.languages} · {self.megabytes} MB"


MODELS: dict[str, ModelCard] = {
    "openai/whisper-tiny.en": ModelCard("Whisper", "Whisper tiny.en", 76, "English", "4 + 4 layers; the quickest"),
    "openai/whisper-base": ModelCard("Whisper", "Whisper base", 145, "99 languages", "6 + 6 layers; also French"),
    "openai/whisper-tiny": ModelCard("Whisper", "Whisper tiny", 151, "99 languages", "4 + 4 layers"),
    "openai/whisper-base.en": ModelCard("Whisper", "Whisper base.en", 290, "English", "6 + 6 layers"),
    "openai/whisper-small": ModelCard(
        "Whisper", "Whisper small", 967, "99 languages", "12 + 12 layers; slow on two cores"
    ),
}

_models = BoundedCache(MODEL_MEMORY)
_passes = BoundedCache(PASS_MEMORY)


def available_offline(identifier: str) -> bool:
    """Whether `load_model` would work with no network now."""
    bundled = weights.BUNDLED.get(identifier)
    if bundled is not None and bundled.paths() is not None:
        return True
    return Path(identifier).is_dir() or _cached_snapshot(identifier) is not None


def load_model(identifier: str) -> SpeechModel:
    """The model with this hub id or in this local folder; raises ModelError with a remedy if that cannot be."""
    choose_threads()
    return _models.fetch((identifier, None), lambda: _load(identifier), lambda model: model.bytes)


def layer_count(model: SpeechModel) -> int:
    """How many blocks the encoder has."""
    return model.network.config.encoder_layers


def random_twin(model: SpeechModel, seed: int) -> SpeechModel:
    """The same architecture with freshly initialised weights: the control for what training has added."""

    def make() -> SpeechModel:
        network = models_whisper.random_whisper(model, seed)
        name = f"random:{model.network.config.to_json_string()}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return replace(model, network=network, seed=seed, weights_sha256=digest, lock=_new_lock(model))

    return _models.fetch((model.key, seed), make, lambda twin: twin.bytes)


def _new_lock(model: SpeechModel) -> object:
    return type(model.lock)()


def _load(identifier: str) -> SpeechModel:
    bundled = weights.BUNDLED.get(identifier)
    if bundled is not None and bundled.paths() is not None:
        return models_whisper.bundled_whisper(identifier)
    folder = _snapshot(identifier)
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind != "whisper":
        raise ModelError(f"{identifier} is a model of type {kind!r}; Whisper models can be opened so far.")
    try:
        return models_whisper.hub_whisper(identifier, folder, _hash(folder))
    except SafetensorError as problem:
        raise ModelError(
            f"The weights of {identifier} cannot be read ({problem}); the file is damaged or not yet complete: "
            "delete it and download it again."
        ) from problem


def _snapshot(identifier: str) -> Path:
    folder = Path(identifier) if Path(identifier).is_dir() else _cached_snapshot(identifier) or _download(identifier)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{identifier} has no config.json, so it is not a model folder; choose the folder that has.")
    return folder


def _cached_snapshot(identifier: str) -> Path | None:
    try:
        found = huggingface_hub.try_to_load_from_cache(identifier, "config.json")
    except huggingface_hub.errors.HFValidationError:
        return None
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder and any(folder.glob("*.safetensors")) else None


def _download(identifier: str) -> Path:
    try:
        return Path(huggingface_hub.snapshot_download(identifier, allow_patterns=HUB_FILES))
    except huggingface_hub.errors.HFValidationError as problem:
        raise ModelError(f"{identifier!r} is neither a folder here nor a model id such as owner/name.") from problem
    except huggingface_hub.errors.RepositoryNotFoundError as problem:
        raise ModelError(f"There is no public model {identifier!r} on the hub; check its spelling.") from problem
    except (
        huggingface_hub.errors.LocalEntryNotFoundError,
        huggingface_hub.errors.OfflineModeIsEnabled,
        OSError,
    ) as problem:
        raise ModelError(
            f"{identifier} needs a download and the hub cannot be reached; go online once, "
            "or choose a model that is marked as available."
        ) from problem


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def frame_grid(clip: Clip, model: SpeechModel) -> FrameGrid:
    """Where this model's frames sit in this clip."""
    return whisper_grid(len(clip.samples))


def encoder_states(clip: Clip, model: SpeechModel) -> EncoderPass:
    """One pass of the encoder, kept for every technique that looks at the same clip."""

    def make() -> EncoderPass:
        with model.lock:
            features = models_whisper.features(model, clip.samples)
            return encoder_pass(model.network, features, own=frame_grid(clip, model).frames)

    return _passes.fetch((model.key, clip.sha256), make, _pass_bytes)


def decoder_states(clip: Clip, model: SpeechModel, ids: tuple[int, ...]) -> DecoderPass:
    """One teacher-forced pass of the decoder over the token ids `ids`, kept likewise."""
    states = encoder_states(clip, model)

    def make() -> DecoderPass:
        with model.lock:
            return decoder_pass(model.network, states.output, ids, own=frame_grid(clip, model).frames)

    return _passes.fetch((model.key, clip.sha256, ids), make, _pass_bytes)


def _pass_bytes(made: EncoderPass | DecoderPass) -> int:
    sites = made.sites if isinstance(made, EncoderPass) else made.self_sites + made.cross_sites
    tensors = [t for site in sites for t in (site.query, site.key, site.value, site.residual)] + [made.hidden]
    tensors.append(made.output if isinstance(made, EncoderPass) else made.logits)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def encode(clip: Clip, model: SpeechModel) -> Encoding:
    """What does each layer hold at each moment? Hidden states of the clip's own frames, read-only, in float32.

    `hidden[0]` is what the first block reads (conv output + positions), `hidden[l]` the output of block l, and the
    last entry is what the model passes on: block L after the final LayerNorm; `raw_last` is before it.
    """
    states, grid = encoder_states(clip, model), frame_grid(clip, model)
    layers = len(states.sites)
    names = ("0 (conv + positions)", *(str(i) for i in range(1, layers)), f"{layers} (final norm)")
    return Encoding(
        hidden=_read_only(states.hidden),
        raw_last=_read_only(states.raw_last),
        times=_read_only(grid.times),
        layer_names=names,
        grid=grid,
    )


def _read_only(values: torch.Tensor | np.ndarray) -> np.ndarray:
    array = values.numpy().copy() if isinstance(values, torch.Tensor) else np.array(values)
    array.flags.writeable = False
    return array


def transcribe(clip: Clip, model: SpeechModel, *, text: str | None = None, language: str | None = None) -> Transcript:
    """What does the model hear (greedy decoding), or how likely does it find the text that is given?

    `logprobs` are natural logarithms, one per token and one for the end of the text, before any suppression.
    Raises ModelError for a model that writes no text.
    """
    if not model.writes_text:
        raise ModelError(f"{model.id} has no text decoder, so it writes no transcript; choose a Whisper model.")
    key = (model.key, clip.sha256, "transcript", text, language)
    return _passes.fetch(key, lambda: _transcript(clip, model, text, language), lambda made: made.logprobs.nbytes)


def _transcript(clip: Clip, model: SpeechModel, text: str | None, language: str | None) -> Transcript:
    with model.lock:
        output = encoder_states(clip, model).output
        start = models_whisper.opening(model, output)
        language = models_whisper.chosen_language(model, start, language)
        if text is not None:
            tokens, complete = models_whisper.spelled(model, text), True
        else:
            prompt = models_whisper.prompt_ids(model.decoding, language)
            tokens, complete = models_whisper.greedy_ids(model, output, prompt)
        return models_whisper.forced(
            model, output, tokens, language, start=start, given=text is not None, complete=complete
        )


@functools.cache
def choose_threads() -> int:
    """How many threads are quickest on this machine now? Measured once; SPEECH_THREADS overrides it.

    On a busy two-core machine two threads wait for each other and can be many times slower than one.
    """
    wanted = os.environ.get("SPEECH_THREADS")
    threads = int(wanted) if wanted else _quickest()
    torch.set_num_threads(threads)
    return threads


def _quickest() -> int:
    """One thread, unless all of them are clearly quicker even in their worst run of five."""
    every = torch.get_num_threads()
    left, right = torch.randn(1500, 384), torch.randn(384, 1536)

    def worst(threads: int) -> float:
        torch.set_num_threads(threads)
        times = []
        for _ in range(6):
            begin = time.perf_counter()
            torch.nn.functional.gelu(left @ right)
            times.append(time.perf_counter() - begin)
        return max(times[1:])  # the first run starts the threads

    return every if every > 1 and worst(every) < 0.8 * worst(1) else 1
