"""How attribution is computed: one map of the sound for one of the model's answers, with its tests."""

from collections.abc import Sequence
from typing import Any, Literal

from methods.attribution.options import SENSE, Options
from methods.attribution.result import Attribution
from methods.attribution.work import Work, segments_of
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import targets
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.options import check_options
from methods.core.progress import Step, Steps, finish


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    target: str | None = None,
    wanted: str | None = None,
    occurrence: int | None = None,
    against: str | None = None,
    transcript: str | None = None,
    language: str | None = None,
    head: str | None = None,
    window: Literal["full", "clip"] = "full",
    pieces: Literal["words", "phones", "windows"] = "words",
    method: str = "leave one out",
    level: Literal["waveform", "log-mel", "embedding"] = "log-mel",
    aggregate: Literal["sum", "mean", "max", "L2", "sum of magnitudes"] = "sum",
    replacement: Literal["silence", "white noise", "pink noise", "mean", "cut"] = "silence",
    steps: int = Options.steps,
    samples: int | None = None,
    seed: int = 0,
    share: float = Options.share,
    checks: bool = True,
    orders: int = Options.orders,
    compared: Sequence[str] = Options.compared,
    modes: Sequence[str] = Options.modes,
    variants: Sequence[str] = Options.variants,
    random_seeds: Sequence[int] = Options.random_seeds,
    heads: int = Options.heads,
    phones: Sequence[Segment] | None = None,
    time_limit: float = Options.time_limit,
) -> Attribution:
    """What in the sound speaks for a target?

    `target`, `wanted`, `occurrence`, `against`, `transcript`, `language`, `head`, `window`: see `targets.build`; None
    is the first kind that the model has. `segments` are words (or phones) with their times, found by alignment if
    None; with `pieces="windows"` the clip is cut every 70 ms instead. `replacement` stands in for what is taken away,
    also in the tests of a gradient's map, and integrated gradients start there, or from silence where it is a cut.
    `steps` and `samples` belong to the method. The strongest `share` of the clip is played alone, and the loudest.
    `checks=False` leaves the tests out: `orders` random orders, the `compared` methods, untrained networks with these
    `random_seeds`, the clip changed in these `variants` (20 ms later or earlier, faint noise), the method (or leave
    one out, where it takes nothing away or is too slow) with each of the `modes`, and the order judged once more with
    another replacement. With `heads`, so many small classifiers are trained on the model's states
    and explained as well (`core.seed_agreement`; `phones` are one of the sizes at which their maps are compared).
    Raises UserError where one attribution would take longer than `time_limit` seconds, and for options that mean
    nothing.
    """
    options = {name: value for name, value in locals().items() if name not in ("clip", "model")}
    return finish(analyse_in_steps(clip, model, **options))


def analyse_in_steps(
    clip: Clip, model: SpeechModel, *, segments: Sequence[Segment] | None = None, **options: Any
) -> Steps[Attribution]:
    """`analyse` for a page that shows progress and can stop. The map comes first, then its tests, one by one."""
    check_options(analyse, {"segments": segments, **options}, SENSE)
    if options.get("heads") == 1:
        raise UserError("One head has no other to agree with; give at least 2 heads, or 0 for none.")
    lists = {
        name: tuple(options[name]) for name in ("compared", "modes", "variants", "random_seeds") if name in options
    }
    asked = Options(**{**options, **lists})
    yield Step(0.0, "what is explained")
    goal = targets.build(
        clip,
        model,
        asked.target or next(iter(targets.kinds(model)), "word"),
        wanted=asked.wanted,
        occurrence=asked.occurrence,
        against=asked.against,
        transcript=asked.transcript,
        language=asked.language,
        head=asked.head,
        window=asked.window,
    )
    work = Work(goal, asked)
    result = yield from work.first(segments_of(goal, segments, asked.pieces, asked.transcript, asked.language))
    checks = (
        work.played, work.judged, work.rivals, work.mixed, work.untrained, work.repeated, work.steadied, work.replaced,
        work.crossed,
    )  # fmt: skip
    for part in (*(checks if asked.checks else ()), *((work.headed,) if asked.heads else ())):
        result = yield from part(result)
    return result
