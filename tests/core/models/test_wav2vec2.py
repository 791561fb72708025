"""wav2vec 2.0, HuBERT, WavLM, data2vec-audio: the adapter against the networks, value zeroing against an oracle."""

import numpy as np
import pytest
import torch
from reference_wav2vec2 import first, looped_attention, rerun, value_zeroing
from tiny_wav2vec2 import KINDS, tiny_config, tiny_network, tiny_values
from transformers import HubertForCTC, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining, WavLMForSequenceClassification

from methods.core.frames import wav2vec2_grid
from methods.core.mixing import zeroing
from methods.core.models.sites import FeedForward, PostNorm
from methods.core.models.threads import choose_threads
from methods.core.models.wav2vec2.sites import encoder_pass, position_buckets
from reference import record_calls

SAMPLES = 16_399  # the last 79 samples have no frame
FRAMES = 50
SPANS = [range(11), range(11, 14), range(20, 41), range(41, 50)]
# Sums of at most a few hundred products of numbers of order 1 in float64 (eps 2.2e-16), in another order than the
# library's: 1e-12 leaves a factor of ten over eps × terms × layers.
EXACT = {"rtol": 1e-10, "atol": 1e-12}
# The oracle's distances, 1e-5 to 1e-1, have an absolute error of a few eps × terms.
FLOAT64 = {"rtol": 1e-8, "atol": 1e-14}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On a busy machine two threads wait for each other and these small sums take ten times as long."""
    choose_threads()


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(
    scope="module", params=KINDS, ids=[f"{family}-{'pre' if pre else 'post'}-norm" for family, pre in KINDS]
)
def case(request):
    """A network of three layers and four heads, its input, and our pass over it."""
    config = tiny_config(*request.param, layers=3, heads=4, dim=32)
    network, values = tiny_network(config, seed=4, double=True), tiny_values(SAMPLES, seed=1, double=True)
    return network, values, encoder_pass(network, values, own=FRAMES)


def pre_norm(network) -> bool:
    return getattr(network.config, "do_stable_layer_norm", False)


def is_wavlm(network) -> bool:
    return network.config.model_type == "wavlm"


def test_frames_are_those_of_the_grid(case):
    _, _, states = case
    assert wav2vec2_grid(SAMPLES).frames == FRAMES
    assert states.hidden.shape == (4, FRAMES, 32)
    assert states.conv.shape == (FRAMES, 8)
    assert all(site.own_keys == FRAMES and site.key.shape[1] == FRAMES for site in states.sites)


def test_another_number_of_frames_is_refused(case):
    network, values, _ = case
    with pytest.raises(ValueError, match="50 frames, its frame grid says 49"):
        encoder_pass(network, values, own=49)


def test_weights_are_those_of_the_library_or_of_a_plain_loop(case):
    """WavLM returns one map, averaged over heads, for all heads: that is our mean; ours per head are the loop's."""
    network, values, states = case
    weights = torch.stack([site.weights() for site in states.sites])
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), **EXACT)
    assert weights.max() > 0.15  # a uniform map, 1 / 50, would prove nothing
    network.set_attn_implementation("eager")
    expected = torch.cat(network(values, output_attentions=True).attentions)
    network.set_attn_implementation("sdpa" if not is_wavlm(network) else "eager")
    if is_wavlm(network):
        assert (expected[:, 0] == expected[:, 1]).all()
        torch.testing.assert_close(weights.mean(1), expected[:, 0], **EXACT)
        kept = []
        with looped_attention(kept=kept):
            network(values)
        expected = torch.stack(kept)
        assert (weights[:, 0] - weights[:, 1]).abs().max() > 0.1  # heads differ
    torch.testing.assert_close(weights, expected, **EXACT)


def test_rows_can_be_asked_for_in_part(case):
    for site in case[2].sites:
        torch.testing.assert_close(site.weights(slice(7, 9)), site.weights()[:, 7:9], **EXACT)


def test_heads_and_bias_add_up_to_the_modules_output(case):
    network, values, states = case
    calls = record_calls([layer.attention for layer in network.encoder.layers], lambda: network(values))
    for site, call in zip(states.sites, calls, strict=True):
        summed = torch.einsum("hrk,hkd->rd", site.weights(), site.contributions()) + site.out_bias
        torch.testing.assert_close(summed, call.output[0][0], **EXACT)
        torch.testing.assert_close(site.output(), call.output[0][0], **EXACT)


def test_rest_of_the_block_gives_the_next_hidden_state(case):
    network, _, states = case
    for site in states.sites:
        assert isinstance(site.rest, FeedForward if pre_norm(network) else PostNorm)
        torch.testing.assert_close(site.rest(site.residual + site.output()), states.hidden[site.layer + 1], **EXACT)


def test_hidden_states_are_the_librarys_and_the_last_one_is_what_is_passed_on(case):
    """methods.md 0.4: the library's last hidden state is raw in pre-norm models; ours is after the final norm."""
    network, values, states = case
    output = network(values, output_hidden_states=True)
    theirs = torch.cat(output.hidden_states)
    torch.testing.assert_close(states.hidden[:-1], theirs[:-1], **EXACT)
    torch.testing.assert_close(states.hidden[-1], output.last_hidden_state[0], **EXACT)
    if pre_norm(network):
        torch.testing.assert_close(states.raw_last, theirs[-1], **EXACT)
        torch.testing.assert_close(network.encoder.layer_norm(states.raw_last), states.hidden[-1], **EXACT)
        assert (theirs[-1] - states.hidden[-1]).abs().max() > 0.1
    else:
        assert states.raw_last is None
        torch.testing.assert_close(states.hidden[-1], theirs[-1], **EXACT)


def test_the_first_hidden_state_is_normed_only_in_post_norm_models(case):
    network, values, states = case
    calls = record_calls([network.feature_projection, network.encoder.pos_conv_embed], lambda: network(values))
    projected = first(calls[0].output)
    summed = (projected + calls[1].output)[0]
    expected = summed if pre_norm(network) else network.encoder.layer_norm(summed)
    torch.testing.assert_close(states.hidden[0], expected, **EXACT)


def test_conv_is_the_bare_output_of_the_last_convolution(case):
    network, values, states = case
    expected = values[:, None]
    for layer in network.feature_extractor.conv_layers:
        expected = layer(expected)
    torch.testing.assert_close(states.conv, expected[0].T, **EXACT)


def test_value_zeroing_of_words_equals_the_oracle(case):
    network, values, states = case
    expected = value_zeroing(network, values, SPANS)
    expected = torch.stack([expected[:, :, rows.start : rows.stop].mean(-1) for rows in SPANS], 1)
    np.testing.assert_allclose(distances(states, SPANS, SPANS), expected, **FLOAT64)


def test_value_zeroing_of_single_frames_equals_the_oracle(case):
    network, values, states = case
    chosen = [range(i, i + 1) for i in (0, 1, 24, 49)]
    frames = [range(i, i + 1) for i in range(FRAMES)]
    expected = value_zeroing(network, values, chosen).transpose(1, 2)
    np.testing.assert_allclose(distances(states, frames, chosen), expected, **FLOAT64)


def distances(states, rows, columns) -> np.ndarray:
    with torch.inference_mode():
        return np.stack([zeroing.site_distances(site, rows, columns) for site in states.sites])


def test_the_oracle_for_wavlm_runs_the_librarys_layer():
    """Without zeroing, the loop over heads must give the layer's own output; with it, something else."""
    network = tiny_network(tiny_config("wavlm", heads=4, dim=32), seed=4, double=True)
    values = tiny_values(SAMPLES, double=True)
    for layer, call in zip(
        network.encoder.layers, record_calls(network.encoder.layers, lambda: network(values)), strict=True
    ):
        torch.testing.assert_close(rerun(layer, call, None), first(call.output), **EXACT)
        assert (rerun(layer, call, range(5)) - first(call.output)).abs().max() > 0.01


@pytest.mark.parametrize(("buckets", "furthest"), [(320, 800), (32, 128), (64, 1000)])
def test_position_buckets_are_the_modules(buckets, furthest):
    """Up to 30 s = 1,499 frames either way, beyond the furthest distance that has a bucket of its own."""
    network = tiny_network(tiny_config("wavlm", num_buckets=buckets, max_bucket_distance=furthest))
    every = torch.arange(-1499, 1500)
    expected = network.encoder.layers[0].attention._relative_positions_bucket(every)
    assert (position_buckets(every, buckets, furthest) == expected).all()


def test_gated_positions_are_the_modules():
    """The scores that WavLM's module hands to torch as a mask, layer by layer."""
    network = tiny_network(tiny_config("wavlm", layers=3, heads=4, dim=32), seed=6, double=True)
    values = tiny_values(SAMPLES, double=True)
    masks = []
    attentions = [layer.attention for layer in network.encoder.layers]
    original = type(attentions[0]).torch_multi_head_self_attention
    for attention in attentions:
        attention.torch_multi_head_self_attention = lambda states, mask, bias, module=attention: (
            masks.append(bias) or original(module, states, mask, bias)
        )
    sites = encoder_pass(network, values, own=FRAMES).sites
    for site, mask in zip(sites, masks, strict=True):
        assert site.bias.shape == (4, FRAMES, FRAMES)
        torch.testing.assert_close(site.bias[:, slice(None)], mask, **EXACT)
        assert mask.std() > 1


HEADED = [
    (("wav2vec2", False), Wav2Vec2ForCTC),
    (("wav2vec2", True), Wav2Vec2ForPreTraining),
    (("hubert", True), HubertForCTC),
    (("wavlm", False), WavLMForSequenceClassification),
]


@pytest.mark.parametrize(("kind", "cls"), HEADED)
def test_a_network_with_a_head_gives_what_its_encoder_gives(kind, cls):
    network, values = tiny_network(tiny_config(*kind), cls, seed=2), tiny_values(SAMPLES)
    headed, plain = (encoder_pass(each, values, own=FRAMES) for each in (network, network.base_model))
    assert (headed.hidden == plain.hidden).all()
    assert (headed.output == plain.output).all()


@pytest.mark.parametrize("kind", KINDS)
def test_masking_is_off_and_hooks_are_gone(kind):
    """Masks and dropout, 0.9 here, are for training: two passes agree to the bit."""
    more = {"mask_time_prob": 0.9, "mask_feature_prob": 0.9, "hidden_dropout": 0.9, "attention_dropout": 0.9}
    network, values = tiny_network(tiny_config(*kind, **more, layerdrop=0.9)), tiny_values(SAMPLES)
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())
    once, again = (encoder_pass(network, values, own=FRAMES) for _ in range(2))
    assert (once.hidden == again.hidden).all()
    calm = tiny_network(tiny_config(*kind, mask_time_prob=0.9, layerdrop=0.0))  # keeps the same list of weights
    assert (encoder_pass(calm, values, own=FRAMES).hidden == once.hidden).all()
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()) == hooks


def test_hooks_are_gone_after_a_failure():
    network = tiny_network(tiny_config("hubert"))
    with pytest.raises(RuntimeError):
        encoder_pass(network, tiny_values(100), own=1)  # shorter than one frame
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.encoder.modules())
