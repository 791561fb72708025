"""Distances between stretches of speech: alignment against all paths, metrics against SciPy's."""

import numpy as np
import pytest
from reference_abx import cheapest_by_all_paths
from reference_abx import dtw as slow_dtw
from scipy import stats
from scipy.spatial.distance import cdist

from methods.core.errors import UserError
from methods.core.statistics import distances, dtw

RNG = np.random.default_rng(0)


# Dynamic time warping


def test_alignment_equals_the_table_with_trace_back_and_the_best_of_all_paths():
    rows, columns = RNG.integers(1, 7, 40), RNG.integers(1, 7, 40)
    costs = RNG.random((40, 6, 6))
    found = dtw.mean_cost(costs, rows, columns)
    for cost, r, c, value in zip(costs, rows, columns, found, strict=True):
        assert value == pytest.approx(slow_dtw(cost[:r, :c]), rel=1e-12)
        # All steps of a path are counted, so sum = mean × steps, and no path has more than r + c - 1 cells.
        steps = cheapest_by_all_paths(cost[:r, :c]) / value
        assert steps == pytest.approx(round(steps), abs=1e-9)
        assert max(r, c) <= round(steps) <= r + c - 1


def test_ties_on_the_way_are_broken_as_in_fastabx():
    costs = RNG.integers(0, 2, (200, 5, 5)).astype(float)  # full of ties
    five = np.full(200, 5)
    np.testing.assert_allclose(dtw.mean_cost(costs, five, five), [slow_dtw(cost) for cost in costs])


def test_a_sequence_is_nowhere_from_itself_and_repeats_cost_nothing():
    frames = RNG.normal(size=(9, 4))
    slow = np.repeat(frames, [1, 3, 1, 1, 2, 1, 1, 1, 4], axis=0)
    both = np.concatenate([frames, slow])
    spans = [range(9), range(9, len(both))]
    found = distances.aligned(both, spans, np.array([[0, 1]]), "angular")
    assert found[0] == pytest.approx(0, abs=1e-6)  # arccos turns 1e-12 of rounding into 1e-6


@pytest.mark.parametrize("metric", ["angular", "cosine", "euclidean"])
def test_aligned_stretches_of_any_length_equal_one_by_one(metric, monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 16)  # several blocks and batches
    monkeypatch.setattr(distances, "CELLS", 200)
    frames = RNG.normal(size=(120, 5))
    edges = np.sort(RNG.choice(np.arange(1, 120), 14, replace=False))
    spans = [range(a, b) for a, b in zip([0, *edges], [*edges, 120], strict=True)]
    pairs = np.argwhere(np.triu(np.ones((15, 15)), 1) * (RNG.random((15, 15)) < 0.7))
    found = distances.aligned(frames, spans, pairs, metric)
    name = {"angular": "cosine"}.get(metric, metric)
    for (i, j), value in zip(pairs, found, strict=True):
        costs = cdist(frames[spans[i]], frames[spans[j]], name)
        costs = np.arccos(np.clip(1 - costs, -1, 1)) / np.pi if metric == "angular" else costs
        assert value == pytest.approx(slow_dtw(costs), abs=1e-9)


# Distances


def test_distances_between_vectors_equal_scipys():
    left, right = RNG.normal(size=(6, 8)), RNG.normal(size=(5, 8))
    cosine = cdist(left, right, "cosine")
    np.testing.assert_allclose(distances.between(left, right, "cosine"), cosine, atol=1e-11)
    np.testing.assert_allclose(distances.between(left, right, "angular"), np.arccos(1 - cosine) / np.pi, atol=1e-11)
    np.testing.assert_allclose(distances.between(left, right, "euclidean"), cdist(left, right), atol=1e-11)
    units = RNG.integers(0, 3, (7, 1)).astype(float)
    np.testing.assert_array_equal(distances.between(units, units, "identical"), cdist(units, units, "hamming"))


def test_divergence_equals_scipys_up_to_the_term_that_keeps_it_finite():
    left, right = RNG.dirichlet(np.ones(6), 5), RNG.dirichlet(np.ones(6), 4)
    found = distances.between(left, right, "kl")
    for i, j in np.ndindex(found.shape):
        expected = (stats.entropy(left[i], right[j]) + stats.entropy(right[j], left[i])) / 2
        # TINY = 1e-6 under the logarithms shifts each by 1e-6 / p, and the smallest p here is above 1e-3
        assert found[i, j] == pytest.approx(expected, abs=2e-3)
    sure = np.eye(2)
    assert np.isfinite(distances.between(sure, sure, "kl")).all()


def test_a_vector_of_zeros_has_a_distance():
    found = distances.whole(np.array([[0.0, 0], [0, 0], [1, 2]]), "angular")
    np.testing.assert_allclose(found, [[0, 0, 0.5], [0, 0, 0.5], [0.5, 0.5, 0]])


def test_divergence_of_what_is_no_distribution_is_refused():
    with pytest.raises(UserError, match="do not sum to 1"):
        distances.between(np.ones((2, 3)), np.ones((2, 3)), "kl")
