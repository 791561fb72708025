"""The top of the page: choose a clip and a model, see and hear the clip, and mend what the model heard."""

import base64
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np

from methods.core import models
from methods.core.errors import UserError
from methods.core.lenses.ctc import CtcReading
from methods.core.models import menu
from methods.core.models.speech_model import Transcript
from page import session as sessions
from page.errors import toast
from page.examples import EXAMPLES, FIRST
from page.runs.machine import Visitor
from page.session import Heard, Listened, Session
from page.space import on_space
from page.top.clip_view import clip_plot
from page.widgets.sound_plot import SoundPlot
from page.widgets.told import Told

FIRST_MODEL = "openai/whisper-tiny.en"
UNITS = ("words", "phones")
ALIGNING = """**Align** makes the decoder read your text and finds its words and phones by forced alignment (English,
about ±20 ms); in other languages word times come from the model's cross-attention (about ±0.1 s)."""
MOST_LISTENING = 5000  # visitors of whom it is known what they chose last
_numbers = itertools.count()
_listening: dict[str, int] = {}  # visitor -> which of all listenings is his newest
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class ClipArea:
    """The components of the clip area."""

    session: gr.State
    example: gr.Dropdown
    why: Told
    own: gr.Audio
    model: gr.Dropdown
    units: gr.Radio
    plot: SoundPlot
    heard: Told
    text: gr.Textbox
    align: gr.Button
    textgrid: gr.UploadButton
    times: gr.Dataframe
    apply: gr.Button
    export: gr.Button
    file: gr.JSON  # a TextGrid on its way to the browser
    key: gr.Textbox  # changes when results made for this view would be others


def model_choices() -> list[tuple[str, str]]:
    """The model menu; what is not here yet says so."""
    return [
        (card.label + ("" if models.available_offline(name) else " · needs a download"), name)
        for name, card in menu.MODELS.items()
    ]


def clip_area() -> ClipArea:
    """Lay out the clip area."""
    parts: dict[str, Any] = {"session": gr.State(None), "key": gr.Textbox(visible=False)}
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            parts |= _choices()
        with gr.Column(scale=2, min_width=320):
            parts["plot"] = SoundPlot(elem_id="clip-plot")
            parts["heard"] = Told(elem_id="heard")
            with gr.Accordion("Correct the transcript, or bring a TextGrid", open=False):
                parts |= _corrections()
    return ClipArea(**parts)


def _choices() -> dict[str, Any]:
    titles = [(example.title, key) for key, example in EXAMPLES.items()]
    made = {"example": gr.Dropdown(titles, value=FIRST, label="Example clip", interactive=True, elem_id="example")}
    made["why"] = Told(EXAMPLES[FIRST].why, elem_id="why", elem_classes="quiet")
    with gr.Accordion("Or use your own: upload or record (0.1 to 30 s)", open=False):
        made["own"] = gr.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label="Your recording",
            interactive=True,
            elem_id="own",
            buttons=["download"],  # Gradio's share button would publish the visitor's sound
        )
    choices = model_choices()
    made["model"] = gr.Dropdown(
        choices,
        value=FIRST_MODEL,
        label="Model",
        info=None if on_space() else "or type any hub id, or a folder of yours",
        allow_custom_value=not on_space(),
        interactive=True,
        elem_id="model",
    )
    made["units"] = gr.Radio(list(UNITS), value="words", label="Cut the clip into", interactive=True, elem_id="units")
    return made


def _corrections() -> dict[str, Any]:
    made = {"text": gr.Textbox(label="What is said in the clip", lines=2, interactive=True, elem_id="text")}
    with gr.Row():
        made["align"] = gr.Button("Align", size="sm", elem_id="align", min_width=80)
        made["textgrid"] = gr.UploadButton(
            "Upload a TextGrid",
            size="sm",
            file_types=[".TextGrid", ".textgrid", ".txt"],
            type="binary",
            elem_id="textgrid",
        )
    gr.Markdown(ALIGNING, elem_classes="quiet")
    made["times"] = gr.Dataframe(
        headers=["label", "start (s)", "end (s)"],
        datatype=["str", "number", "number"],
        type="array",
        column_count=(3, "fixed"),
        label="Boundaries of the words or phones",
        interactive=True,
        max_height=240,
        elem_id="times",
    )
    with gr.Row():
        made["apply"] = gr.Button("Use these times", size="sm", elem_id="apply", min_width=80)
        made["export"] = gr.Button("Download TextGrid", size="sm", elem_id="export", min_width=80)
    made["file"] = gr.JSON(visible=False)
    return made


def connect(area: ClipArea) -> None:
    """What happens when the clip, its text, the model or the units change."""
    recorded = gr.on(
        [area.own.upload, area.own.stop_recording],
        toast(open_own),
        [area.own],
        [area.session, area.example, area.why],
        **QUIET,
    )
    chosen = area.example.input(toast(open_example), [area.example], [area.session, area.why], **QUIET)
    remodelled = area.model.input(toast(same_clip), [area.session], [area.session], **QUIET)
    recut = area.units.input(lambda session: session, [area.session], [area.session], **QUIET)
    corrected = area.align.click(toast(align), [area.session, area.text, area.model], [area.session], **QUIET)
    given = area.textgrid.upload(toast(use_textgrid), [area.session, area.textgrid], [area.session], **QUIET)
    edited = area.apply.click(toast(edit), [area.session, area.units, area.times], [area.session], **QUIET)
    exported = area.export.click(toast(export), [area.session], [area.file], **QUIET)
    exported.success(None, [area.file], None, js="(file) => window.ism.save(file)")
    for event in (recorded, chosen, remodelled, recut, corrected, given, edited):
        listen_after(event, area)
    for name in ("example", "model", "units"):
        component, shared = getattr(area, name), "clip" if name == "example" else name
        component.change(None, [component], None, js=f"(value) => window.ism.share({{{shared}: value}})")


def listen_after(event: Any, area: ClipArea) -> None:
    """After a new clip, text or model: listen, then let the technique on screen run again."""

    async def hear(
        session: Session | None, model_id: str, units: str, request: gr.Request, progress: Any = gr.Progress()
    ) -> AsyncGenerator[tuple, None]:
        visitor = Visitor(str(request.session_hash), lambda text: progress(0, desc=text))
        newest = replace(visitor, gone=_overtaken(visitor))
        async with contextlib.aclosing(listen(session, model_id, units, area.plot, newest)) as shown:
            async for each in shown:
                yield each

    heard = event.success(
        toast(hear),
        [area.session, area.model, area.units],
        [area.session, area.plot, area.heard, area.text, area.times, area.key],
        concurrency_id="runs",
        concurrency_limit=None,
        show_progress_on=[area.heard],
        api_visibility="private",
    )
    heard.success(None, [area.key], None, js="(key) => window.ism.listened(key)")


def _overtaken(visitor: Visitor) -> Callable[[], bool]:
    """Whether the visitor has gone, or has chosen something else meanwhile: what was heard before is not shown."""
    mine = _listening[visitor.name] = next(_numbers)
    if len(_listening) > MOST_LISTENING:
        _listening.pop(next(iter(_listening)))
    return lambda: visitor.gone() or _listening.get(visitor.name, mine) != mine


async def listen(
    session: Session | None, model_id: str, units: str, plot: SoundPlot, visitor: Visitor
) -> AsyncGenerator[tuple, None]:
    """Show the sound at once, then what the model hears, or why it does not."""
    session = present(session)
    picture = await clip_plot(session, plot)
    yield session, picture, "*The model is listening …*", gr.skip(), gr.skip(), gr.skip()
    try:
        listened = await _listened(session, model_id, visitor)
    except Exception as problem:
        told = str(problem) if isinstance(problem, UserError) else "Something went wrong on our side."
        yield session, gr.skip(), f"The model has not listened. {plain(told)}", gr.skip(), gr.skip(), gr.skip()
        raise
    if listened is None:  # nobody waits for it any more
        return
    session, answer = listened.given_to(session), listened.heard
    spelled = session.text or (answer.text.text if answer.text else "")
    line = heard_line(session, answer, model_id)
    segments = (session.phones if units == "phones" else session.words) or ()
    times = [[segment.label, round(segment.start, 3), round(segment.end, 3)] for segment in segments]
    yield session, await clip_plot(session, plot), line, spelled, times, session.key(model_id, units)


async def _listened(session: Session, model_id: str, visitor: Visitor) -> Listened | None:
    model = await visitor.model(model_id)
    listener = sessions.listener_for(session, model)
    listener = None if listener is None else await visitor.model(listener)
    return await visitor.answer(lambda: sessions.hearing(session, model, listener))


def present(session: Session | None) -> Session:
    """The session, or a sentence about how to begin one."""
    if session is None:
        raise UserError("There is no clip yet; choose an example, upload a file or record yourself.")
    return session


def open_example(key: str) -> tuple[Session, str]:
    """A bundled clip and the reason to try it."""
    return sessions.from_example(key), EXAMPLES[key].why


def open_own(path: str | None) -> tuple[Session, Any, str]:
    """The visitor's own recording; the example menu is emptied, so that no link names a clip that is not shown."""
    if not path:
        raise UserError("No sound arrived; record again, or upload a file.")
    session = sessions.from_file(path)
    notes = "; ".join(session.clip.notes)
    return session, gr.Dropdown(value=None), f"Your own recording{f' ({notes})' if notes else ''}."


def same_clip(session: Session | None) -> Session:
    """Another model: words that came from the last model's attention are no longer right."""
    session = present(session)
    if session.timing.endswith(sessions.BY_ATTENTION):
        return replace(session, words=None, corpus=None)
    return session


async def align(session: Session | None, text: str, model_id: str, request: gr.Request) -> Session | Any:
    """Words and phones of a transcript that the visitor typed."""
    visitor = Visitor(str(request.session_hash))
    model = await visitor.model(model_id)
    aligned = await visitor.once("aligning", sessions.with_transcript, present(session), text, model)
    return gr.skip() if aligned is None else aligned


def use_textgrid(session: Session | None, content: bytes) -> Session:
    """Words and phones of the visitor's own TextGrid."""
    return sessions.with_textgrid(present(session), content)


def edit(session: Session | None, units: str, rows: list[list[Any]]) -> Session:
    """Labels and times as the visitor edited them."""
    return sessions.with_times(present(session), units, rows)


def export(session: Session | None) -> dict[str, str]:
    """Words and phones as a TextGrid file."""
    session = present(session)
    content = base64.b64encode(sessions.textgrid(session).encode("utf-8")).decode("ascii")
    return {"name": f"{session.clip.name}.TextGrid", "mime": "text/plain", "data": content}


def heard_line(session: Session, heard: Heard, model_id: str) -> str:
    """What the model hears, how sure it is, and where the times of the words come from."""
    words = f"Word times: {session.timing}." if session.words else "No words were found."
    words += f" {plain(session.about)}." if session.about else ""
    lines = [*_text_lines(heard.text), *_reading_lines(heard.reading), *_class_lines(heard.classes)]
    return "\n\n".join([*(lines or [f"{plain(model_id)} writes no text; look at what its layers hold."]), words])


def _text_lines(text: Transcript | None) -> list[str]:
    if text is None:
        return []
    verb = "The model reads your text" if text.given else "The model hears"
    language = f" ({text.language})" if text.language else ""
    sure = f"Probability per token: {float(np.exp(text.logprobs.mean())):.0%} (geometric mean)"
    silence = f"; no-speech probability {text.no_speech:.0%}" if text.no_speech and text.no_speech > 0.3 else ""
    return [f"{verb}{language}: **{plain(text.text) or 'nothing'}**", f"{sure}{silence}."]


def _reading_lines(reading: CtcReading | None) -> list[str]:
    if reading is None:
        return []
    blank = (reading.log_probabilities.argmax(-1) == reading.vocabulary.blank).mean()
    return [
        f"The model hears: **{plain(reading.text) or 'nothing'}**",
        f"CTC head; {blank:.0%} of the frames are blank.",
    ]


def _class_lines(classes: dict[str, dict[str, float]]) -> list[str]:
    best = {head: max(scores.items(), key=lambda item: item[1]) for head, scores in classes.items()}
    return [f"The model decides: {plain(head)} = **{plain(name)}** ({p:.0%})" for head, (name, p) in best.items()]


def plain(text: str) -> str:
    """Transcripts and names may hold anything; Markdown must show it as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-!|$&~" else letter for letter in text)
