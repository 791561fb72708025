"""The second result beside a view: asked for, followed, and shown with the first on one scale."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from methods.core.errors import OutOfTimeError, UserError
from methods.core.results import Result
from page.beside.layout import ways_to
from page.beside.partner import NOTHING, caption, changed_clip, changed_model, changed_values, said
from page.beside.scales import Drawn, is_plot, pair
from page.beside.side import AREA, MINUS, SIDES, WAITS, Beside, Turn, outdated
from page.errors import toast
from page.export.snippets import snippet
from page.recipe import Values
from page.runs.machine import MACHINE, Held, Visitor
from page.runs.question import named as part_of_key
from page.runs.watching import Seen
from page.session import Session, present
from page.top.clip_area import listened_to
from page.top.clip_view import sound_of
from page.top.trail import Trail
from page.widgets.sound_plot import SoundPlot

if TYPE_CHECKING:
    from page.run_events import Parts, Question, View

FIRST_RUN = "Nothing to stand beside yet: press “Run” first."
UNENDED = "This side ended before it was complete; choose again what to set beside, or press “Run”."
DIFFERENCE = "#### Left minus right: {} minus {}"
NO_DIFFERENCE = (
    "There is no difference to draw: the sides share no rows, columns or curves by name, or are equal there."
)


def connect_side(parts: Parts, stop: gr.Button) -> gr.events.Dependency:
    """Run the partner when it is chosen, and again when the first result has changed. Returns the event to cancel."""
    name, side = parts.name, parts.side
    quiet = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    event = gr.on(
        [side.partner.input, side.again.click],
        toast(_runner(parts)),
        [side.partner, parts.shell.trail, *parts.asked],
        [*parts.outputs, *side.drawn, parts.code, stop],
        # What the menu says, and not what a link has asked for: that may be refused.
        js=f"(partner, ...asked) => {{ window.ism.setBeside('{name}', partner); return [partner, ...asked]; }}",
        concurrency_id="runs",
        concurrency_limit=None,
        trigger_mode="multiple",  # a newer choice overtakes the one before
        show_progress_on=[side.progress],
        api_visibility="private",
    )
    event.failure(_unended, [parts.view], [side.told], **quiet)  # also what a cancel ends in
    side.told.change(None, None, None, js=f"() => window.ism.toldLong('{name}')")
    return event


def _unended(view: View) -> str:
    """What a side says that was not completed: a newer question to the left one may be why."""
    return UNENDED if view.answered else WAITS


def _runner(parts: Parts) -> Callable[..., AsyncGenerator[tuple, None]]:
    async def work(
        request: gr.Request, partner: str, trail: Trail, view: Any, _unasked: bool, *asked: Any,
        progress: Any = gr.Progress(),
    ) -> AsyncGenerator[tuple, None]:  # fmt: skip
        turn = view.besides.next()
        visitor = Visitor(str(request.session_hash), lambda text: progress(0, desc=text))
        if partner == NOTHING:
            turn.take_over()
            yield await _alone(parts, parts.question(*asked), visitor)
            return
        visitor = replace(visitor, gone=_either(visitor.gone, turn.is_over))
        try:
            asking = Pairing(parts, parts.question(*asked), partner)
            async with contextlib.aclosing(asking.shown(trail, visitor, progress, turn)) as shown:
                async for each in shown:
                    yield each
        except (UserError, OutOfTimeError) as problem:
            turn.take_over()
            yield _told(parts, str(problem))

    return work


def _either(one: Callable[[], bool], other: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: one() or other()


def _updates(parts: Parts, stop: Any = None, **given: Any) -> tuple:
    """A value for every output of the event: those that are given, the rest as they are."""
    first = given.get("first", (gr.skip(),) * len(parts.outputs))
    second = given.get("second", (gr.skip(),) * len(parts.side.outputs))
    named = [given.get(name, gr.skip()) for name in ("minus", "minus_told", "minus_plot", "minus_curves", "kept")]
    rest = given.get("code", gr.skip()), gr.skip() if stop is None else gr.Button(visible=stop)
    ways = given.get("ways", gr.skip())
    return (*first, ways, given.get("area", gr.skip()), given.get("told", gr.skip()), *second, *named, *rest)


async def _alone(parts: Parts, question: Question, visitor: Visitor) -> tuple:
    """The first side on its own scale again, and nothing beside it."""
    closed = {"ways": "", "area": gr.Column(visible=False), "minus": gr.Column(visible=False), "kept": None}
    key, _ = await question.work(visitor)
    held = Held(key)
    if held.found is not None:
        version = MACHINE.turns.version(key)
        _, *drawn, _, code = await parts.shown(held, version, present(question.session), question.values)
        closed |= {"first": drawn, "code": code}
    return _updates(parts, **closed)


def _told(parts: Parts, sentence: str) -> tuple:
    """The side with a sentence in the place of a result."""
    nothing = (None,) * len(parts.side.outputs)
    return _updates(
        parts, ways="", area=gr.Column(visible=True, elem_classes=AREA), told=sentence, second=nothing,
        minus=gr.Column(visible=False), kept=None,
    )  # fmt: skip


@dataclass(frozen=True)
class Pairing:
    """One visitor's question, and what is to stand beside its answer."""

    parts: Parts
    question: Question
    partner: str

    async def shown(self, trail: Trail, visitor: Visitor, progress: Any, turn: Turn) -> AsyncGenerator[tuple, None]:
        """All that there is to see of the second result; with the first one on one scale, once it is there."""
        key, _ = await self.question.work(visitor)
        first = Held(key)
        if first.found is None:
            turn.take_over()
            yield _told(self.parts, FIRST_RUN)
            return
        other = await self._other(trail, visitor)
        other_key, job = await other.work(visitor)
        if turn.is_over():  # a newer one has shown its answer meanwhile, and nothing would follow on what is said now
            return
        area, minus, kept, told = outdated(f"**{self.called}** …", visible=True)
        yield _updates(self.parts, True, area=area, minus=minus, kept=kept, told=told)
        async with contextlib.aclosing(visitor.follows(other_key, job)) as run:
            async for seen in run:
                turn.take_over()
                progress(seen.news.step.done, desc=seen.text)
                drawn = await self._pair(first, Held(other_key), other, seen) if seen.new else None
                if drawn is not None and not turn.is_over():
                    yield drawn

    @property
    def called(self) -> str:
        """How the list calls the partner."""
        return caption(self.partner, self.parts.side.partner.choices)

    async def _other(self, trail: Trail, visitor: Visitor) -> Question:
        """The same question with the one thing changed."""
        asked, session = self.question, present(self.question.session)
        values = changed_values(self.partner, self.parts.controls, asked.values)
        model_id = changed_model(self.partner, asked.model_id)
        clip = changed_clip(self.partner, session, trail.before)
        if clip is not session and clip.words is None:
            listened = await listened_to(clip, model_id, visitor)
            clip = clip if listened is None else listened.given_to(clip)
        return replace(asked, session=clip, model_id=model_id, values=values)

    async def _pair(self, first: Held, second: Held, other: Question, seen: Seen) -> tuple:
        result, answer = first.found, second.found
        mine, theirs = self._fitted(result, self.question.values), self._fitted(answer, other.values)
        drawn = await MACHINE.drawings.shared(
            self._key(first, second, mine, theirs), lambda: self._drawn(result, mine, answer, theirs)
        )
        one, two, differences = drawn
        two = await self._audible(two, other.session)
        code = await MACHINE.drawings.looked_up(self._code, (result, mine), (answer, theirs), other.session)
        busy = not seen.news.ended or not result.complete
        names = self._names(other)
        told = f"Beside it **{names[1]}** (left: {names[0]}) · {self.parts.recipe.status(answer, theirs)}"
        kept = Beside(second, other.values, names)
        ways = ways_to(self.parts.name, names, difference=bool(differences))
        given = {"ways": ways, "told": told, "code": code, "kept": kept}
        area = gr.Column(elem_classes=AREA)
        return _updates(self.parts, busy, first=one, area=area, second=two, **given, **_minus(differences, names))

    def _key(self, first: Held, second: Held, mine: Values, theirs: Values) -> Hashable:
        """Of the pair as it is now: results come in parts."""
        seen = tuple((held.key, MACHINE.turns.version(held.key), part_of_key(values))
                     for held, values in ((first, mine), (second, theirs)))  # fmt: skip
        return ("pair", self.parts.name, *seen)

    def _fitted(self, result: Result, values: Values) -> Values:
        return self.parts.recipe.fitted(result, values)

    def _drawn(self, result: Result, mine: Values, answer: Result, theirs: Values) -> tuple[Drawn, Drawn, list[Any]]:
        recipe = self.parts.recipe
        return pair(lambda: recipe.drawn(result, mine), lambda: recipe.drawn(answer, theirs))

    async def _audible(self, drawn: Drawn, session: Session) -> Drawn:
        """Give the other clip's plots their sound: the page's player holds that of the first alone."""
        if session.clip.sha256 == present(self.question.session).clip.sha256:
            return drawn
        plot = next((output for output in self.parts.side.outputs if isinstance(output, SoundPlot)), None)
        if plot is None:
            return drawn
        sound = await MACHINE.drawings.looked_up(sound_of, session.clip, plot)
        return [{**value, "sound": sound} if is_plot(value) else value for value in drawn]

    def _code(self, left: tuple[Result, Values], right: tuple[Result, Values], session: Session) -> str:
        recipe, name = self.parts.recipe, self.parts.name
        sides = ((*left, present(self.question.session)), (*right, session))
        scripts = [
            snippet(result, name, whose, recipe.plot_options(result, values)) for result, values, whose in sides
        ]
        first, second = (
            script.replace(f'"{name}.', f'"{name}_{side}.') for side, script in zip(SIDES, scripts, strict=True)
        )
        return f"# The left side\n\n{first}\n\n# The right side, set beside it\n\n{second}"

    def _names(self, other: Question) -> tuple[str, str]:
        """What is different, as each side has it."""
        kind, controls = self.partner.partition(":")[0], self.parts.controls
        if kind == "model":
            return self.question.model_id, other.model_id
        if kind == "clip":
            return present(self.question.session).clip.name, present(other.session).clip.name
        return said(controls[kind], self.question.values[kind]), said(controls[kind], other.values[kind])


def _minus(differences: Sequence[Any], names: tuple[str, str]) -> dict[str, Any]:
    """The third picture: maps and curves of left minus right, or why there is none."""
    plots = [value for value in differences if is_plot(value)]
    curves = "".join(value for value in differences if not is_plot(value))
    told = DIFFERENCE.format(*names) if differences else NO_DIFFERENCE
    return {
        "minus": gr.Column(visible=True, elem_classes=MINUS),
        "minus_told": told,
        "minus_plot": gr.update(value=_joined(plots), visible=True) if plots else gr.update(value=None, visible=False),
        "minus_curves": curves,
    }


def _joined(plots: Sequence[Values]) -> Values:
    """One plot of all rows that could be subtracted."""
    return {**plots[0], "rows": [row for plot in plots for row in plot["rows"]]}
