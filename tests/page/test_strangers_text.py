"""What a link, a file's name or a label carries is text on the page: no tag, no picture, no call to another host."""

import ast
import io
import re
import shutil
import zipfile
from pathlib import Path

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import expect, sync_playwright
from visitor import follow

from methods.core import models
from methods.core.alignment.textgrid import write_textgrid
from methods.core.audio import Clip, to_wav
from methods.core.errors import UserError
from methods.core.frames import Segment
from page.errors import toast
from page.runs.machine import MACHINE
from page.top.heard_text import plain
from page.widgets.told import Told, without_tags

ROOT = Path(__file__).parents[2]
WEASELS = ROOT / "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
PATIENCE = 60_000  # ms; a loaded machine may take that long, an idle one takes a second
PICTURE = "<img src=//elsewhere.example/{}>"
DRAWN = "![x](//elsewhere.example/{})"  # the same in Markdown


def test_a_sentence_of_a_toast_is_escaped_once():
    def refuse():
        raise UserError("“<b>&amp;</b>” is 3 < 4")

    def in_steps():
        yield 1
        refuse()

    for call in (lambda **how: toast(refuse, **how)(), lambda **how: list(toast(in_steps, **how)())):
        with pytest.raises(gr.Error) as shown:
            call()
        assert shown.value.message == "“&lt;b&gt;&amp;amp;&lt;/b&gt;” is 3 &lt; 4"
        with pytest.raises(gr.Error) as returned:
            call(said=str)
        assert returned.value.message == "“<b>&amp;</b>” is 3 < 4"


def test_markdown_that_is_told_has_no_tags():
    assert Told().postprocess("**a** <img src=x> ![y](z) &lt;i&gt;") == "**a** &lt;img src=x> !&#91;y](z) &lt;i&gt;"
    assert Told().postprocess(None) is None
    with gr.Blocks():
        assert Told(elem_id="a", elem_classes="b").get_config() == gr.Markdown(
            "", elem_id="a", elem_classes="b", latex_delimiters=[]
        ).get_config() | {"name": "told"}
    assert without_tags(plain("<i>")) == r"&lt;i\>"  # already escaped for Markdown: not a second time
    assert without_tags(plain("\\<i>")) == r"\\&lt;i\>"


def test_toasts_are_made_in_one_place():
    makers = ("gr.Error", "gr.Warning", "gr.Info", "gr.Success", "gr.validate")
    for path in sorted((ROOT / "page").rglob("*.py")):
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if _is_call(node)}
        assert path.name == "errors.py" or not calls & set(makers), path


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)


# In a browser


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    contexts, strangers = [], []

    def open_page(query="", **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on(
            "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else strangers.append(r.url)
        )
        page.goto(f"{address}/{query}")
        page.locator("#heard").get_by_text("The model hears").wait_for(timeout=PATIENCE)
        return page

    yield open_page
    pictures = [page.locator("img[src*=elsewhere]").count() for context in contexts for page in context.pages]
    for context in contexts:
        context.close()
    assert (sum(pictures), strangers) == (0, [])


def told(page, *parts):
    """A toast reads like this, letter by letter."""
    for part in parts:
        expect(page.locator("[data-testid=toast-text]").filter(has_text=part).first).to_be_visible(timeout=PATIENCE)


@pytest.mark.browser
def test_of_a_link(visit):
    clip, layer, model = (PICTURE.format(name) for name in ("clip", "layer", "model&amp;"))
    page = visit(f"?clip={clip}&technique=attention&layer={layer}&model={model.replace('&', '%26')}")
    told(page, f"clip={clip}"[:45], "model=<img src=//elsewhere.example/model&amp;>"[:46], layer)


@pytest.mark.browser
def test_of_a_label(visit):
    page = visit("?technique=value_zeroing")
    page.get_by_text("Correct the transcript").click()
    late = write_textgrid({"words": (Segment(PICTURE.format("late"), 0.5, 90.0),)}, 90.0)
    upload = {"name": "a.TextGrid", "mimeType": "text/plain"}
    _give(page, "#textgrid", upload | {"buffer": late.encode()})
    told(page, f"The TextGrid's “{PICTURE.format('late')}” ends at 90 s")
    labels = PICTURE.format("label"), DRAWN.format("label"), "c"
    words = tuple(Segment(label, 0.2 + 0.5 * at, 0.6 + 0.5 * at) for at, label in enumerate(labels))
    good = write_textgrid({"words": words}, 2.0)
    _give(page, "#textgrid", upload | {"buffer": good.encode()})
    expect(page.locator("#heard")).to_contain_text("your TextGrid", timeout=PATIENCE)


@pytest.mark.browser
def test_of_a_label_and_a_transcript_on_plots_and_in_tables(visit):
    """The clip's plot, a map of words, thumbnails and a table of phones, and a text that the decoder reads."""
    page = visit("?technique=value_zeroing")
    page.get_by_text("Correct the transcript").click()
    labels = PICTURE.format("plot"), DRAWN.format("plot"), "c"
    cut = tuple(Segment(label, 0.2 + 0.5 * at, 0.6 + 0.5 * at) for at, label in enumerate(labels))
    grid = write_textgrid({"words": cut, "phones": cut}, 2.9)
    _give(page, "#textgrid", {"name": "a.TextGrid", "mimeType": "text/plain", "buffer": grid.encode()})
    for plot in ("#clip-plot", "#plot-value_zeroing"):
        for label in labels:
            expect(page.locator(f"{plot} .sp-word").get_by_text(label).first).to_be_attached(timeout=PATIENCE)
    follow(page, "head_roles")
    expect(page.locator("#plot-head_roles")).to_contain_text(labels[0], timeout=PATIENCE)
    page.locator("#text textarea").fill(f"we {PICTURE.format('said')} {DRAWN.format('said')}")
    page.locator("#align").click()
    page.locator("#align-now").click()
    said = page.locator("#heard, [data-testid=toast-text]").filter(has_text="elsewhere.example/said")
    expect(said.first).to_be_visible(timeout=PATIENCE)


@pytest.mark.browser
def test_of_a_models_name_and_its_own_labels(visit, monkeypatch):
    """A folder that a visitor typed, and the classes that a model names in its configuration."""
    page = visit()
    classes = {PICTURE.format("head"): {PICTURE.format("class"): 0.9, DRAWN.format("class"): 0.1}}
    monkeypatch.setattr(models, "class_probabilities", lambda clip, model: classes)
    MACHINE.store.clear()  # what another test has heard in this clip would be shown
    page.locator("#example input").click()
    page.get_by_role("option", name="Message saved").click()
    expect(page.locator("#heard")).to_contain_text(f"The model decides: {PICTURE.format('head')}", timeout=PATIENCE)
    expect(page.locator("#heard")).to_contain_text(PICTURE.format("class"))
    box = page.locator("#model input")
    box.fill(PICTURE.format("folder"))
    box.press("Enter")
    told(page, PICTURE.format("folder"))


@pytest.mark.browser
def test_of_a_files_name(visit):
    page = visit()
    page.get_by_text("Or use your own").click()
    name = "<img src=https:elsewhere.example>"  # a file's name has no slashes, and an address needs none
    broken = {"name": f"{name}.wav", "mimeType": "audio/wav", "buffer": b"RIFF this is no sound at all" * 20}
    page.locator("#own input[type=file]").set_input_files(broken)
    told(page, re.compile("elsewhere"))
    page.get_by_text("Your own corpus, for probing").click()
    page.locator("#corpus input[type=file]").set_input_files(_zip({f"{name}.wav": b"RIFF"}))
    told(page, f"In “{name}.wav”")


@pytest.mark.browser
def test_of_a_tier_and_a_speaker_in_a_line_of_markdown(visit):
    page = visit()
    sound = to_wav(Clip(0.1 * np.sin(np.arange(16_000) / 5).astype(np.float32), "a"))
    tiers = {name: (Segment("a", 0.1, 0.9),) for name in ("words", "phones", PICTURE.format("t"), DRAWN.format("t"))}
    index = f'file,speaker\na.wav,"{PICTURE.format("s")}"\n'
    page.get_by_text("Your own corpus, for probing").click()
    files = {"a.wav": sound, "a.TextGrid": write_textgrid(tiers, 1.0).encode(), "index.csv": index.encode()}
    page.locator("#corpus input[type=file]").set_input_files(_zip(files))
    line = page.locator("#corpus-told")
    for part in (PICTURE.format("s"), PICTURE.format("t"), DRAWN.format("t")):
        expect(line).to_contain_text(part, timeout=PATIENCE)
    expect(line.locator("strong")).to_have_text("1 recording")


def _give(page, button, file):
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(file)


def _zip(files: dict[str, bytes]) -> dict:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return {"name": "mine.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}


@pytest.mark.browser
def test_a_program_reads_the_sentence_as_it_is(address):
    client = Client(address, verbose=False)
    sound = handle_file(str(WEASELS))
    with pytest.raises(AppError, match="no<such>"):
        client.predict(sound, "openai/whisper-tiny.en", "", {"no<such>": 1}, api_name="/value_zeroing")
    other = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": 5}, 123, "a.wav", [], True
    for data in (*([each, "openai/whisper-tiny.en", ""] for each in other), []):
        started = httpx.post(f"{address}/gradio_api/call/words", json={"data": data}).json()
        answer = httpx.get(f"{address}/gradio_api/call/words/{started['event_id']}", timeout=60).text
        assert "a file must be one that was uploaded" in answer, data
