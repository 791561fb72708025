"""The techniques as named endpoints of the HTTP API, so that a class can script the page with `gradio_client`.

`client.predict(handle_file("clip.wav"), "openai/whisper-tiny.en", "", api_name="/value_zeroing")` answers with
`table` (columns of numbers) and `provenance`; the third argument is a transcript, or nothing, and a fourth may give
options, which `client.view_api()` lists by name, kind and range. Techniques over many clips take a bundled corpus's
name, a model, options, and, if wanted, a zip of one's own: `client.predict("prompts", "openai/whisper-tiny.en",
{"target": "manner"}, api_name="/probing")`.
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
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import time_limit
from methods.core.results import Json, Result
from methods.core.speech.words import cautions
from methods.word_confidence import BASELINES, WordConfidence
from page.errors import toast
from page.export.api_options import checked
from page.export.api_schema import Options
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
        answer, call = gr.JSON(label="answer"), gr.Button()
        _named(call, "words", words, [audio, model, text], answer)
        for technique, module in techniques.items():
            options = Options(module)
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
    """What the model hears, how sure it is of each token and word, what the sound adds, and when words are said (s).

    `words` are [word, start, end]. `confidence` has one entry for each word: its times, log-probability (nats) and
    evidence (nats, against silence and against the clip's own average), and for each of its pieces the log-probability
    and the likeliest alternatives. Times of a CTC model, and those in `confidence`, are the model's own. `complete` is
    false for a text that was cut at the length limit; `notes` say why a text is not to be trusted.
    """
    clip, model, transcript = sound(path), models.load_model(allowed_model(model_id)), said(transcript) or None
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
