"""Plots tied to sound: rows of data over one time axis, drawn in the browser and linked to the page's one player.

Each `*_row` function turns arrays into one row of a plot's value; `plot_value` joins rows into what `SoundPlot` shows.
Put `HEAD` (script and style) into `launch(head=...)` once. Positions are seconds from the start of the clip. The
script draws any number of aligned rows over one time axis, with one audio player for the whole page. Labels come from
users and models, so every text goes through textContent; nothing in it builds HTML from strings.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import ArrayLike

from methods.core.results import Json

_HERE = Path(__file__).parent / "sound_plot"
# Each file uses what those before it define.
_PARTS = (
    "player", "colour", "helpers", "nearest", "stretch", "select", "samples", "rows", "image", "heat", "boundaries",
    "plot",
)  # fmt: skip
_SCRIPT = "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in _PARTS)
_SCRIPT = f'(() => {{\n"use strict";\n{_SCRIPT}}})();\n'  # their names are nobody else's on the page
_STYLE = (_HERE / "sound_plot.css").read_text(encoding="utf-8")
HEAD = f"<style>{_STYLE}</style>\n<script>{_SCRIPT}</script>"  # launch(css=...) would drop @container rules

SCALES = ("blues", "oranges", "greens", "greys", "magma", "viridis", "rdbu")  # rdbu has its paper colour in the middle
EXACT_CELLS = 40_000  # up to here cells travel as float32 (160 kB); beyond, 16 bits keep 500 x 500 under 1 MB
CURVES = ("pitch", "formant", "intensity")  # how sound_plot.css and rows.js draw what is over an image
UNTOLD = ("", "row", "column", "rows", "columns")  # names that tell nothing
QUANTA = 65_534  # 16-bit steps for values; 65,535 itself stands for "no value"

Row = dict[str, Json]
Named = Any  # an object with .label, .start and .end, a (label, start, end) tuple, or a label alone


class SoundPlot(gr.HTML):
    """What does this look like, and what does it sound like? `value` comes from `plot_value`.

    Its `select` event carries `of` (the row's position in the value) and, for a heat map, `row`, `column`, `value`
    (column and value are None when a row label was chosen); for a word `segment`, `label`, `start`, `end`; for a
    dragged region only `start` and `end` (s). The `edit` event of a plot whose boundaries can be moved carries `clip`,
    and `undo` or `times`: by tier, [start, end] (s) of each of its segments.
    """

    def __init__(self, value: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(
            value=value,
            html_template="<div class='sp'></div>",  # no ${value}: the template would evaluate what labels contain
            apply_default_css=False,
            js_on_load="window.SoundPlot(element, props, trigger, watch);  // 'select', 'edit': Gradio looks for them",
            **kwargs,
        )

    def api_info(self) -> dict[str, Json]:
        return {"type": "object", "description": "rows of a plot over the clip's time axis"}


def plot_value(
    seconds: float,
    rows: Sequence[Row],
    summary: str,
    *,
    audio: str | Path | None = None,
    clip: str | None = None,
    undo: int | None = None,
) -> dict[str, Json]:
    """Join rows into the value of a `SoundPlot`.

    `audio` is the clip's sound file: give it to one plot of the page, which then loads the shared player. `clip` names
    the clip (its hash): a plot whose name differs from the loaded clip's refuses to play. With `undo`, how
    many changes can be undone, the boundaries of its segments can be moved. Raises ValueError if
    `seconds` is not positive or no row is given.
    """
    if not (np.isfinite(seconds) and seconds > 0):
        raise ValueError(f"A plot needs a positive length in seconds, not {seconds}.")
    if not rows:
        raise ValueError("A plot needs at least one row.")
    value = {"seconds": float(seconds), "rows": list(rows), "summary": summary}
    if audio is not None:
        value["audio"] = sound_file(audio)
    if clip is not None:
        value["clip"] = clip
    if undo is not None:
        value |= {"editable": True, "undo": undo}
    return value


def sound_file(path: str | Path) -> dict[str, Json]:
    """A sound as the browser asks for it: a plot's `audio`, or `sound` where it is not the clip of the page."""
    return gr.FileData(path=str(path)).model_dump()


def wave_row(low: ArrayLike, high: ArrayLike, label: str = "wave") -> Row:
    """The waveform as its envelope: minimum and maximum (n,) of n equal stretches of the clip."""
    low, high = _finite(low, "wave", 1), _finite(high, "wave", 1)
    if low.shape != high.shape or (low > high).any():
        raise ValueError(f"Envelope needs low <= high in equal lengths, not shapes {low.shape} and {high.shape}.")
    return {"kind": "wave", "label": label, "low": _short(low), "high": _short(high)}


def image_row(
    array: ArrayLike,
    label: str = "spectrogram",
    *,
    alt: str,
    vmin: float | None = None,
    vmax: float | None = None,
    scale: str = "magma",
    t0: float | None = None,
    t1: float | None = None,
    y_ticks: Sequence[tuple[float, str]] = (),
    height: int | None = None,
    unit: str = "",
    reads: Mapping[str, Json] | None = None,
    over: Sequence[Row] = (),
) -> Row:
    """A picture over time from (bins, frames), bin 0 at the bottom.

    256 steps of colour run from vmin to vmax (default: the array's range). It spans t0 to t1 (s; default: the whole
    clip). `y_ticks` are (height as a fraction of the row, text). With a `unit` (and what its sign means) the colours
    are explained above the picture. `reads` says what the pointer reads: `top`, the value at the upper edge (0 is the
    lower one), its `unit`, and `level`, the unit of vmin and vmax; `over` holds curves of `over_image`, which it
    reads too.
    """
    values = _finite(array, "image", 2)
    low = values.min() if vmin is None else vmin
    high = values.max() if vmax is None else vmax
    steps = np.clip(np.rint((values - low) / ((high - low) or 1.0) * 255), 0, 255).astype(np.uint8)
    return {
        "kind": "image", "label": label, "alt": alt, "shape": list(values.shape), "data": _base64(steps),
        "scale": _known(scale), "y_ticks": [[float(at), str(text)] for at, text in y_ticks],
        **_given(t0=t0, t1=t1, height=height),
        **({"unit": unit, "vmin": float(low), "vmax": float(high)} if unit else {}),
        **({"reads": {**reads, "low": float(low), "high": float(high)}} if reads else {}),
        **({"over": list(over)} if over else {}),
    }  # fmt: skip


def over_image(
    values: ArrayLike, name: str, *, step: float, limits: tuple[float, float], unit: str, look: str, decimals: int = 0
) -> Row:
    """A curve over an image: (n,) values at 0, `step`, 2 `step` … s; `limits` are the picture's lower and upper edge.

    NaN leaves a gap. `look` is one of CURVES, which says its colour, and whether it is a line or points.
    """
    curve = np.asarray(values, dtype=float)
    if curve.ndim != 1 or look not in CURVES:
        raise ValueError(f"Curve '{name}' needs one axis and a look of {CURVES}, not {curve.shape} and '{look}'.")
    return {
        "name": name, "values": _short(curve), "step": float(step), "low": float(limits[0]), "high": float(limits[1]),
        "unit": unit, "decimals": decimals, "look": look,
    }  # fmt: skip


def segments_row(
    segments: Sequence[Named],
    label: str = "words",
    *,
    scores: ArrayLike | None = None,
    vmin: float = 0.0,
    vmax: float = 1.0,
    scale: str = "blues",
    unit: str = "score",
    height: int | None = None,
) -> Row:
    """Words or phones as buttons at their own times; `scores` (one per segment, NaN for none) colour them."""
    items = [_span(segment) for segment in segments]
    if scores is not None:
        scores = np.asarray(scores, dtype=float)
        if scores.shape != (len(items),):
            raise ValueError(f"{len(items)} segments need as many scores, not an array of shape {scores.shape}.")
        for item, score in zip(items, scores, strict=True):
            item["score"] = float(score) if np.isfinite(score) else None
    limits = {"vmin": float(vmin), "vmax": float(vmax), "scale": _known(scale), "unit": unit}
    return {"kind": "segments", "label": label, "items": items, **limits, **_given(height=height)}


def matrix_row(values: ArrayLike, rows: Sequence[Named], columns: Sequence[Named], **options: Any) -> Row:
    """A heat map over time from (rows, columns): each column stands at its segment's own time, rows are stacked.

    Options as in `grid_row`. Rows may be bare labels; columns need times. NaN is drawn as "no value".
    """
    return {"kind": "matrix", **_heat(values, rows, [_span(column) for column in columns], **options)}


def grid_row(values: ArrayLike, rows: Sequence[Named], columns: Sequence[Named], **options: Any) -> Row:
    """A heat map without a time axis, from (rows, columns): equal cells, such as text token by text token.

    Options: `title`; `row_name` and `column_name` (what the axes hold: "affected word", "word that was zeroed");
    `sentence` (what a cell means: "{percent} of what *{row}* takes comes from *{column}*", with `{value}` where the
    value is no share; or two of them, at and above zero, and below it, where `{value}` and `{percent}` are sizes);
    `unit` ("share of row"); `vmin` (0) and `vmax` (default: the largest value; give it to share one colour scale among
    plots); `scale` (one of SCALES); `decimals` (2); `row_height` (px or "auto"); `alt` (what a screen reader says
    first). Raises ValueError when shapes and labels disagree, or where an axis or a cell is not explained.
    """
    return {"kind": "grid", **_heat(values, rows, [_named(column) for column in columns], **options)}


def line_row(
    values: ArrayLike | Mapping[str, ArrayLike],
    label: str,
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    unit: str = "",
    decimals: int = 2,
    dashed: Sequence[str] = (),
    height: int | None = None,
) -> Row:
    """Curves over time: (n,) values evenly spaced over the clip, or several by name. NaN leaves a gap.

    The names in `dashed` are drawn dashed (baselines, controls). Limits default to the range of the values.
    """
    curves = values if isinstance(values, Mapping) else {label: values}
    arrays = {str(name): np.asarray(curve, dtype=float) for name, curve in curves.items()}
    for name, curve in arrays.items():
        if curve.ndim != 1 or not np.isfinite(curve).any():
            raise ValueError(f"Curve '{name}' needs one axis and a finite value; its shape is {curve.shape}.")
    series = [{"name": name, "values": _short(curve), "dashed": name in dashed} for name, curve in arrays.items()]
    low = min(np.nanmin(curve) for curve in arrays.values()) if vmin is None else vmin
    high = max(np.nanmax(curve) for curve in arrays.values()) if vmax is None else vmax
    limits = {"vmin": float(low), "vmax": float(high), "unit": unit, "decimals": decimals}
    return {"kind": "line", "label": label, "series": series, **limits, **_given(height=height)}


def _heat(
    values: ArrayLike,
    rows: Sequence[Named],
    columns: list[Row],
    *,
    title: str,
    row_name: str,
    column_name: str,
    sentence: str | tuple[str, str],
    unit: str = "",
    vmin: float = 0.0,
    vmax: float | None = None,
    scale: str = "blues",
    decimals: int = 2,
    row_height: float | str = "auto",
    alt: str | None = None,
) -> Row:
    array = np.asarray(values, dtype=np.float32)
    if array.shape != (len(rows), len(columns)) or array.size == 0:
        raise ValueError(f"{len(rows)} rows by {len(columns)} columns do not label an array of shape {array.shape}.")
    if np.isinf(array).any() or np.isnan(array).all():
        raise ValueError("A heat map needs finite values; NaN may mark single cells without a value.")
    limit = float(np.nanmax(array)) if vmax is None else float(vmax)
    if not limit > vmin:
        limit = float(vmin) + 1.0  # a constant map: any positive span draws it in the lowest colour
    return {
        "rows": [_named(row) for row in rows], "columns": columns, **encoded(array),
        "title": title, "unit": unit, "vmin": float(vmin), "vmax": limit, "scale": _known(scale), "decimals": decimals,
        "row_height": row_height, "alt": alt or title, **_explained(row_name, column_name, sentence),
    }  # fmt: skip


def _explained(row_name: str, column_name: str, sentence: str | tuple[str, str]) -> Row:
    """What the axes hold and what a cell means, so that no map comes without."""
    for name in (row_name, column_name):
        if name.strip().lower() in UNTOLD:
            raise ValueError(f"'{name}' does not say what this axis of the map holds.")
    sentences = (sentence,) if isinstance(sentence, str) else sentence
    for text in sentences:
        holes = {hole for _, hole, _, _ in Formatter().parse(text) if hole is not None}
        if not {"row", "column"} <= holes or len(holes & {"value", "percent"}) != 1 or len(holes) != 3:
            raise ValueError(
                f"A sentence names {{row}}, {{column}}, and one of {{value}} and {{percent}}, not: {text}"
            )
        if text.count("*") % 2:
            raise ValueError(f"In a sentence each * that opens has one that closes: {text}")
    return {"row_name": row_name, "column_name": column_name, "sentence": list(sentences)}


def encoded(array: np.ndarray) -> Row:
    """Base64 of the cells, row by row: exact while few, else in 65,534 steps between the smallest and the largest."""
    if array.size < EXACT_CELLS:
        return {"data": _base64(array.astype("<f4")), "dtype": "float32"}
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    steps = np.rint((array.astype(float) - low) / ((high - low) or 1.0) * QUANTA)
    steps = np.where(np.isnan(steps), QUANTA + 1, steps).astype("<u2")
    return {"data": _base64(steps), "dtype": "uint16", "scale_min": low, "scale_max": high}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _finite(array: ArrayLike, name: str, axes: int) -> np.ndarray:
    values = np.asarray(array, dtype=float)
    if values.ndim != axes or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"The {name} needs finite values over {axes} axes; its shape is {values.shape}.")
    return values


def _short(values: np.ndarray) -> list[float | None]:
    """Four significant digits, far finer than a pixel, keep the message small; JSON has no NaN."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]


def _known(scale: str) -> str:
    if scale not in SCALES:
        raise ValueError(f"No colour scale '{scale}'; there are {', '.join(SCALES)}.")
    return scale


def _given(**options: Any) -> Row:
    return {name: value for name, value in options.items() if value is not None}


def _named(item: Named) -> Row:
    """A label, with its times if it has any."""
    return {"label": item} if isinstance(item, str) else _span(item)


def _span(item: Named) -> Row:
    label, start, end = item if isinstance(item, tuple) else (item.label, item.start, item.end)
    if not 0 <= start <= end:
        raise ValueError(f"Segment '{label}' runs from {start} to {end} s; it needs 0 <= start <= end.")
    return {"label": str(label), "start": float(start), "end": float(end)}
