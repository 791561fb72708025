"""The frames that erasure learns from and is judged on: their labels, their recordings, and which half they are in."""

from dataclasses import dataclass, replace

import numpy as np

from methods.core.audio import Clip
from methods.core.corpus import Corpus, features, labels
from methods.core.corpus.features import Features
from methods.core.errors import UserError, counted
from methods.core.speech import praat
from methods.core.statistics import splits

F0 = "f0"  # a target of our own: the third of the voiced frames that a frame's F0 is in
BANDS = ("high", "low", "mid")  # in alphabetical order, as classes are
TARGETS = {**labels.TARGETS, F0: "low, mid or high F0 (thirds of the voiced frames)"}
FEWEST = 5  # recordings: two to fit on, three to judge (a probe that is trained there needs folds)


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Frames with a label; rows are those of the corpus's concatenated states."""

    classes: tuple[str, ...]  # in alphabetical order
    dropped: tuple[str, ...]  # classes with too few items
    row: np.ndarray  # (n,) int
    codes: np.ndarray  # (n,) int, index of the class
    recording: np.ndarray  # (n,) int
    fitted: np.ndarray  # (n,) bool, whether the eraser is fitted on it; it is judged on the others

    def half(self, fitted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, codes and recordings of one half."""
        chosen = self.fitted == fitted
        return self.row[chosen], self.codes[chosen], self.recording[chosen]

    @property
    def majority(self) -> float:
        """Share of the judged frames that have the commonest class of the other half: what knowing nothing gives."""
        _, known, _ = self.half(True)
        _, asked, _ = self.half(False)
        return float((asked == np.bincount(known).argmax()).mean())

    def judged_recording(self) -> int:
        """The first recording that nothing was fitted on."""
        return int(self.recording[~self.fitted].min())


def labelled(corpus: Corpus, states: Features, target: str, clip: Clip | None, seed: int) -> LabelledFrames:
    """Label the frames of a corpus and deal its recordings, each speaker's evenly, to fit on and to judge.

    `clip`, if it is one of the recordings, is judged: what is erased from it was learnt elsewhere. Raises UserError
    for a target that is not there, for fewer than two classes, and for too few recordings.
    """
    found = _f0_bands(corpus, states) if target == F0 else _items(corpus, states, target)
    heard = np.array([utterance.clip.sha256 for utterance in corpus.utterances])
    speaker = np.array([utterance.speaker for utterance in corpus.utterances])
    count = len(np.unique(found.recording))
    if count < FEWEST:
        raise UserError(
            f"“{corpus.name}” has {counted(count, 'recording')} with a known {target} and erasure needs {FEWEST}, "
            "to fit on one half and judge on the other; choose a larger corpus."
        )
    fitted = splits.dealt(found.recording, speaker[found.recording], seed)
    fitted = fitted & ~np.isin(heard[found.recording], [] if clip is None else [clip.sha256])
    found = replace(found, fitted=fitted)
    found = _banded(found, target)
    _check(corpus, target, found)
    return found


def _check(corpus: Corpus, target: str, found: LabelledFrames) -> None:
    for half in (True, False):
        _, codes, recording = found.half(half)
        if len(np.unique(codes)) < 2 or len(np.unique(recording)) < (2 if half else 3):
            raise UserError(
                f"Half of the recordings of “{corpus.name}” have fewer than two classes of “{target}”, so there is "
                "nothing to tell apart in them; choose another target, a larger corpus, or another seed."
            )


def _items(corpus: Corpus, states: Features, target: str) -> LabelledFrames:
    if target not in TARGETS and not target.startswith(labels.TIER):
        raise UserError(
            f"There is no target “{target[:40]}”; choose one of {', '.join(TARGETS)}, or {labels.TIER}NAME."
        )
    task = labels.task(corpus, target)
    spans = features.frames_of(states, task.items)
    lengths = [len(span) for span in spans]
    row = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    recording = np.repeat(task.items.utterance, lengths)
    order = np.argsort(row, kind="stable")  # in time, whatever order a tier has
    return LabelledFrames(
        task.classes, task.dropped, row[order], np.repeat(task.codes, lengths)[order], recording[order],
        np.zeros(len(row), dtype=bool),
    )  # fmt: skip


def _f0_bands(corpus: Corpus, states: Features) -> LabelledFrames:
    """Voiced frames, with their F0 in Hz where codes will be: the bands' edges are those of the fitted half."""
    hertz = np.concatenate([praat.f0(u.clip, g.times) for u, g in zip(corpus.utterances, states.grids, strict=True)])
    row = np.flatnonzero(np.isfinite(hertz))
    if len(row) < len(BANDS):
        raise UserError(f"“{corpus.name}” has no voiced frames, so none has an F0; choose another target.")
    return LabelledFrames(BANDS, (), row, hertz[row], states.utterance[row], np.zeros(len(row), dtype=bool))


def _banded(found: LabelledFrames, target: str) -> LabelledFrames:
    if target != F0:
        return found
    edges = np.quantile(found.codes[found.fitted], (1 / 3, 2 / 3))
    names = np.array(["low", "mid", "high"])[np.searchsorted(edges, found.codes)]
    return replace(found, codes=np.searchsorted(BANDS, names))


def shuffled(codes: np.ndarray, recording: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """(n,) the same labels, each recording's with those of another in their place.

    The recordings stand in random order and the labels are moved along by the length of the first: runs of a label
    stay as long as they are and classes as frequent, but what is said no longer belongs to the sound.
    """
    order = draw.permutation(np.unique(recording))
    place = np.concatenate([np.flatnonzero(recording == number) for number in order])
    moved = np.empty_like(codes)
    moved[place] = np.roll(codes[place], -int((recording == order[0]).sum()))
    return moved
