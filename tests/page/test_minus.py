"""Numbers are read with a minus sign; what only looks like one stays."""

import pytest

from page.widgets.minus import drawn_with_minus, told_with_minus, with_minus


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("z -0.65, (-3) “-.5”", "z −0.65, (−3) “−.5”"),
        ("<td>-26.12</td>", "<td>−26.12</td>"),
        ('<p style="margin:-4px" data-at="-1">-4</p>', '<p style="margin:-4px" data-at="-1">−4</p>'),
        ("0.2-0.5, 2020-01-02, 1e-05, tiny-3, arXiv 10.1-2", "0.2-0.5, 2020-01-02, 1e-05, tiny-3, arXiv 10.1-2"),
        ("- a list, well-known, –5, −5", "- a list, well-known, –5, −5"),
    ],
)
def test_a_hyphen_before_a_number_becomes_a_minus(text, read):
    assert with_minus(text) == read


def test_outputs_that_are_no_text_stay_as_they_are():
    plot = {"rows": ["-1"]}
    assert drawn_with_minus(lambda result, values: (plot, "-1", None))(1, 2) == (plot, "−1", None)
    assert told_with_minus(lambda result, values: f"{result} -1")("a", {}) == "a −1"
