"""Spectrogram occlusion: patches that hang together, maps against slow oracles, and the laws of the measure."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage, special, stats
from snapshot import save_whisper

from methods import spectrogram_occlusion
from methods.core import models, models_whisper, spectrogram_masks
from methods.core.audio import Clip, clip_from_samples, load_clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.rereading import Rereader
from methods.core.results import finish
from methods.core.spectrogram_masks import Masks
from methods.core.superpixels import clusters, superpixels
from page import spectrogram_occlusion_tab
from tiny import tiny_whisper

# The same float32 sums in another order: errors of some eps (1.2e-7) of logits of order 10 to 30, through few layers;
# a divergence of some nats inherits them.
ROUNDING = 2e-4
OPTIONS = {"language": "en", "masks": 24, "patches_per_second": (8.0, 16.0), "points": 3, "random_maps": 2}


@pytest.fixture(scope="module")
def result(clip, tiny_model):
    return spectrogram_occlusion.analyse(clip, tiny_model, transcript="ab cd", random_seeds=(0, 1), **OPTIONS)


# Superpixels


def picture(seed=0, shape=(40, 90)):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.0)


@pytest.mark.parametrize("wanted", [1, 7, 40, 200])
def test_every_patch_hangs_together_and_none_is_left_out(wanted):
    patches = superpixels(picture(), wanted)
    assert set(patches.ravel()) == set(range(patches.max() + 1))
    assert 0.7 * wanted <= patches.max() + 1 <= wanted
    for patch in range(patches.max() + 1):
        assert ndimage.label(patches == patch)[1] == 1


def test_patches_follow_the_edges_of_the_picture():
    """Blocks of 10 × 10 with brightness at random, 10 patches each way: each patch must be a block."""
    blocks = np.random.default_rng(1).permutation(36).reshape(6, 6)
    grey = np.kron(blocks, np.ones((10, 10)))
    patches = superpixels(grey, 36, smoothing=0.0)
    assert patches.max() + 1 == 36
    assert all(len(np.unique(grey[patches == patch])) == 1 for patch in range(36))


def test_small_compactness_follows_edges_that_the_grid_would_cut():
    """The blocks are shifted against the grid on which patches start; purity: share of a patch's commonest value."""
    grey = np.kron(np.random.default_rng(2).permutation(36).reshape(6, 6), np.ones((10, 10)))[3:, 4:]

    def purity(compactness):
        patches = superpixels(grey, 72, compactness=compactness, smoothing=0.0)
        commonest = [np.unique(grey[patches == patch], return_counts=True)[1].max() for patch in np.unique(patches)]
        return sum(commonest) / grey.size

    assert purity(0.02) > 0.9 > purity(100.0) + 0.1


def test_a_flat_picture_becomes_a_grid():
    np.testing.assert_array_equal(superpixels(np.zeros((20, 20)), 4), np.kron([[0, 1], [2, 3]], np.ones((10, 10))))


def test_each_cell_has_chosen_the_nearest_of_its_nine_patches():
    """k-means has come to rest: a slow loop over cells and centres finds the same patch for every cell."""
    grey, wanted, compactness = picture(3, (16, 24)), 6, 1.0
    chosen = clusters(grey, wanted, compactness)
    side = np.sqrt(grey.size / wanted)
    y, x = np.indices(grey.shape)
    features = np.stack([grey / compactness, y / side, x / side], -1)
    centres = [features[chosen == patch].mean(0) for patch in range(wanted)]  # 2 × 3 patches: all but two columns away
    for cell in np.ndindex(grey.shape):
        distance = [((features[cell] - centre) ** 2).sum() for centre in centres]
        home = cell[1] * 3 // 24
        near = [patch for patch in range(wanted) if abs(patch % 3 - home) <= 1]
        assert chosen[cell] == min(near, key=lambda patch: distance[patch])


# Masks and maps: plain arithmetic


def some_masks(count=60, seed=0, share=0.5):
    patches = np.stack([superpixels(picture(seed), 12), superpixels(picture(seed + 1), 30)])
    return spectrogram_masks.drawn(patches, count, share, seed)


def test_relevance_is_the_mean_impact_of_the_masks_that_hid_a_cell():
    """Cell by cell, by hand."""
    masks, impacts = some_masks(), np.random.default_rng(0).gamma(2.0, size=60)
    ours = spectrogram_masks.relevance(masks, impacts)
    hidden = np.stack([masks.cells(number) for number in range(60)])
    for cell in [(0, 0), (5, 17), (39, 89), (20, 40)]:
        assert ours[cell] == pytest.approx(impacts[hidden[(slice(None), *cell)]].mean(), rel=1e-12)


def test_a_planted_patch_is_found_and_stands_out_as_it_must():
    """Harm 1 whenever patch 5 of the first size is hidden: there exactly 1, elsewhere about the share that is hidden.

    With 1,000 masks of each size, half of them hiding a patch, a mean has a standard error of 0.5 / √500 = 0.022.
    """
    masks = some_masks(2000)
    planted = masks.patches[0] == 5
    impacts = np.array([float(masks.cells(i)[planted].all()) if i % 2 == 0 else np.nan for i in range(2000)])
    first = Masks(masks.patches[:1], masks.hidden[:1])
    values = spectrogram_masks.relevance(first, impacts[::2])
    assert (values[planted] == 1.0).all()
    assert np.abs(values[~planted] - 0.5).max() < 5 * 0.022


def test_every_patch_is_hidden_about_as_often():
    """Binomial: 1,000 masks at 0.3 give 300 ± 14.5; five standard deviations for 12 patches."""
    counts = some_masks(2000, share=0.3).hidden[0].sum(0)
    assert np.abs(counts - 300).max() < 5 * np.sqrt(1000 * 0.3 * 0.7)


def test_first_masks_are_the_same_masks():
    masks = some_masks(61)
    for number in (0, 1, 30, 36):
        np.testing.assert_array_equal(masks.first(37).cells(number), masks.cells(number))
    assert len(masks.first(37)) == 37


def test_halves_are_every_second_mask_of_each_size():
    masks, impacts = some_masks(62), np.random.default_rng(0).normal(size=62)
    for side, half in enumerate(spectrogram_masks.halves(masks, impacts)):
        numbers = [number for number in range(62) if number // 2 % 2 == side]
        hidden = np.stack([masks.cells(number) for number in numbers])
        by_hand = (hidden * impacts[numbers, None, None]).sum(0) / hidden.sum(0)
        np.testing.assert_allclose(half, by_hand, rtol=1e-10)
    first, second = spectrogram_masks.halves(masks, impacts)
    expected = stats.pearsonr(first.ravel(), second.ravel()).statistic
    assert spectrogram_masks.split_half(masks, impacts) == pytest.approx(expected)


def test_split_half_is_high_for_a_planted_map_and_near_zero_by_chance():
    masks = some_masks(600)
    impacts = np.array([masks.cells(i)[10:20, 30:50].mean() for i in range(600)])
    assert spectrogram_masks.split_half(masks, impacts) > 0.8
    chance = [spectrogram_masks.split_half(masks, spectrogram_masks.shuffled(impacts, 2, seed)) for seed in range(8)]
    assert abs(np.mean(chance)) < 0.3


def test_shuffled_deals_within_each_size():
    impacts = np.arange(20.0)
    dealt = spectrogram_masks.shuffled(impacts, 2, 0)
    assert sorted(dealt[::2]) == list(impacts[::2])
    assert sorted(dealt[1::2]) == list(impacts[1::2])
    assert (dealt != impacts).any()


def test_standardised_is_scipys_z_score_and_still_tokens_are_zero():
    impacts = np.random.default_rng(0).gamma(1.0, size=(30, 3))
    impacts[:, 1] = 2.5
    ours = spectrogram_masks.standardised(impacts)
    np.testing.assert_allclose(ours[:, [0, 2]], stats.zscore(impacts[:, [0, 2]]), rtol=1e-10)
    assert (ours[:, 1] == 0).all()


def test_compactness_of_known_maps():
    """A single cell of 100: all cells reach threshold 0, one reaches the other 20."""
    point = np.zeros((10, 10))
    point[3, 4] = 7.0
    assert spectrogram_masks.compactness(point) == pytest.approx((1 + 20 * 0.01) / 21)
    assert np.isnan(spectrogram_masks.compactness(np.ones((3, 3))))


# With a model


def test_impacts_are_the_divergences_of_the_model_itself(clip, tiny_model):
    """Against transformers' own forward pass over the 30 s window and SciPy's relative entropy."""
    options = {**OPTIONS, "masks": 24, "window": "full", "random_maps": 0, "points": 1}
    got = spectrogram_occlusion.analyse(clip, tiny_model, transcript="ab cd", random_seeds=(), **options)
    text = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    ids, first = torch.tensor([text.prompt + text.tokens]), len(text.prompt) - 1
    features = models_whisper.features(tiny_model, clip.samples)
    own = got.log_mel.shape[1]

    def probabilities(mel):
        with torch.no_grad():
            logits = tiny_model.network(input_features=mel, decoder_input_ids=ids).logits[0, first:]
        return logits.double().softmax(-1).numpy()

    whole = probabilities(features)
    neutral = float(features[0, :, :own].mean())
    for number in (0, 1, 10, 23):
        mel = features.clone()
        mel[0, :, :own][torch.from_numpy(got.masks.cells(number))] = neutral
        expected = special.rel_entr(whole, probabilities(mel)).sum(-1)
        np.testing.assert_allclose(got.impacts[number], expected, atol=ROUNDING, rtol=1e-3)


def test_no_mask_does_no_harm_and_no_score_is_negative(result, clip, tiny_model):
    reader = Rereader(clip, tiny_model, models.transcribe(clip, tiny_model, text="ab cd", language="en"))
    patches = np.zeros((1, 80, 2 * reader.own), int)
    nothing = Masks(patches, (np.zeros((3, 1), bool),))
    (impacts,) = spectrogram_occlusion._impacts(reader, nothing, 0.0)
    assert np.abs(impacts).max() < ROUNDING
    assert (result.impacts >= 0).all()
    assert (result.relevance(0) >= 0).all()


def test_a_decoder_that_ignores_the_sound_has_no_map(clip, tmp_path):
    network = tiny_whisper(seed=1)
    for block in network.model.decoder.layers:
        torch.nn.init.zeros_(block.encoder_attn.out_proj.weight)
    model = load_model(str(save_whisper(network, tmp_path)))
    got = spectrogram_occlusion.analyse(clip, model, transcript="ab cd", random_seeds=(), **OPTIONS)
    assert np.abs(got.relevance(0)).max() < ROUNDING
    assert (got.map() == 0).all()
    assert np.nanmax(got.text_impacts) > 0.01  # it does read its own text


def test_hiding_a_token_harms_only_later_ones(result):
    tokens = len(result.tokens) - 1
    earlier = np.tril(np.ones((tokens + 1, tokens), bool), -1)
    assert np.isfinite(result.text_impacts[earlier]).all()
    assert np.isnan(result.text_impacts[~earlier]).all()


def test_levels_are_means_of_standardised_tokens(result):
    expected = np.mean([result.scores("token", token) for token in result.tokens_of("word", 1)], axis=0)
    np.testing.assert_allclose(result.scores("word", 1), expected)
    np.testing.assert_allclose(result.scores("token", 0), stats.zscore(result.impacts[:, 0]), rtol=1e-8)
    assert result.words == ("ab", "cd")
    assert result.tokens[-1] == "(end)"


def test_deletion_and_insertion_meet_at_the_ends(result):
    """Nothing hidden: what is heard, hence 1. All hidden is the same as nothing shown, and no more cells change it."""
    for made in result.trials:
        trial = made.trial
        assert trial.deletion[0] == trial.insertion[-1] == 1.0
        assert trial.deletion[-1] == trial.insertion[0]
        np.testing.assert_allclose(made.logprobs[:, [0, -1]][0], made.logprobs[:, [-1, 0]][1], atol=ROUNDING)
    assert len(result.trials) == 2 + 2
    assert set(result.verdict.summary()) >= {"deletion_area", "insertion_area"}


def test_same_seed_same_numbers_and_a_stopped_run_is_its_beginning(result, clip, tiny_model):
    short = {**OPTIONS, "points": 1, "random_maps": 0, "transcript": "ab cd"}
    steps = spectrogram_occlusion.analyse_in_steps(clip, tiny_model, random_seeds=(), **{**short, "masks": 48})
    partial = None
    while partial is None:
        partial = next(steps).partial
    assert len(partial.impacts) == len(partial.masks) == 24
    whole = finish(steps)
    np.testing.assert_array_equal(partial.impacts, whole.impacts[:24])
    third = spectrogram_occlusion.analyse(clip, tiny_model, random_seeds=(1,), **short)
    np.testing.assert_array_equal(third.impacts, result.impacts)
    np.testing.assert_array_equal(third.random[0].impacts, result.random[1].impacts)


def test_result_is_frozen_with_a_table_and_an_origin(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.text = ""
    assert not result.impacts.flags.writeable
    table = result.table()
    assert len(table) == result.log_mel.size
    np.testing.assert_array_equal(table["word_2_cd"], result.map("word", 1).ravel())
    assert result.provenance["options"]["masks"] == 24
    assert result.provenance["options"]["random_seeds"] == [0, 1]


def test_what_cannot_be_done_is_said(clip, tiny_model):
    silent = Clip(np.zeros(16_000, np.float32), "silence")
    with pytest.raises(UserError, match="This clip is silent"):
        spectrogram_occlusion.analyse(silent, tiny_model, **OPTIONS)
    with pytest.raises(UserError, match="“masks” cannot be 3; give a number from 24"):
        spectrogram_occlusion.analyse(clip, tiny_model, masks=3)
    with pytest.raises(UserError, match="choose a Whisper model"):
        spectrogram_occlusion.analyse(clip, dataclasses.replace(tiny_model, decoding=None))


def test_the_shortest_clip(tiny_model):
    shortest = clip_from_samples(0.1 * np.random.default_rng(1).normal(size=1600), 16_000)
    got = spectrogram_occlusion.analyse(shortest, tiny_model, transcript="ab", random_seeds=(), **OPTIONS)
    assert np.isfinite(got.map()).all()


# The tab


def test_the_tab_draws_every_stage(result, clip, tiny_model):
    values = {"what": "2", "top": 20, "masks": 300, "neutral": "mean", "window": "clip"}
    bare = dataclasses.replace(result, trials=(), random=(), text_impacts=np.zeros((0, 2)))
    for stage in (bare, result):
        plot, *curves = spectrogram_occlusion_tab.drawn(stage, values)
        assert plot["seconds"] == clip.seconds
        assert len(curves) == 3
        assert "“cd”" in spectrogram_occlusion_tab.status_line(stage, values)
    assert "controls are being computed" in spectrogram_occlusion_tab.status_line(bare, values)
    assert "controls are being computed" not in spectrogram_occlusion_tab.status_line(result, values)


def test_a_word_that_this_clip_has_not_becomes_the_sentence(result):
    values = {"what": "7", "top": 1e9}
    assert spectrogram_occlusion_tab.fitted(result, values) == {"what": "sentence", "top": 100.0}
    assert spectrogram_occlusion_tab.plot_options(result, {"what": "1", "top": 5}) == {"level": "word", "number": 0}


def test_hostile_labels_reach_the_figure_as_text(result):
    import io

    hostile = dataclasses.replace(result, words=("$\\frac{", "<script>"), spoken=(Segment("<b>", 0.0, 0.5),))
    spectrogram_occlusion.plot(hostile, level="word", number=0).savefig(io.BytesIO(), format="svg")


# Real weights


def test_a_word_rests_on_its_own_time():
    """“saved” is the last word of “Your message has been saved” (from 1.5 s on in its alignment)."""
    clip, model = load_clip("examples_audio/cc-by-sa-3.0/en_f_statement.wav"), load_model("openai/whisper-tiny.en")
    steps = spectrogram_occlusion.analyse_in_steps(
        clip, model, masks=24, patches_per_second=(8.0,), random_seeds=(), points=1, random_maps=0
    )
    partial = None
    while partial is None or len(partial.impacts) < 24:  # no further: the controls need nothing more of real weights
        partial = next(steps).partial or partial
    over_time = partial.map("word", 4).mean(0)
    late = np.arange(len(over_time)) * 0.01 >= 1.45
    assert partial.words[4] == "saved"
    assert over_time[late].mean() > over_time[~late].mean() + 0.05
