"""A speech network as a chain of differentiable steps, so that it can be entered, and explained, at several levels.

    steps = stages(clip, model)            # {"waveform": f1, "log-mel": f2, "embedding": f3}
    mel = at(steps, "log-mel", samples)    # what enters there
    output = onward(steps, "log-mel", mel) # what the network makes of it: decoder input, or scores of a head

Whisper and hama have a log-mel level. The wav2vec 2.0 family goes from samples straight to the convolutions' output.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from methods.core.audio import Clip
from methods.core.frames import whisper_grid
from methods.core.models import wav2vec2
from methods.core.models.speech_model import SpeechModel
from methods.core.models.whisper.log_mel import log_mel

Level = Literal["waveform", "log-mel", "embedding"]
Window = Literal["full", "clip"]  # Whisper: the exact 30 s, or only the clip's own frames (another input: say so)
Stages = dict[str, Callable[[torch.Tensor], Any]]  # level -> the step that starts there; the last gives the output
TINY_VARIANCE = 1e-7  # what the wav2vec 2.0 front end adds before it divides


def stages(clip: Clip, model: SpeechModel, *, window: Window = "full", renormalise: bool = False) -> Stages:
    """The model's steps, each a function of a tensor with a batch axis of 1. `clip` is the unchanged clip.

    wav2vec 2.0 is fed the clip shifted and scaled to mean 0 and variance 1. A perturbed clip keeps the shift and scale
    of the unchanged one, lest silencing one word change all samples, unless `renormalise`.
    """
    network = model.network
    if model.family == "whisper":
        return {
            "waveform": partial(_whisper_mel, model.front_end, window),
            "log-mel": lambda mel: _whisper_stem(network.model.encoder, mel),
            "embedding": lambda stem: _whisper_blocks(network.model.encoder, stem),
        }
    length = len(clip.samples)
    if model.family == "hama":
        return {
            "waveform": lambda samples: network.log_mel(_filled_up(samples, length)),
            "log-mel": network.stem_output,
            "embedding": partial(_hama, network),
        }
    normalise = _normalisation(clip, model, renormalise)
    conv = network.base_model.feature_extractor
    least = length if hasattr(network, "lm_head") else 0
    return {
        "waveform": lambda samples: conv(normalise(_filled_up(samples, least))).transpose(1, 2),
        "embedding": lambda frames: _after_convolutions(network, conv, frames),
    }


def at(steps: Stages, level: Level, samples: torch.Tensor) -> torch.Tensor:
    """What enters the network at this level, of (1, n) samples."""
    for name, step in steps.items():
        if name == level:
            return samples
        samples = step(samples)
    raise ValueError(f"this network has no level {level!r}; it has {', '.join(steps)}")


def onward(steps: Stages, level: Level, entering: torch.Tensor) -> Any:
    """The network's output when `entering` enters it at this level."""
    names = list(steps)
    for name in names[names.index(level) :]:
        entering = steps[name](entering)
    return entering


def _whisper_mel(front_end: Any, window: Window, samples: torch.Tensor) -> torch.Tensor:
    own = None if window == "full" else 2 * whisper_grid(samples.shape[1]).frames
    return log_mel(front_end, samples, own)


def _whisper_stem(encoder: Any, mel: torch.Tensor) -> torch.Tensor:
    """(1, frames, dim) the convolutions' output; positions come later, and are no part of what is explained."""
    return F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)


def _whisper_blocks(encoder: Any, stem: torch.Tensor) -> torch.Tensor:
    stream = stem + encoder.embed_positions.weight[: stem.shape[1]]
    for block in encoder.layers:
        out = block(stream, attention_mask=None)
        stream = out if isinstance(out, torch.Tensor) else out[0]
    return encoder.layer_norm(stream)


def _filled_up(samples: torch.Tensor, least: int) -> torch.Tensor:
    """(1, ≥ least) the samples, with silence after them where they are fewer."""
    return F.pad(samples, (0, max(0, least - samples.shape[-1])))


def _hama(network: Any, stem: torch.Tensor) -> torch.Tensor:
    for block in network.blocks:
        stem = block(stem)
    return network.log_probabilities(stem)


def _normalisation(clip: Clip, model: SpeechModel, renormalise: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    if not model.front_end.do_normalize:
        return lambda samples: samples
    if renormalise:
        return lambda x: (x - x.mean()) / (x.var(correction=0) + TINY_VARIANCE).sqrt()
    values = clip.samples.astype(np.float64)
    shift, scale = float(values.mean()), float(np.sqrt(values.var() + TINY_VARIANCE))
    return lambda samples: (samples - shift) / scale


def _after_convolutions(network: Any, conv: torch.nn.Module, frames: torch.Tensor) -> Any:
    """Head -> (1, classes) logits, or (frames, labels) of a CTC head, from the convolutions' output."""
    with _standing_in(conv, frames.transpose(1, 2)):
        if hasattr(network, "lm_head"):
            return network(frames).logits[0]
        return wav2vec2.class_scores(network, frames)


@contextmanager
def _standing_in(module: torch.nn.Module, output: torch.Tensor) -> Iterator[None]:
    """The module answers `output` whatever it is asked. The caller holds the model's lock."""
    module.forward = lambda *_: output
    try:
        yield
    finally:
        del module.forward
