"""How attribution is computed: one map of the sound for one of the model's answers, with its tests."""

from collections.abc import Sequence

from methods.attribution import work
from methods.attribution.input_stability import VARIANTS
from methods.attribution.options import SENSE, Options, Pieces
from methods.attribution.result import Attribution
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import targets
from methods.core.explain.attribution_map import TIME_LIMIT, Aggregate
from methods.core.explain.faithfulness import RANDOM_ORDERS
from methods.core.explain.gradients import MOST_STEPS
from methods.core.explain.perturb import MODES, Mode
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Level, Window
from methods.core.options import analysis
from methods.core.progress import Step, Steps


@analysis(SENSE)
def analyse(
    clip: Clip, model: SpeechModel, *, segments: Sequence[Segment] | None = None,
    target: str | None = None, wanted: str | None = None, occurrence: int | None = None, against: str | None = None,
    transcript: str | None = None, language: str | None = None, head: str | None = None, window: Window = "full",
    pieces: Pieces = "words", method: str = "leave one out", level: Level = "log-mel", aggregate: Aggregate = "sum",
    replacement: Mode = "silence", steps: int = MOST_STEPS, samples: int | None = None, seed: int = 0,
    share: float = 0.1, checks: bool = True, orders: int = RANDOM_ORDERS,
    compared: Sequence[str] = ("leave one out", "occlusion", "LIME", "input x gradient"),
    modes: Sequence[str] = tuple(MODES), variants: Sequence[str] = tuple(VARIANTS),
    random_seeds: Sequence[int] = (0, 1, 2), heads: int = 0, phones: Sequence[Segment] | None = None,
    time_limit: float = TIME_LIMIT,
) -> Steps[Attribution]:  # fmt: skip
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
    and explained as well (`seed_agreement`; `phones` are one of the sizes at which their maps are compared).
    Raises UserError where one attribution would take longer than `time_limit` seconds, and for options that mean
    nothing.
    """
    asked = Options(
        target=target, wanted=wanted, occurrence=occurrence, against=against, transcript=transcript,
        language=language, head=head, window=window, pieces=pieces, method=method, level=level, aggregate=aggregate,
        replacement=replacement, steps=steps, samples=samples, seed=seed, share=share, checks=checks, orders=orders,
        compared=tuple(compared), modes=tuple(modes), variants=tuple(variants), random_seeds=tuple(random_seeds),
        heads=heads, phones=phones, time_limit=time_limit,
    )  # fmt: skip
    if heads == 1:
        raise UserError(
            "One head has no other to agree with; give at least 2 heads, or 0 for none.", mend={"heads": "2"}
        )
    yield Step(0.0, "what is explained")
    goal = targets.build(
        clip, model, target or next(iter(targets.kinds(model)), "word"), wanted=wanted, occurrence=occurrence,
        against=against, transcript=transcript, language=language, head=head, window=window,
    )  # fmt: skip
    task = work.task(goal, asked, work.segments_of(goal, segments, pieces, transcript, language))
    result = yield from work.first(task)
    for part in (*(work.CHECKS if checks else ()), *((work.headed,) if heads else ())):
        result = yield from part(task, result)
    return result
