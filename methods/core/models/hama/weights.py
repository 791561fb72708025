"""hama-ctc's weights and symbols, read as plain data from the registry package `hama`.

The package is an inference engine for Korean and English pronunciation; we never import it (that would load its native
library), but read two files that it ships and refuse them unless their SHA-256 is the one that our tests know. The
network's file is a table of named half-precision arrays left over from an ONNX export, in which matrices have numbers
for names: `hama_state` gives them the names of `methods.core.hama.HamaNetwork`.
"""

import hashlib
import importlib.util
import json
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from methods.core.models.weights import WeightsError

REQUIREMENT = "hama==1.7.0"
BLOCKS = 4
WORD_BOUNDARY, BLANK = 189, 190  # numbers of the two symbols that are no sounds; they follow the file's 189

# The integer codes by which the file format names the element types that occur in this file.
ELEMENT_TYPES = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
ALIGNMENT = 16  # bytes; the values begin at the next multiple of it after the table


@dataclass(frozen=True)
class Asset:
    """A file of the package and the hash that it must have."""

    name: str
    sha256: str

    def path(self) -> Path | None:
        """Where it lies, or None if the package is not installed."""
        spec = importlib.util.find_spec("hama")  # finds without importing
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / "assets" / self.name
        return path if path.is_file() else None

    def read(self) -> bytes:
        """The file's bytes; raises WeightsError if it is missing or is not the one that we know."""
        path = self.path()
        if path is None:
            raise WeightsError(f"The phone recogniser's package is not installed: run `pip install {REQUIREMENT}`.")
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise WeightsError(
                f"{self.name} in the package hama has SHA-256 {found[:12]}… instead of {self.sha256[:12]}…, so it is "
                f"another version or was changed: run `pip install --force-reinstall {REQUIREMENT}`."
            )
        return data


NETWORK = Asset("asr_waveform.hama", "a9fcfe73e179ca48e399cd76a90a6b3e1887bf5037ecc52b778d13a149563328")
SYMBOLS = Asset("g2p_vocab.json", "520d19e4e6ae58658eed53594e0feab8ea8e1b4b04a7746e25e50c16c29b91bf")


def installed() -> bool:
    """Whether both files are there (not whether they are the right ones: `read` checks that)."""
    return NETWORK.path() is not None and SYMBOLS.path() is not None


@cache
def vocabulary() -> tuple[str, ...]:
    """What do the network's 191 outputs stand for? IPA symbols, a few leftovers of text, `<wb>` and `<blank>`.

    The first four are no sounds either: `<pad>`, `<sos>`, `<eos>`, `<unk>`. Raises WeightsError if the package is
    missing.
    """
    symbols = json.loads(SYMBOLS.read().decode("utf-8"))["decoder"]
    return (*symbols, "<wb>", "<blank>")


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Every array of a `.hama` file, in its stored precision, as views of `data`; raises WeightsError if it is broken.

    Layout, little-endian: "HAMAPK", two bytes of version, the count (4 bytes), then for each array the length of its
    name (2), the name, element type (1), rank (1), each dimension (4), offset (8) and length (8) in bytes.
    """
    if data[:6] != b"HAMAPK":
        raise WeightsError("This is no .hama file: it does not begin with HAMAPK.")
    try:
        entries, end = _table(data)
        base = -(-end // ALIGNMENT) * ALIGNMENT
        return {name: _array(data, base, *entry) for name, entry in entries.items()}
    except (struct.error, KeyError, ValueError) as problem:
        raise WeightsError(f"This .hama file is cut short or of an unknown version ({problem}).") from problem


def _table(data: bytes) -> tuple[dict[str, tuple], int]:
    """name -> (element type, shape, offset, bytes), and where the table ends."""
    (count,), place = struct.unpack_from("<I", data, 8), 12
    entries = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, place)
        form = f"<{length}sBB"
        name, element, rank = struct.unpack_from(form, data, place + 2)
        place += 2 + struct.calcsize(form)
        *shape, offset, size = struct.unpack_from(f"<{rank}IQQ", data, place)
        place += 4 * rank + 16
        entries[name.decode()] = (ELEMENT_TYPES[element], tuple(shape), offset, size)
    return entries, place


def _array(data: bytes, base: int, element: np.dtype, shape: tuple[int, ...], offset: int, size: int) -> np.ndarray:
    return np.frombuffer(data[base + offset : base + offset + size], element).reshape(shape)


def hama_state(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same numbers in single precision under the names and in the shapes of `HamaNetwork`."""
    head = "acoustic_model.model.proj"
    state = {
        "cosines": arrays["stft_real_kernel"],
        "sines": arrays["stft_imag_kernel"],
        "mel_bank": arrays["mel_fb"],
        "stem.weight": arrays["onnx::Conv_801"],
        "stem.bias": arrays["onnx::Conv_802"],
        "projection.weight": arrays[f"{head}.weight"][:, :, 0],  # stored as a convolution over one frame
        "projection.bias": arrays[f"{head}.bias"],
    }
    for block in range(BLOCKS):
        state |= {f"blocks.{block}.{name}": values for name, values in _block(arrays, block).items()}
    return {name: np.array(values, np.float32) for name, values in state.items()}


def _block(arrays: dict[str, np.ndarray], block: int) -> dict[str, np.ndarray]:
    root = f"acoustic_model.model.blocks.{block}"
    # The export gave its unnamed arrays running numbers in the order of the graph: 9 apart between blocks for
    # matrices, 3 apart for depthwise convolutions (whose batch norms the export has folded in).
    matrix, depthwise = 829 + 9 * block, 804 + 3 * block
    state = {
        "convolution.depthwise.weight": arrays[f"onnx::Conv_{depthwise}"],
        "convolution.depthwise.bias": arrays[f"onnx::Conv_{depthwise + 1}"],
        "attention.out_proj.weight": arrays[f"onnx::MatMul_{matrix + 6}"].T,
        "attention.out_proj.bias": arrays[f"{root}.attn.out_proj.bias"],
    }
    for part in ("weight", "bias"):
        state[f"attention_norm.{part}"] = arrays[f"{root}.attn_norm.{part}"]
        state[f"convolution.norm.{part}"] = arrays[f"{root}.conv.norm.{part}"]
        state[f"convolution.expand.{part}"] = arrays[f"{root}.conv.pointwise1.{part}"]
        state[f"convolution.contract.{part}"] = arrays[f"{root}.conv.pointwise2.{part}"]
        state[f"last_norm.{part}"] = arrays[f"{root}.norm.{part}"]
    for theirs, ours, inner in (("ffn1", "first_half", matrix), ("ffn2", "second_half", matrix + 7)):
        state[f"{ours}.norm.weight"] = arrays[f"{root}.{theirs}.norm.weight"]
        state[f"{ours}.norm.bias"] = arrays[f"{root}.{theirs}.norm.bias"]
        state[f"{ours}.inner.weight"] = arrays[f"onnx::MatMul_{inner}"].T
        state[f"{ours}.inner.bias"] = arrays[f"{root}.{theirs}.fc1.bias"]
        state[f"{ours}.outer.weight"] = arrays[f"onnx::MatMul_{inner + 1}"].T
        state[f"{ours}.outer.bias"] = arrays[f"{root}.{theirs}.fc2.bias"]
    return state | _queries_keys_values(arrays[f"onnx::MatMul_{matrix + 2}"].T, arrays[f"{root}.attn.in_proj_bias"])


def _queries_keys_values(weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """One stacked projection as three."""
    state = {}
    for letter, rows, offsets in zip("qkv", np.split(weight, 3), np.split(bias, 3), strict=True):
        state[f"attention.{letter}_proj.weight"], state[f"attention.{letter}_proj.bias"] = rows, offsets
    return state
