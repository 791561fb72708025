"""Speech models by name: what there is, how to load it, and what it makes of a clip.

    model = load_model("openai/whisper-tiny.en")
    states = encode(clip, model)          # hidden states of the clip's own frames, with times
    heard = transcribe(clip, model)       # greedy transcript, log-probability of every token

Weights come from an installed registry package, a local folder, the hub's cache, or the hub, in this order.
Only safetensors are read, and never a repository's own code.
"""

from methods.core.models.devices import accelerator_name, use_device
from methods.core.models.families import FAMILIES, Family, family_of
from methods.core.models.hub import ModelError
from methods.core.models.loading import MODEL_MEMORY, available_offline, load_model, random_twin
from methods.core.models.menu import MODELS, ModelCard
from methods.core.models.passes import (
    PASS_MEMORY,
    class_probabilities,
    ctc_log_probabilities,
    ctc_vocabulary,
    decoder_states,
    encode,
    encoder_states,
    frame_grid,
    layer_count,
    no_speech,
    output_projections,
    stages_of,
    transcribe,
)

__all__ = [
    "FAMILIES",
    "MODELS",
    "MODEL_MEMORY",
    "PASS_MEMORY",
    "Family",
    "ModelCard",
    "ModelError",
    "accelerator_name",
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
    "no_speech",
    "output_projections",
    "random_twin",
    "stages_of",
    "transcribe",
    "use_device",
]
