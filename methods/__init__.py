"""Interpretability techniques for speech models, one module each.

Every module answers one question with `analyse(clip, model, …)`, which returns a frozen result of NumPy arrays, and
`plot(result, …)`, which draws it. The order is that of the Interspeech 2025 tutorial "Interpretability Techniques for
Speech Models".
"""

from importlib import import_module
from types import ModuleType

from methods.core import __version__

__all__ = ["TECHNIQUES", "__version__", "technique"]

# The table of contents, kept by hand: module -> (group of tabs, title of its tab).
TECHNIQUES: dict[str, tuple[str, str]] = {
    "projection": ("Representation understanding", "Projection"),
    "probing": ("Representation understanding", "Probing"),
    "acoustic_probing": ("Representation understanding", "Acoustics and articulation"),
    "encoding_probe": ("Representation understanding", "Encoding probe"),
    "live_probes": ("Representation understanding", "Live probes"),
    "rsa": ("Representation understanding", "RSA"),
    "cka": ("Representation understanding", "CKA"),
    "cca": ("Representation understanding", "CCA"),
    "abx": ("Representation understanding", "ABX"),
    "discrete_units": ("Representation understanding", "Discrete units"),
    "ctc_lens": ("Representation understanding", "CTC lens"),
    "decoder_lens": ("Representation understanding", "DecoderLens"),
    "two_lenses": ("Representation understanding", "Both lenses"),
    "continuum": ("Representation understanding", "Continuum"),
    "phone_check": ("Representation understanding", "Phone check"),
    "phone_arithmetic": ("Representation understanding", "Phone arithmetic"),
    "attention": ("Feature importance", "Attention"),
    "attention_norm": ("Feature importance", "Attention norm"),
    "value_zeroing": ("Feature importance", "Value zeroing"),
    "context_mixing": ("Feature importance", "Context mixing"),
    "head_roles": ("Feature importance", "Head roles"),
    "cue_contribution": ("Feature importance", "Cue contribution"),
    "attribution": ("Feature importance", "Attribution"),
    "word_evidence": ("Feature importance", "Word evidence"),
    "paralinguistics": ("Feature importance", "Paralinguistics"),
    "spectrogram_occlusion": ("Feature importance", "Spectrogram occlusion"),
    "phoneme_saliency": ("Feature importance", "Phoneme saliency"),
    "asr_explanation": ("Feature importance", "Sufficient sound"),
    "phone_focus": ("Feature importance", "Phone focus"),
    "word_confidence": ("Interventions", "Word confidence"),
    "causal_tracing": ("Interventions", "Causal tracing"),
    "head_ablation": ("Interventions", "Heads switched off"),
    "erasure": ("Interventions", "Erase and look"),
}


def technique(name: str) -> ModuleType:
    """The module of a technique, by its name in the table."""
    if name not in TECHNIQUES:
        raise KeyError(f"{name!r} is no technique; there are: {', '.join(TECHNIQUES)}")
    return import_module(f"methods.{name}")
