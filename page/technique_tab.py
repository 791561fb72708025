"""What every technique's tab shares: run and stop, drawing again, links, downloads, and the Python snippet.

A tab is described by a `Recipe`: its controls, its outputs, and four functions that know the technique. Everything
else is here once. See `tabs/mixing.py` for the shortest complete example.
"""

from dataclasses import replace
from typing import Any

import gradio as gr

from page.beginnings import beginning
from page.beside.events import connect_side
from page.beside.layout import make_side
from page.beside.partner import partner_control
from page.beside.side import Side
from page.controls import fit_layers
from page.errors import toast
from page.export import links
from page.file_events import connect_files
from page.link_options import set_options
from page.recipe import Recipe, Shell, Tab
from page.run_events import Parts, View, connect_run, connect_views
from page.widgets.minus import drawn_with_minus, told_with_minus
from page.widgets.told import Told

MORE_OPTIONS = '<button type="button" class="more" aria-expanded="false" data-more="options">More options</button>'
ALL_OF_IT = '<button type="button" class="more" aria-expanded="false" data-whole>How this was made</button>'
LECTURE = """<details class="lecture"><summary>For a lecture: a note in the link, or this view in a slide</summary>
<label>A note that the link opens with <input class="link-note" maxlength="{longest}" autocomplete="off"></label>
<p>Then press Copy link: whoever opens it reads the note above the picture.</p>
<button type="button" class="embed-copy">Copy the HTML for a slide</button> <output></output></details>"""
KINDS = ("csv", "npz", "svg", "png")


def technique_tab(recipe: Recipe, shell: Shell) -> Tab:
    """Lay out a tab and connect it."""
    name = recipe.module.__name__.rsplit(".", 1)[-1]
    recipe = replace(recipe, status=told_with_minus(recipe.status), drawn=drawn_with_minus(recipe.drawn))
    question, explanation = recipe.module.__doc__.strip().split("\n\n", 1)
    gr.Markdown(f"### {question.strip('*')}", elem_classes="question")
    with gr.Column(elem_classes="bench", min_width=0):
        with gr.Column(elem_classes="options", min_width=0):
            controls, partner = _choices(recipe, shell)
            run, stop, progress = _buttons(name)
            gr.HTML(beginning(name), elem_classes="why-view")
        with gr.Column(elem_classes="results", min_width=0):
            side, status, area, outputs = _sides(name, partner, recipe)
    with gr.Accordion("How to read this, what it cannot show, and its source", open=False, elem_classes="help"):
        gr.Markdown(explanation, elem_classes="reading")
    files, code = _files(name, shell, partner, controls.get("corpus"))
    kept = gr.State(None), gr.State(View()), gr.Checkbox(False, visible=False)
    parts = Parts(recipe, name, shell, controls, outputs, area, *kept, progress, status, code, side)
    connect_run(parts, run, stop, [connect_side(parts, stop)])
    connect_views(parts)
    connect_files(parts, files)
    return Tab(name, recipe, controls, parts.result)


def _choices(recipe: Recipe, shell: Shell) -> tuple[dict[str, Any], gr.Dropdown]:
    """The technique's own controls, and what is set beside them."""
    controls = recipe.controls()
    with gr.Column(elem_classes="partner", min_width=0):
        partner = partner_control(controls, recipe.over_corpora)
    set_options({**controls, "beside": partner}, shell.now.asked)
    fit_layers(controls, shell.now.model)
    return controls, partner


def _buttons(name: str) -> tuple[gr.Button, gr.Button, gr.Markdown]:
    gr.HTML(MORE_OPTIONS, elem_classes="more-options")
    with gr.Row(elem_classes="run-row"):
        run = gr.Button("Run", variant="primary", elem_id=f"run-{name}", scale=0, min_width=90)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id=f"stop-{name}", scale=0, min_width=90)
        progress = gr.Markdown("", min_height=44, elem_id=f"progress-{name}", elem_classes="progress")
    return run, stop, progress


def _sides(name: str, partner: gr.Dropdown, recipe: Recipe) -> tuple[Side, Told, gr.Column, list[Any]]:
    """The result, and beside it room for a second one."""
    side = make_side(name, partner, recipe)  # before the first side's outputs: later ones are those with events
    side.ways.render()
    with gr.Row(elem_classes="sides"):
        heard = ["over-recordings"] if recipe.over_corpora else []  # else it is pale while another clip is heard
        with gr.Column(elem_classes=["first-side", *heard], min_width=0):
            status = Told(elem_id=f"status-{name}", elem_classes="status")
            gr.HTML(ALL_OF_IT, elem_classes="all-of-it", padding=False)
            with gr.Column(elem_classes=["shown"], min_width=0) as area:
                outputs = list(recipe.outputs())
        side.area.render()
    side.minus.render()
    return side, status, area, outputs


def _files(
    name: str, shell: Shell, partner: gr.Dropdown, corpus: gr.Dropdown | None
) -> tuple[list[gr.Button], gr.Code]:
    """Lay out what can be taken away: a link, the numbers, the picture, and the Python that makes them."""
    with gr.Row(elem_classes="files"):
        link = gr.Button("Copy link", size="sm", elem_id=f"link-{name}", min_width=90)
        buttons = [gr.Button(kind.upper(), size="sm", elem_id=f"{kind}-{name}", min_width=60) for kind in KINDS]
    copied = Told(elem_id=f"copied-{name}", elem_classes="quiet")
    link.click(
        toast(links.copied),
        [copied, shell.session, shell.model, partner, *([corpus] if corpus else [])],
        [copied],
        js="async (told, ...viewed) => [await window.ism.copy(), ...viewed]",  # at once: browsers want a click for it
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    gr.HTML(LECTURE.format(longest=links.LONGEST_NOTE), elem_classes="lecture-box")
    with gr.Accordion("Python that makes these numbers again", open=False):
        code = gr.Code("Run first.", language="python", interactive=False, wrap_lines=True, elem_id=f"snippet-{name}")
    return buttons, code
