"""What is seen of the clip or the model before is pale, in a browser."""

import pytest
from conftest import PATIENCE
from playwright.sync_api import expect

SEEN = """
window.pale = [];
const look = () => {
  const area = document.querySelector("#view-attention .first-side .shown"), root = document.documentElement;
  if (area && root.classList.contains("listening")) window.pale.push(getComputedStyle(area).opacity);
  requestAnimationFrame(look);
};
look();
"""


@pytest.mark.browser
def test_a_picture_is_pale_from_the_choice_of_another_model_on(visit):
    """While the new model is loaded and listens, what is still seen is of the one before."""
    page = visit("?technique=attention")
    told = page.locator("#status-attention")
    expect(told).to_contain_text("whisper-tiny.en", timeout=PATIENCE)
    expect(page.locator("#stop-attention")).to_be_hidden(timeout=PATIENCE)
    page.evaluate(SEEN)
    model = page.locator("#model input").first
    model.click()
    model.fill("hama-ctc")
    model.press("Enter")
    expect(told).to_contain_text("hama-ctc", timeout=PATIENCE)
    assert min(map(float, page.evaluate("window.pale"))) < 1
    assert not page.evaluate("document.documentElement.classList.contains('listening')")
    expect(page.locator("#view-attention .first-side .shown")).to_have_css("opacity", "1", timeout=PATIENCE)
