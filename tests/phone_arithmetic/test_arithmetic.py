"""Sums of phones: vectors whose sums are known, slow loops, scikit-learn's area, and what must not matter."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from methods.core.speech.phonology import CONSONANTS
from methods.phone_arithmetic.arithmetic import Totals, consistency, halves, plane, ranks
from methods.phone_arithmetic.contrasts import DIPHTHONGS, analogies

PHONES = ("b", "d", "g", "k", "p", "s", "t", "z")


def as_numbers(found, phones=PHONES):
    return np.array([[phones.index(name) for name in each.phones] for each in found])


def by_features(seed=0, dim=12):
    """Every phone is the sum of a vector for each of its features: all sums come out."""
    random, vectors = np.random.default_rng(seed), {}
    for phone in PHONES:
        for place, value in enumerate(CONSONANTS[phone]):
            vectors.setdefault((place, value), random.normal(size=dim))
    return np.array([sum(vectors[p, v] for p, v in enumerate(CONSONANTS[phone])) for phone in PHONES])


def test_sums_are_those_that_a_slow_search_finds():
    found = {each.phones for each in analogies(PHONES)}
    wanted = set()
    for a in PHONES:
        for b in PHONES:
            for c in PHONES:
                for d in PHONES:
                    if len({a, b, c, d}) < 4:
                        continue
                    one, two = ([(x, y) for x, y in zip(CONSONANTS[p], CONSONANTS[q], strict=True)]
                                for p, q in ((a, b), (d, c)))  # fmt: skip
                    if [i for i, (x, y) in enumerate(one) if x != y] == [i for i, (x, y) in enumerate(two) if x != y]:
                        changed = [i for i, (x, y) in enumerate(one) if x != y]
                        if len(changed) == 1 and one[changed[0]] == two[changed[0]]:
                            wanted.add((a, b, c, d))
    assert found == wanted
    assert ("d", "t", "p", "b") in found
    assert not any(set(each.phones) & DIPHTHONGS for each in analogies({"ay", "aw", "iy", "ih", "eh", "uw"}, "all"))


def test_where_features_add_up_every_sum_comes_out():
    vectors, sums = by_features(), as_numbers(analogies(PHONES))
    placed = ranks(vectors, vectors, sums)
    np.testing.assert_array_equal(placed[np.arange(len(sums)), sums[:, 3]], 1)
    assert consistency(vectors, sums) == 1
    assert np.isnan(placed[np.arange(len(sums))[:, None], sums[:, :3]]).all()
    for each in sums[:5]:
        points, shown = plane(vectors, each)
        assert shown == pytest.approx(1.0)  # a parallelogram lies in a plane
        np.testing.assert_allclose(points[-1], points[each[3]], atol=1e-9)


def test_ranks_are_those_of_a_slow_loop():
    random = np.random.default_rng(1)
    query, answers, sums = random.normal(size=(8, 5)), random.normal(size=(8, 5)), as_numbers(analogies(PHONES))
    for offset in (True, False):
        placed = ranks(query, answers, sums, offset)
        for row, (plus, minus, given, _) in enumerate(sums):
            centre = query.mean(0)
            wanted = query[given] - centre + (query[plus] - query[minus] if offset else 0)
            others = [p for p in range(8) if p not in (plus, minus, given)]
            cosines = {
                p: wanted @ (answers[p] - centre) / np.linalg.norm(wanted) / np.linalg.norm(answers[p] - centre)
                for p in others
            }
            for place, phone in enumerate(sorted(others, key=lambda p: -cosines[p]), 1):
                assert placed[row, phone] == place


def test_consistency_is_the_area_under_scikit_learns_curve():
    vectors, sums = np.random.default_rng(2).normal(size=(8, 5)), as_numbers(analogies(PHONES))

    def cosine(x, y):
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    alike = [cosine(vectors[a] - vectors[b], vectors[d] - vectors[c]) for a, b, c, d in sums]
    others = [cosine(vectors[d] - vectors[b], vectors[a] - vectors[c]) for a, b, c, d in sums]
    wanted = roc_auc_score([1] * len(sums) + [0] * len(sums), [*alike, *others])
    assert consistency(vectors, sums) == pytest.approx(wanted, abs=0.01)  # ties of float cosines


def test_rotation_scale_and_shift_change_nothing():
    random = np.random.default_rng(3)
    vectors, sums = random.normal(size=(8, 6)), as_numbers(analogies(PHONES))
    turn, _ = np.linalg.qr(random.normal(size=(6, 6)))
    moved = 3.7 * vectors @ turn + random.normal(size=6)
    np.testing.assert_array_equal(ranks(vectors, vectors, sums), ranks(moved, moved, sums))
    assert consistency(vectors, sums) == pytest.approx(consistency(moved, sums), abs=0.01)
    for one, other in zip(plane(vectors, sums[0]), plane(moved, sums[0]), strict=True):
        np.testing.assert_allclose(np.abs(np.asarray(one)) * (3.7 if np.ndim(one) else 1), np.abs(other), atol=1e-8)


def test_vectors_without_order_come_out_as_often_as_guessing():
    """Mean over 60 draws: a share of .2 by chance, standard deviation under .1 each, so under .013 of the mean."""
    sums = as_numbers(analogies(PHONES))
    shares, levels = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        placed = ranks(random.normal(size=(8, 200)), random.normal(size=(8, 200)), sums)
        shares.append((placed[np.arange(len(sums)), sums[:, 3]] == 1).mean())
        levels.append(consistency(random.normal(size=(8, 200)), sums))
    assert np.mean(shares) == pytest.approx(1 / 5, abs=0.05)
    assert np.mean(levels) == pytest.approx(0.5, abs=0.1)


def test_means_and_halves():
    random = np.random.default_rng(4)
    states, phone, recording = random.normal(size=(60, 3)), np.arange(60) % 4, np.arange(60) // 10
    totals = Totals.of(states, phone, recording)
    chosen = np.array([True, False, True, True, False, False])
    for p in range(4):
        mine = (phone == p) & chosen[recording]
        np.testing.assert_allclose(totals.means(chosen)[p], states[mine].mean(0))
    found = halves(totals.counts, 7, seed=0)
    assert found.shape == (7, 6)
    np.testing.assert_array_equal(found.sum(1), 3)
    assert len(halves(np.eye(4), 3, seed=0)) == 0  # each phone in one recording: no half has them all
