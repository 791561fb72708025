"""A speech network as a chain of differentiable steps, so that it can be entered, and explained, at several levels.

    steps = models.stages_of(clip, model)           # {"waveform": f1, "log-mel": f2, "embedding": f3}
    mel = at(steps, "log-mel", samples)    # what enters there
    output = onward(steps, "log-mel", mel) # what the network makes of it: decoder input, or scores of a head

Whisper and hama have a log-mel level. The wav2vec 2.0 family goes from samples straight to the convolutions' output.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from methods.core.models.devices import beside

Level = Literal["waveform", "log-mel", "embedding"]
Window = Literal["full", "clip"]  # Whisper: the exact 30 s, or only the clip's own frames (another input: say so)
Stages = dict[str, Callable[[torch.Tensor], Any]]  # level -> the step that starts there; the last gives the output


def batch(network: Any, values: np.ndarray) -> torch.Tensor:
    """(1, …) float32 beside the network's weights; a copy, since a clip's samples are read-only."""
    return beside(network, torch.tensor(np.ascontiguousarray(values, dtype=np.float32))[None])


def at(steps: Stages, level: Level, samples: torch.Tensor) -> torch.Tensor:
    """What enters the network at this level, of (1, n) samples."""
    for name, step in steps.items():
        if name == level:
            return samples
        samples = step(samples)
    raise ValueError(f"this network has no level {level!r}; it has {', '.join(steps)}")


def onward(steps: Stages, level: Level, entering: torch.Tensor) -> Any:
    """The network's output when `entering` enters it at this level."""
    names = list(steps)
    for name in names[names.index(level) :]:
        entering = steps[name](entering)
    return entering


def filled_up(samples: torch.Tensor, least: int) -> torch.Tensor:
    """(1, ≥ least) the samples, with silence after them where they are fewer."""
    return F.pad(samples, (0, max(0, least - samples.shape[-1])))


@contextmanager
def replaced(module: torch.nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """While it lasts, the module answers what `forward` makes of its input. The caller holds the model's lock."""
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
