"""Attribution as a whole: cells and pieces, the analysis with its tests, bad input, one real model."""

import io
from dataclasses import MISSING, fields, replace
from inspect import signature
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from tiny_intents import tiny_intents

from methods import attribution
from methods.attribution import work
from methods.attribution.figure import judgement
from methods.attribution.options import Options
from methods.attribution.target_places import marked
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import Clip, clip_from_samples, load_clip
from methods.core.errors import UserError
from methods.core.explain import attribution_map, perturb, targets
from methods.core.explain.attribution_map import pooled, random_like
from methods.core.explain.faithfulness import ranking, trial
from methods.core.explain.gradients import gradient_map
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.progress import finish
from page.export import downloads

WEASELS = Path(__file__).parents[2] / "examples_audio" / "cc-by-sa-3.0" / "en_f_weasels.wav"
RANDOM = np.random.default_rng(7)


# From cells to pieces


def test_pooling_takes_the_cells_whose_centre_lies_in_a_piece():
    values, where = np.arange(12.0).reshape(2, 6) - 5, np.arange(6) * 0.1
    pieces = (Segment("a", 0.0, 0.2), Segment("b", 0.2, 0.6), Segment("between", 0.31, 0.33))
    parts = [values[:, :2], values[:, 2:], values[:, 3:4]]
    for how, by_hand in (("mean", np.mean), ("max", np.max), ("L2", np.linalg.norm)):
        np.testing.assert_allclose(pooled(values, where, pieces, how), [by_hand(part) for part in parts])
    # In sums the cell that two pieces hold is divided between them, so that all of them keep the whole.
    for how, size in (("sum", values), ("sum of magnitudes", np.abs(values))):
        half = size[:, 3].sum() / 2
        expected = [size[:, :2].sum(), size[:, 2:].sum() - half, half]
        np.testing.assert_allclose(pooled(values, where, pieces, how), expected)
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
    assert len(result.controls.verdict.random) == 3 and result.controls.verdict.energy is not None
    assert set(result.controls.others) == {"loudness", "length", "LIME", "input x gradient"}
    assert result.controls.random_weights.shape == (2, 5) and result.random_maps.shape == (3, 5)
    assert set(result.controls.modes) == {"silence", "cut"}
    np.testing.assert_allclose(result.controls.modes["silence"], result.own.scores)
    names, matrix = result.agreement()
    assert matrix.shape == (len(names),) * 2 and np.nanmax(np.abs(matrix)) <= 1 + 1e-12
    assert len(result.forgets()) == 2 and len(result.stability()) == 0
    assert len(result.controls.played.only.samples) == len(clip.samples)
    played = result.controls.played.strongest
    assert result.controls.played.share == pytest.approx(sum(p.end - p.start for p in played) / clip.seconds)
    arrays = (result.own.scores, result.own.curve, result.controls.random_weights)
    assert not any(values.flags.writeable for values in arrays)
    assert {"model", "weights_sha256", "clip_sha256", "options"} <= set(result.provenance)
    assert result.provenance["options"]["window"] == "clip"


def test_the_longest_first_and_a_second_replacement_are_tried(result, tiny_model, clip):
    sizes = result.ends - result.starts
    assert result.controls.longest.order.tolist() == sorted(range(5), key=lambda piece: -round(sizes[piece], 9))
    assert result.controls.crossed_with == "white noise" and len(result.controls.crossed.random) == 3
    np.testing.assert_array_equal(result.controls.crossed.own.order, result.controls.verdict.own.order)
    target = targets.build(
        clip, tiny_model, "word", wanted="abc", transcript="ab cd abc", language="en", window="clip"
    )
    noise = target.score(perturb.replaced(clip.samples, result.pieces, "white noise"))
    assert result.controls.crossed.own.deletion[[0, -1]] == pytest.approx([target.base, noise], abs=1e-4)


def test_length_gains_nothing_in_the_area_over_time(result):
    """Where a piece counts as much as it is long, every order's area is the same triangle, base · height / 2."""
    sizes = np.array([0.1, 0.9, 0.03, 0.5, 0.2, 0.03])
    made = [trial(lambda kept: float(sizes[kept].sum()), order, sizes) for order in permutations(range(6))]
    np.testing.assert_allclose([each.deletion_area for each in made], sizes.sum() / 2)
    np.testing.assert_allclose([each.insertion_area for each in made], sizes.sum() / 2)
    longest = trial(lambda kept: float(sizes[kept].sum()), ranking(sizes), sizes)
    assert longest.comprehensiveness == pytest.approx(max(each.comprehensiveness for each in made))
    # The title's z is that of the area, not that of the means over pieces.
    known = result.controls
    for name, measure in (("deletion", "deletion_area"), ("insertion", "insertion_area")):
        said = judgement(result, name).replace("−", "-")
        assert said.startswith(f"z {known.verdict.z(measure):.2f}, {known.verdict.beaten(measure):.0%} beaten")
        assert f"longest first z {known.verdict.z(measure, known.longest):.2f}" in said
        assert f"white noise instead z {known.crossed.z(measure):.2f}" in said


def test_what_stands_in_is_tried_with_the_method_itself(tiny_model, clip, segments):
    options = {"segments": segments, "transcript": "ab cd abc", "language": "en", "window": "clip", "orders": 0,
               "random_seeds": (), "variants": (), "compared": (), "modes": ("silence", "mean")}  # fmt: skip
    found = attribution.analyse(clip, tiny_model, method="Shapley", **options)
    assert found.controls.modes_method == "Shapley" and "Shapley, mean" in found.table()
    np.testing.assert_array_equal(found.controls.modes["silence"], found.own.scores)
    # Shapley values add up to what lies between all and nothing, with any replacement.
    target = targets.build(clip, tiny_model, "word", transcript="ab cd abc", language="en", window="clip")
    lost = target.base - target.score(perturb.replaced(clip.samples, found.pieces, "mean"))
    assert found.controls.modes["mean"].sum() == pytest.approx(lost, abs=1e-3)
    gradient = attribution.analyse(clip, tiny_model, method="saliency", **options)
    assert gradient.controls.modes_method == "leave one out" and "leave one out, mean" in gradient.table()


def test_where_the_method_is_slow_leave_one_out_stands_in(tiny_model, clip, segments):
    goal = targets.build(clip, tiny_model, "word", transcript="ab cd abc", language="en", window="clip")
    usual = {name: each.default for name, each in signature(attribution.analyse).parameters.items()}
    usual = {name: usual[name] for name in (field.name for field in fields(Options))}
    asked = Options(**{**usual, "method": "Shapley", "modes": ("silence", "mean"), "window": "clip"})
    task = work.task(goal, asked, tuple(segments))
    finish(work.first(task))
    assert work.by_mode(task).method == "Shapley"
    slow = replace(asked, time_limit=32 * goal.seconds)  # 2^5 choices once, but not within half of it
    assert work.by_mode(replace(task, asked=slow)).method == "leave one out"


def test_nobody_says_a_language_or_a_class(tiny_model, clip):
    """The code “es” and the word “es” are spelled alike."""
    model = replace(tiny_model, decoding=replace(tiny_model.decoding, languages={"en": 5, "es": 9}))
    spoken = (Segment("es", 0.1, 0.4), Segment("ab", 0.4, 0.9))
    goal = targets.build(clip, model, "language", wanted="es")
    assert goal.word == "es" and marked(goal, spoken) == ()
    kitchen = targets.build(clip, tiny_intents(), "class", wanted="kitchen")
    assert marked(kitchen, (Segment("kitchen", 0.1, 0.4),)) == ()


def test_a_token_is_said_in_its_word(tiny_model, clip):
    """“ab cd abc” by letters: the second “c” is in the third word, wherever a segment is called “c”."""
    said = tuple(Segment(name, start, start + 0.3) for name, start in (("c", 0.1), ("cd", 0.4), ("abc", 0.8)))
    second = targets.build(clip, tiny_model, "token", wanted="c", occurrence=2, transcript="ab cd abc", language="en")
    assert marked(second, said) == said[2:]
    assert marked(second, said[1:]) == said[2:]  # another number of words: by the label of the token's word
    assert marked(second, said[:2]) == ()


def test_leave_one_out_is_a_difference_of_two_scores(result, tiny_model, clip):
    target = targets.build(
        clip, tiny_model, "word", wanted="abc", transcript="ab cd abc", language="en", window="clip"
    )
    for number, piece in enumerate(result.pieces):
        lost = target.base - target.score(perturb.replaced(clip.samples, [piece]))
        assert result.own.scores[number] == pytest.approx(lost, abs=1e-4)
    assert result.nothing == pytest.approx(target.score(perturb.replaced(clip.samples, result.pieces)), abs=1e-4)


def test_table_downloads_and_pictures(result):
    table, known = result.table(), result.controls
    pieces = table[table["part"] == "piece"]
    np.testing.assert_array_equal(pieces["score"], result.own.scores)
    np.testing.assert_array_equal(pieces["score, 20 ms later"], known.steady.scores[0])
    steady = table[table["part"] == "input stability"]
    assert list(steady["variant"]) == ["20 ms later", "20 ms earlier", "noise at 40 dB SNR"]
    np.testing.assert_array_equal(steady["spearman"], known.steady.spearman)
    with np.load(io.BytesIO(downloads.npz(result))) as kept:
        np.testing.assert_array_equal(kept["steady_pearson"], known.steady.pearson)
        np.testing.assert_array_equal(kept["longest_insertion"], known.longest.insertion)
        np.testing.assert_array_equal(kept["crossed_own_insertion"], known.crossed.own.insertion)
        assert kept["played_score_loudest"] == known.played.score_loudest
    assert known.modes_method == "leave one out"
    assert {"LIME", "loudness", "leave one out, cut", "random_weights_1", "random_map_2"} <= set(table)
    assert result.provenance["clip_sha256"].encode() in downloads.csv(result)
    tested, curves = table[table["part"] == "faithfulness"], table[table["part"] == "curve"]
    own = tested.set_index("measure").loc["deletion_area"]
    assert own["longest_z"] == pytest.approx(known.verdict.z("deletion_area", known.longest))
    assert own["crossed"] == known.crossed.own.deletion_area
    for name, tried in (("longest first", known.longest), ("this map, judged with white noise", known.crossed.own)):
        np.testing.assert_array_equal(curves[curves["order"] == name]["deletion"], tried.deletion)
    heard = table[table["part"] == "played"].set_index("sound")
    assert heard.loc["loudest part only", "target"] == known.played.score_loudest
    figure = attribution.plot(result)
    titles = [ax.get_title() for ax in figure.axes]
    assert any("Deletion" in name and "beaten" in name for name in titles)
    assert any("Agreement" in name for name in titles)
    bars = figure.axes[1].patches
    np.testing.assert_allclose([bar.get_height() for bar in bars[:5]], result.own.scores)


def test_the_map_comes_before_its_tests(tiny_model, clip, segments):
    steps = attribution.analyse.in_steps(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", window="clip",
        method="input x gradient", level="embedding", orders=1, random_seeds=(), modes=(), compared=(),
    )  # fmt: skip
    seen = list(steps)
    first = next(step for step in seen if step.partial is not None)
    assert first.partial.controls.verdict is None and first.done < 0.3
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


def test_an_option_is_declared_once():
    """`Options` holds what `analyse` takes; the defaults stand in `analyse` alone."""
    shown = [name for name in signature(attribution.analyse).parameters if name not in ("clip", "model", "segments")]
    assert shown == [field.name for field in fields(Options)]
    assert all(field.default is MISSING for field in fields(Options))


def test_what_cannot_be_done_is_one_sentence(tiny_model, clip, segments):
    options = {"segments": segments, "transcript": "ab cd abc", "language": "en", "window": "clip", "checks": False}
    with pytest.raises(UserError, match="“zebra”, the target, is not among the words"):
        attribution.analyse(clip, tiny_model, wanted="zebra", **options)
    with pytest.raises(UserError, match="LIME compares pieces with each other and this clip has 1 word;"):
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
    usual = attribution_map.evidence

    def strict(target, game, recipe, limit):
        if target.model.seed is not None or recipe.method == "LIME":
            raise UserError("too much of it")
        return usual(target, game, recipe, limit)

    monkeypatch.setattr(attribution_map, "evidence", strict)
    found = attribution.analyse(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", window="clip", orders=0,
        random_seeds=(0, 1), modes=(), variants=(), compared=("LIME", "input x gradient"),
    )  # fmt: skip
    assert set(found.controls.refused) == {"LIME", "random weights, seed 0", "random weights, seed 1"}
    assert found.controls.random_weights is None and "LIME" not in found.controls.others
    assert "input x gradient" in found.controls.others


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
    assert found.controls.mixing[:, found.labels.index("phone")].min() > 0.5  # value zeroing finds it too
    played = found.controls.played
    assert "phone" in played.answer_only.lower() and "phone" not in played.answer_without.lower()
