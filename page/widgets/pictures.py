"""Small pictures without a time axis, as inline SVG in the page's own colours."""

import contextlib
import html
import io
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDE = 6.0  # inches; beyond that a picture takes the room of two
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # a picture on the page is no document
INK = "#010203"  # a colour that nothing else has: it becomes the page's own text colour

Adjust = Callable[[Figure], None]


@dataclass
class Drawing:
    """The pictures of one drawing, in their order, and what is still done to each before it is saved."""

    figures: list[Figure] = field(default_factory=list)
    adjust: Sequence[Adjust] | None = ()  # None: they are only looked at, and no SVG is written


_drawing: ContextVar[Drawing | None] = ContextVar("drawing", default=None)


@contextlib.contextmanager
def watched(adjust: Sequence[Adjust] | None = None) -> Generator[Drawing, None, None]:
    """See every picture that is drawn meanwhile. The n-th is changed by the n-th `adjust` before it becomes SVG.

    Without `adjust` the pictures are but looked at: writing SVG is what takes long of a drawing.
    """
    drawing = Drawing(adjust=adjust)
    token = _drawing.set(drawing)
    try:
        yield drawing
    finally:
        _drawing.reset(token)


def inline_svg(draw: Callable[[Axes, str], None], summary: str, size: tuple[float, float] = (4.6, 2.5)) -> str:
    """An SVG drawn by `draw(ax, ink)`; `summary` is its text for screen readers. `size` in inches."""
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots(), INK)
    if not _adjusted(figure):
        return ""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    picture = buffer.getvalue()
    picture = picture[picture.index("<svg") :].replace(INK, "currentColor")
    label = html.escape(summary, quote=True)
    kind = "curve wide" if size[0] > WIDE else "curve"
    return picture.replace("<svg ", f'<svg role="img" aria-label="{label}" class="{kind}" ', 1)


def _adjusted(figure: Figure) -> bool:
    """Let whoever watches see the figure, and change it; whether it is to become SVG."""
    drawing = _drawing.get()
    if drawing is None:
        return True
    number = len(drawing.figures)
    drawing.figures.append(figure)
    if drawing.adjust is None:
        return False
    if number < len(drawing.adjust):
        drawing.adjust[number](figure)
    return True
