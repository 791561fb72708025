"""How an attribution is made and tested, and what of that makes sense."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from methods.attribution.input_stability import VARIANTS
from methods.core.explain.attribution_map import METHODS, Aggregate, MapRecipe
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

    target: str | None
    wanted: str | None
    occurrence: int | None
    against: str | None
    transcript: str | None
    language: str | None
    head: str | None
    window: Window
    pieces: Pieces
    method: str
    level: Level
    aggregate: Aggregate
    replacement: Mode
    steps: int
    samples: int | None
    seed: int
    share: float
    checks: bool
    orders: int
    compared: tuple[str, ...]
    modes: tuple[Mode, ...]
    variants: tuple[str, ...]
    random_seeds: tuple[int, ...]
    heads: int
    phones: Sequence[Segment] | None
    time_limit: float

    @property
    def recipe(self) -> MapRecipe:
        """What concerns the method alone."""
        return MapRecipe(self.method, self.level, self.aggregate, self.steps, self.samples, seed=self.seed)
