"""The second side of a view: its components, and what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from page.recipe import Values
from page.runs.machine import Held
from page.widgets.sound_plot import SoundPlot

SIDES = ("left", "right")
AREA, MINUS = ["shown", "beside"], ["minus"]  # how the page's style knows the second side and the difference
UNTOUCHED = (gr.skip(),) * 4  # for `Side.answers`
WAITS = "Waits for the left side; what is pale here is of the question before."


@dataclass(frozen=True)
class Side:
    """The components of the second result."""

    partner: gr.Dropdown
    again: gr.Button  # pressed by the page's script when the first result has changed
    ways: gr.HTML  # to either side, where they stand one below the other
    area: gr.Column
    told: gr.Markdown
    progress: gr.Markdown
    outputs: list[gr.components.Component]
    minus: gr.Column
    minus_told: gr.Markdown
    minus_plot: SoundPlot
    minus_curves: gr.HTML
    kept: gr.State  # `Beside`, or None

    @property
    def answers(self) -> list[gr.components.Component]:
        """What belongs to the question that was asked last, in the order of `outdated`."""
        return [self.area, self.minus, self.kept, self.told]

    @property
    def drawn(self) -> list[gr.components.Component]:
        """Outputs of a pair, after those of the first result."""
        return [self.ways, self.area, self.told, *self.outputs, self.minus, self.minus_told, self.minus_plot,
                self.minus_curves, self.kept]  # fmt: skip


def outdated(told: str = WAITS, **area: Any) -> tuple[Any, Any, None, str]:
    """The second side while its answer is on its way: pale, and in no file beside a first side that it was not of."""
    return gr.Column(elem_classes=[*AREA, "pale"], **area), gr.Column(elem_classes=[*MINUS, "pale"]), None, told


@dataclass(frozen=True)
class Beside:
    """What stands beside a view, for its downloads."""

    held: Held
    values: Values  # of the controls, on its side
    names: tuple[str, str]  # what is different, as the left and the right side have it


@dataclass
class Turns:
    """Whose choice of what stands beside a view is the newest: one visitor may choose faster than a run begins."""

    asked: int = 0
    running: int = 0

    def next(self) -> Turn:
        """The turn of whoever asks now."""
        self.asked += 1
        return Turn(self, self.asked)


@dataclass(frozen=True)
class Turn:
    """One choice. It takes over from those before it once it is watched: a run that nobody watches is dropped."""

    turns: Turns
    number: int

    def take_over(self) -> None:
        """From now on those before give way."""
        self.turns.running = max(self.turns.running, self.number)

    def is_over(self) -> bool:
        """Whether a newer choice has taken over."""
        return self.turns.running > self.number
