"""What this page allows: on the public Space less than on a machine of one's own."""

import math
import os

from methods.core.errors import UserError
from methods.core.models import menu

LONGEST_RUN = 300  # s of computing that one run may take on the public Space


def on_space() -> bool:
    """Whether this is the public Space, where visitors may load listed models only."""
    return bool(os.environ.get("SPACE_ID"))


def allowed_model(identifier: str) -> str:
    """The model, if this page may load it for a visitor: on the public Space only what the menu lists."""
    if on_space() and identifier not in menu.MODELS:
        raise UserError(f"{identifier} is not on this page's list; run the app on your own machine to open any model.")
    return identifier


def longest_run() -> float:
    """How many seconds of computing one run may take: on the public Space others wait for it."""
    return LONGEST_RUN if on_space() else math.inf
