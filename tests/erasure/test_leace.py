"""LEACE: its laws, a slow way that shares nothing with ours, and what the `concept-erasure` package gives."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
from sklearn.linear_model import Ridge

from methods.core.statistics import splits
from methods.erasure import probes
from methods.erasure.frames import shuffled
from methods.erasure.leace import Whitening

# (n, d, classes, dimensions that are sums of others)
CASES = [(60, 4, 3, 0), (500, 30, 7, 0), (200, 40, 5, 10), (30, 50, 2, 0)]


@pytest.fixture(params=CASES, ids=str)
def data(request):
    n, d, classes, repeated = request.param
    draw = np.random.default_rng(n)
    codes = draw.integers(0, classes, n)
    values = draw.normal(size=(n, d)) @ draw.normal(size=(d, d)) + draw.normal(size=(classes, d))[codes]
    if repeated:
        values[:, -repeated:] = values[:, :repeated] @ draw.normal(size=(repeated, repeated))
    return values, codes, classes


def cross(values, codes, classes):
    """(d, classes) cov(x, z), label by label."""
    return np.stack([np.cov(values.T, codes == k, bias=True)[:-1, -1] for k in range(classes)], axis=1)


def test_the_labels_are_gone_and_nothing_more(data):
    values, codes, classes = data
    eraser = Whitening.of(values).without(values, codes, classes)
    erased = eraser(values)
    assert np.abs(cross(values, codes, classes)).max() > 1e-3
    np.testing.assert_allclose(cross(erased, codes, classes), 0.0, atol=1e-8)
    assert eraser.rank <= classes - 1
    np.testing.assert_allclose(eraser(erased), erased, atol=1e-8)  # erasing twice = once
    # The change is orthogonal to what is left, in the metric of the covariance.
    metric = np.linalg.pinv(np.cov(values.T, bias=True), rcond=1e-12, hermitian=True)
    inner = np.einsum("nd,de,ne->n", erased - values.mean(0), metric, erased - values)
    np.testing.assert_allclose(inner, 0.0, atol=1e-7)
    size = ((erased - values) ** 2).sum() / ((values - values.mean(0)) ** 2).sum()
    assert eraser.change == pytest.approx(size, rel=1e-8)


def test_a_probe_that_is_trained_afterwards_says_the_commonest_class(data):
    values, codes, classes = data
    erased = Whitening.of(values).without(values, codes, classes)(values)
    said = probes.carried(erased, codes, erased, classes)
    assert set(said) == {np.bincount(codes).argmax()}
    one_hot = np.eye(classes)[codes]
    fitted = np.linalg.lstsq(np.c_[erased, np.ones(len(erased))], one_hot, rcond=1e-10)[0]
    np.testing.assert_allclose(fitted[:-1].T @ (erased - erased.mean(0)).T, 0.0, atol=1e-7)


def test_the_slow_way_gives_the_same(data):
    """Dense projections as the paper writes them; the whitening is of the data's own singular values."""
    values, codes, classes = data
    _, size, axes = scipy.linalg.svd((values - values.mean(0)) / np.sqrt(len(values)), full_matrices=False)
    kept = size > 1e-10 * size[0]
    root = (axes[kept].T * size[kept]) @ axes[kept]
    white = (axes[kept].T / size[kept]) @ axes[kept]
    columns = white @ cross(values, codes, classes)
    projection = columns @ np.linalg.pinv(columns, rcond=1e-8)
    slow = values - (values - values.mean(0)) @ (root @ projection @ white).T
    fast = Whitening.of(values).without(values, codes, classes)(values)
    np.testing.assert_allclose(fast, slow, atol=1e-9 * np.abs(values).max())


def test_no_eraser_changes_less():
    """Orthogonal projection along the same directions erases too, and changes more."""
    draw = np.random.default_rng(3)
    codes = draw.integers(0, 3, 400)
    values = draw.normal(size=(400, 6)) @ draw.normal(size=(6, 6)) + draw.normal(size=(3, 6))[codes]
    ours = Whitening.of(values).without(values, codes, 3)(values)
    directions = np.linalg.svd(cross(values, codes, 3))[0][:, :2]
    plain = values - (values - values.mean(0)) @ directions @ directions.T
    np.testing.assert_allclose(cross(plain, codes, 3), 0.0, atol=1e-10)
    assert ((ours - values) ** 2).sum() < ((plain - values) ** 2).sum()


def test_what_the_concept_erasure_package_gives():
    """Computed with concept-erasure 0.2.4, `svd_tol=1e-8, shrinkage=False`, in double precision.

    On random data of 4000 × 384 with 34 classes the two differed by 3.4e-12 where values reach 112.
    """
    values = np.array([[0, 1, 2], [1, 0, 3], [2, 2, 0], [3, 1, 1], [4, 3, 5], [5, 2, 2], [6, 5, 4], [7, 4, 8]])
    theirs = [
        [2.9849660524, 1.7116876819, 2.8602085354], [1.2681862270, -0.0826867119, 1.9775703201],
        [4.1008729389, 2.8780310378, 3.4339233754], [2.3840931135, 1.0836566440, 2.5512851600],
        [4.0150339476, 2.7883123181, 3.3897914646], [2.9849660524, 1.7116876819, 2.8602085354],
        [6.2468477207, 5.1209990301, 4.5372211445], [4.0150339476, 2.7883123181, 3.3897914646],
    ]  # fmt: skip
    codes = np.array([0, 0, 1, 1, 2, 2, 0, 1])
    np.testing.assert_allclose(Whitening.of(values).without(values, codes, 3)(values), theirs, atol=1e-9)


def test_random_directions_take_their_share(data):
    values, _, _ = data
    space = Whitening.of(values)
    eraser = space.at_random(2, np.random.default_rng(0))
    assert eraser.rank == 2
    gone = (values - eraser(values)) @ eraser.into.T  # the whitened coordinates that are taken away
    np.testing.assert_allclose(np.cov(gone.T, bias=True), np.eye(2), atol=1e-7)
    np.testing.assert_allclose(eraser(values) @ eraser.into.T, np.tile(eraser.mean @ eraser.into.T, (len(values), 1)),
                               atol=1e-7)  # fmt: skip
    assert space.at_random(0, np.random.default_rng(0))(values) == pytest.approx(values)


def test_labels_of_other_recordings():
    recording = np.repeat([0, 1, 2], (4, 6, 5))
    codes = np.arange(15)
    for seed in range(20):
        moved = shuffled(codes, recording, np.random.default_rng(seed))
        assert sorted(moved) == list(codes) and not (moved == codes).any()
        # Runs stay together: but for one seam in each place, what followed still follows.
        assert sum(b == a + 1 for a, b in pairwise(moved)) >= 15 - 1 - 2 * 3
    alone = shuffled(np.repeat([0, 1], (4, 6)), np.repeat([0, 1], (4, 6)), np.random.default_rng(0))
    assert sorted(alone) == [0] * 4 + [1] * 6


def test_probes_are_those_of_scikit_learn():
    draw = np.random.default_rng(5)
    codes, recording = draw.integers(0, 4, 300), np.repeat(np.arange(10), 30)
    values = draw.normal(size=(300, 8)) + 0.7 * draw.normal(size=(4, 8))[codes]

    def said(known, asked):
        mean, spread = values[known].mean(0), values[known].std(0)
        model = Ridge(alpha=probes.PENALTY).fit((values[known] - mean) / spread, np.eye(4)[codes[known]])
        return model.predict((values[asked] - mean) / spread).argmax(1)

    first = recording < 5
    np.testing.assert_array_equal(probes.carried(values[first], codes[first], values[~first], 4), said(first, ~first))
    fold = splits.group_folds(recording)
    ours = probes.within(values, codes, recording, 4)
    for k in range(int(fold.max()) + 1):
        np.testing.assert_array_equal(ours[fold == k], said(fold != k, fold == k))
