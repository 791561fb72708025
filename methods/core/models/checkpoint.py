"""The files of a model folder, looked at before a library opens them: whatever is wrong with them is one sentence."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open

from methods.core.errors import UserError

PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")  # the second is that of newer checkpoints


def read_json(path: Path) -> dict:
    """A file of settings; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as problem:
        raise UserError(f"{path.name} of this model is not JSON; the download is damaged: try again.") from problem
    if not isinstance(found, dict):
        raise UserError(f"{path.name} of this model holds no settings by name; choose a complete model folder.")
    return found


def has_preprocessor(folder: Path) -> bool:
    """Whether the folder says how sound is prepared for its network."""
    return any((folder / name).is_file() for name in PREPROCESSORS)


def check_files(identifier: str, folder: Path) -> bool:
    """Whether the weights are safetensors (preferred); if not, they are a pickle of plain tensors."""
    safe, pickles = sorted(folder.glob("model*.safetensors")), sorted(folder.glob("pytorch_model*.bin"))
    if not safe and not pickles:
        raise UserError(f"{identifier} has no weights file (model.safetensors); choose a complete model folder.")
    for path in safe or pickles:
        _check_readable(identifier, path)
    return bool(safe)


def _check_readable(identifier: str, path: Path) -> None:
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt"):
                return
        torch.load(path, map_location="meta", weights_only=True)
    # SafetensorError, EOFError, IndexError, UnpicklingError, …: whatever goes wrong in reading is the file's fault.
    except Exception as problem:
        raise UserError(
            f"{path.name} of {identifier} is damaged, incomplete or holds more than weights; "
            "delete it and download it once more, or choose another model."
        ) from problem


def some(keys: Iterable[str]) -> str:
    """The first six names of many, and how many more there are."""
    listed = sorted(keys)
    return ", ".join(listed[:6]) + (f" and {len(listed) - 6} more" if len(listed) > 6 else "")
