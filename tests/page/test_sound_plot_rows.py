"""The builders of a plot's value: numbers survive, and what does not fit is refused."""

import base64
from types import SimpleNamespace

import numpy as np
import pytest
from plot_demo import TOLD

from page.widgets.sound_plot import grid_row, line_row, matrix_row, over_image, plot_value, segments_row, wave_row


def test_values_survive_both_encodings():
    small = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    row = grid_row(small, list("abc"), list("wxyz"), title="t", vmin=-1, **TOLD)
    assert row["dtype"] == "float32"
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(row["data"]), "<f4").reshape(3, 4), small)
    big = np.random.default_rng(0).normal(size=(200, 300))
    big[3, 5] = np.nan
    row = grid_row(big, ["r"] * 200, ["c"] * 300, title="t", **TOLD)
    steps = np.frombuffer(base64.b64decode(row["data"]), "<u2").reshape(big.shape)
    span = row["scale_max"] - row["scale_min"]
    decoded = np.where(steps == 65_535, np.nan, row["scale_min"] + steps / 65_534 * span)
    # Rounding to a step is off by at most half of one; float32 on the way in adds less than 1e-6.
    np.testing.assert_allclose(decoded, big, atol=span / 65_534 / 2 + 1e-6)


def test_500_by_500_stays_under_a_megabyte():
    assert len(grid_row(np.ones((500, 500)), ["r"] * 500, ["c"] * 500, title="t", **TOLD)["data"]) < 1e6


def test_builders_refuse_what_does_not_fit():
    segment = SimpleNamespace(label="a", start=0.0, end=1.0)
    assert segments_row([segment], scores=[np.nan])["items"] == [
        {"label": "a", "start": 0.0, "end": 1.0, "score": None}
    ]
    with pytest.raises(ValueError, match="do not label an array of shape"):
        matrix_row(np.ones((2, 2)), [segment], [segment], title="t", **TOLD)
    with pytest.raises(ValueError, match="finite values"):
        grid_row([[np.inf]], ["a"], ["b"], title="t", **TOLD)
    with pytest.raises(ValueError, match="No colour scale 'jet'"):
        grid_row([[1.0]], ["a"], ["b"], title="t", scale="jet", **TOLD)
    with pytest.raises(ValueError, match="0 <= start <= end"):
        segments_row([("a", 1.0, 0.5)])
    with pytest.raises(ValueError, match="as many scores"):
        segments_row([segment], scores=[1.0, 2.0])
    with pytest.raises(ValueError, match="low <= high"):
        wave_row([1.0], [0.0])
    with pytest.raises(ValueError, match="needs one axis"):
        line_row([[1.0]], "curve")
    with pytest.raises(ValueError, match="positive length"):
        plot_value(0.0, [wave_row([0.0], [0.0])], "nothing")
    with pytest.raises(ValueError, match="one axis and a look"):
        over_image([[1.0]], "F0", step=0.005, limits=(0, 1), unit="Hz", look="pitch")
