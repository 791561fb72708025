"""Whose items stand in for whose: recordings stay together, in order, and nobody takes part twice."""

import numpy as np
import pytest

from methods.core.statistics import matching

GROUPS = np.repeat([3, 1, 8, 2, 9, 4, 7], [4, 2, 5, 4, 2, 5, 3])


@pytest.mark.parametrize("groups", [GROUPS, np.repeat([0, 1, 2], [3, 5, 4]), np.zeros(6, int)])
def test_recordings_move_as_wholes(groups):
    for order in matching.orders(groups, 50, 1):
        kept = order[order >= 0]
        assert len(set(kept)) == len(kept)
        for group in np.unique(groups):
            own = order[groups == group]
            there = own[own >= 0]
            assert len(there) and len(set(groups[there])) == 1
            shared, few = min(len(own), (groups == groups[there[0]]).sum()), len(np.unique(groups)) < 5
            assert (shared / 2 <= len(there) < shared) if few else len(there) == shared
            assert (np.diff(there) == 1).all()  # one after the other, never around the end


@pytest.mark.parametrize("groups", [np.zeros(9, int), np.zeros(10, int), np.repeat([0, 1], [3, 5])])
def test_few_recordings_have_each_way_once_and_none_leaves_all_in_place(groups):
    """8 and 10 ways of one recording; two of 3 and 5 items: in place 2 · 4, exchanged 2 · 2."""
    orders = matching.orders(groups, 100, 1)
    assert len({tuple(order) for order in orders}) == len(orders) == {9: 8, 10: 10, 8: 12}[len(groups)]
    assert (orders != np.arange(len(groups))).all()
    assert len(matching.orders(groups, 5, 1)) == 5


SPEAKERS = np.array([0, 1, 0, 1, 2, 1, 0])  # of the recordings of GROUPS, in their order there


def test_within_speakers_recordings_change_places_with_those_of_the_same_only():
    """Three recordings of 0, three of 1, one of 2: 36 ways, too few; ten of two speakers have 14,400."""
    speaker = np.repeat(SPEAKERS, [4, 2, 5, 4, 2, 5, 3])
    assert matching.few(GROUPS, speaker) and not matching.few(GROUPS)
    many = np.repeat(np.arange(11), 3)
    for groups, whose, whole in ((GROUPS, speaker, False), (many, np.minimum(many % 3, 1), True)):
        assert matching.few(groups, whose) != whole
        for order in matching.orders(groups, 60, 1, whose):
            kept = order >= 0
            assert kept.any() and (whose[order[kept]] == whose[kept]).all()
            assert len(set(order[kept])) == kept.sum() and (kept.all() or not whole)
    single = many >= 5  # 5 recordings of one speaker change places; the 6 others have a speaker each
    stay = matching.orders(many, 40, 0, np.where(single, many, 0))[:, single]
    assert (stay == np.flatnonzero(single)).all()


def test_a_recording_of_each_of_many_speakers_is_moved_along_and_items_that_are_recordings_are_not():
    groups = np.repeat(np.arange(30), 9)  # 8 ways each: 8 to the power of 30 in all
    orders = matching.orders(groups, 50, 0, groups)
    assert len({tuple(order) for order in orders}) == 50
    kept = orders >= 0
    assert (groups[orders[kept]] == np.tile(groups, (50, 1))[kept]).all()
    pairs = np.repeat(np.arange(5), 2)  # 2 to the power of 5 orders of whole recordings are all there is
    assert not matching.few(np.arange(10), pairs)
    orders = matching.orders(np.arange(10), 500, 0, pairs)
    assert len({tuple(order) for order in orders}) == 32 and (pairs[orders] == pairs).all()


def test_recordings_meet_those_of_about_their_length_and_hardly_an_item_is_lost():
    sizes = np.random.default_rng(0).poisson(3, 60) + 1
    orders = matching.orders(np.repeat(np.arange(60), sizes), 100, 0)
    assert (orders >= 0).mean() > 0.9
    assert len({tuple(order) for order in orders}) == 100


def test_items_that_are_recordings_are_plain_permutations():
    orders = matching.orders(np.arange(9), 20, 4)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(9), (20, 1)))


def test_apart_gives_each_recording_another_and_drops_the_difference_of_lengths():
    mine, other = matching.apart(GROUPS)
    assert (GROUPS[mine] != GROUPS[other]).all()
    assert len(mine) == len(other) == len(set(mine)) == len(set(other)) == len(GROUPS) - (5 - 2)
    mine, other = matching.apart(np.zeros(7, int))
    np.testing.assert_array_equal(other, np.roll(np.arange(7), 3))
    np.testing.assert_array_equal(mine, np.arange(7))
