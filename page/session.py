"""What one visitor is looking at: the clip, its text, its segments, and where their times come from."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from methods.core import alignment, frames, models
from methods.core.alignment import forced
from methods.core.alignment import textgrid as textgrids
from methods.core.audio import Clip, load_clip
from methods.core.corpus import Corpus
from methods.core.corpus.articulation import Articulation
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses import ctc
from methods.core.lenses.ctc import CtcReading
from methods.core.models.speech_model import SpeechModel, Transcript
from page.examples import EXAMPLES

BY_HAND = "aligned beforehand with the known transcript (forced alignment, about ±20 ms)"
BY_FORCE = "forced alignment of your transcript (English, about ±20 ms)"
BY_ATTENTION = "the model's cross-attention (about ±0.1 s: trust the order, not the edge)"
LISTENER = "openai/whisper-tiny.en"
MOST_SEGMENTS = 1500  # the models have no more frames
BY_TEXTGRID = "your TextGrid"


@dataclass(frozen=True, eq=False)
class Session:
    """A clip with everything that was said about it. Nothing of it is stored on the server's disk."""

    clip: Clip
    example: str | None  # key of a bundled clip; None for the visitor's own
    text: str | None = None  # a transcript given by the visitor; None: what the model hears
    words: tuple[Segment, ...] | None = None  # None: not known yet, ask the model
    phones: tuple[Segment, ...] = ()
    timing: str = BY_ATTENTION  # where the times of the words come from
    corpus: Corpus | Articulation | None = None  # the visitor's own recordings, while a technique runs

    def key(self, model_id: str, units: str) -> str:
        """Changes whenever a result made for this view would be another one."""
        cut = repr([(s.label, s.start, s.end) for s in (*(self.words or ()), *self.phones)])
        parts = (self.clip.sha256, self.text or "", cut, model_id, units)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def segments(self, units: str) -> tuple[Segment, ...]:
        """The words or phones that the techniques relate to each other."""
        if units == "phones":
            if not self.phones:
                raise UserError(
                    "This clip has no phones yet; give its English transcript and press “Align”, or upload a TextGrid "
                    "with a tier of phones."
                )
            return self.phones
        return self.words or ()


def from_example(key: str) -> Session:
    """A bundled clip, with its own alignment where it has one."""
    example = EXAMPLES[key]
    tiers = example.tiers()
    words = tiers.get("words") or None
    return Session(
        example.clip(), key, words=words, phones=tiers.get("phones", ()), timing=BY_HAND if words else BY_ATTENTION
    )


def from_file(path: str) -> Session:
    """The visitor's own recording."""
    return Session(load_clip(path), None)


@dataclass(frozen=True, eq=False)
class Heard:
    """What the model makes of the clip, in whatever form it speaks."""

    text: Transcript | None = None  # a decoder's transcript
    reading: CtcReading | None = None  # of a CTC head
    classes: dict[str, dict[str, float]] = field(default_factory=dict)  # head -> class -> probability


def heard(session: Session, model: SpeechModel) -> tuple[Session, Heard]:
    """What the model hears, and word times where there are none yet.

    A model that writes no text cannot say where words are: Whisper tiny.en then listens for it, and the page says so.
    """
    answer = Heard(
        text=models.transcribe(session.clip, model, text=session.text) if model.writes_text else None,
        reading=ctc.read(session.clip, model) if models.ctc_vocabulary(model) else None,
        classes=models.class_probabilities(session.clip, model),
    )
    if session.words is None:
        listener = model if model.writes_text else models.load_model(LISTENER)
        words = alignment.words(session.clip, listener)
        timing = BY_ATTENTION if model.writes_text else f"Whisper tiny.en listening for {model.id}; {BY_ATTENTION}"
        session = replace(session, words=words or None, timing=timing)
    return session, answer


def with_transcript(session: Session, text: str, model: SpeechModel) -> Session:
    """The same clip with a transcript that the visitor knows to be right."""
    text = " ".join(text.split())
    if not text:
        raise UserError("The transcript is empty; type what is said in the clip, then press “Align”.")
    heard_as = models.transcribe(session.clip, model).language if model.writes_text else "en"
    if heard_as not in (None, "en"):
        words = alignment.words(session.clip, model, transcript=text)
        return replace(session, text=text, words=words, phones=(), timing=BY_ATTENTION)
    aligned = forced.forced_alignment(session.clip, text)
    timing = " ".join((BY_FORCE, *aligned.notes)) if aligned.notes else BY_FORCE
    return replace(session, text=text, words=aligned.words, phones=aligned.phones, timing=timing)


def with_textgrid(session: Session, content: bytes) -> Session:
    """The same clip with the visitor's own words and phones."""
    tiers = textgrids.read_textgrid(content, seconds=session.clip.seconds)
    words = _tier(tiers, ("words", "word", "mots", "mot")) or next(iter(tiers.values()))
    phones = _tier(tiers, ("phones", "phone", "phonemes", "phoneme", "segments", "segment"))
    return replace(session, words=_countable(words), phones=_countable(phones), timing=BY_TEXTGRID)


def with_times(session: Session, units: str, rows: list[list[Any]]) -> Session:
    """The same clip with words or phones that the visitor has edited; rows are (label, start, end)."""
    kept = [row for row in rows if str(row[0] or "").strip()]
    try:
        segments = tuple(Segment(str(label).strip()[:60], float(start), float(end)) for label, start, end in kept)
    except (TypeError, ValueError) as problem:
        if isinstance(problem, UserError):
            raise
        raise UserError("A start or end is not a number; give seconds such as 1.23 in every row.") from problem
    segments = frames.without_overlap(segments)
    if not segments or segments[-1].end > session.clip.seconds + 0.01:
        raise UserError(
            f"The times must lie within the clip, 0 to {session.clip.seconds:.2f} s, and at least one row needs a "
            "label; correct the rows and try again."
        )
    return replace(session, **{units: _countable(segments)}, timing="edited by you")


def _countable(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    if len(segments) > MOST_SEGMENTS:
        raise UserError(
            f"There are {len(segments)} segments in one tier and the limit is {MOST_SEGMENTS:,}, one for each 20 ms "
            "of 30 s; give a tier of words or phones."
        )
    return segments


def textgrid(session: Session) -> str:
    """The session's words and phones as a Praat TextGrid."""
    tiers = {name: tier for name, tier in (("words", session.words), ("phones", session.phones)) if tier}
    if not tiers:
        raise UserError("There are no words or phones yet; wait for the model to listen, or press “Align”.")
    return textgrids.write_textgrid(tiers, session.clip.seconds)


def _tier(tiers: dict[str, tuple[Segment, ...]], names: tuple[str, ...]) -> tuple[Segment, ...]:
    """The tier that goes by one of these names, whatever its case and the speaker's name around it."""
    for name, segments in tiers.items():
        if any(name.lower() == wanted or name.lower().endswith((f" {wanted}", f"-{wanted}")) for wanted in names):
            return segments
    return ()
