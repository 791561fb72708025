"""The phones that should be there, and what a head says about each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from methods.core.alignment.tiers import is_silence
from methods.core.errors import UserError
from methods.core.frames import FrameGrid, Segment
from methods.core.speech.phone_alphabets import in_arpabet, listed
from methods.phone_check.phone_scores import PhoneHead
from methods.phone_check.replaced import likelihoods

MOST = 400  # phones; 30 s of fast speech have no more


@dataclass(frozen=True, eq=False)
class Claimed:
    """What should be said."""

    segments: tuple[Segment, ...]  # (phones,)
    own: np.ndarray  # (phones,) int, which of the head's kinds each is
    unmapped: tuple[str, ...]  # labels that are none of them


@dataclass(frozen=True, eq=False)
class PhonesRead:
    """What a head says in every layer; nats."""

    aligned: np.ndarray  # (layers, phones, kinds) mean log-probability over the phone's frames
    free: (
        np.ndarray
    )  # (layers, phones, kinds + 1) log-likelihood of the string with the phone replaced; last: left out


def claimed_in(segments: Sequence[Segment], head: PhoneHead) -> Claimed:
    """These phones in the head's kinds. Silences go; raises UserError where no phone is left, or far too many."""
    spoken = [segment for segment in segments if not is_silence(segment.label)]
    known = in_arpabet(segment.label for segment in spoken)
    kept = tuple(segment for segment in spoken if known.of(segment.label) in head.kinds)
    missing = dict.fromkeys(segment.label for segment in spoken if known.of(segment.label) not in head.kinds)
    if not kept:
        labels = f" (there are: {listed(list(missing))})" if missing else ""
        raise UserError(
            f"There is no phone of English with times to check{labels}; give the English transcript, or a TextGrid "
            "whose phones are in ARPAbet, IPA or X-SAMPA.",
            mend={"segments": "phones"},
        )
    if len(kept) > MOST:
        raise UserError(
            f"There are {len(kept)} phones, and the limit is {MOST}: no 30 s of speech have more. Give the tier of "
            "phones, not one of frames."
        )
    return Claimed(kept, np.array([head.kinds.index(known.of(each.label)) for each in kept]), tuple(missing))


def read_phones(log_probabilities: np.ndarray, grid: FrameGrid, said: Claimed) -> PhonesRead:
    """What (layers, frames, kinds + 1) log-probabilities, the blank first, say about every phone."""
    spans = grid.spans(said.segments)
    aligned = [log_probabilities[:, span.start : span.stop, 1:].mean(1) for span in spans]
    free = likelihoods(log_probabilities, said.own + 1, blank=0)[..., 1:]
    return PhonesRead(np.stack(aligned, 1), free)
