"""Logistic probes in pieces: the same answer as at once, and what there is to say of a single class."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from methods.core.progress import finish
from methods.probing import logistic
from methods.probing.logistic import Logistic


def test_where_only_one_class_was_heard_that_is_what_it_says():
    model = Logistic.trained(np.random.default_rng(0).normal(size=(9, 2)), np.full(9, 3), 0.1)
    assert model.predict(np.zeros((4, 2))).tolist() == [3] * 4


def test_in_pieces_it_is_the_same_as_at_once(monkeypatch):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(400, 20))
    codes = (values @ rng.normal(size=(20, 5)) + rng.normal(size=(400, 5))).argmax(1)
    scaled = (values - values.mean(0)) / values.std(0)
    theirs = LogisticRegression(C=0.1, tol=1e-9, max_iter=1000).fit(scaled, codes).decision_function(scaled)
    monkeypatch.setattr(logistic, "WORK", 1)
    monkeypatch.setattr(logistic, "FEWEST_ITERATIONS", 3)
    steps = []
    found = finish(Logistic.in_steps(values, codes, 0.1), steps.append)
    assert len(steps) > 1 and [step.done for step in steps] == sorted(step.done for step in steps)
    # It stops at a gradient of 1e-3 of the mean loss, whose curvature is at least 1 / (C n) = 0.025: 0.04 in weights.
    logits = found.probe(values)
    np.testing.assert_allclose(
        logits - logits.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=0.2
    )
    assert (found.predict(values) == theirs.argmax(1)).mean() > 0.99
