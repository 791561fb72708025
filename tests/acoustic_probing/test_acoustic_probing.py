"""Movements of the vocal tract, files of them, and the regression technique from end to end."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import WORDS, record, zipped
from matplotlib.figure import Figure
from scipy.io import savemat
from spoken import spoken

from methods import acoustic_probing
from methods.acoustic_probing import regression
from methods.core import corpus as speech
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, articulation
from methods.core.corpus.articulation import SENSORS, Articulation, read_ema
from methods.core.corpus.files import CorpusError
from methods.core.errors import UserError
from methods.core.models import load_model
from methods.core.progress import finish


def moved(track, rate):
    clip = Clip(np.zeros(1600, dtype=np.float32), "x")
    return Articulation(Corpus("x", (Utterance(clip, "ann"),)), ("TT-x",), (np.asarray(track, float),), rate, "")


# Resampling


@pytest.mark.parametrize("rate", [50.0, 100.0, 199.0, 200.0, 250.0, 400.0, 1000.0])
def test_a_course_is_read_at_the_frames_centres(rate):
    known = np.arange(round(2 * rate)) / rate
    slow = moved(-40 + 3 * np.sin(2 * np.pi * 2 * known + 0.3)[:, None], rate)
    times = 0.0125 + 0.02 * np.arange(98)
    values = slow.at(0, times, 0.02)[:, 0]
    seen = np.isfinite(values)
    assert seen.sum() >= 97 and not seen[times > known[-1]].any()
    # Straight lines between samples miss a sine by at most (2 pi 2 / rate)² / 8 of its height at 50 to 200 Hz (0.8%),
    # and the low-pass bends the first and last 0.1 s a little, because it knows nothing beyond: 2% of 3 mm.
    error = np.abs(values - (-40 + 3 * np.sin(2 * np.pi * 2 * times + 0.3)))[seen]
    assert error.max() < 3 * 0.03 and np.median(error) < 3 * 0.01


def test_what_is_too_fast_for_the_frames_is_taken_away():
    known = np.arange(800) / 400
    fast = moved(np.sin(2 * np.pi * 150 * known)[:, None], 400.0)  # 150 Hz; after thinning by 4 only 50 can be told
    assert np.abs(fast.at(0, 0.1 + 0.02 * np.arange(90), 0.02)).max() < 0.02


def test_a_lost_sensor_is_a_gap_and_stays_one():
    track = np.column_stack([np.arange(40.0), np.arange(40.0)])
    track[10:12, 1] = np.nan
    values = moved(track, 100.0).at(0, 0.02 * np.arange(20), 0.02)
    np.testing.assert_allclose(values[:, 0], 2 * np.arange(20))
    assert np.flatnonzero(np.isnan(values[:, 1])).tolist() == [5]  # at 100 ms, sample 10
    between = moved(track, 100.0).at(0, 0.005 + 0.01 * np.arange(20), 0.02)
    assert np.flatnonzero(np.isnan(between[:, 1])).tolist() == [9, 10, 11]  # beside a lost sample is not known either


# The bundled, synthetic vocal tract


def test_the_bundled_vocal_tract_is_whole():
    kept = articulation.bundled()
    assert len(kept.corpus.utterances) == len(kept.tracks) == 40
    assert len(kept.channels) == 12 and len(set(kept.channels)) == 12
    assert 80 < kept.corpus.seconds < 100 and "synthetic" in kept.note and "synthetic" in kept.corpus.source
    for utterance, track in zip(kept.corpus.utterances, kept.tracks, strict=True):
        assert track.shape[1] == 12 and np.isfinite(track).all() and not track.flags.writeable
        assert abs(len(track) / kept.rate - utterance.clip.seconds) < 0.05
        assert utterance.phones[-1].end <= utterance.clip.seconds + 0.05
    whole = np.concatenate(kept.tracks)
    # Millimetres: tongues and lips of people move by 1 to 10 mm around their mean (HPRC: 0.8 to 5.7).
    assert ((whole.std(0) > 0.3) & (whole.std(0) < 15)).all()
    assert np.abs(whole).max() < 200


# One's own EMA files


def hprc(path: Path, *, seconds=1.2, rate=100.0, drop=(), sensors=SENSORS, columns=6, audio_rate=44_100, lost=False):
    """A sentence as in the Haskins Production Rate Comparison database: a row of records, sound first."""
    rng = np.random.default_rng(len(path.stem))
    times = np.arange(round(seconds * audio_rate)) / audio_rate
    kinds = [("NAME", object), ("SRATE", object), ("SIGNAL", object)]
    rows = [("AUDIO", float(audio_rate), 0.3 * np.sin(2 * np.pi * 150 * times) + 0.01 * rng.normal(size=times.size))]
    signals = {}
    for number, name in enumerate(sensors):
        signal = np.cumsum(rng.normal(size=(round(seconds * rate), columns)), 0) + 10 * number
        if lost:
            signal[5] = np.nan
        signals[name] = signal
        rows.append((name, rate, signal))
    records = np.array([row for row in rows if row[0] not in drop], dtype=kinds)
    savemat(path, {path.stem: records[None]})
    return signals


def test_of_each_sensor_the_first_and_third_column_are_kept(tmp_path):
    signals = hprc(tmp_path / "F01_B01_S01_R01_N.mat")
    hprc(tmp_path / "F01_B01_S02_R01_N.mat", seconds=0.8)
    found = read_ema([tmp_path / "F01_B01_S01_R01_N.mat", tmp_path / "F01_B01_S02_R01_N.mat"])
    assert found.channels == tuple(f"{s}-{axis}" for s in ("TR", "TB", "TT", "UL", "LL", "JAW") for axis in "xz")
    expected = np.column_stack([signals[s][:, column] for s in SENSORS for column in (0, 2)])  # y is left to right
    np.testing.assert_allclose(found.tracks[0], expected)
    assert found.rate == 100.0 and len(found.corpus.utterances) == 2
    first = found.corpus.utterances[0]
    assert first.speaker == "F01" and first.sex == "f" and first.clip.seconds == pytest.approx(1.2, abs=1e-3)
    assert first.clip.name == "F01_B01_S01_R01_N"


def test_sensors_in_another_order_and_lost_samples(tmp_path):
    signals = hprc(tmp_path / "M02_a.mat", sensors=("REF", *reversed(SENSORS)), lost=True)
    found = read_ema([tmp_path / "M02_a.mat"])
    assert found.corpus.utterances[0].sex == "m"
    np.testing.assert_allclose(found.tracks[0][:, 0], signals["TR"][:, 0])
    values = found.at(0, 0.02 * np.arange(60), 0.02)
    assert np.isnan(values).any(1).sum() < 3 and not np.isnan(values[10:55]).any()


@pytest.mark.parametrize("name", ["Frank_s1", "F1_a", "M_1", "Mia", "F05_a", "m01_a", "subject"])
def test_a_first_letter_is_not_a_sex(tmp_path, name):
    hprc(tmp_path / f"{name}.mat")
    assert read_ema([tmp_path / f"{name}.mat"]).corpus.utterances[0].sex == ""


@pytest.mark.parametrize(
    ("files", "speakers", "sexes", "names"),
    [
        (("anna/s1", "ben/s1"), ("anna", "ben"), ("", ""), ("anna_s1", "ben_s1")),
        (("F01/s1", "M02/s2"), ("F01", "M02"), ("f", "m"), ("s1", "s2")),
        (("all/F01_s1", "more/M02_s1"), ("F01", "M02"), ("f", "m"), ("F01_s1", "M02_s1")),
        (("M03/s1",), ("M03",), ("m",), ("s1",)),
        (("Frank_s1", "Anna_s1"), ("Anna", "Frank"), ("", ""), ("Anna_s1", "Frank_s1")),
    ],
)
def test_who_speaks_is_read_from_folders_and_names(files, speakers, sexes, names, tmp_path):
    for file in files:
        place = tmp_path / "ema" / f"{file}.mat"
        place.parent.mkdir(parents=True, exist_ok=True)
        hprc(place, seconds=0.5)
    found = articulation.read_zip(zipped(tmp_path / "ema", tmp_path / "ema.zip")).corpus.utterances
    assert tuple(u.speaker for u in found) == speakers and tuple(u.sex for u in found) == sexes
    assert tuple(u.clip.name for u in found) == names


def test_a_zip_of_them_and_a_zip_of_none(tmp_path):
    (tmp_path / "ema" / "deep").mkdir(parents=True)
    signals = hprc(tmp_path / "ema" / "deep" / "F01_x.mat")
    found = articulation.read_zip(zipped(tmp_path / "ema", tmp_path / "ema.zip"))
    assert found.corpus.utterances[0].clip.name == "F01_x"
    np.testing.assert_allclose(found.tracks[0][:, 1], signals["TR"][:, 2])
    record(tmp_path / "speech" / "a.wav", {"words": WORDS})
    assert articulation.read_zip(zipped(tmp_path / "speech", tmp_path / "speech.zip")) is None
    with pytest.raises(CorpusError, match="no sound file"):  # a zip of EMA is not a corpus of sound files
        speech.read_zip(tmp_path / "ema.zip")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ("AUDIO",)}, "“F01_x.mat” lacks 'AUDIO': an HPRC file has the sound under AUDIO"),
        ({"drop": ("TT",)}, "lacks 'TT'"),
        ({"columns": 2}, "sensors of “F01_x.mat” are not equally long, or lack one of x, y and z"),
        ({"rate": 5.0, "seconds": 4.0}, "says its sensors run at 5 Hz"),
    ],
)
def test_files_that_are_not_hprcs(tmp_path, options, message):
    hprc(tmp_path / "F01_x.mat", **options)
    with pytest.raises(CorpusError, match=message):
        read_ema([tmp_path / "F01_x.mat"])


def test_files_that_are_not_matlabs_or_not_of_one_recording(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"nothing of the kind" * 20)
    (tmp_path / "empty.mat").write_bytes(b"")
    for name in ("a.mat", "empty.mat"):
        with pytest.raises(CorpusError, match="is damaged or not a MATLAB file of version 5 to 7"):
            read_ema([tmp_path / name])
    savemat(tmp_path / "other.mat", {"x": np.arange(5.0)})
    with pytest.raises(CorpusError, match=r"“other.mat” lacks 'AUDIO'"):
        read_ema([tmp_path / "other.mat"])
    hprc(tmp_path / "F01_x.mat")
    hprc(tmp_path / "F01_y.mat", rate=200.0)
    with pytest.raises(CorpusError, match="movements at 2 different rates"):
        read_ema([tmp_path / "F01_x.mat", tmp_path / "F01_y.mat"])
    with pytest.raises(CorpusError, match="There is no file here"):
        read_ema([])


# The whole technique, on a tiny random model


def test_from_end_to_end_with_partial_results(tiny_model):
    corpus, steps = spoken(), []
    options = {"target": "duration", "random_seeds": (0, 1)}
    lengthened = [
        replace(u, phones=tuple(replace(p, end=p.end - 0.02 * (i % 3 == 0)) for i, p in enumerate(u.phones)))
        for u in corpus.utterances
    ]
    corpus = replace(corpus, utterances=tuple(lengthened))
    result = finish(acoustic_probing.analyse.in_steps(corpus, tiny_model, **options), steps.append)
    partial = [step.partial for step in steps if step.partial is not None]
    assert [p.baselines for p in partial] == [("MFCC",), *[("MFCC", "log-mel")] * 2]
    assert [p.random_r is None for p in partial] == [True, True, False]
    assert len(partial[2].random_r) == 1 and result.random_r.shape == (2, 3, 1)
    assert result.complete and not any(p.complete for p in partial)
    assert all(isinstance(acoustic_probing.plot(p), Figure) for p in partial)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    n = sum(len(u.phones) for u in corpus.utterances)
    assert result.truth.shape == (n, 1) and result.predicted.shape == (3, n, 1)
    for layer in range(3):  # the scores belong to the predictions that are shown (kept in single precision)
        assert result.r[layer, 0] == pytest.approx(
            np.corrcoef(result.predicted[layer, :, 0], result.truth[:, 0])[0, 1], abs=1e-5
        )
    assert ((result.low <= result.mean_r) & (result.mean_r <= result.high)).all()
    table = result.table()
    np.testing.assert_array_equal(table[(table.features == "model") & (table.score == "r2")].value, result.r2[:, 0])
    assert {"MFCC", "log-mel", "shifted", "training recordings", "random weights 1"} <= set(table.features)
    figure = acoustic_probing.plot(result, layer=1, recording=2)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[-1].lines}
    own = result.recording == 2
    drawn = lines["measured"]
    np.testing.assert_allclose(drawn[np.isfinite(drawn)], result.truth[own, 0])
    assert result.recordings[2] == corpus.utterances[2].clip.name
    assert {"corpus_sha256", "weights_sha256", "options"} <= set(result.provenance)


def test_articulation_from_end_to_end(tiny_model):
    whole = articulation.bundled()
    few = replace(whole, corpus=replace(whole.corpus, utterances=whole.corpus.utterances[:6]), tracks=whole.tracks[:6])
    result = acoustic_probing.analyse(few, tiny_model, target="articulation", random_seeds=())
    assert result.channels == whole.channels and result.r.shape == (3, 12) and result.units == "mm"
    assert (result.baseline_r[0] > 0.2).mean() > 0.5  # MFCC tell something, from five recordings too
    assert isinstance(acoustic_probing.plot(result, channel=11, recording=5), Figure)
    centre = few.tracks[0][2 * 7]  # 140 ms: frame 7, sample 14
    row = np.flatnonzero((result.recording == 0) & np.isclose(result.times, 0.14))[0]
    np.testing.assert_allclose(result.truth[row], centre)


@pytest.mark.parametrize(
    ("target", "message"), [("f9", "no “f9” for “target”"), ("articulation", "some recordings only")]
)
def test_targets_are_checked_before_anything_is_encoded(tiny_model, target, message):
    steps = acoustic_probing.analyse.in_steps(spoken(), tiny_model, target=target)
    with pytest.raises(UserError, match=message):
        next(steps)


# Real weights


@pytest.mark.weights
@pytest.mark.slow
def test_what_a_trained_model_tells_of_the_tongue_and_of_f0():
    model = load_model("openai/whisper-tiny.en")
    tongue = acoustic_probing.analyse(articulation.bundled(), model, target="articulation", random_seeds=())
    # Measured .864 .871 .872 .831 .775, MFCC .68; fewer than 40 recordings leave intervals of about ± .01.
    np.testing.assert_allclose(tongue.mean_r, [0.864, 0.871, 0.872, 0.831, 0.775], atol=0.02)
    assert (tongue.mean_r > np.tanh(np.arctanh(tongue.baseline_r[0]).mean()) + 0.05).all()
    assert (np.abs(tongue.shifted) < 0.25).all() and (tongue.train_r > tongue.mean_r).all()
    prompts = speech.bundled("prompts")
    few = dataclasses.replace(prompts, utterances=prompts.utterances[:20])
    voice = acoustic_probing.analyse(few, model, target="f0", random_seeds=())
    # R² falls from layer to layer, from .90 at the convolutions to .61 at the end: recognition needs no pitch.
    assert voice.r2[0, 0] > 0.8 and (np.diff(voice.r2[:, 0]) < 0).all()
    assert voice.r2[0, 0] - voice.r2[4, 0] > 0.2 and regression.UNITS["f0"] == voice.units
