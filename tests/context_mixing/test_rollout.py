"""Rollout: the laws of methods.md B5, and a chain whose product can be worked out by hand."""

import numpy as np
import pytest

from methods.context_mixing.rollout import block_rollout, rollout, row_entropy

GENERATOR = np.random.default_rng(3)
MAPS = GENERATOR.random((5, 6, 6))
# Products of at most five row-stochastic matrices of six columns in float64: a few eps (2.2e-16) per term.
EXACT = {"rtol": 1e-12, "atol": 1e-14}
BOTH = pytest.mark.parametrize("residual", [False, True])


@BOTH
def test_rows_sum_to_one(residual):
    np.testing.assert_allclose(rollout(MAPS, residual=residual).sum(-1), 1, **EXACT)


@BOTH
def test_layers_that_keep_everything_move_nothing(residual):
    kept = np.broadcast_to(np.eye(6), (4, 6, 6))
    np.testing.assert_array_equal(rollout(kept, residual=residual), kept)


def test_even_attention_stays_even():
    even = np.full((4, 6, 6), 0.3)
    np.testing.assert_allclose(rollout(even, residual=False), 1 / 6, **EXACT)


def test_even_attention_with_the_residual_halves_what_is_kept():
    """Ã = I/2 + U/2 with U = 1/n: U is idempotent, so Ã^l = I / 2^l + U (1 - 1 / 2^l)."""
    rolled = rollout(np.ones((4, 6, 6)), residual=True)
    for layer, found in enumerate(rolled, start=1):
        np.testing.assert_allclose(found, np.eye(6) / 2**layer + (1 - 1 / 2**layer) / 6, **EXACT)


@BOTH
def test_causal_maps_stay_causal(residual):
    rolled = rollout(np.tril(MAPS), residual=residual)
    assert (rolled[:, ~np.tri(6, dtype=bool)] == 0).all()


def test_one_layer_is_its_own_shares():
    shares = MAPS[:1] / MAPS[:1].sum(-1, keepdims=True)
    np.testing.assert_allclose(rollout(MAPS[:1], residual=False), shares, **EXACT)
    np.testing.assert_allclose(rollout(MAPS[:1], residual=True), (shares + np.eye(6)) / 2, **EXACT)


def test_the_first_layer_is_read_first():
    """Layer 1: everyone reads position 0; layer 2: everyone reads position 1. So all comes from 0, not from 1."""
    maps = np.zeros((2, 3, 3))
    maps[0, :, 0] = maps[1, :, 1] = 1
    np.testing.assert_array_equal(rollout(maps, residual=False)[1], maps[0])


@BOTH
@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_row_that_read_nothing_is_its_own(residual, nothing):
    maps = MAPS[:1].copy()
    maps[0, 2] = nothing
    np.testing.assert_array_equal(rollout(maps, residual=residual)[0, 2], np.eye(6)[2])


def test_shares_and_scores_roll_out_alike():
    shares = MAPS / MAPS.sum(-1, keepdims=True)
    np.testing.assert_allclose(rollout(MAPS, residual=True), rollout(shares, residual=True), **EXACT)


def test_what_has_no_rollout_is_refused():
    with pytest.raises(ValueError, match="cross-attention has none"):
        rollout(np.ones((2, 3, 4)), residual=False)
    with pytest.raises(ValueError, match="signed"):
        rollout(-MAPS, residual=False)


def test_entropy_of_known_rows():
    rows = np.array([[[1.0, 0, 0, 0], [0, 3.0, 0, 0]], [[1, 1, 1, 1], [0.5, 0.5, 0, 0]], [[0, 0, 0, 0], [2, 2, 0, 0]]])
    np.testing.assert_allclose(row_entropy(rows), [0, 1.5, 1])  # bits: (2 + 1) / 2; the empty row is left out
    assert np.isnan(row_entropy(np.zeros((1, 2, 2)))).all()


def test_rows_grow_alike_with_depth():
    """A product of positive stochastic matrices tends to one whose rows are equal."""
    spread = np.ptp(rollout(MAPS, residual=False), axis=1).max(-1)
    assert (np.diff(spread) < 0).all()


# A decoder above an encoder

OWN, CROSS = np.tril(GENERATOR.random((3, 4, 4))), GENERATOR.random((3, 4, 6))


@BOTH
def test_text_and_sound_together_are_all(residual):
    found = block_rollout(OWN, CROSS, MAPS, residual=residual)
    np.testing.assert_allclose(found.text.sum(-1) + found.sound.sum(-1), 1, **EXACT)
    assert (found.text[:, ~np.tri(4, dtype=bool)] == 0).all()
    # Each block halves what is left of the text.
    np.testing.assert_allclose(found.text.sum(-1), 0.5 ** np.arange(1, 4)[:, None] * np.ones(4), **EXACT)


@BOTH
def test_block_rollout_is_the_rollout_of_one_large_matrix(residual):
    """Text and sound in one state: every half of a block is a square matrix over both, plainly multiplied."""

    def shares(maps):
        return maps / maps.sum(-1, keepdims=True)

    below = np.eye(6)
    for layer in shares(MAPS):
        below = ((layer + np.eye(6)) / 2 if residual else layer) @ below
    state = np.eye(10)
    state[4:, 4:] = below
    for own, cross in zip(shares(OWN), shares(CROSS), strict=True):
        first, second = np.eye(10), np.eye(10)
        first[:4, :4] = (own + np.eye(4)) / 2 if residual else own
        second[:4, :4], second[:4, 4:] = np.eye(4) / 2, cross / 2
        state = second @ first @ state
    found = block_rollout(OWN, CROSS, MAPS, residual=residual)
    np.testing.assert_allclose(found.text[-1], state[:4, :4], **EXACT)
    np.testing.assert_allclose(found.sound[-1], state[:4, 4:], **EXACT)


def test_a_decoder_that_does_not_listen_is_its_own_rollout():
    found = block_rollout(OWN, np.zeros_like(CROSS), MAPS, residual=True)
    np.testing.assert_allclose(found.text, rollout(OWN, residual=True), **EXACT)
    assert (found.sound == 0).all()
    heard = block_rollout(OWN, CROSS, MAPS, residual=True, passed_on=0.0)
    assert (heard.text == 0).all()


def test_blocks_that_do_not_fit():
    with pytest.raises(ValueError, match="not of one model"):
        block_rollout(OWN, CROSS[:, :, :5], MAPS, residual=True)
    with pytest.raises(ValueError, match="0 or more"):
        block_rollout(OWN, -CROSS, MAPS, residual=True)
