"""Below the clip: mend the transcript, how its numbers are read, words and phones; or bring a TextGrid."""

import base64
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from methods.core.errors import UserError
from methods.core.speech.pronunciation import readings_of
from page import session as sessions
from page.errors import note
from page.session import Session, present
from page.widgets.told import Told

ALIGNING = """**Align** makes the decoder read your text and finds its words and phones by forced alignment (English,
about ±20 ms); in other languages word times come from the model's cross-attention (of twelve French
word starts, Whisper base has half within 35 ms, 11 within 0.1 s)."""
FILLED = 6  # components that listening fills in
TAKE = "Take the words of the TextGrid as the transcript"
NO_TIER = {"words": "none: the model's own words", "phones": "none"}


@dataclass(frozen=True)
class Corrections:
    """The components, and of them those that are filled in whenever the clip was listened to."""

    text: gr.Textbox
    spelled: gr.Textbox  # what listening found; taken over into `text` unless the visitor is writing there
    readings: gr.Textbox
    take: gr.Button  # the words of the visitor's TextGrid, as the transcript
    align: gr.Button
    question: Told  # asked before what the visitor has made is replaced; empty: nothing is
    replace: gr.Button
    textgrid: gr.UploadButton
    word_tier: gr.Dropdown
    phone_tier: gr.Dropdown
    times: gr.Dataframe
    apply: gr.Button
    export: gr.Button
    file: gr.JSON  # a TextGrid on its way to the browser

    @property
    def filled(self) -> list[gr.components.Component]:
        """In the order of `filling`."""
        return [self.spelled, self.readings, self.word_tier, self.phone_tier, self.times, self.take]


def corrections() -> Corrections:
    """Lay out the corrections."""
    made: dict[str, Any] = {}
    made["text"] = gr.Textbox(label="What is said in the clip", lines=2, interactive=True, elem_id="text")
    made["spelled"] = gr.Textbox(visible=False)
    made["readings"] = gr.Textbox(
        label="Numbers and symbols are read aloud as",
        info="one to a line; change what follows the = and press Align",
        lines=1,
        visible=False,
        interactive=True,
        elem_id="readings",
    )
    made["take"] = gr.Button(TAKE, size="sm", visible=False, elem_id="take-words")
    with gr.Row():
        made["align"] = gr.Button("Align", size="sm", elem_id="align", min_width=80)
        made["textgrid"] = gr.UploadButton(
            "Upload a TextGrid",
            size="sm",
            file_types=[".TextGrid", ".textgrid", ".txt"],
            type="binary",
            elem_id="textgrid",
        )
    made |= _question()
    with gr.Row():
        for kind in ("word", "phone"):
            made[f"{kind}_tier"] = gr.Dropdown(
                [], label=f"{kind.capitalize()}s from tier", visible=False, interactive=True, elem_id=f"{kind}-tier"
            )
    gr.Markdown(ALIGNING, elem_classes="quiet")
    made |= _boundaries()
    made["file"] = gr.JSON(visible=False)
    return Corrections(**{field.name: made[field.name] for field in fields(Corrections)})


def _question() -> dict[str, gr.components.Component]:
    """Between “Align” and aligning; `ism.atStake` shows it, or presses “Replace them” where nothing is at stake."""
    with gr.Column(elem_id="at-stake"):
        question = Told()
        with gr.Row():
            replace = gr.Button("Replace them", size="sm", elem_id="align-now", min_width=80)
            keep = gr.Button("Keep mine", size="sm", elem_id="align-keep", min_width=80)
    keep.click(None, None, None, js="() => window.ism.answered()")
    return {"question": question, "replace": replace}


def _boundaries() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
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
    return made


def filling(session: Session, spelled: str, english: bool, units: str) -> list[Any]:
    """What the model heard or the visitor gave, as values of the components that are filled in."""
    segments = (session.phones if units == "phones" else session.words) or ()
    times = [[segment.label, round(segment.start, 3), round(segment.end, 3)] for segment in segments]
    take = gr.Button(visible=session.tiers is not None and bool(session.word_tier))
    return [spelled, _readings(session, spelled if english else ""), *_menus(session), times, take]


def _readings(session: Session, spelled: str) -> gr.Textbox:
    """How numbers and symbols of an English text are read; not there where it has none."""
    known = readings_of(spelled, dict(session.readings))
    lines = "\n".join(f"{label} = {said}" for label, said in known.items())
    return gr.Textbox(value=lines, visible=bool(known), lines=min(len(known), 6) or 1)


def _menus(session: Session) -> list[gr.Dropdown]:
    """The tiers of the visitor's TextGrid, to take words and phones from; not there where there is none."""
    if session.tiers is None:
        return [gr.Dropdown(visible=False)] * 2
    tiers = [(tier or "(a tier without a name)", tier) for tier in sessions.labelled(session.tiers)]
    taken = {"words": session.word_tier, "phones": session.phone_tier}
    return [gr.Dropdown([(NO_TIER[kind], ""), *tiers], value=taken[kind], visible=True) for kind in taken]


def read_aloud(lines: str | None, text: str) -> dict[str, str]:
    """Label -> how it is read, from lines such as “$5 = five dollars”, where that is not what is assumed anyway."""
    found = {}
    for line in (lines or "").splitlines():
        label, equals, said = line.rpartition("=")
        if line.strip() and not (equals and label.strip() and said.strip()):
            raise UserError(
                f"“{line.strip()[:60]}” does not say how a word is read; write such as “$5 = five dollars”."
            )
        if line.strip():
            found[label.strip()] = " ".join(said.split())
    assumed = readings_of(text) if found else {}
    return {label: said for label, said in found.items() if label in assumed and said != assumed[label]}


def use_textgrid(session: Session | None, content: bytes) -> Session:
    """Words and phones of the visitor's own TextGrid."""
    session = present(session)
    return _told(session, sessions.with_textgrid(session, content))


def retake(session: Session | None, words: str | None, phones: str | None) -> Session:
    """Words and phones of other tiers of the same TextGrid."""
    session = present(session)
    return _told(session, sessions.with_tiers(session, words or "", phones or ""))


def _told(before: Session, after: Session) -> Session:
    """The session after; on screen, where edited times have been replaced, how to have them back."""
    if said := replaced_edits(before, after):
        note(said)
    return after


def replaced_edits(before: Session, after: Session) -> str:
    """A sentence where other tiers have just replaced times that the visitor edited; empty: they have not."""
    if before.timing != sessions.EDITED or after.timing == sessions.EDITED:
        return ""
    return "The times that you had edited made way for the TextGrid's; “Undo” above the clip brings them back."


def at_stake(session: Session | None) -> str:
    """What to ask before aligning."""
    return sessions.at_stake(present(session))


def take_words(session: Session | None) -> Session:
    """The words of the visitor's TextGrid as what is said."""
    return sessions.with_own_words(present(session))


def edit(session: Session | None, units: str, rows: list[list[Any]]) -> Session:
    """Labels and times as the visitor edited them."""
    return sessions.with_times(present(session), units, rows)


def move(session: Session | None, event: gr.EventData) -> Session:
    """Times as the visitor has dragged them on the picture, or what they were before."""
    session, asked = present(session), event._data if isinstance(event._data, dict) else {}
    if asked.get("undo"):
        return sessions.undone(session)
    return sessions.with_moved(session, asked.get("clip"), asked.get("times"))


def export(session: Session | None) -> dict[str, str]:
    """Words and phones as a TextGrid file."""
    session = present(session)
    content = base64.b64encode(sessions.textgrid(session).encode("utf-8")).decode("ascii")
    return {"name": f"{session.clip.name}.TextGrid", "mime": "text/plain", "data": content}
