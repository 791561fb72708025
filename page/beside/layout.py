"""Where the second result stands: beside the first, below it on a phone; the difference of both after them."""

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext

from page.beside.side import AREA, MINUS, Side
from page.recipe import Recipe
from page.widgets.sound_plot import SoundPlot
from page.widgets.told import Told

HEARD_LEFT = "<p class='quiet'>Press on the left side to hear it.</p>"
SUFFIX = "-beside"  # of the second side's names in the page


def make_side(name: str, partner: gr.Dropdown, recipe: Recipe) -> Side:
    """The second side of a technique's tab, not laid out yet: `area` and `minus` are rendered where they belong."""
    again = gr.Button(
        "Again", elem_id=f"beside-again-{name}", elem_classes="unseen"
    )  # in a column that is hidden it would not exist
    ways = gr.HTML(elem_id=f"ways-{name}", elem_classes="ways", padding=False, render=False)
    area = gr.Column(visible=False, elem_id=f"beside-{name}", elem_classes=AREA, min_width=0, render=False)
    with area:
        told = Told(elem_id=f"beside-told-{name}", elem_classes="status")
        progress = gr.Markdown("", elem_id=f"beside-progress-{name}", elem_classes="progress")
        outputs = list(recipe.outputs())
    for component in _inside(area):
        if component.elem_id and component not in (told, progress):
            component.elem_id += SUFFIX
        if isinstance(component, gr.HTML) and component.value and component not in outputs:
            component.value = HEARD_LEFT  # players, which answer to a press on the first side
    minus = gr.Column(visible=False, elem_classes=MINUS, min_width=0, render=False)
    with minus:
        minus_told = Told()
        minus_plot = SoundPlot(elem_id=f"minus-{name}")
        minus_curves = gr.HTML(elem_id=f"minus-curves-{name}", elem_classes="minus-curves")
    kept = gr.State(None)
    return Side(partner, again, ways, area, told, progress, outputs, minus, minus_told, minus_plot, minus_curves, kept)


def ways_to(name: str, names: tuple[str, str], *, difference: bool) -> str:
    """HTML: to the left side, to the right one, to their difference if any. On a phone they are screens apart."""
    left, right = (html.escape(each.rsplit("/", 1)[-1]) for each in names)  # a model without its owner
    ways = [(f"view-{name} .first-side", f"left: {left}"), (f"beside-{name}", f"right: {right}")]
    ways += [(f"view-{name} .minus", "left minus right")] if difference else []
    made = "".join(f'<button type="button" data-to="#{place}">{text}</button>' for place, text in ways)
    return f'<nav aria-label="The two sides">{made}</nav>'


def _inside(context: BlockContext) -> Iterator[Any]:
    for child in context.children:
        yield child
        if isinstance(child, BlockContext):
            yield from _inside(child)
