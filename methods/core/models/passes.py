"""What a model makes of a clip: hidden states, transcript, frame and class probabilities, each computed once."""

import numpy as np
import torch

from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.frames import FrameGrid
from methods.core.models import wav2vec2, whisper
from methods.core.models.families import family_of
from methods.core.models.hub import ModelError
from methods.core.models.sites import DecoderPass, EncoderPass
from methods.core.models.speech_model import Encoding, SpeechModel, Transcript, Vocabulary
from methods.core.models.stages import Stages, Window
from methods.core.models.whisper import sites as whisper_sites
from methods.core.options import needs_made

PASS_MEMORY = 2**30  # bytes of recorded passes kept in memory
NO_SPEECH = 0.6  # probability from which Whisper's own code doubts that there is speech
_passes = BoundedCache(PASS_MEMORY)


def layer_count(model: SpeechModel) -> int:
    """How many blocks the encoder has."""
    return family_of(model).layers(model)


def output_projections(model: SpeechModel) -> list[torch.nn.Linear]:
    """Output projections of the encoder's attention, layer by layer; heads stand side by side in their inputs."""
    return [attention.out_proj for attention in family_of(model).attentions(model.network)]


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
            return whisper_sites.decoder_pass(model.network, states.output, ids, own=frame_grid(clip, model).frames)

    return _passes.fetch((model.key, clip.sha256, ids), make, _pass_bytes)


def _pass_bytes(made: EncoderPass | DecoderPass) -> int:
    sites = made.sites if isinstance(made, EncoderPass) else made.self_sites + made.cross_sites
    tensors = [t for site in sites for t in (site.query, site.key, site.value, site.residual)] + [made.hidden]
    tensors.append(made.output if isinstance(made, EncoderPass) else made.logits)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def stages_of(clip: Clip, model: SpeechModel, *, window: Window = "full", renormalise: bool = False) -> Stages:
    """The model's steps, each a function of a tensor with a batch axis of 1. `clip` is the unchanged clip.

    wav2vec 2.0 is fed the clip shifted and scaled to mean 0 and variance 1. A perturbed clip keeps the shift and scale
    of the unchanged one, lest silencing one word change all samples, unless `renormalise`.
    """
    return family_of(model).stages(clip, model, window, renormalise)


@needs_made
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
    array = values.cpu().numpy().copy() if isinstance(values, torch.Tensor) else np.array(values)
    array.flags.writeable = False
    return array


@needs_made
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
    output = encoder_states(clip, model).output  # before the lock: see BoundedCache
    with model.lock:
        start = whisper.opening(model, output)
        language = whisper.chosen_language(model, start, language)
        if text is not None:
            tokens, complete = whisper.spelled(model, text), True
        else:
            prompt = whisper.prompt_ids(model.decoding, language)
            tokens, complete = whisper.greedy_ids(model, output, prompt)
        return whisper.forced(model, output, tokens, language, start=start, given=text is not None, complete=complete)


def no_speech(clip: Clip, model: SpeechModel) -> float | None:
    """Does the model find that nobody speaks? The probability, from .6 (Whisper's own threshold) on; else None.

    A model that writes no text cannot say. Whisper writes "you" or the like for silence, noise and tones.
    """
    found = transcribe(clip, model).no_speech if model.writes_text else None
    return found if found is not None and found >= NO_SPEECH else None


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
    if not wav2vec2.has_classes(model):
        return {}
    labels = wav2vec2.class_labels(model)
    with model.lock:
        scores = wav2vec2.class_logits(model, clip.samples)
    return {head: dict(zip(labels[head], scores[head].softmax(-1).tolist(), strict=True)) for head in labels}
