"""A planted cue that every method must find; gradients against captum, linear models and jumps."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from reference_attribution import planted_sound, trained_detector

from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.explain import attribution_map, gradients, perturb, targets
from methods.core.explain.attribution_map import METHODS, MapRecipe, random_like, strongest
from methods.core.explain.gradients import completeness_gap, gradient_map
from methods.core.explain.perturb import Game
from methods.core.explain.targets import Target
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import finish
from methods.core.statistics.correlation import spearman

WEASELS = Path(__file__).parents[2] / "examples_audio" / "cc-by-sa-3.0" / "en_f_weasels.wav"
RANDOM = np.random.default_rng(7)


# A toy that has a waveform, an embedding and a class: a planted cue


PIECES = tuple(Segment(f"{i}", i / 10, (i + 1) / 10) for i in range(10))
CUE = 6  # the tone sounds from 0.61 to 0.76 s; the louder decoy from 0.2 s


@pytest.fixture(scope="module")
def planted():
    """The target “cue rather than none” of a network that was trained to hear a tone, for one sound with the cue."""
    network = trained_detector()
    samples = planted_sound(np.random.default_rng(3), cue=0.605, decoy=0.2)[:16_000]
    model = SpeechModel("detector", "hama", network, None, None, "2" * 64, lock=threading.RLock())
    return toy_target(model, samples)


def toy_target(model, samples):
    class Toy(Target):
        steps = property(lambda self: {"waveform": self.model.network.powers, "embedding": self.model.network})

    clip = Clip(samples, "planted")
    return Toy("class", "cue", "logit", clip, model, lambda _, scores: scores[0, 1] - scores[0, 0])


def test_the_planted_cue_decides_and_is_not_the_loudest(planted):
    assert planted.base > 2
    assert planted.score(perturb.replaced(planted.clip.samples, PIECES[6:8])) < -2
    assert perturb.energies(planted.clip.samples, PIECES).argmax() in (2, 3)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_planted_cue(planted, method):
    game = Game(planted, planted.clip.samples, PIECES)
    aggregate = "sum of magnitudes" if method in ("saliency", "SmoothGrad") else "sum"
    recipe = MapRecipe(method, "waveform", aggregate)
    found = finish(attribution_map.evidence(planted, game, recipe))
    assert found.scores.argmax() == CUE
    assert found.times[found.curve.argmax()] == pytest.approx(0.68, abs=0.09)
    best = strongest(found, PIECES, 0.1)
    middle = np.average([(part.start + part.end) / 2 for part in best], weights=[p.end - p.start for p in best])
    assert middle == pytest.approx(0.68, abs=0.09)
    if method in ("integrated gradients", "Shapley"):
        assert found.gap < 0.05
        assert found.scores.sum() == pytest.approx(found.total, rel=0.05)


def test_the_planted_cue_is_gone_with_random_weights(planted):
    """Untrained, the same network does not single out the cue, whatever the method says about the sound."""
    torch.manual_seed(5)
    network = type(planted.model.network)().eval().requires_grad_(False)
    twin = toy_target(replace(planted.model, network=network), planted.clip.samples)
    own, other = (
        finish(attribution_map.evidence(t, Game(t, t.clip.samples, PIECES), MapRecipe("leave one out"))).scores
        for t in (planted, twin)
    )
    assert abs(spearman(own, other)) < 0.7 and other.argmax() != CUE


def silent_network(planted, factor):
    """The detector with all its answers multiplied by `factor`: 0 makes a constant model without gradient."""
    network = trained_detector(0)
    network.classes.weight.data *= factor
    return toy_target(replace(planted.model, network=network), planted.clip.samples)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_model_has_an_empty_map(planted, method):
    target = silent_network(planted, 0.0)
    found = finish(
        attribution_map.evidence(target, Game(target, target.clip.samples, PIECES), MapRecipe(method, "waveform"))
    )
    np.testing.assert_allclose(found.scores, 0, atol=1e-9)
    assert np.isnan(found.gap) or found.gap == 0
    np.testing.assert_allclose(random_like(found.curve, 0), found.curve.mean(), atol=1e-9)


# Gradients


@pytest.mark.parametrize("level", ["waveform", "embedding"])
def test_gradients_are_captums(planted, level):
    entering = planted.entering(level)
    theirs = {
        "saliency": Saliency(lambda x: planted.value(level, x)[None]).attribute(entering.requires_grad_(), abs=False),
        "input x gradient": InputXGradient(lambda x: planted.value(level, x)[None]).attribute(entering),
        "integrated gradients": IntegratedGradients(lambda x: planted.value(level, x)[None]).attribute(
            entering, gradients.baseline_at(planted, level), n_steps=64, internal_batch_size=1
        ),
    }
    for method, attributed in theirs.items():
        ours = finish(gradient_map(planted, level, method, steps=64, adaptive=False)).values
        expected = attributed[0].detach().double().numpy()
        expected = expected.T if level == "embedding" else expected
        # Float32 gradients (eps 1.2e-7) through some hundred operations, relative to the largest.
        np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())


def test_integrated_gradients_of_a_linear_model_are_input_times_weight():
    weights = torch.tensor(RANDOM.standard_normal(800), dtype=torch.float32)

    class Linear(Target):
        steps = property(lambda self: {"waveform": lambda x: x})

    model = SpeechModel("linear", "hama", torch.nn.Identity(), None, None, "3" * 64)
    samples = RANDOM.standard_normal(800).astype(np.float32)
    target = Linear("class", "sum", "logit", Clip(samples, "l"), model, lambda _, x: (x[0] * weights).sum() + 5)
    expected = samples * weights.numpy()
    for method in ("integrated gradients", "input x gradient"):
        found = finish(gradient_map(target, "waveform", method))
        np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.total is None and np.isnan(found.gap)
    found = finish(gradient_map(target, "waveform", "SmoothGrad", samples=3))
    np.testing.assert_allclose(found.values, weights.numpy(), atol=1e-5)


class Straight(Target):
    """A network that is entered by the waveform and hands it on: all is in the readout."""

    steps = property(lambda self: {"waveform": lambda x: x})


def closed_form(samples, readout):
    model = SpeechModel("formula", "hama", torch.nn.Identity(), None, None, "5" * 64)
    return Straight("class", "formula", "logit", Clip(samples, "f"), model, readout)


def test_gradients_of_a_quadratic_are_those_on_paper():
    """F(x) = ½ xᵀAx + bᵀx has the gradient ½ (A + Aᵀ)x + b, here in NumPy's float64; captum takes no part.

    From a baseline x′ the path's integral is exact too: the gradient is linear, so its mean is that of the middle,
    and integrated gradients are (x − x′) times the gradient at (x + x′) / 2.
    """
    size = 40
    a, b, samples = RANDOM.standard_normal((size, size)), RANDOM.standard_normal(size), RANDOM.standard_normal(size)
    samples = samples.astype(np.float32)
    matrix, slope = (torch.tensor(values, dtype=torch.float32) for values in (a, b))
    target = closed_form(samples, lambda _, x: 0.5 * x[0] @ matrix @ x[0] + slope @ x[0])
    gradient = lambda x: 0.5 * (a + a.T) @ x + b  # noqa: E731
    x, offset = samples.astype(np.float64), np.full(size, samples.mean(dtype=np.float64))
    expected = {
        "saliency": gradient(x),
        "input x gradient": x * gradient(x),
        "integrated gradients": x * gradient(x / 2),
    }
    # Sums of 40 float32 products of order 1 (eps 6e-8), times inputs of order 1.
    for method, values in expected.items():
        np.testing.assert_allclose(finish(gradient_map(target, "waveform", method)).values, values, atol=1e-4)
    found = finish(gradient_map(target, "waveform", "integrated gradients", baseline="mean"))
    np.testing.assert_allclose(found.values, (x - offset) * gradient((x + offset) / 2), atol=1e-4)
    assert found.total == pytest.approx(0.5 * x @ a @ x + b @ x - 0.5 * offset @ a @ offset - b @ offset, abs=1e-3)


def test_gradients_are_torchs_own_derivatives():
    """∂ Σ sin(x)² = sin 2x, by calculus, by torch.autograd without captum, and by our call."""
    samples = RANDOM.standard_normal(50).astype(np.float32)
    target = closed_form(samples, lambda _, x: x.sin().square().sum())
    inputs = torch.tensor(samples, requires_grad=True)
    (by_hand,) = torch.autograd.grad(inputs.sin().square().sum(), inputs)
    ours = finish(gradient_map(target, "waveform", "saliency")).values
    np.testing.assert_allclose(ours, by_hand.numpy(), atol=1e-6)
    np.testing.assert_allclose(ours, np.sin(2 * samples.astype(np.float64)), atol=1e-6)


@pytest.mark.parametrize("window", ["full", "clip"])
@pytest.mark.parametrize("level", ["log-mel", "embedding"])
def test_the_mean_is_that_of_the_clip_and_not_of_its_padding(clip, tiny_model, window, level):
    """1.3 s are 130 frames of the log-mel and 65 of the embedding; the rest of Whisper's 30 s stays as it is."""
    target = targets.build(clip, tiny_model, "transcript", transcript="ab cd", language="en", window=window)
    entering, baseline = target.entering(level)[0], gradients.baseline_at(target, level, "mean")[0]
    if level == "embedding":
        entering, baseline = entering.T, baseline.T
    own = {"log-mel": 130, "embedding": 65}[level]
    expected = entering[:, :own].double().mean(1).numpy()
    # Means of 130 float32 values of order 1.
    np.testing.assert_allclose(baseline[:, :own], np.repeat(expected[:, None], own, 1), atol=1e-5)
    np.testing.assert_array_equal(baseline[:, own:], entering[:, own:])
    assert (
        entering.shape[1]
        == {"full": {"log-mel": 3000, "embedding": 1500}, "clip": {"log-mel": 130, "embedding": 65}}[window][level]
    )


@pytest.mark.parametrize("level", ["log-mel", "embedding"])
def test_nothing_falls_on_the_padding_when_the_mean_is_the_baseline(clip, tiny_model, level):
    target = targets.build(clip, tiny_model, "transcript", transcript="ab cd", language="en")
    found = finish(gradient_map(target, level, "integrated gradients", baseline="mean", steps=8))
    own = {"log-mel": 130, "embedding": 65}[level]
    assert (found.values[:, own:] == 0).all() and np.abs(found.values[:, :own]).max() > 0


def test_a_jump_on_the_path_is_found_by_refinement_and_missed_by_even_steps():
    """F jumps (steeply) from 0 to 1 at 0.777 of the way: even steps step over it."""

    class Jump(Target):
        steps = property(lambda self: {"waveform": lambda x: x})

    model = SpeechModel("jump", "hama", torch.nn.Identity(), None, None, "4" * 64)
    samples = np.full(400, 0.5, np.float32)
    target = Jump(
        "class", "jump", "nats", Clip(samples, "j"), model, lambda _, x: torch.sigmoid(800 * (x.mean() - 0.3885))
    )
    with pytest.raises(UserError, match=r"should give 1 .* another gradient method .* more steps \(64\) in Python"):
        finish(gradient_map(target, "waveform", "integrated gradients", steps=32, adaptive=False))
    found, rough = ended(gradient_map(target, "waveform", "integrated gradients", steps=64))
    assert found.gap < 0.05 and found.total == pytest.approx(1)
    assert found.values.sum() == pytest.approx(1, abs=0.05)
    # The first look along the path: two points of Gauss and Legendre in each quarter.
    nodes = (np.arange(4)[:, None] + 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3)) / 4
    told = 1 / (1 + np.exp(-800 * (0.5 * nodes - 0.3885)))
    assert len(rough) == 1
    assert rough[0].values.sum() == pytest.approx((0.125 * 800 * 0.5 * told * (1 - told)).sum(), rel=1e-3)


def ended(steps):
    """The result, and what could be shown on the way."""
    rough = []
    try:
        while True:
            step = next(steps)
            rough += [step.partial] if step.partial is not None else []
    except StopIteration as end:
        return end.value, rough


def test_completeness_gap_is_relative_and_ignores_rounding():
    assert completeness_gap(9.0, 10.0) == pytest.approx(0.1)
    assert completeness_gap(1e-5, 0.0) == 0
    assert completeness_gap(1.0, 0.0) == np.inf


def test_levels_and_methods_that_are_not_there_are_one_sentence(planted):
    with pytest.raises(UserError, match="cannot be entered at “log-mel”; choose waveform or embedding"):
        finish(gradient_map(planted, "log-mel", "saliency"))
    with pytest.raises(UserError, match="no gradient method 'DeepLift'"):
        finish(gradient_map(planted, "waveform", "DeepLift"))
    with pytest.raises(UserError, match="need something in the sound's place"):
        gradients.baseline_at(planted, "waveform", "cut")
    with pytest.raises(UserError, match="no method 'guess'; choose one of leave one out"):
        finish(attribution_map.evidence(planted, Game(planted, planted.clip.samples, PIECES), MapRecipe("guess")))
    with pytest.raises(UserError, match="“Shapley” needs about 1024 passes through detector"):
        finish(
            attribution_map.evidence(
                planted, Game(planted, planted.clip.samples, PIECES), MapRecipe("Shapley"), limit=1e-6
            )
        )


@pytest.mark.weights
def test_refined_integrated_gradients_add_up_for_hamas_string():
    """The path from silence crosses sudden jumps; refinement meets the sum of some 150 nats to 5%."""
    model = load_model("hama-ctc")
    target = targets.build(load_clip(WEASELS), model, "ctc")
    found = finish(gradient_map(target, "log-mel", "integrated gradients"))
    assert found.gap < 0.05 and found.total > 100  # nats between the clip and silence
    assert found.values.shape == (80, 296)
