"""The events of a technique's files: what is on the screen, to take away."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from matplotlib.figure import Figure

from methods.core.errors import UserError
from methods.core.results import Result
from page.beside.files import Pair, pair_download
from page.beside.side import Beside
from page.errors import toast
from page.export.downloads import download
from page.recipe import Values
from page.run_events import Parts, result_of
from page.runs.machine import MACHINE, Held


def connect_files(parts: Parts, buttons: list[gr.Button]) -> None:
    event = gr.on(
        [button.click for button in buttons],
        toast(_saver(parts)),
        [parts.result, parts.side.kept, *parts.controls.values()],
        [parts.shell.saved],
        show_progress="hidden",
        api_visibility="private",
    )
    event.success(None, [parts.shell.saved], None, js="(file) => window.ism.save(file)")


def _saver(parts: Parts) -> Callable:
    async def save(pressed: gr.EventData, held: Held | None, beside: Beside | None, *values: Any) -> dict[str, str]:
        kind = pressed.target.elem_id.split("-", maxsplit=1)[0]
        if held is None:
            raise UserError("There is nothing to download yet; wait for the first picture, or press “Run”.")
        asked = parts.named(values)
        return await MACHINE.drawings.alone(_file, parts, kind, held, asked, beside)

    return save


def _file(parts: Parts, kind: str, held: Held, values: Values, beside: Beside | None) -> dict[str, str]:
    result = result_of(held)
    figure = _figure(parts, kind, result, values)
    if beside is None:
        return download(kind, parts.name, result, figure)
    other = result_of(beside.held)
    if figure is None and beside.held.key == held.key:
        return download(kind, parts.name, result, figure)  # two views of one result: its numbers are the same
    pair = Pair((result, other), (figure, _figure(parts, kind, other, beside.values)), beside.names)
    return pair_download(kind, parts.name, pair)


def _figure(parts: Parts, kind: str, result: Result, values: Values) -> Figure | None:
    """What a picture's file shows; None for files of numbers."""
    if kind not in ("svg", "png"):
        return None
    options = parts.recipe.plot_options(result, parts.recipe.fitted(result, values))
    return parts.recipe.module.plot(result, **options)
