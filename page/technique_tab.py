"""What every technique's tab shares: run and stop, drawing again, links, downloads, and the Python snippet.

A tab is described by a `Recipe`: its controls, its outputs, and four functions that know the technique. Everything
else is here once. See `mixing_tab.py` for the shortest complete example.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import gradio as gr

from methods.core import models
from methods.core.articulation import Articulation
from methods.core.corpus import Corpus
from methods.core.errors import UserError
from methods.core.network import SpeechModel
from methods.core.results import Step, Steps, finish
from page.clip_area import allowed_model, present
from page.corpus_area import with_corpus
from page.downloads import download
from page.errors import toast
from page.session import Session
from page.snippets import snippet

KINDS = ("csv", "npz", "svg", "png")
Values = dict[str, Any]
Own = Corpus | Articulation | None  # the visitor's own recordings


@dataclass(frozen=True)
class Shell:
    """What every tab needs from the page around it."""

    session: gr.State
    model: gr.Dropdown
    units: gr.Radio
    corpus: gr.State  # the visitor's own recordings, or None
    saved: gr.JSON  # a file on its way to the browser
    link_base: gr.Textbox  # the Space's address, empty elsewhere


@dataclass(frozen=True)
class Tab:
    """What the page needs from a tab: its name, and the controls that a link carries."""

    name: str
    controls: dict[str, gr.components.Component]

    def option_js(self) -> tuple[str, str]:
        """JavaScript arguments and object for the values of all controls."""
        return _js(self.controls)


def _js(names: Iterable[str]) -> tuple[str, str]:
    """JavaScript arguments, and an object of them under these names.

    Arguments have names of their own: a control called `window` must not hide the browser's.
    """
    named = {name: f"$option{number}" for number, name in enumerate(names)}
    return ", ".join(named.values()), "{" + ", ".join(f"{name}: {value}" for name, value in named.items()) + "}"


@dataclass(frozen=True)
class Recipe:
    """How one technique is run and shown. `values` are its controls' values by name."""

    module: ModuleType
    controls: Callable[[], dict[str, gr.components.Component]]  # lays out the controls; names are those in links
    outputs: Callable[[], Sequence[gr.components.Component]]  # lays out what is drawn
    steps: Callable[[Session, SpeechModel, str, Values], Steps]  # the work: session, model, units, values
    drawn: Callable[[Any, Values], Sequence[Any]]  # result, values -> a value for each of the outputs
    status: Callable[[Any, Values], str]  # one line of Markdown: what is on screen, and what was left out
    plot_options: Callable[[Any, Values], Values]  # keyword arguments of the module's `plot`
    fitted: Callable[[Any, Values], Values] = lambda result, values: values  # values within what this model has
    ranges: Callable[[Any, Values], dict[str, Any]] = lambda result, values: {}  # control -> its update after a run
    covers: Callable[[Any, Values], bool] = lambda result, values: True  # False: another value needs another run
    rerun: tuple[str, ...] = field(default=())  # controls whose change starts the whole run, with progress and Stop


def technique_tab(recipe: Recipe, shell: Shell) -> Tab:
    """Lay out a tab and connect it."""
    name = recipe.module.__name__.rsplit(".", 1)[-1]
    question, explanation = recipe.module.__doc__.strip().split("\n\n", 1)
    gr.Markdown(f"### {question.strip('*')}", elem_classes="question")
    controls = recipe.controls()
    with gr.Row(elem_classes="run-row"):
        run = gr.Button("Run", variant="primary", elem_id=f"run-{name}", scale=0, min_width=120)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id=f"stop-{name}", scale=0, min_width=120)
    status = gr.Markdown("", elem_id=f"status-{name}", elem_classes="status")
    outputs = list(recipe.outputs())
    gr.Markdown(explanation, elem_classes="reading")
    parts = _Parts(recipe, name, shell, controls, outputs, gr.State(None), status)
    _connect_run(parts, run, stop)
    _connect_views(parts)
    _connect_files(parts)
    return Tab(name, controls)


@dataclass(frozen=True)
class _Parts:
    recipe: Recipe
    name: str
    shell: Shell
    controls: dict[str, gr.components.Component]
    outputs: list[gr.components.Component]
    result: gr.State
    status: gr.Markdown

    @property
    def asked(self) -> list[gr.components.Component]:
        """Inputs of a run: what is looked at, and how."""
        shell = self.shell
        return [shell.session, shell.corpus, shell.model, shell.units, *self.controls.values()]

    def named(self, values: Sequence[Any]) -> Values:
        return dict(zip(self.controls, values, strict=True))

    def steps(self, session: Session | None, corpus: Own, model_id: str, units: str, values: Values) -> Steps:
        session = with_corpus(present(session), corpus)
        return self.recipe.steps(session, models.load_model(allowed_model(model_id)), units, values)

    def link_js(self) -> str:
        """JavaScript that writes the values of all controls, by their names, into the link."""
        return f"window.ism.option('{self.name}', {_js(self.controls)[1]})"

    def shown(self, result: Any, values: Values) -> tuple:
        """A value for each output, and the status line."""
        values = self.recipe.fitted(result, values)
        return (*self.recipe.drawn(result, values), self.recipe.status(result, values))

    def updates(self, result: Any, values: Values) -> tuple:
        ranges = self.recipe.ranges(result, self.recipe.fitted(result, values))
        return tuple(ranges.get(name, gr.skip()) for name in self.controls)


def _connect_run(parts: _Parts, run: gr.Button, stop: gr.Button) -> None:
    nothing = (gr.skip(),) * (2 + len(parts.outputs) + len(parts.controls))

    def work(
        session: Session | None,
        corpus: Own,
        model_id: str,
        units: str,
        *values: Any,
        progress: Any = gr.Progress(),
    ) -> Generator:
        named = parts.named(values)
        for step, result in watched(parts.steps(session, corpus, model_id, units, named)):
            progress(step.done, desc=step.text)
            if result is None:
                yield (*nothing, *_busy(True))
            else:
                drawn = (result, *parts.shown(result, named), *parts.updates(result, named))
                yield (*drawn, *_busy(step.done < 1))

    event = run.click(
        toast(work),
        parts.asked,
        [parts.result, *parts.outputs, parts.status, *parts.controls.values(), run, stop],
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


def _connect_views(parts: _Parts) -> None:
    """Changing the view draws again; it runs nothing unless the result does not hold what is asked for."""

    def redraw(result: Any, session: Session, corpus: Own, model_id: str, units: str, *values: Any) -> tuple:
        named = parts.named(values)
        if result is None:
            return (gr.skip(),) * (2 + len(parts.outputs))
        if not parts.recipe.covers(result, named):
            result = finish(parts.steps(session, corpus, model_id, units, named))
        return result, *parts.shown(result, named)

    again = [control for option, control in parts.controls.items() if option in parts.recipe.rerun]
    views = [control for option, control in parts.controls.items() if option not in parts.recipe.rerun]
    # One event for all controls, not one each: the browser looks through every event for every component.
    if again:
        js = f"({_js(parts.controls)[0]}) => {{ {parts.link_js()}; return window.ism.again('{parts.name}'); }}"
        gr.on([control.input for control in again], None, list(parts.controls.values()), None, js=js)
    gr.on(
        [control.input for control in views],
        toast(redraw),
        [parts.result, *parts.asked],
        [parts.result, *parts.outputs, parts.status],
        js=_noted(parts),
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_id="views",
        concurrency_limit=2,
        api_visibility="private",
    )


def _noted(parts: _Parts) -> str:
    """JavaScript that writes the controls into the link and hands everything on as it is."""
    before = [f"$before{number}" for number in range(1 + len(parts.asked) - len(parts.controls))]
    names = ", ".join([*before, _js(parts.controls)[0]])
    return f"({names}) => {{ {parts.link_js()}; return [{names}]; }}"


def _connect_files(parts: _Parts) -> None:
    with gr.Row(elem_classes="files"):
        link = gr.Button("Copy link", size="sm", elem_id=f"link-{parts.name}", min_width=90)
        buttons = {k: gr.Button(k.upper(), size="sm", elem_id=f"{k}-{parts.name}", min_width=60) for k in KINDS}
    copied = gr.Markdown("", elem_id=f"copied-{parts.name}", elem_classes="quiet")
    with gr.Accordion("Python that makes these numbers again", open=False):
        code = gr.Code("Run first.", language="python", interactive=False, elem_id=f"snippet-{parts.name}")
    link.click(None, [parts.shell.link_base], [copied], js="(base) => window.ism.copy(base)")
    event = gr.on(
        [button.click for button in buttons.values()],
        toast(_saver(parts)),
        [parts.result, *parts.controls.values()],
        [parts.shell.saved],
        show_progress="hidden",
        api_visibility="private",
    )
    event.success(None, [parts.shell.saved], None, js="(file) => window.ism.save(file)")

    def lines(result: Any, session: Session, *values: Any) -> str:
        if result is None:
            return "Run first."
        options = parts.recipe.plot_options(result, parts.recipe.fitted(result, parts.named(values)))
        return snippet(result, parts.name, session, options)

    inputs = [parts.result, parts.shell.session, *parts.controls.values()]
    parts.status.change(toast(lines), inputs, code, show_progress="hidden", api_visibility="private")


def _saver(parts: _Parts) -> Callable:
    def save(pressed: gr.EventData, result: Any, *values: Any) -> dict[str, str]:
        kind = pressed.target.elem_id.split("-", maxsplit=1)[0]
        if result is None:
            raise UserError("There is nothing to download yet; press “Run” first.")
        options = parts.recipe.plot_options(result, parts.recipe.fitted(result, parts.named(values)))
        figure = parts.recipe.module.plot(result, **options) if kind in ("svg", "png") else None
        return download(kind, parts.name, result, figure)

    return save
