"""Ridge probes against scikit-learn and least squares, their invariances, and folds that never split a recording."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from methods.core.errors import UserError
from methods.core.statistics import linear_probe
from methods.core.statistics.linear_probe import Fit, cross_validate, misread, moments, one_hot, squared_error
from methods.core.statistics.splits import group_folds

# Double precision (1e-16) through a 6 x 6 eigendecomposition of condition below 1e4, on numbers of order 1 to 100.
CLOSE = 1e-9


@pytest.fixture
def data():
    """60 items: six correlated features of unequal size far from zero, three targets."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) * [1, 10, 0.1, 3, 1, 5] + [5, -40, 0, 100, 1, 2]
    targets = features @ rng.normal(size=(6, 3)) + rng.normal(size=(60, 3)) * 3 + [1, 2, 3]
    return features, targets


@pytest.mark.parametrize("penalty", [0.1, 10.0, 1e4])
def test_a_probe_is_scikit_learns_ridge_on_standardised_features(data, penalty):
    features, targets = data
    scaler = StandardScaler().fit(features)
    theirs = Ridge(alpha=penalty).fit(scaler.transform(features), targets)
    probe = Fit(moments(features, targets)).probe(penalty)
    fresh = features[::-1] * 1.1
    np.testing.assert_allclose(
        linear_probe.solved(moments(features, targets), penalty)(fresh), probe(fresh), atol=CLOSE, rtol=CLOSE
    )
    np.testing.assert_allclose(probe(fresh), theirs.predict(scaler.transform(fresh)), atol=CLOSE, rtol=CLOSE)
    column = Fit(moments(features, targets)).probe(penalty, slice(1, 2))
    np.testing.assert_allclose(column(fresh)[:, 0], probe(fresh)[:, 1], rtol=1e-12)


def test_without_a_penalty_it_is_least_squares(data):
    features, targets = data
    design = np.column_stack([features, np.ones(60)])
    expected = design @ np.linalg.lstsq(design, targets, rcond=None)[0]
    # A penalty of 1e-9 beside eigenvalues of at least 1e-2 moves a prediction of order 100 by 1e-5 at most.
    np.testing.assert_allclose(Fit(moments(features, targets)).probe(1e-9)(features), expected, atol=1e-5)


def test_the_moments_of_a_part_are_those_of_the_whole_less_the_rest(data):
    features, targets = data
    left = moments(features, targets) - moments(features[:20], targets[:20])
    for name in ("n", "x", "y", "xx", "xy"):
        # Sums of 60 products up to 2e4: 1e6 x 1e-16.
        np.testing.assert_allclose(
            getattr(left, name), getattr(moments(features[20:], targets[20:]), name), rtol=1e-10, atol=1e-8
        )


@pytest.mark.parametrize("level", [0.0, 1.0, -3e4])
def test_a_constant_feature_changes_nothing(data, level):
    features, targets = data
    plain = Fit(moments(features, targets)).probe(10.0)
    wider = np.column_stack([features, np.full(60, level)])
    # By subtraction too, where rounding makes a variance of a constant that is not quite 0.
    for known in (
        moments(wider, targets),
        moments(np.tile(wider, (2, 1)), np.tile(targets, (2, 1))) - moments(wider, targets),
    ):
        probe = Fit(known).probe(10.0)
        assert (probe.weights[-1] == 0).all()
        np.testing.assert_allclose(probe(wider), plain(features), rtol=1e-8)


def test_the_unit_of_each_feature_and_its_zero_do_not_matter(data):
    features, targets = data
    plain = Fit(moments(features, targets)).probe(10.0)(features)
    for scale in (1e-3, 1e4, np.array([1e-3, 1, 10, 1e3, 7, 0.5])):
        moved = features * scale + 3 * scale
        np.testing.assert_allclose(Fit(moments(moved, targets)).probe(10.0)(moved), plain, rtol=1e-7)


def test_a_rotation_of_features_of_equal_spread_and_no_correlation_does_not_matter():
    # Standardising does not commute with rotation unless the features are white; then ridge is exactly invariant.
    rng = np.random.default_rng(1)
    white, _ = np.linalg.qr(rng.normal(size=(50, 5)) - 0)
    white, _ = np.linalg.qr(white - white.mean(0))
    targets, turn = rng.normal(size=(50, 2)), ortho_group.rvs(5, random_state=2)
    for penalty in (0.1, 30.0):
        plain = Fit(moments(white, targets)).probe(penalty)(white)
        np.testing.assert_allclose(Fit(moments(white @ turn, targets)).probe(penalty)(white @ turn), plain, atol=1e-10)


def test_a_feature_that_varies_in_the_held_out_part_alone_gets_no_weight(data):
    # Whole less part leaves rounding where there should be 0: divided by its root it would be noise as loud as speech.
    features, targets = data
    wider = np.column_stack([features, np.where(np.arange(60) < 20, np.arange(60) * 1234.567 + 0.1, 0)])
    left = Fit(moments(wider, targets) - moments(wider[:20], targets[:20])).probe(10.0)
    plain = Fit(moments(features[20:], targets[20:])).probe(10.0)
    assert left.weights[-1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(left(wider[:20]), plain(features[:20]), rtol=1e-7)


def test_without_a_penalty_any_invertible_map_of_the_features_does_not_matter(data):
    features, targets = data
    turned = features @ ortho_group.rvs(6, random_state=3)
    plain = Fit(moments(features, targets)).probe(1e-9)(features)
    np.testing.assert_allclose(Fit(moments(turned, targets)).probe(1e-9)(turned), plain, atol=2e-5)  # as for lstsq


# Cross-validation


def slow(features, targets, fold, penalties, loss):
    """The same in plain loops with scikit-learn: for each fold, choose on the next fold, refit, predict."""
    said, chosen = np.empty_like(targets), []
    count = fold.max() + 1
    for k in range(count):
        judge = (k + 1) % count
        inner, outer = (fold != k) & (fold != judge), fold != k

        def model(known, penalty):
            scaler = StandardScaler().fit(features[known])
            fitted = Ridge(alpha=penalty).fit(scaler.transform(features[known]), targets[known])
            return lambda rows: fitted.predict(scaler.transform(features[rows])).reshape(-1, targets.shape[1])

        losses = [loss(model(inner, p)(fold == judge), targets[fold == judge]) for p in penalties]
        chosen.append(penalties[int(np.argmin(losses))])
        said[fold == k] = model(outer, chosen[-1])(fold == k)
    return said, np.array(chosen)


@pytest.mark.parametrize("loss", [squared_error, misread])
def test_cross_validation_is_the_plain_loop(data, loss):
    features, targets = data
    if loss is misread:
        targets = one_hot(targets.argmax(1), 3)
    both = np.column_stack([targets, targets[::-1]])
    fold = group_folds(np.arange(60) // 3)
    penalties = np.array([0.1, 10.0, 1000.0])
    found = cross_validate(features, both, fold, [slice(0, 3), slice(3, 6)], loss, penalties)
    for number, columns in enumerate((slice(0, 3), slice(3, 6))):
        said, chosen = slow(features, both[:, columns], fold, penalties, loss)
        np.testing.assert_array_equal(found.penalties[:, number], chosen)
        np.testing.assert_allclose(found.predictions[:, columns], said, rtol=1e-7, atol=1e-7)


def test_a_fold_does_not_see_its_own_targets(data):
    features, targets = data
    fold = group_folds(np.arange(60) // 3)
    spoilt = targets.copy()
    spoilt[fold == 2] = 1e3 * np.random.default_rng(5).normal(size=spoilt[fold == 2].shape)
    plain, other = (
        cross_validate(features, y, fold, [slice(0, 3)], squared_error, np.array([10.0])) for y in (targets, spoilt)
    )
    np.testing.assert_allclose(other.predictions[fold == 2], plain.predictions[fold == 2], rtol=1e-7)
    assert np.abs(other.predictions[fold == 3] - plain.predictions[fold == 3]).max() > 1


def test_what_gives_a_recording_away_does_not_help():
    # 40 recordings of 10 items that share one label each; one feature per recording: known, it tells the label.
    rng = np.random.default_rng(0)
    recording = np.repeat(np.arange(40), 10)
    label = rng.permutation(np.repeat([0, 1], 20))[recording]
    features = one_hot(recording, 40)
    found = cross_validate(features, one_hot(label, 2), group_folds(recording), [slice(0, 2)], misread)
    # Held out, all recordings look alike, so that a fold gets one answer: right for about half of the 40.
    assert found.predictions.argmax(1).reshape(40, 10).std(1).max() == 0
    assert (found.predictions.argmax(1) == label).mean() <= 0.5 + 3 * np.sqrt(0.25 / 40)
    leaky = rng.integers(0, 5, 400)  # by item: the same recording on both sides
    assert (
        cross_validate(features, one_hot(label, 2), leaky, [slice(0, 2)], misread).predictions.argmax(1) == label
    ).all()


def test_losses_and_one_hot():
    predictions, codes = np.array([[0.9, 0.2, 0.1], [0.3, 0.2, 0.4], [0.0, 0.1, 0.0]]), np.array([0, 1, 1])
    assert one_hot(codes, 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert misread(predictions, one_hot(codes, 3)) == pytest.approx(1 / 3)
    assert squared_error(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]])) == 2.5


# Folds


@pytest.mark.parametrize("seed", range(5))
def test_folds_never_split_a_recording_and_are_even(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, 33)
    groups = rng.permutation(np.repeat([f"recording {i}" for i in range(33)], sizes))
    fold = group_folds(groups, seed=seed)
    for name in set(groups):
        assert len(set(fold[groups == name])) == 1
    held = np.bincount(fold)
    assert len(held) == 5 and held.min() > 0
    assert held.max() - held.min() <= sizes.max()  # of dealing the largest first, each to the smallest fold
    np.testing.assert_array_equal(fold, group_folds(groups, seed=seed))


def test_few_groups_are_as_many_folds_and_equal_ones_are_dealt_at_random():
    assert sorted(group_folds(np.repeat([7, 8, 9], 4))[::4]) == [0, 1, 2]
    deals = {tuple(group_folds(np.arange(20), seed=seed)) for seed in range(3)}
    assert len(deals) == 3
    assert all(np.bincount(deal).tolist() == [4] * 5 for deal in deals)


@pytest.mark.parametrize("groups", [[], ["ann"], ["ann", "ann", "bob"]])
def test_two_groups_cannot_train_choose_and_test(groups):
    with pytest.raises(UserError, match=r"give (no groups|1 group|2 groups) to split by and at least 3"):
        group_folds(np.array(groups, dtype=str))
    assert linear_probe.FOLDS == 5
