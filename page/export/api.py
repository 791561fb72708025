"""The techniques as named endpoints of the HTTP API, so that a class can script the page with `gradio_client`.

`client.predict(handle_file("clip.wav"), "openai/whisper-tiny.en", "", api_name="/value_zeroing")` answers with
`table` (columns of numbers) and `provenance`; the third argument is a transcript, or nothing, and a fourth may give
options, which `client.view_api()` lists by name, kind and range; causal tracing's fifth may be another recording, of
the same length. Techniques over many clips take a bundled corpus's name, a model, options, and, if wanted, a zip of
one's own: `client.predict("prompts", "openai/whisper-tiny.en", {"target": "manner"}, api_name="/probing")`.
"""

import inspect
import math
from collections.abc import Callable
from types import ModuleType

import gradio as gr

from methods import word_confidence
from methods.core import alignment, models
from methods.core import corpus as corpora
from methods.core.audio import Clip, load_clip
from methods.core.corpus import Corpus
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Work
from methods.core.results import Json, Result
from methods.core.speech.words import cautions
from methods.word_confidence import BASELINES, WordConfidence
from page.errors import toast
from page.export.api_options import checked
from page.export.api_schema import Options
from page.recipe import over_corpora
from page.runs.machine import MACHINE, Visitor
from page.top.clip_area import FIRST_MODEL

RECORDING = "recording"  # the parameter of a technique that may take another clip beside the first
LONGEST_TRANSCRIPT = 2000  # characters


def endpoints(techniques: dict[str, ModuleType]) -> None:
    """One endpoint per technique, and one for the transcript with its word times."""
    with gr.Row(visible=False):
        audio = gr.Audio(type="filepath", label="clip", buttons=[])
        zipped = gr.File(type="filepath", label="zip of your own; none: a bundled corpus", file_types=[".zip"])
        name = gr.Textbox("prompts", label="bundled corpus")
        second = gr.Audio(type="filepath", label="another recording, of the same length", buttons=[])
        model = gr.Textbox(FIRST_MODEL, label="model")
        text = gr.Textbox("", label="transcript; empty: what the model hears")
        answer, call = gr.JSON(label="answer"), gr.Button()
        _named(call, "words", words, [audio, model, text], answer)
        for technique, module in techniques.items():
            options = Options(module)
            if RECORDING in inspect.signature(module.analyse).parameters:
                _named(call, technique, pair_endpoint(module), [audio, model, text, options, second], answer)
            elif over_corpora(module):
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
        concurrency_id="runs",
        concurrency_limit=None,  # `Turns` says who computes
    )


async def words(path: str, model_id: str, transcript: str, request: gr.Request) -> dict:
    """What the model hears, how sure it is of each token and word, what the sound adds, and when words are said (s).

    `words` are [word, start, end]. `confidence` has one entry for each word: its times, log-probability (nats) and
    evidence (nats, against silence and against the clip's own average), and for each of its pieces the log-probability
    and the likeliest alternatives. Times of a CTC model, and those in `confidence`, are the model's own. `complete` is
    false for a text that was cut at the length limit; `notes` say why a text is not to be trusted.
    """
    visitor = Visitor(str(request.session_hash))
    clip, transcript = await MACHINE.drawings.looked_up(sound, path), said(transcript) or None
    model = await visitor.model(model_id)
    return await visitor.once("words", _words, clip, model, transcript) or {}


def _words(clip: Clip, model: SpeechModel, transcript: str | None) -> dict[str, Json]:
    sure = word_confidence.analyse(clip, model, transcript=transcript, random_seeds=())
    spoken, complete, notes = [[word.label, _time(word.start), _time(word.end)] for word in sure.words], True, ()
    if model.writes_text:
        heard = models.transcribe(clip, model, text=transcript)
        spoken, why = _spoken(clip, model, transcript)
        complete, notes = heard.complete, (*cautions(heard), *why)
    return {
        "text": sure.text,
        "language": sure.provenance["options"]["language"],
        "tokens": list(sure.pieces[:-1] if model.writes_text else sure.pieces),
        "logprobs": sure.logprobs.tolist(),
        "complete": complete,
        "notes": [*notes, *model.notes],
        "words": spoken,
        "no_speech": sure.no_speech,
        "confidence": [_confidence(sure, number) for number in range(len(sure.words))],
    }


def _spoken(clip: Clip, model: SpeechModel, transcript: str | None) -> tuple[list[list], tuple[str, ...]]:
    """Words with their times; a loop of the model's own has a text and no times, and a sentence about that."""
    try:
        words = alignment.words(clip, model, transcript=transcript)
    except alignment.AlignmentError as problem:
        if transcript:
            raise
        return [], (str(problem),)
    return [[each.label, each.start, each.end] for each in words], ()


def _confidence(sure: WordConfidence, number: int) -> dict[str, Json]:
    word = sure.words[number]
    return {
        "word": word.label,
        "start": _time(word.start),
        "end": _time(word.end),
        "logprob": float(sure.word_logprobs()[number]),
        "evidence": {name: float(sure.word_evidence(name)[number]) for name in BASELINES},
        "pieces": [_piece(sure, place) for place in range(word.first, word.stop)],
    }


def _piece(sure: WordConfidence, place: int) -> dict[str, Json]:
    others = zip(sure.alternatives[place], sure.alternative_logprobs[place].tolist(), strict=True)
    return {
        "piece": sure.pieces[place],
        "logprob": float(sure.logprobs[place]),
        "entropy_bits": float(sure.entropy[place]),
        "alternatives": [[name, logprob] for name, logprob in others],
    }


def _time(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


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

    async def endpoint(
        path: str, model_id: str, transcript: str, options: dict | None, request: gr.Request
    ) -> dict:  # Gradio reads these annotations, and cannot read `Json`
        return await _over_clip(module, path, model_id, transcript, options, request)

    endpoint.__doc__ = _question(module)
    return endpoint


def pair_endpoint(module: ModuleType) -> Callable:
    """The endpoint of a technique that may compare the clip with another recording."""

    async def endpoint(
        path: str, model_id: str, transcript: str, options: dict | None, other: str | None, request: gr.Request
    ) -> dict:  # Gradio reads these annotations, and cannot read `Json`
        recording = {RECORDING: await MACHINE.drawings.looked_up(sound, other)} if other else {}
        return await _over_clip(module, path, model_id, transcript, options, request, **recording)

    endpoint.__doc__ = _question(module)
    return endpoint


async def _over_clip(
    module: ModuleType, path: str, model_id: str, transcript: str, options: dict | None, request: gr.Request,
    **recording: Clip,
) -> dict[str, Json]:  # fmt: skip
    visitor = Visitor(str(request.session_hash))
    clip = await MACHINE.drawings.looked_up(sound, path)
    known, transcript = checked(module, options) | recording, said(transcript)
    if transcript and "transcript" in inspect.signature(module.analyse).parameters:
        known["transcript"] = transcript
    model = await visitor.model(model_id)
    return await _answered(visitor, lambda: module.analyse.in_steps(clip, model, **known))


def corpus_endpoint(module: ModuleType) -> Callable:
    """The endpoint of a technique over many clips, bundled ones or a zip of one's own."""

    async def endpoint(
        name: str, model_id: str, options: dict | None, path: str | None, request: gr.Request
    ) -> dict:  # Gradio reads these annotations, and cannot read `Json`
        visitor, known = Visitor(str(request.session_hash)), checked(module, options)
        corpus = await MACHINE.drawings.looked_up(_recordings, name, path)
        model = await visitor.model(model_id)
        return await _answered(visitor, lambda: module.analyse.in_steps(corpus, model, **known))

    endpoint.__doc__ = _question(module)
    return endpoint


def _recordings(name: str, path: str | None) -> Corpus:
    return corpora.read_zip(path) if path else corpora.bundled(name)


async def _answered(visitor: Visitor, ask: Callable[[], Work]) -> dict[str, Json]:
    result = await visitor.answer(ask)
    return {} if result is None else await MACHINE.drawings.looked_up(_answer, result)


def _answer(result: Result) -> dict[str, Json]:
    table = result.table()
    return {
        "table": table.astype(object).where(table.notna(), None).to_dict("list"),
        "provenance": result.provenance,
    }


def _question(module: ModuleType) -> str:
    return module.__doc__.strip().split("\n\n", 1)[0].strip("*")
