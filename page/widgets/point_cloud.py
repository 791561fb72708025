"""A map of points that can be pressed and heard, gliding from layer to layer."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from methods.core.results import Json

# One map is on the page: its script travels with the component and needs no place in the page's head.
_SCRIPT = (Path(__file__).parent / "point_cloud.js").read_text(encoding="utf-8")


class PointCloud(gr.HTML):
    """Many maps of the same points. `value` comes from `cloud`; its `select` event carries `point`, a number."""

    def __init__(self, value: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(
            value=value, html_template="<div class='pc'></div>", apply_default_css=False, js_on_load=_SCRIPT, **kwargs
        )

    def api_info(self) -> dict[str, Json]:
        return {"type": "object", "description": "maps of points"}


def cloud(
    points: np.ndarray,
    titles: Sequence[str],
    *,
    space: int,
    layers: int,
    label: Sequence[str],
    colours: Mapping[str, str],
    speaker: Sequence[str],
    names: Sequence[str],
    where: Sequence[str],
    arrows: Sequence[Sequence[tuple[float, float, str]]],
    summary: str,
    key: str,
) -> dict[str, Json]:
    """What the component shows: (maps, n, 2) points of which the first `layers` are played through.

    `label` chooses colour, `speaker` shape; `names` and `where` are what a pointer reads; `arrows` are (x, y, text)
    for each map; with the same `key` the points glide from where they were. Raises ValueError if lengths disagree.
    """
    if (
        points.ndim != 3
        or len(points) != len(titles)
        or not all(len(column) == points.shape[1] for column in (label, speaker, names, where))
    ):
        raise ValueError(f"Points of shape {points.shape} need as many titles, labels, speakers, names and places.")
    known, voices = sorted(set(label)), sorted(set(speaker))
    return {
        "points": base64.b64encode(np.ascontiguousarray(points, dtype="<f4").tobytes()).decode("ascii"),
        "titles": list(titles), "space": int(space), "layers": int(layers),
        "label": [known.index(name) for name in label], "labels": known, "colours": [colours[name] for name in known],
        "speaker": [voices.index(name) for name in speaker], "speakers": voices,
        "names": list(names), "where": list(where),
        "arrows": [[[float(x), float(y), text] for x, y, text in of] for of in arrows],
        "summary": summary, "key": key,
    }  # fmt: skip
