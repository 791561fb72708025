"""Attribution as a whole: cells and pieces, the analysis with its tests, bad input, one real model."""

import io
from dataclasses import fields
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from methods import attribution
from methods.core import evidence, perturb, targets
from methods.core.attribution_work import Options
from methods.core.audio import Clip, clip_from_samples, load_clip
from methods.core.errors import UserError
from methods.core.evidence import pooled, random_like
from methods.core.frames import Segment
from methods.core.gradients import gradient_map
from methods.core.models import load_model
from methods.core.results import finish
from methods.core.textgrid import read_textgrid
from page import downloads

WEASELS = Path(__file__).parent.parent / "examples_audio" / "cc-by-sa-3.0" / "en_f_weasels.wav"
RANDOM = np.random.default_rng(7)


# From cells to pieces


def test_pooling_takes_the_cells_whose_centre_lies_in_a_piece():
    values, where = np.arange(12.0).reshape(2, 6) - 5, np.arange(6) * 0.1
    pieces = (Segment("a", 0.0, 0.2), Segment("b", 0.2, 0.6), Segment("between", 0.31, 0.33))
    parts = [values[:, :2], values[:, 2:], values[:, 3:4]]
    for how, by_hand in (("sum", np.sum), ("mean", np.mean), ("max", np.max), ("L2", np.linalg.norm)):
        np.testing.assert_allclose(pooled(values, where, pieces, how), [by_hand(part) for part in parts])
    np.testing.assert_allclose(
        pooled(values, where, pieces, "sum of magnitudes"), [np.abs(part).sum() for part in parts]
    )
    with pytest.raises(UserError, match="no way “median”"):
        pooled(values, where, pieces, "median")


def test_random_maps_have_the_curves_autocorrelation():
    curve = np.convolve(RANDOM.standard_normal(400), np.hanning(25), "same") + 3
    made = [random_like(curve, seed) for seed in range(200)]

    def correlation(values, lag):
        values = values - values.mean()
        return float((values * np.roll(values, lag)).mean() / values.var())

    for lag in (3, 10, 50):
        # 200 maps of about 400 / 15 independent values each: standard error 1 / sqrt(200 · 27) = 0.014.
        assert np.mean([correlation(m, lag) for m in made]) == pytest.approx(correlation(curve, lag), abs=0.08)
    np.testing.assert_allclose([m.std() for m in made], curve.std())
    assert abs(np.corrcoef(curve, made[0])[0, 1]) < 0.6


# The whole analysis


@pytest.fixture(scope="module")
def result(tiny_model, clip, segments):
    return attribution.analyse(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", wanted="abc", window="clip",
        orders=3, random_seeds=(0, 1), modes=("silence", "cut"), compared=("LIME", "input x gradient"),
    )  # fmt: skip


def test_result_holds_the_map_and_its_tests(result, clip):
    assert result.labels == ("a", "b", perturb.PAUSE, "c", "d")
    assert result.target == "“abc”" and result.unit == "nats"
    assert len(result.verdict.random) == 3 and result.verdict.energy is not None
    assert set(result.others) == {"loudness", "length", "LIME", "input x gradient"}
    assert result.random_weights.shape == (2, 5) and result.random_maps.shape == (3, 5)
    assert set(result.modes) == {"silence", "cut"}
    np.testing.assert_allclose(result.modes["silence"], result.own.scores)
    names, matrix = result.agreement()
    assert matrix.shape == (len(names),) * 2 and np.nanmax(np.abs(matrix)) <= 1 + 1e-12
    assert len(result.forgets()) == 2 and len(result.stability()) == 0
    assert len(result.played.only.samples) == len(clip.samples)
    played = result.played.strongest
    assert result.played.share == pytest.approx(sum(p.end - p.start for p in played) / clip.seconds)
    assert not any(values.flags.writeable for values in (result.own.scores, result.own.curve, result.random_weights))
    assert {"model", "weights_sha256", "clip_sha256", "options"} <= set(result.provenance)
    assert result.provenance["options"]["window"] == "clip"


def test_leave_one_out_is_a_difference_of_two_scores(result, tiny_model, clip):
    target = targets.build(
        clip, tiny_model, "word", wanted="abc", transcript="ab cd abc", language="en", window="clip"
    )
    for number, piece in enumerate(result.pieces):
        lost = target.base - target.score(perturb.replaced(clip.samples, [piece]))
        assert result.own.scores[number] == pytest.approx(lost, abs=1e-4)
    assert result.nothing == pytest.approx(target.score(perturb.replaced(clip.samples, result.pieces)), abs=1e-4)


def test_table_downloads_and_pictures(result):
    table = result.table()
    pieces = table[table["part"] == "piece"]
    np.testing.assert_array_equal(pieces["score"], result.own.scores)
    np.testing.assert_array_equal(pieces["score, 20 ms later"], result.steady.scores[0])
    steady = table[table["part"] == "input stability"]
    assert list(steady["variant"]) == ["20 ms later", "20 ms earlier", "noise at 40 dB SNR"]
    np.testing.assert_array_equal(steady["spearman"], result.steady.spearman)
    with np.load(io.BytesIO(downloads.npz(result))) as kept:
        np.testing.assert_array_equal(kept["steady_pearson"], result.steady.pearson)
    assert {"LIME", "loudness", "leave one out, cut", "random_weights_1", "random_map_2"} <= set(table)
    assert result.provenance["clip_sha256"].encode() in downloads.csv(result)
    figure = attribution.plot(result)
    titles = [ax.get_title() for ax in figure.axes]
    assert any("Deletion" in name and "beaten" in name for name in titles)
    assert any("Agreement" in name for name in titles)
    bars = figure.axes[1].patches
    np.testing.assert_allclose([bar.get_height() for bar in bars[:5]], result.own.scores)


def test_the_map_comes_before_its_tests(tiny_model, clip, segments):
    steps = attribution.analyse_in_steps(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", window="clip",
        method="input x gradient", level="embedding", orders=1, random_seeds=(), modes=(), compared=(),
    )  # fmt: skip
    seen = list(steps)
    first = next(step for step in seen if step.partial is not None)
    assert first.partial.verdict is None and first.done < 0.3
    assert attribution.plot(first.partial)  # whatever is there can be drawn
    assert [step.done for step in seen] == sorted(step.done for step in seen)


def test_log_mel_map_adds_up_with_what_lies_outside(tiny_model, clip, segments):
    found = attribution.analyse(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", method="input x gradient",
        checks=False,
    )  # fmt: skip
    target = targets.build(clip, tiny_model, "word", transcript="ab cd abc", language="en")
    whole = finish(gradient_map(target, "log-mel", "input x gradient")).values
    assert found.own.map.shape == (80, 130)  # 1.3 s
    assert found.own.map.sum() + found.own.outside == pytest.approx(whole.sum(), rel=1e-6)
    np.testing.assert_allclose(found.own.curve, found.own.map.sum(0))
    assert found.own.scores.sum() == pytest.approx(found.own.map.sum())


def test_analyse_and_its_options_have_the_same_defaults():
    shown = {name: p.default for name, p in signature(attribution.analyse).parameters.items() if name not in
             ("clip", "model", "segments")}  # fmt: skip
    assert shown == {field.name: field.default for field in fields(Options)}


def test_what_cannot_be_done_is_one_sentence(tiny_model, clip, segments):
    options = {"segments": segments, "transcript": "ab cd abc", "language": "en", "window": "clip", "checks": False}
    with pytest.raises(UserError, match="“zebra”, the target, is not among the words"):
        attribution.analyse(clip, tiny_model, wanted="zebra", **options)
    with pytest.raises(UserError, match="LIME compares pieces with each other and this clip has 1 word"):
        attribution.analyse(clip, tiny_model, method="LIME", **{**options, "segments": segments[:1]})
    with pytest.raises(UserError, match="is silent, so there is nothing"):
        attribution.analyse(Clip(np.zeros(20_800), "silence"), tiny_model, **options)
    nested = [Segment("a", 0.0, 0.9), Segment("b", 0.0, 0.8), Segment("c", 0.1, 0.2)]
    with pytest.raises(UserError, match="overlap with a third segment"):
        attribution.analyse(clip, tiny_model, **{**options, "segments": nested})
    with pytest.raises(UserError, match="more than the limit of 0 s"):
        attribution.analyse(clip, tiny_model, method="Shapley", time_limit=1e-9, **options)
    with pytest.raises(UserError, match="times of the phones are needed"):
        attribution.analyse(clip, tiny_model, pieces="phones", **{**options, "segments": None})


def test_a_rival_or_control_that_is_refused_does_not_take_the_map_away(tiny_model, clip, segments, monkeypatch):
    """Untrained networks whose gradients miss their sum, and a rival that is too slow, are told, not fatal."""
    usual = evidence.evidence

    def strict(target, game, recipe, limit):
        if target.model.seed is not None or recipe.method == "LIME":
            raise UserError("too much of it")
        return usual(target, game, recipe, limit)

    monkeypatch.setattr(evidence, "evidence", strict)
    found = attribution.analyse(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", window="clip", orders=0,
        random_seeds=(0, 1), modes=(), variants=(), compared=("LIME", "input x gradient"),
    )  # fmt: skip
    assert set(found.refused) == {"LIME", "random weights, seed 0", "random weights, seed 1"}
    assert found.random_weights.shape == (0, 5) and "LIME" not in found.others
    assert "input x gradient" in found.others


def test_windows_need_no_words(tiny_model, clip):
    found = attribution.analyse(
        clip_from_samples(clip.samples[:8000], 16_000), tiny_model, pieces="windows", transcript="ab cd",
        language="en", window="clip", checks=False, segments=(),
    )  # fmt: skip
    assert len(found.labels) == 7 and found.words == ()


# Real weights


@pytest.mark.weights
def test_a_spoken_word_is_found_where_it_is_said():
    """whisper-tiny.en on “Weasels have eaten our phone system.”: without its own stretch the word “phone” is lost."""
    model = load_model("openai/whisper-tiny.en")
    clip = load_clip(WEASELS)
    words = read_textgrid(WEASELS.with_suffix(".TextGrid").read_bytes())["words"]
    found = attribution.analyse(
        clip, model, segments=words, wanted="phone", window="clip", orders=0, random_seeds=(), modes=(), compared=(),
        variants=(),
    )  # fmt: skip
    assert found.labels[int(found.own.scores.argmax())] == "phone" and found.words == (words[4],)
    assert found.mixing[:, found.labels.index("phone")].min() > 0.5  # value zeroing finds it too
    assert "phone" in found.played.answer_only.lower() and "phone" not in found.played.answer_without.lower()
