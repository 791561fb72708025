"""How context mixing is computed: three scores of who takes from whom, side by side."""

from collections.abc import Sequence
from typing import Literal

from methods.context_mixing import three_scores, whole_model
from methods.context_mixing.three_scores import ContextMixing
from methods.context_mixing.whole_model import WholeModel
from methods.core import mixing
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Steps

Which = Literal["encoder", "decoder", "cross", "whole"]
WHOLE = "The whole model, text from sound and text"
TITLES: dict[Which, str] = {**mixing.STACK_TITLES, "whole": WHOLE}


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stack: Which = "encoder",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[ContextMixing | WholeModel]:
    """Do attention, attention norm and value zeroing tell the same story of who takes from whom, layer by layer?

    `stack` is "encoder", "decoder", "cross", or "whole" for the rollout of all three together; the other options are
    those of the single techniques. Raises UserError for fewer than two segments, or for a stack that the model does
    not have. Source: Mohebbi et al. 2023, section 3.
    """
    mixing.possible_stacks(model, (stack,))
    passage = mixing.passage(clip, model, segments=segments, transcript=transcript, language=language)
    seeds = tuple(random_seeds)

    def measure(one: mixing.Passage) -> ContextMixing | WholeModel:
        if stack == "whole":
            return whole_model.measured_whole(one, seeds)
        return three_scores.measured(one, stack, seeds)

    return (yield from mixing.with_controls(passage, random_seeds, measure))
