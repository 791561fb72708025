"""Attention, attention norm and value zeroing side by side: each equals its own technique, and known distances."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from tiny_wav2vec2 import tiny_config, tiny_network

from methods import attention, attention_norm, context_mixing, value_zeroing
from methods.context_mixing import three_scores
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.mixing import zeroing
from methods.core.mixing.norms import head_reach
from methods.core.mixing.zeroing import site_distances
from methods.core.models import load_model
from methods.core.models.whisper.sites import decoder_pass, encoder_pass
from methods.core.statistics.correlation import rank_correlation
from methods.value_zeroing import AgainstTheMean
from reference import Call, cosine_distance, final_norm, record_calls
from tiny import tiny_features, tiny_whisper

STACKS = ("encoder", "decoder", "cross")
OWN = 65
SPANS = [range(11), range(11, 15), range(25, 48), range(48, 65)]
IDS = (1, 4, 3, 7, 9, 11, 20)


@pytest.fixture(scope="module")
def results(clip, tiny_model, segments):
    options = {"segments": segments, "transcript": "ab cd", "language": "en", "random_seeds": (0, 1)}
    return {stack: context_mixing.analyse(clip, tiny_model, stack=stack, **options) for stack in STACKS}


@pytest.mark.parametrize("stack", STACKS)
def test_each_score_is_that_of_its_own_technique(clip, tiny_model, segments, results, stack):
    options = {
        "segments": segments,
        "transcript": "ab cd",
        "language": "en",
        "random_seeds": (0, 1),
        "stacks": (stack,),
    }
    looked = attention.analyse(clip, tiny_model, **options)
    added = attention_norm.analyse(clip, tiny_model, **options)
    turned = value_zeroing.analyse(clip, tiny_model, **options)
    # `attention` averages float32 weights in float32 (eps 6e-8, at most 23 of them), we in float64.
    close = {"rtol": 1e-6, "atol": 1e-12}
    for found, parts in zip(
        (results[stack], results[stack].random[1]),
        ((looked, added, turned), (looked.random[1], added.random[1], turned.random[1])),
        strict=True,
    ):
        np.testing.assert_allclose(found.attention, getattr(parts[0], stack).mean(1), **close)
        np.testing.assert_allclose(found.norm, getattr(parts[1], stack), **close)
        np.testing.assert_array_equal(found.zeroing, getattr(parts[2], stack))
    np.testing.assert_allclose(results[stack].shares("attention"), looked.shares(stack), **close)
    np.testing.assert_allclose(results[stack].shares("zeroing"), turned.shares(stack), **close)


def test_per_frame_divides_by_frames_once(results):
    result = results["encoder"]
    np.testing.assert_array_equal(result.maps("zeroing"), result.zeroing)
    np.testing.assert_allclose(result.maps("zeroing", "frame") * result.frames, result.zeroing)
    np.testing.assert_array_equal(result.maps("norm", "mass"), result.norm)
    np.testing.assert_allclose(result.maps("norm") * result.frames, result.norm)
    np.testing.assert_array_equal(results["decoder"].maps("norm", "frame"), results["decoder"].norm)


def made_up(results, scores: dict[str, np.ndarray], stack="encoder"):
    """A result of four words, each of one frame, with middles at 0.1, 0.3, 0.6 and 1.0 s, and these scores."""
    middles = np.array([0.1, 0.3, 0.6, 1.0])
    times = {"starts": middles - 0.05, "ends": middles + 0.05, "frames": np.ones(4), "own_frames": np.ones(4)}
    return replace(results[stack], **scores, **times, tokens=("<a>", "b", "c", "d"), prompt=0)


def test_distance_of_known_maps(results):
    forward = np.roll(np.eye(4), 1, axis=1)[None]  # everyone reads the next word, the last one the first
    scores = {"attention": np.eye(4)[None], "norm": forward, "zeroing": np.ones((1, 4, 4))}
    result = made_up(results, scores)
    np.testing.assert_allclose(result.distance("attention"), 0)
    np.testing.assert_allclose(result.distance("norm"), (200 + 300 + 400 + 900) / 4)  # ms
    # All words alike: twice the six distances between them, over 16 cells.
    even = 2 * (200 + 500 + 900 + 300 + 700 + 400) / 16
    np.testing.assert_allclose(result.distance("zeroing"), even)
    assert result.even_distance() == pytest.approx(even)


def test_distance_in_a_decoder_is_in_tokens(results):
    back = np.eye(4, k=-1)[None]  # everyone reads the token before; the first reads nothing, so it has no distance
    back_two = np.eye(4, k=-2)[None] + np.eye(4)[None] * [[1], [1], [0], [0]]
    result = made_up(results, {"attention": back, "norm": back_two, "zeroing": np.tri(4)[None]}, "decoder")
    np.testing.assert_allclose(result.distance("attention"), 1)
    np.testing.assert_allclose(result.distance("norm"), (0 + 0 + 2 + 2) / 4)
    np.testing.assert_allclose(result.distance("zeroing"), (0 + 1 / 2 + 1 + 3 / 2) / 4)
    assert result.even_distance() == pytest.approx(0.75)


def test_head_reach_of_known_weights():
    """One head looks at itself, one at the next frame (the last at the first), one at all four alike."""
    weights = torch.stack([torch.eye(4), torch.eye(4).roll(1, 1), torch.full((4, 4), 0.2)]).double()
    alike = np.mean([(0 + 1 + 2 + 3) / 4, (1 + 0 + 1 + 2) / 4, (2 + 1 + 0 + 1) / 4, (3 + 2 + 1 + 0) / 4])
    np.testing.assert_allclose(head_reach(weights), [0, (1 + 1 + 1 + 3) / 4, alike])


def test_heads_reach_what_the_frame_maps_say(clip, tiny_model, results):
    """Against the attention technique frame by frame, 20 ms apart."""
    from methods.core.mixing import single_frames

    frames = single_frames(clip, tiny_model)
    single = attention.analyse(
        clip, tiny_model, segments=frames, transcript="ab", stacks=("encoder",), random_seeds=()
    ).encoder
    shares = single / single.sum(-1, keepdims=True)
    places = 20.0 * np.arange(len(frames))
    expected = (shares * np.abs(places[:, None] - places)).sum(-1).mean(-1)
    np.testing.assert_allclose(results["encoder"].attention_reach, expected, rtol=1e-5)  # sums of 65 float32 numbers
    assert results["cross"].attention_reach is None


def test_rank_correlation_is_scipys_where_that_is_defined():
    left, right = np.random.default_rng(0).integers(0, 6, (2, 3, 20)).astype(float)  # with ties
    expected = [spearmanr(a, b).statistic for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(rank_correlation(left, right), expected, rtol=1e-12)
    left[1, :5] = np.nan
    assert rank_correlation(left, right)[1] == pytest.approx(spearmanr(left[1, 5:], right[1, 5:]).statistic)
    left[2] = 1.0
    left[0, 2:] = np.nan
    assert np.isnan(rank_correlation(left, right)[[0, 2]]).all()


def test_agreement_leaves_out_the_diagonal(results):
    """Scores that agree only in their diagonals do not agree; a score agrees with any growing function of itself."""
    generator = np.random.default_rng(1)
    first = generator.random((1, 4, 4))
    first /= first.sum(-1, keepdims=True)
    second = np.exp(3 * first)
    second[:, range(4), range(4)] = 50.0 - second.sum(-1) + second[:, range(4), range(4)]  # equal row sums
    against = -first + 1
    against[:, range(4), range(4)] = 0
    against[:, range(4), range(4)] = 9 - against.sum(-1)
    found = made_up(results, {"attention": first, "norm": second, "zeroing": against}).agreement()
    np.testing.assert_allclose(found["attention", "norm"], 1)
    np.testing.assert_allclose(found["attention", "zeroing"], -1)


def test_a_decoders_early_rows_do_not_make_scores_agree(results):
    """Two unrelated causal maps: shares fall with the row in both, which is no agreement."""
    generator = np.random.default_rng(2)
    maps = {score: np.tril(1 + 0.1 * generator.random((1, 40, 40))) for score in three_scores.SCORES}
    result = replace(results["decoder"], **maps, tokens=("x",) * 40, prompt=0)
    # 780 cells: the correlation of unrelated ranks has a standard deviation of 1 / sqrt(779) = 0.036.
    assert max(abs(value[0]) for value in result.agreement().values()) < 0.15


def test_rollouts_keep_the_residual_only_where_it_is_missing(results):
    result = results["encoder"]
    np.testing.assert_allclose(result.rollout("zeroing")[0], result.shares("zeroing")[0])
    np.testing.assert_allclose(result.rollout("norm")[0], (result.shares("norm")[0] + np.eye(4)) / 2)
    assert (result.entropy("attention") <= np.log2(4) + 1e-12).all()
    causal = results["decoder"].rollout("attention")
    assert (causal[:, ~np.tri(causal.shape[-1], dtype=bool)] == 0).all()
    assert (results["cross"].entropy("norm", rolled=False) < 2 + 1e-12).all()  # four columns: at most 2 bits
    for undefined in (lambda: results["cross"].rollout("norm"), lambda: results["cross"].distance("norm")):
        with pytest.raises(UserError, match="Cross-attention has no"):
            undefined()


@pytest.mark.parametrize("stack", STACKS)
def test_tables_hold_every_number(results, stack):
    result = results[stack]
    table, layers = result.table(), result.by_layer()
    assert len(table) == result.attention.size and table.columns.is_unique
    np.testing.assert_array_equal(table["zeroing_distance"], result.zeroing.ravel())
    np.testing.assert_array_equal(table["random_1_attention_norm"], result.random[1].maps("norm").ravel())
    assert set(layers["weights"]) == {"trained", "random 0", "random 1"} and len(layers) == 3 * 2
    assert ("distance_Attention" in layers) == (stack != "cross")


@pytest.mark.parametrize("stack", STACKS)
def test_figure_has_three_maps_and_controls_on_one_scale(results, stack):
    figure = context_mixing.plot(results[stack], layer=1)
    maps = [ax.collections[0] for ax in figure.axes[:6]]
    assert len({mesh.get_clim() for mesh in maps}) == 1
    shown = results[stack].shares("zeroing", prompt=False)[0]
    np.testing.assert_allclose(maps[2].get_array().reshape(shown.shape), shown)
    assert "random weights" in figure.axes[3].get_title()
    if stack != "cross":
        rolled = context_mixing.views(results[stack], layer=2, rolled=True, prompt=True)["norm"]
        np.testing.assert_allclose(rolled.values, results[stack].rollout("norm")[1])


def test_models_without_a_decoder(clip, segments, tmp_path):
    tiny_network(tiny_config("wavlm"), seed=2).save_pretrained(tmp_path)
    for model in (load_model(str(tmp_path)), load_model("hama-ctc")):
        result = context_mixing.analyse(clip, model, segments=segments, random_seeds=(0,))
        assert result.attention.shape[1:] == result.zeroing.shape[1:] == (4, 4)
        context_mixing.plot(result)
        with pytest.raises(UserError, match="has no decoder"):
            context_mixing.analyse(clip, model, segments=segments, stack="cross")


def test_two_segments_have_no_rank_correlation_but_all_else(clip, tiny_model):
    two = (Segment("a", 0.0, 0.5), Segment("b", 0.5, 1.2))
    result = context_mixing.analyse(clip, tiny_model, segments=two, transcript="ab", random_seeds=(0,))
    assert all(np.isnan(value).all() for value in result.agreement().values())
    assert np.isfinite(result.distance("norm")).all()
    context_mixing.plot(result)


# Mean ablation: the values of some keys become the mean over the clip's own frames


@contextmanager
def values_averaged(module, positions: range, own: int):
    """While open, the module's v_proj gives the mean of its first `own` rows at `positions`."""

    def average(_projection, _args, values):
        values = values.clone()
        values[:, positions.start : positions.stop] = values[:, :own].mean(1, keepdim=True)
        return values

    handle = module.v_proj.register_forward_hook(average)
    try:
        yield
    finally:
        handle.remove()


def oracle(stack, calls: list[Call], name: str, columns: list[range], rows: list[range], own: int) -> np.ndarray:
    """(layers, rows, columns) by running each layer of the library again; distances in float64."""
    found = np.zeros((len(calls), len(rows), len(columns)))
    for index, (layer, call) in enumerate(zip(stack.layers, calls, strict=True)):
        norm = final_norm(stack, index)
        for column, positions in enumerate(columns):
            with values_averaged(getattr(layer, name), positions, own):
                changed = norm(layer(*call.args, **call.kwargs))[0]
            distances = cosine_distance(changed, norm(call.output)[0])
            found[index, :, column] = [distances[group.start : group.stop].mean() for group in rows]
    return found


@pytest.mark.parametrize("folding", [False, True])
def test_mean_ablation_equals_the_library_with_averaged_values(folding, monkeypatch):
    """Whether or not the feed-forward's first product is folded into what is taken away, which changes no number."""
    monkeypatch.setattr(zeroing._PreNormZeroing, "_folding_pays", lambda *_: folding)
    network, features = tiny_whisper(seed=5, layers=3, heads=4, dim=32, double=True), tiny_features(1, double=True)
    tokens = [range(i, i + 1) for i in range(len(IDS))]
    with torch.no_grad():
        encoder = encoder_pass(network, features, own=OWN)
        decoder = decoder_pass(network, encoder.output, IDS, own=OWN)
        stacks = network.model.encoder, network.model.decoder
        heard = record_calls(stacks[0].layers, lambda: stacks[0](features))
        options = {"encoder_hidden_states": encoder.output, "use_cache": False}
        written = record_calls(stacks[1].layers, lambda: stacks[1](input_ids=torch.tensor([IDS]), **options))
        cases = (
            (encoder.sites, SPANS, SPANS, oracle(stacks[0], heard, "self_attn", SPANS, SPANS, OWN)),
            (decoder.self_sites, tokens, tokens, oracle(stacks[1], written, "self_attn", tokens, tokens, len(IDS))),
            (decoder.cross_sites, tokens, SPANS, oracle(stacks[1], written, "encoder_attn", SPANS, tokens, OWN)),
        )
        for sites, rows, columns, expected in cases:
            found = np.stack([site_distances(AgainstTheMean(**vars(site)), rows, columns) for site in sites])
            # As value zeroing against its oracle: 1 - cos in float64 is good to some eps absolutely.
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-14)
            zeroed = np.stack([site_distances(site, rows, columns) for site in sites])
            assert not np.allclose(found, zeroed, rtol=1e-2)


def test_equal_values_lose_nothing_to_their_mean():
    """If all values are the same, their mean is what they are: nothing moves, where zeroing still moves everything."""
    site = encoder_pass(tiny_whisper(seed=5, double=True), tiny_features(1, double=True), own=OWN).sites[0]
    flat = replace(site, value=site.value[:, :1].expand_as(site.value).contiguous())
    with torch.no_grad():
        assert (
            site_distances(AgainstTheMean(**vars(flat)), SPANS, SPANS) < 1e-25
        ).all()  # (a few eps)², as the mean is rounded
        assert (site_distances(flat, SPANS, SPANS) > 1e-8).all()
