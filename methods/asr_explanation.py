"""**How little of the sound is enough for the same transcript?**

The clip is cut into short frames. Hundreds of times a random choice of them is silenced and the model listens again:
it passes if enough of its own words (or phones) are still there. Three rankings come of it: **SFL** (statistics of
which frames were kept when it passed, from software testing), **causal responsibility** (with how many others
silenced a part first becomes decisive, refined step by step) and **LIME** (a linear model of the similarity). From
each ranking frames are added until the transcript passes; then every frame that is not needed leaves again. What
remains can be heard.

*How to read it.* A ranking has found what the model lives on if its first set that passes is **smaller** than those
of random rankings and of the loudest frames first, a strong rival in speech. The minimal set is small after any
ranking, a random one too: it tells how little the model can do with, and whose it is says little. *Halves agree* is
the rank correlation of the scores from one half of the versions with those from the other: near 0 they are chance.
Redundancy is the share of frames that could each be missing: high where the sound says everything twice.

*What it cannot show.* There are many smallest sets, and this is one of them. Speech chopped by silence is nothing that
the model was trained on, so frames may be kept only because a gap without them sounds like another consonant. Whisper
by default reads the clip with 6 s of silence instead of its 30 s window; the exact window can be chosen.

*Source.* Wu, Bell & Rajan, Explanations for automatic speech recognition, ICASSP 2023 (arXiv 2302.14062); formulas:
Ochiai, Tarantula, Zoltar, Wong-II; responsibility: Chockler & Halpern 2004.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import draw, explanation_figure, perturb, sufficient_frames
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.faithfulness import ranking, spearman
from methods.core.frames import Segment
from methods.core.hearing import Listener
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.results import Step, Steps, finish, provenance, read_only, within
from methods.core.stages import Window
from methods.core.sufficient_frames import Formula

NARROWEST, WIDEST = 0.02, 0.07  # s, of frames
FEWEST_MUTANTS, MOST_MUTANTS = 20, 5000
SENSE = {
    "frame": (NARROWEST, WIDEST),
    "threshold": (0.01, 1.0),
    "mutants": (FEWEST_MUTANTS, MOST_MUTANTS),
    "causal_budget": (0, math.inf),
}
RANDOM_RANKINGS = 3
SFL, CAUSAL, LIME, ENERGY = "SFL", "causal", "LIME", "energy"
CHANCE = "random 1"
PRUNED = (SFL, CHANCE, LIME, CAUSAL, ENERGY)  # in this order; the sets of these are cut down to what is needed
PLACES = (SFL, LIME, CAUSAL, ENERGY)  # then the random rankings


@dataclass(frozen=True, eq=False)
class Explanation:
    """One ranking of the frames and the set that it leads to."""

    name: str  # SFL, causal, LIME, energy, random 1, …
    scores: np.ndarray  # (frames,) of the ranking, high first
    sizes: np.ndarray  # (steps,) frames kept
    similarity: np.ndarray  # (steps,) 0 to 1, of the transcript when so many of the first frames are kept
    enough: np.ndarray  # (frames,) bool, the first set that passes
    heard: str  # in that set
    minimal: np.ndarray | None  # (frames,) bool, the same after all frames that are not needed have left
    heard_minimal: str | None
    heard_without: str | None  # in all the rest: the clip without the minimal set
    redundancy: float  # share of `enough` of which each frame alone could go; NaN where it was not asked
    halves: float  # Spearman, -1 to 1, of the scores from two halves of the versions; NaN where they make no scores

    @property
    def size(self) -> float:
        """Share of the frames in the first set that passes, 0 to 1; low is good."""
        return float(self.enough.mean())

    @property
    def minimal_size(self) -> float:
        """Share of the frames that are left in the minimal set; NaN where there is none."""
        return float("nan") if self.minimal is None else float(self.minimal.mean())


@dataclass(frozen=True, eq=False)
class AsrExplanation:
    """What part of a clip is enough, by several rankings."""

    clip: Clip
    heard: str  # in the unchanged clip, in the window that was used
    unit: str  # "words" or "phones"
    threshold: float  # similarity that passes
    frames: tuple[Segment, ...]  # (frames,)
    energy: np.ndarray  # (frames,) mean power
    mutants: np.ndarray  # (mutants so far, frames) bool, True for kept
    similarity: np.ndarray  # (mutants so far,) 1 - error rate, 0 to 1
    counts: np.ndarray  # (4, frames) mutants: frame kept & passed, kept & failed, masked & passed, masked & failed
    explanations: tuple[Explanation, ...]  # those that are there so far; controls come last
    settled: float  # share of the frames that the causal search had the time to look at singly; NaN before it
    asked: int  # versions of the clip that were heard
    provenance: dict[str, Any]

    def sound(self, kept: np.ndarray) -> Clip:
        """The clip with only these frames; all else is silent."""
        return Clip(_sound(self.clip, self.frames, kept), self.clip.name)

    @property
    def complete(self) -> bool:
        """Whether every ranking is there, and every set that is to be cut down has been."""
        made = {each.name: each for each in self.explanations}
        return all(name in made and made[name].minimal is not None for name in PRUNED)

    def named(self, name: str) -> Explanation | None:
        """The explanation with this name, if it is there."""
        return next((each for each in self.explanations if each.name == name), None)

    def overlaps(self) -> np.ndarray:
        """(explanations, explanations) Jaccard overlap of the sets that pass."""
        sets = [each.enough for each in self.explanations]
        return np.array([[sufficient_frames.overlap(a, b) for b in sets] for a in sets])

    def table(self) -> pd.DataFrame:
        """One line per frame: times, energy, counts, and for each ranking its score and whether it keeps the frame."""
        columns: dict[str, Any] = {"start_s": [frame.start for frame in self.frames]}
        columns |= {"end_s": [frame.end for frame in self.frames], "energy": self.energy}
        names = ("kept_passed", "kept_failed", "masked_passed", "masked_failed")
        columns |= dict(zip(names, self.counts, strict=True))
        for each in self.explanations:
            columns |= {f"{each.name}_score": each.scores, f"{each.name}_enough": each.enough}
            columns |= {} if each.minimal is None else {f"{each.name}_minimal": each.minimal}
        return pd.DataFrame(columns)


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    frame: float = 0.05,
    threshold: float = 1.0,
    formula: Formula = "Ochiai",
    mutants: int = 200,
    causal_budget: int = 200,
    language: str | None = None,
    window: Window = "clip",
    seed: int = 0,
) -> AsrExplanation:
    """Which frames of the clip are enough for the model's own transcript?

    `frame` (s) is the width of frames; a version passes if 1 - (word or phone) error rate is at least `threshold`.
    `mutants` random versions serve SFL and LIME, `causal_budget` more the causal search. Raises UserError for a model
    that writes nothing, a silent clip, or a clip of too few frames.
    """
    options = {"frame": frame, "threshold": threshold, "formula": formula, "mutants": mutants, "window": window}
    options |= {"causal_budget": causal_budget, "language": language, "seed": seed}
    return finish(analyse_in_steps(clip, model, **options))


def analyse_in_steps(clip: Clip, model: SpeechModel, **options: Any) -> Steps[AsrExplanation]:
    """`analyse`, with every ranking shown as soon as it is there, for a page that shows progress and can stop."""
    options = {name: options.get(name, default) for name, default in analyse.__kwdefaults__.items()}
    check_options(analyse, options, SENSE)
    perturb.check_audible(clip.samples)
    listener = Listener(clip, model, options["language"], options["window"])
    yield Step(0.0, f"{model.id} listens to the clip")
    frames = perturb.windows(clip.seconds, min(options["frame"], clip.seconds))
    if len(frames) < 4:
        raise UserError(f"This clip has {len(frames)} frame(s) of {options['frame']:g} s; choose narrower ones.")
    ears = _Ears(listener, frames, options["threshold"])
    result = yield from _mutated(_empty(ears, options), ears)
    orders = _scores(result)
    orders[ENERGY] = result.energy
    random = np.random.default_rng(options["seed"])
    for number in range(1, RANDOM_RANKINGS + 1):
        orders[f"random {number}"] = random.permutation(len(frames)).astype(float)
    for number, (name, scores) in enumerate(orders.items()):
        result = yield from _followed(result, ears, name, scores, 0.3 + 0.02 * number)
    search = sufficient_frames.responsibility_in_steps(
        ears.passes, len(frames), result.threshold, budget=options["causal_budget"], seed=options["seed"]
    )
    responsibility = yield from within(search, 0.42, 0.55, result)
    result = replace(result, settled=responsibility.settled)
    result = yield from _followed(result, ears, CAUSAL, responsibility.values, 0.55)
    for number, name in enumerate(PRUNED):
        result = yield from _pruned(result, ears, name, 0.57 + 0.086 * number)
    return result


def _sound(clip: Clip, frames: Sequence[Segment], kept: np.ndarray) -> np.ndarray:
    gone = [frame for frame, keep in zip(frames, kept, strict=True) if not keep]
    return perturb.replaced(clip.samples, gone) if gone else np.asarray(clip.samples)


@dataclass(eq=False)
class _Ears:
    """What is heard when only some frames are kept; no version is heard twice."""

    listener: Listener
    frames: tuple[Segment, ...]
    threshold: float

    def __post_init__(self) -> None:
        self.known: dict[bytes, tuple[float, str]] = {}
        self.judged: dict[bytes, bool] = {}  # those of which only that is known

    def _hear(self, kept: np.ndarray) -> list[tuple[float, str]]:
        new = {row.tobytes(): row for row in kept if row.tobytes() not in self.known}
        for key, said in zip(new, self.listener.heard(self._sounds(new)), strict=True):
            self.known[key] = self.listener.likeness(said), " ".join(said)
        return [self.known[row.tobytes()] for row in kept]

    def _sounds(self, rows: dict[bytes, np.ndarray]) -> list[np.ndarray]:
        return [_sound(self.listener.clip, self.frames, row) for row in rows.values()]

    def similarities(self, kept: np.ndarray) -> np.ndarray:
        """(n,) 0 to 1 for (n, frames) bool."""
        return np.array([similar for similar, _ in self._hear(np.asarray(kept, bool))])

    def passes(self, kept: np.ndarray) -> np.ndarray:
        """(n,) 1 for versions that pass, else 0: quicker, as a text that cannot pass is not heard to its end."""
        rows = {row.tobytes(): row for row in np.asarray(kept, bool)}
        new = {key: row for key, row in rows.items() if key not in self.known and key not in self.judged}
        self.judged |= zip(new, self.listener.passing(self._sounds(new), self.threshold), strict=True)
        judged = [self.judged[key] if key in self.judged else self.known[key][0] >= self.threshold
                  for key in (row.tobytes() for row in np.asarray(kept, bool))]  # fmt: skip
        return np.array(judged, float)

    @property
    def asked(self) -> int:
        """How many versions were heard."""
        return len(self.known.keys() | self.judged.keys())

    def text(self, kept: np.ndarray) -> str:
        """What is heard when these frames are kept."""
        return self._hear(np.asarray(kept, bool)[None])[0][1]


def _empty(ears: _Ears, options: dict[str, Any]) -> AsrExplanation:
    listener, frames = ears.listener, ears.frames
    return AsrExplanation(
        clip=listener.clip,
        heard=" ".join(listener.own),
        unit=listener.unit,
        threshold=options["threshold"],
        frames=frames,
        energy=read_only(perturb.energies(listener.clip.samples, frames)),
        mutants=read_only(np.zeros((0, len(frames))), bool),
        similarity=read_only([]),
        counts=read_only(np.zeros((4, len(frames)))),
        explanations=(),
        settled=float("nan"),
        asked=0,
        provenance=provenance("ASR explanation", listener.clip, listener.model, seed_of_model=listener.model.seed,
                              unit=listener.unit, **options),
    )  # fmt: skip


def _mutated(empty: AsrExplanation, ears: _Ears) -> Steps[AsrExplanation]:
    """All random versions, with a result that can be shown every few of them."""
    options = empty.provenance["options"]
    kept = sufficient_frames.mutants(len(ears.frames), options["mutants"], options["seed"])
    result, batch = empty, max(FEWEST_MUTANTS, ears.listener.batch)
    for start in range(0, len(kept), batch):
        partial = result if len(result.mutants) else None
        yield Step(0.4 * start / len(kept), f"random version {start + 1} of {len(kept)}", partial=partial)
        done = kept[: start + batch]
        similar = ears.similarities(done)
        counts = sufficient_frames.counts(done, similar >= empty.threshold)
        result = replace(empty, mutants=read_only(done, bool), similarity=read_only(similar),
                         counts=read_only(counts), asked=ears.asked)  # fmt: skip
    return result


def _scores(result: AsrExplanation, part: slice = slice(None)) -> dict[str, np.ndarray]:
    """The rankings by SFL and LIME, from all random versions or some of them."""
    kept, similar = result.mutants[part], result.similarity[part]
    counts = sufficient_frames.counts(kept, similar >= result.threshold)
    formula = result.provenance["options"]["formula"]
    return {
        SFL: sufficient_frames.suspiciousness(counts, formula),
        LIME: sufficient_frames.linear_scores(kept.astype(float), similar),
    }


def _halves(result: AsrExplanation, name: str) -> float:
    """How far two halves of the versions agree on a ranking; NaN for one that they do not make."""
    if name not in (SFL, LIME):
        return float("nan")
    middle = len(result.mutants) // 2
    return spearman(*(_scores(result, part)[name] for part in (slice(middle), slice(middle, None))))


def _followed(
    result: AsrExplanation, ears: _Ears, name: str, scores: np.ndarray, done: float
) -> Steps[AsrExplanation]:
    """The result with one more ranking followed to the first set that passes."""
    yield Step(done, f"{name}: frames are added until it passes", partial=result if result.explanations else None)
    growth = sufficient_frames.grown(ears.similarities, ranking(scores), result.threshold)
    made = Explanation(
        name=name,
        scores=read_only(scores),
        sizes=read_only(growth.sizes, np.int64),
        similarity=read_only(growth.similarity),
        enough=read_only(growth.enough, bool),
        heard=ears.text(growth.enough),
        minimal=None,
        heard_minimal=None,
        heard_without=None,
        redundancy=float("nan"),
        halves=_halves(result, name),
    )
    found = sorted((*result.explanations, made), key=_place)
    return replace(result, explanations=tuple(found), asked=ears.asked)


def _place(made: Explanation) -> int:
    return PLACES.index(made.name) if made.name in PLACES else len(PLACES)


def _pruned(result: AsrExplanation, ears: _Ears, name: str, done: float) -> Steps[AsrExplanation]:
    """The result with this ranking's set cut down to what is needed, and what the rest sounds like."""
    yield Step(done, f"{name}: which frames could be missing", partial=result)
    made, threshold = result.named(name), result.threshold
    made = replace(made, redundancy=sufficient_frames.redundancy(ears.passes, made.enough, threshold))
    pruning = sufficient_frames.pruned_in_steps(ears.passes, made.enough, ranking(made.scores), threshold)
    minimal = yield from within(pruning, done + 0.03, done + 0.086, _with(result, made))
    heard = {"heard_minimal": ears.text(minimal), "heard_without": ears.text(~minimal)}
    return replace(_with(result, replace(made, minimal=read_only(minimal, bool), **heard)), asked=ears.asked)


def _with(result: AsrExplanation, made: Explanation) -> AsrExplanation:
    """The result with an explanation in the place of the one of the same name."""
    return replace(result, explanations=tuple(made if e.name == made.name else e for e in result.explanations))


def plot(result: AsrExplanation, *, name: str | None = None) -> Figure:
    """The waveform with the sets that pass, and the similarity as frames are added by each ranking."""
    figure = draw.new_figure(max(7.0, 2.2 * result.clip.seconds), 6.0)
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 1.2))
    explanation_figure.draw_sets(top, result, name)
    explanation_figure.draw_growth(bottom, result)
    return figure
