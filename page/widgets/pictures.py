"""Small pictures without a time axis, as inline SVG in the page's own colours."""

import contextlib
import html
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text

from page.widgets.places import places

WIDE = 5.5  # inches asked for; beyond that a picture is not shrunk to a phone's width, it scrolls
SHRUNK = 0.86  # of the inches asked for: letters are that much larger beside what is drawn
WHOLE = 4.8  # inches, the most of a picture that does not scroll: on a phone it is 374 px wide, and 8 pt are 10 px
SMALLEST, LARGEST = 8.0, 9.0  # pt, of letters
CROWDED = 0.86  # of the room between two numbers, which they may fill
LONG_NAME = 0.72  # of a picture's height or width, from which on an axis has its name in two lines
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # a picture on the page is no document
HOLES = re.compile(r"\{\w+\}")
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


def inline_svg(
    draw: Callable[[Axes, str], None], summary: str, size: tuple[float, float] = (4.6, 2.5), *, cell: str = ""
) -> str:
    """An SVG drawn by `draw(ax, ink)`; `summary` is its text for screen readers. `size` in inches.

    `cell` is what a cell of a map means, shown where a visitor points at: a sentence with holes that
    `cell_sentences.js` fills ({row}, {column}, {on}: the title, {first_column}, {column_number}, {columns}, {value},
    {percent}); what stands between asterisks is set apart. Raises ValueError for a map without one.
    """
    shrunk = SHRUNK * (min(1.0, WHOLE / size[0]) if size[0] <= WIDE else 1.0)
    width, height = (shrunk * inches for inches in size)
    figure = Figure(figsize=(width, height), layout="constrained")
    draw(figure.subplots(), INK)
    if not _adjusted(figure):
        return ""
    set_letters(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    picture = buffer.getvalue()
    picture = picture[picture.index("<svg") :].replace(INK, "currentColor")
    label = html.escape(summary, quote=True)
    kind = " ".join(["curve", *(["wide"] if size[0] > WIDE else []), *(["map"] if _is_map(figure) else [])])
    look = f'class="{kind}" style="--inches:{width:.2f}"'
    if parts := places(figure):  # where a lesson finds what it asks about
        look += f' data-places="{html.escape(json.dumps(parts), quote=True)}"'
    if any("values" in part for part in parts):
        look += f' data-cell="{html.escape(_sentence(cell), quote=True)}"'
    return picture.replace("<svg ", f'<svg role="img" aria-label="{label}" {look} ', 1)


def _sentence(cell: str) -> str:
    if not {"{value}", "{percent}"} & set(HOLES.findall(cell)):
        raise ValueError(f"A picture whose cells stand for numbers says what a cell means, not: “{cell}”")
    return cell


def _is_map(figure: Figure) -> bool:
    """Whether colours stand for values, which no theme may change."""
    return any(map(_has_cells, figure.axes))


def _has_cells(ax: Axes) -> bool:
    return bool(ax.images) or any(isinstance(each, QuadMesh) for each in ax.collections)


def set_letters(figure: Figure) -> None:
    """One size of letters for every picture, whoever drew it; numbers in cells as large as the cells allow."""
    for text in figure.texts:
        _resize(text)
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            sizes = [label.get_fontsize() for label in axis.get_ticklabels()]
            axis.set_tick_params(labelsize=_within(min(sizes, default=LARGEST)))
            _resize(axis.label)
        _break_name(ax.yaxis.label, ax.yaxis.label.get_window_extent().height, figure.bbox.height)
        _break_name(ax.xaxis.label, ax.xaxis.label.get_window_extent().width, figure.bbox.width)
        legend = ax.get_legend()
        for text in (ax.title, *(legend.get_texts() if legend else ())):
            _resize(text)
        for text in ax.texts:  # large ones are meant to be
            text.set_fontsize(max(SMALLEST, text.get_fontsize()))
    _part_numbers(figure)


def _within(size: float) -> float:
    return min(max(size, SMALLEST), LARGEST)


def _resize(text: Text) -> None:
    text.set_fontsize(_within(text.get_fontsize()))


def _break_name(name: Text, long: float, room: float) -> None:
    """Two lines for a name that its picture would cut, broken near its middle."""
    text = name.get_text()
    spaces = [place for place, letter in enumerate(text) if letter == " "]
    if long > LONG_NAME * room and spaces and "\n" not in text:
        middle = min(spaces, key=lambda place: abs(place - len(text) / 2))
        name.set_text(f"{text[:middle]}\n{text[middle + 1 :]}")


def _part_numbers(figure: Figure) -> None:
    """Numbers that stand in rows do not touch their neighbours."""
    crowded = [ax for ax in figure.axes if len(ax.texts) > 1 and _has_cells(ax)]  # names of points may overlap
    if not crowded:
        return
    figure.draw_without_rendering()  # only now it is known where things are
    for ax in crowded:
        rows: dict[float, list[tuple[float, float]]] = defaultdict(list)
        for text in ax.texts:
            x, y = text.get_transform().transform(text.get_position())
            rows[round(y)].append((x, text.get_window_extent().width))
        room = [_filled(sorted(row)) for row in rows.values() if len(row) > 1]
        for text in ax.texts if max(room, default=0) > CROWDED else ():
            text.set_fontsize(text.get_fontsize() * CROWDED / max(room))


def _filled(row: list[tuple[float, float]]) -> float:
    """How much of the room between the middles of two neighbours their halves fill, at most: of (middle, width)."""
    pairs = pairwise(row)
    return max((a[1] + b[1]) / 2 / max(b[0] - a[0], 1e-6) for a, b in pairs)


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
