"""How sufficient sound is computed: frames ranked, and sets of them that still give the transcript."""

import math
from dataclasses import dataclass, replace

import numpy as np

from methods.asr_explanation import sufficient_frames
from methods.asr_explanation.result import CAUSAL, ENERGY, LIME, PRUNED, SFL, AsrExplanation, Explanation, kept_sound
from methods.asr_explanation.sufficient_frames import Formula
from methods.asr_explanation.transcriber import Transcriber
from methods.core.audio import Clip
from methods.core.errors import UserError, counted
from methods.core.explain import perturb
from methods.core.explain.faithfulness import ranking
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import listed, provenance, read_only
from methods.core.statistics.correlation import spearman

NARROWEST, WIDEST = 0.02, 0.07  # s, of frames
FEWEST_MUTANTS, MOST_MUTANTS = 20, 5000
SENSE = {
    "frame": (NARROWEST, WIDEST),
    "threshold": (0.01, 1.0),
    "mutants": (FEWEST_MUTANTS, MOST_MUTANTS),
    "causal_budget": (0, math.inf),
}
RANDOM_RANKINGS = 3
PASSED = 1.0  # what `_Ears.passes` gives for a version that passes
PLACES = (SFL, LIME, CAUSAL, ENERGY)  # then the random rankings


@analysis(SENSE)
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
) -> Steps[AsrExplanation]:
    """Which frames of the clip are enough for the model's own transcript, that of its exact window?

    `frame` (s) is the width of frames; a version passes if its 1 - (word or phone) error rate is at least the share
    `threshold` of what the unchanged clip has in the `window` that is used: 1, unless Whisper's quick window already
    writes another word. What remains of each set is heard in the exact window too. `mutants` random versions serve SFL
    and LIME, `causal_budget` more the causal search. Raises UserError for a model that writes nothing, a silent clip,
    a clip of too few frames, or a quick window that misses half of the text.
    """
    perturb.check_audible(clip.samples)
    asked = _Asked(
        frame=frame, threshold=threshold, formula=formula, mutants=mutants, causal_budget=causal_budget,
        language=language, window=window, seed=seed,
    )  # fmt: skip
    listener = Transcriber(clip, model, language, window)
    yield Step(0.0, f"{model.id} listens to the clip")
    frames = perturb.windows(clip.seconds, min(frame, clip.seconds))
    if len(frames) < 4:
        raise UserError(
            f"This clip has {counted(len(frames), 'frame')} of {frame:g} s; choose narrower ones.", mend={"frame": "…"}
        )
    yield from _listening(listener)
    ears = _Ears(listener, frames, listener.passing_mark(threshold))
    result = yield from _mutated(ears, asked)
    for number, (name, scores) in enumerate(_orders(result, seed).items()):
        result = yield from _followed(result, ears, name, scores, 0.3 + 0.02 * number)
    search = sufficient_frames.responsibility_in_steps(
        ears.passes, len(frames), PASSED, budget=causal_budget, seed=seed, at_once=listener.batch
    )
    responsibility = yield from within(search, 0.42, 0.55, result)
    result = replace(result, settled=responsibility.settled)
    result = yield from _followed(result, ears, CAUSAL, responsibility.values, 0.55)
    for number, name in enumerate(PRUNED):
        result = yield from _pruned(result, ears, name, 0.57 + 0.086 * number)
    return result


def _listening(listener: Transcriber) -> Steps[None]:
    """Everything that is heard in the unchanged clip, a step for each."""
    for name in ("transcript", "own", "here") if listener.model.writes_text else ("own",):
        yield Step(0.0, f"{listener.model.id} listens to the clip")
        getattr(listener, name)


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    frame: float
    threshold: float
    formula: Formula
    mutants: int
    causal_budget: int
    language: str | None
    window: Window
    seed: int


@dataclass(eq=False)
class _Ears:
    """What is heard when only some frames are kept; no version is heard twice."""

    listener: Transcriber
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
        return [kept_sound(self.listener.clip, self.frames, row) for row in rows.values()]

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

    def exact(self) -> "_Ears":
        """The same frames heard in the exact window."""
        return self if self.listener.exact is self.listener else replace(self, listener=self.listener.exact)


def _mutated(ears: _Ears, asked: _Asked) -> Steps[AsrExplanation]:
    """All random versions, with a result that can be shown every few of them."""
    kept = sufficient_frames.mutants(len(ears.frames), asked.mutants, asked.seed)
    result, count = None, len(kept)
    for start in range(0, count, FEWEST_MUTANTS):
        end, text = min(start + FEWEST_MUTANTS, count), f"random version {start + 1} of {count}"
        steps = sufficient_frames.heard_in_steps(ears.similarities, kept[start:end], text, ears.listener.batch)
        yield from within(steps, 0.4 * start / count, 0.4 * end / count, result)
        result = _result(ears, asked, kept[:end])
    return result


def _result(ears: _Ears, asked: _Asked, mutants: np.ndarray) -> AsrExplanation:
    """The result with so many random versions, and no ranking yet."""
    listener, similar = ears.listener, ears.similarities(mutants)
    return AsrExplanation(
        clip=listener.clip,
        text=" ".join(listener.own),
        heard=" ".join(listener.here),
        unit=listener.unit,
        threshold=ears.threshold,
        frames=ears.frames,
        energy=read_only(perturb.energies(listener.clip.samples, ears.frames)),
        mutants=read_only(mutants, bool),
        similarity=read_only(similar),
        counts=read_only(sufficient_frames.counts(mutants, similar >= ears.threshold)),
        asked=ears.asked,
        provenance=provenance("ASR explanation", listener.clip, listener.model, seed_of_model=listener.model.seed,
                              unit=listener.unit, **listed(asked)),
    )  # fmt: skip


def _orders(result: AsrExplanation, seed: int) -> dict[str, np.ndarray]:
    """The rankings that are there as soon as the random versions are, and those that they are compared with."""
    random, count = np.random.default_rng(seed), len(result.frames)
    drawn = {f"random {number}": random.permutation(count).astype(float) for number in range(1, RANDOM_RANKINGS + 1)}
    return {**_scores(result), ENERGY: result.energy, **drawn}


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
    shown, at_once = result if result.explanations else None, ears.listener.batch
    steps = sufficient_frames.grown_in_steps(ears.similarities, ranking(scores), result.threshold, at_once=at_once)
    growth = yield from within(steps, done, done + 0.02, shown, f"{name}: frames are added until it passes")
    made = Explanation(
        name=name,
        scores=read_only(scores),
        sizes=read_only(growth.sizes, np.int64),
        similarity=read_only(growth.similarity),
        enough=read_only(growth.enough, bool),
        heard=ears.text(growth.enough),
        halves=_halves(result, name),
    )
    found = sorted((*result.explanations, made), key=_place)
    return replace(result, explanations=tuple(found), asked=ears.asked)


def _place(made: Explanation) -> int:
    return PLACES.index(made.name) if made.name in PLACES else len(PLACES)


def _pruned(result: AsrExplanation, ears: _Ears, name: str, done: float) -> Steps[AsrExplanation]:
    """The result with this ranking's set cut down to what is needed, and what the rest sounds like."""
    made = result.named(name)
    steps = sufficient_frames.redundancy_in_steps(ears.passes, made.enough, PASSED, ears.listener.batch)
    redundancy = yield from within(steps, done, done + 0.03, result, f"{name}: which frames could be missing")
    made = replace(made, redundancy=redundancy)
    pruning = sufficient_frames.pruned_in_steps(ears.passes, made.enough, ranking(made.scores), PASSED)
    minimal = yield from within(pruning, done + 0.03, done + 0.07, _with(result, made))
    made = replace(made, minimal=read_only(minimal, bool), heard_minimal=ears.text(minimal))
    exact = ears.exact()
    yield Step(done + 0.07, f"{name}: what is left, heard in the exact window", partial=_with(result, made))
    made = replace(
        made, exact_minimal=exact.text(minimal), exact_similarity=float(exact.similarities(minimal[None])[0])
    )
    yield Step(done + 0.08, f"{name}: all the rest")
    made = replace(made, heard_without=ears.text(~minimal))
    yield Step(done + 0.083, f"{name}: all the rest, heard in the exact window")
    return replace(_with(result, replace(made, exact_without=exact.text(~minimal))), asked=ears.asked)


def _with(result: AsrExplanation, made: Explanation) -> AsrExplanation:
    """The result with an explanation in the place of the one of the same name."""
    return replace(result, explanations=tuple(made if e.name == made.name else e for e in result.explanations))
