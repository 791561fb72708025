"""The contract that every technique keeps, whatever it computes."""

import dataclasses
import importlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from methods import TECHNIQUES, __version__
from methods.core.audio import clip_from_samples
from methods.core.frames import Segment
from methods.core.mixing import STACKS
from page.export import downloads

MODULES = {name: importlib.import_module(f"methods.{name}") for name in TECHNIQUES}
# What "a map of words by words with random twins" promises holds for these; the others have contracts of their own.
MAPS = {"attention": "mass", "attention_norm": "norm", "value_zeroing": "distance"}
contract = pytest.mark.parametrize("module", [MODULES[name] for name in MAPS], ids=list(MAPS))
everyone = pytest.mark.parametrize("module", MODULES.values(), ids=list(MODULES))


def run(module, clip, model, segments):
    return module.analyse(clip, model, segments=segments, transcript="ab cd", language="en", random_seeds=(0, 1))


@contract
def test_result_is_frozen_finite_and_made_of_read_only_arrays(module, clip, tiny_model, segments):
    result = run(module, clip, tiny_model, segments)
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, np.ndarray):
            assert np.isfinite(value).all(), field.name
            assert not value.flags.writeable, field.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.labels = ()


@contract
def test_same_input_same_numbers(module, clip, tiny_model, segments):
    first, second = (run(module, clip, tiny_model, segments) for _ in range(2))
    np.testing.assert_array_equal(first.encoder, second.encoder)
    np.testing.assert_array_equal(first.random[1].encoder, second.random[1].encoder)


@contract
def test_no_stack_named_means_all_of_them(module, clip, tiny_model, segments):
    asked = {"segments": segments, "transcript": "ab cd", "language": "en", "random_seeds": ()}
    none, every = (module.analyse(clip, tiny_model, stacks=stacks, **asked) for stacks in ((), STACKS))
    for stack in STACKS:
        np.testing.assert_array_equal(getattr(none, stack), getattr(every, stack))


@contract
def test_plot_draws_the_results_own_numbers_beside_the_control(module, clip, tiny_model, segments):
    result = run(module, clip, tiny_model, segments)
    figure = module.plot(result, layer=2)
    assert isinstance(figure, Figure)
    trained, control = figure.axes[0].collections[0], figure.axes[1].collections[0]
    np.testing.assert_allclose(trained.get_array().reshape(4, 4), result.shares("encoder").squeeze()[1])
    twins = np.mean([twin.shares("encoder")[1] for twin in result.random], axis=0)
    np.testing.assert_allclose(control.get_array().reshape(4, 4), twins)
    assert trained.get_clim() == control.get_clim()
    assert "random weights" in figure.axes[1].get_title()


@contract
def test_table_holds_every_number_once(module, clip, tiny_model, segments):
    result = run(module, clip, tiny_model, segments)
    table = result.table()
    assert isinstance(table, pd.DataFrame)
    assert len(table) == sum(getattr(result, stack).size for stack in ("encoder", "decoder", "cross"))
    value = MAPS[module.__name__.rsplit(".", 1)[-1]]
    np.testing.assert_array_equal(table[value][: result.encoder.size], result.encoder.ravel())
    np.testing.assert_array_equal(table[f"random_1_{value}"][: result.encoder.size], result.random[1].encoder.ravel())


@contract
def test_downloads_carry_their_origin(module, clip, tiny_model, segments):
    result = run(module, clip, tiny_model, segments)
    origin = result.provenance
    assert {"model", "weights_sha256", "clip_sha256", "options", "versions"} <= set(origin)
    assert origin["options"]["random_seeds"] == [0, 1]
    table = pd.read_csv(io.BytesIO(downloads.csv(result)))
    assert table["software"].unique().tolist() == [f"Inside Speech Models {__version__}"]
    assert (
        json.loads(table["provenance"][0]) == json.loads(json.dumps(origin)) and table["provenance"][1:].isna().all()
    )
    assert (table["clip_sha256"] == clip.sha256).all() and table["complete"].all()
    early = dataclasses.replace(result, complete=False)  # as it is shown while its controls are computed
    assert not pd.read_csv(io.BytesIO(downloads.csv(early)))["complete"].any()
    assert downloads.download("csv", "a", early, None)["name"].endswith("-incomplete.csv")
    assert clip.sha256.encode() in downloads.picture("svg", module.plot(result), result)
    assert clip.sha256.encode() in downloads.picture("png", module.plot(result), result)


@contract
def test_shortest_legal_clip(module, tiny_model):
    shortest = clip_from_samples(0.1 * np.random.default_rng(1).normal(size=1600), 16_000)
    cut = (Segment("a", 0.0, 0.05), Segment("b", 0.05, 0.1))
    result = run(module, shortest, tiny_model, cut)
    assert result.encoder.shape[-2:] == (2, 2)


@contract
def test_hostile_labels_reach_the_figure_as_text(module, clip, tiny_model):
    hostile = (Segment("$\\frac{", 0.0, 0.4), Segment("<script>", 0.4, 0.9))
    module.plot(run(module, clip, tiny_model, hostile)).savefig(__import__("io").BytesIO(), format="svg")


@everyone
def test_docstring_is_the_tabs_text(module):
    text = module.__doc__
    assert text.startswith("**") and "?" in text.split("\n\n")[0]
    for part in ("*How to read it.*", "*What it cannot show.*", "*Source.*"):
        assert part in text
