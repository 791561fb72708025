"""A sound to upload, record, and cut with the player's scissors."""

from typing import Any

import gradio as gr
from gradio.events import Events


class Recorder(gr.Audio):
    """Gradio's own player, with the event that its scissors send and that its Python side does not name."""

    EVENTS = [*gr.Audio.EVENTS, Events.edit]  # noqa: RUF012  as Gradio declares it

    def __init__(self, **kwargs: Any) -> None:
        # Without Gradio's share button, which would publish the visitor's sound.
        super().__init__(sources=["upload", "microphone"], type="filepath", buttons=["download"], **kwargs)

    def get_block_name(self) -> str:
        """To the browser it is an Audio like any other."""
        return "audio"

    def get_config(self, cls: type | None = None) -> dict[str, Any]:
        """All settings of an Audio: Gradio would look for those that this constructor names."""
        return super().get_config(cls or gr.Audio)
