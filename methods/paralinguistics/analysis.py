"""How paralinguistics is computed: the model's answers to changed sounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import answers as panels
from methods.core.explain import perturb
from methods.core.explain.answers import Panel
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, provenance, read_only
from methods.paralinguistics.properties import PROPERTIES, Grid, changed
from methods.paralinguistics.result import Paralinguistics

SENSE = {"properties": tuple(PROPERTIES)}
WHOLE_CLIP = tuple(name for name, each in PROPERTIES.items() if not each.local)


@analysis(SENSE)
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    properties: Sequence[str] = WHOLE_CLIP,
    interval: Segment | tuple[str, float, float] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    grid: Grid = "coarse",
    window: Window = "full",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[Paralinguistics]:
    """How does every answer of the model change with how, and where, the words are said?

    `properties` are names of `PROPERTIES`; those of one `interval` need one. `grid="published"` takes the finer steps
    of Pastor et al. `window="clip"` feeds Whisper only the clip's own frames, which is quicker and not what it was
    trained on. A degree that this clip cannot take (a voiceless clip's pitch, over 30 s) is left out and named; raises
    UserError where nothing is left, and for names that are not there.
    """
    yield Step(0.0, "what the model says of the unchanged clip")
    perturb.check_audible(clip.samples)
    part = interval if interval is None or isinstance(interval, Segment) else Segment(*interval)
    _check(properties, part)
    # A whole recording that is louder is scaled anew by a wav2vec 2.0 model's front end, as it would be in use.
    panel = panels.build(clip, model, transcript=transcript, language=language, window=window, renormalise=True)
    plan = yield from _planned(clip, properties, part, grid)
    origin = provenance(
        "paralinguistics", clip, model, properties=list(properties),
        interval=part and (part.label, part.start, part.end), transcript=transcript, language=language,
        transcript_given=bool(transcript), window=panel.window, grid=grid, random_seeds=list(random_seeds),
    )  # fmt: skip
    count = 1 + len(random_seeds)
    result = yield from _answers(panel, plan, origin, 1 / count)
    base, scores = [], []
    for number, seed in enumerate(random_seeds, start=1):
        name = f"random weights, seed {seed}"
        yield Step(number / count, name, partial=result)
        asking = _asked_of_twin(panel.twin(seed), plan)
        first, *others = yield from within(asking, number / count, (number + 1) / count, None, name)
        base.append(first)
        scores.append(others)
        result = replace(result, random_base=read_only(base), random_scores=read_only(scores))
    return result


def _asked_of_twin(twin: Panel, plan: "_Plan") -> Steps[list[np.ndarray]]:
    """Scores of the unchanged clip, then of each sound."""
    found, names = [], ["unchanged", *(f"{name} {degree:g}" for name, degree in plan.points)]
    for number, samples in enumerate((twin.clip.samples, *plan.sounds)):
        yield Step(number / len(names), names[number])
        found.append(twin.scores(samples))
    return found


def _check(properties: Sequence[str], interval: Segment | None) -> None:
    if not properties:
        raise UserError(
            f"No property was chosen, so nothing would change; choose some of {', '.join(PROPERTIES)}.",
            mend={"properties": "…"},
        )
    if interval is None and any(PROPERTIES[name].local for name in properties):
        raise UserError("This change is made to one word or phone; choose which (an interval).")


@dataclass(frozen=True)
class _Plan:
    """The sounds to ask about."""

    points: tuple[tuple[str, float], ...]  # property and degree
    sounds: tuple[np.ndarray, ...]  # (n,) samples of each point
    left_out: tuple[str, ...]  # what cannot be made of this clip, and why


def _planned(clip: Clip, names: Sequence[str], interval: Segment | None, grid: Grid) -> Steps[_Plan]:
    """Every changed sound, each a step: Praat takes a while."""
    plan = [(name, degree) for name in names for degree in getattr(PROPERTIES[name], grid)]
    plan += [("resynthesised", 0.0)] if {"pitch", "tempo", "flat F0", "length"} & set(names) else []
    made, sounds, left_out = [], [], []
    for name, degree in plan:
        yield Step(0.0, f"making the sound: {name} {degree:g}")
        try:
            sounds.append(changed(clip, name, degree, interval))
            made.append((name, degree))
        except UserError as problem:
            left_out.append(f"{name} {degree:g}: {problem}")
    if not any(degree != PROPERTIES[name].reference for name, degree in made if name in PROPERTIES):
        raise UserError(left_out[0].partition(": ")[2])
    return _Plan(tuple(made), tuple(sounds), tuple(left_out))


def _answers(panel: Panel, plan: _Plan, origin: Provenance, part: float) -> Steps[Paralinguistics]:
    """What the model says of each sound; `part` is the share of the whole work that this is."""
    scores = np.full((len(plan.points), len(panel.labels)), np.nan)
    answers, names, result = [""] * len(plan.points), [name for name, _ in plan.points], None
    for number, (name, degree) in enumerate(plan.points):
        # The first property is shown point by point, another when it is whole: drawing takes a while.
        shown = name == names[0] or name != names[number - 1]
        yield Step(part * number / len(names), f"{name} {degree:g}", partial=result if shown else None)
        scores[number], answers[number] = panel.heard(plan.sounds[number])
        result = _result(panel, plan, origin, scores, answers)
    return result


def _result(
    panel: Panel, plan: _Plan, origin: Provenance, scores: np.ndarray, answers: Sequence[str]
) -> Paralinguistics:
    base, heard = panel.heard(panel.clip.samples)
    unchanged = [name in PROPERTIES and degree == PROPERTIES[name].reference for name, degree in plan.points]
    return Paralinguistics(
        targets=panel.labels,
        odds=read_only([scale == "log-odds" for scale in panel.scales], bool),
        properties=tuple(name for name, _ in plan.points),
        degrees=read_only([degree for _, degree in plan.points]),
        reference=read_only(unchanged, bool),
        base=read_only(base),
        scores=read_only(scores),
        heard=heard,
        answers=tuple(answers),
        left_out=plan.left_out,
        interval=origin["options"]["interval"],
        samples=read_only(panel.clip.samples, np.float32),
        provenance=origin,
    )
