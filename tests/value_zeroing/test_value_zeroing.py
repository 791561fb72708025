"""Value zeroing against an oracle that re-runs the layer with hooks, and the laws of methods.md B6."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from methods import value_zeroing
from methods.core import mixing
from methods.core.errors import UserError
from methods.core.mixing import zeroing
from methods.core.mixing.zeroing import site_distances
from methods.core.models.whisper.sites import decoder_pass, encoder_pass
from methods.value_zeroing import AgainstTheMean
from reference import value_zeroing_cross, value_zeroing_decoder, value_zeroing_encoder
from tiny import tiny_features, tiny_whisper

OWN = 65
SPANS = [range(11), range(11, 15), range(25, 48), range(48, 65)]
IDS = (1, 4, 3, 7, 9, 11, 20)
TOKENS = [range(i, i + 1) for i in range(len(IDS))]


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def oracle_means(distances: torch.Tensor, rows: list[range], first: int = 0) -> np.ndarray:
    """(layers, J, row positions) -> (layers, row groups, J)."""
    means = [distances[:, :, group.start - first : group.stop - first].mean(-1) for group in rows]
    return torch.stack(means, 1).numpy()


def ours(sites, rows, columns) -> np.ndarray:
    with torch.inference_mode():
        return np.stack([zeroing.site_distances(site, rows, columns) for site in sites])


@pytest.fixture(scope="module", params=[(3, 2, 16), (2, 4, 32)], ids=["2 heads", "4 heads"])
def double(request):
    layers, heads, dim = request.param
    network = tiny_whisper(seed=5, layers=layers, heads=heads, dim=dim, ffn=2 * dim, double=True)
    features = tiny_features(seed=1, double=True)
    encoder = encoder_pass(network, features, own=OWN)
    return network, features, encoder, decoder_pass(network, encoder.output, IDS, own=OWN)


# In float64 the oracle's own 1 - cos has an absolute error of a few eps (2.2e-16 × terms); distances here are 1e-6 to
# 1e-1. Hence rtol 1e-8 and atol 1e-14.
FLOAT64 = {"rtol": 1e-8, "atol": 1e-14}


def test_encoder_equals_the_oracle(double):
    network, features, encoder, _ = double
    expected = oracle_means(value_zeroing_encoder(network, features, SPANS, range(OWN)), SPANS)
    np.testing.assert_allclose(ours(encoder.sites, SPANS, SPANS), expected, **FLOAT64)


def test_encoder_frame_by_frame_equals_the_oracle_where_the_first_product_is_folded(double):
    network, features, encoder, _ = double
    frames = [range(i, i + 1) for i in range(40)]
    expected = oracle_means(value_zeroing_encoder(network, features, frames[:6], range(OWN)), frames)
    np.testing.assert_allclose(ours(encoder.sites, frames, frames)[:, :, :6], expected, **FLOAT64)


def test_decoder_equals_the_oracle_and_never_looks_ahead(double):
    network, features, _, decoder = double
    raw = value_zeroing_decoder(network, features, torch.tensor([IDS]), TOKENS, range(len(IDS)))
    result = ours(decoder.self_sites, TOKENS, TOKENS)
    np.testing.assert_allclose(result, oracle_means(raw, TOKENS), **FLOAT64)
    assert (result[:, ~np.tri(len(IDS), dtype=bool)] == 0.0).all()


def test_cross_equals_the_oracle(double):
    network, features, _, decoder = double
    raw = value_zeroing_cross(network, features, torch.tensor([IDS]), SPANS, range(len(IDS)))
    np.testing.assert_allclose(ours(decoder.cross_sites, TOKENS, SPANS), oracle_means(raw, TOKENS), **FLOAT64)


def test_single_precision_keeps_small_distances():
    """float32 sums of 16 to 1,500 terms in the difference δ: relative error some 1e-6 of |δ|, doubled by squaring.

    The oracle in float32 would be off by 1e-2 here: 1 - cos cancels.
    """
    single, double = (tiny_whisper(seed=5, layers=3, double=flag) for flag in (False, True))
    expected = oracle_means(value_zeroing_encoder(double, tiny_features(1, double=True), SPANS, range(OWN)), SPANS)
    sites = encoder_pass(single, tiny_features(1), own=OWN).sites
    np.testing.assert_allclose(ours(sites, SPANS, SPANS), expected, rtol=2e-4, atol=1e-12)


def test_one_minus_cosine_against_scipy():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(50, 12, generator=generator, dtype=torch.float64)
    moved = torch.randn(50, 12, generator=generator, dtype=torch.float64) * torch.logspace(-2, 1, 50)[:, None]
    expected = [cosine(z, z + d) for z, d in zip(vectors.numpy(), moved.numpy(), strict=True)]
    # SciPy's own 1 - cos is good to some eps absolutely.
    np.testing.assert_allclose(zeroing.one_minus_cosine(vectors, moved), expected, rtol=1e-12, atol=1e-15)


def test_one_minus_cosine_where_the_textbook_form_fails():
    """z = (1, 0), δ = (0, t): cos = 1 / √(1 + t²), so 1 - cos = t² / 2 to first order: 5e-17 at t = 1e-8."""
    t = torch.tensor([1e-8, 1e-12], dtype=torch.float32)
    vectors, moved = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.stack([torch.zeros(2), t], 1)
    np.testing.assert_allclose(zeroing.one_minus_cosine(vectors, moved), t.double() ** 2 / 2, rtol=1e-6)
    opposite = zeroing.one_minus_cosine(torch.tensor([[1.0, 0.0]]), torch.tensor([[-3.0, 0.0]]))
    np.testing.assert_allclose(opposite, [2.0])  # turned round: the largest distance there is


def test_zeroing_nothing_moves_nothing(double):
    site = double[2].sites[0]
    measure = zeroing._PreNormZeroing(site, torch.arange(OWN), SPANS)
    assert (measure(torch.tensor([], dtype=torch.long)) == 0).all()


def test_without_an_output_matrix_nothing_is_mixed():
    network = tiny_whisper(seed=5, double=True)
    with torch.no_grad():
        for layer in network.model.encoder.layers:
            layer.self_attn.out_proj.weight.zero_()
    sites = encoder_pass(network, tiny_features(1, double=True), own=OWN).sites
    assert (ours(sites, SPANS, SPANS) == 0).all()


def test_result_of_a_clip(clip, tiny_model, segments):
    result = value_zeroing.analyse(clip, tiny_model, segments=segments, transcript="ab cd", random_seeds=(0, 1))
    tokens = len(result.tokens)
    assert result.encoder.shape == (2, 4, 4)
    assert result.decoder.shape == (2, tokens, tokens)
    assert result.cross.shape == (2, tokens, 4)
    assert len(result.random) == 2
    assert (result.random[0].encoder != result.random[1].encoder).all()
    np.testing.assert_allclose(result.shares("encoder").sum(-1), 1)
    np.testing.assert_allclose(result.self_share(), result.shares()[:, range(4), range(4)].mean(-1))


def test_word_missing_is_a_sentence(clip, tiny_model, segments):
    with pytest.raises(UserError, match="at least two"):
        value_zeroing.analyse(clip, tiny_model, segments=segments[:1], transcript="ab")


# Steps, and the mean instead of zero


def test_single_frames_come_in_steps_that_can_be_stopped(clip, tiny_model):
    segments = mixing.single_frames(clip, tiny_model)
    options = {"segments": segments, "layers": (2,), "stacks": ("encoder",), "random_seeds": (0,)}
    steps = value_zeroing.analyse.in_steps(clip, tiny_model, **options)
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            result = end.value
            break
    chunks = -(-len(segments) // zeroing.AT_ONCE)
    assert len(seen) == 2 * (chunks + 1)
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[0].partial is None
    shown = [step.partial for step in seen if step.partial is not None][-1]
    np.testing.assert_array_equal(shown.encoder, result.encoder)  # the trained map, while controls run
    whole = value_zeroing.analyse(clip, tiny_model, **options)
    np.testing.assert_array_equal(result.encoder, whole.encoder)
    assert np.isnan(result.encoder[0]).all()
    steps = value_zeroing.analyse.in_steps(clip, tiny_model, **options)
    next(steps)
    steps.close()  # Stop


def test_mean_ablation_is_that_of_the_core(clip, tiny_model, segments):
    options = {"segments": segments, "transcript": "ab cd", "language": "en", "random_seeds": (0,)}
    mean = value_zeroing.analyse(clip, tiny_model, ablation="mean", **options)
    zero = value_zeroing.analyse(clip, tiny_model, **options)
    assert mean.provenance["options"]["ablation"] == "mean"
    passage = mixing.passage(clip, tiny_model, segments=segments, transcript="ab cd", language="en")
    for stack in ("encoder", "decoder", "cross"):
        rows, columns = passage.groups(stack)
        expected = [site_distances(AgainstTheMean(**vars(site)), rows, columns) for site in passage.sites(stack)]
        np.testing.assert_array_equal(getattr(mean, stack), expected)
        assert np.abs(getattr(mean, stack) - getattr(zero, stack)).max() > 1e-4
    assert "mean" in value_zeroing.view(mean).title
    assert "mean" not in value_zeroing.view(zero).title
    assert mean.random[0].encoder.shape == mean.encoder.shape
