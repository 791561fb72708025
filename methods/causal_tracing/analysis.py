"""How causal tracing is computed: two runs, then one run for every layer and place with something exchanged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from methods.causal_tracing import corruption as sounds
from methods.causal_tracing.controls import Work, with_controls
from methods.causal_tracing.corruption import Corruption
from methods.causal_tracing.result import CausalTracing, Direction, Side
from methods.causal_tracing.trace import Where, encoded, trace
from methods.core import alignment, models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.explain import perturb
from methods.core.frames import Segment, without_overlap
from methods.core.interventions import decoder, encoder, wanted
from methods.core.interventions.encoder import Site
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.stages import Window
from methods.core.options import FOR_95, analysis
from methods.core.progress import Step, Steps
from methods.core.results import Provenance, provenance, read_only
from methods.core.speech.words import text_words

Columns = Literal["words", "phones", "windows"]
LEAST_GAP = 0.5  # nats: shares of less are shares of rounding and chance
SENSE = {
    "snr": (-60, 60), "width": (0.02, 30), "places": (0, 1000), "noise_seeds": (0, 2**32 - 1),
    "opened": (0, 1_000_000), "occurrence": (1, 1000), "changed_occurrence": (1, 1000),
}  # fmt: skip
_Cuts = tuple[tuple[Segment, ...], tuple[Segment, ...]]  # words and phones that are given with their times
_traced = BoundedCache(64 * 2**20)  # bytes: opening a cell must not trace everything again


@dataclass(frozen=True)
class _Asked:
    """Everything that is asked but the opened cell, under the options' own names."""

    transcript: str | None
    language: str | None
    target: str
    word: str | None
    occurrence: int | None
    corruption: Corruption
    snr: float
    changed: str | None
    changed_occurrence: int | None
    spliced: str | None
    side: Side
    site: Site
    direction: Direction
    columns: Columns
    width: float
    window: Window
    crossed: bool
    places: int
    noise_seeds: tuple[int, ...]
    random_seeds: tuple[int, ...]
    seed: int


@analysis(SENSE)
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    phones: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    target: Literal["word", "transcript"] = "word",
    word: str | None = None,
    occurrence: int | None = None,
    corruption: Corruption = "noise",
    snr: float = 0.0,
    changed: str | None = None,
    changed_occurrence: int | None = None,
    spliced: str | None = None,
    recording: Clip | None = None,
    side: Side = "encoder",
    site: Site = "residual",
    direction: Direction = "restore",
    columns: Columns = "words",
    width: float = 0.1,
    window: Window = "full",
    opened: tuple[int, int] | None = None,
    crossed: bool = False,
    places: int = FOR_95,
    noise_seeds: Sequence[int] = (0, 1, 2),
    random_seeds: Sequence[int] = (0,),
    seed: int = 0,
) -> Steps[CausalTracing]:
    """Where, and in which layer, is a word decided? What brings it back when the sound is spoilt?

    `target` is a `word` (default: the longest) or the whole transcript, teacher-forced. `corruption`: white noise at
    `snr` dB (one run of all for each of `noise_seeds`), the word `changed` silenced (default: the one asked for), the
    word `spliced` in its place, or another `recording` of equal length. `side` and `site` say what is exchanged,
    `direction` which run goes on. `columns` are `segments` (words), `phones`, or windows of `width` s; in the decoder
    tokens. `opened` (layer, place from 0) also says what the model then writes. `places` stretches of the same
    lengths are exchanged at random places, drawn by `seed`; `crossed` puts the states of every layer into every
    other. Raises UserError where the change costs less than 0.5 nats, and for a model without a decoder.
    """
    asked = _Asked(
        transcript, language, target, word, occurrence, corruption, float(snr), changed, changed_occurrence, spliced,
        side, site, direction, columns, float(width), window, crossed, places,
        tuple(noise_seeds), tuple(random_seeds), seed,
    )  # fmt: skip
    _check(asked)
    yield Step(0.0, "what the model hears in the clean clip")
    work = _prepared(clip, model, asked, (tuple(segments or ()), tuple(phones or ())), recording)
    return (yield from _kept(work, asked, opened))


def _kept(work: Work, asked: _Asked, opened: tuple[int, int] | None) -> Steps[CausalTracing]:
    """The tracing, made once for whatever cell is opened in it."""
    cut = tuple(tuple(row) for name in ("segments", "phones") for row in work.origin["options"][name])
    # The names stand in the result: nobody is given those of another's files.
    names = tuple(work.origin[name] for name in ("model", "clip")), work.origin["options"].get("recording_name")
    sounds = work.clean.tobytes(), work.corrupted.tobytes()
    key = (work.model.key, names, *sounds, work.text.ids, work.segments, cut, asked)
    result = _traced.peek(key)
    if result is None:
        made = yield from _traced_through(work)
        result = _traced.fetch(key, lambda: made, _bytes)
    return result if opened is None else _with_opened(result, work, opened)


def _check(asked: _Asked) -> None:
    stack = encoder.SITES if asked.side == "encoder" else decoder.SITES
    if asked.site not in stack:
        raise UserError(f"The {asked.side} has no {asked.site} to exchange; choose one of: {', '.join(stack)}.")
    if asked.crossed and (asked.side, asked.site) != ("encoder", "residual"):
        raise UserError("Only the encoder's residual stream is put from one layer into another; choose that site.")
    if asked.corruption == "noise" and not asked.noise_seeds:
        raise UserError("White noise needs a seed; name at least one.")


def _prepared(clip: Clip, model: SpeechModel, asked: _Asked, cuts: _Cuts, recording: Clip | None) -> Work:
    text = wanted.heard(clip, model, asked.transcript, asked.language, "causal tracing asks how likely its words are")
    whole = asked.target == "transcript"
    what = wanted.whole(model, text) if whole else wanted.of_word(text, asked.word, asked.occurrence)
    own = models.frame_grid(clip, model).frames
    words = cuts[0]
    if not words and (asked.columns == "words" or asked.corruption in ("silence", "splice")):
        words = alignment.words(clip, model, transcript=asked.transcript, language=asked.language)
    words = without_overlap(words)
    segments = () if asked.side == "decoder" else _columns(clip, asked, words, cuts[1])
    labels, rows = _tokens(what, text) if asked.side == "decoder" else _frames(clip, model, segments)
    return Work(
        model=model, text=text, wanted=what, clean=clip.samples, segments=segments, labels=labels, rows=rows,
        where=Where(asked.side, asked.site, asked.direction, asked.window, own),
        corrupt=lambda noise: _corrupted(clip, asked, words, recording, (what, text), noise),
        noise_seeds=asked.noise_seeds if asked.corruption == "noise" else (), random_seeds=asked.random_seeds,
        draws=asked.places, crossed=asked.crossed, seed=asked.seed, least_gap=LEAST_GAP,
        origin=_origin(clip, model, text, asked, cuts, recording),
    )  # fmt: skip


def _columns(
    clip: Clip, asked: _Asked, words: tuple[Segment, ...], phones: tuple[Segment, ...]
) -> tuple[Segment, ...]:
    if asked.columns == "windows":
        return perturb.windows(clip.seconds, asked.width)
    found = words if asked.columns == "words" else without_overlap(phones)
    if not found:
        raise UserError(
            f"This clip has no {asked.columns} with times, so there is no place to exchange; give its transcript and "
            "align it, or choose windows.",
            mend={"segments": asked.columns, "columns": "windows"},
        )
    return found


def _frames(
    clip: Clip, model: SpeechModel, segments: tuple[Segment, ...]
) -> tuple[tuple[str, ...], tuple[torch.Tensor, ...]]:
    spans = models.frame_grid(clip, model).spans(segments)
    return tuple(s.label for s in segments), tuple(torch.arange(span.start, span.stop) for span in spans)


def _tokens(what: wanted.Wanted, text: Transcript) -> tuple[tuple[str, ...], tuple[torch.Tensor, ...]]:
    count = len(what.read)
    return text.labels[:count], tuple(torch.tensor([place]) for place in range(count))


def _corrupted(
    clip: Clip,
    asked: _Asked,
    words: tuple[Segment, ...],
    recording: Clip | None,
    said: tuple[wanted.Wanted, Transcript],
    noise: int,
) -> np.ndarray:
    if asked.corruption == "noise":
        return sounds.noisy(clip.samples, asked.snr, noise)
    if asked.corruption == "recording":
        return sounds.of_recording(clip, recording)
    if asked.target == "transcript" and asked.changed is None:
        raise UserError(
            "Say which word of the sound is changed, for the whole transcript is asked for; or choose noise.",
            mend={"changed": "…", "corruption": "noise"},
        )
    place = sounds.changed_word(words, (asked.changed, asked.changed_occurrence), *said)
    if asked.corruption == "silence":
        return perturb.replaced(clip.samples, [place], "silence")
    return sounds.spliced(clip.samples, place, sounds.donor(words, asked.spliced, place))


def _traced_through(work: Work) -> Steps[CausalTracing]:
    runs = []
    for name, sound in (("clean", work.clean), ("corrupted", work.corrupted)):
        yield Step(0.0, f"the {name} clip through the network")
        runs += encoded(work.model, [sound], work.where)
    two = trace(work.model, work.wanted, runs, work.where)
    ends = two.ends()
    clean, corrupted = ends if work.where.direction == "disturb" else ends[::-1]
    _check_gap(clean - corrupted, work)
    layers = read_only(range(0 if work.where.site == "residual" else 1, two.count + 1), np.int64)
    unknown = read_only(np.full((len(layers), len(work.rows)), np.nan))
    texts = []
    for run in runs:
        yield Step(0.0, "what the model writes of it")
        texts.append(_said(work, run))
    times = [(s.start, s.end) for s in work.segments] or [(np.nan, np.nan)] * len(work.rows)
    result = CausalTracing(
        label=work.wanted.label, words=tuple(word.label for word in text_words(work.text)),
        side=work.where.side, site=work.where.site, direction=work.where.direction,
        layers=layers, places=work.labels,
        starts=read_only([t[0] for t in times]), ends=read_only([t[1] for t in times]),
        clean=clean, corrupted=corrupted, patched=unknown, together=unknown[:, 0], outside=unknown[:, 0],
        clean_text=texts[0], corrupted_text=texts[1], samples=read_only(work.clean, np.float32),
        changed=read_only(work.corrupted, np.float32), provenance=work.origin,
    )  # fmt: skip
    return (yield from with_controls(result, work, two))


def _said(work: Work, run: encoder.EncoderRun) -> str:
    with work.model.lock:
        states = encoder.onward(run, run.streams[-1][None], run.layers)
    return wanted.written(work.model, states, work.text)


def _check_gap(gap: float, work: Work) -> None:
    if gap < LEAST_GAP:
        raise UserError(
            f"The change costs {work.wanted.label} only {gap:.2f} nats, and of less than {LEAST_GAP} there is nothing "
            "to bring back; choose a stronger change (a lower signal-to-noise ratio, the word itself) or another word."
        )


def _with_opened(result: CausalTracing, work: Work, opened: tuple[int, int]) -> CausalTracing:
    layer, place = opened
    if layer not in result.layers:
        first, last = result.layers[0], result.layers[-1]
        raise UserError(f"There is no layer {layer} to open for this site; there are {first} to {last}.")
    if place >= len(result.places):
        raise UserError(f"There is no place {place} to open; there are {len(result.places)}, counted from 0.")
    runs = encoded(work.model, (work.clean, work.corrupted), work.where)
    two = trace(work.model, work.wanted, runs, work.where)
    said = two.said(layer, work.rows[place], work.text)
    origin = result.provenance | {"options": result.provenance["options"] | {"opened": [layer, place]}}
    return replace(result, opened=(layer, place), opened_text=said, provenance=origin)


def _bytes(result: CausalTracing) -> int:
    return result.samples.nbytes + result.changed.nbytes + 8 * result.patched.size * (4 + len(result.layers))


def _origin(
    clip: Clip, model: SpeechModel, text: Transcript, asked: _Asked, cuts: _Cuts, recording: Clip | None
) -> Provenance:
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(asked).items()}
    listed = {
        name: [[s.label, s.start, s.end] for s in cut] for name, cut in zip(("segments", "phones"), cuts, strict=True)
    }
    other = {} if recording is None else {"recording_name": recording.name, "recording_sha256": recording.sha256}
    options |= {"transcript": text.text, "transcript_given": text.given, "opened": None}
    return provenance("causal tracing", clip, model, **options, **listed, **other)
