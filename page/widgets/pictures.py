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
    adjust: Sequence[Adjust] = ()


_drawing: ContextVar[Drawing | None] = ContextVar("drawing", default=None)


@contextlib.contextmanager
def watched(adjust: Sequence[Adjust] = ()) -> Generator[Drawing, None, None]:
    """See every picture that is drawn meanwhile; the n-th is changed by the n-th `adjust` before it becomes SVG."""
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
    _adjusted(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    picture = buffer.getvalue()
    picture = picture[picture.index("<svg") :].replace(INK, "currentColor")
    label = html.escape(summary, quote=True)
    kind = "curve wide" if size[0] > WIDE else "curve"
    return picture.replace("<svg ", f'<svg role="img" aria-label="{label}" class="{kind}" ', 1)


def _adjusted(figure: Figure) -> None:
    drawing = _drawing.get()
    if drawing is None:
        return
    number = len(drawing.figures)
    drawing.figures.append(figure)
    if number < len(drawing.adjust):
        drawing.adjust[number](figure)
