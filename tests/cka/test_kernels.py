"""Centred kernel alignment: the definitions, the laws, and what chance gives."""

import numpy as np
import pytest
import reference_spaces as reference
from scipy.stats import ortho_group

from methods.cka.kernels import alignment, grams
from methods.core.errors import UserError

RNG = np.random.default_rng(0)
EXACT = 1e-9  # float64: a few hundred sums of numbers near 1 lose at most about 1e-13


def pair(n: int = 60, p: int = 8, q: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two views with something in common."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    return x, x @ rng.normal(size=(p, q)) + rng.normal(size=(n, q))


def value(x, y, kernel="linear", tau=1.0, which="debiased"):
    return float(getattr(alignment(grams([x], kernel, tau), grams([y], kernel, tau)), which)[0, 0])


def test_debiased_equals_the_sum_over_distinct_quadruples():
    x, y = pair(n=9)
    for kernel, slow in (("linear", reference.linear_kernel), ("rbf", reference.rbf_kernel)):
        expected = reference.debiased_cka(slow(x), slow(y))
        assert value(x, y, kernel) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_both_estimators_equal_their_definitions(kernel):
    x, y = pair()
    slow = {"linear": reference.linear_kernel, "rbf": lambda z: reference.rbf_kernel(z, 0.7)}[kernel]
    assert value(x, y, kernel, 0.7) == pytest.approx(reference.u_centred_cka(slow(x), slow(y)), abs=EXACT)
    expected = reference.biased_cka(slow(x), slow(y))
    assert value(x, y, kernel, 0.7, "biased") == pytest.approx(expected, abs=EXACT)


def test_many_at_once_equal_the_plain_loop_over_pairs():
    first, second = [pair(seed=s)[0] for s in range(4)], [pair(seed=s)[1] for s in range(3)]
    found = alignment(grams(first), grams(second))
    np.testing.assert_allclose(found.debiased, reference.naive_grid(first, second), atol=EXACT)
    np.testing.assert_allclose(found.biased, reference.naive_grid(first, second, debiased=False), atol=EXACT)


def test_single_precision_is_close():
    first = [pair(n=300, p=64, seed=s)[0] for s in range(3)]
    exact = alignment(grams(first), grams(first)).debiased
    single = [x.astype(np.float32) for x in first]
    # 24 bits: 6e-8 for each of the n² = 9e4 terms, whose errors mostly cancel; 1e-5 is two orders above.
    np.testing.assert_allclose(alignment(grams(single), grams(single)).debiased, exact, atol=1e-5)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("which", ["debiased", "biased"])
def test_laws(kernel, which):
    x, y = pair()
    rotation = ortho_group.rvs(x.shape[1], random_state=1)
    here = value(x, y, kernel, which=which)
    assert value(x, x, kernel, which=which) == pytest.approx(1, abs=EXACT)
    assert value(y, x, kernel, which=which) == pytest.approx(here, abs=EXACT)
    assert value(-3.7 * x @ rotation + 5.0, y, kernel, which=which) == pytest.approx(here, abs=EXACT)


def test_a_stretched_space_is_another_space():
    x, y = pair()
    stretched = x * np.array([10.0, *[1.0] * (x.shape[1] - 1)])  # invertible, and CKA is not blind to it
    assert abs(value(stretched, y) - value(x, y)) > 0.05


def test_debiased_is_zero_on_average_for_unrelated_items_and_biased_is_not():
    draws = [(value(a, b), value(a, b, which="biased")) for a, b in (RNG.normal(size=(2, 20, 50)) for _ in range(400))]
    debiased, biased = np.transpose(draws)
    # 400 draws: the mean of something centred on 0 lies within 4 standard errors.
    assert abs(debiased.mean()) < 4 * debiased.std() / 20
    assert biased.mean() > 0.6


@pytest.mark.parametrize(
    ("n", "p", "q", "published"),
    # methods.md A6: biased linear CKA of independent Gaussians, measured with other code
    [(5, 768, 768, 0.995), (10, 768, 768, 0.988), (50, 768, 13, 0.438), (150, 384, 384, 0.719)],
)
def test_floor_is_what_independent_noise_gives(n, p, q, published):
    found = alignment(grams([RNG.normal(size=(n, p))]), grams([RNG.normal(size=(n, q))]))
    # One draw of n items: its spread is at most about 0.03 in this table.
    assert found.biased[0, 0] == pytest.approx(published, abs=0.04)
    assert found.floor[0, 0] == pytest.approx(published, abs=0.04)


def test_floor_is_the_mean_over_all_shuffles():
    x, y = pair(n=30)
    shuffled = [value(x, y[np.random.default_rng(s).permutation(30)], which="biased") for s in range(600)]
    standard_error = np.std(shuffled) / np.sqrt(len(shuffled))
    assert value(x, y, which="floor") == pytest.approx(np.mean(shuffled), abs=4 * standard_error)


@pytest.mark.parametrize(
    ("matrices", "options", "said"),
    [
        ([np.ones((10, 3))], {}, "the same for all items"),
        ([np.ones((3, 3))], {}, "at least 4 items and there are 3"),
        ([np.full((9, 2), np.nan)], {}, "not numbers"),
        ([np.eye(9)[:, :1]], {"kernel": "rbf"}, "More than half of the items are identical"),
        ([np.eye(9)], {"kernel": "cosine"}, "no kernel"),
        ([np.eye(9)], {"kernel": "rbf", "tau": 0}, "positive"),
    ],
)
def test_what_cannot_be_compared_is_refused(matrices, options, said):
    with pytest.raises(UserError, match=said):
        grams(matrices, **options)
