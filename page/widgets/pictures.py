"""Small pictures without a time axis, as inline SVG in the page's own colours."""

import html
import io
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDE = 6.0  # inches; beyond that a picture takes the room of two
INK = "#010203"  # a colour that nothing else has: it becomes the page's own text colour


def inline_svg(draw: Callable[[Axes, str], None], summary: str, size: tuple[float, float] = (4.6, 2.5)) -> str:
    """An SVG drawn by `draw(ax, ink)`; `summary` is its text for screen readers. `size` in inches."""
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots(), INK)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    picture = buffer.getvalue()
    picture = picture[picture.index("<svg") :].replace(INK, "currentColor")
    label = html.escape(summary, quote=True)
    kind = "curve wide" if size[0] > WIDE else "curve"
    return picture.replace("<svg ", f'<svg role="img" aria-label="{label}" class="{kind}" ', 1)
