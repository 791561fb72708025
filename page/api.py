"""The techniques as named endpoints of the HTTP API, so that a class can script the page with `gradio_client`.

`client.predict(handle_file("clip.wav"), "openai/whisper-tiny.en", "", api_name="/value_zeroing")` answers with
`table` (columns of numbers) and `provenance`; the third argument is a transcript, or nothing.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import gradio as gr

from methods.core import alignment, models
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from page.clip_area import FIRST_MODEL, allowed_model
from page.errors import toast


def endpoints(techniques: dict[str, ModuleType]) -> None:
    """One endpoint per technique, and one for the transcript with its word times."""
    with gr.Row(visible=False):
        audio = gr.Audio(type="filepath", label="clip")
        model = gr.Textbox(FIRST_MODEL, label="model")
        text = gr.Textbox("", label="transcript; empty: what the model hears")
        answer = gr.JSON(label="answer")
        for name, handler in {"words": words, **{n: technique(m) for n, m in techniques.items()}}.items():
            gr.Button(name).click(
                toast(handler),
                [audio, model, text],
                answer,
                api_name=name,
                api_description=handler.__doc__,
                concurrency_id="compute",
                concurrency_limit=1,
            )


def words(path: str, model_id: str, transcript: str) -> dict[str, Any]:
    """What the model hears, the log-probability of each token, and the time of each word in seconds."""
    clip, model = sound(path), models.load_model(allowed_model(model_id))
    heard = models.transcribe(clip, model, text=transcript or None)
    spoken = alignment.words(clip, model, transcript=transcript or None)
    return {
        "text": heard.text,
        "language": heard.language,
        "tokens": list(heard.token_texts),
        "logprobs": heard.logprobs.tolist(),
        "words": [[segment.label, segment.start, segment.end] for segment in spoken],
    }


def sound(path: str | None) -> Clip:
    """The uploaded clip."""
    if not path:
        raise UserError("No clip was sent; give an audio file of 0.1 to 30 s.")
    return load_clip(path)


def technique(module: ModuleType) -> Callable:
    """The endpoint of one technique: its table by columns, and where the numbers come from."""

    def endpoint(path: str, model_id: str, transcript: str) -> dict[str, Any]:
        clip, model = sound(path), models.load_model(allowed_model(model_id))
        result = module.analyse(clip, model, transcript=transcript or None)
        table = result.table()
        return {
            "table": table.astype(object).where(table.notna(), None).to_dict("list"),
            "provenance": result.provenance,
        }

    endpoint.__doc__ = module.__doc__.strip().split("\n\n", 1)[0].strip("*")
    return endpoint
