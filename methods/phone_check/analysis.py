"""How a phone check is made: the clip, its random twins, and phones of native speakers to compare with."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from methods.core import models
from methods.core.alignment.forced import forced_alignment
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, provenance, read_only
from methods.phone_check.natives import native_phones
from methods.phone_check.phone_scores import PhoneHead, phone_head
from methods.phone_check.reading import Claimed, claimed_in, read_phones
from methods.phone_check.result import NativePhones, PhoneCheck, PhoneControls


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    words: Sequence[Segment] | None = None,
    transcript: str | None = None,
    native: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[PhoneCheck]:
    """How well does each phone that should be there fit what the model hears, and what fits best instead?

    `segments` are the phones with their times, in ARPAbet, IPA or X-SAMPA; without them, `transcript` (or what a
    Whisper model writes) is aligned with the English dictionary. `words` only name the word of each phone. `native`
    compares with phones of native speakers. Raises UserError for a model without a head for phones, where there are
    no phones, and AlignmentError where the transcript cannot be aligned.

    Margin of phone p over frames T: mean log P(p) - max over q of mean log P(q), q other than p (Witt & Young 2000);
    free: ln P(string) - max ln P(string with p replaced or left out), over all paths (arXiv 2507.16838).
    """
    yield Step(0.0, f"{model.id}, trained weights")
    head = phone_head(model)
    phones, words = _phones(clip, model, segments, words, transcript)
    said = claimed_in(phones, head)
    origin = provenance(
        "phone check", clip, model, segments=[[p.label, p.start, p.end] for p in phones],
        words=[[w.label, w.start, w.end] for w in words], transcript=transcript,
        transcript_given=transcript is not None and segments is None, native=native, random_seeds=list(random_seeds),
    )  # fmt: skip
    yield Step(0.0, f"{model.id}, trained weights")
    result = yield from _measured(clip, model, head, said, words, origin)
    found: list[PhoneCheck] = []
    for number, seed in enumerate(random_seeds):
        yield Step(0.05 + 0.1 * number, f"random weights, seed {seed}", partial=result)
        twin = _measured(clip, models.random_twin(model, seed), head, said, words, origin)
        found.append((yield from twin))
        free, aligned = (read_only([twin.margins(form) for twin in found]) for form in ("free", "aligned"))
        result = replace(result, controls=PhoneControls(free, aligned))
    if not native:
        return result
    begin = 0.05 + 0.9 * len(random_seeds) / (len(random_seeds) + 6)
    others = yield from within(native_phones(model, head, clip.sha256), begin, 1.0, result)
    return replace(result, native=_kept(others))


def _phones(
    clip: Clip,
    model: SpeechModel,
    segments: Sequence[Segment] | None,
    words: Sequence[Segment] | None,
    transcript: str | None,
) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """The phones that should be there, and the words that they are in."""
    if segments is not None:
        return tuple(segments), tuple(words or ())
    if transcript is None:
        if not model.writes_text:
            raise UserError(
                f"{model.id} writes no text, so nothing says which phones should be there; give the English "
                "transcript, or a TextGrid with a tier of phones.",
                mend={"segments": "phones"},
            )
        transcript = models.transcribe(clip, model).text
    aligned = forced_alignment(clip, transcript)
    return aligned.phones, aligned.words


def _measured(
    clip: Clip, model: SpeechModel, head: PhoneHead, said: Claimed, words: Sequence[Segment], origin: Provenance
) -> Steps[PhoneCheck]:
    scores, grid = head.log_probabilities(clip, model), models.frame_grid(clip, model)
    yield Step(0.05, "each phone and its rivals")
    read = read_phones(scores, grid, said)
    return PhoneCheck(
        phones=tuple(segment.label for segment in said.segments),
        starts=read_only([segment.start for segment in said.segments]),
        ends=read_only([segment.end for segment in said.segments]),
        words=tuple(_word_of(segment, words) for segment in said.segments),
        kinds=head.kinds,
        own=read_only(said.own, np.int64),
        layers=models.encode(clip, model).layer_names,
        aligned=read_only(read.aligned),
        free=read_only(read.free),
        posteriors=read_only(np.exp(scores[..., 1:]), np.float32),
        times=read_only(grid.times),
        head=head.head.label,
        unmapped=said.unmapped,
        provenance=origin,
    )


def _word_of(phone: Segment, words: Sequence[Segment]) -> str:
    """The word in which the middle of a phone is."""
    middle = (phone.start + phone.end) / 2
    return next((word.label for word in words if word.start <= middle < word.end), "")


def _kept(others: NativePhones) -> NativePhones:
    return replace(
        others,
        kind=read_only(others.kind, np.int64),
        free=read_only(others.free),
        aligned=read_only(others.aligned),
    )
