"""Attention norms against the published heads × rows × keys × dim tensor, built from the networks' own modules."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_wav2vec2 import tiny_config, tiny_network, tiny_values

from methods import attention_norm
from methods.core.errors import UserError
from methods.core.mixing import norms, single_frames
from methods.core.models import load_model
from methods.core.models.wav2vec2 import sites as wav2vec2_sites
from methods.core.models.whisper.sites import decoder_pass, encoder_pass
from reference import attention_maps
from tiny import tiny_features, tiny_whisper

OWN = 65
IDS = (1, 4, 3, 7, 9, 11, 20)
SPANS = [range(11), range(11, 15), range(25, 48), range(48, 65)]
# Norms of sums of some dozens of products of order 1 in float64 (eps 2.2e-16), in another order: 1e-10. Where heads
# cancel, N² has an absolute error of some eps × (sum of the heads' norms)², so N one of 1e-8 × a few.
EXACT = {"rtol": 1e-10, "atol": 1e-8}


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def whisper():
    network = tiny_whisper(seed=5, layers=2, heads=4, dim=32, double=True)
    features = tiny_features(seed=1, double=True)
    encoder = encoder_pass(network, features, own=OWN)
    return network, features, encoder, decoder_pass(network, encoder.output, IDS, own=OWN)


@pytest.fixture(scope="module")
def post_norm():
    network = tiny_network(tiny_config("wav2vec2", heads=4), seed=4, double=True)
    values = tiny_values(samples=7_000, double=True)
    network.set_attn_implementation("eager")
    with torch.no_grad():
        output = network(values, output_attentions=True, output_hidden_states=True)
        sites = wav2vec2_sites.encoder_pass(network, values, own=output.last_hidden_state.shape[1]).sites
    return network, output, sites


def tensor(module, read: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(heads, rows, keys, dim) α^h_ij f^h(x_j), from an attention module's own parameters and what it reads."""
    heads = weights.shape[0]
    value = module.v_proj(read).unflatten(-1, (heads, -1))  # (keys, heads, head_dim)
    out = module.out_proj.weight.unflatten(1, (heads, -1))  # (dim, heads, head_dim)
    return weights[..., None] * torch.einsum("khe,dhe->hkd", value, out)[:, None]


def whisper_cases(whisper):
    """Site, its published tensor, and the residual vectors of its rows (None in cross-attention)."""
    network, features, encoder, decoder = whisper
    maps = attention_maps(network, features, torch.tensor([IDS]))
    with torch.no_grad():
        output = network(features, decoder_input_ids=torch.tensor([IDS]), output_hidden_states=True, use_cache=False)
    sound = output.encoder_last_hidden_state[0]
    for i, block in enumerate(network.model.encoder.layers):
        stream = output.encoder_hidden_states[i][0]
        parts = tensor(block.self_attn, block.self_attn_layer_norm(stream), maps.encoder[i][:, :OWN])
        yield encoder.sites[i], parts, stream[:OWN]
    for i, block in enumerate(network.model.decoder.layers):
        stream = output.decoder_hidden_states[i][0]
        parts = tensor(block.self_attn, block.self_attn_layer_norm(stream), maps.decoder[i])
        yield decoder.self_sites[i], parts, stream
        yield decoder.cross_sites[i], tensor(block.encoder_attn, sound, maps.cross[i]), None


def with_residual(parts: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    """(rows, keys, dim) heads added up, and the row's residual vector where the key is the row."""
    summed = parts.sum(0)
    rows = range(len(residual))
    summed[rows, rows] += residual
    return summed


def test_norms_are_those_of_the_published_tensor(whisper):
    for site, parts, residual in whisper_cases(whisper):
        found = norms.site_norms(site)
        torch.testing.assert_close(found.heads, parts.norm(dim=-1), **EXACT)
        torch.testing.assert_close(found.summed, parts.sum(0).norm(dim=-1), **EXACT)
        assert found.normed is None  # Whisper's blocks are pre-norm
        if residual is None:
            assert found.residual is None
        else:
            torch.testing.assert_close(found.residual, with_residual(parts, residual).norm(dim=-1), **EXACT)


def test_contributions_and_bias_add_up_to_the_output(whisper):
    for site, parts, _ in whisper_cases(whisper):
        torch.testing.assert_close(parts.sum((0, 2)) + site.out_bias, site.output(), rtol=1e-10, atol=1e-12)


def test_no_part_is_shorter_than_the_whole(whisper):
    """Triangle inequality: ‖Σ_j F_ij‖ ≤ Σ_j N_ij ≤ Σ_j Σ_h of the heads' own norms."""
    for site, _, _ in whisper_cases(whisper):
        found = norms.site_norms(site)
        whole = (site.output() - site.out_bias).norm(dim=-1)
        assert (whole <= found.summed.sum(-1) * (1 + 1e-9)).all()
        assert (found.summed <= found.heads.sum(0) * (1 + 1e-9) + 1e-12).all()


def test_post_norm_blocks_have_the_third_norm(post_norm):
    network, output, sites = post_norm
    for i, (block, site) in enumerate(zip(network.encoder.layers, sites, strict=True)):
        stream = output.hidden_states[i][0]
        parts = with_residual(tensor(block.attention, stream, output.attentions[i][0]), stream)
        full = parts.sum(1) + block.attention.out_proj.bias
        spread = (full.var(-1, correction=0, keepdim=True) + block.layer_norm.eps).sqrt()

        def shared(vectors, norm=block.layer_norm, spread=spread):
            return norm.weight * (vectors - vectors.mean(-1, keepdim=True)) / spread

        # Kobayashi et al. 2021: the parts after the LayerNorm, the bias's part and the offset add up to its output.
        moved = shared(parts.transpose(0, 1)).transpose(0, 1)
        whole = moved.sum(1) + shared(block.attention.out_proj.bias) + block.layer_norm.bias
        torch.testing.assert_close(whole, block.layer_norm(full), **EXACT)
        torch.testing.assert_close(norms.site_norms(site).normed, moved.norm(dim=-1), **EXACT)
        own = moved[range(len(stream)), range(len(stream))]
        mixed, kept = (moved.sum(1) - own).norm(dim=-1), own.norm(dim=-1)
        ratio = norms.mixing_ratio(site, norm=site.rest.first_norm)
        torch.testing.assert_close(ratio, mixed / (mixed + kept), **EXACT)


def test_mixing_ratio_is_that_of_the_published_tensor(whisper):
    for site, parts, residual in whisper_cases(whisper):
        total = parts.sum((0, 2))
        if residual is None:
            mixed, kept = total.norm(dim=-1), site.residual.norm(dim=-1)
        else:
            rows = range(len(residual))
            own = parts.sum(0)[rows, rows]
            mixed, kept = (total - own).norm(dim=-1), (own + residual).norm(dim=-1)
        torch.testing.assert_close(norms.mixing_ratio(site), mixed / (mixed + kept), **EXACT)


def test_gathering_by_word_is_the_mean_over_rows_of_the_sum_over_columns(whisper):
    """Chunk by chunk: 1,500 keys are six chunks, and the diagonal of +RES lies in the first."""
    site, parts, residual = next(whisper_cases(whisper))
    found = norms.word_norms(site, SPANS, SPANS)
    direct = {"summed": parts.sum(0).norm(dim=-1), "residual": with_residual(parts, residual).norm(dim=-1)}
    for name, values in direct.items():
        expected = [[values[r.start : r.stop, c.start : c.stop].sum(1).mean() for c in SPANS] for r in SPANS]
        np.testing.assert_allclose(getattr(found, name), expected, **EXACT)
    padding = [
        direct["summed"][r.start : r.stop, OWN:].sum() / direct["summed"][r.start : r.stop].sum() for r in SPANS
    ]
    np.testing.assert_allclose(found.padding, padding, **EXACT)


def test_small_chunks_change_nothing(whisper, post_norm, monkeypatch):
    for site in (whisper[2].sites[0], whisper[3].self_sites[1], post_norm[2][0]):
        groups = [range(2), range(2, 5)]
        whole = norms.word_norms(site, groups, groups)
        monkeypatch.setattr(norms, "CHUNK", 3)
        parted = norms.word_norms(site, groups, groups)
        monkeypatch.undo()
        for name in ("heads", "summed", "residual", "normed", "padding"):
            if getattr(whole, name) is not None:
                np.testing.assert_allclose(getattr(parted, name), getattr(whole, name), rtol=1e-12, atol=1e-8)


def test_values_times_c_give_norms_times_c(whisper):
    site = whisper[2].sites[1]
    larger = replace(site, value=-3 * site.value)
    torch.testing.assert_close(norms.site_norms(larger).summed, 3 * norms.site_norms(site).summed, **EXACT)


def test_equal_values_leave_attention_times_a_constant(whisper):
    """One head, the same value everywhere: N_ij = α_ij ‖f‖."""
    site = whisper[2].sites[1]
    flat = replace(site, value=site.value[:, :1].expand_as(site.value))
    length = torch.linalg.vector_norm(flat.contributions(slice(1)), dim=-1)
    torch.testing.assert_close(norms.site_norms(flat).heads, flat.weights() * length[:, None], **EXACT)
    single = replace(flat, query=flat.query[:1], key=flat.key[:1], value=flat.value[:1], out=flat.out[:1])
    torch.testing.assert_close(norms.site_norms(single).summed, single.weights()[0] * length[0], **EXACT)


def test_opposite_heads_cancel_inside_the_norm(whisper):
    """Two heads with equal weights and opposite contributions: each has a norm, together they add nothing."""
    site = whisper[2].sites[0]
    pair = {name: getattr(site, name)[:1].repeat(2, 1, 1) for name in ("query", "key", "value")}
    opposite = replace(site, **pair, out=torch.cat([site.out[:1], -site.out[:1]]))
    found = norms.site_norms(opposite)
    assert found.heads.min() > 0
    assert (found.summed <= 1e-7 * found.heads.sum(0)).all()  # the square root of a few eps


def test_single_precision_is_good_to_six_digits():
    """float32 weights, values and products of 16 terms: some eps (6e-8) × 16 relative, more where heads cancel."""
    single, double = (
        encoder_pass(tiny_whisper(seed=5, double=flag), tiny_features(1, double=flag), own=OWN).sites[0]
        for flag in (False, True)
    )
    exact = norms.site_norms(double)
    error = (norms.site_norms(single).summed - exact.summed).abs() / exact.heads.sum(0)
    assert error.max() < 2e-5


@pytest.fixture(scope="module")
def result(clip, tiny_model, segments):
    return attention_norm.analyse(clip, tiny_model, segments=segments, transcript="ab cd", random_seeds=(0, 1))


def test_result_of_a_clip(result):
    tokens = len(result.tokens)
    assert result.encoder.shape == result.encoder_residual.shape == (2, 4, 4)
    assert result.encoder_heads.shape == (2, 2, 4, 4)
    assert result.decoder.shape == result.decoder_residual.shape == (2, tokens, tokens)
    assert result.cross.shape == (2, tokens, 4)
    assert result.encoder_layernorm is None and result.encoder_ratio_layernorm is None
    assert result.encoder_ratio.shape == (2, 65) and result.times.shape == (65,)
    assert (result.decoder[:, ~np.tri(tokens, dtype=bool)] == 0).all()
    np.testing.assert_allclose(result.shares("cross", per="mass").sum(-1), 1)
    np.testing.assert_allclose(result.maps("encoder"), result.encoder / result.frames)
    assert not np.allclose(result.shares(), result.random[0].shares(), atol=1e-3)
    assert len(result.head_table()) == 2 * (result.encoder.size + result.decoder.size + result.cross.size)
    assert len(result.table()) == result.encoder.size + result.decoder.size + result.cross.size
    np.testing.assert_array_equal(result.table()["norm_residual"][:32], result.encoder_residual.ravel())
    assert len(result.ratio_table()) == 2 * (65 + 2 * tokens)


def test_what_is_not_defined_is_a_sentence(result):
    with pytest.raises(UserError, match="pre-norm"):
        result.maps("encoder", variant="layernorm")
    with pytest.raises(UserError, match="no column is the row's own"):
        attention_norm.plot(result, stack="cross", variant="residual")
    with pytest.raises(UserError, match="heads 1 to 2"):
        attention_norm.plot(result, head=3)
    with pytest.raises(UserError, match="no single head"):
        result.maps("encoder", head=1, variant="residual")


def test_plots_of_every_kind(result):
    for options in ({"head": 2}, {"variant": "residual"}, {"stack": "cross", "shares": False}, {"per": "mass"}):
        attention_norm.plot(result, **options)


def test_post_norm_models_have_every_field(clip, segments, tmp_path):
    tiny_network(tiny_config("hubert"), seed=2).save_pretrained(tmp_path)
    result = attention_norm.analyse(clip, load_model(str(tmp_path)), segments=segments, random_seeds=())
    assert result.encoder_layernorm.shape == (2, 4, 4) and result.encoder_ratio_layernorm.shape == (2, 64)
    assert result.decoder is None and result.cross_ratio is None
    attention_norm.plot(result, variant="layernorm")
    assert result.table()["norm_layernorm"].notna().all()


def test_conformers_and_single_frames_work(clip, segments):
    model = load_model("hama-ctc")
    result = attention_norm.analyse(clip, model, segments=segments, random_seeds=())
    assert result.encoder.shape == (4, 4, 4) and result.encoder_padding_share.max() == 0
    frames = single_frames(clip, model)
    single = attention_norm.analyse(clip, model, segments=frames, layers=(2,), random_seeds=())
    assert np.isnan(single.encoder[0]).all() and np.isfinite(single.encoder[1]).all()
