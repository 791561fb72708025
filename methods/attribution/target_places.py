"""What else of a kind could be explained, by number; and when in the clip the explained word is said.

choices(clip, model, "class")          # every class of every head, as a list can show them
marked(target, segments)               # the segments in which the target's word is said
"""

from collections.abc import Sequence
from dataclasses import dataclass

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain.targets import Kind, Target
from methods.core.frames import Segment
from methods.core.lenses import ctc_words
from methods.core.models import wav2vec2
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.speech.words import bare_word, find_words, text_words


@dataclass(frozen=True)
class Choice:
    """One word, token, language or class, as `targets.build` wants to be told of it."""

    name: str  # for lists
    wanted: str
    occurrence: int | None = None  # which of several equal ones, from 1
    head: str | None = None  # the classifier that has this class


def choices(clip: Clip, model: SpeechModel, kind: Kind, text: Transcript | None = None) -> tuple[Choice, ...]:
    """All that a target of this kind can be about, in a fixed order; () where there is nothing to choose.

    `text` is what a decoder is forced to read; None for what it writes by itself.
    """
    if kind == "class":
        labels = wav2vec2.class_labels(model)
        several = len(labels) > 1
        return tuple(
            Choice(f"{head}: {name}" if several else name, name, head=head)
            for head, names in labels.items()
            for name in names
        )
    if kind == "language":
        return tuple(Choice(code, code) for code in sorted(model.decoding.languages))
    if kind not in ("word", "token", "contrast") or not model.writes_text:
        return ()
    text = text or models.transcribe(clip, model)
    found = token_labels(text) if kind == "token" else [word.label for word in text_words(text)]
    return tuple(
        Choice(label, label, _occurrence(found, place)) for place, label in enumerate(found) if bare_word(label)
    )


def named(goal: Target) -> tuple[str, ...]:
    """The names of all that could be explained in place of this target, in the order of `choices`."""
    return tuple(choice.name for choice in choices(goal.clip, goal.model, goal.kind, goal.transcript))


def token_labels(text: Transcript) -> list[str]:
    """The tokens of a text, without the spaces before them."""
    return [token.strip() for token in text.token_texts]


def _occurrence(labels: Sequence[str], place: int) -> int:
    """Which of its equals this is, as `words.find_words` counts them: capitals and punctuation do not matter."""
    same = [number for number, label in enumerate(labels) if _plain(label) == _plain(labels[place])]
    return same.index(place) + 1


def _plain(label: str) -> str:
    return bare_word(label).casefold().replace("’", "'")


def marked(goal: Target, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """When the explained word is said; () if that is unclear, and for languages and classes, which nobody says.

    By time for a CTC model, which may hear other words than these; by its place in the text where there are as many
    segments as words, since a model may spell a word in its own way; by its label elsewhere. A token is said where
    the word is that it belongs to.
    """
    if goal.word is None or goal.kind in ("language", "class") or not segments:
        return ()
    if goal.transcript is None:
        heard = [word for word in ctc_words.heard(goal.clip, goal.model) if word.label == goal.word]
        place = (goal.occurrence or 1) - 1
        return ctc_words.spoken_as(segments, heard[place]) if place < len(heard) else ()
    words = [word.label for word in text_words(goal.transcript)]
    labels = words if len(words) == len(segments) else [segment.label for segment in segments]
    try:
        if goal.kind == "token":
            place = _word_of_token(goal)
            if place is None or labels is words:
                return () if place is None else (segments[place],)
            found = find_words(labels, words[place], "target")
        else:  # the first of several longest ones was taken where nobody said which
            found = find_words(labels, goal.word, "target", goal.occurrence or 1)
    except UserError:  # the times belong to another text
        return ()
    return tuple(segments[found.start : found.stop])


def _word_of_token(goal: Target) -> int | None:
    """The number of the word that the explained token belongs to; None for punctuation, which belongs to none."""
    text, labels = goal.transcript, token_labels(goal.transcript)
    if goal.occurrence is None:
        place = labels.index(goal.word)  # the first of the longest ones, or the only one
    else:
        place = find_words(labels, goal.word, "target", goal.occurrence).start
    at = len(text.prompt) + place
    return next((number for number, word in enumerate(text_words(text)) if at in word.tokens), None)
