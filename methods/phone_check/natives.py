"""How well do phones of native speakers fit? The bundled recordings, save those that the head has learnt from."""

import numpy as np

from methods.core import corpus as corpora
from methods.core import models
from methods.core.cache import BoundedCache
from methods.core.corpus import Utterance
from methods.core.lenses import ctc_heads
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Step, Steps
from methods.phone_check.phone_scores import PhoneHead
from methods.phone_check.reading import claimed_in, read_phones
from methods.phone_check.result import NativePhones, margins

_margins = BoundedCache(2**24)  # bytes; two thousand phones in five layers are 160 kB


def unheard(model: SpeechModel, sha256: str) -> list[Utterance]:
    """The bundled recordings, without the clip itself and without those that our heads were trained on."""
    heads = ctc_heads.heads_for(model)
    known = None if heads is None else {*heads.metadata["held_out"], *heads.metadata["excluded"]}
    prompts, voices = (corpora.bundled(name).utterances for name in ("prompts", "voices"))
    kept = [each for each in prompts if known is None or each.clip.name in known]
    return [each for each in (*kept, *voices) if each.phones and each.clip.sha256 != sha256]


def native_phones(model: SpeechModel, head: PhoneHead, sha256: str) -> Steps[NativePhones]:
    """The margins of native phones in every layer; kept for the next clip."""
    chosen, parts = unheard(model, sha256), []
    for number, utterance in enumerate(chosen):
        key = (model.key, utterance.clip.sha256)
        if _margins.peek(key) is None:
            yield Step(number / len(chosen), f"native speakers, recording {number + 1} of {len(chosen)}")
        parts.append(_margins.fetch(key, lambda each=utterance: _of_one(each, model, head), _size))
    return NativePhones(
        *(np.concatenate([part[i] for part in parts], -1) for i in range(3)),
        len(chosen),
        len({utterance.speaker for utterance in chosen}),
    )


def _of_one(utterance: Utterance, model: SpeechModel, head: PhoneHead) -> tuple[np.ndarray, ...]:
    """(phones,) kinds, and (layers, phones) margins in the free and the aligned form."""
    said = claimed_in(utterance.phones, head)
    read = read_phones(head.log_probabilities(utterance.clip, model), models.frame_grid(utterance.clip, model), said)
    return said.own, margins(read.free, said.own), margins(read.aligned, said.own)


def _size(arrays: tuple[np.ndarray, ...]) -> int:
    return sum(array.nbytes for array in arrays)
