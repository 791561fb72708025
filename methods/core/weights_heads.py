"""Our own trained heads on disk: checked by SHA-256, then read as named NumPy arrays with their description."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open

from methods.core.weights import WeightsError


def read_heads(path: Path, sha256: str) -> tuple[dict[str, np.ndarray], dict]:
    """Tensors and description of a safetensors file of ours; WeightsError if it is missing or not the tested one."""
    if not path.is_file():
        raise WeightsError(f"{path.name} is missing from the app's folder: please fetch the repository again.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{path.name} has SHA-256 {found[:12]}… instead of {sha256[:12]}…; it was damaged or trained anew: "
            "restore it from the repository, or train and pin it again (see the README beside it)."
        )
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  the file is no dict
        return tensors, json.loads(file.metadata()["card"])
