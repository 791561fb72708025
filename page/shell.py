"""The page around the techniques: one clip and one model for all tabs, the tabs themselves, and links to any view."""

import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import gradio as gr

from methods import TECHNIQUES, attention, value_zeroing
from methods.core import models
from methods.core.errors import UserError
from methods.core.network import Transcript
from page import session as sessions
from page.clip_view import clip_plot
from page.errors import toast
from page.examples import EXAMPLES, FIRST
from page.mixing_tab import Shell, Tab, mixing_tab
from page.session import Session
from page.sound_plot import SoundPlot
from page.start import start_page

FIRST_MODEL = "openai/whisper-tiny.en"
GROUPS = tuple(dict.fromkeys(group for group, _ in TECHNIQUES.values()))
UNITS = ("words", "phones")
INTRODUCTION = """# Inside Speech Models
What does a speech model hear, and how does it come to its words? Choose a clip, look inside, and check every picture
against the same network with random weights."""


def model_choices() -> list[tuple[str, str]]:
    """The model menu; what is not here yet says so."""
    return [
        (card.label + ("" if models.available_offline(name) else " · needs a download"), name)
        for name, card in models.MODELS.items()
    ]


def build() -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title="Inside Speech Models", delete_cache=(3600, 6 * 3600), analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION, elem_classes="introduction")
        shell, clip = _clip_area()
        with gr.Tabs(elem_id="groups") as groups:
            with gr.Tab("Start here", id="start") as start:
                start_page()
            built, inner = _technique_tabs(shell)
        start.select(None, None, None, js="() => window.ism.leave()")
        gr.Markdown(FOOTER, elem_classes="footer")
        _connect_clip(shell, clip)
        _connect_links(page, shell, clip, groups, inner, built)
    return page


FOOTER = """Made after the tutorial *Interpretability Techniques for Speech Models* (Interspeech 2025). Recordings that
you upload or make stay in memory, are not kept, and are never part of a link. Code: Apache-2.0; clips: see each clip."""


class _Clip:
    """The components of the clip area that only the shell touches."""

    def __init__(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=300):
                self.example = gr.Dropdown(
                    [(example.title, key) for key, example in EXAMPLES.items()],
                    value=FIRST,
                    label="Example clip",
                    interactive=True,
                    elem_id="example",
                )
                self.why = gr.Markdown(EXAMPLES[FIRST].why, elem_id="why", elem_classes="quiet")
                with gr.Accordion("Or use your own: upload or record (0.1 to 30 s)", open=False):
                    self.audio = gr.Audio(
                        sources=["upload", "microphone"],
                        type="filepath",
                        label="Your recording",
                        interactive=True,
                        elem_id="own",
                    )
                self.model = gr.Dropdown(
                    model_choices(), value=FIRST_MODEL, label="Model", interactive=True, elem_id="model"
                )
                self.units = gr.Radio(
                    list(UNITS), value="words", label="Cut the clip into", interactive=True, elem_id="units"
                )
            with gr.Column(scale=2, min_width=320):
                self.plot = SoundPlot(elem_id="clip-plot")
                self.heard = gr.Markdown("", elem_id="heard")
                with gr.Accordion("Correct the transcript, or bring a TextGrid", open=False):
                    self.text = gr.Textbox(label="What is said in the clip", lines=2, interactive=True, elem_id="text")
                    with gr.Row():
                        self.align = gr.Button("Align", size="sm", elem_id="align", min_width=80)
                        self.textgrid = gr.UploadButton(
                            "Upload a TextGrid",
                            size="sm",
                            file_types=[".TextGrid", ".textgrid", ".txt"],
                            type="binary",
                        )
                    gr.Markdown(ALIGNING, elem_classes="quiet")


ALIGNING = """**Align** teacher-forces the decoder on your text and finds its words and phones by forced alignment
(English, about ±20 ms); in other languages word times come from the model's cross-attention (about ±0.1 s)."""


def _clip_area() -> tuple[Shell, _Clip]:
    clip = _Clip()
    with gr.Row(visible=False):
        saved, base = gr.JSON(visible=False), gr.Textbox(_space_address(), visible=False)
    copied = gr.Textbox(show_label=False, container=False, interactive=False, max_lines=1, elem_id="copied")
    return Shell(gr.State(None), clip.model, clip.units, saved, base, copied), clip


def _space_address() -> str:
    space = os.environ.get("SPACE_ID")
    return f"https://huggingface.co/spaces/{space}" if space else ""


def _technique_tabs(shell: Shell) -> tuple[list[Tab], dict[str, gr.Tabs]]:
    makers = {
        "attention": lambda group: mixing_tab(attention, shell, group, by_head=True),
        "value_zeroing": lambda group: mixing_tab(value_zeroing, shell, group, by_head=False),
    }
    built, inner = [], {}
    for group in GROUPS:
        names = [name for name, (its_group, _) in TECHNIQUES.items() if its_group == group]
        with gr.Tab(group, id=group) as outer, gr.Tabs(elem_classes="techniques") as inner[group]:
            for name in names:
                with gr.Tab(TECHNIQUES[name][1], id=name) as tab:
                    made = makers[name](group)
                built.append(made)
                arguments, values = made.option_js()
                js = f"({arguments}) => window.ism.open('{group}', '{name}', {values})"
                tab.select(None, list(made.controls.values()), None, js=js)
        outer.select(None, None, None, js=f"() => window.ism.group('{group}', '{names[0]}')")
    return built, inner


def _connect_clip(shell: Shell, clip: _Clip) -> None:
    shown = [shell.session, clip.plot, clip.heard, clip.text, shell.saved]

    def listen(session: Session | None, model_id: str, units: str) -> Generator:
        """Show the sound at once, then what the model hears."""
        if session is None:
            raise UserError("There is no clip yet; choose an example, upload a file or record yourself.")
        yield session, clip_plot(session, clip.plot), "*The model is listening …*", gr.skip(), gr.skip()
        session, text = sessions.heard(session, models.load_model(model_id))
        line = heard_line(session, text, model_id)
        spelled = session.text or (text.text if text else "")
        yield session, clip_plot(session, clip.plot), line, spelled, session.key(model_id, units)

    def follow(event: Any) -> None:
        """After a new clip, text or model: listen, then run the technique on screen again."""
        heard = event.success(
            toast(listen),
            [shell.session, shell.model, shell.units],
            shown,
            concurrency_id="compute",
            concurrency_limit=1,
            show_progress_on=[clip.heard],
            api_visibility="private",
        )
        heard.success(None, [shell.saved], None, js="(key) => window.ism.listened(key)")

    self_made = gr.on(
        [clip.audio.upload, clip.audio.stop_recording],
        toast(open_own),
        [clip.audio],
        [shell.session, clip.example, clip.why],
        api_visibility="private",
        show_progress_on=[clip.heard],
    )
    follow(self_made)
    follow(
        clip.example.input(
            toast(open_example),
            [clip.example],
            [shell.session, clip.why],
            api_visibility="private",
            show_progress="hidden",
        )
    )
    follow(
        shell.model.input(
            toast(same_clip), [shell.session], [shell.session], api_visibility="private", show_progress="hidden"
        )
    )
    follow(
        shell.units.input(
            lambda session: session, [shell.session], [shell.session], api_visibility="private", show_progress="hidden"
        )
    )
    follow(
        clip.align.click(
            toast(align),
            [shell.session, clip.text, shell.model],
            [shell.session],
            api_visibility="private",
            show_progress_on=[clip.heard],
        )
    )
    follow(
        clip.textgrid.upload(
            toast(use_textgrid),
            [shell.session, clip.textgrid],
            [shell.session],
            api_visibility="private",
            show_progress_on=[clip.heard],
        )
    )
    clip.example.change(None, [clip.example], None, js="(clip) => window.ism.share({clip})")
    shell.model.change(None, [shell.model], None, js="(model) => window.ism.share({model})")
    shell.units.change(None, [shell.units], None, js="(units) => window.ism.share({units})")
    clip.follow = follow


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


def same_clip(session: Session | None) -> Session | None:
    """Another model: words that came from the last model's attention are no longer right."""
    if session is not None and session.timing == sessions.BY_ATTENTION:
        return sessions.Session(session.clip, session.example, text=session.text)
    return session


def align(session: Session | None, text: str, model_id: str) -> Session:
    """Words and phones of a transcript that the visitor typed."""
    if session is None:
        raise UserError("There is no clip yet; choose an example, upload a file or record yourself.")
    return sessions.with_transcript(session, text, models.load_model(model_id))


def use_textgrid(session: Session | None, content: bytes) -> Session:
    """Words and phones of the visitor's own TextGrid."""
    if session is None:
        raise UserError("There is no clip yet; choose an example, upload a file or record yourself.")
    return sessions.with_textgrid(session, content)


def heard_line(session: Session, text: Transcript | None, model_id: str) -> str:
    """What the model hears, how sure it is, and where the times of the words come from."""
    if text is None:
        return f"{model_id} writes no text."
    verb = "Reads your text" if text.given else "Hears"
    language = f" ({text.language})" if text.language else ""
    sure = f"{float(text.logprobs.mean()):.2f} mean log-probability per token"
    silence = f"; no-speech probability {text.no_speech:.0%}" if text.no_speech and text.no_speech > 0.3 else ""
    words = f"Word times: {session.timing}." if session.words else "No words were found."
    return f"**{verb}{language}:** {_plain(text.text) or '*nothing*'}\n\n{sure}{silence}. {words}"


def _plain(text: str) -> str:
    """Transcripts and names may hold anything; Markdown must show it as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-!|$&~" else letter for letter in text)


def _connect_links(
    page: gr.Blocks, shell: Shell, clip: _Clip, groups: gr.Tabs, inner: dict[str, gr.Tabs], tabs: list[Tab]
) -> None:
    resolved = gr.JSON(visible=False)

    def read(request: gr.Request) -> list[Any]:
        return read_link(dict(request.query_params), tabs)

    outputs = [shell.session, clip.example, clip.why, clip.model, clip.units, resolved, groups, *inner.values()]
    outputs += [control for tab in tabs for control in tab.controls.values()]
    loaded = page.load(toast(read), None, outputs, show_progress="hidden", api_visibility="private")
    loaded.then(None, [resolved], None, js="(link) => window.ism.opened(link.shared, link.options)")
    clip.follow(loaded)


def read_link(query: dict[str, str], tabs: list[Tab]) -> list[Any]:
    """What a link asks for, as updates of the whole page; unknown values are named and replaced by the defaults."""
    wrong: list[str] = []

    def pick(name: str, allowed: Any, default: Any) -> Any:
        value = query.get(name)
        if value is None or value in allowed:
            return value or default
        wrong.append(f"{name}={value[:40]}")
        return default

    key, model = pick("clip", EXAMPLES, FIRST), pick("model", models.MODELS, FIRST_MODEL)
    technique, units = pick("technique", TECHNIQUES, ""), pick("units", UNITS, "words")
    updates, options = [], {}
    for tab in tabs:
        values = {name: _option(control, query.get(name), wrong) for name, control in tab.controls.items()}
        mine = tab.name == technique
        updates += [type(c)(value=values[n]) if mine and n in query else gr.skip() for n, c in tab.controls.items()]
        options = {name: values[name] for name in tab.controls if name in query} if mine else options
    if wrong:
        gr.Warning(
            f"This link asks for something that is not here ({', '.join(wrong)}); the default is shown instead."
        )
    group = TECHNIQUES[technique][0] if technique else "start"
    shared = {"technique": technique, "model": model, "clip": key, "units": units}
    opened = [gr.Tabs(selected=technique) if its == group else gr.skip() for its in GROUPS]
    resolved = {"shared": shared, "options": options}
    return [
        sessions.from_example(key),
        key,
        EXAMPLES[key].why,
        model,
        units,
        resolved,
        gr.Tabs(selected=group),
        *opened,
        *updates,
    ]


def _option(control: Any, text: str | None, wrong: list[str]) -> Any:
    """One option of a link, checked against its control; the control's own value where the link is silent or wrong."""
    if text is None:
        return control.value
    if isinstance(control, gr.Slider):
        number = int(text) if text.lstrip("-").isdigit() else None
        value = number if number is not None and control.minimum <= number <= control.maximum else None
    elif isinstance(control, gr.Checkbox):
        value = {"true": True, "false": False}.get(text)
    else:
        value = text if text in [choice for _, choice in control.choices] else None
    if value is None:
        wrong.append(text[:40])
        return control.value
    return value


HEAD = f"<script>{(Path(__file__).parent / 'links.js').read_text(encoding='utf-8')}</script>"
STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def warm_up() -> None:
    """Compute what most visitors see first, in the background, so that it is there when they come."""

    def first_view() -> None:
        model = models.load_model(FIRST_MODEL)
        session, _ = sessions.heard(sessions.from_example(FIRST), model)
        for technique in (value_zeroing, attention):
            technique.analyse(session.clip, model, segments=session.segments("words"))

    threading.Thread(target=first_view, name="warm-up", daemon=True).start()
