"""The top of the page: choose a clip and a model, see and hear the clip, and mend what the model heard."""

import math
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from methods.core import models
from methods.core.audio.decoding import TooLongError
from methods.core.errors import UserError
from methods.core.models import menu
from methods.core.progress import Steps, in_time
from page import session as sessions
from page.errors import toast
from page.examples import EXAMPLES, FIRST
from page.session import Session, present
from page.top import corrections as mending
from page.top.clip_view import clip_plot
from page.top.corrections import Corrections, corrections
from page.top.heard_text import deaf, heard_line
from page.top.transcript import heard_html, sure_html
from page.widgets.recorder import Recorder
from page.widgets.sound_plot import SoundPlot
from page.widgets.told import Told

FIRST_MODEL = "openai/whisper-tiny.en"
UNITS = ("words", "phones")
LONGEST_RUN = 300  # s of one run on the public Space
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class ClipArea:
    """The components of the clip area."""

    session: gr.State
    example: gr.Dropdown
    why: Told
    own: Recorder
    model: gr.Dropdown
    units: gr.Radio
    plot: SoundPlot
    said: gr.HTML  # the transcript, its words shaded by how sure the model is
    heard: Told
    mend: Corrections
    key: gr.Textbox  # changes when results made for this view would be others


def model_choices() -> list[tuple[str, str]]:
    """The model menu; what is not here yet says so."""
    return [
        (card.label + ("" if models.available_offline(name) else " · needs a download"), name)
        for name, card in menu.MODELS.items()
    ]


def on_space() -> bool:
    """Whether this is the public Space, where visitors may load listed models only."""
    return bool(os.environ.get("SPACE_ID"))


def allowed_model(identifier: str) -> str:
    """The model, if this page may load it for a visitor: on the public Space only what the menu lists."""
    if on_space() and identifier not in menu.MODELS:
        raise UserError(f"{identifier} is not on this page's list; run the app on your own machine to open any model.")
    return identifier


def bounded(steps: Steps) -> Steps:
    """A run; on the public Space with an end, since others wait for it."""
    return in_time(steps, longest_run())


def longest_run() -> float:
    """How long one run may take, in seconds: on the public Space others wait for it."""
    return LONGEST_RUN if on_space() else math.inf


def clip_area() -> ClipArea:
    """Lay out the clip area."""
    parts: dict[str, Any] = {"session": gr.State(None), "key": gr.Textbox(visible=False)}
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            parts |= _choices()
        with gr.Column(scale=2, min_width=320):
            parts["plot"] = SoundPlot(elem_id="clip-plot")
            with gr.Column(elem_id="heard"):
                parts["said"] = gr.HTML(elem_id="said", elem_classes="sure-box", padding=False)
                parts["heard"] = Told(elem_id="heard-line")
            with gr.Accordion("Correct the transcript, or bring a TextGrid", open=False):
                parts["mend"] = corrections()
    return ClipArea(**parts)


def _choices() -> dict[str, Any]:
    titles = [(example.title, key) for key, example in EXAMPLES.items()]
    made = {"example": gr.Dropdown(titles, value=FIRST, label="Example clip", interactive=True, elem_id="example")}
    made["why"] = Told(EXAMPLES[FIRST].why, elem_id="why", elem_classes="quiet")
    with gr.Accordion("Or use your own: upload or record (0.1 to 30 s)", open=False):
        made["own"] = Recorder(label="Your recording", interactive=True, elem_id="own")
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


def connect(area: ClipArea) -> None:
    """What happens when the clip, its text, the model or the units change."""
    recorded = gr.on(
        [area.own.upload, area.own.stop_recording, area.own.edit],  # the last one: cut with the player's scissors
        toast(open_own),
        [area.own],
        [area.session, area.example, area.why],
        **QUIET,
    )
    chosen = area.example.input(toast(open_example), [area.example], [area.session, area.why], **QUIET)
    remodelled = area.model.input(toast(same_clip), [area.session], [area.session], **QUIET)
    recut = area.units.input(lambda session: session, [area.session], [area.session], **QUIET)
    for event in (recorded, chosen, remodelled, recut, *_connect_corrections(area)):
        listen_after(event, area)
    for name in ("example", "model", "units"):
        component, shared = getattr(area, name), "clip" if name == "example" else name
        component.change(None, [component], None, js=f"(value) => window.ism.share({{{shared}: value}})")


def _connect_corrections(area: ClipArea) -> list[gr.events.Dependency]:
    mend, session = area.mend, area.session
    asked = [session, mend.text, area.model, mend.readings]
    exported = mend.export.click(toast(mending.export), [session], [mend.file], **QUIET)
    exported.success(None, [mend.file], None, js="(file) => window.ism.save(file)")
    menus = [mend.word_tier, mend.phone_tier]
    return [
        mend.align.click(toast(align), asked, [session], **QUIET),
        mend.textgrid.upload(toast(mending.use_textgrid), [session, mend.textgrid], [session], **QUIET),
        gr.on([menu.input for menu in menus], toast(mending.retake), [session, *menus], [session], **QUIET),
        mend.apply.click(toast(mending.edit), [session, area.units, mend.times], [session], **QUIET),
    ]


def listen_after(event: Any, area: ClipArea) -> None:
    """After a new clip, text or model: listen, then let the technique on screen run again."""

    def hear(
        session: Session | None,
        model_id: str,
        units: str,
        request: gr.Request,
        progress: Any = gr.Progress(track_tqdm=True),  # Gradio shows the hub's download in it
    ) -> Generator:
        on_screen = held(area.session, request.session_hash)
        yield from while_newest(session, listen(session, model_id, units, area.plot), on_screen)

    heard = event.success(
        toast(hear),
        [area.session, area.model, area.units],
        [area.session, area.plot, area.heard, area.said, area.key, *area.mend.filled],
        concurrency_id="compute",
        concurrency_limit=1,
        trigger_mode="always_last",  # a clip that comes while the last one is listened to would never be heard
        show_progress_on=[area.heard],
        api_visibility="private",
    )
    heard.success(None, [area.key], None, js="(key) => window.ism.listened(key)")
    heard.success(
        toast(how_sure), [area.session, area.model], [area.said],
        concurrency_id="compute", concurrency_limit=1, **QUIET,
    )  # fmt: skip


def held(state: gr.State, visitor: str) -> Callable[[], Any]:
    """A look at what a state holds for a visitor now; an event's own input tells what it held at its beginning."""
    page = LocalContext.blocks.get()
    return lambda: page.state_holder[visitor][state._id]


def while_newest(session: Session | None, updates: Generator, on_screen: Callable[[], Any]) -> Generator:
    """What listening to this clip gives, until another clip, text or TextGrid has come.

    That one is listened to next, and must not be overwritten by what was found out about the one before.
    """
    for update in updates:
        if on_screen() is not session:
            updates.close()
            return
        yield update


def listen(session: Session | None, model_id: str, units: str, plot: SoundPlot) -> Generator:
    """Show the sound at once, then what the model hears."""
    session = present(session)
    rest = (gr.skip(),) * (1 + mending.FILLED)
    yield gr.skip(), clip_plot(session, plot), "*The model is listening …*", "", *rest
    try:
        session, answer = sessions.heard(session, models.load_model(allowed_model(model_id)))
    except Exception as problem:
        yield gr.skip(), gr.skip(), deaf(problem), "", *rest
        raise
    spelled = session.text or (answer.text.text if answer.text else "")
    english = answer.text is None or answer.text.language in (None, "en")
    filled = mending.filling(session, spelled, english, units)
    line = heard_line(session, answer, model_id)
    yield session, clip_plot(session, plot), line, heard_html(answer), session.key(model_id, units), *filled


def how_sure(session: Session | None, model_id: str) -> Any:
    """The transcript again, its words shaded; it stays as it is where there is nothing to shade."""
    shaded = sure_html(present(session), models.load_model(allowed_model(model_id)))
    return gr.skip() if shaded is None else shaded


def open_example(key: str) -> tuple[Session, str]:
    """A bundled clip and the reason to try it."""
    return sessions.from_example(key), EXAMPLES[key].why


def open_own(path: str | None) -> tuple[Session, Any, str]:
    """The visitor's own recording; the example menu is emptied, so that no link names a clip that is not shown."""
    if not path:
        raise UserError("No sound arrived; record again, or upload a file.")
    try:
        session = sessions.from_file(path)
    except TooLongError as problem:
        raise UserError(f"{problem} The scissors under the player cut it here.") from problem
    notes = "; ".join(session.clip.notes)
    return session, gr.Dropdown(value=None), f"Your own recording{f' ({notes})' if notes else ''}."


def same_clip(session: Session | None) -> Session:
    """Another model: words that came from the last model's attention are no longer right."""
    session = present(session)
    if sessions.BY_ATTENTION in session.timing:
        return replace(session, words=None, corpus=None)
    return session


def align(session: Session | None, text: str, model_id: str, readings: str = "") -> Session:
    """Words and phones of a transcript that the visitor typed, its numbers read as the visitor says."""
    session, aloud = present(session), mending.read_aloud(readings, text)
    return sessions.with_transcript(session, text, models.load_model(allowed_model(model_id)), aloud)
