"""Attribution by gradients, at any level at which a network can be entered. The only home of captum.

captum gives the gradients. The loops over steps and samples are ours, because its own run to their end in one call,
where a visitor must be able to stop, and its defaults (5 noisy samples with a spread of 1.0) drown a waveform.
DeepLift and GradientSHAP are left out; `benchmarks/attribution.py` shows why: captum's DeepLift knows no rule for the
GELUs, norms and attention of these networks, so its parts do not add up, and GradientSHAP with as many samples as
integrated gradients has steps misses the sum by far more.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch

from methods.core import models
from methods.core.errors import UserError
from methods.core.explain.perturb import Mode, filling
from methods.core.explain.targets import Target
from methods.core.frames import FRAME_SAMPLES
from methods.core.models.stages import Level
from methods.core.progress import Step, Steps

GradientMethod = Literal["saliency", "input x gradient", "SmoothGrad", "integrated gradients"]
GRADIENT_METHODS: tuple[GradientMethod, ...] = ("input x gradient", "saliency", "SmoothGrad", "integrated gradients")
NOISE = 0.15  # spread of SmoothGrad's noise as a share of the input's range (Smilkov et al. 2017)
NOISY_SAMPLES = 25
MOST_STEPS = 96  # gradients that integrated gradients may take; they stop earlier where the sum is met
FIRST_STRETCHES, POINTS = 4, 2  # the path's first parts, and the gradients taken in each part
WIDEST_ERROR = 0.03  # sum of the parts' errors, as a share of the whole, at which refinement ends
WIDEST_GAP = 0.05  # of the difference that the parts must add up to
SAMPLES_PER_FRAME = {"log-mel": 160, "embedding": FRAME_SAMPLES}  # of Whisper: 10 and 20 ms
ROUNDING = 1e-3  # nats: below it, a gap is rounding in float32 and no failure of the integral


@dataclass(frozen=True, eq=False)
class GradientMap:
    """An attribution in the shape of what enters the network at a level."""

    values: np.ndarray  # (…) float64, time last: (n,), (mels, frames) or (dim, frames)
    total: float | None  # what the values must add up to; None for methods that promise no sum
    gap: float  # how far they miss it, as a share of it; NaN where there is no such promise


def gradient_map(
    target: Target,
    level: Level,
    method: GradientMethod,
    *,
    baseline: Mode = "silence",
    steps: int = MOST_STEPS,
    adaptive: bool = True,
    samples: int = NOISY_SAMPLES,
    seed: int = 0,
) -> Steps[GradientMap]:
    """The attribution of a target at a level; every pass through the network is a step.

    What integrated gradients have after their first look at the whole path comes as a partial map. `baseline` is what
    they start from, `steps` how many gradients they may take, and `adaptive=False`
    spaces exactly that many evenly (as captum does); `samples` is SmoothGrad's number of noisy copies. Raises
    UserError where integrated gradients miss their sum by over 5%.
    """
    if level not in target.levels:
        raise UserError(f"{target.model.id} cannot be entered at “{level}”; choose {' or '.join(target.levels)}.")
    entering = target.entering(level)
    if method == "integrated gradients":
        start = baseline_at(target, level, baseline, seed)
        return (yield from _integrated(target, level, entering, start, steps, adaptive))
    if method == "SmoothGrad":
        return (yield from _smooth(target, level, entering, samples, seed))
    if method not in GRADIENT_METHODS:
        raise UserError(f"There is no gradient method {method!r}; choose one of {', '.join(GRADIENT_METHODS)}.")
    yield Step(0.0, "one gradient")
    times_input = method == "input x gradient"
    return GradientMap(_time_last(_attributed(target, level, entering, times_input), level), None, float("nan"))


def baseline_at(target: Target, level: Level, mode: Mode = "silence", seed: int = 0) -> torch.Tensor:
    """(1, …) what stands for “nothing there” at a level.

    Silence in a log-mel is the clip's own padding value, which depends on its loudest cell; at the embedding it is
    what the network makes of that. The mean is that of each band, or dimension, over the clip's own frames: what
    Whisper reads behind the clip stays as it is. It is no part of what is explained, and its 25 s of padding would
    turn the mean of a clip of 3 s into almost silence.
    """
    if mode == "cut":
        raise UserError("Integrated gradients need something in the sound's place; choose silence, noise or the mean.")
    if mode == "mean":
        return _levelled(target, level, target.entering(level).clone())
    if mode == "silence" and level != "waveform" and "log-mel" in target.levels:
        mel = target.entering("log-mel")
        quiet = torch.full_like(mel, _quiet(target, mel))
        return quiet if level == "log-mel" else target.onto(level, "log-mel", quiet)
    return target.entering(level, filling(target.clip.samples, mode, seed))


def _levelled(target: Target, level: Level, entering: torch.Tensor) -> torch.Tensor:
    """The mean over time in every frame that is centred inside the clip. Only Whisper pads: the rest have no other."""
    time = 1 if level == "embedding" else entering.ndim - 1
    frames = entering.shape[time]
    if models.family_of(target.model).window_s is not None and level != "waveform":
        frames = min(frames, -(-len(target.clip.samples) // SAMPLES_PER_FRAME[level]))
    own = entering.narrow(time, 0, frames)
    own.copy_(own.mean(time, keepdim=True).expand_as(own))
    return entering


def _quiet(target: Target, mel: torch.Tensor) -> float:
    # hama's log-mel knows no clamp relative to the loudest cell: its silence is the logarithm of its floor.
    silence = models.family_of(target.model).silence
    return silence(mel) if silence else float(target.entering("log-mel", np.zeros_like(target.clip.samples)).min())


def _attributed(target: Target, level: Level, entering: torch.Tensor, times_input: bool = False) -> torch.Tensor:
    """(1, …) captum's gradient of one input, signed; times that input if wanted."""
    # Imported late: captum brings pyplot along, seconds that a page without gradients need not wait for.
    from captum.attr import InputXGradient, Saliency  # noqa: PLC0415

    options = {} if times_input else {"abs": False}
    with target.model.lock, torch.enable_grad():
        explainer = (InputXGradient if times_input else Saliency)(lambda inputs: target.value(level, inputs)[None])
        return explainer.attribute(entering.detach().clone().requires_grad_(), **options).detach()


def _smooth(target: Target, level: Level, entering: torch.Tensor, samples: int, seed: int) -> Steps[GradientMap]:
    random, spread = torch.Generator().manual_seed(seed), NOISE * float(entering.max() - entering.min())
    total = torch.zeros(entering.shape, dtype=torch.float64)
    for number in range(samples):
        yield Step(number / samples, f"noisy copy {number + 1} of {samples}")
        noise = torch.randn(entering.shape, generator=random) * spread  # drawn on the CPU: the same on every device
        total += _attributed(target, level, entering + noise.to(entering)).cpu()
    return GradientMap(_time_last(total / samples, level), None, float("nan"))


@dataclass(eq=False)
class _Stretch:
    """A part of the straight path from baseline to input, and what is gained along it."""

    start: float  # position on the path, 0 to 1
    end: float
    change: float  # of the target from start to end, by two forward passes
    values: torch.Tensor  # (1, …) the integrated gradients of this part

    @property
    def error(self) -> float:
        """How far the quadrature misses what is known of this stretch."""
        return abs(float(self.values.sum(dtype=torch.float64)) - self.change)


@dataclass(eq=False)
class _Path:
    """The straight path along which gradients are summed up."""

    target: Target
    level: Level
    entering: torch.Tensor
    baseline: torch.Tensor
    spent: int = 0  # gradients

    def point(self, position: float) -> torch.Tensor:
        return (self.baseline + position * (self.entering - self.baseline)).float()

    def value(self, position: float) -> float:
        with self.target.model.lock, torch.inference_mode():
            return float(self.target.value(self.level, self.point(position)))

    def stretch(self, start: float, end: float, change: float, points: int) -> Steps[_Stretch]:
        """Gauss–Legendre quadrature with this many points."""
        total = torch.zeros_like(self.entering)
        for node, weight in zip(*np.polynomial.legendre.leggauss(points), strict=True):
            yield Step(0.0, f"gradient {self.spent + 1}")
            gradient = _attributed(self.target, self.level, self.point(start + (1 + node) / 2 * (end - start)))
            total += weight / 2 * (end - start) * gradient
            self.spent += 1
        return _Stretch(start, end, change, (total * (self.entering - self.baseline)).cpu())

    def summed(self, parts: list[_Stretch]) -> GradientMap:
        """The map of the whole path, and how far it misses what it must add up to."""
        values = _time_last(sum(part.values.double() for part in parts), self.level)
        change = sum(part.change for part in parts)
        return GradientMap(values, change, completeness_gap(float(values.sum()), change))


def _integrated(
    target: Target, level: Level, entering: torch.Tensor, baseline: torch.Tensor, steps: int, adaptive: bool
) -> Steps[GradientMap]:
    if steps < 1:
        raise UserError(f"Integrated gradients need at least one step; got {steps}.")
    path = _Path(target, level, entering, baseline)
    parts = yield from _refined(path, steps) if adaptive else _even(path, steps)
    found = path.summed(parts)
    if found.gap > WIDEST_GAP:
        raise UserError(
            f"With {path.spent} steps the integrated gradients add up to {found.values.sum():.3g} where they should "
            f"give {found.total:.3g} ({found.gap:.0%} off, more than {WIDEST_GAP:.0%}), so they cannot be trusted: "
            "choose another gradient method or something else to explain, or ask for more steps "
            f"({2 * steps}) in Python or the API.",
            mend={"steps": str(2 * steps)},
        )
    return found


def _even(path: _Path, steps: int) -> Steps[list[_Stretch]]:
    change = path.value(1.0) - path.value(0.0)
    return [(yield from path.stretch(0.0, 1.0, change, steps))]


def _refined(path: _Path, steps: int) -> Steps[list[_Stretch]]:
    """Halve the worst stretch again and again: a word appears suddenly, and evenly spaced steps miss the moment.

    On whisper-tiny.en 64 evenly spaced steps miss the sum by 28% (log-mel) and 81% (waveform) of it; these, by under
    2% with 96 at most. Each stretch knows what it must give, from two forward passes.
    """
    edges = np.linspace(0.0, 1.0, max(min(FIRST_STRETCHES, steps // POINTS), 1) + 1).tolist()
    known = {edge: path.value(edge) for edge in edges}
    todo, parts = list(pairwise(edges)), []
    while todo:
        start, end = todo.pop()
        parts.append((yield from path.stretch(start, end, known[end] - known[start], POINTS)))
        if todo:
            continue
        parts.sort(key=lambda part: part.error)
        enough = WIDEST_ERROR * abs(known[1.0] - known[0.0]) + ROUNDING
        if sum(part.error for part in parts) > enough and path.spent + 2 * POINTS <= steps:
            worst = parts.pop()
            if len(parts) + 1 == len(edges) - 1:  # the whole path has been looked at once
                yield Step(0.0, f"gradient {path.spent + 1}", partial=path.summed([*parts, worst]))
            middle = (worst.start + worst.end) / 2
            known[middle] = path.value(middle)
            todo = [(worst.start, middle), (middle, worst.end)]
    return parts


def completeness_gap(total: float, change: float) -> float:
    """How far the parts miss the whole, as a share of the whole; 0 where both are nothing but rounding."""
    error = abs(total - change)
    if error < ROUNDING:
        return 0.0
    return error / abs(change) if change else float("inf")


def _time_last(values: torch.Tensor, level: Level) -> np.ndarray:
    array = values[0].cpu().double().numpy()
    return array.T.copy() if level == "embedding" else array
