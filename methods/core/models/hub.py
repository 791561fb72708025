"""Hub snapshots and local folders: found, downloaded with a progress bar, hashed. Safetensors first, never code."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Generator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors

from methods.core.errors import UserError

# Never *.py. Pickled weights (*.bin) only where a repository has no safetensors, and then read with weights_only.
HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
MOST_BYTES = 300_000_000  # of a data set; the app takes 15 minutes of sound
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin")
# The client's own error comes from that of the HTTP library beneath it, which has changed with its versions; what that
# library says of a missing network is no error of the client's.
UNREACHED = (OSError, *errors.HfHubHTTPError.__bases__)
Report = Callable[[int, int], None]  # bytes that are there, and bytes that there will be as far as is known
_report: ContextVar[Report | None] = ContextVar("report", default=None)
Stamp = tuple[tuple[str, int, int, int], ...]  # of each file of a model: path, bytes, and two times in ns


class ModelError(UserError):
    """A model that cannot be loaded, or cannot answer what is asked of it."""


def snapshot(identifier: str) -> Path:
    """The folder of a model: a local one, the hub's cache, or a download, in this order."""
    if not identifier.strip():
        raise ModelError("No model was named; give a hub id such as openai/whisper-tiny.en, or a folder.")
    folder = Path(identifier) if is_folder(identifier) else cached(identifier) or _download(identifier)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{identifier} has no config.json, so it is not a model folder; choose the folder that has.")
    return folder


def is_folder(identifier: str) -> bool:
    """Whether this is a folder here; what can be no path, such as 5,000 letters, is none."""
    try:
        return bool(identifier.strip()) and Path(identifier).is_dir()
    except (OSError, ValueError):
        return False


def cached(identifier: str) -> Path | None:
    """The hub's cache of a model, if it is complete enough to be loaded."""
    try:
        found = huggingface_hub.try_to_load_from_cache(identifier, "config.json")
    except errors.HFValidationError:
        return None
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder and weight_files(folder) else None


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights: safetensors, or pickles where there is nothing else."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def stamp(folder: Path) -> Stamp:
    """What tells a folder of a model from the same folder after one of its files was written anew.

    The time of the last change of a file's entry counts too: copies that keep their own time would go unnoticed.
    """
    files = sorted({path for pattern in (*HUB_FILES, *PICKLED) for path in folder.resolve().glob(pattern)})
    found = [(str(path), path.stat()) for path in files if path.is_file()]
    return tuple((name, about.st_size, about.st_mtime_ns, about.st_ctime_ns) for name, about in found)


def _download(identifier: str) -> Path:
    try:
        names = [file.rfilename for file in huggingface_hub.model_info(identifier, timeout=10).siblings or ()]
        wanted = HUB_FILES if any(name.endswith(".safetensors") for name in names) else (*HUB_FILES, *PICKLED)
        bar = {} if _report.get() is None else {"tqdm_class": _bar(_report.get())}
        return Path(huggingface_hub.snapshot_download(identifier, allow_patterns=list(wanted), **bar))
    except errors.HFValidationError as problem:
        raise ModelError(
            f"{identifier[:100]!r} is neither a folder here nor a model id such as owner/name."
        ) from problem
    except errors.GatedRepoError as problem:
        raise ModelError(
            f"{identifier} asks its users to log in and accept conditions first; do that on the hub."
        ) from problem
    except errors.RepositoryNotFoundError as problem:
        raise ModelError(
            f"There is no public model {identifier!r} on the hub (or it is private); check its spelling."
        ) from problem
    except UNREACHED as problem:  # offline mode, no route, time-out
        raise ModelError(
            f"{identifier} is no folder here and needs a download, and the hub cannot be reached; check the name and "
            "go online once, or choose a model that is not marked “needs a download”."
        ) from problem


@contextlib.contextmanager
def reported(report: Report) -> Generator[None, None, None]:
    """Downloads that are begun inside tell how far they are; what `report` raises ends them."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def _bar(report: Report) -> type[huggingface_hub.utils.tqdm]:
    class Bar(huggingface_hub.utils.tqdm):
        """The hub client's bar of bytes, which also tells us."""

        def update(self, n: float | None = 1) -> Any:
            drawn = super().update(n)
            if self.unit == "B":
                report(int(self.n), int(self.total or 0))
            return drawn

    return Bar


def data_set(identifier: str, patterns: list[str]) -> Path:
    """A folder with those files of a public data set; fetched once, then found in the hub's cache.

    Nothing is fetched of a data set that is larger than the app could use.
    """
    identifier = os.fspath(identifier)  # Python's own sentence for what is no name at all
    try:
        _check_size(identifier)
        return Path(huggingface_hub.snapshot_download(identifier, repo_type="dataset", allow_patterns=patterns))
    except errors.HFValidationError as problem:
        raise ModelError(f"{identifier!r} is not the name of a data set, such as owner/name.") from problem
    except UNREACHED as problem:  # not found, private, offline, time-out
        raise ModelError(
            f"The data set {identifier} could not be fetched: there is no network here or no such public data set; "
            "check its name, or give a folder or zip of your own."
        ) from problem


def _check_size(identifier: str) -> None:
    if huggingface_hub.constants.HF_HUB_OFFLINE:  # what is in the cache was checked when it came
        return
    files = huggingface_hub.dataset_info(identifier, files_metadata=True, timeout=10).siblings or ()
    size = sum(file.size or 0 for file in files)
    if size > MOST_BYTES:
        raise ModelError(
            f"The data set {identifier} has {size / 1e6:.0f} MB and the limit is {MOST_BYTES / 1e6:.0f} MB; take a "
            "part of it as a folder or zip."
        )


def weights_hash(folder: Path) -> str:
    """SHA-256 over the weight files, the name of the weights in every result."""
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
