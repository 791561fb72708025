"""What a lesson marks is on the very picture that the lesson shows, and holds the number that its answer quotes."""

import asyncio
import base64
import html
import json
import re
from typing import NamedTuple
from urllib.parse import parse_qsl

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from test_lessons import LONG as LONG_LESSONS
from test_lessons import agrees

from methods.core.models import load_model
from page.lessons import LESSONS
from page.ready import listened_to, view_of
from page.runs.machine import Visitor
from page.widgets import pictures
from page.widgets.places import places

pytestmark = [pytest.mark.weights, pytest.mark.slow]

LONG = (*LONG_LESSONS, "A t that")  # whose percentages come last
# Beginning of the title -> what the answer prints, for each marked cell or for all of them together.
QUOTED = {
    "One sound": ["takes about 43%"],
    "Phones take": ["with .71", "and .83"],
    "From the sound": ["explains .26", "layer 2 (.07", "later (.05", "later (.05", "last (.03"],
    "A recogniser": ["r = .96", "keeps .55"],
    "Layers that": ["akin (.77"],
    "A sum": ["consonants, .69"],
    "A silenced": ["(1.0"] * 5,
    "The word is": ["nothing (0", ": .06", ", .48", ", .86", "and 1"],
    "One head": ["it loses 31"],
    "Phones are": ["loses 46", "phones cost 8"],
}
# What is said of several cells at once, or without a number of a cell.
OTHERWISE = {
    "A word listens": lambda cells: agrees("about .8", np.mean([cell.value for cell in cells])),
    "Attention is": lambda cells: np.mean([cell.value for cell in cells]) < 0.8 - 0.1,  # of value zeroing, rounded
    "Heads that": lambda cells: cells[0].is_most_of_its_row,
    "A word is heard": lambda cells: all(cell.is_most_of_its_row for cell in cells),
    "A t that": lambda cells: cells[0].value == 100,  # % of native ones that fit better: all of 35
    "A model": lambda cells: agrees("at most 2", max(cell.value for cell in cells)),
}


class Cell(NamedTuple):
    value: float
    is_most_of_its_row: bool


class Part(NamedTuple):
    """A map, a tier or a curve: its names, and its values, read off the picture where the mark would stand."""

    on: str
    rows: list[str]
    columns: list[str]
    values: np.ndarray  # (rows, columns)


def number_of(names, asked):
    """The place of the one that is called so, or None; “IY [T] AH” is a T between these two."""
    between = re.match(r"(\S+) \[(.+)\] (\S+)$", asked)
    name = between[2] if between else asked
    found = [place for place, each in enumerate(names) if each == name]
    if between:
        found = [
            p for p in found if 0 < p < len(names) - 1 and (names[p - 1], names[p + 1]) == (between[1], between[3])
        ]
    return found[0] if len(found) == 1 else None


def cell_of(part, row, column):
    r, c = number_of(part.rows, row), number_of(part.columns, column)
    if r is None or c is None:
        return None
    return Cell(float(part.values[r, c]), not (part.values[r, c] < part.values[r]).any())


def marked(groups, mark):
    """The cells of the first picture that has all of them, as `lesson_marks.js` looks for them; or None."""
    for parts in groups:
        named = [part for part in parts if mark.on in part.on]
        cells = [next(filter(None, (cell_of(part, *cell) for part in named)), None) for cell in mark.cells]
        if cells and None not in cells:
            return cells
    return None


def labels(items):
    return [item["label"] for item in items]


def of_plot(row):
    """The part of a plot's row; only maps and tiers have any."""
    if row["kind"] == "segments":
        values = [[np.nan if item.get("score") is None else item["score"] for item in row["items"]]]
        return [Part(row["label"], [row["label"]], labels(row["items"]), np.array(values, dtype=float))]
    if row["kind"] not in ("matrix", "grid"):
        return []
    rows, columns = labels(row["rows"]), labels(row["columns"])
    values = np.frombuffer(base64.b64decode(row["data"]), "<f4" if row["dtype"] == "float32" else "<u2")
    return [Part(row["title"], rows, columns, values.reshape(len(rows), len(columns)))]


def of_svg(tag, figures):
    """The parts that the picture names; what stands at their places is asked of the figure that was drawn."""
    found = re.search(r'data-places="([^"]*)"', tag)
    parts = json.loads(html.unescape(found[1])) if found else []
    return [_read_off(part, next(each for each in figures if places(each) == parts)) for part in parts]


def _read_off(part, figure):
    if "at" in part:
        data = [_data(figure, at) for at in part["at"]]
        values = [[y for _, (_, y) in data]]
    else:
        left, top, wide, high = part["box"]
        shape = len(part["rows"]), len(part["columns"])
        values = [[_of_mesh(*_data(figure, (left + (c + 0.5) * wide / shape[1], top + (r + 0.5) * high / shape[0])))
                   for c in range(shape[1])] for r in range(shape[0])]  # fmt: skip
    return Part(part["on"], part["rows"], part["columns"], np.array(values, dtype=float))


def _data(figure, at):
    """The axes that a place (fractions from the upper left) lies in, and the numbers there."""
    point = np.array([at[0], 1 - at[1]]) * figure.bbox.size
    ax = next(ax for ax in figure.axes if ax.bbox.padded(1).contains(*point))
    return ax, ax.transData.inverted().transform(point)


def _of_mesh(ax, place):
    mesh = next(each for each in ax.collections if isinstance(each, QuadMesh))
    return np.ma.filled(mesh.get_array().astype(float), np.nan)[int(place[1]), int(place[0])]


def shown(recipe, result, values):
    """The parts of what the lesson shows, picture by picture in the order of the page; and the line about the run."""
    values = recipe.fitted(result, values)
    with pictures.watched(adjust=()) as drawing:
        drawn = recipe.drawn(result, values)
    groups = []
    for output in drawn:
        if isinstance(output, str):
            groups += [of_svg(tag, drawing.figures) for tag in re.findall(r"<svg [^>]*>", output)]
        elif isinstance(output, dict) and "rows" in output:
            rows = sorted(output["rows"], key=lambda row: row["kind"] == "grid")  # grids come last
            groups += [of_plot(row) for row in rows]
    return groups, recipe.status(result, values)


def results_of(lesson):
    """The view of a lesson, and what it draws of every result on the way to the last."""
    view = view_of(dict(parse_qsl(lesson.link.removeprefix("?"))))
    listened = asyncio.run(listened_to(view.session, view.model_id, Visitor("lesson")))
    session = view.session if listened is None else listened.given_to(view.session)
    for result in partials(view.recipe.steps(session, load_model(view.model_id), view.units, view.values)):
        yield shown(view.recipe, result, view.values)


def partials(work):
    """Every result that there is on the way, and the last."""
    work = iter(work)
    while True:
        try:
            step = next(work)
        except StopIteration as done:
            yield done.value
            return
        if step.partial is not None:
            yield step.partial


def expected_of(lesson):
    """What the marked cells must hold."""
    checks = [check for title, check in OTHERWISE.items() if lesson.title.startswith(title)]
    quoted = [printed for title, printed in QUOTED.items() if lesson.title.startswith(title)]
    if checks:
        return checks[0]
    assert all(printed in lesson.answer for printed in quoted[0])
    percent = quoted[0][0].endswith("%")
    numbers = [printed.rstrip("%") for printed in quoted[0]]
    return lambda cells: (
        len(cells) == len(numbers)
        and all(
            agrees(printed, cell.value * (100 if percent else 1)) for printed, cell in zip(numbers, cells, strict=True)
        )
    )


CELLS = [lesson for lesson in LESSONS if lesson.mark.cells]


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(each, id=each.title, marks=pytest.mark.long if each.title.startswith(LONG) else ())
        for each in CELLS
    ],
)
def test_what_a_lesson_asks_about_is_on_its_picture_and_holds_the_answers_number(lesson):
    """The work goes on only until the marked cells hold what the answer says."""
    holds, cells = expected_of(lesson), None
    for groups, _ in results_of(lesson):
        cells = marked(groups, lesson.mark)
        if cells and holds(cells):
            return
    pytest.fail(f"the cells hold {cells}")


def test_a_lesson_without_a_cell_marks_the_words_that_hold_its_number():
    (lesson,) = [lesson for lesson in LESSONS if not lesson.mark.cells]
    _, status = next(results_of(lesson))
    share = re.search(rf"{lesson.mark.words} (\d+)%", status)
    assert "more than a quarter" in lesson.answer
    assert int(share[1]) > 25


def test_every_lesson_has_a_mark_and_every_mark_is_checked():
    titles = [lesson.title for lesson in CELLS]
    for known in (*QUOTED, *OTHERWISE):
        assert sum(title.startswith(known) for title in titles) == 1, known
    assert len(QUOTED) + len(OTHERWISE) == len(CELLS) == len(LESSONS) - 1
    assert not {*QUOTED} & {*OTHERWISE}


def test_what_is_named_twice_or_not_at_all_is_not_marked():
    part = Part("phones", ["phones"], ["T", "IY", "T", "AH", "T"], np.arange(5.0)[None])
    assert cell_of(part, "phones", "T") is cell_of(part, "phones", "D") is cell_of(part, "words", "AH") is None
    assert cell_of(part, "phones", "IY [T] AH").value == 2
    assert cell_of(part, "phones", "AH [T] IY") is None
