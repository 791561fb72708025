"""Pictures of the page: one size of letters whatever their size, numbers that do not touch, legends inside."""

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from methods.core.figures import draw
from page.widgets import pictures


def drawn(draw_on, size, cell=""):
    """A picture as it is saved, and its SVG."""
    with pictures.watched([lambda figure: None]) as drawing:
        svg = pictures.inline_svg(draw_on, "a picture", size, cell=cell)
    return drawing.figures[0], svg


def heights(figure):
    ax = figure.axes[0]
    texts = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, ax.title, *ax.get_legend().get_texts()]
    return {text.get_fontsize() for text in texts if text.get_text()}


@pytest.mark.parametrize("size", [(3.0, 2.0), (4.8, 3.6), (9.0, 3.0)])
def test_letters_are_as_large_in_a_small_picture_as_in_a_large_one(size):
    def some(ax, ink):
        ax.plot([0, 1], label="small")
        ax.legend(fontsize=5)
        ax.set_title("large", fontsize=16)
        ax.set_xticks([0, 1], ["tiny", "tiny"], fontsize=4)
        ax.set_xlabel("name")

    figure, svg = drawn(some, size)
    assert min(heights(figure)) == pictures.SMALLEST and max(heights(figure)) == pictures.LARGEST
    inches = float(re.search(r'style="--inches:([\d.]+)"', svg)[1])
    assert inches == pytest.approx(pictures.SHRUNK * size[0], abs=0.005)  # two digits
    wide = float(
        re.search(r'viewBox="0 0 ([\d.]+)', svg)[1]
    )  # pt; what the style multiplies is the picture's own width
    assert wide / 72 == pytest.approx(inches, abs=0.005)
    assert ('class="curve wide"' in svg) == (size[0] > pictures.WIDE)


def test_a_picture_that_does_not_scroll_has_letters_of_10_px_on_a_phone():
    for wide in (4.8, 5.0, 5.5):
        figure, _ = drawn(lambda ax, ink: ax.plot([0, 1]), (wide, 3.0))
        # 390 px less 8 on either side, for so many inches of 72 pt
        assert pictures.SMALLEST * 374 / (72 * figure.get_figwidth()) >= 10


def test_names_of_points_in_a_plane_are_not_shrunk_because_some_are_as_high():
    def plane(ax, ink):
        for x, name in ((0.1, "d"), (0.1001, "t"), (0.5, "p")):
            ax.text(x, 0.5, name, fontsize=13)

    figure, _ = drawn(plane, (4.8, 3.6))
    assert {text.get_fontsize() for text in figure.axes[0].texts} == {13}


@pytest.mark.parametrize("columns", [3, 13])
def test_numbers_in_cells_do_not_touch(columns):
    def cells(ax, ink):
        ax.pcolormesh(np.zeros((2, columns)))
        for row, column in np.ndindex(2, columns):
            ax.text(column + 0.5, row + 0.5, "−0.01", ha="center", va="center", fontsize=7)

    figure, _ = drawn(cells, (4.8, 2.0), cell="{value}")
    figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in figure.axes[0].texts[:columns]]
    assert all(left.x1 < right.x0 for left, right in pairwise(extents))
    large = figure.axes[0].texts[0].get_fontsize()
    assert large == pictures.SMALLEST if columns == 3 else large < pictures.SMALLEST


@pytest.mark.parametrize("names", [["trained", "control"], ["recordings matched at random with one another"] * 4])
def test_a_legend_has_no_more_columns_than_its_figure_has_room_for(names):
    figure = Figure(figsize=(4.1, 3.0), layout="constrained")
    ax = figure.subplots()
    for name in names:
        ax.plot([0, 1], label=name)
    draw.legend_above(ax, columns=3)
    figure.draw_without_rendering()
    place = ax.get_legend().get_window_extent()
    assert place.x0 >= 0 and place.x1 <= figure.bbox.width
    rows = {round(text.get_window_extent().y0) for text in ax.get_legend().get_texts()}
    assert len(rows) == (1 if len(names) == 2 else 4)


def test_a_name_that_its_picture_would_cut_has_two_lines():
    def named(ax, ink):
        ax.plot([0, 1])
        ax.set_ylabel("1 − error rate of the new answer")
        ax.set_xlabel("short")

    figure, _ = drawn(named, (4.2, 2.4))
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert ax.yaxis.label.get_text() == "1 − error rate of\nthe new answer" and ax.xaxis.label.get_text() == "short"
    place = ax.yaxis.label.get_window_extent()
    assert place.y0 >= 0 and place.y1 <= figure.bbox.height


@pytest.mark.parametrize("downwards", [True, False])
def test_a_map_brings_its_numbers_as_they_stand_and_what_a_cell_means(downwards):
    values = np.array([[0.25, 1 / 3, np.nan], [0, 1, -0.5]])

    def cells(ax, ink):
        mesh = ax.pcolormesh(np.ma.masked_invalid(values))
        ax.set_xticks([0.5, 1.5, 2.5], ["“a”", r"\$b", "<i>"])
        if downwards:
            ax.invert_yaxis()
        ax.figure.colorbar(mesh, ax=ax)

    _, svg = drawn(cells, (4.8, 2.0), cell="*{row}* & {percent}")
    svg = ElementTree.fromstring(svg)
    (part,) = json.loads(svg.get("data-places"))
    shown = [[0.25, 0.3333, None], [0.0, 1.0, -0.5]]
    assert part["values"] == (shown if downwards else shown[::-1]) and part["columns"] == ["“a”", "$b", "<i>"]
    assert svg.get("data-cell") == "*{row}* & {percent}"


def test_a_map_that_says_nothing_of_its_cells_is_a_mistake():
    with pytest.raises(ValueError, match="says what a cell means"):
        drawn(lambda ax, ink: ax.pcolormesh(np.zeros((2, 2))), (4.8, 2.0))
