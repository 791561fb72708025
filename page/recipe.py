"""What the page knows of a technique's tab: what surrounds it, and the recipe by which it is run and shown."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import gradio as gr

from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Work
from methods.core.results import Json
from page.own_corpus import OwnCorpus
from page.session import Session

Values = dict[str, Json]  # by name: of controls, of keyword arguments of `plot`, of what a widget draws
Updates = dict[str, gr.components.Component | Values]  # control -> what it has after a run
Own = OwnCorpus | None  # the visitor's own recordings


@dataclass(frozen=True)
class Now:
    """What the visitor looks at when a tab is built, and what the link asks of it."""

    session: Session | None = None
    units: str = "words"
    asked: dict[str, str] = field(default_factory=dict)
    model: str = ""  # its id


@dataclass(frozen=True)
class Shell:
    """What every tab needs from the page around it."""

    session: gr.State
    trail: gr.State  # the clip that was here before this one
    model: gr.Dropdown
    units: gr.Radio
    corpus: gr.State  # the visitor's own recordings, or None
    saved: gr.JSON  # a file on its way to the browser
    now: Now = field(default_factory=Now)

    def follow(self, choices: Callable[..., list[dict]], controls: Sequence[Any]) -> None:
        """Keep controls in step with the clip and its cut: `choices(session, units, *values)` updates each."""
        values = [control.value for control in controls]
        for control, update in zip(controls, choices(self.now.session, self.now.units, *values), strict=True):
            for name in ("choices", "value"):
                setattr(control, name, update.get(name, getattr(control, name)))
        gr.on(
            [self.session.change, self.units.change],
            choices,
            [self.session, self.units, *controls],
            controls,
            show_progress="hidden",
            api_visibility="private",
        )


@dataclass(frozen=True)
class Tab:
    """What is needed of a tab: its name and recipe, the controls that a link carries, and the latest result."""

    name: str
    recipe: "Recipe"
    controls: dict[str, gr.components.Component]
    result: gr.State


@dataclass(frozen=True)
class Recipe:
    """How one technique is run and shown. `values` are its controls' values by name."""

    module: ModuleType
    controls: Callable[[], dict[str, gr.components.Component]]  # lays out the controls; names are those in links
    outputs: Callable[[], Sequence[gr.components.Component]]  # lays out what is drawn
    steps: Callable[[Session, SpeechModel, str, Values], Work]  # the work: session, model, units, values
    drawn: Callable[[Any, Values], Sequence[Any]]  # result, values -> a value for each of the outputs
    status: Callable[[Any, Values], str]  # one line of Markdown: what is on screen, and what was left out
    plot_options: Callable[[Any, Values], Values]  # keyword arguments of the module's `plot`
    fitted: Callable[[Any, Values], Values] = lambda result, values: values  # values within what this model has
    ranges: Callable[[Any, Values], Updates] = lambda result, values: {}
    covers: Callable[[Any, Values], bool] = lambda result, values: True  # False: another value needs another run
    picked: tuple[str, ...] = field(default=())  # controls that a click on the first output sets, by these names
    rerun: tuple[str, ...] = field(default=())  # controls whose change starts the whole run, with progress and Stop

    @property
    def over_corpora(self) -> bool:
        """Whether it goes through many recordings: such a run is begun by a visitor, never by the page."""
        return over_corpora(self.module)


def over_corpora(module: ModuleType) -> bool:
    """Whether a technique is about many clips."""
    return next(iter(inspect.signature(module.analyse).parameters)) == "corpus"
