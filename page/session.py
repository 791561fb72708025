"""What one visitor is looking at: the clip, its text, its segments, and where their times come from."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from methods.core import alignment, frames, models
from methods.core.alignment import characters, forced
from methods.core.alignment import textgrid as textgrids
from methods.core.alignment import tiers as choice
from methods.core.audio import Clip, clean_name, load_clip
from methods.core.corpus import Corpus
from methods.core.corpus.articulation import Articulation
from methods.core.errors import UserError
from methods.core.frames import AlignmentError, Segment
from methods.core.lenses import ctc
from methods.core.lenses.ctc import CtcReading
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.progress import Step, Steps, Work, finish
from page.examples import EXAMPLES

BY_HAND = "aligned beforehand with the known transcript (forced alignment, about ±20 ms)"
BY_FORCE = "forced alignment of your transcript (English, about ±20 ms)"
BY_ATTENTION = "the model's cross-attention, letter by letter"
LISTENER = "openai/whisper-tiny.en"
MOST_SEGMENTS = 1500  # the models have no more frames
BY_TEXTGRID = "your TextGrid"
EDITED = "edited by you"
MOST_STEPS = 50  # that can be undone


@dataclass(frozen=True, eq=False)
class Times:
    """When the words and phones of a clip are said, and who says so: what a change of them replaces."""

    words: tuple[Segment, ...] | None
    phones: tuple[Segment, ...]
    timing: str
    about: str
    tiers: textgrids.Tiers | None
    word_tier: str
    phone_tier: str


@dataclass(frozen=True, eq=False)
class Session:
    """A clip with everything that was said about it. Nothing of it is stored on the server's disk."""

    clip: Clip
    example: str | None  # key of a bundled clip; None for the visitor's own
    text: str | None = None  # a transcript given by the visitor; None: what the model hears
    words: tuple[Segment, ...] | None = None  # None: not known yet, ask the model
    phones: tuple[Segment, ...] = ()
    timing: str = BY_ATTENTION  # where the times of the words come from
    about: str = ""  # which tiers of a TextGrid were taken, and what was changed in them
    tiers: textgrids.Tiers | None = None  # of the visitor's own TextGrid, to choose others from
    word_tier: str = ""  # the one that was taken; empty: none
    phone_tier: str = ""
    readings: tuple[tuple[str, str], ...] = ()  # how words of the text are read aloud, where the visitor says so
    corpus: Corpus | Articulation | None = None  # the visitor's own recordings, while a technique runs
    steps: tuple[Times, ...] = ()  # what the times were before each of the visitor's changes
    doubt: str = ""  # why there may be nothing to look at: a model found no speech

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


def present(session: Session | None) -> Session:
    """The session, or a sentence about how to begin one."""
    if session is None:
        raise UserError("There is no clip yet; choose an example, upload a file or record yourself.")
    return session


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
    untimed: str = ""  # why its words have no times, a sentence; empty where they have


@dataclass(frozen=True, eq=False)
class Listened:
    """What was found out about a clip: the same for all who brought it with the same text."""

    heard: Heard
    words: tuple[Segment, ...] | None = None  # None: they were known, or none were found
    timing: str | None = None  # where the times of these words come from; None: as before
    doubt: str | None = None  # why there may be nothing to look at; None: as before

    def given_to(self, session: Session) -> Session:
        """The session with its words."""
        session = session if self.doubt is None else replace(session, doubt=self.doubt)
        return session if self.timing is None else replace(session, words=self.words, timing=self.timing)


def listener_for(session: Session, model: SpeechModel) -> str | None:
    """The model that must find the words where this one writes no text; None if none is needed."""
    return None if session.words is not None or model.writes_text else LISTENER


def heard(session: Session, model: SpeechModel) -> tuple[Session, Heard]:
    """What the model hears, and word times where there are none yet, at once."""
    listener = listener_for(session, model)
    found = finish(hearing(session, model, None if listener is None else models.load_model(listener)))
    return found.given_to(session), found.heard


def hearing(session: Session, model: SpeechModel, listener: SpeechModel | None = None) -> Work[Listened]:
    """What the model hears, and word times where there are none yet.

    A model that writes no text cannot say where words are: Whisper tiny.en then listens for it, and the page says so.
    """
    known = session.words is not None
    asked = {"clip": session.clip, "model": model, "text": session.text, "known": known, "listener": listener}
    return Work("listening", asked, _hearing(session, model, listener or model))


def _hearing(session: Session, model: SpeechModel, listener: SpeechModel) -> Steps[Listened]:
    yield Step(0.0, "listening")
    answer = Heard(
        text=models.transcribe(session.clip, model, text=session.text) if model.writes_text else None,
        reading=ctc.read(session.clip, model) if models.ctc_vocabulary(model) else None,
        classes=models.class_probabilities(session.clip, model),
    )
    if session.words is not None:
        return Listened(answer)
    yield Step(0.5, "finding the words")
    doubt = _doubt(session.clip, listener)
    timing = by_attention(listener)
    if not model.writes_text:
        timing = f"Whisper tiny.en listening for {model.id}; {timing}"
    try:
        words = alignment.words(session.clip, listener)
    except AlignmentError as problem:  # a loop: the text is what the model heard, and is shown all the same
        return Listened(replace(answer, untimed=str(problem)), doubt=doubt)
    return Listened(answer, words or None, timing, doubt)


def by_attention(model: SpeechModel) -> str:
    """Where the times of a model's own words come from, and what to know of them."""
    known = characters.MEASURED.get(model.id)
    exact = (
        f"{BY_ATTENTION} (on our English recordings half of the words start within {1000 * known.median:.0f} ms of "
        f"forced alignment, {known.within:.0%} within 0.1 s: look at the edges of those that matter)"
        if known
        else f"{BY_ATTENTION} (how exact was not measured for {model.id}: trust the order, not the edge)"
    )
    return "; ".join((exact, *model.notes))


def _doubt(clip: Clip, listener: SpeechModel) -> str:
    silent = models.no_speech(clip, listener)
    return f"{listener.id} finds that nobody speaks here (probability {silent:.0%})" if silent else ""


def with_transcript(
    session: Session, text: str, model: SpeechModel, readings: Mapping[str, str] | None = None
) -> Session:
    """The same clip with a transcript that the visitor knows to be right, and how its numbers are read aloud."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text:
        raise UserError("The transcript is empty; type what is said in the clip, then press “Align”.")
    session = replace(session, text=text, about="", tiers=None, steps=(), readings=tuple((readings or {}).items()))
    heard_as = models.transcribe(session.clip, model).language if model.writes_text else "en"
    if heard_as not in (None, "en"):
        words = alignment.words(session.clip, model, transcript=text)
        return replace(session, words=words, phones=(), timing=by_attention(model))
    aligned = forced.forced_alignment(session.clip, text, readings)
    timing = " ".join((BY_FORCE, *aligned.notes)) if aligned.notes else BY_FORCE
    return replace(session, words=aligned.words, phones=aligned.phones, timing=timing)


def given(session: Session) -> list[str]:
    """What the visitor brought or made, which is gone when the page is loaded again: no link can name it."""
    own = ["your recording"] if session.example is None else []
    words = session.text is not None or session.timing in (BY_TEXTGRID, EDITED)
    return own + (["the words and times that you gave"] if words else [])


def at_stake(session: Session) -> str:
    """What a new alignment would replace that the visitor has made, a sentence; empty: nothing."""
    mine = ["the words and phones of your TextGrid"] if session.tiers is not None else []
    mine += ["the times that you edited"] if session.timing == EDITED else []
    return f"Align replaces {' and '.join(mine)} by its own. “Download TextGrid” keeps a copy." if mine else ""


def with_own_words(session: Session) -> Session:
    """The same clip with the words of the visitor's TextGrid as its transcript; their times stay."""
    if session.tiers is None or not session.word_tier or not session.words:
        raise UserError("There is no tier of words to take; choose one below “Upload a TextGrid”.")
    text = unicodedata.normalize("NFC", " ".join(word.label for word in session.words))
    return replace(session, text=" ".join(text.split()), readings=())


def with_textgrid(session: Session, content: bytes) -> Session:
    """The same clip with the visitor's own words and phones; `about` names the tiers that were taken.

    Where no tier goes by a name of words, the first other one that has labels is taken for them.
    """
    tiers = textgrids.read_textgrid(content, seconds=session.clip.seconds)
    found = choice.chosen(tiers)
    words, phones = found.word_tier if found.words else None, found.phone_tier if found.phones else None
    if words is None:
        others = [tier for tier in labelled(tiers) if tier not in (found.word_tier, found.phone_tier)]
        words = others[0] if others else None
    if words is None and phones is None:
        raise UserError("The TextGrid has no label in any tier of intervals; label its words or phones and save it.")
    return with_tiers(replace(session, tiers=tiers), words or "", phones or "", before=session)


def with_tiers(session: Session, words: str, phones: str, before: Session | None = None) -> Session:
    """The same clip with words and phones from these tiers of its TextGrid; an empty name is none.

    Undo leads to what was `before` (default: this session), times that the visitor has edited among it.
    """
    tiers = session.tiers
    if tiers is None or not {words, phones} <= {"", *tiers}:
        raise UserError("That tier is not in the TextGrid of this clip; upload the TextGrid again.")
    spoken, sounds = (_countable(choice.spoken(tiers[name])) if name else () for name in (words, phones))
    taken = replace(
        session,
        words=spoken or None,
        phones=sounds,
        timing=BY_TEXTGRID,
        about=_about(tiers, words, phones),
        word_tier=words,
        phone_tier=phones,
    )
    return _remembered(before or session, taken)


def labelled(tiers: textgrids.Tiers) -> list[str]:
    """The tiers that hold anything but silence."""
    return [tier for tier in tiers if choice.spoken(tiers[tier])]


def _about(tiers: textgrids.Tiers, words: str, phones: str) -> str:
    """Which tiers were taken, how to have others, and what was changed in them."""
    said = f"words from its tier “{clean_name(words)}”" if words else "no words, so they are the model's"
    heard_in = f"phones from its tier “{clean_name(phones)}”" if phones else "no phones"
    other = ["other tiers can be chosen below “Upload a TextGrid”"] if set(tiers) - {words, phones} else []
    return "; ".join([f"Your TextGrid: {said}, {heard_in}", *other, *tiers.notes])


def with_times(session: Session, units: str, rows: list[list[Any]]) -> Session:
    """The same clip with words or phones that the visitor has edited; rows are (label, start, end)."""
    return _remembered(session, _retimed(session, units, rows))


def with_moved(session: Session, clip: Any, times: Any) -> Session:
    """The same clip after boundaries were dragged: `times` are (start, end) of every word, every phone, or both."""
    tiers = {"words": session.words or (), "phones": session.phones}
    moved = times if isinstance(times, dict) and {*times} <= {*tiers} else {}
    fits = [isinstance(spans, list) and len(spans) == len(tiers[units]) for units, spans in moved.items()]
    if clip != session.clip.sha256 or not moved or not all(fits):
        raise UserError("These boundaries are of words that are not here any more; move them where they are now.")
    changed = session
    for units, spans in moved.items():
        pairs = [span if isinstance(span, list) and len(span) == 2 else (None, None) for span in spans]
        rows = [[segment.label, *pair] for segment, pair in zip(tiers[units], pairs, strict=True)]
        changed = _retimed(changed, units, rows)
    return _remembered(session, changed)


def undone(session: Session) -> Session:
    """The same clip with the times before the visitor's last change."""
    if not session.steps:
        raise UserError("There is no change of times left to undo.")
    *steps, last = session.steps
    return replace(session, **{part.name: getattr(last, part.name) for part in fields(Times)}, steps=tuple(steps))


def _remembered(before: Session, after: Session) -> Session:
    times, now = ({part.name: getattr(each, part.name) for part in fields(Times)} for each in (before, after))
    if times == now:  # a menu says twice what was chosen from it
        return replace(after, steps=before.steps)
    return replace(after, steps=(*before.steps, Times(**times))[-MOST_STEPS:])


def _retimed(session: Session, units: str, rows: list[list[Any]]) -> Session:
    kept = [row for row in rows if str(row[0] or "").strip()]
    try:
        segments = tuple(
            Segment(unicodedata.normalize("NFC", str(label)).strip()[:60], float(start), float(end))
            for label, start, end in kept
        )
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
    return replace(session, **{units: _countable(segments)}, timing=EDITED)


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
