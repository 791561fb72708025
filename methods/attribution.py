"""**What in the sound made the model say this word, language or class?**

An attribution shares out one number, such as the log-probability of a word in the model's own transcript, among the
parts of the sound. Two kinds of method do it. Removal takes words, phones or windows of 70 ms away and looks at what
is lost: one at a time (leave one out), under a sliding window (occlusion), in random choices (LIME), or in all
choices (Shapley values). Gradients ask how the number would change if each sample, each cell of the log-mel
spectrogram or each unit of the convolutions' output changed a little; integrated gradients sum them up on the way
from silence to the clip. Such maps often disagree with each other and with the model, so each comes with its test.

*How to read it.* Positive scores speak for the target, negative ones against it, in the target's own unit. First look
at the strip below the map: does the answer go when the best pieces are taken away, faster than in random order, and
faster than by taking the loudest or the longest first? z counts standard deviations better than chance, for the area
under a curve over time: counted by pieces instead, whatever takes the longest first does well. With few pieces z
cannot grow large, so see also how many of the random orders are beaten. What stands in for the sound favours the map
that was made with it, so the order is judged a second time with something else instead. Then look at the agreement of
methods, at the same map of the clip 20 ms later, 20 ms earlier and in noise that can hardly be heard (a map that does
not survive what no listener minds is worth nothing, and random maps stay below the dashed line), and at random
weights: a map that does not change when the network forgets all it has learnt shows the sound and not the model. Then
listen to the top 10 %, to what is left without it, and to as much of what is loudest.

*Heads of our own.* A published map is that of one training run. On request, five linear heads learn to tell vowels
from consonants by this model's states, each from another half of the bundled recordings; with Whisper tiny.en all are
right on some 96 % of the phones in the other half. All are explained for this clip, by frames, windows, phones and
words. Where equally good heads have different maps, a map says more about its head than about the speech. Agreement
counts only where it lies above that of random maps and of heads with shuffled labels, and stays when loudness and
length are taken out.

*What it cannot show.* Speech has no natural “absent”: silence, noise and a cut give different answers, and all of them
make sounds that the model has never met. Pieces that stand in for each other get no score from leave one out. LIME and
sampled Shapley values are guesses from random choices; three other draws show how far they wander, and no interval is
given.
Whisper's log-mel is clamped relative to the clip's loudest cell, so that taking away the loudest word moves the floor
everywhere, and gradients to the waveform are zero below it. The clip-only window is another input than the 30 s that
Whisper was trained on: about ten times quicker, and not the same. Heads on one frozen network agree more readily than
networks that were trained apart.

*Source.* Simonyan et al. 2014; Smilkov et al. 2017; Sundararajan et al., ICML 2017; Ribeiro et al. 2016; Lundberg &
Lee 2017; for speech: Wu, Bell & Rajan 2024, Pastor et al. 2024, Shen et al. 2025; tests: DeYoung et al. 2020, Adebayo
et al. 2018.
"""

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.figure import Figure

from methods.core import attribution_view, targets
from methods.core.attribution_options import SENSE, Options
from methods.core.attribution_result import Attribution
from methods.core.attribution_work import Work, segments_of
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.results import Step, Steps, finish


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


def plot(result: Attribution) -> Figure:
    """The map over time, the scores of the pieces, the deletion and insertion curves, and the agreement of methods."""
    return attribution_view.figure(result)
