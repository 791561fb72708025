"""The tabs of the techniques, each with the limits of its own options: the page's half of the table of contents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from methods import attention, attention_norm, value_zeroing
from page.recipe import Shell, Tab
from page.tabs import (
    abx,
    acoustic_probing,
    asr_explanation,
    attribution,
    causal_tracing,
    cca,
    cka,
    context_mixing,
    continuum,
    ctc_lens,
    cue_contribution,
    decoder_lens,
    discrete_units,
    encoding_probe,
    erasure,
    head_ablation,
    head_roles,
    live_probes,
    paralinguistics,
    phone_arithmetic,
    phone_check,
    phone_focus,
    phoneme_saliency,
    probing,
    projection,
    rsa,
    spectrogram_occlusion,
    two_lenses,
    word_confidence,
    word_evidence,
)
from page.tabs.mixing import mixing_tab


@dataclass(frozen=True)
class Entry:
    """How a technique is shown, and what the HTTP API may ask of it."""

    tab: Callable[[Shell], Tab]  # lays it out
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # option of its own -> least and most
    scripted: bool = True  # False: it needs more than a clip, a text and options, so the API does not offer it


TABS: dict[str, Entry] = {
    "projection": Entry(projection.projection_tab, projection.LIMITS),
    "probing": Entry(probing.probing_tab),
    "acoustic_probing": Entry(acoustic_probing.acoustic_probing_tab),
    "encoding_probe": Entry(encoding_probe.encoding_probe_tab),
    "live_probes": Entry(live_probes.live_probes_tab),
    "rsa": Entry(rsa.rsa_tab, rsa.LIMITS),
    "cka": Entry(cka.cka_tab, cka.LIMITS),
    "cca": Entry(cca.cca_tab, cca.LIMITS),
    "abx": Entry(abx.abx_tab, abx.LIMITS),
    "discrete_units": Entry(discrete_units.discrete_units_tab),
    "ctc_lens": Entry(ctc_lens.ctc_lens_tab),
    "decoder_lens": Entry(decoder_lens.decoder_lens_tab),
    "two_lenses": Entry(two_lenses.two_lenses_tab, scripted=False),
    "continuum": Entry(continuum.continuum_tab, continuum.LIMITS, scripted=False),
    "phone_check": Entry(phone_check.phone_check_tab),
    "phone_arithmetic": Entry(phone_arithmetic.phone_arithmetic_tab, phone_arithmetic.LIMITS),
    "attention": Entry(partial(mixing_tab, attention, by_head=True)),
    "attention_norm": Entry(partial(mixing_tab, attention_norm, by_head=True)),
    "value_zeroing": Entry(partial(mixing_tab, value_zeroing, by_head=False)),
    "context_mixing": Entry(context_mixing.context_mixing_tab),
    "head_roles": Entry(head_roles.head_roles_tab, head_roles.LIMITS),
    "cue_contribution": Entry(cue_contribution.cue_contribution_tab, cue_contribution.LIMITS, scripted=False),
    "attribution": Entry(attribution.attribution_tab, attribution.LIMITS),
    "word_evidence": Entry(word_evidence.word_evidence_tab, word_evidence.LIMITS),
    "paralinguistics": Entry(paralinguistics.paralinguistics_tab, paralinguistics.LIMITS),
    "spectrogram_occlusion": Entry(spectrogram_occlusion.spectrogram_occlusion_tab, spectrogram_occlusion.LIMITS),
    "phoneme_saliency": Entry(phoneme_saliency.phoneme_saliency_tab),
    "asr_explanation": Entry(asr_explanation.asr_explanation_tab, asr_explanation.LIMITS),
    "phone_focus": Entry(phone_focus.phone_focus_tab, phone_focus.LIMITS),
    "word_confidence": Entry(word_confidence.word_confidence_tab),
    "causal_tracing": Entry(causal_tracing.causal_tracing_tab, causal_tracing.LIMITS),
    "head_ablation": Entry(head_ablation.head_ablation_tab, head_ablation.LIMITS),
    "erasure": Entry(erasure.erasure_tab),
}
