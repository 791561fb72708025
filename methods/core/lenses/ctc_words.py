"""The words that a CTC model hears, with their times: how a spoken word finds what the model spells for it.

A model that spells phones has other names for words than the page, and may hear two words as one. What both have is
time.
"""

from collections.abc import Sequence

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses.ctc import runs
from methods.core.models.speech_model import SpeechModel


def heard(clip: Clip, model: SpeechModel) -> tuple[Segment, ...]:
    """Each word by the best label of each frame, spelled as `targets.build` spells it, from first to last label."""
    scores, vocabulary = models.ctc_log_probabilities(clip, model), models.ctc_vocabulary(model)
    grid = models.frame_grid(clip, model)
    words: list[list[tuple[int, range]]] = [[]]
    for label, frames in runs(scores.argmax(-1).tolist(), vocabulary.blank):
        if label == vocabulary.space:
            words.append([])
        else:
            words[-1].append((label, frames))
    found = []
    for word in filter(None, words):
        name = vocabulary.joint.join(vocabulary.labels[label] for label, _ in word)
        start = max(float(grid.times[word[0][1].start]) - grid.step / 2, 0.0)
        found.append(Segment(name, start, float(grid.times[word[-1][1].stop - 1]) + grid.step / 2))
    return tuple(found)


def at(clip: Clip, model: SpeechModel, spoken: Segment) -> tuple[str, int]:
    """What the model spells where this word is said, and which of its equals that is, from 1.

    Of several words that it hears there, the one that shares most time. Raises UserError where it hears none.
    """
    words = heard(clip, model)
    shared = [overlap(word, spoken) for word in words]
    if not any(time > 0 for time in shared):
        listed = " | ".join(word.label for word in words) or "nothing"
        raise UserError(
            f"{model.id} hears no word at {spoken.start:.2f} to {spoken.end:.2f} s, where “{spoken.label}” is said "
            f"(it hears: {listed}); choose another word, or the whole string."
        )
    place = shared.index(max(shared))
    return words[place].label, occurrence(words, place)


def occurrence(words: Sequence[Segment], place: int) -> int:
    """Which of several equal words the one at this place is, from 1."""
    return sum(word.label == words[place].label for word in words[: place + 1])


def spoken_as(segments: Sequence[Segment], word: Segment) -> tuple[Segment, ...]:
    """The segments that are mostly inside a heard word, or else the one that shares most time with it."""
    inside = tuple(s for s in segments if overlap(s, word) >= 0.5 * (s.end - s.start))
    best = max(segments, key=lambda segment: overlap(segment, word), default=None)
    return inside or ((best,) if best is not None and overlap(best, word) > 0 else ())


def overlap(first: Segment, second: Segment) -> float:
    """s that two segments share."""
    return max(0.0, min(first.end, second.end) - max(first.start, second.start))
