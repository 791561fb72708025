"""Speech models by name: what there is, how to load it, and what it makes of a clip.

    model = load_model("openai/whisper-tiny.en")
    states = encode(clip, model)          # hidden states of the clip's own frames, with times
    heard = transcribe(clip, model)       # greedy transcript, log-probability of every token

Weights come from an installed registry package, a local folder, the hub's cache, or the hub, in this order.
Only safetensors are read, and never a repository's own code.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from methods.core import (
    hama,
    layers_wav2vec2,
    layers_whisper,
    models_hub,
    models_wav2vec2,
    models_whisper,
    weights,
    weights_hama,
)
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.frames import FrameGrid, wav2vec2_grid, whisper_grid
from methods.core.layers import DecoderPass, EncoderPass
from methods.core.models_hub import ModelError
from methods.core.models_menu import HAMA, MODELS, ModelCard
from methods.core.network import Encoding, SpeechModel, Transcript, Vocabulary
from methods.core.threads import choose_threads

__all__ = [
    "MODELS",
    "ModelCard",
    "ModelError",
    "available_offline",
    "class_probabilities",
    "ctc_log_probabilities",
    "ctc_vocabulary",
    "decoder_states",
    "encode",
    "encoder_states",
    "family_of",
    "frame_grid",
    "layer_count",
    "load_model",
    "random_twin",
    "transcribe",
]

MODEL_MEMORY = 3 * 2**30  # bytes of weights kept in memory; the free Space has 16 GB
PASS_MEMORY = 2**30  # bytes of recorded passes kept in memory


_models = BoundedCache(MODEL_MEMORY)
_passes = BoundedCache(PASS_MEMORY)


@dataclass(frozen=True)
class Family:
    """What differs between families of models; nothing above this module knows."""

    load: Callable[[str, Path, str], SpeechModel] | None  # from a folder; None where there is no such thing
    encode: Callable[[SpeechModel, np.ndarray, int], EncoderPass]  # model, samples, own frames
    grid: Callable[[int], FrameGrid]  # number of samples -> where the frames are
    random: Callable[[SpeechModel, int], torch.nn.Module]  # the same architecture, freshly initialised
    layers: Callable[[SpeechModel], int]
    ctc: Callable[[SpeechModel, np.ndarray], torch.Tensor] | None  # model, samples -> (frames, labels) scores
    first: str  # what hidden[0] is


def _encode_whisper(model: SpeechModel, samples: np.ndarray, own: int) -> EncoderPass:
    return layers_whisper.encoder_pass(model.network, models_whisper.features(model, samples), own)


def _encode_wav2vec2(model: SpeechModel, samples: np.ndarray, own: int) -> EncoderPass:
    return layers_wav2vec2.encoder_pass(model.network, models_wav2vec2.input_values(model, samples), own)


def _encode_hama(model: SpeechModel, samples: np.ndarray, own: int) -> EncoderPass:
    return hama.encoder_pass(model.network, model.front_end(samples), own)


_WAV2VEC2 = Family(
    load=models_wav2vec2.hub_wav2vec2,
    encode=_encode_wav2vec2,
    grid=wav2vec2_grid,
    random=models_wav2vec2.random_wav2vec2,
    layers=lambda model: model.network.config.num_hidden_layers,
    ctc=models_wav2vec2.ctc_logits,
    first="projection + positions",
)
FAMILIES: dict[str, Family] = {
    "whisper": Family(
        load=models_whisper.hub_whisper,
        encode=_encode_whisper,
        grid=whisper_grid,
        random=models_whisper.random_whisper,
        layers=lambda model: model.network.config.encoder_layers,
        ctc=None,
        first="conv + positions",
    ),
    **dict.fromkeys(("wav2vec2", "hubert", "wavlm", "data2vec-audio"), _WAV2VEC2),
    "hama": Family(
        load=None,
        encode=_encode_hama,
        grid=hama.hama_grid,
        random=hama.random_hama,
        layers=lambda model: len(model.network.blocks),
        ctc=lambda model, samples: model.network(model.front_end(samples)),
        first="conv stem",
    ),
}


def family_of(model: SpeechModel) -> Family:
    """The adapters of this model's family."""
    return FAMILIES[model.family]


def available_offline(identifier: str) -> bool:
    """Whether `load_model` would work with no network now."""
    bundled = weights.BUNDLED.get(identifier)
    if bundled is not None and bundled.paths() is not None:
        return True
    if identifier == HAMA:
        return weights_hama.installed()
    return Path(identifier).is_dir() or models_hub.cached(identifier) is not None


def load_model(identifier: str) -> SpeechModel:
    """The model with this hub id or in this local folder; raises ModelError with a remedy if that cannot be."""
    choose_threads()
    return _models.fetch((identifier, None), lambda: _load(identifier), lambda model: model.bytes)


def random_twin(model: SpeechModel, seed: int) -> SpeechModel:
    """The same architecture with freshly initialised weights: the control for what training has added."""

    def make() -> SpeechModel:
        network = family_of(model).random(model, seed)
        name = f"random twin of {model.weights_sha256}, seed {seed}, torch {torch.__version__}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return replace(model, network=network, seed=seed, weights_sha256=digest, lock=threading.RLock())

    return _models.fetch((model.key, seed), make, lambda twin: twin.bytes)


def _load(identifier: str) -> SpeechModel:
    bundled = weights.BUNDLED.get(identifier)
    if bundled is not None and bundled.paths() is not None:
        return models_whisper.bundled_whisper(identifier)
    if identifier == HAMA:
        return hama.hama_model()
    folder = models_hub.snapshot(identifier)
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
        return FAMILIES[kind].load(identifier, folder, models_hub.weights_hash(folder))
    except SafetensorError as problem:
        raise ModelError(
            f"The weights of {identifier} cannot be read ({problem}); the file is damaged or not yet complete: "
            "delete it and download it again."
        ) from problem


def layer_count(model: SpeechModel) -> int:
    """How many blocks the encoder has."""
    return family_of(model).layers(model)


def frame_grid(clip: Clip, model: SpeechModel) -> FrameGrid:
    """Where this model's frames sit in this clip."""
    return family_of(model).grid(len(clip.samples))


def encoder_states(clip: Clip, model: SpeechModel, *, keep: bool = True) -> EncoderPass:
    """One pass of the encoder, kept for every technique that looks at the same clip unless told otherwise."""

    def make() -> EncoderPass:
        with model.lock:
            return family_of(model).encode(model, clip.samples, frame_grid(clip, model).frames)

    return _passes.fetch((model.key, clip.sha256), make, _pass_bytes) if keep else make()


def decoder_states(clip: Clip, model: SpeechModel, ids: tuple[int, ...]) -> DecoderPass:
    """One teacher-forced pass of the decoder over the token ids `ids`, kept likewise."""
    states = encoder_states(clip, model)

    def make() -> DecoderPass:
        with model.lock:
            return layers_whisper.decoder_pass(model.network, states.output, ids, own=frame_grid(clip, model).frames)

    return _passes.fetch((model.key, clip.sha256, ids), make, _pass_bytes)


def _pass_bytes(made: EncoderPass | DecoderPass) -> int:
    sites = made.sites if isinstance(made, EncoderPass) else made.self_sites + made.cross_sites
    tensors = [t for site in sites for t in (site.query, site.key, site.value, site.residual)] + [made.hidden]
    tensors.append(made.output if isinstance(made, EncoderPass) else made.logits)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def encode(clip: Clip, model: SpeechModel, *, keep: bool = True) -> Encoding:
    """What does each layer hold at each moment? Hidden states of the clip's own frames, read-only, in float32.

    `hidden[0]` is what the first block reads, `hidden[l]` the output of block l, and the last entry is what the
    model passes on: where a final LayerNorm follows block L, after it, and `raw_last` is before it. `keep=False`
    leaves the pass out of the cache: the clips of a whole corpus would push out what visitors are looking at.
    """
    states, grid = encoder_states(clip, model, keep=keep), frame_grid(clip, model)
    layers = len(states.sites)
    last = f"{layers} (final norm)" if states.raw_last is not None else str(layers)
    names = (f"0 ({family_of(model).first})", *(str(i) for i in range(1, layers)), last)
    return Encoding(
        hidden=_read_only(states.hidden),
        raw_last=None if states.raw_last is None else _read_only(states.raw_last),
        conv=None if states.conv is None else _read_only(states.conv),
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


def ctc_vocabulary(model: SpeechModel) -> Vocabulary | None:
    """What the outputs of the model's CTC head stand for; None if it has no such head."""
    return model.tokenizer if isinstance(model.tokenizer, Vocabulary) else None


@torch.inference_mode()
def ctc_log_probabilities(clip: Clip, model: SpeechModel) -> np.ndarray:
    """(frames, labels) natural log-probabilities of a CTC head, float32; raises ModelError where there is none."""
    if ctc_vocabulary(model) is None:
        raise ModelError(f"{model.id} has no CTC head; choose hama-ctc, or a model that was fine-tuned with CTC.")
    with model.lock:
        return _read_only(family_of(model).ctc(model, clip.samples).log_softmax(-1))


@torch.inference_mode()
def class_probabilities(clip: Clip, model: SpeechModel) -> dict[str, dict[str, float]]:
    """Head -> class -> probability, for a model with classes; {} for all others."""
    if not models_wav2vec2.has_classes(model):
        return {}
    labels = models_wav2vec2.class_labels(model)
    with model.lock:
        scores = models_wav2vec2.class_logits(model, clip.samples)
    return {head: dict(zip(labels[head], scores[head].softmax(-1).tolist(), strict=True)) for head in labels}
