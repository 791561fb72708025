"""Two results that stand side by side, as one file: a table with a column `side`, arrays by side, or one picture."""

import io
import json
import re

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from methods.core.arrays import npz
from methods.core.results import Result
from page.beside.figures import on_one_scale
from page.export.downloads import file_name, labelled, message

SIDES = ("left", "right")
DPI = 200  # pixels per inch of a PNG
GAP = 20  # pixels between two pictures at 72 per inch
Pair = tuple[Result, Result]
Figures = tuple[Figure | None, Figure | None]


def pair_download(kind: str, name: str, results: Pair, figures: Figures) -> dict[str, str]:
    """What the page's script saves: one file that holds both sides."""
    if kind in ("svg", "png"):
        on_one_scale(*figures)
    make = {"csv": pair_csv, "npz": pair_npz}.get(kind)
    content = make(results) if make else {"svg": pair_svg, "png": pair_png}[kind](figures, results)
    return message(f"{file_name(name, results[0])}-beside-{file_name(name, results[1])}"[:180], kind, content)


def pair_csv(results: Pair) -> bytes:
    """Both tables below each other; `side` says which row is of which."""
    tables = [labelled(result) for result in results]
    for side, table in zip(SIDES, tables, strict=True):
        table.insert(0, "side", side)
    return pd.concat(tables, ignore_index=True).to_csv(index=False).encode("utf-8")


def pair_npz(results: Pair) -> bytes:
    """Every array under `left_` and `right_` before its name."""
    arrays: dict[str, np.ndarray] = {}
    for side, result in zip(SIDES, results, strict=True):
        with np.load(io.BytesIO(npz(result)), allow_pickle=False) as kept:
            arrays |= {f"{side}_{name}": kept[name] for name in kept.files}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def pair_png(figures: Figures, results: Pair) -> bytes:
    """Both figures in one row."""
    left, right = (_pixels(figure) for figure in figures)
    height = max(len(left), len(right))
    gap = np.full((height, GAP * DPI // 72, 4), 255, dtype=np.uint8)
    both = np.hstack([_as_high(left, height), gap, _as_high(right, height)])
    figure = Figure(figsize=(both.shape[1] / DPI, height / DPI), dpi=DPI)
    figure.figimage(both)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Description": _origin(results)})
    return buffer.getvalue()


def _pixels(figure: Figure) -> np.ndarray:
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _as_high(picture: np.ndarray, height: int) -> np.ndarray:
    below = ((0, height - len(picture)), (0, 0), (0, 0))
    return np.pad(picture, below, constant_values=255)


def pair_svg(figures: Figures, results: Pair) -> bytes:
    """Both figures in one row, each as a drawing within the drawing."""
    drawings = [_svg(figure) for figure in figures]
    (width, height), (other_width, other_height) = (_size(drawing) for drawing in drawings)
    inner = drawings[0] + drawings[1].replace("<svg ", f'<svg x="{width + GAP}" ', 1)
    told = _origin(results).replace("&", "&amp;").replace("<", "&lt;")
    size = f'width="{width + GAP + other_width}pt" height="{max(height, other_height)}pt"'
    box = f'viewBox="0 0 {width + GAP + other_width} {max(height, other_height)}"'
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg" {size} {box}><desc>{told}</desc>{inner}</svg>'.encode()


def _svg(figure: Figure) -> str:
    """A figure's own drawing, in units of a point, without the XML around it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    return re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', drawing, count=2)


def _size(drawing: str) -> tuple[float, float]:
    found = dict(re.findall(r'(width|height)="([\d.]+)"', drawing[: drawing.index(">")]))
    return float(found["width"]), float(found["height"])


def _origin(results: Pair) -> str:
    return json.dumps(
        {side: result.provenance for side, result in zip(SIDES, results, strict=True)}, ensure_ascii=False
    )
