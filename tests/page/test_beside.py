"""Two results side by side: what may stand there, one scale for both, the difference, and one file."""

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gradio as gr
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from playwright.sync_api import expect
from plot_demo import TOLD

from methods.core.audio import to_wav
from methods.core.errors import UserError
from methods.core.results import SOFTWARE, read_only
from page.beside import files, partner, scales
from page.beside.figures import on_one_scale, shared_curves, union
from page.beside.layout import ways_to
from page.session import from_example
from page.top.clip_view import sound_of
from page.top.trail import Trail
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

CONTROLS = {
    "layer": gr.Slider(1, 4, value=3, step=1, label="Layer", render=False),
    "show": gr.Radio([("shares", "s"), ("raw", "r")], value="s", label="Show", render=False),
    "prompt": gr.Checkbox(False, label="Prompt", render=False),
    "text": gr.Textbox("", label="Text", render=False),
    "several": gr.Dropdown(["a", "b"], multiselect=True, label="Several", render=False),
}
VALUES = {"layer": 3, "show": "s", "prompt": False, "text": "", "several": []}


def options_of(found):
    return [value for _, value in found if value.split(":")[0] in CONTROLS]


def test_what_may_stand_beside_is_a_model_a_clip_or_one_option():
    found = partner.choices(CONTROLS, over_corpora=False)
    assert found[0] == ("nothing", "")
    assert options_of(found) == [f"layer:{n}" for n in (1, 2, 3, 4)] + [
        "show:s",
        "show:r",
        "prompt:true",
        "prompt:false",
    ]
    names = [value for _, value in found]
    assert {"model:openai/whisper-base", "clip:en_f_question", "clip:before"} <= set(names)
    assert names.index("model:hama-ctc") < names.index("model:openai/whisper-small")  # what is here comes first
    assert not any(value.startswith("clip:") for _, value in partner.choices(CONTROLS, over_corpora=True))
    known = partner.choices(CONTROLS, False, {"layer": gr.Slider(maximum=2, value=2, render=False), "show": gr.skip()})
    assert options_of(known)[:3] == ["layer:1", "layer:2", "show:s"]


def test_one_thing_differs_and_all_else_stays():
    assert partner.changed_values("layer:1", CONTROLS, VALUES) == VALUES | {"layer": 1}
    assert partner.changed_values("show:r", CONTROLS, VALUES) == VALUES | {"show": "r"}
    assert partner.changed_values("prompt:true", CONTROLS, VALUES) == VALUES | {"prompt": True}
    assert partner.changed_values("model:x", CONTROLS, VALUES) == VALUES
    assert partner.changed_model("model:x", "y") == "x" and partner.changed_model("layer:1", "y") == "y"
    here, other = from_example("en_f_weasels"), from_example("en_f_question")
    assert partner.changed_clip("model:x", here, None) is here
    assert partner.changed_clip("clip:en_f_question", here, None).clip is other.clip
    assert partner.changed_clip("clip:before", here, other).clip is other.clip


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: partner.changed_values("layer:3", CONTROLS, VALUES), "“Layer” is what the view has already"),
        (lambda: partner.changed_values("colour:1", CONTROLS, VALUES), "called “colour”"),
        (lambda: partner.changed_model("model:m", "m"), "the same model"),
        (lambda: partner.changed_clip("clip:en_f_weasels", from_example("en_f_weasels"), None), "the same clip"),
        (lambda: partner.changed_clip("clip:before", from_example("en_f_weasels"), None), "no other clip before"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_beside_gets_a_sentence(ask, told):
    with pytest.raises(UserError, match=told):
        ask()


def test_the_clip_before_is_another_sound():
    one, two = from_example("en_f_weasels"), from_example("en_f_question")
    trail = Trail().on_to(one).on_to(one)
    assert trail.before is None
    assert trail.on_to(two).before is one and trail.on_to(two).on_to(two).before is one
    assert trail.on_to(two).on_to(None).on_to(one).before is two


RNG = np.random.default_rng(0)
SHARES, OTHERS = RNG.random((2, 3)), 2 * RNG.random((2, 3))
WORDS = [("a", 0.0, 0.4), ("b", 0.5, 0.7), ("c", 0.7, 1.0)]


def plot(values, names=("x", "y"), **options):
    rows = [
        sound_plot.segments_row(WORDS),
        sound_plot.matrix_row(values, names, WORDS, title="Map", unit="share", **TOLD, **options),
        sound_plot.line_row({"trained": values[0], "other": values[1]}, "curve"),
    ]
    return sound_plot.plot_value(1.0, rows, "said", clip="one")


def test_maps_and_curves_over_time_share_their_scale_and_are_subtracted():
    left, right = scales.plots_on_one_scale(plot(SHARES), plot(OTHERS))
    assert left["rows"][1]["vmax"] == right["rows"][1]["vmax"] == pytest.approx(np.float32(OTHERS.max()))
    both = np.concatenate([SHARES, OTHERS])
    for side in (left, right):  # four digits travel
        assert (side["rows"][2]["vmin"], side["rows"][2]["vmax"]) == pytest.approx((both.min(), both.max()), rel=1e-3)
    words, map_row, line = scales.plot_difference(left, right)["rows"]
    assert [item["label"] for item in words["items"]] == ["a", "b", "c"]
    np.testing.assert_allclose(scales.cells(map_row), SHARES - OTHERS, atol=2**-22)  # of float32 below 2
    most = np.abs(SHARES - OTHERS).max()
    assert (map_row["vmin"], map_row["vmax"]) == pytest.approx((-most, most), abs=2**-22)
    assert map_row["sentence"] == ["left minus right: {value} for *{row}* and *{column}*"]
    assert map_row["title"] == "Left minus right: Map" and map_row["scale"] == "rdbu"
    np.testing.assert_allclose(line["series"][0]["values"], SHARES[0] - OTHERS[0], atol=2e-3)


def test_a_small_difference_looks_small_beside_a_large_one():
    left, right = (sound_plot.plot_value(1.0, [*plot(map_)["rows"][1:2], *plot(other)["rows"][1:2]], "said")
                   for map_, other in ((SHARES, SHARES), (OTHERS, SHARES + 0.001)))  # fmt: skip
    rows = scales.plot_difference(left, right)["rows"][-2:]
    assert rows[0]["vmax"] == rows[1]["vmax"] > 0.5


def test_what_differs_in_kind_is_neither_scaled_nor_subtracted():
    left, right = plot(SHARES), plot(OTHERS, names=("x", "z"), scale="oranges")
    again, other = scales.plots_on_one_scale(left, right)
    assert again["rows"][1] == left["rows"][1] and other["rows"][1] == right["rows"][1]
    assert [row["kind"] for row in scales.plot_difference(left, right)["rows"]] == ["segments", "line"]
    assert scales.plot_difference(left, None) is None
    assert scales.plot_difference({**left, "rows": left["rows"][:2]}, {**left, "rows": left["rows"][:2]}) is None


def test_many_cells_travel_in_steps_and_come_back():
    values = RNG.random((250, 200))
    values[3, 4] = np.nan
    row = sound_plot.grid_row(
        values, [str(n) for n in range(250)], [str(n) for n in range(200)], title="Large", **TOLD
    )
    assert row["dtype"] == "uint16"
    np.testing.assert_allclose(scales.cells(row), values, atol=0.5 / sound_plot.QUANTA + 1e-6)


def curve(ys, xs=None, label="trained"):
    def draw(ax, ink):
        ax.plot(range(1, len(ys) + 1) if xs is None else xs, ys, label=label, color=ink)
        ax.axhline(0.5, label="chance")
        ax.set(xlabel="layer", ylabel="accuracy")

    return inline_svg(draw, "a curve")


def test_pictures_are_drawn_again_on_the_limits_of_both():
    seen = []

    def drawn(ys):
        def draw():
            seen.append(ys)
            return [curve(ys)]

        return draw

    one, other, differences = scales.pair(drawn([0.2, 0.4]), drawn([0.1, 0.9]))
    assert len(seen) == 4
    ticks = [[text.text for text in ElementTree.fromstring(svg[0]).iter() if text.text and text.text.startswith("0.")]
             for svg in (one, other)]  # fmt: skip
    assert ticks[0] == ticks[1] != []
    assert len(differences) == 1 and 'aria-label="Left minus right: trained"' in differences[0]


def figure_of(draw):
    figure = Figure()
    draw(figure.subplots())
    return figure


def test_limits_and_colours_hold_both_sides():
    assert union((0, 1), (0.5, 2)) == (0, 2) and union((3, 0), (0, 5)) == (5, 0)
    left = figure_of(lambda ax: ax.set(xlim=(1, 4), ylim=(0, 1), xlabel="layer", ylabel="r of layer 3"))
    right = figure_of(lambda ax: ax.set(xlim=(1, 6), ylim=(-1, 0.5), xlabel="layer", ylabel="r of layer 12"))
    assert on_one_scale(left, right)
    assert left.axes[0].get_xlim() == right.axes[0].get_xlim() == (1, 6)
    assert left.axes[0].get_ylim() == right.axes[0].get_ylim() == (-1, 1)
    maps = [figure_of(lambda ax, top=top: ax.imshow(SHARES, vmin=0, vmax=top)) for top in (1, 3)]
    shapes = maps[0].axes[0].get_xlim()
    assert on_one_scale(*maps)
    assert [each.axes[0].images[0].get_clim() for each in maps] == [(0, 3), (0, 3)]
    assert maps[0].axes[0].get_xlim() == shapes
    assert not on_one_scale(left, Figure())


def test_curves_are_subtracted_by_name_where_their_places_are_the_same():
    def axes(ys, xs, label):
        figure = figure_of(lambda ax: (ax.plot(xs, ys, label=label), ax.axhline(1, label="chance"), ax.plot([9], [9])))
        return figure.axes[0]

    left = axes([3.0, 5.0], [1, 2], "trained")
    (found,) = shared_curves(left, axes([1.0, 1.5], [1, 2], "trained"))
    assert found.name == "trained"
    np.testing.assert_array_equal(found.values, [2.0, 3.5])
    assert shared_curves(left, axes([1.0, 1.5], [1, 3], "trained")) == []
    assert shared_curves(left, axes([1.0, 1.5], [1, 2], "random")) == []
    assert shared_curves(left, left) == []  # no difference is no picture


@dataclass(frozen=True, eq=False)
class Result:
    shares: np.ndarray
    provenance: dict[str, Any]
    complete: bool = True

    def table(self):
        return pd.DataFrame({"value": self.shares})


def result(seed, model):
    versions = {SOFTWARE: "1.0"}
    origin = {"model": model, "clip": "weasels", "clip_sha256": "0", "options": {"seed": seed}, "versions": versions}
    return Result(read_only(np.random.default_rng(seed).random(3)), origin)


def test_one_file_holds_both_sides():
    results = result(0, "tiny"), result(1, "base")
    figures = tuple(figure_of(lambda ax, top=top: ax.set(ylim=(0, top), ylabel="v")) for top in (1, 2))
    figures[1].set_size_inches(3, 2)
    pair = files.Pair(results, figures, ("tiny <1>", "base $2"))
    table = pd.read_csv(io.BytesIO(files.pair_csv(pair)))
    assert list(table.side) == ["left"] * 3 + ["right"] * 3 and list(table.model) == ["tiny"] * 3 + ["base"] * 3
    np.testing.assert_allclose(table.value, np.concatenate([each.shares for each in results]))
    with np.load(io.BytesIO(files.pair_npz(pair)), allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["right_shares"], results[1].shares)
        assert json.loads(str(kept["left_provenance"]))["model"] == "tiny"
    message = files.pair_download("png", "attention", pair)
    assert message["name"] == "attention-weasels-tiny-beside-attention-weasels-base.png"
    assert figures[0].axes[0].get_ylim() == figures[1].axes[0].get_ylim() == (0, 2)
    picture = imread(io.BytesIO(files.pair_png(pair)))
    assert picture.shape[:2] == (round(4.8 * 200) + 22 * 200 // 72, round(6.4 * 200) + 20 * 200 // 72 + 3 * 200)
    drawing = ElementTree.fromstring(files.pair_svg(pair))
    space = "{http://www.w3.org/2000/svg}"
    inner = drawing.findall(f"{space}svg")
    assert [text.text for text in drawing.findall(f"{space}text")] == ["left: tiny <1>", "right: base $2"]
    assert len(inner) == 2 and float(inner[1].get("x")) == pytest.approx(6.4 * 72 + 20)
    assert json.loads(drawing.find(f"{space}desc").text)["right"]["model"] == "base"


PATIENCE = 60_000  # ms


@pytest.mark.browser
def test_a_link_sets_another_layer_beside_and_its_files_hold_both(visit):
    page = visit("?technique=attention&clip=en_f_weasels&layer=3&beside=layer:1")
    told = page.locator("#beside-told-attention")
    expect(told).to_contain_text("Beside it Layer: 1 (left: Layer: 3)", timeout=PATIENCE)
    expect(page.locator("#stop-attention")).to_be_hidden(timeout=PATIENCE)
    tops = [page.locator(f"#plot-attention{side} .sp-legend span:nth-of-type(2)").first for side in ("", "-beside")]
    assert tops[0].inner_text() == tops[1].inner_text()
    # The side's bar of progress takes its room until the browser has heard that the run is over.
    page.locator("#beside-progress-attention .progress-level").wait_for(state="detached", timeout=PATIENCE)
    places = [page.locator(f"#plot-attention{side}").bounding_box() for side in ("", "-beside")]
    assert places[0]["x"] + places[0]["width"] < places[1]["x"] and abs(places[0]["y"] - places[1]["y"]) < 2
    expect(page.locator("#minus-attention .sp-title").first).to_contain_text("layer 3: Encoder self-attention")
    with page.expect_download() as saved:
        page.locator("#csv-attention").click()
    assert "side" not in pd.read_csv(saved.value.path())  # two views of one result
    page.locator("#view-attention .partner input").click()  # a second choice: the list is long, the screen low
    page.get_by_role("option", name="Layer: 2", exact=True).click()
    expect(told).to_contain_text("Beside it Layer: 2", timeout=PATIENCE)
    page.set_viewport_size({"width": 390, "height": 844})
    below = page.locator("#plot-attention-beside").bounding_box()
    assert below["y"] > page.locator("#plot-attention").bounding_box()["y"] + 100
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    _leads_to_both_sides(page)
    page.locator("#view-attention .partner input").fill("nothing")
    page.keyboard.press("Enter")
    expect(told).to_be_hidden(timeout=PATIENCE)
    assert "beside" not in page.url


def _leads_to_both_sides(page):
    """On a phone the sides are screens apart: buttons above the first picture lead to each of them."""
    ways = page.locator("#ways-attention button")
    assert ways.all_inner_texts() == ["left: Layer: 3", "right: Layer: 2", "left minus right"]
    assert ways.first.bounding_box()["y"] < page.locator("#plot-attention").bounding_box()["y"]
    assert min(way.bounding_box()["height"] for way in ways.all()) >= 24  # px
    for place, way in (("#beside-attention", 1), ("#view-attention .first-side", 0), ("#view-attention .minus", 2)):
        ways.nth(way).focus()
        page.keyboard.press("Enter")
        page.wait_for_function(
            "place => { const { top } = document.querySelector(place).getBoundingClientRect();"
            " return (top >= 0 && top < innerHeight / 2) || scrollY + innerHeight > document.body.scrollHeight - 2; }",
            arg=place,
        )
        expect(page.locator(place)).to_be_focused()


def test_no_way_leads_to_a_difference_that_is_not_there():
    names = ("openai/whisper-tiny.en", "<b>")
    with_it, without = (ways_to("attention", names, difference=there) for there in (True, False))
    assert with_it.count("<button") == 3 and "left minus right" in with_it and "minus" not in without
    assert "left: whisper-tiny.en" in without and "&lt;b&gt;" in without


@pytest.mark.browser
def test_each_side_plays_its_own_clip(visit):
    page = visit("?technique=attention&clip=en_f_weasels&beside=clip:en_f_question")
    expect(page.locator("#beside-told-attention")).to_contain_text("Beside it en_f_question", timeout=PATIENCE)
    assert "beside=clip%3Aen_f_question" in page.url
    page.locator("#plot-attention-beside .sp-word", has_text="folder").first.click()
    shorter = "() => Math.abs(window.speechPlayer.audio.duration - 2.87) < 0.02"
    page.wait_for_function(shorter, timeout=PATIENCE)
    with page.expect_download() as saved:
        page.locator("#csv-attention").click()
    assert set(pd.read_csv(saved.value.path()).side) == {"left", "right"}
    assert page.locator("#plot-attention .sp-note").inner_text() == ""
    page.locator("#plot-attention .sp-word", has_text="phone").first.click()
    page.wait_for_function("() => Math.abs(window.speechPlayer.audio.duration - 2.95) < 0.02", timeout=PATIENCE)


def test_a_sound_that_a_browser_reads_is_never_written_into(tmp_path):
    clip, component = from_example("en_f_weasels").clip, SoundPlot(render=False)
    component.GRADIO_CACHE = str(tmp_path)
    path = sound_of(clip, component)["path"]
    with open(path, "rb") as reading:
        before = reading.read(100)
        assert sound_of(clip, component)["path"] == path
        assert os.fstat(reading.fileno()).st_nlink == 0  # what is read lives on, whole, under no name
        assert before + reading.read() == to_wav(clip) == Path(path).read_bytes()
    assert [file.name for file in tmp_path.rglob("*.*")] == ["clip.wav"]
