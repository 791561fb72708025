"""What a head says about English phones, whatever its own symbols are.

A head may have several symbols for one phone of English (ʌ and ə are both AH here, tʰ is T): their probabilities are
added up. Of what is no phone of English, only the blank is kept, with the mark between words, which separates like it.
"""

from dataclasses import dataclass

import numpy as np

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.lenses import ctc_layers
from methods.core.lenses.ctc_layers import Head
from methods.core.models.speech_model import SpeechModel
from methods.core.speech.phone_alphabets import in_arpabet

FEWEST = 20  # phones of English; a head with fewer is one of letters or of something else


@dataclass(frozen=True, eq=False)
class PhoneHead:
    """A CTC head and which of its symbols are which phones."""

    head: Head
    kinds: tuple[str, ...]  # ARPAbet in lower case, sorted; column 0 is the blank, column i + 1 is kind i
    columns: tuple[tuple[int, ...], ...]  # the head's symbols behind the blank and behind each kind

    def log_probabilities(self, clip: Clip, model: SpeechModel) -> np.ndarray:
        """(layers, frames, kinds + 1) natural log-probabilities, the blank first; what is neither is left out."""
        raw, normed = ctc_layers.lens_states(clip, model)
        if self.head.own is None:
            scores = np.stack([self.head.top(states) for states in normed])
        else:
            scores = np.stack([self.head.own(states, layer) for layer, states in enumerate(raw)])
        scores = scores.astype(float)
        return np.stack([np.logaddexp.reduce(scores[..., list(each)], -1) for each in self.columns], -1)


def phone_head(model: SpeechModel) -> PhoneHead:
    """The head of this model that tells phones of English; raises UserError where there is none."""
    head = ctc_layers.head_of(model)
    vocabulary = head.vocabulary
    known = {} if vocabulary.joint == "" else _phones_of(head)
    kinds = tuple(sorted(set(known.values())))
    if len(kinds) < FEWEST:
        raise UserError(
            f"{model.id} has a head for letters, not for phones of English; choose hama-ctc, whisper-tiny.en, or a "
            "model that was fine-tuned with CTC to write phones."
        )
    apart = (vocabulary.blank,) if vocabulary.space is None else (vocabulary.blank, vocabulary.space)
    columns = [tuple(place for place, kind in known.items() if kind == name) for name in kinds]
    return PhoneHead(head, kinds, (apart, *columns))


def _phones_of(head: Head) -> dict[int, str]:
    """Column -> phone, of the symbols that are phones of English."""
    apart = {head.vocabulary.blank, head.vocabulary.space}
    labels = {place: label for place, label in enumerate(head.vocabulary.labels) if place not in apart}
    reading = in_arpabet(labels.values())
    return {place: reading.of(label) for place, label in labels.items() if reading.of(label)}
