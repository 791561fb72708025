"""The tab of a context-mixing technique: a map of words by words, its random-weights control, and a layer curve."""

import html
import io
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import gradio as gr
from matplotlib.figure import Figure

from methods.core import draw, mixing, models
from methods.core.errors import UserError
from methods.core.mixing import STACK_TITLES, View
from methods.core.results import Step, Steps, finish
from page import sound_plot
from page.clip_area import allowed_model, present
from page.downloads import download
from page.errors import toast
from page.session import Session
from page.snippets import snippet
from page.sound_plot import SoundPlot

MOST_LAYERS, MOST_HEADS = 48, 32  # whisper-large has 32 and 20; the server checks calls against these
MEAN = "mean over heads"
SHARES, RAW = "shares of the row", "raw values"
LEVELS = [("words or phones", "segments"), ("single frames, this layer", "frames")]
PROMPT = [("leave out", "no"), ("show", "yes")]
GATHER = [("per frame (intensity)", "frame"), ("total (mass)", "mass")]
STACKS = [(title, stack) for stack, title in STACK_TITLES.items()]


@dataclass(frozen=True)
class Shell:
    """What every tab needs from the page around it."""

    session: gr.State
    model: gr.Dropdown
    units: gr.Radio
    saved: gr.JSON  # a file on its way to the browser
    link_base: gr.Textbox  # the Space's address, empty elsewhere


@dataclass(frozen=True)
class Tab:
    """What the page needs from a tab: its name, and the controls that a link carries."""

    name: str
    controls: dict[str, gr.components.Component]
    run: gr.Button

    def option_js(self) -> str:
        """JavaScript arguments and object for the values of all controls."""
        return ", ".join(self.controls), "{" + ", ".join(self.controls) + "}"


def read_options(values: dict[str, Any]) -> dict[str, Any]:
    """Control values -> keyword arguments of the technique's `view` and `plot`."""
    options = {"stack": values["stack"], "layer": int(values["layer"]), "shares": values["show"] == SHARES}
    options["prompt"] = values["prompt"] == "yes"
    if "head" in values:
        options["head"] = None if values["head"] == MEAN else int(values["head"])
        options["per"] = values["per"]
    return options


def mixing_tab(module: ModuleType, shell: Shell, *, by_head: bool) -> Tab:
    """Lay out a tab and connect it."""
    name = module.__name__.rsplit(".", 1)[-1]
    question, explanation = module.__doc__.strip().split("\n\n", 1)
    gr.Markdown(f"### {question.strip('*')}", elem_classes="question")
    controls = _controls(by_head)
    with gr.Row(elem_classes="run-row"):
        run = gr.Button("Run", variant="primary", elem_id=f"run-{name}", scale=0, min_width=120)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id=f"stop-{name}", scale=0, min_width=120)
    status = gr.Markdown("", elem_id=f"status-{name}", elem_classes="status")
    result = gr.State(None)
    plot = SoundPlot(elem_id=f"plot-{name}")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            gr.Markdown("#### Is this real? Trained against random weights, layer by layer")
            curve = gr.HTML(elem_id=f"curve-{name}")
        with gr.Column(min_width=300):
            gr.Markdown(explanation, elem_classes="reading")
    parts = _Parts(module, name, controls, result, plot, curve, status)
    _connect_run(parts, shell, run, stop)
    _connect_views(parts, shell)
    _connect_files(parts, shell)
    return Tab(name, controls, run)


def _controls(by_head: bool) -> dict[str, gr.components.Component]:
    """The controls by the names that links use."""
    controls: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        controls["stack"] = gr.Radio(
            STACKS, value="encoder", label="Which attention", interactive=True, min_width=260, scale=2
        )
        controls["layer"] = gr.Slider(1, MOST_LAYERS, value=3, step=1, label="Layer", interactive=True, min_width=160)
        if by_head:
            heads = [MEAN, *(str(head) for head in range(1, MOST_HEADS + 1))]
            controls["head"] = gr.Dropdown(heads, value=MEAN, label="Head", interactive=True, min_width=160)
    with gr.Row(elem_classes="controls"):
        controls["show"] = gr.Radio([SHARES, RAW], value=SHARES, label="Show", interactive=True, min_width=220)
        if by_head:
            controls["per"] = gr.Radio(GATHER, value="frame", label="Gather by", interactive=True, min_width=260)
            controls["level"] = gr.Radio(LEVELS, value="segments", label="Level", interactive=True, min_width=260)
        controls["prompt"] = gr.Radio(PROMPT, value="no", label="Prompt tokens", interactive=True, min_width=180)
    return controls


@dataclass(frozen=True)
class _Parts:
    module: ModuleType
    name: str
    controls: dict[str, gr.components.Component]
    result: gr.State
    plot: SoundPlot
    curve: gr.HTML
    status: gr.Markdown

    def named(self, values: tuple) -> dict[str, Any]:
        return dict(zip(self.controls, values, strict=True))

    def fitted(self, result: Any, values: dict[str, Any]) -> dict[str, Any]:
        """The control values, within what this model has."""
        shape = next(m.shape for m in (result.encoder, result.decoder, result.cross) if m is not None)
        values = dict(values, layer=min(int(values["layer"]), shape[0]))
        if not result.tokens:  # a model without a decoder
            values["stack"] = "encoder"
        if "head" in values and values["head"] != MEAN and int(values["head"]) > shape[1]:
            values["head"] = MEAN
        return values

    def drawn(self, result: Any, values: dict[str, Any]) -> tuple[dict, str, str]:
        """Plot, curve and one line of text for a result."""
        options = read_options(self.fitted(result, values))
        view = self.module.view(result, **options)
        return mixing_plot(view, result), curve_html(view), status_line(view, result, options)


def _steps(parts: _Parts, session: Session | None, model_id: str, units: str, values: dict[str, Any]) -> Steps:
    """The work behind a tab, for what its controls ask."""
    session = present(session)
    model, options = models.load_model(allowed_model(model_id)), {}
    segments = session.segments(units) or None
    if values.get("level") == "frames":
        segments = mixing.single_frames(session.clip, model)
        options["layers"] = (min(int(values["layer"]), models.layer_count(model)),)
        options["stacks"] = (values["stack"],)
    return parts.module.analyse_in_steps(session.clip, model, segments=segments, transcript=session.text, **options)


def _connect_run(parts: _Parts, shell: Shell, run: gr.Button, stop: gr.Button) -> None:
    def work(
        session: Session | None, model_id: str, units: str, *values: Any, progress: Any = gr.Progress()
    ) -> Generator:
        named = parts.named(values)
        for step, result in watched(_steps(parts, session, model_id, units, named)):
            progress(step.done, desc=step.text)
            if result is None:
                yield (*[gr.skip()] * 6, *_busy(True))
            else:
                yield (result, *parts.drawn(result, named), *_ranges(result, named), *_busy(step.done < 1))

    event = run.click(
        toast(work),
        [shell.session, shell.model, shell.units, *parts.controls.values()],
        [
            parts.result,
            parts.plot,
            parts.curve,
            parts.status,
            parts.controls["layer"],
            parts.controls["stack"],
            run,
            stop,
        ],
        concurrency_id="compute",
        concurrency_limit=1,
        show_progress_on=[parts.status],
        api_visibility="private",
    )
    event.success(None, None, None, js=f"() => window.ism.done('{parts.name}')")
    for hook in (event.then, event.failure):  # .then does not run after an error
        hook(lambda: _busy(False), None, [run, stop], show_progress="hidden", api_visibility="private")
    stop.click(
        lambda: _busy(False), None, [run, stop], cancels=[event], show_progress="hidden", api_visibility="private"
    )


def watched(steps: Steps) -> Generator[tuple[Step, Any], None, None]:
    """Each step with what can be shown by then; the last one is (all done, result)."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            yield Step(1.0, "done"), end.value
            return
        yield step, step.partial


def _busy(busy: bool) -> tuple[gr.Button, gr.Button]:
    return gr.Button(interactive=not busy), gr.Button(visible=busy)


def _ranges(result: Any, values: dict[str, Any]) -> tuple[gr.Slider, gr.Radio]:
    """The layers and attentions that this model has."""
    layers = next(m.shape[0] for m in (result.encoder, result.decoder, result.cross) if m is not None)
    slider = gr.Slider(maximum=layers, value=min(int(values["layer"]), layers))
    return slider, gr.Radio(
        STACKS if result.tokens else STACKS[:1], value=values["stack"] if result.tokens else "encoder"
    )


def _covers(result: Any, values: dict[str, Any]) -> bool:
    """Whether a result already holds what the controls ask for."""
    single = result.provenance["options"].get("layers")
    if (values.get("level") == "frames") != (single is not None):
        return False
    return single is None or (single == [int(values["layer"])] and getattr(result, values["stack"]) is not None)


def _connect_views(parts: _Parts, shell: Shell) -> None:
    """Changing the view draws again. Only single frames of another layer are gathered anew, from the kept pass."""

    def redraw(result: Any, session: Session, model_id: str, units: str, *values: Any) -> tuple:
        named = parts.named(values)
        if result is None:
            return (gr.skip(),) * 4
        if not _covers(result, named):
            result = finish(_steps(parts, session, model_id, units, named))
        return result, *parts.drawn(result, named)

    inputs = [parts.result, shell.session, shell.model, shell.units, *parts.controls.values()]
    for option, control in parts.controls.items():
        control.input(
            toast(redraw),
            inputs,
            [parts.result, parts.plot, parts.curve, parts.status],
            show_progress="hidden",
            trigger_mode="always_last",
            concurrency_id="views",
            concurrency_limit=2,
            api_visibility="private",
        )
        js = f"(value) => window.ism.option('{parts.name}', {{{option}: value}})"
        control.change(None, [control], None, js=js)


def _connect_files(parts: _Parts, shell: Shell) -> None:
    with gr.Row(elem_classes="files"):
        link = gr.Button("Copy link", size="sm", elem_id=f"link-{parts.name}", min_width=90)
        buttons = {
            kind: gr.Button(kind.upper(), size="sm", elem_id=f"{kind}-{parts.name}", min_width=60)
            for kind in ("csv", "npz", "svg", "png")
        }
    with gr.Accordion("Python that makes these numbers again", open=False):
        code = gr.Code("Run first.", language="python", interactive=False, elem_id=f"snippet-{parts.name}")
    copied = gr.Markdown("", elem_id=f"copied-{parts.name}", elem_classes="quiet")
    link.click(None, [shell.link_base], [copied], js="(base) => window.ism.copy(base)")
    for kind, button in buttons.items():
        event = button.click(
            toast(_saver(parts, kind)),
            [parts.result, *parts.controls.values()],
            [shell.saved],
            show_progress="hidden",
            api_visibility="private",
        )
        event.success(None, [shell.saved], None, js="(file) => window.ism.save(file)")

    def lines(result: Any, session: Session, *values: Any) -> str:
        if result is None:
            return "Run first."
        return snippet(result, parts.name, session, read_options(parts.fitted(result, parts.named(values))))

    inputs = [parts.result, shell.session, *parts.controls.values()]
    parts.status.change(toast(lines), inputs, code, show_progress="hidden", api_visibility="private")


def _saver(parts: _Parts, kind: str) -> Callable:
    def save(result: Any, *values: Any) -> dict[str, str]:
        if result is None:
            raise UserError("There is nothing to download yet; press “Run” first.")
        options = read_options(parts.fitted(result, parts.named(values)))
        figure = parts.module.plot(result, **options) if kind in ("svg", "png") else None
        return download(kind, parts.name, result, figure)

    return save


def mixing_plot(view: View, result: Any) -> dict[str, Any]:
    """The map and its control as rows over the clip's time axis, or as grids where columns are tokens."""
    row = sound_plot.grid_row if view.columns[0].start is None else sound_plot.matrix_row
    rows_read = [_named(place) for place in view.rows]
    columns = [_named(place) for place in view.columns]
    common = {"unit": view.unit, "vmax": view.top, "decimals": 3 if view.top > 0.01 else 6}
    rows = [row(view.values, rows_read, columns, title=f"Trained, layer {view.layer}: {view.title}", **common)]
    if view.control is not None:
        title = f"Control, layer {view.layer}: random weights, mean of {view.seeds} seeds"
        rows.append(row(view.control, rows_read, columns, title=title, scale="oranges", **common))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, view.summary, clip=origin["clip_sha256"])


def _named(place: Any) -> Any:
    return place.label if place.start is None else (place.label, place.start, place.end)


def curve_html(view: View) -> str:
    """The layer curve as inline SVG in the page's own colours, with its main result as text for screen readers."""
    figure = Figure(figsize=(4.6, 2.5), layout="constrained")
    ink = "#010203"  # a colour that nothing else has: it becomes the page's own text colour below
    draw.layer_curve(figure.subplots(), view, ink=ink)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    picture = buffer.getvalue()
    picture = picture[picture.index("<svg") :].replace(ink, "currentColor")
    label = html.escape(view.summary, quote=True)
    return picture.replace("<svg ", f'<svg role="img" aria-label="{label}" class="curve" ', 1)


def status_line(view: View, result: Any, options: dict[str, Any]) -> str:
    """What is on screen, in one line: model, time, and what was left out."""
    parts = [f"**{result.provenance['model']}**, layer {view.layer}"]
    padding = getattr(result, f"{options['stack']}_padding", None)
    if padding is not None and padding.any():
        heads = padding[view.layer - 1]
        chosen = heads if options["head"] is None else heads[options["head"] - 1 : options["head"]]
        parts.append(f"padding mass {chosen.mean():.0%} (attention that falls on the silence after the clip)")
    if not view.seeds:
        parts.append("the random-weights control is being computed …")
    if options["stack"] != "encoder":
        given = "the text you gave" if result.provenance["options"]["transcript_given"] else "what the model wrote"
        parts.append(f"decoder reads {given}; the state at a token writes the next one")
    return " · ".join(parts)
