"""The tab of head roles: an opened head's map stands where its frames are."""

import numpy as np
import pytest

from methods import head_roles
from methods.core.mixing import diagonality
from methods.core.models import frame_grid, load_model
from methods.head_roles import analysis
from page.tabs import head_roles as head_roles_tab


@pytest.mark.parametrize("family", ["whisper", "hama"])
def test_an_opened_maps_cells_are_where_its_frames_are(family, clip, tiny_model, monkeypatch):
    """A spike in one frame stands over that frame's centre, whole and in blocks."""
    model = tiny_model if family == "whisper" else load_model("hama-ctc")
    times = frame_grid(clip, model).times
    result = head_roles.analyse(clip, model, opened=(1, 1), language="en", random_seeds=())
    row = head_roles_tab.opened_plot(result, 1, 1)["rows"][0]
    spans = np.array([(column["start"], column["end"]) for column in row["columns"]])
    np.testing.assert_allclose(spans.mean(1)[1:-1], times[1:-1], atol=1e-9)
    assert spans[-1, 1] <= clip.seconds
    # Whisper's first frame is centred on 0 s, so half of it lies before the sound.
    assert spans[0, 0] == pytest.approx(max(times[0] - 0.01, 0)) and spans[0, 1] == pytest.approx(times[0] + 0.01)
    monkeypatch.setattr(analysis, "LARGEST_MAP", 7)
    blocks = head_roles.analyse(clip, model, opened=(1, 1), language="en", random_seeds=())
    assert blocks.opened_map.shape == (7, 7) and blocks.opened_edges.shape == (8,)
    pool = diagonality.blocks(len(times), 7).numpy()
    middles = (blocks.opened_edges[1:] + blocks.opened_edges[:-1]) / 2
    np.testing.assert_allclose(middles[1:-1], (pool @ times)[1:-1], rtol=1e-6)  # float32 means of times
