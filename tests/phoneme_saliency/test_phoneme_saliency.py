"""Phoneme saliency on linear targets, where every loss is known, on a tiny network, and on a real recogniser."""

import dataclasses
import re
from functools import cached_property

import numpy as np
import pytest
import torch

from methods import phoneme_saliency
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.explain.targets import Target
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from methods.phoneme_saliency import analysis
from methods.phoneme_saliency import cells as phone_cells
from page.tabs import phoneme_saliency as phoneme_saliency_tab

BINS, FRAMES = 5, 130  # of 10 ms: the clip fixture lasts 1.3 s
VALUES = np.random.default_rng(0).normal(size=(BINS, FRAMES)).astype(np.float32)
LINEAR = {"method": "input x gradient", "random_seeds": (0,), "draws": 4}
# Sums of at most 650 float32 products of order 1: sqrt(650) · 6e-8, with room.
ROUNDING = 1e-4


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        yield


class Linear(Target):
    """A weighted sum of the cells of a made-up log-mel."""

    weights = np.ones((BINS, FRAMES), np.float32)

    @cached_property
    def steps(self):
        return {"waveform": lambda _: torch.from_numpy(VALUES)[None], "log-mel": lambda mel: mel}

    def twin(self, seed):
        other = Linear(*(getattr(self, field.name) for field in dataclasses.fields(self)))
        other.__dict__["weights"] = np.random.default_rng(seed).normal(size=(BINS, FRAMES)).astype(np.float32)
        other.__dict__["readout"] = lambda _model, mel: (torch.from_numpy(other.weights) * mel[0]).sum()
        return other

    def answer(self, samples):
        return f"{np.abs(samples).max():.2f}"


def linear(monkeypatch, clip, model, weights, **options):
    weights = weights.astype(np.float32)
    readout = lambda _model, mel: (torch.from_numpy(weights) * mel[0]).sum()  # noqa: E731
    target = Linear("transcript", "sum", "nats", clip, model, readout)
    monkeypatch.setattr(analysis.targets, "build", lambda *_, **__: target)
    quiet = torch.zeros(1, BINS, FRAMES)
    monkeypatch.setattr(phone_cells.gradients, "baseline_at", lambda *_: quiet)
    return lambda segments: phoneme_saliency.analyse(clip, model, segments=segments, **{**LINEAR, **options})


def test_losses_of_a_linear_target_by_hand(monkeypatch, clip, tiny_model, segments):
    weights = np.random.default_rng(1).normal(size=(BINS, FRAMES))
    result = linear(monkeypatch, clip, tiny_model, weights)(segments)
    parts = weights * VALUES
    spans = [slice(round(s.start * 100), round(s.end * 100)) for s in segments]
    expected = np.array([np.abs(parts[:, span]).mean() for span in spans])
    np.testing.assert_allclose(result.scores, expected, rtol=1e-5)
    order = np.argsort(-expected)
    assert result.order.tolist() == order.tolist()
    assert result.kept.tolist() == [1, 2, 3, 4]
    for step, k in enumerate(result.kept):
        frames = np.concatenate([np.arange(FRAMES)[spans[i]] for i in order[:k]])
        assert result.controls.losses[0, step] == pytest.approx(parts[:, frames].sum(), abs=ROUNDING)
        # Equal size: as many cells, the highest ones; as many moments, those with the highest sums.
        cells = np.argsort(-np.abs(parts), axis=None)[: len(frames) * BINS]
        assert result.controls.losses[1, step] == pytest.approx(parts.ravel()[cells].sum(), abs=ROUNDING)
        moments = np.argsort(-np.abs(parts).sum(0))[: len(frames)]
        assert result.controls.losses[2, step] == pytest.approx(parts[:, moments].sum(), abs=ROUNDING)


def test_with_nothing_but_them_a_linear_target_loses_the_rest(monkeypatch, clip, tiny_model, segments):
    """A sum of cells, and zeros in their place: what is lost without a set and with nothing but it is the whole."""
    weights = np.random.default_rng(1).normal(size=(BINS, FRAMES))
    result = linear(monkeypatch, clip, tiny_model, weights)(segments)
    whole = (weights * VALUES).sum()
    for without, only in (
        (result.controls.losses, result.controls.kept_losses),
        (result.controls.random_losses, result.controls.random_kept_losses),
        (result.controls.random_weights, result.controls.random_weights_kept),
    ):
        assert only.shape == without.shape and len(only)
        np.testing.assert_allclose(without + only, whole, atol=ROUNDING)
    drawn = result.controls.random_kept_losses[:, 0]
    expected = (drawn.mean() - result.controls.kept_losses[0, 0]) / drawn.std(ddof=1)
    assert result.z(kept=True)[0] == pytest.approx(expected)
    assert result.z(kept=True)[0] == pytest.approx(result.z()[0])  # one is the whole less the other
    table = result.table()
    tested = table[table["part"] == "test"]
    np.testing.assert_array_equal(tested["loss_only_phones"], result.controls.kept_losses[0])
    np.testing.assert_array_equal(tested["z_only"], result.z(kept=True))


def test_no_set_of_cells_is_run_twice(monkeypatch, clip, tiny_model, segments):
    """All phones are one set in whatever order: of 4 steps, the last is the same for phones, loudest and chance."""
    asked = []
    monkeypatch.setattr(Linear, "score_at", lambda self, _, cells: asked.append(cells.tobytes()) or float(cells.sum()))
    result = linear(monkeypatch, clip, tiny_model, np.ones((BINS, FRAMES)), draws=20)(segments)
    assert len(asked) == len(set(asked))
    np.testing.assert_array_equal(result.controls.random_losses[:, -1], result.controls.losses[0, -1])


def test_all_phones_gone_is_the_same_for_every_order_of_phones(monkeypatch, clip, tiny_model, segments):
    weights = np.random.default_rng(1).normal(size=(BINS, FRAMES))
    result = linear(monkeypatch, clip, tiny_model, weights)(segments)
    whole = result.controls.losses[0, -1]
    np.testing.assert_allclose(result.controls.random_losses[:, -1], whole, atol=ROUNDING)
    np.testing.assert_allclose(result.controls.random_weights[:, -1], whole, atol=ROUNDING)
    assert result.controls.losses[3, -1] == pytest.approx(whole, abs=ROUNDING)
    assert np.isnan(result.z()[-1])  # chance does not vary there
    assert result.seconds[-1] == pytest.approx(sum(s.end - s.start for s in segments))


def test_a_planted_phone_is_found(monkeypatch, clip, tiny_model, segments):
    weights = np.zeros((BINS, FRAMES))
    weights[:, 22:30] = np.sign(VALUES[:, 22:30])  # the second phone alone decides
    result = linear(monkeypatch, clip, tiny_model, weights, draws=20)(segments)
    assert result.phones[result.order[0]] == "b"
    assert result.controls.losses[0, 0] == pytest.approx(np.abs(VALUES[:, 22:30]).sum(), abs=ROUNDING)
    assert result.controls.losses[0, 0] >= result.controls.random_losses[:, 0].max() - ROUNDING
    assert result.z()[0] > 1
    np.testing.assert_allclose(
        result.controls.losses[0], result.controls.losses[0, 0], atol=ROUNDING
    )  # the rest adds nothing


@pytest.mark.parametrize(("pooling", "order"), [("sum", "cdab"), ("mean", "abcd")])
def test_constant_saliency(pooling, order, segments):
    """A sum then orders by duration (.45, .35, .22 and .08 s); a mean ties, and ties stay in the order of time."""
    spans = [range(round(s.start * 100), round(s.end * 100)) for s in segments]
    scores = phone_cells.pooled(np.ones((BINS, FRAMES)), spans, pooling)
    ranked = analysis.faithfulness.ranking(scores)
    assert "".join(segments[i].label for i in ranked) == order


def test_zero_gradients_give_zeros(monkeypatch, clip, tiny_model, segments):
    result = linear(monkeypatch, clip, tiny_model, np.zeros((BINS, FRAMES)))(segments)
    assert (result.scores == 0).all() and (result.controls.losses == 0).all()
    assert np.isnan(result.z()).all()
    phoneme_saliency.plot(result)
    phoneme_saliency_tab.drawn(result, {"step": 1})


def test_random_sets_last_as_long(monkeypatch, clip, tiny_model, segments):
    """Weights of 1 on ones: the loss is the number of cells."""
    monkeypatch.setattr(f"{__name__}.VALUES", np.ones((BINS, FRAMES), np.float32))
    result = linear(monkeypatch, clip, tiny_model, np.ones((BINS, FRAMES)))(segments)
    for row in (*result.controls.losses, *result.controls.random_losses, *result.controls.random_weights):
        np.testing.assert_allclose(row, result.controls.losses[0], atol=ROUNDING)


def test_silences_are_no_phones(monkeypatch, clip, tiny_model, segments):
    with_silence = (*segments[:2], Segment("sil", 0.3, 0.5), *segments[2:])
    result = linear(monkeypatch, clip, tiny_model, np.ones((BINS, FRAMES)))(with_silence)
    assert result.phones == tuple("abcd")


@pytest.fixture(scope="module")
def tiny(clip, tiny_model, segments):
    options = {"method": "integrated gradients", "kind": "transcript", "transcript": "ab cd", "language": "en"}
    return phoneme_saliency.analyse(
        clip, tiny_model, segments=segments, window="clip", random_seeds=(0, 1), draws=2, **options
    )


def test_whisper_result_is_complete(tiny):
    assert tiny.saliency.shape == (80, 130) and (tiny.saliency >= 0).all()
    assert len(tiny.controls.seeds) + len(tiny.controls.refused) == 2
    assert len(tiny.controls.random_weights) == len(tiny.controls.random_scores) == len(tiny.controls.seeds)
    assert len(tiny.controls.answers) == len(tiny.kept)
    for value in (*vars(tiny).values(), *vars(tiny.controls).values()):
        assert not isinstance(value, np.ndarray) or (np.isfinite(value).all() and not value.flags.writeable)
    table = tiny.table()
    assert (table["part"] == "phone").sum() == 4 and (table["part"] == "test").sum() == len(tiny.kept)
    phoneme_saliency.plot(tiny)
    values = phoneme_saliency_tab.fitted(tiny, {"step": 99})
    assert values["step"] == len(tiny.kept)
    hostile = dataclasses.replace(tiny, phones=("<b>", "$x$", "c", "d"))
    assert "<b>" not in phoneme_saliency_tab.drawn(hostile, values)[-1]
    assert "clip-only" in phoneme_saliency_tab.status_line(tiny, values)


def test_what_is_played_is_scored_as_it_sounds(tiny, clip, tiny_model):
    """The sounds are no log-mel cells: their own losses are there, and the page says that they are another thing."""
    target = analysis.targets.build(clip, tiny_model, "transcript", transcript="ab cd", language="en", window="clip")
    for side, sound in enumerate(tiny.sounds(1)):
        assert tiny.controls.sound_losses[side, 1] == pytest.approx(tiny.base - target.score(sound.samples), abs=1e-5)
    sounds = phoneme_saliency_tab.drawn(tiny, {"step": 2})[-1]
    assert "whole cells of the log-mel by silence, which no recording does exactly" in sounds
    assert f"lose {tiny.controls.sound_losses[0, 1]:.1f} and {tiny.controls.sound_losses[1, 1]:.1f} nats" in sounds
    meant = {**tiny.provenance, "options": {**tiny.provenance["options"], "instead": "mean"}}
    told = phoneme_saliency_tab.drawn(dataclasses.replace(tiny, provenance=meant), {"step": 2})[-1]
    assert "by the mean of its band" in told
    early = dataclasses.replace(tiny, controls=dataclasses.replace(tiny.controls, sound_losses=None, answers=None))
    assert "These very sounds" not in phoneme_saliency_tab.drawn(early, {"step": 2})[-1]


def test_status_names_the_draws(monkeypatch, clip, tiny_model, segments):
    weights = np.random.default_rng(1).normal(size=(BINS, FRAMES))
    result = linear(monkeypatch, clip, tiny_model, weights, draws=7)(segments)
    line = phoneme_saliency_tab.status_line(result, {"step": 1})
    assert line.count("7 random sets of equal time") == 2
    assert "all phones are there" in phoneme_saliency_tab.status_line(result, {"step": len(result.kept)})


def test_steps_are_handed_on_and_remembered(monkeypatch, clip, tiny_model, segments):
    """Integrated gradients with 2 steps take 2 gradients: one stretch of 2 points."""
    asked = []
    own = analysis.gradients.gradient_map
    monkeypatch.setattr(
        analysis.gradients, "gradient_map",
        lambda *given, **options: asked.append(options["steps"]) or own(*given, **options),
    )  # fmt: skip
    options = {"method": "integrated gradients", "steps": 2}
    result = linear(monkeypatch, clip, tiny_model, np.ones((BINS, FRAMES)), **options)(segments)
    assert asked == [2, 2]  # the map and its random-weights control
    assert result.provenance["options"]["steps"] == 2


def test_sounds_are_the_explanation_and_the_rest(tiny, clip):
    without, only = tiny.sounds(0)
    (phone,) = tiny.first(0)
    middle = round((phone.start + phone.end) * 8000)
    assert without.samples[middle] == 0 and only.samples[middle] == clip.samples[middle]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"segments": (Segment("a", 0.1, 0.2),)}, "1 phone with times and ranking needs at least two"),
        ({"instead": "music"}, "There is no “music” for “instead”; choose one of silence, mean"),
        ({"method": "magic"}, "There is no “magic” for “method”"),
        ({"pooling": "median"}, "There is no “median” for “pooling”"),
        ({"window": "door"}, "There is no “door” for “window”"),
        ({"draws": -1}, "The option “draws” cannot be -1"),
        ({"steps": 0}, "The option “steps” cannot be 0"),
        ({"time_limit": 0.0001}, "more than the limit of 0 s; choose the clip-only window"),
        ({"draws": 2.5}, "The option “draws” cannot be float 2.5; it is a whole number"),
        ({"random_seeds": (0, -1)}, "The option “random_seeds” cannot be -1"),
        ({"kind": "class"}, "has no “class”"),
    ],
)
def test_what_cannot_be_done_is_said(clip, tiny_model, segments, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        phoneme_saliency.analyse(clip, tiny_model, **{"segments": segments, "transcript": "ab", **LINEAR, **options})


def test_silent_clip(tiny_model, segments):
    with pytest.raises(UserError, match="silent"):
        phoneme_saliency.analyse(Clip(np.zeros(20_800), "nothing"), tiny_model, segments=segments)


def test_real_phones_beat_chance():
    """hama's own string, integrated gradients: measured z of 1.4 to 3.0 for every k below all."""
    path = "examples_audio/cc-by-sa-3.0/en_f_weasels"
    clip = load_clip(f"{path}.wav")
    with open(f"{path}.TextGrid", "rb") as file:
        phones = read_textgrid(file.read(), seconds=clip.seconds)["phones"]
    result = phoneme_saliency.analyse(clip, load_model("hama-ctc"), segments=phones, random_seeds=(), draws=5)
    assert (result.controls.losses[0, :-1] > result.controls.random_losses[:, :-1].mean(0)).all()
    assert np.nanmean(result.z()) > 1
