"""One attribution in one form: what it starts from, what is loudest, and what would make it quick enough."""

from types import SimpleNamespace

import numpy as np
import pytest

from methods.core.errors import UserError
from methods.core.explain import attribution_map, perturb, targets
from methods.core.explain.attribution_map import MapRecipe
from methods.core.explain.perturb import Game
from methods.core.frames import Segment
from methods.core.progress import finish


def refusal(recipe, *, whisper=True, window="full", pieces=8):
    model = SimpleNamespace(id="m", writes_text=whisper)
    slow = SimpleNamespace(model=model, window=window, clip=SimpleNamespace(seconds=2.0), seconds=1000.0)
    with pytest.raises(UserError) as refused:
        attribution_map.check_affordable(slow, recipe, pieces, 60.0)
    return str(refused.value).split("; choose ")[1]


@pytest.mark.parametrize(
    ("recipe", "given", "advice"),
    [
        (MapRecipe("leave one out"), {}, "the clip-only window, fewer and longer pieces or a smaller model."),
        (MapRecipe("leave one out"), {"window": "clip"}, "fewer and longer pieces or a smaller model."),
        (MapRecipe("leave one out"), {"whisper": False}, "fewer and longer pieces or a smaller model."),
        (MapRecipe("SmoothGrad", samples=10**6), {"whisper": False},
         "fewer samples than 1000000, saliency (one gradient) or a smaller model."),
        (MapRecipe("integrated gradients"), {"window": "clip"},
         "fewer steps, saliency (one gradient) or a smaller model."),
        (MapRecipe("saliency"), {"whisper": False}, "a smaller model."),
        (MapRecipe("Shapley"), {"whisper": False}, "fewer and longer pieces, leave one out or a smaller model."),
        (MapRecipe("LIME", samples=500), {}, "the clip-only window, fewer samples than 500, fewer and longer pieces, "
         "leave one out or a smaller model."),
        (MapRecipe("occlusion"), {"whisper": False}, "a shorter clip, leave one out or a smaller model."),
    ],
)  # fmt: skip
def test_a_refusal_names_what_helps_with_this_method_and_model(recipe, given, advice):
    assert refusal(recipe, **given) == advice


def test_a_cut_leaves_integrated_gradients_to_start_from_silence(tiny_model, clip):
    goal = targets.build(clip, tiny_model, "word", transcript="ab cd abc", language="en", window="clip")
    pieces = (Segment("a", 0.0, 0.6), Segment("b", 0.6, 1.3))

    def made(mode, method="integrated gradients"):
        return finish(attribution_map.evidence(goal, Game(goal, clip.samples, pieces, mode), MapRecipe(method)))

    cut, silence = made("cut"), made("silence")
    assert (cut.start, silence.start, made("mean").start) == ("silence", "silence", "mean")
    np.testing.assert_array_equal(cut.scores, silence.scores)
    assert made("cut", "input x gradient").start == made("cut", "leave one out").start == ""


def test_the_loudest_are_of_the_same_kind_as_the_strongest():
    samples = np.zeros(16_000, np.float32)
    samples[3200:4800] = 0.5  # 0.2 to 0.3 s
    pieces = (Segment("a", 0.0, 0.2), Segment("b", 0.2, 0.4), Segment("c", 0.4, 1.0))
    times = (np.arange(100) + 0.5) * 0.01
    curve = np.where(times > 0.9, 1.0, 0.0)
    by_pieces = attribution_map.Evidence(
        "LIME", "pieces", np.array([1.0, 0.0, 0.0]), times, curve, None, 0.0, None, 0.0, 0.0, 1
    )
    by_frames = attribution_map.Evidence(
        "saliency", "waveform", np.zeros(3), times, curve, None, 0.0, None, 0.0, 0.0, 1
    )
    assert attribution_map.strongest(by_pieces, pieces, 0.1) == pieces[:1]
    assert attribution_map.loudest(samples, by_pieces, pieces, 0.1) == pieces[1:2]
    strong, loud = (
        attribution_map.strongest(by_frames, pieces, 0.1),
        attribution_map.loudest(samples, by_frames, pieces, 0.1),
    )
    assert len(strong) == len(loud) == 10
    assert (strong[0].start, strong[-1].end) == pytest.approx((0.9, 1.0))
    assert (loud[0].start, loud[-1].end) == pytest.approx((0.2, 0.3))
    assert perturb.energies(samples, loud).tolist() == pytest.approx([0.25] * 10)
