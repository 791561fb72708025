"""Why there is no microphone: Gradio says “No microphone found” of every cause, so the page says which it is."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

PATIENCE = 60_000  # ms; a loaded machine may take that long, an idle one takes a second
LATER = 1000  # ms; the list of devices is looked at 300 ms after a press, and knows less than who asked for one
NO_DEVICES = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"  # as at http:// of another machine


@pytest.fixture
def recorder(address):
    """The recorder on a page whose browser was started with these switches, its Record button at hand."""
    with sync_playwright() as playwright:
        browsers = []

        def opened(*switches, script=""):
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", *switches]
            )
            browsers.append(browser)
            page = browser.new_page()
            page.add_init_script(script)
            page.goto(address)
            page.locator("#heard").get_by_text("The model hears").wait_for(timeout=PATIENCE)
            page.get_by_text("Or use your own").click()
            page.locator("#own").get_by_label("Record audio").click()
            return page

        yield opened
        for browser in browsers:
            browser.close()


@pytest.mark.browser
def test_a_refused_microphone_is_said_to_be_refused(recorder):
    page = recorder("--use-fake-device-for-media-stream")  # there is one, and nobody to allow it
    told = page.locator("#microphone")
    expect(told).to_contain_text("None is allowed yet: press Record", timeout=PATIENCE)
    page.locator("#own .record-button").click()
    expect(told).to_contain_text("does not let this page use the microphone. Allow the microphone", timeout=PATIENCE)
    expect(told).to_have_attribute("role", "status")
    page.wait_for_timeout(LATER)
    expect(told).to_contain_text("does not let this page")


@pytest.mark.browser
def test_no_microphone_is_said_to_be_none(recorder):
    page = recorder("--use-fake-ui-for-media-stream")  # whatever is asked for is allowed
    page.locator("#own .record-button").click()
    told = page.locator("#microphone")
    expect(told).to_contain_text("finds no microphone on this device", timeout=PATIENCE)
    page.wait_for_timeout(LATER)
    expect(told).to_contain_text("finds no microphone")


@pytest.mark.browser
def test_an_address_without_microphones_is_said_to_be_one(recorder):
    page = recorder(script=NO_DEVICES)
    expect(page.locator("#microphone")).to_contain_text("only to pages at https:// or at localhost", timeout=PATIENCE)
