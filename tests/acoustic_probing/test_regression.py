"""Regression probes: targets with known answers, scikit-learn, and intervals in plain loops."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from scipy.stats import t as student
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from spoken import LENGTH, Noise, phone_only, spoken, states

from methods.acoustic_probing import regression
from methods.acoustic_probing.regression import Targets, measure, targets
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, articulation, features
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.progress import finish
from methods.core.statistics import linear_probe, scores, splits


def made(recordings=12, frames=40, dim=5, seed=0):
    """Random states with smooth courses, and a target that is a linear map of them, without noise."""
    rng = np.random.default_rng(seed)
    n = recordings * frames
    values = rng.normal(size=(n, dim)).cumsum(0) * 0.2 + rng.normal(size=(n, dim))
    truth = values @ rng.normal(size=(dim, 2)) * [1, 40] + [3, -500]
    utterance = np.repeat(np.arange(recordings), frames)
    asked = Targets(
        ("a", "b"), "mm", utterance, np.tile(np.arange(frames) * 0.02, recordings),
        np.arange(n), np.ones(n, dtype=int), truth, splits.group_folds(utterance),
    )  # fmt: skip
    return values, asked


def told(*given):
    return finish(targets(*given))


def held(values, asked):
    names = ("predicted", "r", "r2", "rmse", "mean_r", "low", "high", "train_r", "shifted")
    return dict(zip(names, finish(regression._layer(values, asked, True)), strict=True))


# The probe and its scores


def test_a_linear_target_is_read_exactly():
    values, asked = made()
    found = held(values, asked)
    # The smallest penalty, 0.1 beside eigenvalues of about 400 items, shrinks predictions by 3e-4 of their spread.
    assert (found["r"] > 1 - 1e-6).all() and (found["r2"] > 1 - 1e-5).all()
    assert found["mean_r"] > 1 - 1e-6 and found["train_r"] > 1 - 1e-6
    assert (found["rmse"] < 0.003 * asked.values.std(0)).all()


def test_targets_of_other_recordings_are_not_read():
    rng = np.random.default_rng(1)
    values, asked = made(60, 30, dim=4)
    values = values - values.reshape(60, 30, 4).mean(1).repeat(30, 0)  # levels of recordings are few and lucky
    truth = (values @ rng.normal(size=(4, 2))).reshape(60, 30, 2)
    strange = replace(asked, values=truth[(np.arange(60) + 7) % 60].reshape(-1, 2))
    found = held(values, strange)
    assert (np.abs(found["r"]) < 0.1).all() and abs(found["mean_r"]) < 0.1
    assert held(values, replace(asked, values=truth.reshape(-1, 2)))["mean_r"] > 0.999


def test_scores_do_not_depend_on_the_targets_unit_and_zero():
    values, asked = made()
    noisy = replace(asked, values=asked.values + np.random.default_rng(2).normal(size=asked.values.shape) * [3, 90])
    plain, moved = held(values, noisy), held(values, replace(noisy, values=noisy.values * [1000, 0.01] + [7, -2]))
    for name in ("r", "r2", "mean_r", "low", "high", "train_r", "shifted"):
        np.testing.assert_allclose(moved[name], plain[name], rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(moved["rmse"], plain["rmse"] * [1000, 0.01], rtol=1e-6)


def test_predictions_are_scikit_learns_and_scores_follow_from_them():
    values, asked = made()
    noisy = replace(asked, values=asked.values + np.random.default_rng(2).normal(size=asked.values.shape) * [3, 90])
    found = held(values, noisy)
    for channel in range(2):
        said = np.empty(len(values))
        for k in range(5):
            judge = (k + 1) % 5
            inner, tried = (asked.fold != k) & (asked.fold != judge), asked.fold == judge

            def model(known, penalty, y=noisy.values[:, channel]):
                return make_pipeline(StandardScaler(), Ridge(alpha=penalty)).fit(values[known], y[known])

            truth = noisy.values[tried, channel]
            losses = [((model(inner, p).predict(values[tried]) - truth) ** 2).mean() for p in linear_probe.PENALTIES]
            chosen = linear_probe.PENALTIES[int(np.argmin(losses))]
            said[asked.fold == k] = model(asked.fold != k, chosen).predict(values[asked.fold == k])
        np.testing.assert_allclose(found["predicted"][:, channel], said, rtol=1e-7)
        truth = noisy.values[:, channel]
        assert found["r"][channel] == pytest.approx(pearsonr(said, truth)[0], abs=1e-7)
        assert found["rmse"][channel] == pytest.approx(np.sqrt(((said - truth) ** 2).mean()), rel=1e-7)


def test_the_shifted_control_moves_each_recording_by_half_of_itself():
    # Alternating halves: what is there now was there half a recording ago with the other sign.
    values, asked = made(12, 40)
    course = np.tile(np.where(np.arange(40) < 20, 1.0, -1.0), 12)[:, None]
    alternating = replace(asked, values=course, channels=("a",))
    found = held(np.column_stack([course, values]), alternating)
    assert found["mean_r"] > 0.999 and found["shifted"] > 0.999  # a sign is as good
    noise = np.random.default_rng(0).normal(size=(480, 1))
    found = held(noise + 0.0, replace(asked, values=noise, channels=("a",)))
    # What is true only at the moment itself is gone: 480 independent values, three standard errors of r are 0.14.
    assert found["mean_r"] > 0.999 and abs(found["shifted"]) < 0.14


def test_an_interval_is_the_jackknife_of_recordings_left_out_before_training():
    values, asked = made(10, 30)
    level = np.linspace(0.2, 3, 10)[asked.utterance][:, None] * asked.values.std(0)
    asked = replace(asked, values=asked.values + np.random.default_rng(4).normal(size=asked.values.shape) * level)
    blocks = [slice(0, 1), slice(1, 2)]
    chosen = linear_probe.cross_validate(values, asked.values, asked.fold, blocks, linear_probe.squared_error)

    def z(kept):
        """Mean Fisher's z of probes that were trained and tested on these recordings only, by scikit-learn."""
        said = np.empty_like(asked.values)
        for k in range(5):
            known, held = kept & (asked.fold != k), kept & (asked.fold == k)
            for c in range(2):
                ridge = make_pipeline(StandardScaler(), Ridge(alpha=chosen.penalties[k, c]))
                said[held, c] = ridge.fit(values[known], asked.values[known, c]).predict(values[held])
        return np.mean([np.arctanh(pearsonr(said[kept, c], asked.values[kept, c])[0]) for c in range(2)])

    whole, left = z(asked.utterance >= 0), np.array([z(asked.utterance != g) for g in range(10)])
    # Efron & Tibshirani 1993, equation 11.5, with Student's quantile.
    half = student.ppf(0.975, 9) * np.sqrt(0.9 * ((left - left.mean()) ** 2).sum())
    found = held(values, asked)
    np.testing.assert_allclose([found["low"], found["high"]], np.tanh([whole - half, whole + half]), atol=1e-8)


def test_four_recordings_give_no_interval():
    found = held(*made(4, 40))
    assert np.isnan([found["low"], found["high"]]).all() and found["mean_r"] > 0.99


# Targets


def tones(hertz, recordings=4, seconds=1.0):
    """Each recording a tone with its octave and twelfth, at a pitch of its own: Praat hears a voice."""
    times = np.arange(round(seconds * 16_000)) / 16_000
    utterances = []
    for number in range(recordings):
        f0 = hertz[number % len(hertz)]
        samples = sum(a * np.sin(2 * np.pi * f0 * h * times) for h, a in ((1, 0.3), (2, 0.15), (3, 0.1)))
        phones = (Segment("iy", 0.2, 0.5), Segment("s", 0.5, 0.8))
        utterances.append(Utterance(Clip(samples.astype(np.float32), f"{f0} {number}"), "ann", phones=phones))
    return Corpus("tones", tuple(utterances))


def test_f0_is_in_semitones_where_there_is_a_voice():
    corpus = tones((100.0, 200.0, 150.0))
    asked = told(corpus, "f0", states(corpus, Noise(2)))
    assert asked.units == "semitones re 100 Hz" and asked.channels == ("f0",)
    # An octave is 12 semitones, 3/2 is 7.02; Praat finds a steady tone to within a hertz (0.17 semitones at 100 Hz).
    expected = np.array([0.0, 12.0, 7.02, 0.0])[asked.utterance]
    np.testing.assert_allclose(asked.values[:, 0], expected, atol=0.17)
    assert (np.bincount(asked.utterance) > 40).all()  # 50 frames, less those at the ends
    np.testing.assert_array_equal(asked.counts, 1)
    quiet = replace(corpus.utterances[0], clip=Clip(np.zeros(16_000, np.float32) + 1e-4, "hush"))
    with_hush = replace(corpus, utterances=(*corpus.utterances, quiet))
    assert 4 not in told(with_hush, "f0", states(with_hush, Noise(2))).utterance


def test_intensity_is_measured_inside_phones():
    corpus = tones((200.0,))
    asked = told(corpus, "intensity", states(corpus, Noise(2)))
    # RMS of the three sines: sqrt((.3² + .15² + .1²) / 2) is .2475, -12.1 dB re full scale.
    np.testing.assert_allclose(asked.values, -12.13, atol=0.1)
    assert asked.times.min() == pytest.approx(0.2) and asked.times.max() < 0.8


def test_formants_are_measured_inside_vowels():
    # Pulses at 125 Hz, softened as the glottis does, through the resonances of a tube of 17 cm: 500, 1500, 2500 Hz …
    from scipy.signal import lfilter

    pulses = np.zeros(16_000)
    pulses[::128] = 1.0
    pulses = lfilter([1], [1, -0.97], pulses)
    for centre, width in ((500, 60), (1500, 90), (2500, 120), (3500, 150), (4500, 200)):
        radius = np.exp(-np.pi * width / 16_000)
        pulses = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * centre / 16_000), radius**2], pulses)
    clip = Clip((0.3 * pulses / np.abs(pulses).max()).astype(np.float32), "vowel")
    phones = (Segment("ah", 0.1, 0.5), Segment("m", 0.5, 0.9))
    corpus = Corpus("vowels", tuple(Utterance(clip, "ann", phones=phones) for _ in range(6)))
    for target, centre in (("f1", 500), ("f2", 1500), ("f3", 2500)):
        asked = told(corpus, target, states(corpus, Noise(2)))
        assert asked.units == "Hz" and asked.times.min() >= 0.1 - 1e-6 and asked.times.max() < 0.5
        # Harmonics are 125 Hz apart, so that no method can place a formant to better than a part of that: 5%.
        np.testing.assert_allclose(np.median(asked.values), centre, rtol=0.05)


def test_durations_are_logarithms_and_states_are_means_over_the_phone():
    corpus = spoken()
    longer = [
        replace(u, phones=tuple(replace(p, end=p.start + LENGTH / 2) if i % 2 else p for i, p in enumerate(u.phones)))
        for u in corpus.utterances
    ]
    corpus = replace(corpus, utterances=tuple(longer))
    kept = states(corpus, Noise(3), phone_only)
    asked = told(corpus, "duration", kept)
    assert asked.units == "log2 of seconds"
    lasting = [p.end - p.start for u in corpus.utterances for p in u.phones]
    np.testing.assert_allclose(asked.values[:, 0], np.log2(lasting))
    assert set(asked.counts) <= {1, 2, 3}
    expected = [[kept.layers[0][r].mean(0) for r in features.frames_of(kept, _items(corpus))]]
    np.testing.assert_allclose(regression._rows(kept.layers[0], asked), expected[0], atol=1e-6)
    assert finish(measure(kept, asked)).r.shape == (2, 1)


def _items(corpus):
    from methods.core.corpus.items import phone_items

    return phone_items(corpus)


def test_what_cannot_be_measured_is_said():
    corpus = spoken(4, 2)
    kept = states(corpus, Noise(2))
    with pytest.raises(UserError, match="no target “f4”; choose one of f0, f1"):
        told(corpus, "f4", kept)
    with pytest.raises(UserError, match="measured for some recordings only; choose the target articulation with"):
        told(corpus, "articulation", kept)
    with pytest.raises(UserError, match="measured for some recordings only"):
        regression.check(articulation.bundled(), "f0")
    with pytest.raises(UserError, match=r"Only \d+ places could be measured and a probe needs 100"):
        told(corpus, "duration", kept)
    mute = replace(corpus, utterances=tuple(replace(u, phones=()) for u in corpus.utterances))
    for target in ("intensity", "duration"):
        with pytest.raises(UserError, match=f"“toy” has no phones, which tell where its {target} is"):
            told(mute, target, kept)
    strange = [replace(u, phones=(Segment("y", 0.1, 0.2), Segment("ʁ", 0.2, 0.3))) for u in corpus.utterances]
    with pytest.raises(UserError, match="has no vowels of English"):
        told(replace(corpus, utterances=tuple(strange)), "f1", kept)


@pytest.mark.parametrize("seconds", [0.125, 0.1])  # a power of two; and one that leaves rounding in the differences
def test_what_is_the_same_everywhere_cannot_be_told(seconds):
    phones = tuple(Segment("aa", (i + 1) * seconds, (i + 2) * seconds) for i in range(8))
    made_up = [replace(u, phones=phones, words=(), tiers={}) for u in spoken(20, 8).utterances]
    corpus = Corpus("equal", tuple(made_up))
    with pytest.raises(
        UserError, match=rf"Here all durations are the same \({seconds} s at 160 places\), so there is"
    ):
        told(corpus, "duration", states(corpus, Noise(2)))
    longer = replace(made_up[0], phones=(*phones[:-1], replace(phones[-1], end=phones[-1].end + 0.01)))
    varied = replace(corpus, utterances=(longer, *made_up[1:]))
    assert np.ptp(told(varied, "duration", states(varied, Noise(2))).values) > 0.1


def test_intensity_leaves_digital_silence_out():
    corpus = spoken(20, 8)
    whole = told(corpus, "intensity", states(corpus, Noise(2)))
    mute = [replace(u, clip=Clip(np.zeros_like(u.clip.samples), u.clip.name)) for u in corpus.utterances[:2]]
    partly = replace(corpus, utterances=(*mute, *corpus.utterances[2:]))
    asked = told(partly, "intensity", states(partly, Noise(2)))
    np.testing.assert_array_equal(asked.values, whole.values[whole.utterance > 1])
    assert asked.values.min() > -60 and set(asked.utterance) == set(range(2, 20))


def test_means_of_correlations_leave_out_what_is_not_defined():
    values, asked = made()
    still = replace(asked, values=np.column_stack([asked.values[:, 0], np.full(len(values), 2.0)]))
    found = held(values, still)
    assert np.isnan(found["r"][1]) and found["mean_r"] == pytest.approx(found["r"][0])
    assert scores.mean_correlation(found["r"]) == found["mean_r"] and found["low"] <= found["high"]
