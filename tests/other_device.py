"""A second device for machines without one: it computes on the CPU, and is as strict as a GPU about who may meet whom.

Its tensors call themselves "meta" and hold a CPU tensor. As on a GPU, they do not mix with CPU tensors (single numbers
and indices may be anywhere) and do not become arrays unasked; as on Apple's GPUs, they are never float64.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

ELSEWHERE = torch.device("meta")
aten = torch.ops.aten
# CUDA takes indices from the CPU, and these move things on purpose.
MIXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten.copy_.default}


class Elsewhere(torch.Tensor):
    """A tensor on the second device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Elsewhere":
        if held.dtype in (torch.float64, torch.complex128):
            raise TypeError("the second device has no float64")
        shape = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=ELSEWHERE, **shape)

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None) -> Any:
        return _run(op, args, kwargs or {})

    def tolist(self) -> Any:
        return self.held.tolist()  # as on a GPU: a copy, and no array

    def data_ptr(self) -> int:
        return self.held.data_ptr()


class SecondDevice(TorchDispatchMode):
    """While it lasts, tensors may be made on and moved to `ELSEWHERE`."""

    def __torch_dispatch__(self, op: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None) -> Any:
        return _run(op, args, kwargs or {})


def _run(op: Any, args: tuple, kwargs: Mapping) -> Any:
    given, shape = pytree.tree_flatten((args, dict(kwargs)))
    if op.overloadpacket in (aten._to_copy, aten.to):  # inference mode asks for the second
        return _moved(op, args, kwargs)
    there = [x for x in given if isinstance(x, Elsewhere)]
    if there and op not in MIXED:
        _refuse_mixtures(op, given)
    if not there and ELSEWHERE not in given:
        return op(*args, **kwargs)
    if there and op is aten.copy_.default and not isinstance(args[0], Elsewhere):
        args[0].copy_(args[1].held)  # onto the CPU
        return args[0]
    plain = [_plain(x) for x in given]
    args, kwargs = pytree.tree_unflatten(plain, shape)
    return pytree.tree_map(_wrapped(there), op(*args, **kwargs))


def _plain(value: Any) -> Any:
    if isinstance(value, Elsewhere):
        return value.held
    if isinstance(value, torch.Tensor) and value.is_meta:  # made where no mode looks: torch.tensor([], device=…)
        assert not value.numel()
        return torch.empty(value.shape, dtype=value.dtype)
    return torch.device("cpu") if isinstance(value, torch.device) else value


def _wrapped(there: list[Elsewhere]) -> Callable[[Any], Any]:
    known = {id(x.held): x for x in there}  # what was written in place stays the same tensor

    def wrapped(made: Any) -> Any:
        if not isinstance(made, torch.Tensor):
            return made
        return known[id(made)] if id(made) in known else _put(made)

    return wrapped


def _moved(op: Any, args: tuple, kwargs: Mapping) -> torch.Tensor:
    asked = dict(zip((argument.name for argument in op._schema.arguments), args, strict=False)) | dict(kwargs)
    tensor, other = asked["self"], asked.get("other")
    device = asked.get("device") or (tensor if other is None else other).device
    dtype = asked.get("dtype") or (tensor if other is None else other).dtype
    if op.overloadpacket is aten.to and (device.type, dtype) == (tensor.device.type, tensor.dtype):
        return tensor
    made = _plain(tensor).to(dtype, copy=True, memory_format=asked.get("memory_format") or torch.preserve_format)
    return _put(made) if device.type == ELSEWHERE.type else made


def _put(held: torch.Tensor) -> Elsewhere:
    with torch.inference_mode(False):  # views of weights are no inference tensors
        return Elsewhere(held)


def _refuse_mixtures(op: Any, given: list[Any]) -> None:
    for value in given:
        if isinstance(value, torch.Tensor) and not value.is_meta and value.dim():
            raise RuntimeError(f"{op}: a CPU tensor of shape {tuple(value.shape)} met one on the second device")
