"""Faithfulness: laws on additive and constant models, curves by hand, correlations against SciPy."""

import numpy as np
import pytest
from reference_attribution import area_by_hand
from scipy.stats import spearmanr

from methods.core.explain import faithfulness
from methods.core.explain.faithfulness import Verdict, ranking, steps_of, trial, verdict_in_steps
from methods.core.progress import finish
from methods.core.statistics.correlation import agreement, spearman

SHARES = np.array([3.0, -1.0, 0.5, 2.0, 0.0, 1.0])
SIZES = np.array([0.2, 0.3, 0.1, 0.2, 0.1, 0.1])


def additive(kept):
    return 10 + float(SHARES[kept].sum())


def test_curves_by_hand():
    found = trial(additive, ranking(SHARES), SIZES)
    np.testing.assert_array_equal(found.order, [0, 3, 5, 2, 4, 1])
    np.testing.assert_array_equal(found.taken, range(7))
    np.testing.assert_allclose(found.deletion, [15.5, 12.5, 10.5, 9.5, 9, 9, 10])
    np.testing.assert_allclose(found.insertion, [10, 13, 15, 16, 16.5, 16.5, 15.5])
    np.testing.assert_allclose(found.share, [0, 0.2, 0.4, 0.5, 0.6, 0.7, 1.0])
    assert found.comprehensiveness == pytest.approx(np.mean(15.5 - np.array([12.5, 10.5, 9.5, 9, 9, 10])))
    assert found.sufficiency == pytest.approx(np.mean(15.5 - np.array([13, 15, 16, 16.5, 16.5, 15.5])))
    assert found.deletion_area == pytest.approx(area_by_hand(found.share.tolist(), found.deletion.tolist()))
    assert found.insertion_area == pytest.approx(area_by_hand(found.share.tolist(), found.insertion.tolist()))


def test_all_taken_away_is_the_baseline_and_all_kept_is_the_whole():
    found = trial(additive, [5, 4, 3, 2, 1, 0], SIZES)
    assert found.deletion[-1] == found.insertion[0] == additive(np.zeros(6, bool))
    assert found.insertion[-1] == found.deletion[0] == additive(np.ones(6, bool))


def test_few_pieces_give_few_steps():
    np.testing.assert_array_equal(steps_of(3), [0, 1, 2, 3])
    np.testing.assert_array_equal(steps_of(1), [0, 1])
    np.testing.assert_array_equal(steps_of(25), [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25])


def test_the_true_shares_beat_every_other_order_of_an_additive_model():
    found = finish(verdict_in_steps(additive, SHARES, SIZES, energy=-SHARES, draws=200, seed=1))
    for measure in ("comprehensiveness", "sufficiency"):
        sign = faithfulness.MEASURES[measure]
        drawn = np.array([sign * getattr(each, measure) for each in found.random])
        assert sign * getattr(found.own, measure) >= drawn.max() - 1e-12
        assert found.z(measure) > 1.5 and found.beaten(measure) > 0.95
        assert found.z(measure, found.energy) < -1.5  # the reverse is the worst of all
        expected = (getattr(found.own, measure) - np.mean(sign * drawn)) / np.std(drawn, ddof=1) * sign
        assert found.z(measure) == pytest.approx(expected)


def test_random_against_random_is_nothing_special():
    """Mean z of 40 random orders, each against 40: standard error 1/sqrt(40) = 0.16; four of them are allowed."""
    random = np.random.default_rng(5)
    scores = [
        finish(verdict_in_steps(additive, random.random(6), SIZES, draws=40, seed=s)).z("comprehensiveness")
        for s in range(40)
    ]
    assert abs(np.mean(scores)) < 0.64
    assert 0.6 < np.std(scores) < 1.5


def test_a_constant_model_has_no_faithful_attribution():
    found = finish(verdict_in_steps(lambda kept: 4.0, SHARES, SIZES, energy=SIZES))
    for values in found.summary().values():
        assert np.isnan(values["z"]) and values["beaten"] == 0.5
        assert values["random_sd"] == pytest.approx(0, abs=1e-12)
    assert found.own.comprehensiveness == found.own.sufficiency == 0
    assert found.own.deletion_area == pytest.approx(4.0)


def test_every_step_can_be_stopped_at_and_shown():
    asked = []

    def counted(kept):
        asked.append(kept)
        return additive(kept)

    partials, most = [], 0
    for step in verdict_in_steps(counted, SHARES, SIZES, energy=SIZES, draws=3):
        partials += [] if step.partial is None else [step.partial]
        most = max(most, len(asked))
        asked.clear()
    assert most == 1  # value between two steps
    assert [len(partial.random) for partial in partials] == [0, 0, 1, 2]
    assert isinstance(partials[0], Verdict) and np.isnan(partials[0].z("sufficiency"))
    assert partials[-1].energy is not None


def test_seeds_decide_the_random_orders():
    first, same, other = (finish(verdict_in_steps(additive, SHARES, SIZES, draws=2, seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.random[1].order, same.random[1].order)
    assert any((a.order != b.order).any() for a, b in zip(first.random, other.random, strict=True))


def test_spearman_is_scipys_with_ties():
    random = np.random.default_rng(0)
    for _ in range(20):
        a, b = random.integers(0, 5, 9).astype(float), random.standard_normal(9)
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_agreement_of_equal_opposite_and_constant_vectors():
    values = np.array([1.0, 5.0, 2.0, 8.0])
    found = agreement({"a": values, "same order": values**3, "opposite": -values, "constant": np.zeros(4)})
    np.testing.assert_allclose(found[0, :3], [1, 1, -1])
    assert np.isnan(found[3]).all() and np.isnan(found[:, 3]).all()
    assert np.isnan(spearman([1, 2], [1, 2]))  # two values always agree or disagree fully: no news
