"""The tab of encoding probes: what is drawn, said and taken away is the result's own."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from spoken import spoken

from methods import encoding_probe
from methods.core.corpus import bundled
from page.examples import FIRST
from page.export import downloads, snippets
from page.session import from_example
from page.tabs import encoding_probe as tab


@pytest.fixture(scope="module")
def result(tiny_model):
    return encoding_probe.analyse(spoken(10, 8), tiny_model, random_seeds=(0,))


def test_what_is_seen_and_said(result):
    values = tab.fitted(result, {"block": "speaker"})  # one speaker: that block is not there
    assert values == {"block": "phone"} and tab.fitted(result, {"block": "word"}) == {"block": "word"}
    pictures = tab.drawn(result, values)
    assert len(pictures) == 4 and all(picture.startswith("<svg") for picture in pictures)
    assert f"layer 1 {result.r2[1]:.2f}, of it shared {result.shared[1]:.2f}" in pictures[0]
    assert f"layer 1 {result.unique[1, 1]:.3f}" in pictures[1]
    early = replace(result, controls=None, complete=False)
    assert tab.drawn(early, values)[3] == ""
    line = tab.status_line(result, values)
    assert "left out: speaker (one speaker)" in line and f"{result.items} phones" in line


def test_what_is_taken_away(result):
    kept = np.load(io.BytesIO(downloads.npz(result)), allow_pickle=False)
    np.testing.assert_array_equal(kept["unique"], result.unique)
    names = [name for name in kept.files if name.endswith("random_unique")]
    np.testing.assert_array_equal(kept[names[0]], result.controls.random_unique)
    assert len(pd.read_csv(io.BytesIO(downloads.csv(result)))) == len(result.table())
    both = bundled("prompts").joined(bundled("voices"))
    origin = result.provenance | {"corpus": both.name, "corpus_sha256": both.sha256}
    code = snippets.snippet(
        replace(result, provenance=origin), "encoding_probe", from_example(FIRST), {"block": "word"}
    )
    assert 'corpora.bundled("prompts").joined(corpora.bundled("voices"))' in code
    assert "random_seeds=(0,)" in code and "block='word'" in code
    compile(code, "snippet", "exec")
