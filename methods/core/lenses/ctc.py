"""What a CTC model hears, frame by frame: log-probabilities, the collapsed string, and where each label stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from methods.core import models
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel, Vocabulary


@dataclass(frozen=True, eq=False)
class CtcReading:
    """A clip as a CTC head reads it, by the best label of each frame."""

    text: str
    marks: tuple[Segment, ...]  # each label over the frames in which it is the best: often one or two of a sound
    log_probabilities: np.ndarray  # (frames, labels) natural logarithms
    times: np.ndarray  # (frames,) frame centres, seconds
    vocabulary: Vocabulary


def runs(ids: Sequence[int], blank: int) -> tuple[tuple[int, range], ...]:
    """What does a path of one label per frame spell, and which frames carry each label?

    CTC's rule (Graves et al., ICML 2006): a run of one label is that label once, blanks are nothing, and the same
    label on both sides of a blank counts twice.
    """
    found, start = [], 0
    for label, repeats in groupby(ids):
        stop = start + len(list(repeats))
        if label != blank:
            found.append((label, range(start, stop)))
        start = stop
    return tuple(found)


def read(clip: Clip, model: SpeechModel) -> CtcReading:
    """Which labels does the CTC head find, and when? Raises ModelError for a model without such a head."""
    scores, vocabulary = models.ctc_log_probabilities(clip, model), models.ctc_vocabulary(model)
    grid = models.frame_grid(clip, model)
    path = runs(scores.argmax(-1).tolist(), vocabulary.blank)
    edges = np.clip(np.append(grid.times - grid.step / 2, grid.times[-1] + grid.step / 2), 0.0, clip.seconds)
    marks = tuple(
        Segment(vocabulary.labels[label], edges[frames.start], edges[frames.stop])
        for label, frames in path
        if label != vocabulary.space and edges[frames.start] < edges[frames.stop]
    )
    return CtcReading(vocabulary.spell([label for label, _ in path]), marks, scores, grid.times, vocabulary)
