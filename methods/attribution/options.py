"""How an attribution is made and tested, and what of that makes sense."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from methods.attribution.input_stability import VARIANTS
from methods.core.explain.attribution_map import METHODS, TIME_LIMIT, Aggregate, Recipe
from methods.core.explain.faithfulness import RANDOM_ORDERS
from methods.core.explain.gradients import MOST_STEPS
from methods.core.explain.perturb import MODES, Mode
from methods.core.frames import Segment
from methods.core.models.stages import Level, Window

Pieces = Literal["words", "phones", "windows"]
SENSE = {  # what the annotations of `attribution.analyse` cannot say
    "method": METHODS,
    "compared": METHODS,
    "modes": tuple(MODES),
    "variants": tuple(VARIANTS),
    "occurrence": (1, math.inf),
    "steps": (1, math.inf),
    "samples": (2, math.inf),
    "share": (0.001, 1),
    "orders": (0, math.inf),
    "heads": (0, 50),
    "time_limit": (0, math.inf),
}


@dataclass(frozen=True)
class Options:
    """How an attribution is made and tested; see `attribution.analyse`."""

    target: str | None = None
    wanted: str | None = None
    occurrence: int | None = None
    against: str | None = None
    transcript: str | None = None
    language: str | None = None
    head: str | None = None
    window: Window = "full"
    pieces: Pieces = "words"
    method: str = "leave one out"
    level: Level = "log-mel"
    aggregate: Aggregate = "sum"
    replacement: Mode = "silence"
    steps: int = MOST_STEPS
    samples: int | None = None
    seed: int = 0
    share: float = 0.1
    checks: bool = True
    orders: int = RANDOM_ORDERS
    compared: tuple[str, ...] = ("leave one out", "occlusion", "LIME", "input x gradient")
    modes: tuple[Mode, ...] = tuple(MODES)
    variants: tuple[str, ...] = tuple(VARIANTS)
    random_seeds: tuple[int, ...] = (0, 1, 2)
    heads: int = 0
    phones: Sequence[Segment] | None = None
    time_limit: float = TIME_LIMIT

    @property
    def recipe(self) -> Recipe:
        """What concerns the method alone."""
        return Recipe(self.method, self.level, self.aggregate, self.steps, self.samples, seed=self.seed)
