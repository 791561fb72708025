"""How word confidence is computed: a text is read hearing the clip, then twice without its sound, then untrained."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import provenance, read_only
from methods.word_confidence.by_ctc import CtcText, ctc_text
from methods.word_confidence.by_decoder import DecoderText
from methods.word_confidence.pieces import Judged
from methods.word_confidence.result import WordConfidence, WordConfidenceControls

Text = DecoderText | CtcText
Heard = tuple[np.ndarray, np.ndarray, np.ndarray]  # nats of each piece: the clip, silence, its own average


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[WordConfidence]:
    """How sure is the model of each word, and does the sound speak for it or the text before it?

    `transcript` replaces the text that the model writes by itself; for a CTC model it is in the model's own letters,
    or phones with “ | ” between words. `segments` are the words of the text with their times, used where they are as
    many (default: the model's own attention; a CTC model's times come from its paths). Raises UserError for a model
    that writes neither text nor symbols, or a text that it cannot spell; NothingHeardError where a CTC model spells
    nothing.
    """
    count = len(random_seeds) + 1
    yield Step(0.0, f"{model.id} writes")
    text = _text(clip, model, segments, transcript, language)
    judged = text.judged(model)
    yield Step(0.4 / count, "the same without the sound")
    silence, mean, quiet = yield from _without_sound(text, model, judged, count)
    origin = provenance(
        "word confidence", clip, model, transcript=judged.text, transcript_given=transcript is not None,
        language=text.text.language if isinstance(text, DecoderText) else None,
        segments=[[s.label, s.start, s.end] for s in segments or ()], random_seeds=list(random_seeds),
    )  # fmt: skip
    result = WordConfidence(
        **vars(judged),
        silence_logprobs=silence,
        mean_logprobs=mean,
        by_paths=isinstance(text, CtcText),
        silence_no_speech=quiet,
        provenance=origin,
    )
    found: list[Heard] = []
    for number, seed in enumerate(random_seeds):
        yield Step((number + 1) / count, f"random weights, seed {seed}", partial=result)
        found.append((yield from _three_times(text, models.random_twin(model, seed), (number + 1) / count, 1 / count)))
        controls = WordConfidenceControls(*(read_only(values) for values in zip(*found, strict=True)))
        result = replace(result, controls=controls)
    return result


def _text(
    clip: Clip,
    model: SpeechModel,
    segments: Sequence[Segment] | None,
    transcript: str | None,
    language: str | None,
) -> Text:
    if model.writes_text:
        said = models.transcribe(clip, model, text=transcript, language=language)
        return DecoderText(clip, said, None if segments is None else tuple(segments))
    if models.ctc_vocabulary(model) is None:
        raise UserError(
            f"{model.id} writes no text and has no CTC head, so there is no word to be sure of; choose a Whisper "
            "model, hama-ctc, or a model that was fine-tuned with CTC."
        )
    return ctc_text(clip, model, transcript)


def _without_sound(
    text: Text, model: SpeechModel, judged: Judged, count: int
) -> Steps[tuple[np.ndarray, np.ndarray, float | None]]:
    """Nats of each piece hearing silence and hearing the average, and what silence is to “no speech”."""
    if isinstance(text, CtcText):
        weights, _ = text.weights(text.heard(model))
        return text.logprobs(text.silence(model), weights), text.logprobs(text.mean(model), weights), None
    silence = text.silence(model)
    yield Step(0.7 / count, "hearing silence, and only an average")
    quiet = text.no_speech(model, silence)
    return text.logprobs(model, silence), text.logprobs(model, text.mean(model)), quiet


def _three_times(text: Text, twin: SpeechModel, done: float, share: float) -> Steps[Heard]:
    """What a random twin gives to each piece: hearing the clip, silence, its own average."""
    yield Step(done + share / 3, f"random weights, seed {twin.seed}, hear the clip")
    if isinstance(text, CtcText):
        heard = text.heard(twin)
        weights, _ = text.weights(heard)
        return tuple(text.logprobs(scores, weights) for scores in (heard, text.silence(twin), text.mean(twin)))
    heard = text.heard(twin)
    yield Step(done + 2 * share / 3, f"random weights, seed {twin.seed}, hear silence")
    return tuple(text.logprobs(twin, states) for states in (heard, text.silence(twin), text.mean(twin)))
