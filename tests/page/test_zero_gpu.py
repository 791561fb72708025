"""On ZeroGPU the app starts, because a function carries the marker; elsewhere nothing knows of ZeroGPU."""

import importlib
import sys
import types

import pytest

from page import zero_gpu


@pytest.fixture
def spaces(monkeypatch):
    """What the package `spaces` does at the start: it counts marked functions, and a Space without one is stopped."""
    fake = types.ModuleType("spaces")
    fake.marked = {}

    def gpu(task=None, *, duration=60):
        if task is None:
            return lambda function: gpu(function, duration=duration)
        fake.marked[task.__name__] = duration
        return task

    fake.GPU = gpu
    monkeypatch.setitem(sys.modules, "spaces", fake)
    yield fake
    monkeypatch.undo()
    importlib.reload(zero_gpu)


@pytest.mark.parametrize("said", ["true", "1", "T"])
def test_on_zero_gpu_a_function_is_marked_when_the_app_is_imported(spaces, monkeypatch, said):
    import app

    monkeypatch.setenv("SPACES_ZERO_GPU", said)
    importlib.reload(app.zero_gpu)  # what `python app.py` imports before it launches
    assert list(spaces.marked) == ["borrowed_gpu"] and spaces.marked["borrowed_gpu"] <= 60
    assert isinstance(zero_gpu.borrowed_gpu(), str)


@pytest.mark.parametrize("said", [None, "", "false", "0"])
def test_elsewhere_the_package_is_not_even_looked_for(spaces, monkeypatch, said):
    monkeypatch.setitem(sys.modules, "spaces", None)  # importing it now raises
    if said is None:
        monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    else:
        monkeypatch.setenv("SPACES_ZERO_GPU", said)
    importlib.reload(zero_gpu)
    assert spaces.marked == {} and zero_gpu.borrowed_gpu() == "cpu"


def test_a_pretended_gpu_is_not_taken_unasked(monkeypatch):
    """Outside a marked function ZeroGPU pretends that CUDA is there; a model that went there would be lost."""
    import torch

    from methods.core.models import devices

    monkeypatch.delenv("SPEECH_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.chosen_device() == torch.device("cpu")
