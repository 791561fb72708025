"""Two results that stand side by side, as one file: a table with a column `side`, arrays by side, or one picture."""

import html
import io
import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from methods.core.arrays import npz
from methods.core.results import Result
from page.beside.figures import on_one_scale
from page.beside.side import SIDES
from page.export.downloads import file_name, labelled, message

LONGEST_NAME = 180  # letters of a file's name
DPI = 200  # pixels per inch of a PNG
GAP = 20  # pixels between two pictures at 72 per inch
HEAD = 22  # points above a picture, for its name
Two = tuple[Result, Result]


@dataclass(frozen=True)
class Pair:
    """Two sides, what is drawn of them, and what each is called."""

    results: Two
    figures: tuple[Figure | None, Figure | None]
    names: tuple[str, str]

    @property
    def titles(self) -> list[str]:
        """What stands above each picture."""
        return [f"{side}: {name}" for side, name in zip(SIDES, self.names, strict=True)]


def pair_download(kind: str, name: str, pair: Pair) -> dict[str, str]:
    """What the page's script saves: one file that holds both sides."""
    if kind in ("svg", "png"):
        on_one_scale(*pair.figures)
    content = {"csv": pair_csv, "npz": pair_npz, "svg": pair_svg, "png": pair_png}[kind](pair)
    left, right = (file_name(name, result) for result in pair.results)
    return message(f"{left}-beside-{right}"[:LONGEST_NAME] if left != right else f"{left}-beside", kind, content)


def pair_csv(pair: Pair) -> bytes:
    """Both tables below each other; `side` says which row is of which."""
    tables = [labelled(result) for result in pair.results]
    for side, table in zip(SIDES, tables, strict=True):
        table.insert(0, "side", side)
    return pd.concat(tables, ignore_index=True).to_csv(index=False).encode("utf-8")


def pair_npz(pair: Pair) -> bytes:
    """Every array under `left_` and `right_` before its name."""
    arrays: dict[str, np.ndarray] = {}
    for side, result in zip(SIDES, pair.results, strict=True):
        with np.load(io.BytesIO(npz(result)), allow_pickle=False) as kept:
            arrays |= {f"{side}_{name}": kept[name] for name in kept.files}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def pair_png(pair: Pair) -> bytes:
    """Both figures in one row, each under its name."""
    left, right = (_pixels(figure) for figure in pair.figures)
    high, gap = max(len(left), len(right)), GAP * DPI // 72
    both = np.hstack([_as_high(left, high), np.full((high, gap, 4), 255, np.uint8), _as_high(right, high)])
    width, height = both.shape[1], high + HEAD * DPI // 72
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.figimage(both)
    for title, start in zip(pair.titles, (0, left.shape[1] + gap), strict=True):
        figure.text(start / width, 1 - 4 / 72 * DPI / height, f" {title}", va="top", fontsize=10, parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Description": _origin(pair.results)})
    return buffer.getvalue()


def _pixels(figure: Figure) -> np.ndarray:
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _as_high(picture: np.ndarray, height: int) -> np.ndarray:
    below = ((0, height - len(picture)), (0, 0), (0, 0))
    return np.pad(picture, below, constant_values=255)


def pair_svg(pair: Pair) -> bytes:
    """Both figures in one row, each under its name, as a drawing within the drawing."""
    drawings = [_svg(figure) for figure in pair.figures]
    (width, height), (other_width, other_height) = (_size(drawing) for drawing in drawings)
    starts = (0.0, width + GAP)
    placed = (drawing.replace("<svg ", f'<svg x="{start}" y="{HEAD}" ', 1)
              for drawing, start in zip(drawings, starts, strict=True))  # fmt: skip
    style = 'font-family="sans-serif" font-size="10"'
    names = (f'<text x="{start + 4}" y="14" {style}>{html.escape(title)}</text>'
             for title, start in zip(pair.titles, starts, strict=True))  # fmt: skip
    wide, high = width + GAP + other_width, max(height, other_height) + HEAD
    size = f'width="{wide}pt" height="{high}pt" viewBox="0 0 {wide} {high}"'
    inner = f"<desc>{html.escape(_origin(pair.results), quote=False)}</desc>{''.join((*names, *placed))}"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><svg xmlns="http://www.w3.org/2000/svg" {size}>{inner}</svg>'.encode()
    )


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


def _origin(results: Two) -> str:
    return json.dumps(
        {side: result.provenance for side, result in zip(SIDES, results, strict=True)}, ensure_ascii=False
    )
