"""What live probes gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.results import Provenance, Result
from methods.core.speech import phonology
from methods.live_probes.probe_set import CLASSIFIED, MEASURED, SILENCE


@dataclass(frozen=True, eq=False, kw_only=True)
class LiveProbes(Result):
    """What ready-made probes say at every frame. Layer 0 here is MFCC, then come the model's own layers."""

    layers: tuple[str, ...]  # "MFCC", then the model's own
    times: np.ndarray  # (frames,) s, centres
    step: float  # s between frames
    phones: tuple[str, ...]  # classes of each classifying probe
    manners: tuple[str, ...]
    voicings: tuple[str, ...]
    phone: np.ndarray  # (layers, frames, phones) probabilities
    manner: np.ndarray  # (layers, frames, manners)
    voicing: np.ndarray  # (layers, frames, voicings)
    f0: np.ndarray  # (layers, frames) semitones re 100 Hz
    intensity: np.ndarray  # (layers, frames) dB re full scale
    measured_f0: np.ndarray  # (frames,) Praat's, NaN where there is no voice
    measured_intensity: np.ndarray  # (frames,) Praat's, NaN at the ends and in digital silence
    random_phone: np.ndarray  # (layers, frames, phones) an untrained twin's states read by probes trained on them
    labels: tuple[str, ...]  # (frames,) the clip's own phones in lower case, "sil" between them; empty: none known
    card: Provenance  # scores from the training of the probes

    def classes(self, target: str) -> tuple[str, ...]:
        """The classes of a classifying target."""
        return {"phone": self.phones, "manner": self.manners, "voicing": self.voicings}[target]

    def best(self, target: str) -> np.ndarray:
        """(layers, frames) int, the most likely class."""
        return getattr(self, target).argmax(-1)

    def right(self, target: str) -> np.ndarray | None:
        """(layers,) share of the labelled frames whose most likely class is the clip's own; None without labels."""
        truth, known = self._truth(target)
        if not known.any():
            return None
        said = np.array(self.classes(target))[self.best(target)]
        return (said[:, known] == truth[known]).mean(1)

    def counted(self, target: str) -> tuple[int, int]:
        """How many frames of the clip have a label, and how many of these are silence."""
        truth, known = self._truth(target)
        return int(known.sum()), int((truth[known] == SILENCE).sum())

    def majority(self, target: str) -> tuple[str, float] | None:
        """The most frequent class among the labelled frames, silence included, and its share; None without labels."""
        truth, known = self._truth(target)
        if not known.any():
            return None
        names, counts = np.unique(truth[known], return_counts=True)
        return str(names[counts.argmax()]), float(counts.max() / counts.sum())

    def _truth(self, target: str) -> tuple[np.ndarray, np.ndarray]:
        """(frames,) the clip's own class of each frame, and whether the probes know that class."""
        truth = np.array([_class_of(label, target) for label in self.labels], dtype=str)
        return truth, np.isin(truth, self.classes(target))

    def table(self) -> pd.DataFrame:
        """One row per target, layer, frame and class (or number); then the shares of frames right, without a time."""
        parts = [self._classified(target) for target in CLASSIFIED]
        for target in MEASURED:
            lines = [*zip(self.layers, getattr(self, target), strict=True)]
            lines.append(("Praat", getattr(self, f"measured_{target}")))
            parts += [
                pd.DataFrame({"target": target, "layer": name, "time": self.times, "class": "", "value": values})
                for name, values in lines
            ]
        parts += [self._shares(target) for target in CLASSIFIED if self.right(target) is not None]
        return pd.concat(parts, ignore_index=True)

    def _shares(self, target: str) -> pd.DataFrame:
        """The share of labelled frames that each layer gets right, and that of the most frequent class."""
        name, share = self.majority(target)
        scored = zip(self.layers, self.right(target), strict=True)
        rows = [(target, layer, np.nan, "(right)", value) for layer, value in scored]
        rows.append((target, "most frequent class", np.nan, name, share))
        return pd.DataFrame(rows, columns=["target", "layer", "time", "class", "value"])

    def _classified(self, target: str) -> pd.DataFrame:
        values, names = getattr(self, target), self.classes(target)
        index = pd.MultiIndex.from_product([self.layers, self.times, names], names=["layer", "time", "class"])
        frame = pd.DataFrame({"value": values.ravel()}, index=index).reset_index()
        return frame.assign(target=target)[["target", "layer", "time", "class", "value"]]


def _class_of(label: str, target: str) -> str:
    if target == "phone" or label == SILENCE:
        return label
    return phonology.feature(label, target)
