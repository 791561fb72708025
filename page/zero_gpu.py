"""ZeroGPU, the Hub's free home for an app: its start fails unless some function carries the marker of `spaces`.

A GPU is there only while such a function runs, and its seconds come off the visitor's daily quota. What the page does
takes a CPU seconds, so all of it stays on the CPU, and the one marked function only says which GPU could be had.
"""

import os
from collections.abc import Callable
from typing import Any

from methods.core import models


def hosted() -> bool:
    """Whether this is a ZeroGPU Space; its own package reads the same variable."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is; on a ZeroGPU Space with the marker, so that the Space starts."""
    if not hosted():
        return function
    import spaces  # noqa: PLC0415 (installed on ZeroGPU only, where it patches torch)

    return spaces.GPU(duration=10)(function)  # seconds taken off the quota at most


@marked
def borrowed_gpu() -> str:
    """Which GPU does a marked function get? Its name, or "cpu" where there is none."""
    return models.accelerator_name()
