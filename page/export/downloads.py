"""Every number on the page as a file: CSV, NPZ, SVG, PNG, each with where it came from.

A file is handed to the browser as base64 in one JSON message and never touches the server's disk.
"""

import base64
import io
import json

import pandas as pd
from matplotlib.figure import Figure

from methods.core.arrays import npz
from methods.core.results import SOFTWARE, Provenance, Result

UNFINISHED = "incomplete"  # in the name of a file that was taken while the rest was being computed
MIME = {"csv": "text/csv", "npz": "application/octet-stream", "svg": "image/svg+xml", "png": "image/png"}


def download(kind: str, name: str, result: Result, figure: Figure | None) -> dict[str, str]:
    """What the page's script saves: file name, MIME type and base64 content."""
    make = {"csv": lambda: csv(result), "npz": lambda: npz(result)}.get(kind, lambda: picture(kind, figure, result))
    return message(file_name(name, result), kind, make())


def file_name(name: str, result: Result) -> str:
    """What a file of this result is called: technique, what was heard, model, and whether it is all of it."""
    origin = result.provenance
    heard = origin.get("clip") or origin["corpus"]
    parts = (
        name,
        _plain(heard),
        _plain((origin["model"] or "").split("/")[-1]),
        "" if result.complete else UNFINISHED,
    )
    return "-".join(part for part in parts if part)


def message(file: str, kind: str, content: bytes) -> dict[str, str]:
    """A file on its way to the page's script."""
    return {"name": f"{file}.{kind}", "mime": MIME[kind], "data": base64.b64encode(content).decode("ascii")}


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text).strip("_")


def csv(result: Result) -> bytes:
    """The tidy table; origin as columns of their own, which every spreadsheet and reader can skip.

    `complete` is False in a table that was taken before all of it was there: rows, or its controls. `provenance`, in
    the first row alone, is the whole origin as JSON text, options and versions among it.
    """
    return labelled(result).to_csv(index=False).encode("utf-8")


def labelled(result: Result) -> pd.DataFrame:
    """The table with where it came from."""
    kept = ("model", "weights_sha256", "clip", "clip_sha256", "corpus", "corpus_sha256")
    origin = {name: result.provenance[name] for name in kept if name in result.provenance}
    software = f"{SOFTWARE} {result.provenance['versions'][SOFTWARE]}"
    table = result.table().assign(**origin, complete=result.complete, software=software)
    table["provenance"] = [_json(result.provenance), *[None] * (len(table) - 1)][: len(table)]
    return table


def _json(provenance: Provenance) -> str:
    return json.dumps(provenance, ensure_ascii=False)


def picture(kind: str, figure: Figure, result: Result) -> bytes:
    """The figure as a file, its origin in the metadata."""
    buffer = io.BytesIO()
    origin = _json(result.provenance)
    figure.savefig(buffer, format=kind, dpi=200, metadata={"Description": origin})
    return buffer.getvalue()
