"""The page as a visitor meets it: every test fails on a console error or on a request to another host."""

import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import expect
from visitor import follow

from methods import TECHNIQUES, technique
from page.recipe import over_corpora

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
WEASELS = ROOT / "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
PATIENCE = 60_000  # ms; a loaded machine may take that long, an idle one takes a second


def map_of(page, technique):
    """The first map of a technique, once it is drawn."""
    heat = page.locator(f"#plot-{technique} .sp-heat canvas").first
    heat.wait_for(timeout=PATIENCE)
    return heat


def finished(page, technique):
    """Wait for the random-weights control, which comes last."""
    page.locator(f"#plot-{technique}").get_by_text("random weights, mean of 3 seeds").wait_for(timeout=PATIENCE)
    expect(page.locator(f"#run-{technique}")).to_be_enabled(timeout=PATIENCE)


def test_first_visit_shows_the_clip_and_what_the_model_hears(visit):
    begun = time.perf_counter()
    page = visit()
    print(f"first visit until the transcript is there: {time.perf_counter() - begun:.1f} s")
    expect(page.locator("#heard")).to_contain_text("have eaten our phone system")
    expect(page.locator("#clip-plot .sp-word").first).to_contain_text("weasels")
    word = page.locator("#said .sure-word").first
    expect(word).to_have_attribute("data-tip", re.compile(r"Weasles: probability 19%.*evidence", re.DOTALL))
    word.hover()
    assert "probability" in word.evaluate("element => getComputedStyle(element, '::after').content")
    page.locator("#find").fill("word really depend")
    expect(page.locator("#contents a:visible")).to_have_text(["Value zeroing"])  # by its question
    page.locator("#find").fill("nonsense")
    expect(page.locator("#contents .toc-none")).to_be_visible()
    page.locator("#find").fill("")
    expect(page).not_to_have_url(re.compile("technique="))
    begun = time.perf_counter()
    follow(page, "value_zeroing")
    map_of(page, "value_zeroing")
    print(f"from opening the tab to its first map: {time.perf_counter() - begun:.1f} s")
    expect(page).to_have_url(re.compile("technique=value_zeroing"))


def test_the_page_says_that_it_is_in_english_to_a_french_browser(context, address):
    french = context.browser.new_context(locale="fr-FR")
    page = french.new_page()
    page.goto(address)
    page.locator("#heard").get_by_text("The model hears").wait_for(timeout=PATIENCE)
    assert page.locator("html").get_attribute("lang") == "en"
    french.close()


def test_another_example_runs_the_open_technique_again(visit):
    page = visit("?technique=value_zeroing")
    finished(page, "value_zeroing")
    page.locator("#example input").click()
    page.get_by_role("option", name="Message saved (statement)").click()
    expect(page.locator("#heard")).to_contain_text("Your message has been saved", timeout=PATIENCE)
    expect(page.locator("#plot-value_zeroing .sp-gutter").get_by_text("message").first).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("clip=en_f_statement"))


def test_a_clip_that_comes_just_after_a_run_has_begun_is_the_one_that_is_shown(visit):
    """Pressed twice within 400 ms Run counted as once, and the answer to the older question stayed, as if complete."""
    page = visit()
    page.evaluate("""() => { const press = window.ism.press.bind(window.ism); let first = true;
        window.ism.press = (id, ...rest) => { press(id, ...rest);
            if (first && id === 'run-value_zeroing' && window.ism.pressed[id]) {
                first = false; window.before = window.ism.key; window.ism.listened('another clip'); } }; }""")
    follow(page, "value_zeroing")
    page.wait_for_function("window.ism.begun.value_zeroing === 'another clip'", timeout=PATIENCE)
    page.wait_for_function("window.ism.shown.value_zeroing === 'another clip'", timeout=PATIENCE)
    assert page.evaluate("window.before").isalnum()


def test_click_on_a_word_plays_it_and_stops(visit):
    page = visit()
    word = page.locator("#clip-plot .sp-word", has_text="eaten")
    word.click()
    page.wait_for_function("window.speechPlayer.audio.currentTime > 1.2", timeout=5000)
    page.wait_for_timeout(1200)
    paused, at = page.evaluate("[window.speechPlayer.audio.paused, window.speechPlayer.audio.currentTime]")
    assert paused
    assert 1.5 < at < 1.75  # "eaten" lasts from 1.23 to 1.56 s; the stop comes within a few frames of the screen


def test_a_link_opens_the_same_view(visit, address):
    page = visit("?technique=attention&clip=fr_f_vos_messages&model=openai/whisper-base&stack=cross&layer=5&head=3")
    finished(page, "attention")
    expect(page.locator("#contents [aria-current]")).to_have_text("Attention")
    expect(page.locator("#plot-attention")).to_contain_text("layer 5: Cross-attention, text to sound, head 3")
    expect(page.locator("#heard")).to_contain_text("messages")
    page.locator("#link-attention").click()
    expect(page.locator("#copied-attention")).to_contain_text("Link copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert {"technique=attention", "clip=fr_f_vos_messages", "stack=cross", "layer=5", "head=3"} <= set(
        copied.split("?")[1].split("&")
    )


def test_the_first_stop_of_the_tab_key_leads_to_the_result(visit):
    page = visit("?technique=attention&layer=2")
    map_of(page, "attention")
    skip = page.locator("#skip")
    assert skip.bounding_box()["x"] < -100  # not seen until it is wanted
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["x"] >= 0 and skip.bounding_box()["height"] >= 40
    page.keyboard.press("Enter")
    expect(page.locator("#status-attention")).to_be_focused()
    assert 0 <= page.locator("#status-attention").bounding_box()["y"] < 450
    assert "technique=attention" in page.url and "#" not in page.url


def test_a_link_with_unknown_values_says_so_and_works(visit):
    page = visit("?technique=nonsense&layer=x&clip=../../etc/passwd")
    expect(page.locator(".toast-body")).to_contain_text("This link asks for something that is not here")
    expect(page.locator("#heard")).to_contain_text("phone system")


def test_a_tab_names_an_option_of_the_link_that_it_cannot_take(visit):
    page = visit("?technique=attention&stack=encoder&layer=x")
    expect(page.locator(".toast-body")).to_contain_text("This link asks for something that is not here (x)")
    finished(page, "attention")
    assert "layer=x" not in page.url and "stack=encoder" in page.url


def test_own_recording_by_upload(visit, tmp_path):
    page = visit("?technique=value_zeroing")
    own = tmp_path / "mine.wav"
    own.write_bytes((ROOT / "examples_audio/public-domain/en_m_illdisposed.wav").read_bytes())
    page.get_by_text("Or use your own").click()
    page.locator("#own input[type=file]").set_input_files(own)
    expect(page.locator("#heard")).to_contain_text("young man", timeout=PATIENCE)
    expect(page.locator("#heard")).to_contain_text("94% within 0.1 s")
    expect(page.locator("#plot-value_zeroing .sp-gutter").get_by_text("young").first).to_be_visible(timeout=PATIENCE)
    assert "clip=" not in page.url  # a visitor's recording is never part of a link
    page.locator("#link-value_zeroing").click()
    expect(page.locator("#copied-value_zeroing")).to_contain_text("No link can hold your recording")
    assert page.locator("#own button[aria-label*=hare], #own button[title*=hare]").count() == 0


def test_corrupt_upload_is_a_sentence_and_loses_nothing(visit, tmp_path):
    page = visit()
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF this is no sound at all" * 20)
    page.get_by_text("Or use your own").click()
    page.locator("#own input[type=file]").set_input_files(broken)
    expect(page.locator(".toast-body")).to_contain_text("broken", timeout=PATIENCE)
    expect(page.locator("#heard")).to_contain_text("phone system")


def test_view_controls_redraw_and_write_the_address(visit):
    page = visit("?technique=attention&layer=2")
    finished(page, "attention")
    page.get_by_label("Decoder self-attention").locator("visible=true").check()
    expect(page.locator("#plot-attention")).to_contain_text("Decoder self-attention")
    expect(page).to_have_url(re.compile("stack=decoder"))
    page.get_by_label("Encoder self-attention").locator("visible=true").check()
    page.get_by_label("single frames, this layer").locator("visible=true").check()
    expect(page.locator("#plot-attention .sp-gutter").get_by_text("0.00 s").first).to_be_attached(timeout=PATIENCE)


def test_downloads_hold_the_numbers_and_the_snippet_makes_them_again(visit):
    page = visit("?technique=value_zeroing")
    finished(page, "value_zeroing")
    files = {}
    for kind in ("csv", "npz", "svg", "png"):
        with page.expect_download() as saved:
            page.locator(f"#{kind}-value_zeroing").click()
        files[kind] = Path(saved.value.path()).read_bytes()
        assert saved.value.suggested_filename == f"value_zeroing-en_f_weasels-whisper_tiny_en.{kind}"
    arrays = np.load(io.BytesIO(files["npz"]), allow_pickle=False)
    origin = json.loads(str(arrays["provenance"]))
    assert origin["model"] == "openai/whisper-tiny.en"
    table = pd.read_csv(io.BytesIO(files["csv"]))
    encoder = table[(table.attention == "encoder") & (table.layer == 3)]["distance"].to_numpy().reshape(6, 6)
    np.testing.assert_allclose(encoder, arrays["encoder"][2], rtol=1e-12)
    assert b"<svg" in files["svg"] and files["png"].startswith(b"\x89PNG")
    page.get_by_text("Python that makes these numbers again").locator("visible=true").click()
    code = page.locator("#snippet-value_zeroing .cm-content").inner_text()
    remade = run_snippet(code)
    np.testing.assert_array_equal(remade.encoder, arrays["encoder"])
    np.testing.assert_array_equal(remade.random[2].cross, arrays["random_cross"][2])


def test_a_click_on_a_head_opens_it_in_the_picture_the_link_the_snippet_and_the_file(visit):
    page = visit("?technique=head_roles&layer=1&head=1")
    expect(page.locator("#grid-head_roles button").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#stop-head_roles")).to_be_hidden(timeout=PATIENCE)
    page.locator("#grid-head_roles button[data-layer='3'][data-head='2']").click()
    expect(page.locator("#plot-head_roles")).to_contain_text("Layer 3, head 2", timeout=PATIENCE)
    expect(page).to_have_url(re.compile("layer=3&head=2"))
    page.get_by_text("Python that makes these numbers again").locator("visible=true").click()
    assert "layer=3, head=2" in page.locator("#snippet-head_roles .cm-content").inner_text()
    with page.expect_download() as caught:
        page.locator("#npz-head_roles").click()
    assert np.load(caught.value.path())["opened"].tolist() == [3, 2]


def run_snippet(code):
    """What the page prints, run here; its files are not wanted."""
    kept = "\n".join(line for line in code.splitlines() if ".to_csv(" not in line and ".savefig(" not in line)
    names = {}
    exec(kept, names)
    return names["result"]


def test_corrected_transcript_is_aligned_and_read_by_the_decoder(visit):
    page = visit("?technique=value_zeroing&stack=decoder")
    page.get_by_text("Correct the transcript").click()
    page.locator("#text textarea").fill("Weasels have beaten our phone system")
    page.locator("#align").click()
    expect(page.locator("#heard")).to_contain_text("reads your text", timeout=PATIENCE)
    expect(page.locator("#clip-plot .sp-word").get_by_text("beaten")).to_be_visible()
    expect(page.locator("#plot-value_zeroing .sp-gutter").get_by_text("beaten").first).to_be_visible(timeout=PATIENCE)


QUICKER = {"erasure": "the clip alone (quicker, not its usual input)"}  # 55 recordings of 3 s, not of 30 s
WALKS = [list(TECHNIQUES)[start::4] for start in range(4)]  # each has some of every group


@pytest.mark.parametrize("names", WALKS, ids=[names[0] for names in WALKS])
def test_every_view_on_a_phone(visit, names):
    """Each technique runs on the first example, needs no sideways scrolling, and prints a snippet that is Python.

    One page for several, as a visitor would walk through them: loading it is most of the time.
    """
    page = visit(f"?technique={names[0]}", width=390)
    for name in names:
        follow(page, name)
        expect(page.locator("#drawer")).to_have_attribute("aria-expanded", "false")
        if name != names[0] and over_corpora(technique(name)):  # a link is a wish, opening a tab is none
            status = page.locator(f"#status-{name}")
            expect(status).to_contain_text(re.compile("Press “Run”|openai/whisper"), timeout=PATIENCE)
            if "Press “Run”" in status.inner_text():  # else its answer was ready
                if name in QUICKER:  # choosing it is asking
                    page.locator(f"#view-{name}").get_by_role("button", name="More options").click()
                    page.locator(f"#view-{name}").get_by_label(QUICKER[name]).check()
                else:
                    page.locator(f"#run-{name}").click()
        _works_on_a_phone(page, name)


def _works_on_a_phone(page, name):
    begun = time.perf_counter()
    # Twice the patience: the run of the tab before makes way only between its steps.
    expect(page.locator(f"#status-{name}")).to_contain_text("openai/whisper-tiny.en", timeout=2 * PATIENCE)
    print(f"{name}: first picture after {time.perf_counter() - begun:.1f} s")
    page.evaluate("name => window.ism.stop(name)", name)  # as leaving the tab does: controls are other tests' matter
    assert page.locator(".toast-body").all_inner_texts() == [], name
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    page.get_by_text("Python that makes these numbers again").locator("visible=true").click()
    lines = page.locator(f"#snippet-{name} .cm-content")
    expect(lines).to_contain_text("analyse(", timeout=PATIENCE)
    compile(lines.inner_text(), "snippet", "exec")


def test_endpoints_are_named_and_answer(address):
    client = Client(address, verbose=False)
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {"/words", "/attention", "/value_zeroing", "/attention_norm", "/context_mixing"} <= set(named)
    labels = [parameter["label"] for parameter in named["/causal_tracing"]["parameters"]]
    assert labels[-1] == "another recording, of the same length" and len(labels) == 5
    heard = client.predict(handle_file(str(WEASELS)), "openai/whisper-tiny.en", "", api_name="/words")
    assert heard["text"] == "Weasles have eaten our phone system."
    assert [each["word"] for each in heard["confidence"]] == ["Weasles", "have", "eaten", "our", "phone", "system"]
    answer = client.predict(handle_file(str(WEASELS)), "openai/whisper-tiny.en", "", api_name="/value_zeroing")
    assert set(answer["table"]["attention"]) == {"encoder", "decoder", "cross"}
    with pytest.raises(AppError, match="clip"):
        client.predict(None, "openai/whisper-tiny.en", "", api_name="/words")


def test_own_recording_by_microphone(visit):
    """Chromium's fake microphone plays the weasels from a file."""
    page = visit()
    page.get_by_text("Or use your own").click()
    page.locator("#own").get_by_label("Record audio").click()
    page.locator("#own .record-button").click()
    page.wait_for_timeout(3500)
    page.locator("#own .stop-button").click()
    expect(page.locator("#why")).to_contain_text("Your own recording", timeout=PATIENCE)
    expect(page.locator("#heard")).to_contain_text(re.compile("phone|system|eaten"), timeout=PATIENCE)
    assert "clip=" not in page.url


def test_stop_frees_the_run_button(visit):
    page = visit("?technique=spectrogram_occlusion&clip=en_f_statement")  # two minutes, which nothing has cached
    page.locator("#stop-spectrogram_occlusion").click(timeout=PATIENCE)
    expect(page.locator("#run-spectrogram_occlusion")).to_be_enabled(timeout=PATIENCE)
    expect(page.locator("#stop-spectrogram_occlusion")).to_be_hidden()
    status = page.locator("#status-spectrogram_occlusion")
    expect(status).to_contain_text(re.compile("Stopped before there was anything|was stopped"), timeout=PATIENCE)


def test_the_offline_ctc_model_in_both_tabs(visit):
    page = visit("?technique=attention&model=hama-ctc&units=phones")
    finished(page, "attention")
    expect(page.locator("#heard")).to_contain_text("w i z")
    expect(page.get_by_label("Decoder self-attention").locator("visible=true")).to_have_count(0)
    follow(page, "value_zeroing")
    finished(page, "value_zeroing")


def test_boundaries_are_listed_used_and_exported(visit):
    page = visit("?technique=value_zeroing")
    finished(page, "value_zeroing")
    page.get_by_text("Correct the transcript").click()
    with page.expect_download() as saved:
        page.locator("#export").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert saved.value.suggested_filename == "en_f_weasels.TextGrid" and '"weasels"' in text
    expect(page.locator("#times [role=gridcell]", has_text="system").first).to_be_visible()
    page.locator("#apply").click()
    expect(page.locator("#heard")).to_contain_text("edited by you", timeout=PATIENCE)
