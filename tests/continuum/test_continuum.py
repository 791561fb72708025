"""From one sound to another: steps that are what they say, shares by hand, and a context that tips a real scale."""

import io
import itertools
import json

import numpy as np
import pytest
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from methods import continuum, ctc_lens
from methods.continuum import analysis, series, two_sounds
from methods.core import models
from methods.core.audio import Clip, clip_from_samples, to_wav
from methods.core.corpus import Corpus, Utterance
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses.ctc_heads import FILE
from methods.core.models import load_model
from methods.core.speech import praat
from page.examples import EXAMPLES
from page.tabs import continuum as continuum_tab

HAMA = "hama-ctc"
WEASELS = EXAMPLES["en_f_weasels"]


# Steps


def test_the_first_step_is_the_first_clip():
    first, last = EXAMPLES["en_f_statement"].clip(), WEASELS.clip()
    steps = series.morph(*(one.samples.astype(np.float64) for one in (first, last)), 3)
    assert {len(step) for step in steps} == {len(first.samples)}
    # Magnitudes under the floor of 1e-5 are raised to it: a sum of 257 of them over 512 samples stays below 1e-4.
    np.testing.assert_allclose(steps[0], first.samples, atol=1e-4)
    with pytest.raises(UserError, match="at least two steps"):
        series.morph(first.samples, last.samples, 1)


def test_a_step_between_two_tones_has_the_geometric_mean_of_their_levels():
    times = np.arange(16_000) / 16_000
    loud, soft = (clip_from_samples(a * np.sin(2 * np.pi * 1000 * times), 16_000) for a in (0.5, 0.02))
    middle = series.morph(loud.samples.astype(np.float64), soft.samples.astype(np.float64), 3)[1]
    inner = slice(2000, 14_000)
    assert np.sqrt(2) * middle[inner].std() == pytest.approx(0.1, rel=1e-2)


def test_another_sound_is_put_in_and_nothing_else_changes(clip):
    place, piece = Segment("x", 0.5, 0.6), np.full(2400, 0.25)  # 1600 samples make way for 2400
    changed = series.put_in(clip, place, piece, "changed")
    assert len(changed.samples) == len(clip.samples) + 800
    np.testing.assert_array_equal(changed.samples[:8000], clip.samples[:8000])
    np.testing.assert_array_equal(changed.samples[10_400:], clip.samples[9600:])
    np.testing.assert_array_equal(changed.samples[8080:10_320], np.float32(0.25))
    # At the first sample of the fade 1/160 of the new sound and 159/160 of the old one.
    assert changed.samples[8000] == pytest.approx(0.25 / 160 + clip.samples[8000] * 159 / 160, abs=1e-6)


def test_both_contexts_hold_the_same_sounds():
    clip, phones = WEASELS.clip(), [phone for phone in WEASELS.tiers()["phones"] if phone.label]
    sounds = phones[2], phones[5]
    first, second = series.between(clip, sounds[0], clip, sounds[1], 4)
    length = round(sounds[0].end * 16_000) - round(sounds[0].start * 16_000)
    for one, other in zip(first.clips, second.clips, strict=True):
        pieces = []
        for made, sound in ((one, sounds[0]), (other, sounds[1])):
            start = round(sound.start * 16_000)
            pieces.append(made.samples[start + series.FADE : start + length - series.FADE])
        np.testing.assert_array_equal(*pieces)
    np.testing.assert_allclose(first.clips[0].samples, clip.samples, atol=1e-4)
    np.testing.assert_allclose([place.end - place.start for place in second.places], length / 16_000)


def test_praats_edits_move_what_they_name():
    clip, vowel = series.EXPERIMENTS["iy-ih"].second.find()
    raised = series.edited(clip, vowel, "F1", 1.6, 3)
    middle = np.array([(vowel.start + vowel.end) / 2])
    heights = [praat.formants(step, middle)[0, 0] for step in raised.clips]
    # Linear prediction finds a moved formant to some 10%, near the first harmonics less well.
    np.testing.assert_allclose(np.array(heights) / heights[0], [1, 1.6**0.5, 1.6], rtol=0.15)
    before = round(vowel.start * 16_000) - 1
    np.testing.assert_array_equal(raised.clips[-1].samples[:before], clip.samples[:before])
    longer = series.edited(clip, vowel, "length", 2.0, 3)
    extra = [len(step.samples) - len(clip.samples) for step in longer.clips]
    samples = (vowel.end - vowel.start) * 16_000
    np.testing.assert_allclose(extra, [0, (2**0.5 - 1) * samples, samples], atol=2)
    assert longer.places[-1].end - vowel.start == pytest.approx(2 * (vowel.end - vowel.start))


def test_steps_that_cannot_be_made(clip):
    sound = Segment("x", 0.1, 0.3)
    with pytest.raises(UserError, match="needs a sound of"):
        series.between(clip, Segment("x", 0.1, 0.105), clip, sound)
    with pytest.raises(UserError, match="changes nothing"):
        series.edited(clip, sound, "F1", 1.0)
    with pytest.raises(UserError, match="no edit “F9”"):
        series.edited(clip, sound, "F9", 1.2)
    with pytest.raises(UserError, match="no experiment “x-y”"):
        series.of_experiment("x-y")
    one = series.Series("a", (clip, clip), (sound, sound))
    with pytest.raises(UserError, match="different numbers of steps"):
        series.checked([one, series.Series("b", (clip,), (sound,))])
    with pytest.raises(UserError, match="limit is 4"):
        series.checked([one] * 5)


# Shares


def test_share_of_the_first_sound_by_hand():
    # One layer, three frames, two sounds: the highest are .6 and .2, whichever frame they are in.
    found = np.log([[[0.1, 0.2], [0.6, 0.05], [0.3, 0.1]]])
    np.testing.assert_allclose(two_sounds.share_of_first(found), [0.75])
    # e^-2000 and e^-2001 are 0 to a float, yet their ratio is e.
    np.testing.assert_allclose(two_sounds.share_of_first(np.array([[[-2000.0, -2001.0]]])), [np.e / (np.e + 1)])


def test_nearness_by_the_angle():
    angles = np.radians([0, 30, 45, 90])
    states = np.stack([np.cos(angles), np.sin(angles)], -1)[:, None] * 3.0  # lengths do not matter
    far = 1 - np.cos(np.radians([30, 60]))
    np.testing.assert_allclose(two_sounds.nearness(states), [[1, 1 - far[0] / far.sum(), 0.5, 0]], atol=1e-12)
    same = np.ones((3, 2, 5))
    np.testing.assert_array_equal(two_sounds.nearness(same), 0.5)


def test_the_probe_is_scikit_learns():
    rng = np.random.default_rng(0)
    values, truth = rng.normal(size=(60, 8)) * 5 + 3, rng.random(60) < 0.5
    values[:, 3] = 2.0  # a dimension without spread
    model = make_pipeline(StandardScaler(), LogisticRegression(C=two_sounds.PENALTY, max_iter=500)).fit(values, truth)
    # L-BFGS stops at a gradient of 1e-4; both standardise alike, so that only rounding parts them.
    np.testing.assert_allclose(
        two_sounds.PairProbe(values, truth).share(values), model.predict_proba(values)[:, 1], atol=1e-5
    )


def test_the_probe_is_judged_on_recordings_that_it_has_not_seen():
    rng = np.random.default_rng(0)
    groups, truth = np.repeat(np.arange(20), 6), rng.random(120) < 0.5
    told = rng.normal(size=(120, 4)) + 8 * truth[:, None]
    assert two_sounds.accuracy(told, truth, groups) == 1
    # A mark of each recording is of no use: 120 guesses have a standard deviation of .046, here taken fourfold.
    assert abs(two_sounds.accuracy(np.eye(20)[groups], truth, groups) - 0.5) < 0.19


def test_examples_leave_out_what_the_steps_are_made_from():
    clip, _ = series.EXPERIMENTS["l-r"].first.find()
    every, without = two_sounds.examples("l", "r"), two_sounds.examples("l", "r", [clip])
    assert (every.label == "l").sum() == (every.label == "r").sum() == 60
    assert clip.name in set(every.columns["utterance"]) and clip.name not in set(without.columns["utterance"])
    assert two_sounds.examples("oy", "r") is None and two_sounds.examples("l", "l") is None


@pytest.mark.parametrize("name", series.EXPERIMENTS)
def test_ready_made_steps_are_of_prompts_that_our_heads_were_not_trained_on(name):
    with safe_open(FILE, "np") as file:
        card = json.loads(file.metadata()["card"])
    for place in (series.EXPERIMENTS[name].first, series.EXPERIMENTS[name].second):
        assert place.utterance in card["held_out"]
        _, phone = place.find()
        assert phone.start == pytest.approx(place.start, abs=0.02)


# The technique


@pytest.fixture(scope="module")
def dialled():
    return continuum.analyse(WEASELS.clip(), load_model(HAMA), experiment="d-t", count=5, random_seeds=(0,))


def test_the_lens_is_that_of_the_ctc_lens_tab(dialled):
    step = dialled.clip(1, 3)
    read = ctc_lens.analyse(step, load_model(HAMA), random_seeds=())
    near = Segment("", dialled.starts[1, 3] - continuum.REACH, dialled.ends[1, 3] + continuum.REACH)
    a, b = (read.evidence(symbol, near) for symbol in ("d", "t"))
    np.testing.assert_allclose(dialled.lens[1, :, 3], a / (a + b), rtol=1e-5)
    np.testing.assert_allclose(dialled.evidence[1, :, 3], np.maximum(a, b), rtol=1e-5)


def test_what_needs_no_probe_is_shown_while_the_probe_is_trained(clip, tiny_model):
    steps = continuum.analyse.in_steps(clip, tiny_model, random_seeds=())
    few, one, both = itertools.islice((step.partial for step in steps if step.partial is not None), 3)
    for shown in (few, one, both):
        assert "nearness" in shown.measures and "probe" not in shown.measures and not shown.complete
        assert continuum.plot(shown)
    assert both.contexts[:1] == one.contexts and len(both.contexts) == 2  # the first comes early
    np.testing.assert_array_equal(one.nearness, both.nearness[:1])
    assert few.contexts == one.contexts and few.steps.tolist() == [0, 0.5, 1]  # both ends and the middle before it
    np.testing.assert_array_equal(few.nearness, one.nearness[..., ::3])


@pytest.mark.parametrize(
    ("steps", "first"),
    [(3, (0, 1, 2)), (4, (0, 1, 2, 3)), (5, (0, 2, 4)), (7, (0, 3, 6)), (10, (0, 3, 6, 9)), (11, (0, 5, 10))],
)
def test_the_first_picture_has_few_steps_evenly_apart(steps, first):
    assert analysis._evenly_few(steps) == first


def test_the_context_tips_the_scale(dialled):
    """“No directory” keeps its d longer than “is too short”, the more the higher the layer; not by chance."""
    np.testing.assert_allclose(dialled.nearness[..., [0, -1]], np.tile([1, 0], (2, 5, 1)), atol=1e-12)
    assert (np.diff(dialled.probe) < 0.03).all()
    assert dialled.lens[1, -1, 0] > 0.9 and dialled.lens[1, -1, -1] < 0.5 < dialled.lens[0, -1, -1]
    effect = dialled.context_effect("probe")
    assert effect[-1] > 0.15 > 0.05 > abs(effect[0])
    assert dialled.probe_accuracy.min() > 0.65 and dialled.probe_accuracy[-1] > 0.75
    (twin,) = dialled.random
    assert abs(twin.context_effect("probe")).max() < 0.1 < effect[-1]


def test_the_context_effect_is_an_area(dialled):
    apart = dialled.probe[0] - dialled.probe[1]
    by_hand = (apart[:, 0] / 2 + apart[:, 1:-1].sum(1) + apart[:, -1] / 2) / 4  # trapezoids of width 1/4
    np.testing.assert_allclose(dialled.context_effect("probe"), by_hand, atol=1e-12)


def test_table_and_plot_hold_the_numbers(dialled):
    table = dialled.table()
    assert len(table) == dialled.probe.size == 2 * 5 * 5
    np.testing.assert_array_equal(table["probe"], dialled.probe.ravel())
    np.testing.assert_array_equal(table["random_0_lens"], dialled.random[0].lens.ravel())
    figure = continuum.plot(dialled, layer=2)
    drawn = figure.axes[0].lines
    np.testing.assert_array_equal(drawn[1].get_ydata(), dialled.lens[0, 2])
    np.testing.assert_array_equal(drawn[0].get_ydata(), dialled.random[0].lens[0, 2])
    figure.savefig(io.BytesIO(), format="svg")


def test_without_a_head_and_without_examples_nearness_remains(clip, tiny_model, segments):
    result = continuum.analyse(clip, tiny_model, segments=segments, experiment="morph", count=3, random_seeds=(0,))
    assert result.measures == ("nearness",) and result.lens is None and result.probe is None
    assert (result.a, result.b, len(result.random)) == ("a", "b", 1)
    np.testing.assert_allclose(result.clip(0, 0).samples, clip.samples, atol=1e-4)
    span = models.frame_grid(clip, tiny_model).span(segments[0])
    states = [models.encode(result.clip(0, step), tiny_model).hidden[1][span].mean(0) for step in range(3)]
    far = [1 - states[1] @ end / np.linalg.norm(states[1]) / np.linalg.norm(end) for end in (states[0], states[2])]
    assert result.nearness[0, 1, 1] == pytest.approx(1 - far[0] / sum(far), abs=1e-4)
    again = continuum.analyse(clip, tiny_model, segments=segments, experiment="morph", count=3, random_seeds=())
    np.testing.assert_array_equal(again.nearness, result.nearness)
    assert not result.nearness.flags.writeable and "no CTC lens" in continuum_tab.status_line(result, {"layer": 1})


def test_what_cannot_be_asked(clip, tiny_model, segments):
    def ask(**options):
        return continuum.analyse(clip, tiny_model, segments=segments, random_seeds=(), **options)

    with pytest.raises(UserError, match="no number 9"):
        ask(experiment="morph", second=9)
    with pytest.raises(UserError, match="turned into itself"):
        ask(experiment="morph", second=1)
    alone = ask(experiment="F1", first=3, second=3, count=2)
    with pytest.raises(UserError, match="only one context"):
        alone.context_effect("nearness")
    with pytest.raises(UserError, match="There is no Probe here"):
        continuum.draw_curves(None, alone, "probe", 0)
    continuum.plot(alone)


# On the page


def test_a_visitors_own_steps(tmp_path, clip, tiny_model):
    for context in ("<b>x", "the_z"):
        for step in (1, 2):
            sound = Clip(clip.samples * np.float32(step / 2), "step")
            (tmp_path / f"{context}_{step}.wav").write_bytes(to_wav(sound))
    corpus, _, told = continuum_tab.own_steps([str(path) for path in tmp_path.iterdir()])
    assert corpus.speakers == ("<b>x", "the_z") or len(corpus.speakers) == 2
    assert "<b>" not in told and "2 steps" in told
    result = continuum.analyse(corpus, tiny_model, a="l", b="r", random_seeds=())
    assert result.nearness.shape == (2, 3, 2) and result.provenance["corpus"] == "steps"
    assert "<b>" not in continuum_tab.players(result)
    with pytest.raises(UserError, match="at least two steps"):
        continuum_tab.own_steps([str(tmp_path / "the_z_1.wav")])


def test_eleven_steps_are_in_the_order_of_their_numbers(tmp_path, clip):
    """As text `as_1, as_10, as_11, as_2` would put steps 10 and 11 beside sound A."""
    numbers = list(range(1, 12))
    paths = []
    for number in reversed(numbers):
        paths.append(tmp_path / f"as_{number}.wav")
        paths[-1].write_bytes(to_wav(Clip(clip.samples[:1600] * np.float32(number / 11), "step")))
    corpus, _, told = continuum_tab.own_steps([str(path) for path in paths])
    (found,) = series.of_corpus(corpus)
    assert [one.name for one in found.clips] == [f"as_{number}" for number in numbers]
    peaks = [np.abs(one.samples).max() for one in found.clips]
    assert peaks == sorted(peaks) and len(set(peaks)) == 11
    assert f"({', '.join(f'as_{number}' for number in numbers)})" in told


def test_an_unknown_experiment_is_named(clip, tiny_model):
    with pytest.raises(UserError, match=r"There is no experiment “zz”; choose one of l-r, .*morph, F1"):
        continuum.analyse(clip, tiny_model, experiment="zz")


def test_a_zips_tier_says_where_the_sound_is(clip):
    tiers = {"sound": (Segment("x", 0.3, 0.4),)}
    corpus = Corpus("mine", (Utterance(clip, "as", tiers=tiers), Utterance(clip, "as")))
    (found,) = series.of_corpus(corpus)
    assert [(place.start, place.end) for place in found.places] == [(0.3, 0.4), (0.0, clip.seconds)]


def test_the_tab_shows_every_measure_and_plays_every_step(dialled):
    players, pictures = continuum_tab.drawn(dialled, {"layer": 4})
    assert players.count("data-sound") == 10 and pictures.count("<svg") == 3
    assert "Context effect by layer" in pictures
    line = continuum_tab.status_line(dialled, {"layer": 4})
    assert "context effect" in line and "at least" in line
