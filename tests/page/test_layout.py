"""Where things are: the picture is what one sees, the contents are at hand, and a view is an entry of the history."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from visitor import follow

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # ms
WEASELS = Path(__file__).parents[2] / "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
DESK, PHONE = (1280, 800), (390, 844)
LETTERS = """picture => Math.min(...[...picture.querySelectorAll("text")].map((text) => {
    const { b, d } = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(b, d);
}))"""  # px, the smallest
HIGHEST = 420  # px down, where a picture begins on a desk


def box(page, selector):
    """Where something is on the screen: top and bottom, px."""
    place = page.locator(selector).first.bounding_box()
    return place["y"], place["y"] + place["height"]


def test_a_link_shows_its_picture_at_once_on_a_desk_and_on_a_phone(visit):
    page = visit("?technique=value_zeroing", *DESK)
    page.locator("#plot-value_zeroing .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    assert box(page, "#plot-value_zeroing")[0] <= HIGHEST
    assert box(page, "#plot-value_zeroing .sp-heat canvas")[1] <= DESK[1]  # all of the map
    assert box(page, "#run-value_zeroing")[1] <= DESK[1]
    expect(page.locator("#clip-plot .sp-image")).to_be_hidden()
    page.get_by_role("button", name="More of the clip").click()
    expect(page.locator("#clip-plot .sp-image")).to_be_visible()
    page.get_by_role("button", name="More of the clip").click()
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    expect(page.locator("#drawer")).to_be_visible()
    assert box(page, "#plot-value_zeroing")[0] < PHONE[1]
    page.locator("#view-value_zeroing .options").evaluate("element => element.scrollIntoView()")
    slider = page.locator("#view-value_zeroing input[type=range]").bounding_box()
    assert slider["y"] >= 0 and box(page, "#plot-value_zeroing .sp-heat canvas")[1] <= PHONE[1]
    expect(page.get_by_label("raw values")).to_be_hidden()
    page.locator("#view-value_zeroing").get_by_role("button", name="More options").click()
    expect(page.get_by_label("raw values")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert page.locator("#curve-value_zeroing svg.curve").evaluate(LETTERS) >= 10
    page.set_viewport_size({"width": PHONE[0], "height": 450})  # the keyboard is there
    page.locator("#drawer").click()
    page.locator("#find").fill("erasure")  # what links call “Erase and look”
    expect(page.locator('#contents [data-view="erasure"]')).to_be_in_viewport()
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": PHONE[0] // 2, "height": 422})  # at 200 %
    for part in ("#drawer", "#plot-value_zeroing .sp-zoom"):
        place = page.locator(part).bounding_box()
        assert place["x"] + place["width"] <= PHONE[0] // 2
        assert page.locator(part).evaluate("part => part.scrollHeight <= part.clientHeight + 1")


def test_the_longest_status_and_a_lesson_leave_the_picture_high(visit):
    page = visit("?technique=cka&lesson=9", *DESK)
    expect(page.locator("#status-cka")).to_contain_text("openai/whisper-tiny.en", timeout=PATIENCE)
    assert box(page, "#view-cka .shown")[0] <= HIGHEST
    expect(page.locator("#view-cka .question h3")).to_be_hidden()  # the lesson asks its own
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert box(page, "#view-cka .shown")[0] < PHONE[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_pairs_pictures_are_as_high_and_its_options_a_press_away(visit):
    page = visit("?technique=cka&beside=estimator:biased", *DESK)  # the longest status
    expect(page.locator("#beside-told-cka")).to_contain_text("Beside it", timeout=PATIENCE)
    expect(page.locator("#stop-cka")).to_be_hidden(timeout=PATIENCE)
    expect(page.locator("#view-cka .sides").get_by_role("button", name="How this was made")).to_be_visible(
        timeout=PATIENCE
    )
    # While either side is being computed, its bar of progress stands above its picture; in the end there is none.
    page.wait_for_function(
        """most => {
        const top = (place) => document.querySelector(`#view-cka ${place} svg.curve`)?.getBoundingClientRect().top;
        return Math.abs(top('.beside') - top('.first-side')) <= 8 && top('.beside') <= most; }""",
        arg=HIGHEST + 20,  # its heading
        timeout=PATIENCE,
    )
    assert box(page, "#view-cka .first-side .shown")[0] <= HIGHEST
    estimator = page.locator("#view-cka").get_by_label("biased, with its floor")
    expect(estimator).to_be_hidden()
    page.locator("#view-cka .options").get_by_role("button", name="More options").click()
    expect(estimator).to_be_visible()
    page.locator("#view-cka .options").get_by_role("button", name="More options").click()
    low = page.locator("#beside-told-cka p").bounding_box()["height"]
    page.get_by_role("button", name="How this was made").click()
    page.wait_for_function(  # of both sides
        "low => document.querySelector('#beside-told-cka p').getBoundingClientRect().height > low + 10",
        arg=low,
        timeout=PATIENCE,
    )


def test_back_and_forward_walk_through_the_views(visit):
    page = visit("?technique=attention&layer=2")
    page.locator("#plot-attention .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    expect(page).to_have_title("Attention · Inside Speech Models")
    follow(page, "value_zeroing")
    page.locator("#plot-value_zeroing .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    expect(page.locator("#view-attention")).to_be_hidden()
    page.evaluate("window.stays = true")  # until the page is loaded again
    page.go_back()
    expect(page.locator("#plot-attention")).to_be_visible()
    expect(page.locator("#view-value_zeroing")).to_be_hidden()
    expect(page).to_have_url(re.compile("technique=attention.*layer=2"))
    page.go_forward()
    expect(page.locator("#plot-value_zeroing")).to_be_visible()
    assert page.evaluate("window.stays") is True
    page.locator("#brand").click()
    expect(page.locator("#view-start")).to_be_visible()
    expect(page).not_to_have_url(re.compile("technique="))


@pytest.mark.reloads
def test_back_shows_a_lessons_question_and_note_only_where_they_were(visit):
    page = visit("?lesson=1&note=Look+here")
    expect(page.locator("#lesson-1")).to_be_visible()
    page.evaluate("window.ism.go('cka')")
    expect(page.locator("#lesson-1")).to_be_hidden()
    page.go_back()
    expect(page.locator("#lesson-1")).to_be_visible()
    expect(page.locator("#note")).to_contain_text("Look here")
    page.reload()  # the page does not remember that the view after it had none
    page.locator("#heard").get_by_text("The model hears").wait_for(timeout=PATIENCE)
    page.evaluate("window.history.pushState(null, '', window.location.search.replace(/&?(lesson|note)=[^&]*/g, ''))")
    page.go_back()
    page.go_forward()
    expect(page.locator("#lesson-1")).to_be_hidden()
    expect(page.locator("#note")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("lesson|note"))


def test_back_does_not_lose_a_recording_of_the_visitors(visit):
    page = visit()
    follow(page, "attention")
    page.get_by_role("button", name="Or use your own").click()
    page.locator("#own input[type=file]").set_input_files(WEASELS)
    expect(page.locator("#why")).to_contain_text("Your own recording", timeout=PATIENCE)
    page.wait_for_function("window.ism.mine", timeout=PATIENCE)
    page.go_back()  # to an address that names a clip
    expect(page.locator("#view-start")).to_be_visible()
    page.go_forward()
    expect(page.locator("#view-attention")).to_be_visible()
    expect(page.locator("#why")).to_contain_text("Your own recording")
    expect(page).not_to_have_url(re.compile("clip="))


@pytest.mark.reloads
def test_a_reload_in_the_middle_of_a_run_opens_the_same_view(visit):
    page = visit("?technique=spectrogram_occlusion")
    page.locator("#stop-spectrogram_occlusion").wait_for(timeout=PATIENCE)
    page.reload()
    expect(page.locator("#status-spectrogram_occlusion")).to_contain_text("openai/whisper-tiny.en", timeout=PATIENCE)
    page.evaluate("window.ism.stop('spectrogram_occlusion')")
    expect(page.locator("#run-spectrogram_occlusion")).to_be_enabled(timeout=PATIENCE)


@pytest.mark.reloads
def test_lessons_are_a_path_in_one_browser_tab(visit):
    page = visit()
    page.locator("#view-start").get_by_text("Guess two shares").click()
    expect(page.locator("#lesson-1")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("technique=value_zeroing.*lesson=1"))
    answer = page.locator("#lesson-1").get_by_text("A word listens to itself first")
    expect(answer).to_be_hidden()
    page.locator("#lesson-1 summary").click()
    expect(answer).to_be_visible()
    assert len(page.context.pages) == 1
    page.locator("#lesson-1").get_by_text("Next").click()
    expect(page.locator("#lesson-2")).to_be_visible(timeout=PATIENCE)
    follow(page, "value_zeroing")
    expect(page.locator("#lesson-2")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("lesson="))


@pytest.mark.reloads
def test_a_lecturers_note_is_text_and_a_slide_holds_the_view_alone(visit):
    page = visit("?technique=attention&embed=1&note=%3Cb%3ELook%3C/b%3E%20at%20head%203")
    expect(page.locator("#note")).to_contain_text("<b>Look</b> at head 3", timeout=PATIENCE)
    page.locator("#plot-attention .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    for around in ("#side", "#view-attention .files", ".block.footer"):
        expect(page.locator(around)).to_be_hidden()
    page.goto(page.url.replace("&embed=1", ""))
    page.locator("#view-attention .lecture summary").click(timeout=PATIENCE)
    page.locator("#view-attention .link-note").fill("Compare layer 4")
    expect(page).to_have_url(re.compile("note=Compare\\+layer\\+4"))
    page.locator("#link-attention").click()
    expect(page.locator("#copied-attention")).to_contain_text("note=Compare+layer+4")
    page.locator("#view-attention .embed-copy").click()
    expect(page.locator("#view-attention .lecture output")).to_contain_text("embed=1")
    assert page.evaluate("navigator.clipboard.readText()").startswith("<iframe ")


def test_what_a_run_was_is_three_lines_on_a_phone_and_all_of_it_is_a_press_away(visit):
    page = visit("?technique=abx&corpus=voices", *PHONE)
    status = page.locator("#status-abx")
    expect(status).to_contain_text("silence at the same positions", timeout=PATIENCE)
    expect(page.locator("#stop-abx")).to_be_hidden(timeout=PATIENCE)
    page.locator("#progress-abx .progress-level").wait_for(state="detached", timeout=PATIENCE)
    more = page.locator("#view-abx .all-of-it button")
    expect(more).to_be_visible()
    shut = status.bounding_box()["height"]
    assert box(page, "#view-abx .shown")[0] < 0.8 * PHONE[1]
    more.focus()
    page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    assert status.bounding_box()["height"] > 1.5 * shut
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    expect(more).to_be_hidden()


def test_on_paper_there_is_no_heading_of_what_is_folded(visit):
    page = visit("?technique=value_zeroing&layer=1&lesson=1", *DESK)
    page.locator("#plot-value_zeroing .sp-heat canvas").first.wait_for(timeout=PATIENCE)
    page.emulate_media(media="print")
    headings = page.locator("summary:visible, button.label-wrap:visible, .lecture-box:visible, #licences:visible")
    assert headings.all_inner_texts() == []
    expect(page.locator("#plot-value_zeroing")).to_be_visible()
    expect(page.locator("#lesson-1 h3")).to_be_visible()
    page.emulate_media(media="screen")
    page.locator("#lesson-1 summary").click()
    page.emulate_media(media="print")
    expect(page.get_by_text("A word listens to itself first")).to_be_visible()  # what is open is printed


def test_what_is_wider_than_its_box_fades_where_it_goes_on(visit):
    page = visit("?technique=abx&corpus=voices", *PHONE)
    table = page.locator("#plot-abx .sp-grid")
    table.locator("canvas").first.wait_for(timeout=PATIENCE)
    faded = "element => parseFloat(getComputedStyle(element).getPropertyValue('--goes-on'))"
    page.wait_for_function("() => document.querySelector('#plot-abx .sp-grid').scrollWidth > 390")
    assert table.evaluate(faded) > 20  # px
    table.evaluate("element => { element.scrollLeft = element.scrollWidth; }")
    page.wait_for_function(f"() => ({faded})(document.querySelector('#plot-abx .sp-grid')) < 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_tiers_say_what_their_colours_mean_and_labels_are_whole(visit):
    page = visit("?technique=phone_check", *PHONE)
    keys = page.locator("#plot-phone_check .sp-tier-key")
    expect(keys.first).to_contain_text("% of native ones fit better", timeout=PATIENCE)
    expect(keys.nth(1)).to_contain_text("nats better")
    page = visit("?technique=two_lenses", *PHONE)
    expect(page.locator("#plot-two_lenses .sp-tier-key")).to_have_text("as in the last layer", timeout=PATIENCE)
    cut = """() => [...document.querySelectorAll('#plot-two_lenses .sp-label')]
        .filter((e) => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)
        .map((e) => e.textContent)"""
    page.locator("#plot-two_lenses .sp-label", has_text="random, words").wait_for(timeout=PATIENCE)
    assert page.evaluate(cut) == []
