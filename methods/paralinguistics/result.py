"""What paralinguistics gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.explain import answers as panels
from methods.core.frames import Segment
from methods.core.results import Result
from methods.core.speech import edits
from methods.paralinguistics.properties import PROPERTIES, Unit, changed


@dataclass(frozen=True, eq=False, kw_only=True)
class Paralinguistics(Result):
    """What the model says of each changed recording; one point is one recording. Scores are natural logarithms."""

    targets: tuple[str, ...]  # (targets,) answers that were asked about
    odds: np.ndarray  # (targets,) bool, True where the score is a log-odds, False where it is a log-probability
    properties: tuple[str, ...]  # (points,) what was changed; "resynthesised" for Praat's own traces
    degrees: np.ndarray  # (points,) how much, in the property's unit; infinity for no noise
    reference: np.ndarray  # (points,) bool, True where nothing was changed
    base: np.ndarray  # (targets,) nats, of the unchanged clip
    scores: np.ndarray  # (points, targets) nats; NaN where not run yet
    heard: str  # what the model says of the unchanged clip
    answers: tuple[str, ...]  # (points,) what it says now; "" where not run yet
    left_out: tuple[str, ...]  # changes that cannot be made to this clip, and why
    interval: tuple[str, float, float] | None  # label, start and end (s) of what Praat changed
    samples: np.ndarray  # (n,) float32, the clip, so that its changed versions can be heard
    random_base: np.ndarray | None = None  # (seeds so far, targets) nats, random weights; None: no seed
    random_scores: np.ndarray | None = None  # (seeds so far, points, targets) nats

    @property
    def names(self) -> tuple[str, ...]:
        """The properties in their order."""
        return tuple(dict.fromkeys(name for name in self.properties if name in PROPERTIES))

    def points(self, name: str) -> np.ndarray:
        """Which points belong to a property, in the order of degree."""
        found = np.flatnonzero([each == name for each in self.properties])
        return found[np.argsort(self.degrees[found], kind="stable")]

    def changes(self, unit: Unit = "nats") -> np.ndarray:
        """(points, targets) how the answers change; 0 at the reference, negative where less likely."""
        return self._change(self.scores, self.base, unit)

    def random_changes(self, unit: Unit = "nats") -> np.ndarray | None:
        """(seeds so far, points, targets) the same with random weights; None: no seed."""
        if self.random_base is None:
            return None
        return self._change(self.random_scores, self.random_base[:, None], unit)

    def _change(self, scores: np.ndarray, base: np.ndarray, unit: Unit) -> np.ndarray:
        if unit == "nats":
            return scores - base
        return panels.probability(scores, self.odds) - panels.probability(base, self.odds)

    def importance(self, name: str, unit: Unit = "nats") -> np.ndarray:
        """(targets,) mean loss over the degrees of a property but the reference: Pastor et al.'s r."""
        changed = [point for point in self.points(name) if not self.reference[point]]
        return -self.changes(unit)[changed].mean(0)

    def kept(self) -> np.ndarray:
        """(points,) 1 − word error rate of the new answer against the old, cut at 0; NaN where not run yet."""
        meant = edits.plain_words(self.heard)
        rates = [edits.error_rate(meant, edits.plain_words(answer)) for answer in self.answers]
        return np.where(np.isnan(self.scores[:, 0]), np.nan, 1 - np.minimum(rates, 1.0))

    def sound(self, point: int) -> Clip:
        """The changed recording, as the model heard it but for its level beyond full scale."""
        clip, part = Clip(self.samples, self.provenance["clip"]), self.interval and Segment(*self.interval)
        name, degree = self.properties[point], float(self.degrees[point])
        return clip_from_samples(changed(clip, name, degree, part), SAMPLE_RATE, f"{clip.name} {name} {degree:g}")

    def table(self) -> pd.DataFrame:
        """One line per changed recording and answer."""
        point, target = np.indices(self.scores.shape).reshape(2, -1)
        columns = {"property": np.array(self.properties, object)[point], "degree": self.degrees[point]}
        columns |= {"reference": self.reference[point], "target": np.array(self.targets, object)[target]}
        columns |= {"score_nats": self.scores.ravel(), "change_nats": self.changes().ravel()}
        columns |= {"change_probability": self.changes("probability").ravel(), "one_minus_wer": self.kept()[point]}
        random = self.random_changes()
        seeds = self.provenance["options"]["random_seeds"]
        for seed, values in zip(seeds, () if random is None else random, strict=False):
            columns[f"random_{seed}_change_nats"] = values.ravel()
        return pd.DataFrame({**columns, "heard": np.array(self.answers, object)[point]})
