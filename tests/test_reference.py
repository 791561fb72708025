"""The oracles themselves obey the laws that follow from the definition (methods that rely on them come after)."""

import math

import pytest
import torch

from reference import (
    attention_maps,
    cosine_distance,
    value_zeroing_cross,
    value_zeroing_decoder,
    value_zeroing_encoder,
)
from tiny import tiny_features, tiny_whisper

FRAMES = 1500  # encoder frames, 20 ms each
ROWS = range(20, 60)
TOKENS = torch.tensor([[1, 5, 9, 13, 17, 21, 25]])
POSITIONS = range(TOKENS.shape[1])
NOTHING, WORD, ALL_FRAMES = range(0), range(30, 45), range(FRAMES)

# Two float64 ways to the same row (sums of up to 1,500 products, 1e-16 each) differ by some 1e-13 of its length; the
# distance is half a squared chord of at most 2, so it moves by less than 1e-12.
EXACT = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(scope="module")
def network():
    return tiny_whisper(double=True)


@pytest.fixture(scope="module")
def features():
    return tiny_features(double=True)


@pytest.fixture(scope="module")
def maps(network, features):
    return attention_maps(network, features, TOKENS)


def layer_norm(x, norm):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def block_by_hand(layer, x, weights):
    """One encoder layer written out from its parameters, (T, dim), with the given attention weights (H, T, T)."""
    attention, heads = layer.self_attn, weights.shape[0]
    values = layer_norm(x, layer.self_attn_layer_norm) @ attention.v_proj.weight.T + attention.v_proj.bias
    mixed = torch.cat([w @ v for w, v in zip(weights, values.chunk(heads, dim=-1), strict=True)], dim=-1)
    h = x + mixed @ attention.out_proj.weight.T + attention.out_proj.bias
    inner = layer_norm(h, layer.final_layer_norm) @ layer.fc1.weight.T + layer.fc1.bias
    inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
    return h + inner @ layer.fc2.weight.T + layer.fc2.bias


@torch.no_grad()
@pytest.mark.parametrize("zeroed", [WORD, ALL_FRAMES], ids=["one word", "every frame: the residual path"])
def test_encoder_equals_a_block_written_out_by_hand(network, features, maps, zeroed):
    # Zero values at J are the same as zero attention to J; for every frame nothing is left but x + b_O and the FFN.
    encoder, expected = network.model.encoder, []
    states = encoder(features, output_hidden_states=True).hidden_states
    for index, (layer, weights) in enumerate(zip(encoder.layers, maps.encoder, strict=True)):
        blind = weights.clone()
        blind[:, :, list(zeroed)] = 0
        x, last = states[index][0], index == len(encoder.layers) - 1
        before, after = (block_by_hand(layer, x, w) for w in (weights, blind))
        if last:
            before, after = layer_norm(before, encoder.layer_norm), layer_norm(after, encoder.layer_norm)
        expected.append(cosine_distance(after, before)[list(ROWS)])
    found = value_zeroing_encoder(network, features, [zeroed], ROWS)
    torch.testing.assert_close(found[:, 0], torch.stack(expected), **EXACT)


def test_zeroing_nothing_moves_nothing(network, features):
    assert value_zeroing_encoder(network, features, [NOTHING], ROWS).abs().max() == 0
    assert value_zeroing_decoder(network, features, TOKENS, [NOTHING], POSITIONS).abs().max() == 0
    assert value_zeroing_cross(network, features, TOKENS, [NOTHING], POSITIONS).abs().max() == 0


def test_shapes_and_precision(network, features):
    found = value_zeroing_encoder(network, features, [WORD, NOTHING, ALL_FRAMES], ROWS)
    assert found.shape == (2, 3, len(ROWS))
    assert found.dtype == torch.float64


def test_decoder_rows_before_the_zeroed_token_do_not_move(network, features):
    found = value_zeroing_decoder(network, features, TOKENS, [range(j, j + 1) for j in POSITIONS], POSITIONS)
    for j in POSITIONS:
        assert found[:, j, :j].abs().sum() == 0  # exactly: a later token is behind the causal mask
        assert (found[:, j, j:] > 0).all()


@pytest.mark.parametrize(
    ("oracle", "attention", "everything"),
    [(value_zeroing_decoder, "self_attn", POSITIONS), (value_zeroing_cross, "encoder_attn", ALL_FRAMES)],
)
def test_zeroing_every_value_equals_an_output_projection_of_zero(features, oracle, attention, everything):
    # With one layer the comparison needs no hook: run the whole model again with W_O = 0 (b_O stays).
    network = tiny_whisper(layers=1, double=True)
    found = oracle(network, features, TOKENS, [everything], POSITIONS)[0, 0]
    states = [network.model(features, decoder_input_ids=TOKENS, use_cache=False).last_hidden_state[0]]
    with torch.no_grad():
        getattr(network.model.decoder.layers[0], attention).out_proj.weight.zero_()
    states += [network.model(features, decoder_input_ids=TOKENS, use_cache=False).last_hidden_state[0]]
    torch.testing.assert_close(found, cosine_distance(*states), **EXACT)


@torch.no_grad()
def test_without_an_output_projection_values_do_not_matter(features):
    network = tiny_whisper(seed=3)
    for layer in [*network.model.encoder.layers, *network.model.decoder.layers]:
        layer.self_attn.out_proj.weight.zero_()
    for layer in network.model.decoder.layers:
        layer.encoder_attn.out_proj.weight.zero_()
    single = features.float()
    assert value_zeroing_encoder(network, single, [WORD], ROWS).abs().max() == 0
    assert value_zeroing_decoder(network, single, TOKENS, [range(1, 3)], POSITIONS).abs().max() == 0
    assert value_zeroing_cross(network, single, TOKENS, [WORD], POSITIONS).abs().max() == 0


def test_cosine_distance_of_vectors_on_paper():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 4.0]])
    b = torch.tensor([[0.0, 5.0], [-1.0, 0.0], [7.0, 0.0], [4.0, 3.0]])
    torch.testing.assert_close(cosine_distance(a, b), torch.tensor([1.0, 2.0, 0.0, 0.04], dtype=torch.float64))


def test_maps_are_rows_of_probabilities(maps):
    for stack in (maps.encoder, maps.decoder, maps.cross):
        # 1,500 float64 roundings of 1e-16, all of one sign, still stay below 1e-12.
        torch.testing.assert_close(stack.sum(-1), torch.ones(stack.shape[:-1]).double(), rtol=0, atol=1e-12)
    assert maps.decoder.triu(1).abs().max() == 0
    assert maps.encoder.shape == (2, 2, FRAMES, FRAMES)
    assert maps.cross.shape == (2, 2, len(POSITIONS), FRAMES)


def test_tiny_attention_is_far_from_uniform(maps):
    # The reason for tiny_whisper's larger weights: a row's largest weight is several times 1 / 1,500.
    assert (maps.encoder.amax(-1) * FRAMES).median() > 3


def test_hooks_are_gone_afterwards_even_after_an_error(features):
    network = tiny_whisper(double=True)
    value_zeroing_encoder(network, features, [WORD], ROWS)
    with pytest.raises(IndexError):
        value_zeroing_cross(network, features, TOKENS, [range(FRAMES, FRAMES + 1)], POSITIONS)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_maps_put_the_attention_setting_back(features):
    network = tiny_whisper(double=True)
    network.set_attn_implementation("sdpa")
    attention_maps(network, features, TOKENS)
    assert network.config._attn_implementation == "sdpa"
    assert network.model.encoder.layers[0].self_attn.config._attn_implementation == "sdpa"
