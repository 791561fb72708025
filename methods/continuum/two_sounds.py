"""Which of two sounds: by a head's probabilities, by distance to both, and by a probe trained on the bundled prompts.

The probe is logistic regression on states averaged over a phone. For Whisper the states are those of the clip-only
window, relative to silence at the same positions (see `features`), for training and for what is asked alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, bundled, features
from methods.core.corpus import items as tables
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps

FEWEST = 5  # examples of each sound; with fewer there is no probe
MOST = 60  # examples of each sound
FOLDS = 5
PENALTY = 0.01  # scikit-learn's C, on standardised states


@dataclass(frozen=True, eq=False)
class Answer:
    """What the probe says of each of some sounds."""

    share: np.ndarray  # (layers, sounds) P(A), A or B
    accuracy: np.ndarray  # (layers,) share of the two sounds told apart in recordings that it has not seen


def examples(a: str, b: str, without: Sequence[Clip] = ()) -> Items | None:
    """Examples of the two sounds in the bundled prompts, as many of each; None where there are too few.

    Recordings in `without` do not count: what is asked about must not have been learnt.
    """
    corpus = bundled()
    found = tables.phone_items(corpus)
    known = {clip.sha256 for clip in without}
    used = np.array([corpus.utterances[number].clip.sha256 in known for number in found.utterance])
    found = found.only(np.isin(found.label, (a, b)) & ~used)
    counts = [int((found.label == sound).sum()) for sound in (a, b)]
    if a == b or min(counts) < FEWEST:
        return None
    return tables.balanced(found, min(*counts, MOST))


def ask(learnt: Items, a: str, sounds: Sequence[tuple[Clip, Segment]], model: SpeechModel) -> Steps[Answer]:
    """Train on the examples, layer by layer, and ask about some sounds in their clips."""
    states = _named(models.encode(sounds[0][0], model).layer_names, (yield from features.of_model(bundled(), model)))
    known, truth = features.pooled(states, learnt), learnt.label == a
    asked = yield from _asked(sounds, model)
    pairs = list(zip(known, asked, strict=True))
    return Answer(
        share=np.stack([PairProbe(values, truth).share(new) for values, new in pairs]),
        accuracy=np.array([accuracy(values, truth, learnt.utterance) for values, _ in pairs]),
    )


def _asked(sounds: Sequence[tuple[Clip, Segment]], model: SpeechModel) -> Steps[tuple[np.ndarray, ...]]:
    corpus = Corpus("steps", tuple(Utterance(clip, "steps") for clip, _ in sounds))
    states = _named(models.encode(sounds[0][0], model).layer_names, (yield from features.of_model(corpus, model)))
    spans = [models.frame_grid(clip, model).span(segment) for clip, segment in sounds]
    rows = [slice(first + span.start, first + span.stop) for first, span in zip(states.offsets, spans, strict=False)]
    return tuple(np.stack([layer[row].mean(0) for row in rows]) for layer in states.layers)


def _named(names: Sequence[str], states: Features) -> Features:
    """The blocks' own layers: the features of some families begin with one of the convolutional stem."""
    return features.only_layers(states, [states.names.index(name) for name in names])


class PairProbe:
    """Two-class logistic regression on values standardised by its own examples."""

    def __init__(self, values: np.ndarray, truth: np.ndarray) -> None:
        spread = values.std(0)
        self.mean, self.inverse = values.mean(0), np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        self.model = LogisticRegression(C=PENALTY, max_iter=500).fit((values - self.mean) * self.inverse, truth)

    def share(self, values: np.ndarray) -> np.ndarray:
        """(n,) P(A)."""
        return self.model.predict_proba((values - self.mean) * self.inverse)[:, 1]


def accuracy(values: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> float:
    """Share told apart when whole recordings are held out in turn."""
    right = np.zeros(len(truth), bool)
    for known, new in GroupKFold(min(FOLDS, len(np.unique(groups)))).split(values, truth, groups):
        right[new] = (PairProbe(values[known], truth[known]).share(values[new]) > 0.5) == truth[new]
    return float(right.mean())


def share_of_first(scores: np.ndarray) -> np.ndarray:
    """(layers, frames, 2) natural log-probabilities -> (layers,) share of the first, each at its highest.

    Free of underflow: a head may give both sounds less than a float can hold.
    """
    highest = scores.astype(float).max(1)
    return np.exp(highest[:, 0] - np.logaddexp(highest[:, 0], highest[:, 1]))


def nearness(states: np.ndarray) -> np.ndarray:
    """(steps, layers, dim) -> (layers, steps) nearness to the first step as against the last, by cosine distance.

    Where both ends are the same, so that there is nothing to tell, it is a half.
    """
    unit = states / np.linalg.norm(states, axis=-1, keepdims=True)
    to_a, to_b = (np.clip(1 - (unit * unit[[end]]).sum(-1), 0, None) for end in (0, -1))
    both = to_a + to_b
    return 1 - np.divide(to_a, both, out=np.full_like(both, 0.5), where=both > 0).T
