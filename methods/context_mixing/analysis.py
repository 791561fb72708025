"""How context mixing is computed: three scores of who takes from whom, side by side."""

from collections.abc import Sequence
from typing import Any, Literal

from methods.context_mixing import three_scores, whole_model
from methods.context_mixing.three_scores import ContextMixing
from methods.context_mixing.whole_model import WholeModel
from methods.core import mixing
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.options import check_options
from methods.core.progress import Steps, finish

Which = Literal["encoder", "decoder", "cross", "whole"]
WHOLE = "The whole model, text from sound and text"
TITLES: dict[Which, str] = {**mixing.STACK_TITLES, "whole": WHOLE}


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stack: Which = "encoder",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> ContextMixing | WholeModel:
    """Do attention, attention norm and value zeroing tell the same story of who takes from whom, layer by layer?

    `stack` is "encoder", "decoder", "cross", or "whole" for the rollout of all three together; the other options are
    those of the single techniques. Raises UserError for fewer than two segments, or for a stack that the model does
    not have. Source: Mohebbi et al. 2023, section 3.
    """
    return finish(analyse_in_steps(**locals()))  # nothing but the arguments is local yet


def analyse_in_steps(
    clip: Clip, model: SpeechModel, *, random_seeds: Sequence[int] = (0, 1, 2), **options: Any
) -> Steps[ContextMixing | WholeModel]:
    """`analyse`, one model after the other, for a page that shows progress and can stop."""
    check_options(analyse, {**options, "random_seeds": random_seeds})
    stack = options.get("stack", "encoder")
    mixing.possible_stacks(model, (stack,))
    passage = mixing.passage(clip, model, **{key: options.get(key) for key in mixing.PASSAGE})
    names = {"stack": stack, "random_seeds": list(random_seeds)}

    def measure(one: mixing.Passage) -> ContextMixing | WholeModel:
        if stack == "whole":
            return whole_model.measured_whole(one, names)
        return three_scores.measured(one, stack, names)

    return (yield from mixing.with_controls(passage, random_seeds, measure))
