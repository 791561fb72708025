"""CTC heads on every layer: whose they are, what they read, and how likely they find a string.

A head is made for what the last layer passes on. Where a final LayerNorm comes before it, earlier layers pass that
norm too. Our own heads for whisper-tiny.en were each trained on the raw stream of their layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.lenses import ctc_heads
from methods.core.models.devices import beside, home
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.core.speech.phone_alphabets import IPA, in_arpabet, is_phone


@dataclass(frozen=True, eq=False)
class Head:
    """A CTC head as a function of states, whatever model it belongs to."""

    vocabulary: Vocabulary
    unit: str  # "phones", "characters"; "symbols" for a model's own head
    label: str  # whose head it is
    top: Callable[[torch.Tensor], np.ndarray]  # (frames, dim) as at the last layer -> (frames, symbols) log-prob.
    own: Callable[[torch.Tensor, int], np.ndarray] | None  # (frames, dim) raw, layer -> the same; a head per layer


def units(model: SpeechModel) -> tuple[str, ...]:
    """What can be read off this model: () if it has no CTC head and we have trained none for it."""
    ours = ctc_heads.heads_for(model)
    return ours.units if ours else ("symbols",) if models.ctc_vocabulary(model) else ()


def head_of(model: SpeechModel, unit: str | None = None) -> Head:
    """The model's own CTC head, or ours for whisper-tiny.en (`unit` "phones", the default, or "characters").

    Raises UserError if there is none.
    """
    known = units(model)
    if not known:
        raise UserError(
            f"{model.id} has no CTC head, and we have trained none for it; choose hama-ctc, whisper-tiny.en, or a "
            "model that was fine-tuned with CTC."
        )
    if unit is not None and unit not in known:
        raise UserError(
            f"{model.id} has no CTC head for {unit}; choose {' or '.join(known)}.", mend={"unit": known[0]}
        )
    return _own_head(model) if known == ("symbols",) else _our_head(model, unit or "phones")


def _own_head(model: SpeechModel) -> Head:
    scores = models.family_of(model).head(model)

    @torch.inference_mode()
    def top(states: torch.Tensor) -> np.ndarray:
        with model.lock:
            # With the batch axis of an ordinary pass, so that sums are the same.
            found = scores(beside(model.network, states)[None])
        found = found if found.ndim == 2 else found[0]
        return found.log_softmax(-1).cpu().numpy()

    return Head(models.ctc_vocabulary(model), "symbols", f"the head of {model.id}", top, None)


def _our_head(model: SpeechModel, unit: str) -> Head:
    heads = ctc_heads.heads_for(model)
    symbols = heads.symbols(unit)
    vocabulary = Vocabulary(
        symbols, heads.blank, symbols.index(" ") if " " in symbols else None, " " if unit == "phones" else ""
    )

    def own(states: torch.Tensor, layer: int) -> np.ndarray:
        return heads.log_probabilities(states.numpy(), unit, layer)

    return Head(vocabulary, unit, heads.label, lambda states: own(states, heads.layers - 1), own)


@torch.inference_mode()
def lens_states(clip: Clip, model: SpeechModel) -> tuple[torch.Tensor, torch.Tensor]:
    """(layers + 1, frames, dim) twice: raw as the blocks pass it on, and as the head is used to reading it.

    They differ where a final LayerNorm follows the last block. The last entry is what the model passes on in both.
    """
    states = models.encoder_states(clip, model)
    if states.raw_last is None:
        return states.hidden, states.hidden
    norm = home(model.network).base_model.encoder.layer_norm
    with model.lock:
        return states.hidden, torch.cat([norm(states.hidden[:-1]), states.hidden[-1:]])


def reference_symbols(head: Head, said: str | Sequence[str]) -> tuple[str, ...]:
    """What was said, in the head's symbols: a text for letters; phones for phones, of any alphabet (`in_arpabet`).

    Capitals, punctuation and stress digits go. Raises UserError where nothing is left, or for what is no phone; one
    that the head was never taught stays as it is and counts as an error.
    """
    if head.vocabulary.joint == "":
        return _letters(head, said if isinstance(said, str) else " ".join(said))
    phones = [p for p in (said.split() if isinstance(said, str) else said) if p and p != "|"]
    if not phones:
        raise UserError("The reference holds no phones; give them with spaces between, such as “W IY Z AH L Z”.")
    own = {label.casefold() for number, label in enumerate(head.vocabulary.labels) if number != head.vocabulary.blank}
    if {phone.casefold() for phone in phones} <= own:
        return tuple(phone.casefold() for phone in phones)
    known, international = in_arpabet(phones), _is_international(head.vocabulary.labels)
    found, unknown = [], []
    for phone in phones:
        read = known.of(phone)
        found.append((IPA[read.upper()] if international else read).casefold() if read else phone)
        unknown += [] if read or phone.casefold() in own or is_phone(phone) else [phone]
    _check_phones(head, unknown)
    return tuple(found)


def _check_phones(head: Head, unknown: Sequence[str]) -> None:
    if unknown:
        some = " ".join([label for label in head.vocabulary.labels if label.isalpha()][:20])
        raise UserError(
            f"The reference holds what is no phone of {head.label}: {' '.join(list(dict.fromkeys(unknown))[:10])}; "
            f"give its phones with spaces between (it has {some} …)."
        )


def _is_international(labels: Sequence[str]) -> bool:
    return not {"ɹ", "ʃ", "ə"}.isdisjoint(labels)


def phone_column(head: Head, phone: str) -> int | None:
    """Where a head has an ARPAbet phone, or a symbol of its own; None if it has nothing by that name.

    Letters of the two alphabets that look alike are other sounds: ARPAbet's r is ɹ, and its y is j.
    """
    labels = head.vocabulary.labels
    names = (IPA.get(phone.upper(), phone),) if _is_international(labels) else (phone, phone.upper(), phone.casefold())
    return next((labels.index(name) for name in names if name in labels), None)


def _letters(head: Head, text: str) -> tuple[str, ...]:
    known = {label.casefold() for label in head.vocabulary.labels if len(label) == 1}
    space = "" if head.vocabulary.space is None else head.vocabulary.labels[head.vocabulary.space].casefold()
    spelled = "".join(c if c in known or c == " " else "" for c in text.casefold().replace("-", " "))
    found = tuple(space if c == " " else c for c in " ".join(spelled.split()) if space or c != " ")
    if not found:
        raise UserError("The reference holds no letter that this model knows; give the text that is said.")
    return found


def string_log_likelihood(log_probabilities: np.ndarray, labels: Sequence[int], blank: int) -> float:
    """ln P(the frames spell exactly `labels`), summed over all CTC paths; -inf where the frames are too few.

    (frames, symbols) natural log-probabilities.
    """
    return float(np.logaddexp.reduce(path_scores(log_probabilities, labels, blank)[-1, -2:]))


def path_scores(log_probabilities: np.ndarray, labels: Sequence[int], blank: int) -> np.ndarray:
    """(…, frames, 2 labels + 1) natural log of all that leads to each place of a string at each frame, emission too.

    Places: the blank before the first label, the label, the blank after it, and so on; -inf where no path goes. The
    forward algorithm of Graves et al., ICML 2006, in logarithms, for (…, frames, symbols) of one layer or of several.
    """
    scores = np.asarray(log_probabilities, float)
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    # A label may follow the one before without a blank between, unless both are the same.
    jump = np.zeros(len(states), bool)
    jump[3::2] = states[3::2] != states[1:-2:2]
    total = np.full((*scores.shape[:-1], len(states)), -np.inf)
    total[..., 0, :2] = scores[..., 0, states[:2]]
    for frame in range(1, scores.shape[-2]):
        before, now = total[..., frame - 1, :], total[..., frame, :]
        now[...] = before
        now[..., 1:] = np.logaddexp(before[..., 1:], before[..., :-1])
        now[..., jump] = np.logaddexp(now[..., jump], before[..., :-2][..., jump[2:]])
        now += scores[..., frame, states]
    return total
