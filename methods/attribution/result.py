"""What an attribution is, with everything that tells whether it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from methods.attribution.input_stability import Steadiness
from methods.attribution.seed_agreement import SeedAgreement
from methods.core.audio import Clip
from methods.core.explain.attribution_map import Evidence
from methods.core.explain.faithfulness import Trial, Verdict
from methods.core.frames import Segment
from methods.core.results import Result
from methods.core.statistics import correlation


@dataclass(frozen=True, eq=False)
class Played:
    """The model's answer when it hears only the strongest part of the sound, all but that, or only the loudest."""

    share: float  # of the clip's time that the strongest part makes up, 0 to 1
    share_loudest: float  # the same of the loudest part
    strongest: tuple[Segment, ...]
    only: Clip
    without: Clip
    loudest: Clip
    answer: str  # to the whole clip
    answer_only: str
    answer_without: str
    answer_loudest: str
    score_only: float  # the target for the same sounds
    score_without: float
    score_loudest: float


@dataclass(frozen=True, eq=False)
class AttributionControls:
    """All that tells whether a map can be trusted, part by part; None or empty until it is there, or not asked for."""

    played: Played | None = None
    longest: Trial | None = None  # the trial of taking the longest pieces first
    verdict: Verdict | None = None  # deletion, insertion, and 20 random orders
    crossed: Verdict | None = None  # the map's order and random ones, judged with another replacement
    crossed_with: str | None = None  # that replacement
    others: Mapping[str, np.ndarray] = field(default_factory=dict)  # method or rival -> (pieces,) its scores
    mixing: np.ndarray | None = None  # (layers, pieces) the word's row of value zeroing, shares; NaN in pauses
    random_weights: np.ndarray | None = None  # (seeds, pieces) the same method asked of untrained networks
    repeats: np.ndarray | None = None  # (draws, pieces) the same method with other random numbers, if it draws any
    steady: Steadiness | None = None  # the same method asked of the clip, slightly changed
    modes: Mapping[str, np.ndarray] = field(default_factory=dict)  # replacement -> (pieces,) scores by `modes_method`
    modes_method: str | None = None  # the own method, or leave one out where that takes nothing away or is too slow
    heads: SeedAgreement | None = None  # several heads of our own, explained by several methods; on request
    refused: Mapping[str, str] = field(default_factory=dict)  # what could not be had -> why, a sentence


@dataclass(frozen=True, eq=False, kw_only=True)
class Attribution(Result):
    """An attribution, with its controls."""

    target: str  # what is explained
    unit: str  # of the target and so of most scores
    whole: float  # the target for the clip as it is
    nothing: float  # the target with every piece replaced
    labels: tuple[str, ...]  # (pieces,)
    starts: np.ndarray  # (pieces,) s
    ends: np.ndarray  # (pieces,) s
    own: Evidence
    words: tuple[Segment, ...]  # where the target's word was said, if that is known: to mark it
    random_maps: np.ndarray  # (draws, pieces) scores of random maps as smooth as the own one
    choices: tuple[str, ...]  # what else of this kind could be explained, by number; () where nothing can be chosen
    controls: AttributionControls = AttributionControls()

    @property
    def pieces(self) -> tuple[Segment, ...]:
        """The pieces with their times."""
        return tuple(map(Segment, self.labels, self.starts.tolist(), self.ends.tolist()))

    @property
    def vectors(self) -> dict[str, np.ndarray]:
        """Name -> (pieces,) scores of everything that can be compared: methods, value zeroing, loudness, chance."""
        known = self.controls
        found = {self.own.method: self.own.scores, **known.others}
        if known.mixing is not None:
            found["value zeroing, mean of layers"] = known.mixing.mean(0)
        if len(self.random_maps):
            found["random map"] = self.random_maps[0]
        return found

    def agreement(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Names and their Spearman correlations over the pieces that all have; NaN where one is constant."""
        vectors = self.vectors
        shared = np.all([np.isfinite(values) for values in vectors.values()], axis=0)
        return tuple(vectors), correlation.agreement({name: values[shared] for name, values in vectors.items()})

    def forgets(self) -> np.ndarray:
        """(seeds,) Spearman correlation with the same method on random weights; should be near 0."""
        twins = _rows(self.controls.random_weights)
        return np.array([correlation.spearman(self.own.scores, scores) for scores in twins])

    def stability(self) -> np.ndarray:
        """(seeds,) Spearman correlation with the same method and other random numbers; should be near 1."""
        return np.array([correlation.spearman(self.own.scores, scores) for scores in _rows(self.controls.repeats)])

    @property
    def trials(self) -> dict[str, Trial]:
        """Order -> its trial, of all that have been run."""
        known, verdict = self.controls, self.controls.verdict
        if verdict is None:
            return {}
        named = {"this map": verdict.own, "loudest first": verdict.energy, "longest first": known.longest}
        named |= {f"random order {number}": each for number, each in enumerate(verdict.random, start=1)}
        if known.crossed is not None:
            named[f"this map, judged with {known.crossed_with}"] = known.crossed.own
            drawn = enumerate(known.crossed.random, start=1)
            named |= {f"random order {number}, judged with {known.crossed_with}": each for number, each in drawn}
        return {name: trial for name, trial in named.items() if trial is not None}

    def measured(self) -> dict[str, dict[str, float]]:
        """Measure -> what `Verdict.summary` says, the longest first beside it, and the second opinion."""
        missing, found = float("nan"), self.controls.verdict.summary()
        verdict, longest, crossed = self.controls.verdict, self.controls.longest, self.controls.crossed
        for name, values in found.items():
            values["longest"] = getattr(longest, name) if longest else missing
            values["longest_z"] = verdict.z(name, longest) if longest else missing
            values["crossed"] = getattr(crossed.own, name) if crossed else missing
            values["crossed_z"] = crossed.z(name) if crossed else missing
            values["crossed_beaten"] = crossed.beaten(name) if crossed else missing
        return found

    def _played(self) -> pd.DataFrame:
        heard = self.controls.played
        return pd.DataFrame(
            {
                "sound": ("whole clip", "strongest part only", "without the strongest part", "loudest part only"),
                "share_of_time": (1.0, heard.share, 1 - heard.share, heard.share_loudest),
                "answer": (heard.answer, heard.answer_only, heard.answer_without, heard.answer_loudest),
                "target": (self.whole, heard.score_only, heard.score_without, heard.score_loudest),
            }
        )

    def table(self) -> pd.DataFrame:
        """One line per piece: its score, every rival's, and each control's. Then each test, `part` by part."""
        known, steady = self.controls, self.controls.steady
        columns: dict[str, Sequence] = {
            "part": "piece",
            "piece": self.labels,
            "start_s": self.starts,
            "end_s": self.ends,
        }
        columns |= {"score": self.own.scores, **known.others}
        columns |= {f"{known.modes_method}, {mode}": values for mode, values in known.modes.items()}
        columns |= {f"random_weights_{seed}": row for seed, row in enumerate(_rows(known.random_weights))}
        columns |= {f"repeat_{number}": values for number, values in enumerate(_rows(known.repeats), start=1)}
        columns |= {f"random_map_{number}": values for number, values in enumerate(self.random_maps)}
        for layer, values in enumerate(_rows(known.mixing), start=1):
            columns[f"value_zeroing_layer_{layer}"] = values
        if steady is not None:
            columns |= {f"score, {name}": row for name, row in zip(steady.variants, steady.scores, strict=True)}
        tables = [pd.DataFrame(columns)]
        tables += [self._played().assign(part="played")] if known.played is not None else []
        if self.trials:
            tables += [_tested(self).assign(part="faithfulness"), _curves(self).assign(part="curve")]
        tables += [steady.table().assign(part="input stability")] if steady is not None else []
        tables += [known.heads.table().assign(part="heads")] if known.heads is not None else []
        return pd.concat(tables, ignore_index=True)


def _rows(values: np.ndarray | None) -> Sequence[np.ndarray]:
    return () if values is None else values


def _tested(result: Attribution) -> pd.DataFrame:
    """One line per measure of faithfulness."""
    return pd.DataFrame([{"measure": name, **values} for name, values in result.measured().items()])


def _curves(result: Attribution) -> pd.DataFrame:
    """One line per step of every order that was tried."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "order": name,
                    "taken": trial.taken,
                    "share_of_time": trial.share,
                    "deletion": trial.deletion,
                    "insertion": trial.insertion,
                }
            )
            for name, trial in result.trials.items()
        ]
    )
