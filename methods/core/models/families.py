"""Which families of models there are, and how each loads, hears and names its layers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from methods.core.audio import Clip
from methods.core.frames import FrameGrid, wav2vec2_grid, whisper_grid
from methods.core.models import hama, wav2vec2, whisper
from methods.core.models.devices import beside
from methods.core.models.hama import stages as hama_stages
from methods.core.models.sites import EncoderPass
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Stages, Window
from methods.core.models.wav2vec2 import sites as wav2vec2_sites
from methods.core.models.wav2vec2 import stages as wav2vec2_stages
from methods.core.models.whisper import folder as whisper_folder
from methods.core.models.whisper import sites as whisper_sites
from methods.core.models.whisper import stages as whisper_stages
from methods.core.models.whisper.log_mel import padding_value


@dataclass(frozen=True)
class Family:
    """What differs between families of models; nothing above this module knows."""

    name: str  # as the page writes it
    load: Callable[[str, Path, str], SpeechModel] | None  # from a folder; None where there is no such thing
    encode: Callable[[SpeechModel, np.ndarray, int], EncoderPass]  # model, samples, own frames
    grid: Callable[[int], FrameGrid]  # number of samples -> where the frames are
    random: Callable[[SpeechModel, int], torch.nn.Module]  # the same architecture, freshly initialised
    layers: Callable[[SpeechModel], int]
    ctc: Callable[[SpeechModel, np.ndarray], torch.Tensor] | None  # model, samples -> (frames, labels) scores
    first: str  # what hidden[0] is
    stages: Callable[[Clip, SpeechModel, Window, bool], Stages]  # samples to answer in differentiable steps
    head: (
        Callable[[SpeechModel], Callable[[torch.Tensor], torch.Tensor]] | None
    )  # the CTC head alone: states -> scores
    attentions: Callable[[Any], list[Any]]  # network -> the encoder's attention modules, each with an `out_proj`
    blocks: Callable[[Any], list[Any]]  # network -> the encoder's blocks
    final_norm: Callable[[Any], torch.nn.LayerNorm | None]  # what follows the last block, where something does
    window_s: float | None = None  # s that the model always reads, silence after a shorter clip; None: the clip alone
    silence: Callable[[torch.Tensor], float] | None = None  # log-mel of a clip -> what silence is in it; None: measure
    layered: Callable[[Any, torch.Tensor, int], list[torch.Tensor]] | None = None  # its phone head on every layer


def _encode_whisper(model: SpeechModel, samples: np.ndarray, own: int) -> EncoderPass:
    return whisper_sites.encoder_pass(model.network, whisper.features(model, samples), own)


def _encode_wav2vec2(model: SpeechModel, samples: np.ndarray, own: int) -> EncoderPass:
    return wav2vec2_sites.encoder_pass(model.network, wav2vec2.input_values(model, samples), own)


def _encode_hama(model: SpeechModel, samples: np.ndarray, own: int) -> EncoderPass:
    return hama.encoder_pass(model.network, model.front_end(samples), own)


_WAV2VEC2 = Family(
    name="wav2vec 2.0",
    load=wav2vec2.hub_wav2vec2,
    encode=_encode_wav2vec2,
    grid=wav2vec2_grid,
    random=wav2vec2.random_wav2vec2,
    layers=lambda model: model.network.config.num_hidden_layers,
    ctc=wav2vec2.ctc_logits,
    first="projection + positions",
    stages=wav2vec2_stages.stages,
    head=lambda model: model.network.lm_head,
    attentions=lambda network: [block.attention for block in network.base_model.encoder.layers],
    blocks=lambda network: list(network.base_model.encoder.layers),
    final_norm=wav2vec2_sites.final_norm,
)
FAMILIES: dict[str, Family] = {
    "whisper": Family(
        name="Whisper",
        load=whisper_folder.hub_whisper,
        encode=_encode_whisper,
        grid=whisper_grid,
        random=whisper.random_whisper,
        layers=lambda model: model.network.config.encoder_layers,
        ctc=None,
        first="conv + positions",
        stages=whisper_stages.stages,
        head=None,
        attentions=lambda network: [block.self_attn for block in network.model.encoder.layers],
        blocks=lambda network: list(network.model.encoder.layers),
        final_norm=lambda network: network.model.encoder.layer_norm,
        window_s=30.0,
        silence=padding_value,
    ),
    **dict.fromkeys(("wav2vec2", "hubert", "wavlm", "data2vec-audio"), _WAV2VEC2),
    "hama": Family(
        name="hama",
        load=None,
        encode=_encode_hama,
        grid=hama.hama_grid,
        random=hama.random_hama,
        layers=lambda model: len(model.network.blocks),
        ctc=lambda model, samples: model.network(beside(model.network, model.front_end(samples))),
        first="conv stem",
        stages=hama_stages.stages,
        head=lambda model: model.network.log_probabilities,
        attentions=lambda network: [block.attention for block in network.blocks],
        blocks=lambda network: list(network.blocks),
        final_norm=lambda network: None,
        layered=hama_stages.layered_scores,
    ),
}


def family_of(model: SpeechModel) -> Family:
    """The adapters of this model's family."""
    return FAMILIES[model.family]
