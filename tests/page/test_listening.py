"""Presses on pictures of corpora are heard: a cell of a map, a point of a cloud, in a browser as a visitor does it."""

import json

import pytest
from conftest import PATIENCE
from playwright.sync_api import expect

PLOTS = {
    "abx": ".sp-heat .sp-box",
    "phone_arithmetic": ".sp-heat .sp-box",
    "projection": "canvas",
    "rsa": ".sp-heat .sp-box",
}
PLAYERS = {name: f"#{'sound' if name == 'phone_arithmetic' else 'heard'}-{name}" for name in PLOTS}


@pytest.mark.parametrize("name", PLOTS)
def test_what_is_pressed_can_be_heard(visit, name):
    page = visit(f"?technique={name}&corpus={'prompts' if name == 'phone_arithmetic' else 'voices'}")
    plot = page.locator(f"#plot-{name} {PLOTS[name]}").locator("visible=true").first
    plot.wait_for(timeout=PATIENCE)
    players = page.locator(PLAYERS[name])
    assert players.inner_text().startswith("Press a ") and not players.locator("audio").count()
    # A map that is drawn anew while its controls come may take the first press with it, as with any visitor.
    for _ in range(30):
        plot.click(position={"x": 0.4 * plot.bounding_box()["width"], "y": 0.5 * plot.bounding_box()["height"]})
        page.wait_for_timeout(1000)
        if players.locator("audio").count():
            break
    sounds = players.locator("audio").count()
    assert sounds >= 1 and page.get_by_text("Our mistake").count() == 0
    assert not players.inner_text().startswith("Press a ")
    if name == "rsa":
        _says_what_a_cell_means(page, page.locator("#view-rsa svg[data-cell]").first)


def _says_what_a_cell_means(page, picture):
    """The cell of the last row and the first column, at the lower left, in the numbers that the picture was given."""
    picture.scroll_into_view_if_needed()
    part = next(part for part in json.loads(picture.get_attribute("data-places")) if "values" in part)
    (left, top, width, height), area = part["box"], picture.bounding_box()
    across, down = left + width / len(part["columns"]) / 2, top + height * (1 - 0.5 / len(part["rows"]))
    page.mouse.move(area["x"] + across * area["width"], area["y"] + down * area["height"])
    sentence, ring = page.locator(".cell-sentence"), page.locator(".cell-ring")
    said = f"Similarities of pairs in layer {part['rows'][-1]} and in layer {part['columns'][0]} correlate by 1.00."
    expect(sentence).to_have_text(said)  # with itself
    assert ring.bounding_box()["width"] == pytest.approx(area["width"] * width / len(part["columns"]), abs=1)  # px
    page.mouse.move(area["x"] + 2, area["y"] + 2)
    expect(sentence).to_be_hidden()
