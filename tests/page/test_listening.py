"""Presses on pictures of corpora are heard: a cell of a map, a point of a cloud, in a browser as a visitor does it."""

import pytest
from conftest import PATIENCE

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
