"""What decides a model's answers besides its weights: configuration, preprocessor, tokeniser, and our own code.

The same weights cut into another number of heads, or fed sound that is not normalised, are another model. A cache that
knew only the weights would hand out the states of one as those of the other.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ORIGIN = ("_name_or_path", "transformers_version")  # where a configuration came from; the network does not read it
PACKAGE = Path(__file__).parents[2]  # methods


def design(network: Any, front_end: Any, tokenizer: Any, decoding: Any) -> str:
    """SHA-256 of a model's class, settings, preprocessor, tokeniser and prompts."""
    kind = f"{type(network).__module__}.{type(network).__qualname__}"
    precision = sorted({str(tensor.dtype) for tensor in network.parameters()})
    parts = kind, precision, _settings(getattr(network, "config", None)), _settings(front_end), _spelling(tokenizer)
    return hashlib.sha256(repr((*parts, decoding)).encode()).hexdigest()


def _settings(part: Any) -> str:
    """A library's object as its settings, a function as its name."""
    if part is None or not hasattr(part, "to_dict"):
        return getattr(part, "__qualname__", None) or type(part).__qualname__
    settings = {name: value for name, value in part.to_dict().items() if name not in ORIGIN}
    return type(part).__qualname__ + json.dumps(settings, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    """What JSON has no word for; an array in full, since its `repr` leaves out the middle."""
    return np.asarray(value).tolist() if hasattr(value, "shape") else str(value)


def _spelling(tokenizer: Any) -> str:
    """A tokeniser in full where the library gives it away, else its vocabulary; a CTC head's labels as they are."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return backend.to_str()
    return repr(sorted(tokenizer.get_vocab().items()) if hasattr(tokenizer, "get_vocab") else tokenizer)


@cache
def code(*places: str) -> str:
    """SHA-256 of our own sources (files or whole folders under `methods`): changed code makes other states.

    It changes with a comment too, which costs one more pass; a number to be raised by hand would be forgotten.
    """
    digest = hashlib.sha256()
    for place in places:
        path = PACKAGE / place
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{source.relative_to(PACKAGE).as_posix()}\n".encode() + source.read_bytes())
    return digest.hexdigest()
