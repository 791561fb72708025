"""What several tabs ask with the same words: which layer, which hidden states, how much Whisper hears."""

from collections.abc import Mapping

import gradio as gr

from methods.core.models.menu import MODELS

MOST_LAYERS, MOST_HEADS = 48, 32  # whisper-large has 32 and 20; the server checks calls against these
STATES = [("less those of silence at the same place (Whisper)", "silence"), ("as they are", "raw")]
RAW_FIRST = STATES[::-1]  # for probes, which do not mind what all states share
WINDOWS = [("the clip alone (quicker, not its usual input)", "clip"), ("its exact 30 s window", "full")]


def fit_layers(controls: Mapping[str, gr.components.Component], model: str) -> None:
    """Let sliders over layers end where the model's own layers do, before anything has run."""
    for control in controls.values():
        more = control.maximum - MOST_LAYERS if isinstance(control, gr.Slider) else -1  # live probes have a row more
        if model in MODELS and more in (0, 1):
            control.maximum = max(MODELS[model].layers + more, control.value)
