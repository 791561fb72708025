"""How paralinguistics is computed: the model's answers to changed sounds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import answers as panels
from methods.core.explain import perturb
from methods.core.explain.answers import Panel
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import check_options
from methods.core.progress import Step, Steps, finish
from methods.core.results import provenance, read_only
from methods.paralinguistics.properties import PROPERTIES, Grid, changed
from methods.paralinguistics.result import Paralinguistics

SENSE = {"properties": tuple(PROPERTIES)}
WHOLE_CLIP = tuple(name for name, each in PROPERTIES.items() if not each.local)


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
) -> Paralinguistics:
    """How does every answer of the model change with how, and where, the words are said?

    `properties` are names of `PROPERTIES`; those of one `interval` need one. `grid="published"` takes the finer steps
    of Pastor et al. `window="clip"` feeds Whisper only the clip's own frames, which is quicker and not what it was
    trained on. A degree that this clip cannot take (a voiceless clip's pitch, over 30 s) is left out and named; raises
    UserError where nothing is left, and for names that are not there.
    """
    options = {"properties": properties, "interval": interval, "transcript": transcript, "language": language}
    return finish(analyse_in_steps(clip, model, grid=grid, window=window, random_seeds=random_seeds, **options))


def analyse_in_steps(
    clip: Clip,
    model: SpeechModel,
    *,
    properties: Sequence[str] = WHOLE_CLIP,
    interval: Segment | tuple[str, float, float] | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
    **options: Any,
) -> Steps[Paralinguistics]:
    """`analyse`, sound by sound, for a page that shows progress and can stop."""
    given = {"properties": properties, "interval": interval, "random_seeds": random_seeds}
    check_options(analyse, {**options, **given}, SENSE)
    yield Step(0.0, "what the model says of the unchanged clip")
    perturb.check_audible(clip.samples)
    interval = Segment(*interval) if isinstance(interval, tuple) else interval
    _check(properties, interval)
    asked = {key: options.get(key) for key in ("transcript", "language")}
    # A whole recording that is louder is scaled anew by a wav2vec 2.0 model's front end, as it would be in use.
    panel = panels.build(clip, model, window=options.get("window") or "full", renormalise=True, **asked)
    kept = {**asked, "transcript_given": bool(asked["transcript"]), "window": panel.window}
    kept |= {"grid": options.get("grid") or "coarse", "random_seeds": list(random_seeds)}
    result, sounds = _planned(panel, list(properties), interval, kept)
    total = len(sounds) * (1 + len(random_seeds))
    for number, samples in enumerate(sounds):
        name, degree = result.properties[number], result.degrees[number]
        # The first property is shown point by point, another when it is whole: drawing takes a while.
        shown = number > 0 and (name == result.properties[0] or name != result.properties[number - 1])
        yield Step(number / total, f"{name} {degree:g}", partial=result if shown else None)
        found, answer = panel.heard(samples)
        scores, answers = np.array(result.scores), list(result.answers)
        scores[number], answers[number] = found, answer
        result = replace(result, scores=read_only(scores), answers=tuple(answers))
    for number, seed in enumerate(random_seeds):
        yield Step((number + 1) / (1 + len(random_seeds)), f"random weights, seed {seed}", partial=result)
        twin = panel.twin(seed)
        result = replace(
            result,
            random_base=read_only([*result.random_base, twin.scores(clip.samples)]),
            random_scores=read_only([*result.random_scores, [twin.scores(samples) for samples in sounds]]),
        )
    return result


def _check(properties: Sequence[str], interval: Segment | None) -> None:
    if not properties:
        raise UserError(f"No property was chosen, so nothing would change; choose some of {', '.join(PROPERTIES)}.")
    if interval is None and any(PROPERTIES[name].local for name in properties):
        raise UserError("This change is made to one word or phone; choose which (an interval).")


def _planned(
    panel: Panel, names: list[str], interval: Segment | None, kept: dict[str, Any]
) -> tuple[Paralinguistics, list[np.ndarray]]:
    """A result with nothing asked yet, and the sounds to ask about; what cannot be made is left out."""
    plan = [(name, degree) for name in names for degree in getattr(PROPERTIES[name], kept["grid"])]
    plan += [("resynthesised", 0.0)] if {"pitch", "tempo", "flat F0", "length"} & set(names) else []
    made, sounds, left_out = [], [], []
    for name, degree in plan:
        try:
            sounds.append(changed(panel.clip, name, degree, interval))
            made.append((name, degree))
        except UserError as problem:
            left_out.append(f"{name} {degree:g}: {problem}")
    if not any(degree != PROPERTIES[name].reference for name, degree in made if name in PROPERTIES):
        raise UserError(left_out[0].partition(": ")[2])
    part = interval and (interval.label, interval.start, interval.end)
    origin = provenance("paralinguistics", panel.clip, panel.model, properties=names, interval=part, **kept)
    return _empty(panel, made, tuple(left_out), origin), sounds


def _empty(
    panel: Panel, made: list[tuple[str, float]], left_out: tuple[str, ...], origin: dict[str, Any]
) -> Paralinguistics:
    base, heard = panel.heard(panel.clip.samples)
    shape = (len(made), len(panel.labels))
    known = [name in PROPERTIES and degree == PROPERTIES[name].reference for name, degree in made]
    return Paralinguistics(
        targets=panel.labels,
        odds=read_only([scale == "log-odds" for scale in panel.scales], bool),
        properties=tuple(name for name, _ in made),
        degrees=read_only([degree for _, degree in made]),
        reference=read_only(known, bool),
        base=read_only(base),
        scores=read_only(np.full(shape, np.nan)),
        heard=heard,
        answers=("",) * shape[0],
        random_base=read_only(np.zeros((0, shape[1]))),
        random_scores=read_only(np.zeros((0, *shape))),
        left_out=left_out,
        interval=origin["options"]["interval"],
        samples=read_only(panel.clip.samples, np.float32),
        provenance=origin,
    )
