"""Similarities of items and their agreement: the laws, SciPy, and slow definitions."""

import itertools

import numpy as np
import pytest
import reference_spaces as reference
from scipy import stats
from scipy.spatial.distance import cdist, squareform

from methods.core.errors import UserError
from methods.rsa import similarity, tree_kernel

RNG = np.random.default_rng(0)
EXACT = 1e-10  # float64, sums of a few hundred terms


def symmetric(n: int = 12, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(n, n))
    return values + values.T


def test_cosines_are_scipys_and_know_no_scale_rotation_or_place():
    x = RNG.normal(size=(9, 5))
    expected = 1 - cdist(x - x.mean(0), x - x.mean(0), "cosine")
    np.testing.assert_allclose(similarity.vectors(x), expected, atol=EXACT)
    np.testing.assert_allclose(similarity.vectors(x, centred=False), 1 - cdist(x, x, "cosine"), atol=EXACT)
    rotation = stats.ortho_group.rvs(5, random_state=1)
    np.testing.assert_allclose(similarity.vectors(3 * x @ rotation + 7), expected, atol=1e-9)


def test_strings_are_their_edit_distance_over_the_longer():
    words = [tuple("kitten"), tuple("sitting"), tuple("abc"), tuple("xyz"), tuple("abc"), ()]
    found = similarity.strings(words)
    for i, j in itertools.product(range(6), repeat=2):
        longer = max(len(words[i]), len(words[j]), 1)
        assert found[i, j] == pytest.approx(1 - reference.edit_distance(words[i], words[j]) / longer)
    assert found[2, 4] == 1 and found[2, 3] == 0 and found[0, 1] == pytest.approx(1 - 3 / 7)


def test_labels_give_the_point_biserial_correlation():
    names = list("aabbbc")
    layer = similarity.pairs(symmetric(6))
    same = similarity.pairs(similarity.labels(names))
    expected = stats.pointbiserialr(same.astype(bool), layer)[0]
    assert similarity.correlations(layer[None], same)[0] == pytest.approx(expected)


def test_shared_properties_durations_and_sounds():
    found = similarity.shared([("vowel", "high"), ("vowel", "low"), ("consonant",)])
    np.testing.assert_allclose(found, [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(similarity.durations(np.array([0.1, 0.2, 0.4]))[0], [0, -np.log(2), -np.log(4)])
    frames = RNG.normal(size=(20, 3))
    spans = [range(5), range(5, 12), range(12, 20), range(5)]
    sound = similarity.acoustic(frames, spans)
    assert sound[0, 3] == pytest.approx(0, abs=1e-6) and (sound[0, 1:3] < 0).all()
    np.testing.assert_array_equal(sound, sound.T)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlations_are_scipys(method):
    a, b = symmetric(seed=1), symmetric(seed=2)
    upper = np.triu_indices(12, 1)
    slow = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method](a[upper], b[upper])[0]
    rows = np.stack([similarity.pairs(a, method), similarity.pairs(b, method)])
    found = similarity.correlations(rows, similarity.pairs(b, method))
    np.testing.assert_allclose(found, [slow, 1.0], atol=EXACT)


def test_what_does_not_vary_has_no_correlation():
    assert np.isnan(similarity.correlations(np.ones((1, 10)), RNG.normal(size=10))).all()


def test_partial_correlation_is_that_of_the_correlation_matrix_and_its_square_the_gain():
    x, y, c, d = RNG.normal(size=(4, 300))
    x, y = x + c + d, y + c - 0.5 * d + 0.3 * x
    rows, known = similarity.without(x[None], [c, d]), similarity.without(y[None], [c, d])[0]
    found = similarity.correlations(rows, known)[0]
    precision = np.linalg.inv(np.corrcoef([x, y, c, d]))
    assert found == pytest.approx(-precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1]))

    def error(*columns):
        design = np.stack([np.ones(300), *columns], 1)
        return np.sum((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2)

    # Chrupała's R² gain: (MSE without the layer - MSE with it) / MSE without it.
    assert found**2 == pytest.approx((error(c, d) - error(c, d, x)) / error(c, d))
    np.testing.assert_allclose(similarity.without(np.stack([c, d]), [c, d]), 0, atol=1e-9)


def test_what_is_left_of_inner_products_are_inner_products_of_residuals():
    vectors, minutes = RNG.normal(size=(20, 4)), np.exp(RNG.normal(size=20))
    design = np.stack([np.ones(20), minutes, minutes**2, minutes**3], 1)
    rest = vectors - design @ np.linalg.lstsq(design, vectors, rcond=None)[0]
    basis = similarity.item_basis([similarity.polynomial(minutes)], 20)
    np.testing.assert_allclose(similarity.left(vectors @ vectors.T, basis), rest @ rest.T, atol=1e-9)
    apart = cdist(vectors, vectors)
    np.testing.assert_allclose(similarity.left(-(apart**2) / 2, basis), rest @ rest.T, atol=1e-9)
    assert similarity.item_basis([np.ones((20, 2)), minutes, 2 * minutes], 20).shape == (20, 2)


def test_display_order_keeps_labels_together():
    names = ["b", "a", "c", "a", "b", "d"]
    order = similarity.display_order(similarity.labels(["x", "y", "x", "y", "x", "y"]), names)
    shown = [names[i] for i in order]
    assert sorted(order.tolist()) == list(range(6))
    groups = [label for label, _ in itertools.groupby(shown)]
    assert sorted(groups) == list("abcd")
    assert {frozenset(shown[:3]), frozenset(shown[3:])} == {frozenset("ad"), frozenset("bc")}


# Trees

CAT = "(S (NP (D the) (N cat)) (VP (V sees) (NP (D the) (N dog))))"
DOG = "(S (NP (D a) (N dog)) (VP (V sees) (NP (D the) (N dog))))"


def nested(tree):
    return (tree.label, *map(nested, tree.children)) if tree.children else tree.label


def test_kernel_counts_the_common_subtrees():
    first, second = tree_kernel.read(CAT + DOG)
    for a, b in itertools.product((first, second), repeat=2):
        assert tree_kernel.shared(a, b, decay=1.0) == reference.count_common_subtrees(nested(a), nested(b))
    # By hand: (N cat) alone shares with itself (N cat), nothing else: 1.
    (noun,) = tree_kernel.read("(N cat)")
    assert tree_kernel.shared(noun, noun, decay=0.5) == 0.5


def test_kernel_laws():
    first, second = tree_kernel.read(CAT + DOG)
    found = tree_kernel.similarities([first, second, first], decay=0.5, structure_only=False)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 2] == pytest.approx(1) and 0 < found[0, 1] < 1
    assert tree_kernel.kernel(first, second) == pytest.approx(1)  # without the words they are the same
    other = tree_kernel.read("(X (Y z))")[0]
    assert tree_kernel.kernel(first, other) == 0
    assert np.linalg.eigvalsh(tree_kernel.similarities([first, second, other], structure_only=False)).min() > -EXACT


def test_parses_are_read_with_or_without_an_outer_bracket():
    assert tree_kernel.read(f"({CAT})\n") == tree_kernel.read(CAT.replace(" ", "\n  "))
    assert tree_kernel.read(CAT)[0].words == ("the", "cat", "sees", "the", "dog")
    assert tree_kernel.read("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the cat", "begins with “the”"),
        ("(S (NP cat)", "never closed"),
        ("(S", "never closed"),
        ("(S ())", "nothing in it"),
        ("(" * 100, "nested more than"),
        ("(" * 300_000, "longer than"),
    ],
)
def test_broken_parses_are_refused(text, said):
    with pytest.raises(UserError, match=said):
        tree_kernel.read(text)
    with pytest.raises(UserError, match="decay"):
        tree_kernel.similarities(tree_kernel.read(CAT), decay=0)


def test_unknown_correlation_is_refused():
    with pytest.raises(UserError, match="no correlation"):
        similarity.pairs(np.eye(4), "kendall")


def test_squareform_is_the_order_of_pairs():
    matrix = symmetric(6)
    np.fill_diagonal(matrix, 0)
    np.testing.assert_array_equal(squareform(similarity.pairs(matrix)), matrix)
