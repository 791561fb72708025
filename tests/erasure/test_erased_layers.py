"""States changed on their way: hooks on the plain networks, for every layer and family."""

import numpy as np
import pytest
import torch
from planted import COPIED, HEARD, planted
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import (
    Data2VecAudioForCTC,
    HubertForCTC,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    WavLMForCTC,
)

from methods.core import models
from methods.core.errors import UserError
from methods.core.models import load_model, whisper
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.erasure.layers import layered

ROUNDING = {"rtol": 1e-4, "atol": 1e-4}  # as in tests/core/interventions: float32 sums in another order
FRONT_END = Wav2Vec2FeatureExtractor(do_normalize=True)


def change(states):
    """Some affine change."""
    return 0.5 * states[:, ::-1] + np.linspace(-1, 1, states.shape[1])


def changing(own):
    """The same as a hook on a module's output, or on its input."""

    def changed(stream):
        stream = stream.clone()
        new = change(stream[0, :own].double().numpy())
        stream[0, :own] = torch.from_numpy(np.ascontiguousarray(new)).to(stream.dtype)
        return stream

    def after(_module, _inputs, output):
        return changed(output) if isinstance(output, torch.Tensor) else (changed(output[0]), *output[1:])

    def before(_module, inputs, named):
        if inputs:
            return (changed(inputs[0]), *inputs[1:]), named
        return inputs, named | {"hidden_states": changed(named["hidden_states"])}

    return before, after


def hooked(blocks, norm, layer, own):
    """A handle: layer 0 is the input of block 1; the last is after the final norm where there is one."""
    before, after = changing(own)
    if layer == 0:
        return blocks[0].register_forward_pre_hook(before, with_kwargs=True)
    module = norm if layer == len(blocks) and norm is not None else blocks[layer - 1]
    return module.register_forward_hook(after)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_whisper_is_what_a_hook_on_the_plain_network_gives(clip, tiny_model, layer, monkeypatch):
    monkeypatch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
    network = layered(clip, tiny_model, "ab cd", "en", "full")
    encoder, text = tiny_model.network.model.encoder, network.text
    handle = hooked(encoder.layers, encoder.layer_norm, layer, models.frame_grid(clip, tiny_model).frames)
    try:
        with torch.inference_mode():
            logits = tiny_model.network(
                whisper.features(tiny_model, clip.samples), decoder_input_ids=torch.tensor([text.ids])
            ).logits
    finally:
        handle.remove()
    rows = logits[0, len(text.prompt) - 1 :].log_softmax(-1)
    expected = rows.gather(1, torch.tensor([*text.tokens, tiny_model.decoding.end])[:, None]).sum()
    assert network.count == 3
    read = [network.read(layer, change) for _ in range(3)]  # from the second on, silence is not read anew
    np.testing.assert_allclose(network.logprobs(*read), [float(expected)] * 3, **ROUNDING)
    base = models.transcribe(clip, tiny_model, text="ab cd", language="en").logprobs.sum()
    np.testing.assert_allclose(network.logprobs(network.read(layer)), base, **ROUNDING)
    assert network.logprobs(network.read(layer, change)) != pytest.approx(base, abs=1e-3)


@pytest.mark.parametrize(("window", "rows"), [("full", [65, 1500]), ("clip", [65, 65])])
def test_silence_after_the_clip_is_read_anew_only_where_it_changed(clip, tiny_model, window, rows):
    """In the first block above the change only the clip's own 65 frames have other keys; the next reads them all."""
    network = layered(clip, tiny_model, "ab cd", "en", window)
    for _ in range(2):  # from the second time on, what the block knows of the silence is kept
        network.read(0, change)
    read, blocks = [], tiny_model.network.model.encoder.layers
    handles = [
        block.self_attn.k_proj.register_forward_hook(lambda _module, inputs, _output: read.append(inputs[0].shape[1]))
        for block in blocks
    ]
    network.read(0, change)
    for handle in handles:
        handle.remove()
    assert read == rows


def test_what_the_decoder_does_not_read_costs_nothing(clip, tiny_model):
    network = layered(clip, planted(tiny_model), "ab cd", "en", "full")

    def spoilt(dimensions):
        def change(states):
            states = states.copy()
            states[:, dimensions] = 3.0 * states[::-1, dimensions] + 1.0
            return states

        return network.logprobs(network.read(3, change)) - network.logprobs(network.read(3))

    assert spoilt(np.arange(16)[HEARD]) == pytest.approx(0.0, abs=1e-5)
    assert abs(spoilt(np.arange(16)[COPIED])) > 1e-2


FAMILIES = [
    ("wav2vec2", False, Wav2Vec2ForCTC),
    ("wav2vec2", True, Wav2Vec2ForCTC),
    ("hubert", True, HubertForCTC),
    ("wavlm", False, WavLMForCTC),
    ("wavlm", True, WavLMForCTC),
    ("data2vec-audio", False, Data2VecAudioForCTC),
]


@pytest.mark.parametrize(("family", "stable", "cls"), FAMILIES)
def test_families_with_a_ctc_head_are_what_a_hook_gives(clip, family, stable, cls):
    network = tiny_network(tiny_config(family, stable, vocab_size=9), cls, seed=2)
    letters = Vocabulary(("<b>", "|", *"abcdefg"), blank=0, space=1, joint="")
    model = SpeechModel("tiny-ctc", family, network, FRONT_END, letters, f"{family} {stable}")
    asked = layered(clip, model, "ab cd", None, "full")
    encoder = network.base_model.encoder
    base = asked.target.score(clip.samples)
    for layer in range(asked.count):
        handle = hooked(encoder.layers, encoder.layer_norm if stable else None, layer, 99)
        try:
            expected, said = asked.target.score(clip.samples), asked.target.answer(clip.samples)
        finally:
            handle.remove()
        np.testing.assert_allclose(asked.logprobs(asked.read(layer, change)), expected, **ROUNDING)
        np.testing.assert_allclose(asked.logprobs(asked.read(layer)), base, **ROUNDING)
        assert expected != pytest.approx(base, abs=1e-3) and asked.said(asked.read(layer, change)) == said
    assert asked.count == 3
    assert asked.target.score(clip.samples) == base  # nothing stays replaced
    # Read at once: the head, after the final norm where there is one, on the changed states.
    hidden = models.encode(clip, model).hidden
    states = torch.from_numpy(np.ascontiguousarray(change(hidden[1]), dtype=np.float32))
    with torch.inference_mode():
        best = network.lm_head(encoder.layer_norm(states) if stable else states).argmax(-1)
    kept = [int(a) for a, b in zip(best, [-1, *best[:-1]], strict=True) if a != b and a]
    assert asked.seen(1, change) == letters.spell(kept)


def test_hama_is_what_a_hook_gives(clip):
    model = load_model("hama-ctc")
    asked = layered(clip, model, "w i | z", None, "full")
    own = models.frame_grid(clip, model).frames
    for layer in range(asked.count):
        handle = hooked(model.network.blocks, None, layer, own)
        try:
            expected = asked.target.score(clip.samples)
        finally:
            handle.remove()
        np.testing.assert_allclose(asked.logprobs(asked.read(layer, change)), expected, **ROUNDING)


def test_a_classifier_loses_its_class(clip):
    config = tiny_config("wav2vec2", num_labels=3)
    network = tiny_network(config, Wav2Vec2ForSequenceClassification, seed=2)
    model = SpeechModel("tiny-classes", "wav2vec2", network, FRONT_END, None, "classes")
    asked = layered(clip, model, None, None, "full")
    unchanged = asked.read(1)
    assert asked.logprobs(unchanged) < 0
    assert asked.logprobs(asked.read(1, change)) != pytest.approx(asked.logprobs(unchanged), abs=1e-4)
    assert asked.said(unchanged) == asked.target.answer(clip.samples)


def test_a_model_that_says_nothing(clip):
    model = SpeechModel("bare", "wav2vec2", tiny_network(tiny_config("wav2vec2"), seed=2), FRONT_END, None, "bare")
    with pytest.raises(UserError, match="bare only makes hidden states, so no answer could be lost"):
        layered(clip, model, None, None, "full")
