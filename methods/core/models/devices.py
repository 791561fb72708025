"""Where models run: on the CPU unless a GPU is asked for, always in float32.

Only networks live on a GPU, with what enters them and the gradients that come back. What a pass leaves behind is
fetched to the CPU at once: techniques weigh it in float64, which Apple's GPUs do not have.
"""

import copy
import os
from typing import Any
from weakref import WeakKeyDictionary

import torch

from methods.core.errors import UserError

VARIABLE = "SPEECH_DEVICE"
KINDS = ("cpu", "cuda", "mps")

_homes: WeakKeyDictionary[torch.nn.Module, torch.nn.Module] = WeakKeyDictionary()  # network on a GPU -> on the CPU


def use_device(name: str | None) -> torch.device:
    """Let every model that is loaded from now on run there; None leaves it to SPEECH_DEVICE, else the CPU."""
    device = chosen_device(name)
    os.environ[VARIABLE] = str(device)
    return device


def chosen_device(name: str | None = None) -> torch.device:
    """The device called `name`, or what SPEECH_DEVICE says, or the CPU; raises UserError where there is no such one.

    A GPU is never taken unasked: on ZeroGPU one is only pretended, and numbers differ from a CPU's in the last digits.
    """
    asked = name or os.environ.get(VARIABLE) or "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or device.type not in KINDS:
        raise UserError(f"{asked!r} is no device that this app knows; use cpu, cuda, cuda:1 (the second GPU) or mps.")
    if device.type != "cpu":
        _check(device)
    return device


def _check(device: torch.device) -> None:
    if device.type == "mps":
        if not torch.backends.mps.is_available():
            raise UserError("PyTorch finds no Apple GPU here (mps); use cpu, or a Mac with Apple silicon.")
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        raise UserError(
            f"PyTorch finds {count} NVIDIA GPUs here, so there is no {device}; use cpu, or install the build of "
            "PyTorch that fits your driver."
        )
    # float32 means float32: by default convolutions on newer cards keep 10 bits of each number (TF32).
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def accelerator_name() -> str:
    """The name of the GPU that PyTorch can see now, or "cpu"."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def device_of(network: Any) -> torch.device:
    """Where a network's weights are; one without any computes on the CPU."""
    first = next(iter(network.parameters()), None)
    return torch.device("cpu") if first is None else first.device


def beside(network: Any, values: torch.Tensor) -> torch.Tensor:
    """The values where the network's weights are, so that they can enter it."""
    return values.to(device_of(network))


def placed(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """A copy of a network on the CPU on another device; `home` finds the one that it was made of."""
    copied = copy.deepcopy(network).to(device)
    _homes[copied] = network
    return copied


def home(network: Any) -> Any:
    """The same network on the CPU, for what is read off its weights there."""
    return _homes.get(network, network)
