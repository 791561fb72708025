"""The events of a technique's tab: run and stop, and a change of the view."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Work
from methods.core.results import Result
from page.beside.partner import choices
from page.beside.side import UNTOUCHED, Side, Turns, outdated
from page.errors import toast
from page.export.snippets import snippet
from page.recipe import Own, Recipe, Shell, Values
from page.runs.machine import MACHINE, Held, Visitor
from page.runs.question import named as part_of_key
from page.runs.watching import Seen
from page.session import Session, present
from page.top.corpus_area import with_corpus
from page.values import checked

UNFINISHED = "not complete: the rest is still being computed, or was stopped"
INVITATION = "Press “Run”: this goes through all recordings{}. Nothing is computed before you ask for it."
STOPPED = "Stopped before there was anything to see; “Run” begins again."
GONE = "This result had to make room for others on this shared machine; press “Run” to have it again."


def js_of(names: Iterable[str]) -> tuple[str, str]:
    """JavaScript arguments, and an object of them under these names.

    Arguments have names of their own: a control called `window` must not hide the browser's.
    """
    named = {name: f"$option{number}" for number, name in enumerate(names)}
    return ", ".join(named.values()), "{" + ", ".join(f"{name}: {value}" for name, value in named.items()) + "}"


@dataclass
class View:
    """What one visitor's controls say now, while a run goes on that was begun with other values."""

    values: Values = field(default_factory=dict)
    besides: Turns = field(default_factory=Turns)  # of what is set beside the view
    answered: bool = True  # whether what is on screen is of the question asked last


@dataclass(frozen=True)
class Parts:
    recipe: Recipe
    name: str
    shell: Shell
    controls: dict[str, gr.components.Component]
    outputs: list[gr.components.Component]
    area: gr.Column  # that the outputs lie in; pale while they are of another question than the one being computed
    result: gr.State  # `Held`, or None
    view: gr.State
    unasked: gr.Checkbox  # set by the page's script when it presses Run by itself
    progress: gr.Markdown
    status: gr.Markdown
    code: gr.Code
    side: Side  # what stands beside the view

    @property
    def drawn(self) -> list[gr.components.Component]:
        """Outputs of a run and of every change of the view."""
        return [self.result, *self.outputs, self.status, self.code]

    @property
    def adjusted(self) -> list[gr.components.Component]:
        """What is given new ranges once it is known what a model has."""
        return [*self.controls.values(), self.side.partner]

    @property
    def asked(self) -> list[gr.components.Component]:
        """Inputs of a run: what is looked at, and how."""
        shell = self.shell
        looked_at = [shell.session, shell.corpus, shell.model, shell.units]
        return [self.view, self.unasked, *looked_at, *self.controls.values()]

    def named(self, values: Sequence[Any]) -> Values:
        return checked(self.controls, values)

    def question(self, session: Session | None, corpus: Own, model_id: str, units: str, *values: Any) -> "Question":
        return Question(self, session, corpus, model_id, units, self.named(values))

    def link_js(self) -> str:
        """JavaScript that writes the values of all controls, by their names, into the link."""
        return f"window.ism.option('{self.name}', {js_of(self.controls)[1]})"

    async def shown(self, held: Held, version: int, session: Session, values: Values) -> tuple:
        """A value for each of `drawn`: what a result looks like, and the Python that makes the same."""
        result = held.found
        if result is None:
            raise UserError(GONE)
        values = self.recipe.fitted(result, values)
        seen = (self.name, held.key, -1 if result.complete else version, part_of_key(values))
        drawn, status = await MACHINE.drawings.shared(seen, lambda: self._picture(result, values))
        options = self.recipe.plot_options(result, values)
        lines = await MACHINE.drawings.looked_up(snippet, result, self.name, session, options)
        doubt = [session.doubt] if session.doubt and "clip" in result.provenance else []
        return (held, *drawn, " · ".join((status, *doubt)), lines)

    def _picture(self, result: Result, values: Values) -> tuple[Sequence[Any], str]:
        status = self.recipe.status(result, values)
        return self.recipe.drawn(result, values), status if result.complete else f"{status} · {UNFINISHED}"

    def updates(self, held: Held, values: Values) -> tuple:
        """The controls' new ranges, once it is known what the model has."""
        result = held.found
        if result is None:
            return (gr.skip(),) * len(self.adjusted)
        ranges = self.recipe.ranges(result, self.recipe.fitted(result, values))
        partners = gr.Dropdown(choices(self.controls, self.recipe.over_corpora, ranges)) if ranges else gr.skip()
        return (*(ranges.get(name, gr.skip()) for name in self.controls), partners)


@dataclass(frozen=True)
class Question:
    """What one visitor asks of a tab."""

    parts: Parts
    session: Session | None
    corpus: Own
    model_id: str
    units: str
    values: Values

    async def work(self, visitor: Visitor) -> tuple[Hashable, Work]:
        """The work that answers it, and its key. The model is waited for beside the turns."""
        model = await visitor.model(self.model_id)
        return await visitor.asked(lambda: self._work(model))

    def _work(self, model: SpeechModel) -> Work:
        session = with_corpus(present(self.session), self.corpus)
        return self.parts.recipe.steps(session, model, self.units, self.values)


def connect_run(parts: Parts, run: gr.Button, stop: gr.Button, also: Sequence[gr.events.Dependency] = ()) -> None:
    """What the buttons do; `also` names events of other runs that Stop ends."""
    event = run.click(
        toast(_runner(parts)),
        parts.asked,
        [*parts.drawn, *parts.adjusted, run, stop, parts.area, *parts.side.answers],
        js=_noted(parts, parts.asked, f"window.ism.begins('{parts.name}');"),
        concurrency_id="runs",
        concurrency_limit=None,  # `Turns` says who computes; whoever waits costs nothing
        show_progress_on=[parts.progress],
        api_visibility="private",
    )
    event.success(None, None, None, js=f"() => window.ism.done('{parts.name}')")
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    event.failure(lambda: run_and_stop(False), None, [run, stop], **quiet)
    stop.click(_stopped, [parts.view, parts.result], [stop, parts.status], cancels=[event, *also], **quiet)


def _stopped(view: View, held: Held | None) -> tuple[gr.Button, Any]:
    """Stop hides itself (the run's failure frees Run); a run that has shown nothing yet ends in a sentence."""
    before = "" if held is None else " What is still seen here, and in the files, is of the run before."
    return gr.Button(visible=False), gr.skip() if view.answered else f"{STOPPED}{before}"


def _runner(parts: Parts) -> Callable[..., AsyncGenerator[tuple, None]]:
    begun = [*parts.drawn, *parts.adjusted]

    async def work(
        request: gr.Request, view: View, unasked: bool, *asked: Any, progress: Any = gr.Progress()
    ) -> AsyncGenerator[tuple, None]:
        question = parts.question(*asked)
        stale = parts.status if not view.answered else None  # “Stopped before …” is no longer so
        view.values, view.answered = question.values, False
        nothing = ("" if each is stale else gr.skip() for each in begun)
        # Over recordings nothing may come of a run that nobody asked for: then what is there stays the answer.
        sure = not (unasked and parts.recipe.over_corpora)
        yield (*nothing, *run_and_stop(True), pale(sure), *(outdated() if sure else UNTOUCHED))
        visitor = Visitor(str(request.session_hash), lambda text: progress(0, desc=text))
        key, job = await question.work(visitor)
        if unasked and parts.recipe.over_corpora and not MACHINE.turns.is_ready(key):
            view.answered = True
            yield (*_invited(parts, job), *run_and_stop(False), gr.skip(), *UNTOUCHED)
            return
        held = Held(key)
        async with contextlib.aclosing(visitor.follows(key, job)) as run:
            async for seen in run:
                progress(seen.news.step.done, desc=seen.text)
                if seen.new:
                    yield await _seen(question, held, seen, view)

    return work


async def _seen(question: Question, held: Held, seen: Seen, view: View) -> tuple:
    """What there is to see now, drawn with what the controls say now."""
    parts, session = question.parts, question.session
    shown = await parts.shown(held, seen.news.version, session, view.values)
    view.answered, buttons = True, run_and_stop(not seen.news.ended)
    return (*shown, *parts.updates(held, view.values), *buttons, pale(False), *UNTOUCHED)


def _invited(parts: Parts, job: Work) -> tuple:
    seconds = MACHINE.turns.experience.expected(job.name)
    how_long = "" if seconds is None else f" (about {max(seconds, 1):.0f} s when nobody else computes)"
    told = {parts.status: INVITATION.format(how_long)}
    return tuple(told.get(each, gr.skip()) for each in (*parts.drawn, *parts.adjusted))


def run_and_stop(busy: bool) -> tuple[gr.Button, gr.Button]:
    """The two buttons while something runs, and while nothing does."""
    return gr.Button(interactive=not busy), gr.Button(visible=busy)


def pale(pending: bool) -> gr.Column:
    """The area of the outputs while what it shows is no answer to what was asked last, and afterwards."""
    return gr.Column(elem_classes=["shown", "pale"] if pending else ["shown"])


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
        "concurrency_limit": None,  # one thread draws, whoever waits for it
        "api_visibility": "private",
    }
    drawn = [gr.on([control.input for control in views], **drawing)]
    if parts.recipe.picked:
        drawn.append(_picks(parts).success(**drawing))
    for event in drawn:
        event.success(None, None, None, js=f"() => window.ism.besideAgain('{parts.name}')")
    # The first that is to be seen of a run: what stands beside it need not wait for the rest.
    parts.status.change(None, None, None, js=f"() => window.ism.told('{parts.name}')")


def _redraw(parts: Parts) -> Callable[..., Any]:
    async def redraw(request: gr.Request, held: Held | None, view: View, _unasked: bool, *asked: Any) -> tuple:
        question = parts.question(*asked)
        view.values = question.values
        if held is None:
            return (gr.skip(),) * len(parts.drawn)
        result = held.found
        if result is None or not parts.recipe.covers(result, question.values):
            visitor = Visitor(str(request.session_hash))
            key, job = await question.work(visitor)
            await visitor.result(key, job)
            held = Held(key)
        version = MACHINE.turns.version(held.key)
        return await parts.shown(held, version, question.session, question.values)

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


def _noted(parts: Parts, inputs: Sequence[Any], first: str = "") -> str:
    """JavaScript that writes the controls, last of the inputs, into the link and hands everything on as it is."""
    before = [f"$before{number}" for number in range(len(inputs) - len(parts.controls))]
    handed = [f"window.ism.wasUnasked('{parts.name}')" if each is parts.unasked else name
              for name, each in zip(before, inputs, strict=False)]  # fmt: skip
    options = [js_of(parts.controls)[0]] if parts.controls else []
    names, values = ", ".join([*before, *options]), ", ".join([*handed, *options])
    return f"({names}) => {{ {first} {_numbers(parts)} {parts.link_js()}; return [{values}]; }}"


def _numbers(parts: Parts) -> str:
    """JavaScript that takes an emptied number box for what it held, as the box itself does when it is left."""
    sliders = [(at, name) for at, (name, made) in enumerate(parts.controls.items()) if isinstance(made, gr.Slider)]
    return " ".join(f"$option{at} = window.ism.number('{parts.name}', '{name}', $option{at});" for at, name in sliders)


def result_of(held: Held) -> Any:
    """The result that a visitor looks at, or a sentence if it is not kept any more."""
    found = held.found
    if found is None:
        raise UserError(GONE)
    return found
