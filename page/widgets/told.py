"""Markdown that a visitor's labels, file names and texts may go through: never HTML, and never a picture."""

import re
from typing import Any

import gradio as gr

from methods.core.results import Json


class Told(gr.Markdown):
    """What the app says of what it was given; stars and lists work; tags, links and pictures are text.

    Gradio takes scripts out of its Markdown and leaves pictures in: the name of one would make the visitor's browser
    ask a stranger's server for it.
    """

    def __init__(self, value: str = "", **kwargs: Any) -> None:
        super().__init__(value, latex_delimiters=[], **kwargs)  # a text about $$ is no formula

    def get_block_name(self) -> str:
        """To the browser it is a Markdown like any other."""
        return "markdown"

    def get_config(self, cls: type | None = None) -> dict[str, Json]:
        """All settings of a Markdown: Gradio would look for those that this constructor names, and find one."""
        return super().get_config(cls or gr.Markdown)

    def postprocess(self, value: str | None) -> str | None:
        """The same Markdown with nothing in it that could be a tag or a picture."""
        return super().postprocess(value if value is None else without_tags(value))


def without_tags(markdown: str) -> str:
    """Entities stay as they are: who has escaped a label already does not see it escaped again.

    A backslash before a `<` or `[` has done the same; before an entity it would make that visible.
    """
    return re.sub(r"\\?([<[])", lambda found: {"<": "&lt;", "[": "&#91;"}[found[1]], markdown)
