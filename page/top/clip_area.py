"""The top of the page: choose a clip and a model, see and hear the clip, and mend what the model heard."""

import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from methods.core import models
from methods.core.audio.decoding import TooLongError
from methods.core.errors import UserError
from methods.core.models import menu
from page import session as sessions
from page.errors import toast
from page.examples import EXAMPLES, FIRST
from page.runs.machine import Visitor
from page.session import Listened, Session, present
from page.space import on_space
from page.top import corrections as mending
from page.top.clip_view import clip_plot
from page.top.corrections import Corrections, corrections
from page.top.heard_text import deaf, heard_line
from page.top.spectrogram import USUAL, Look, look_of, settings, written
from page.top.trail import Trail
from page.top.transcript import heard_html, sure_html
from page.widgets.recorder import Recorder
from page.widgets.sound_plot import SoundPlot
from page.widgets.told import Told

FIRST_MODEL = "openai/whisper-tiny.en"
UNITS = ("words", "phones")
MOST_LISTENING = 5000  # visitors of whom it is known what they chose last
_numbers = itertools.count()
_listening: dict[str, int] = {}  # visitor -> which of all listenings is his newest
MORE_OF_THE_CLIP = (
    '<button type="button" class="more" aria-expanded="false" data-more="strip">More of the clip</button>'
)
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class ClipArea:
    """The components of the clip area."""

    session: gr.State
    trail: gr.State  # `Trail`: the clip before this one
    example: gr.Dropdown
    why: Told
    own: Recorder
    model: gr.Dropdown
    units: gr.Radio
    plot: SoundPlot
    look: gr.State  # how the spectrogram is drawn
    settings: list[gr.components.Component]  # what it is set with
    link_look: gr.Textbox  # the same as links have it
    said: gr.HTML  # the transcript, its words shaded by how sure the model is
    heard: Told
    mend: Corrections
    key: gr.Textbox  # changes when results made for this view would be others
    mine: gr.Checkbox  # whether the page holds what no link can name


def model_choices() -> list[tuple[str, str]]:
    """The model menu; what is not here yet says so."""
    return [
        (card.label + ("" if models.available_offline(name) else " · needs a download"), name)
        for name, card in menu.MODELS.items()
    ]


def clip_choices() -> dict[str, Any]:
    """Lay out what is chosen at the side: clip, model and cut."""
    titles = [(example.title, key) for key, example in EXAMPLES.items()]
    made = {"example": gr.Dropdown(titles, value=FIRST, label="Example clip", interactive=True, elem_id="example")}
    made["why"] = Told(EXAMPLES[FIRST].why, elem_id="why", elem_classes="quiet")
    with gr.Accordion("Or use your own: record or upload (0.1 to 30 s)", open=False, elem_id="bring"):
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


def corrections_area() -> Corrections:
    """Lay out what mends the transcript, at the side too."""
    with gr.Accordion("Correct the transcript, or bring a TextGrid", open=False):
        return corrections()


def clip_strip(choices: dict[str, Any], mend: Corrections) -> ClipArea:
    """Lay out the clip itself, above every view: low where a technique is open, whole where it is asked for."""
    parts: dict[str, Any] = {
        "session": gr.State(None),
        "trail": gr.State(Trail()),
        "look": gr.State(USUAL),
        "link_look": gr.Textbox(visible=False),
        "key": gr.Textbox(visible=False),
        "mine": gr.Checkbox(False, visible=False),
        "mend": mend,
        **choices,
    }
    with gr.Column(elem_id="strip", min_width=0):
        parts["plot"] = SoundPlot(elem_id="clip-plot")
        parts["settings"] = settings()
        with gr.Column(elem_id="heard"):
            parts["said"] = gr.HTML(elem_id="said", elem_classes="sure-box", padding=False)
            parts["heard"] = Told(elem_id="heard-line")
        gr.HTML(MORE_OF_THE_CLIP, elem_id="strip-more")
    return ClipArea(**parts)


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
    area.session.change(
        lambda session, trail: trail.on_to(session), [area.session, area.trail], [area.trail], queue=False, **QUIET
    )
    _connect_settings(area)
    for name in ("example", "model", "units"):
        component, shared = getattr(area, name), "clip" if name == "example" else name
        component.change(None, [component], None, js=f"(value) => window.ism.share({{{shared}: value}})")


def _connect_settings(area: ClipArea) -> None:
    async def redraw(session: Session | None, *set_to: Any) -> tuple[Look, str, Any]:
        look = look_of(*set_to)
        return look, written(look), gr.skip() if session is None else await clip_plot(session, look, area.plot)

    changed = [each.input for each in area.settings]  # of the slider too: its keys release nothing
    inputs, outputs = [area.session, *area.settings], [area.look, area.link_look, area.plot]
    redrawn = gr.on(changed, toast(redraw), inputs, outputs, trigger_mode="always_last", **QUIET)
    redrawn.success(None, [area.link_look], None, js="(text) => window.ism.share({ spectrogram: text })")


def _connect_corrections(area: ClipArea) -> list[gr.events.Dependency]:
    mend, session = area.mend, area.session
    own, done = (
        area.own,
        [mend.replace.click, mend.take.click, mend.textgrid.upload],
    )  # a text of another clip, or one that is taken
    gr.on([area.example.input, own.upload, own.stop_recording, own.edit, *done], None, None, None,
          js="() => window.ism.taken()")  # fmt: skip
    asked = [session, mend.text, area.model, mend.readings]
    exported = mend.export.click(toast(mending.export), [session], [mend.file], **QUIET)
    exported.success(None, [mend.file], None, js="(file) => window.ism.save(file)")
    asked_first = mend.align.click(toast(mending.at_stake), [session], [mend.question], **QUIET)
    asked_first.success(None, [mend.question], None, js="(question) => window.ism.atStake(question)")
    menus = [mend.word_tier, mend.phone_tier]
    return [
        mend.replace.click(toast(align), asked, [session], **QUIET),
        mend.take.click(toast(mending.take_words), [session], [session], **QUIET),
        mend.textgrid.upload(toast(mending.use_textgrid), [session, mend.textgrid], [session], **QUIET),
        gr.on([menu.input for menu in menus], toast(mending.retake), [session, *menus], [session], **QUIET),
        _moved(area),
        mend.apply.click(toast(mending.edit), [session, area.units, mend.times], [session], **QUIET),
    ]


def _moved(area: ClipArea) -> gr.events.Dependency:
    """Boundaries that were dragged, one edit after the other: an undo right after a change must find it."""
    moved = area.plot.edit(
        toast(mending.move), [area.session], [area.session], trigger_mode="multiple", concurrency_limit=1, **QUIET
    )
    moved.success(None, None, None, js="() => window.speechEdits.answered(true)", trigger_mode="multiple")
    moved.failure(None, None, None, js="() => window.speechEdits.answered(false)", trigger_mode="multiple")
    return moved


def listen_after(event: Any, area: ClipArea) -> None:
    """After a new clip, text or model: listen, then let the technique on screen run again."""

    async def hear(
        session: Session | None,
        model_id: str,
        units: str,
        look: Look,
        request: gr.Request,
        progress: Any = gr.Progress(),
    ) -> AsyncGenerator[tuple, None]:
        visitor = Visitor(str(request.session_hash), lambda text: progress(0, desc=text))
        on_screen = held(area.session, visitor)
        newest = replace(visitor, gone=_overtaken(visitor, lambda: on_screen() is not session))
        async with contextlib.aclosing(listen(session, model_id, units, area.plot, newest, look)) as shown:
            async for each in shown:
                yield each

    heard = event.success(
        toast(hear),
        [area.session, area.model, area.units, area.look],
        [area.session, area.plot, area.heard, area.said, area.key, area.mine, *area.mend.filled],
        concurrency_id="runs",
        concurrency_limit=None,
        trigger_mode="always_last",  # a clip that comes while the last one is listened to would never be heard
        show_progress_on=[area.heard],
        js="(...given) => { window.ism.listens(true); return given; }",
        api_visibility="private",
    )
    heard.failure(None, None, None, js="() => window.ism.listens(false)")
    heard.success(None, [area.key, area.mine], None, js="(key, mine) => window.ism.listened(key, mine)")
    text = area.mend.text
    heard.success(None, [area.mend.spelled, text], [text], js="(spelled, text) => window.ism.spelled(spelled, text)")
    heard.success(
        toast(how_sure), [area.session, area.model], [area.said],
        concurrency_id="runs", concurrency_limit=None, **QUIET,
    )  # fmt: skip


def held(state: gr.State, visitor: Visitor) -> Callable[[], Any]:
    """A look at what a state holds for a visitor now; an event's own input tells what it held at its beginning."""
    page = LocalContext.blocks.get()
    return lambda: page.state_holder[visitor.name][state._id]


def _overtaken(visitor: Visitor, replaced: Callable[[], bool]) -> Callable[[], bool]:
    """Whether the visitor has gone, or has chosen something else meanwhile: what was heard before is not shown.

    A clip that is `replaced` may not be listened to yet: the browser asks for that when this listening has ended.
    """
    mine = _listening[visitor.name] = next(_numbers)
    if len(_listening) > MOST_LISTENING:
        _listening.pop(next(iter(_listening)))
    return lambda: visitor.gone() or _listening.get(visitor.name, mine) != mine or replaced()


async def listen(
    session: Session | None, model_id: str, units: str, plot: SoundPlot, visitor: Visitor, look: Look = USUAL
) -> AsyncGenerator[tuple, None]:
    """Show the sound at once, then what the model hears, or why it does not."""
    session = present(session)
    mine = bool(sessions.given(session))
    rest = gr.skip(), mine, *(gr.skip(),) * mending.FILLED
    picture = await clip_plot(session, look, plot)
    if visitor.gone():  # the times in it are from before: a boundary that was moved since would jump back
        return
    yield gr.skip(), picture, "*The model is listening …*", "", *rest
    try:
        listened = await listened_to(session, model_id, visitor)
    except Exception as problem:
        if not visitor.gone():
            yield gr.skip(), gr.skip(), deaf(problem), "", *rest
        elif isinstance(problem, UserError):  # a model that an overtaken listening waits for no longer is not late
            return
        raise
    if listened is None:  # nobody waits for it any more
        return
    before, session, answer = session, listened.given_to(session), listened.heard
    spelled = session.text or (answer.text.text if answer.text else "")
    english = answer.text is None or answer.text.language in (None, "en")
    filled = mending.filling(session, spelled, english, units)
    line, picture = heard_line(session, answer, model_id), await clip_plot(session, look, plot)
    if visitor.gone():  # a newer clip must not be overwritten by what was found out about the one before
        return
    # Only what was found out is written back: a boundary may have been moved while this was on its way.
    kept = gr.skip() if session is before else session
    yield kept, picture, line, heard_html(answer), session.key(model_id, units), mine, *filled


async def listened_to(session: Session, model_id: str, visitor: Visitor) -> Listened | None:
    """What is found out about a clip by a model, and by a second one where the first writes no text."""
    model = await visitor.model(model_id)
    listener = sessions.listener_for(session, model)
    listener = None if listener is None else await visitor.model(listener)
    return await visitor.answer(lambda: sessions.hearing(session, model, listener))


async def how_sure(session: Session | None, model_id: str, request: gr.Request) -> Any:
    """The transcript again, its words shaded; it stays as it is where there is nothing to shade."""
    session, visitor = present(session), Visitor(str(request.session_hash))
    model = await visitor.model(model_id)
    shaded = await visitor.once("shading the words", sure_html, session, model)
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
    right = tuple(step for step in session.steps if sessions.BY_ATTENTION not in step.timing)
    session = session if len(right) == len(session.steps) else replace(session, steps=right)
    if sessions.BY_ATTENTION in session.timing:
        return replace(session, words=None, corpus=None)
    return session


async def align(
    session: Session | None, text: str, model_id: str, readings: str, request: gr.Request
) -> Session | Any:
    """Words and phones of a transcript that the visitor typed, its numbers read as the visitor says."""
    session, aloud, visitor = present(session), mending.read_aloud(readings, text), Visitor(str(request.session_hash))
    model = await visitor.model(model_id)
    aligned = await visitor.once("aligning", sessions.with_transcript, session, text, model, aloud)
    return gr.skip() if aligned is None else aligned
