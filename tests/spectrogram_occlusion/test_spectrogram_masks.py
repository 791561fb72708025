"""Patches that hang together, maps of masks against slow oracles, and sounds from which cells are taken."""

import numpy as np
import pytest
from scipy import ndimage, stats

from methods.spectrogram_occlusion import masked_sound
from methods.spectrogram_occlusion import masks as spectrogram_masks
from methods.spectrogram_occlusion.masks import Masks
from methods.spectrogram_occlusion.superpixels import clusters, superpixels

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


# Sounds


def tones(seconds=1.0):
    time = np.arange(round(16_000 * seconds)) / 16_000
    return [0.3 * np.sin(2 * np.pi * hertz * time) for hertz in (500.0, 3000.0)]


def test_a_masked_sound_loses_its_hidden_bands_and_moments(tiny_model):
    """Two tones, and masks that keep what lies below 1.5 kHz, or the first half: the other is gone by 40 dB."""
    low, high = tones()
    filters = tiny_model.front_end.mel_filters
    centres = filters.argmax(0) * 40  # Hz, of each mel band
    kept = np.repeat((centres < 1500)[:, None], 100, 1)
    made = masked_sound.masked(low + high, filters, kept)
    middle = slice(800, -800)
    np.testing.assert_allclose(made[middle], low[middle], atol=0.3 * 10 ** (-40 / 20))
    early = np.zeros((80, 100), bool)
    early[:, :50] = True
    made = masked_sound.masked(low + high, filters, early)
    # A frame of 25 ms reaches 12.5 ms beyond its centre.
    np.testing.assert_allclose(made[800 : 8000 - 400], (low + high)[800 : 8000 - 400], atol=1e-5)
    assert np.abs(made[8000 + 400 :]).max() < 1e-5
    everything = masked_sound.masked(low + high, filters, np.ones((80, 100), bool))
    np.testing.assert_allclose(everything, low + high, atol=1e-5)
