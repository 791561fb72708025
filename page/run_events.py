"""The events of a technique's tab: run and stop, a change of the view, and the files to take away."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from methods.core import models
from methods.core.errors import UserError
from methods.core.progress import Step, Steps, finish
from methods.core.results import Result
from page.errors import toast
from page.export.downloads import download
from page.export.snippets import snippet
from page.recipe import Own, Recipe, Shell, Values
from page.session import Session
from page.top.clip_area import allowed_model, bounded, present
from page.top.corpus_area import with_corpus
from page.values import checked

UNFINISHED = "not complete: the rest is still being computed, or was stopped"
BREATH = 0.8  # s between answers without news: each costs the browser a tenth of a second, a phone more


def js_of(names: Iterable[str]) -> tuple[str, str]:
    """JavaScript arguments, and an object of them under these names.

    Arguments have names of their own: a control called `window` must not hide the browser's.
    """
    named = {name: f"$option{number}" for number, name in enumerate(names)}
    return ", ".join(named.values()), "{" + ", ".join(f"{name}: {value}" for name, value in named.items()) + "}"


@dataclass(frozen=True)
class Parts:
    recipe: Recipe
    name: str
    shell: Shell
    controls: dict[str, gr.components.Component]
    outputs: list[gr.components.Component]
    result: gr.State
    progress: gr.Markdown
    status: gr.Markdown
    code: gr.Code

    @property
    def drawn(self) -> list[gr.components.Component]:
        """Outputs of a run and of every change of the view."""
        return [self.result, *self.outputs, self.status, self.code]

    @property
    def asked(self) -> list[gr.components.Component]:
        """Inputs of a run: what is looked at, and how."""
        shell = self.shell
        return [shell.session, shell.corpus, shell.model, shell.units, *self.controls.values()]

    def named(self, values: Sequence[Any]) -> Values:
        return checked(self.controls, values)

    def steps(self, session: Session | None, corpus: Own, model_id: str, units: str, values: Values) -> Steps:
        session = with_corpus(present(session), corpus)
        return bounded(self.recipe.steps(session, models.load_model(allowed_model(model_id)), units, values))

    def link_js(self) -> str:
        """JavaScript that writes the values of all controls, by their names, into the link."""
        return f"window.ism.option('{self.name}', {js_of(self.controls)[1]})"

    def shown(self, result: Result, session: Session, values: Values) -> tuple:
        """The result, a value for each output, the status line, and the Python that makes the same."""
        values = self.recipe.fitted(result, values)
        lines = snippet(result, self.name, session, self.recipe.plot_options(result, values))
        doubt = [session.doubt] if session.doubt and "clip" in result.provenance else []
        status = " · ".join((self.recipe.status(result, values), *doubt))
        status = status if result.complete else f"{status} · {UNFINISHED}"
        return (result, *self.recipe.drawn(result, values), status, lines)

    def updates(self, result: Result, values: Values) -> tuple:
        ranges = self.recipe.ranges(result, self.recipe.fitted(result, values))
        return tuple(ranges.get(name, gr.skip()) for name in self.controls)


def connect_run(parts: Parts, run: gr.Button, stop: gr.Button) -> None:
    nothing = (gr.skip(),) * (len(parts.drawn) + len(parts.controls))

    def work(
        session: Session | None,
        corpus: Own,
        model_id: str,
        units: str,
        *values: Any,
        progress: Any = gr.Progress(),
    ) -> Generator:
        named, said = parts.named(values), -math.inf
        for step, result in watched(parts.steps(session, corpus, model_id, units, named)):
            progress(step.done, desc=step.text)
            if result is None and time.monotonic() - said > BREATH:
                said = time.monotonic()
                yield (*nothing, *run_and_stop(True))  # here a stopped run ends
            elif result is not None:
                yield (
                    *parts.shown(result, session, named),
                    *parts.updates(result, named),
                    *run_and_stop(step.done < 1),
                )

    event = run.click(
        toast(work),
        parts.asked,
        [*parts.drawn, *parts.controls.values(), run, stop],
        js=_noted(parts, parts.asked),
        concurrency_id="compute",
        concurrency_limit=1,
        show_progress_on=[parts.progress],
        api_visibility="private",
    )
    event.success(None, None, None, js=f"() => window.ism.done('{parts.name}')")
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    event.failure(lambda: run_and_stop(False), None, [run, stop], **quiet)
    stop.click(lambda: gr.Button(visible=False), None, [stop], cancels=[event], **quiet)  # the failure frees Run


def watched(steps: Steps) -> Generator[tuple[Step, Any], None, None]:
    """Each step with what can be shown by then; the last one is (all done, result)."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            yield Step(1.0, "done"), end.value
            return
        yield step, step.partial


def run_and_stop(busy: bool) -> tuple[gr.Button, gr.Button]:
    """The two buttons while something runs, and while nothing does."""
    return gr.Button(interactive=not busy), gr.Button(visible=busy)


def connect_views(parts: Parts) -> None:
    """Changing the view draws again; it runs nothing unless the result does not hold what is asked for."""
    again = [control for option, control in parts.controls.items() if option in parts.recipe.rerun]
    views = [control for option, control in parts.controls.items() if option not in parts.recipe.rerun]
    # One event for all controls, not one each: the browser looks through every event for every component.
    if again:
        js = f"({js_of(parts.controls)[0]}) => {{ {parts.link_js()}; return window.ism.again('{parts.name}'); }}"
        gr.on([control.input for control in again], None, list(parts.controls.values()), None, js=js)
    inputs = [parts.result, *parts.asked]
    drawing = {
        "fn": toast(_redraw(parts)),
        "inputs": inputs,
        "outputs": parts.drawn,
        "js": _noted(parts, inputs),
        "show_progress": "hidden",
        "show_progress_on": [parts.progress],
        "trigger_mode": "always_last",
        "concurrency_id": "views",
        "concurrency_limit": 2,
        "api_visibility": "private",
    }
    gr.on([control.input for control in views], **drawing)
    if parts.recipe.picked:
        _picks(parts).success(**drawing)


def _redraw(parts: Parts) -> Callable[..., tuple]:
    def redraw(result: Result | None, session: Session, corpus: Own, model_id: str, units: str, *values: Any) -> tuple:
        named = parts.named(values)
        if result is None:
            return (gr.skip(),) * len(parts.drawn)
        if not parts.recipe.covers(result, named):
            result = finish(parts.steps(session, corpus, model_id, units, named))
        return parts.shown(result, session, named)

    return redraw


def _picks(parts: Parts) -> gr.events.Dependency:
    """The event of a click on the first output, which sets controls; what follows is a change of the view."""
    names = parts.recipe.picked

    def picked(click: gr.EventData) -> list[Any]:
        # A click beside the map names no cell: then the controls stay as they are.
        found = [getattr(click, name, None) for name in names]
        return [gr.skip()] * len(names) if None in found else found

    return parts.outputs[0].select(
        picked,
        None,
        [parts.controls[name] for name in names],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _noted(parts: Parts, inputs: Sequence[Any]) -> str:
    """JavaScript that writes the controls, last of the inputs, into the link and hands everything on as it is."""
    before = [f"$before{number}" for number in range(len(inputs) - len(parts.controls))]
    names = ", ".join([*before, js_of(parts.controls)[0]])
    return f"({names}) => {{ {_numbers(parts)} {parts.link_js()}; return [{names}]; }}"


def _numbers(parts: Parts) -> str:
    """JavaScript that takes an emptied number box for what it held, as the box itself does when it is left."""
    sliders = [(at, name) for at, (name, made) in enumerate(parts.controls.items()) if isinstance(made, gr.Slider)]
    return " ".join(f"$option{at} = window.ism.number('{parts.name}', '{name}', $option{at});" for at, name in sliders)


def connect_files(parts: Parts, buttons: list[gr.Button]) -> None:
    event = gr.on(
        [button.click for button in buttons],
        toast(_saver(parts)),
        [parts.result, *parts.controls.values()],
        [parts.shell.saved],
        show_progress="hidden",
        api_visibility="private",
    )
    event.success(None, [parts.shell.saved], None, js="(file) => window.ism.save(file)")


def _saver(parts: Parts) -> Callable:
    def save(pressed: gr.EventData, result: Result, *values: Any) -> dict[str, str]:
        kind = pressed.target.elem_id.split("-", maxsplit=1)[0]
        if result is None:
            raise UserError("There is nothing to download yet; press “Run” first.")
        options = parts.recipe.plot_options(result, parts.recipe.fitted(result, parts.named(values)))
        figure = parts.recipe.module.plot(result, **options) if kind in ("svg", "png") else None
        return download(kind, parts.name, result, figure)

    return save
