"""Logistic probes: multinomial logistic regression that lets go of the machine about once a second."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from methods.core.progress import Step, Steps, finish
from methods.core.statistics.linear_probe import Probe

ITERATIONS = 200  # of L-BFGS; on these features the loss has settled to three digits by then
FEWEST_ITERATIONS = 10  # between two steps: L-BFGS forgets the curvature of the last ten when it starts again
WORK = 2e9  # multiplications of (items, features) by classes, about a second on one core


class Logistic:
    """Multinomial logistic regression on features standardised by the training items.

    Where all are of one class (a rare one may be held out entirely) there is nothing to fit: that is what it says.
    """

    def __init__(self, values: np.ndarray, codes: np.ndarray, c: float) -> None:
        self.mean, spread = values.mean(0), values.std(0)
        self.inverse = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        self.model = LogisticRegression(C=c, max_iter=ITERATIONS, tol=1e-3)
        self.only = int(codes[0]) if (codes == codes[0]).all() else None

    @classmethod
    def in_steps(cls, values: np.ndarray, codes: np.ndarray, c: float) -> Steps["Logistic"]:
        """Train it, and let go of the machine about once a second."""
        found = cls(values, codes, c)
        if found.only is None:
            scaled = (values - found.mean) * found.inverse
            yield from _descended(found.model, scaled, codes)
        return found

    @classmethod
    def trained(cls, values: np.ndarray, codes: np.ndarray, c: float) -> "Logistic":
        """Train it."""
        return finish(cls.in_steps(values, codes, c))

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(n,) the most likely code of each item."""
        if self.only is not None:
            return np.full(len(values), self.only)
        return self.model.predict((values - self.mean) * self.inverse)

    @property
    def probe(self) -> Probe:
        """The same as an affine map to logits, one column per code that occurs."""
        weights = (self.model.coef_ * self.inverse).T
        return Probe(weights, self.model.intercept_ - self.mean @ weights)


def _descended(model: LogisticRegression, values: np.ndarray, codes: np.ndarray) -> Steps[None]:
    """Fit it, so many iterations at a time as take about a second, each time from where it was."""
    work = values.size * len(np.unique(codes))  # multiplications of one look at the loss
    model.warm_start, model.max_iter = True, int(np.clip(WORK / work, FEWEST_ITERATIONS, ITERATIONS))
    done = 0
    while done < ITERATIONS:
        yield Step(done / ITERATIONS, "training a logistic probe")
        with warnings.catch_warnings():  # it has not settled yet, which is why it goes on
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(values, codes)
        done += model.max_iter
        if model.n_iter_.max() < model.max_iter:
            return
