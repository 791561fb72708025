"""The adapter against the networks themselves: parts add up to the module, one block's output feeds the next."""

import pytest
import torch

from methods.core.models.whisper.sites import decoder_pass, encoder_pass
from reference import attention_maps, record_calls
from tiny import tiny_features, tiny_whisper

IDS = (1, 4, 3, 7, 9, 11, 20)
OWN = 65
# Every quantity is a sum of at most a few hundred products of numbers of order 1 in float64 (eps 2.2e-16), taken in
# another order than the library's: 1e-12 leaves a factor of ten over eps × terms × layers.
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def passes():
    network, features = tiny_whisper(seed=3, layers=3, double=True), tiny_features(seed=2, double=True)
    encoder = encoder_pass(network, features, own=OWN)
    return network, features, encoder, decoder_pass(network, encoder.output, IDS, own=OWN)


def sites(passes):
    _, _, encoder, decoder = passes
    return [*encoder.sites, *decoder.self_sites, *decoder.cross_sites]


def test_weights_are_the_librarys_own(passes):
    network, features, encoder, decoder = passes
    maps = attention_maps(network, features, torch.tensor([IDS]))
    for layer in range(3):
        torch.testing.assert_close(encoder.sites[layer].weights(), maps.encoder[layer][:, :OWN], **EXACT)
        torch.testing.assert_close(decoder.self_sites[layer].weights(), maps.decoder[layer], **EXACT)
        torch.testing.assert_close(decoder.cross_sites[layer].weights(), maps.cross[layer], **EXACT)


def test_rows_sum_to_one(passes):
    for site in sites(passes):
        torch.testing.assert_close(site.weights().sum(-1), torch.ones_like(site.query[..., 0]), **EXACT)


def test_heads_and_bias_add_up_to_the_modules_output(passes):
    network, features, *_ = passes
    modules = [layer.self_attn for layer in network.model.encoder.layers]
    modules += [layer.self_attn for layer in network.model.decoder.layers]
    modules += [layer.encoder_attn for layer in network.model.decoder.layers]
    outputs = module_outputs(network, features, modules)
    for site, expected in zip(sites(passes), outputs, strict=True):
        summed = torch.einsum("hrk,hkd->rd", site.weights(), site.contributions()) + site.out_bias
        torch.testing.assert_close(site.output(), expected[: len(site.residual)], **EXACT)
        torch.testing.assert_close(summed, expected[: len(site.residual)], **EXACT)


def module_outputs(network, features, modules):
    seen = {}
    handles = [
        m.register_forward_hook(lambda _m, _i, out, n=n: seen.update({n: out[0][0]})) for n, m in enumerate(modules)
    ]
    with torch.no_grad():
        network(features, decoder_input_ids=torch.tensor([IDS]), use_cache=False)
    for handle in handles:
        handle.remove()
    return [seen[n] for n in range(len(modules))]


def test_rest_of_the_block_gives_the_next_hidden_state(passes):
    _, _, encoder, decoder = passes
    for group, hidden in (
        (encoder.sites, encoder.hidden),
        (decoder.self_sites, decoder.hidden),
        (decoder.cross_sites, decoder.hidden),
    ):
        for site in group:
            torch.testing.assert_close(site.rest(site.residual + site.output()), hidden[site.layer + 1], **EXACT)


def test_hidden_states_are_the_librarys(passes):
    network, features, encoder, decoder = passes
    with torch.no_grad():
        output = network(features, decoder_input_ids=torch.tensor([IDS]), output_hidden_states=True, use_cache=False)
    torch.testing.assert_close(encoder.hidden, torch.cat(output.encoder_hidden_states)[:, :OWN], **EXACT)
    torch.testing.assert_close(decoder.hidden, torch.cat(output.decoder_hidden_states), **EXACT)
    torch.testing.assert_close(decoder.logits, output.logits[0], **EXACT)
    torch.testing.assert_close(network.model.encoder.layer_norm(encoder.raw_last), encoder.hidden[-1], **EXACT)


def test_layer_fed_with_its_hidden_state_gives_the_next_one(passes):
    network, features, encoder, _ = passes
    calls = record_calls(network.model.encoder.layers, lambda: network.model.encoder(features))
    for layer, call in enumerate(calls):
        given = call.args[0] if call.args else call.kwargs["hidden_states"]
        torch.testing.assert_close(encoder.hidden[layer], given[0, :OWN], **EXACT)


def test_hooks_are_gone_after_a_pass():
    network = tiny_whisper(seed=3)
    before = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())
    states = encoder_pass(network, tiny_features(), own=OWN)
    decoder_pass(network, states.output, IDS, own=OWN)
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()) == before
