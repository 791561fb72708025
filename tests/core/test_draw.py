"""What figures write: a stranger's label reads letter by letter, and the file is still a picture."""

import io
import xml.dom.minidom

from matplotlib.figure import Figure
from tree import tree_sources

from methods.core.figures import draw

MATHEMATICS = ("$x_1$", r"$\frac{", "$", "a $ b $ c", r"\$x$")


def texts(labels, **ticks):
    """The texts of an SVG whose axis and legend hold these labels."""
    figure = draw.new_figure(6, 4)
    ax = figure.subplots()
    ax.set_xticks(range(len(labels)), [draw.written(label) for label in labels], **ticks)
    for label in labels:
        ax.plot([0, 1], [0, 1], label=draw.written(label))
    draw.plain_axes(ax)
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    found = xml.dom.minidom.parseString(file.getvalue()).getElementsByTagName("text")
    return ["".join(part.data for part in text.childNodes) for text in found]


def test_labels_are_read_letter_by_letter_in_ticks_and_legends():
    for label in (*MATHEMATICS, "<b>&amp;</b>", "_hidden", "e\u0301", "\u05d0\u05d1", "%s {0}"):
        written = [text.strip(draw.HAIR_SPACE) for text in texts([label])]
        assert written.count(label) == 2, (label, written)  # below its tick, and in the legend


def test_control_characters_make_no_broken_file():
    for label in ("a\x01b", "a\x0bb", "a\nb", "a\x85b", "a\uffffb", "a\ud800b", "\x00a\tb"):
        assert "a b" in texts([label]), label


def test_a_long_label_leaves_room_for_the_picture():
    long = draw.written("W" * 5000)
    assert len(long) == draw.LONGEST_WRITTEN and long.endswith("…")
    assert draw.written("W" * draw.LONGEST_WRITTEN) == "W" * draw.LONGEST_WRITTEN
    figure: Figure = draw.new_figure(6, 4)
    ax = figure.subplots()
    ax.set_xticks([0, 1], [long, "b"], rotation=90, fontsize=7)
    ax.set_yticks([0, 1], [long, "b"], fontsize=7)
    figure.draw_without_rendering()
    assert min(ax.bbox.width / figure.bbox.width, ax.bbox.height / figure.bbox.height) > 0.25


def test_dollar_signs_are_written_in_one_place():
    """Who escapes by hand forgets the rest: underscores, control characters, length."""
    makers = {path for path, text in tree_sources().items() if path.startswith("methods/") and r'r"\$"' in text}
    assert makers == {"methods/core/figures/draw.py"}
