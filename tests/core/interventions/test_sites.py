"""Patched and silenced sites against hooks on the plain transformers network, which share nothing with our passes."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch

from methods.core import models
from methods.core.interventions import decoder, encoder, wanted
from methods.core.models import whisper

# Sums of some 100 float32 products in another order, through two layers and a sharp softmax: 1e-7 × 100 × 10.
ROUNDING = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def sounds(clip):
    noise = np.random.default_rng(3).standard_normal(len(clip.samples))
    return clip.samples, (clip.samples + 0.2 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def own(clip, tiny_model):
    return models.frame_grid(clip, tiny_model).frames


@pytest.fixture(scope="module")
def runs(sounds, own, tiny_model):
    return [encoder.record(tiny_model, sound, own) for sound in sounds]


@pytest.fixture(scope="module")
def text(clip, tiny_model):
    return models.transcribe(clip, tiny_model, text="ab cd", language="en")


@pytest.fixture(scope="module")
def reads(runs, tiny_model, text):
    states = [encoder.onward(run, run.streams[-1][None], run.layers) for run in runs]
    return [decoder.record(tiny_model, each, text.ids) for each in states]


def module_of(stack, layer, site):
    """The transformers module whose output is the site (the stream after a block, or what a part of it adds)."""
    block = stack.layers[layer - 1]
    return {
        "residual": block, "attention": block.self_attn, "cross-attention": getattr(block, "encoder_attn", None),
        "feed-forward": block.fc2,
    }[site]  # fmt: skip


def first(output):
    return output[0] if isinstance(output, tuple) else output


@torch.inference_mode()
def hooked(model, sound, ids, changes, kind="forward", states=None):
    """(encoder output, log-probabilities) of the plain network; `changes`: module -> function of its tensor."""

    def after(change):
        def hook(_module, _inputs, output):
            changed = change(first(output))
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return hook

    def before(change):
        return lambda _module, inputs: (change(inputs[0]), *inputs[1:])

    with ExitStack() as hooks:
        for module, change in changes:
            add = module.register_forward_hook if kind == "forward" else module.register_forward_pre_hook
            hooks.callback(add((after if kind == "forward" else before)(change)).remove)
        network = model.network
        if states is None:
            states = network.model.encoder(whisper.features(model, sound)).last_hidden_state
        read = network.model.decoder(torch.tensor([ids]), encoder_hidden_states=states, use_cache=False)
        return states, network.proj_out(read.last_hidden_state[0]).log_softmax(-1)


def seen(model, sound, ids, module, kind="forward", states=None):
    """What the plain network holds at a module."""
    kept = []
    hooked(model, sound, ids, [(module, lambda x: kept.append(x.clone()) or x)], kind, states)
    return kept[0]


@pytest.mark.parametrize("site", encoder.SITES)
@pytest.mark.parametrize("layer", [1, 2])
def test_a_patched_encoder_is_what_hooks_on_transformers_make_of_it(runs, sounds, tiny_model, text, site, layer):
    rows = torch.arange(10, 30)
    module = module_of(tiny_model.network.model.encoder, layer, site)
    held = seen(tiny_model, sounds[0], text.ids, module)

    def change(x):
        x = x.clone()
        x[:, rows] = held[:, rows]
        return x

    expected, table = hooked(tiny_model, sounds[1], text.ids, [(module, change)])
    states = encoder.onward(runs[1], encoder.patched(runs[1], runs[0], layer, site, rows), layer)
    torch.testing.assert_close(states, expected, **ROUNDING)
    asked = wanted.whole(tiny_model, text)
    np.testing.assert_allclose(asked.logprobs(tiny_model, states), asked.of(table), **ROUNDING)


def test_what_the_first_block_reads_can_be_patched_too(runs, sounds, tiny_model, text):
    rows, block = torch.arange(5, 40), tiny_model.network.model.encoder.layers[0]
    held = seen(tiny_model, sounds[0], text.ids, block, "pre")

    def change(x):
        x = x.clone()
        x[:, rows] = held[:, rows]
        return x

    expected, _ = hooked(tiny_model, sounds[1], text.ids, [(block, change)], "pre")
    states = encoder.onward(runs[1], encoder.patched(runs[1], runs[0], 0, "residual", rows), 0)
    torch.testing.assert_close(states, expected, **ROUNDING)


@pytest.mark.parametrize("site", decoder.SITES)
@pytest.mark.parametrize("layer", [1, 2])
def test_a_patched_decoder_is_what_hooks_on_transformers_make_of_it(reads, runs, tiny_model, text, site, layer):
    rows = torch.tensor([1, 3])
    module = module_of(tiny_model.network.model.decoder, layer, site)
    states = [encoder.onward(run, run.streams[-1][None], run.layers) for run in runs]
    held = seen(tiny_model, None, text.ids, module, states=states[0])

    def change(x):
        x = x.clone()
        x[:, rows] = held[:, rows]
        return x

    _, expected = hooked(tiny_model, None, text.ids, [(module, change)], states=states[1])
    table = decoder.onward(reads[1], decoder.patched(reads[1], reads[0], layer, site, rows), layer)
    torch.testing.assert_close(table, expected, **ROUNDING)


def emptied(model, held, heads, fill, own):
    """A hook on `out_proj`'s input, in which heads stand side by side; `held` is that input in the plain network."""

    def change(x):
        x, size = x.clone(), x.shape[-1] // model.network.config.encoder_attention_heads
        for head in heads:
            columns = slice(head * size, (head + 1) * size)
            mean = held[:, :own, columns].mean(1, keepdim=True)
            x[..., columns] = 0.0 if fill == "zero" else mean
        return x

    return change


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("off", [{0: (1,)}, {1: (0,)}, {0: (0, 1), 1: (1,)}])
def test_heads_switched_off_in_the_encoder(runs, sounds, tiny_model, text, off, fill):
    own, blocks = runs[0].own, tiny_model.network.model.encoder.layers
    changes = []
    for number, heads in off.items():
        module = blocks[number].self_attn.out_proj
        held = seen(tiny_model, sounds[0], text.ids, module, "pre")
        changes.append((module, emptied(tiny_model, held, heads, fill, own)))
    expected, _ = hooked(tiny_model, sounds[0], text.ids, changes, "pre")
    torch.testing.assert_close(encoder.without_heads(runs[0], off, fill), expected, **ROUNDING)


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("off", [({0: (1,)}, {}), ({}, {1: (0,)}), ({1: (0,)}, {0: (0, 1), 1: (1,)})])
def test_heads_switched_off_in_the_decoder(reads, sounds, tiny_model, text, off, fill):
    blocks, count, changes = tiny_model.network.model.decoder.layers, len(text.ids), []
    for part, heads_off in zip(("self_attn", "encoder_attn"), off, strict=True):
        for number, heads in heads_off.items():
            module = getattr(blocks[number], part).out_proj
            held = seen(tiny_model, sounds[0], text.ids, module, "pre")
            changes.append((module, emptied(tiny_model, held, heads, fill, count)))
    _, expected = hooked(tiny_model, sounds[0], text.ids, changes, "pre")
    torch.testing.assert_close(decoder.without_heads(reads[0], off, fill), expected, **ROUNDING)


def test_all_heads_off_is_the_module_s_bias_alone(runs, sounds, tiny_model, text):
    """Law: switching off all heads of a module equals removing the module's output up to its bias."""
    module = tiny_model.network.model.encoder.layers[1].self_attn
    bias = module.out_proj.bias
    expected, _ = hooked(tiny_model, sounds[0], text.ids, [(module, bias.expand_as)])
    torch.testing.assert_close(encoder.without_heads(runs[0], {1: (0, 1)}, "zero"), expected, **ROUNDING)


def test_the_whole_text_has_the_transcript_s_log_probabilities(clip, runs, reads, tiny_model, text):
    asked = wanted.whole(tiny_model, text)
    states = encoder.onward(runs[0], runs[0].streams[-1][None], runs[0].layers)
    np.testing.assert_allclose(asked.logprobs(tiny_model, states), text.logprobs, **ROUNDING)
    table = decoder.onward(reads[0], reads[0].streams[-1][None], reads[0].layers)
    np.testing.assert_allclose(asked.of(table), text.logprobs, **ROUNDING)


def test_a_word_is_its_tokens_of_the_text(runs, tiny_model, text):
    states = encoder.onward(runs[0], runs[0].streams[-1][None], runs[0].layers)
    word = wanted.of_word(text, "ab")
    first_token = word.before[len(text.prompt) :]
    at = len(first_token)
    expected = text.logprobs[at : at + len(word.tokens)]
    np.testing.assert_allclose(word.logprobs(tiny_model, states), expected, **ROUNDING)
