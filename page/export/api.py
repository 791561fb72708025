"""The techniques as named endpoints of the HTTP API, so that a class can script the page with `gradio_client`.

`client.predict(handle_file("clip.wav"), "openai/whisper-tiny.en", "", api_name="/value_zeroing")` answers with
`table` (columns of numbers) and `provenance`; the third argument is a transcript, or nothing, and a fourth may give
options of the technique's `analyse`. Techniques over many clips take a bundled corpus's name, a model, options, and,
if wanted, a zip of one's own: `client.predict("prompts", "openai/whisper-tiny.en", {"target": "manner"},
api_name="/probing")`.
"""

import inspect
from collections.abc import Callable
from types import ModuleType

import gradio as gr

from methods.core import alignment, models
from methods.core import corpus as corpora
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.progress import time_limit
from methods.core.results import Json, Result
from page.errors import toast
from page.export.api_options import checked
from page.top.clip_area import FIRST_MODEL, allowed_model, longest_run

LONGEST_TRANSCRIPT = 2000  # characters


def endpoints(techniques: dict[str, ModuleType]) -> None:
    """One endpoint per technique, and one for the transcript with its word times."""
    with gr.Row(visible=False):
        audio = gr.Audio(type="filepath", label="clip", buttons=[])
        zipped = gr.File(type="filepath", label="zip of your own; none: a bundled corpus", file_types=[".zip"])
        name = gr.Textbox("prompts", label="bundled corpus")
        model = gr.Textbox(FIRST_MODEL, label="model")
        text = gr.Textbox("", label="transcript; empty: what the model hears")
        options = gr.JSON({}, label="options of the technique's analyse")
        answer, call = gr.JSON(label="answer"), gr.Button()
        _named(call, "words", words, [audio, model, text], answer)
        for technique, module in techniques.items():
            if over_corpora(module):
                _named(call, technique, corpus_endpoint(module), [name, model, options, zipped], answer)
            else:
                _named(call, technique, clip_endpoint(module), [audio, model, text, options], answer)


def _named(call: gr.Button, name: str, handler: Callable, inputs: list, answer: gr.JSON) -> None:
    call.click(
        toast(handler, said=str),  # a program reads the sentence as it is
        inputs,
        answer,
        api_name=name,
        api_description=handler.__doc__,
        concurrency_id="compute",
        concurrency_limit=1,
    )


def over_corpora(module: ModuleType) -> bool:
    """Whether a technique is about many clips."""
    return next(iter(inspect.signature(module.analyse).parameters)) == "corpus"


def words(path: str, model_id: str, transcript: str) -> dict[str, Json]:
    """What the model hears, the log-probability of each token, and the time of each word in seconds."""
    clip, model = sound(path), models.load_model(allowed_model(model_id))
    transcript = said(transcript)
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


def said(transcript: str | None) -> str:
    """The transcript, if it is none of another, longer recording."""
    if len(transcript or "") > LONGEST_TRANSCRIPT:
        raise UserError(f"A transcript of {len(transcript)} characters is longer than 30 s of speech; shorten it.")
    return transcript or ""


def clip_endpoint(module: ModuleType) -> Callable:
    """The endpoint of a technique over one clip: its table by columns, and where the numbers come from."""

    def endpoint(path: str, model_id: str, transcript: str, options: dict | None = None) -> dict[str, Json]:
        clip, model = sound(path), models.load_model(allowed_model(model_id))
        known, transcript = checked(module, options), said(transcript)
        if transcript and "transcript" in inspect.signature(module.analyse).parameters:
            known["transcript"] = transcript
        with time_limit(longest_run()):
            return _answer(module.analyse(clip, model, **known))

    endpoint.__doc__ = _question(module)
    return endpoint


def corpus_endpoint(module: ModuleType) -> Callable:
    """The endpoint of a technique over many clips, bundled ones or a zip of one's own."""

    def endpoint(name: str, model_id: str, options: dict | None = None, path: str | None = None) -> dict[str, Json]:
        corpus = corpora.read_zip(path) if path else corpora.bundled(name)
        model = models.load_model(allowed_model(model_id))
        with time_limit(longest_run()):
            return _answer(module.analyse(corpus, model, **checked(module, options)))

    endpoint.__doc__ = _question(module)
    return endpoint


def _answer(result: Result) -> dict[str, Json]:
    table = result.table()
    return {
        "table": table.astype(object).where(table.notna(), None).to_dict("list"),
        "provenance": result.provenance,
    }


def _question(module: ModuleType) -> str:
    return module.__doc__.strip().split("\n\n", 1)[0].strip("*")
