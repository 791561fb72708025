"""Attention by word: sums of the library's own weights, and the laws of methods.md B1."""

import numpy as np
import pytest
import torch

from methods import attention
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.mixing import single_frames
from methods.core.models import frame_grid, transcribe
from reference import attention_maps

TEXT = "ab cd"


@pytest.fixture(scope="module")
def result(clip, tiny_model, segments):
    return attention.analyse(clip, tiny_model, segments=segments, transcript=TEXT, language="en", random_seeds=(0,))


@pytest.fixture(scope="module")
def maps(clip, tiny_model):
    features = tiny_model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    ids = transcribe(clip, tiny_model, text=TEXT, language="en").ids
    with torch.no_grad():
        return attention_maps(tiny_model.network, features, torch.tensor([ids]))


# float32 softmax weights summed in float64: a few eps (6e-8) per weight, at most 1,500 of them, each at most 1.
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def test_mass_is_the_mean_over_rows_of_the_sum_over_columns(clip, tiny_model, segments, result, maps):
    spans = frame_grid(clip, tiny_model).spans(segments)
    for layer, weights in enumerate(maps.encoder):
        for r, rows in enumerate(spans):
            block = weights[:, rows.start : rows.stop]
            for c, columns in enumerate(spans):
                expected = block[:, :, columns.start : columns.stop].sum(-1).mean(-1)
                np.testing.assert_allclose(result.encoder[layer, :, r, c], expected, **CLOSE)
            np.testing.assert_allclose(result.encoder_padding[layer, :, r], block[:, :, 65:].sum(-1).mean(-1), **CLOSE)


def test_decoder_and_cross_maps_are_the_librarys(clip, tiny_model, segments, result, maps):
    np.testing.assert_allclose(result.decoder, maps.decoder, **CLOSE)
    assert (result.decoder[..., ~np.tri(len(result.tokens), dtype=bool)] == 0).all()
    span = frame_grid(clip, tiny_model).spans(segments)[2]
    np.testing.assert_allclose(result.cross[..., 2], maps.cross[..., span.start : span.stop].sum(-1), **CLOSE)


def test_cells_gaps_and_padding_add_up_to_one(clip, tiny_model):
    frames = single_frames(clip, tiny_model)
    result = attention.analyse(
        clip, tiny_model, segments=frames, transcript=TEXT, language="en", layers=(2,), random_seeds=()
    )
    assert np.isnan(result.encoder[0]).all()  # only layer 2 was asked for
    np.testing.assert_allclose(result.encoder[1].sum(-1) + result.encoder_padding[1], 1, **CLOSE)


def test_shares_sum_to_one_and_uniform_attention_is_even(result):
    np.testing.assert_allclose(result.shares("encoder").sum(-1), 1)
    np.testing.assert_allclose(result.shares("cross", head=2, per="mass").sum(-1), 1)


def test_zero_queries_give_even_intensity(clip, tiny_model, segments):
    """With all scores equal every key weighs 1/1,500, whatever its segment's length: intensity 1/1,500 everywhere."""
    from dataclasses import replace

    from methods.core.models import encoder_states

    site = encoder_states(clip, tiny_model).sites[0]
    flat = replace(site, query=torch.zeros_like(site.query))
    spans = frame_grid(clip, tiny_model).spans(segments)
    mass, padding = attention.site_mass(flat, spans, spans)
    lengths = np.array([len(span) for span in spans])
    np.testing.assert_allclose(mass, np.broadcast_to(lengths / 1500, mass.shape), rtol=1e-6)
    np.testing.assert_allclose(padding, (1500 - 65) / 1500, rtol=1e-6)


def test_unknown_head_or_layer_is_a_sentence(result):
    with pytest.raises(UserError, match="heads 1 to 2"):
        attention.plot(result, head=3)
    with pytest.raises(UserError, match="layers 1 to 2"):
        attention.plot(result, layer=9)


def test_published_alignment_heads_follow_the_speech():
    """OpenAI's list of aligned heads of tiny.en against all others: mean rank correlation of token and frame.

    Measured before this code existed: .94 for the listed heads, .43 for the others, on two clips.
    """
    from scipy.stats import spearmanr

    from methods.core.audio import load_clip
    from methods.core.models import decoder_states, load_model

    clip = load_clip("examples_audio/public-domain/en_m_illdisposed.wav")
    model = load_model("openai/whisper-tiny.en")
    text = transcribe(clip, model)
    sites = decoder_states(clip, model, text.ids).cross_sites
    follow = {}
    for site in sites:
        peaks = site.weights()[:, len(text.prompt) - 1 : -1, : site.own_keys].argmax(-1).numpy()
        for head, frames in enumerate(peaks):
            follow[site.layer, head] = spearmanr(np.arange(len(frames)), frames).statistic
    listed = np.mean([follow[pair] for pair in model.decoding.alignment_heads])
    others = np.nanmean([value for pair, value in follow.items() if pair not in model.decoding.alignment_heads])
    assert listed > 0.9 > 0.7 > others


def test_overlapping_segments_are_parted_so_that_rows_add_up(clip, tiny_model):
    """0 to 0.8 s and 0.4 to 1.3 s meet at 0.6 s; segments and padding then hold all mass (sums of float32 numbers)."""
    given = (Segment("b", 0.4, 1.3), Segment("a", 0.0, 0.8))
    result = attention.analyse(clip, tiny_model, segments=given, stacks=("encoder",), random_seeds=())
    assert result.labels == ("a", "b")
    np.testing.assert_allclose([result.starts, result.ends], [[0.0, 0.6], [0.6, 1.3]])
    np.testing.assert_allclose(result.encoder.sum(-1) + result.encoder_padding, 1.0, rtol=1e-5)
