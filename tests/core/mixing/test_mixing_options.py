"""Nonsense that is asked of a map in Python gets one sentence, in every technique of context mixing."""

import numpy as np
import pytest

from methods import attention, attention_norm, context_mixing, cue_contribution, head_roles, value_zeroing
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.mixing import Passage
from methods.core.models import load_model, transcribe
from methods.head_roles import analysis

BOUNDS = ((0.0, 0.22), (0.22, 0.3), (0.5, 0.95), (0.95, 1.3))
SPOKEN = tuple(Segment(word, *bounds) for word, bounds in zip(("x", "ab", "cd", "abc"), BOUNDS, strict=True))
OPTIONS = {"transcript": "ab cd", "language": "en", "random_seeds": ()}
MAPS = pytest.mark.parametrize("module", [attention, attention_norm, value_zeroing], ids=lambda m: m.__name__)
EVERYONE = [attention, attention_norm, value_zeroing, context_mixing, head_roles]


@MAPS
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stacks": ("sideways",)}, "sideways"),
        ({"stacks": "encoder"}, "stacks"),
        ({"layers": (0,)}, "layers 1 to 2, so there is no layer 0"),
        ({"layers": (-1,)}, "layers"),
        ({"layers": (3,)}, "no layer 3"),
        ({"layers": (1, 1)}, "twice"),
        ({"layers": 1}, "layers"),
        ({"segments": ("ab", "cd")}, "segments"),
    ],
    ids=str,
)
def test_of_a_run(module, clip, tiny_model, segments, wrong, message):
    with pytest.raises(UserError, match=message):
        module.analyse(clip, tiny_model, **{**OPTIONS, "segments": segments, **wrong})


@pytest.mark.parametrize("module", EVERYONE, ids=lambda m: m.__name__)
@pytest.mark.parametrize("seeds", [(-1,), (0.5,), (True,), "01", (0, 0)], ids=str)
def test_of_the_seeds(module, clip, tiny_model, segments, seeds):
    with pytest.raises(UserError, match="random_seeds"):
        module.analyse(clip, tiny_model, **{**OPTIONS, "segments": segments, "random_seeds": seeds})


@MAPS
def test_of_a_model_without_a_decoder(module, clip, segments):
    with pytest.raises(UserError, match="has no decoder, so there is no cross or decoder map"):
        module.analyse(clip, load_model("hama-ctc"), segments=segments, stacks=("cross", "decoder"))


@MAPS
@pytest.mark.parametrize(
    "wrong",
    [{"stack": "sideways"}, {"stack": "decoder"}, {"layer": 0}, {"layer": -1}, {"layer": 9}, {"layer": 1.5},
     {"per": "century"}, {"shares": "no"}, {"prompt": 1}],
    ids=str,
)  # fmt: skip
def test_of_a_view(module, clip, tiny_model, segments, wrong):
    result = module.analyse(clip, tiny_model, **OPTIONS, segments=segments, stacks=("encoder",))
    with pytest.raises(UserError):
        module.plot(result, **wrong)


def test_of_single_options(clip, tiny_model, segments):
    given = {**OPTIONS, "segments": segments}
    cases = (
        (lambda: value_zeroing.analyse(clip, tiny_model, **given, ablation="median"), "median"),
        (lambda: context_mixing.analyse(clip, tiny_model, **given, stack="sideways"), "sideways"),
        (lambda: context_mixing.plot(context_mixing.analyse(clip, tiny_model, **given), per="century"), "century"),
        (lambda: attention.plot(attention.analyse(clip, tiny_model, **given), head=0), "no head 0"),
        (lambda: attention_norm.plot(attention_norm.analyse(clip, tiny_model, **given), variant="x"), "variant"),
        (lambda: head_roles.analyse(clip, tiny_model, **OPTIONS, opened=(1,)), "opened"),
        (lambda: head_roles.analyse(clip, tiny_model, **OPTIONS, opened=(0, 1)), "no layer 0"),
    )
    for ask, message in cases:
        with pytest.raises(UserError, match=message):
            ask()


def test_what_cannot_be_drawn_is_a_sentence(clip, tiny_model):
    result = head_roles.analyse(clip, tiny_model, transcript="ab", language="en", random_seeds=())
    np.testing.assert_array_equal(  # the real-weights check below goes by this shorter way
        result.monotonicity,
        analysis._follow(Passage(clip, tiny_model, (), (), transcribe(clip, tiny_model, text="ab", language="en"))),
    )
    for wrong in ({"head": 0}, {"layer": 3}, {"layer": -1}, {"score": "cadd"}):
        with pytest.raises(UserError, match=r"This model has|There is no score"):
            head_roles.plot(result, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"draws": -1}, {"silenced": -2}, {"stacks": ("sideways",)}, {"cue_occurrence": 0}, {"random_seeds": (-1,)},
     {"random_seeds": (0.5,)}, {"prompt": "yes"}, {"draw_seed": -1}, {"segments": "abc"}, {"cue": None}],
    ids=str,
)  # fmt: skip
def test_of_a_cue(clip, tiny_model, wrong):
    given = {"cue": "ab", "target": "cd", "segments": SPOKEN, "transcript": "x ab cd abc", "language": "en"}
    with pytest.raises(UserError, match=next(iter(wrong))):
        cue_contribution.analyse(clip, tiny_model, **{**given, **wrong})


def test_without_draws_there_is_no_null_and_all_else(clip, tiny_model):
    made = cue_contribution.analyse(
        clip, tiny_model, cue="ab", target="abc", segments=SPOKEN, transcript="x ab cd abc", language="en",
        random_seeds=(), draws=0, silenced=0,
    )  # fmt: skip
    assert made.rank_p() is None and made.silenced_null.shape == (0, 1)
    cue_contribution.plot(made)
    made.table()
