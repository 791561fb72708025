"""What continua gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.results import Result

Measure = Literal["lens", "tuned", "probe", "nearness"]
MEASURES: dict[Measure, str] = {
    "lens": "CTC lens",
    "tuned": "CTC lens, a head per layer",
    "probe": "Probe",
    "nearness": "Nearness to A",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Continuum(Result):
    """How much of sound A each layer finds in each step, in each context: 0 to 1, None where it cannot be said."""

    lens: np.ndarray | None  # (contexts, layers, steps) share of A in P(A) + P(B); the last layer's head on all
    tuned: np.ndarray | None  # (contexts, layers, steps) the same by each layer's own head
    evidence: np.ndarray | None  # (contexts, layers, steps) the larger of P(A) and P(B), raw lens
    probe: np.ndarray | None  # (contexts, layers, steps) P(A)
    probe_accuracy: np.ndarray | None  # (layers,) of the probe on recordings that it has not seen; chance is 0.5
    nearness: np.ndarray  # (contexts, layers, steps) 1 at A's end, 0 at B's
    a: str
    b: str
    contexts: tuple[str, ...]
    layers: tuple[str, ...]
    starts: np.ndarray  # (contexts, steps) s, where the sound is in its clip
    ends: np.ndarray  # (contexts, steps) s
    samples: np.ndarray  # (all,) float32, every clip after the other, 16 kHz
    offsets: np.ndarray  # (contexts × steps + 1,) int, where each begins and the last ends
    random: tuple["Continuum", ...] = ()  # the same with random weights, one per seed

    @property
    def steps(self) -> np.ndarray:
        """(steps,) place between A (0) and B (1)."""
        return np.linspace(0.0, 1.0, self.nearness.shape[-1])

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those that this result has."""
        return tuple(name for name in MEASURES if getattr(self, name) is not None)

    def clip(self, context: int, step: int) -> Clip:
        """One step as it sounds."""
        number = context * len(self.steps) + step
        return Clip(self.samples[self.offsets[number] : self.offsets[number + 1]], f"{self.contexts[context]} {step}")

    def context_effect(self, measure: Measure) -> np.ndarray:
        """(layers,) area between the curves of the first two contexts, -1 to 1: positive if the first favours A.

        Raises UserError where there is only one context.
        """
        if len(self.contexts) < 2:
            raise UserError("There is only one context here, so there is no effect of context; give two.")
        values = of_reading(self, measure)
        return np.trapezoid(values[0] - values[1], self.steps, axis=-1)

    def table(self) -> pd.DataFrame:
        """One line per context, layer and step: every measure, and the same with random weights."""
        context, layer, step = np.indices(self.nearness.shape).reshape(3, -1)
        columns = {"context": np.array(self.contexts, object)[context], "layer": layer, "step": self.steps[step]}
        columns |= {"a": self.a, "b": self.b}
        columns |= {name: of_reading(self, name).ravel() for name in self.measures}
        if self.evidence is not None:
            columns["highest_probability"] = self.evidence.ravel()
        if self.probe_accuracy is not None:
            columns["probe_accuracy"] = self.probe_accuracy[layer]
        for twin in self.random:
            seed = twin.provenance["options"]["seed"]
            columns |= {f"random_{seed}_{name}": of_reading(twin, name).ravel() for name in twin.measures}
        return pd.DataFrame(columns)


def of_reading(result: Continuum, measure: Measure) -> np.ndarray:
    values = getattr(result, measure)
    if values is None:
        raise UserError(f"There is no {MEASURES[measure]} here; choose one of {', '.join(result.measures)}.")
    return values
