"""Response curves: changes of known size, points that are what they say, and checks on real models."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.signal import fftconvolve
from sounds import tone
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

from methods import paralinguistics
from methods.core import models
from methods.core.audio import SAMPLE_RATE, clip_from_samples, load_clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.explain import answers
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from methods.core.models.speech_model import SpeechModel
from methods.paralinguistics import PROPERTIES, sound_changes
from page.tabs import paralinguistics as paralinguistics_tab

WEASELS = "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
IY = Segment("IY", 0.27, 0.42)
# Two front ends whose float32 features differ by some 1e-7, through a random network: 1e-6 of sums of order 50.
ROUNDING = 1e-4


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        patch.setattr(answers, "_known", BoundedCache(2**24))  # other tests' answers are longer
        yield


# The changes themselves


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=float))))


@pytest.mark.parametrize("decibels", [-30, 0, 20])
def test_gain(decibels):
    samples = tone(SAMPLE_RATE)
    assert 20 * math.log10(rms(sound_changes.louder(samples, decibels)) / rms(samples)) == pytest.approx(decibels)


@pytest.mark.parametrize("snr", [40, 5, 0.1])
def test_noise_has_the_level_it_should_have(snr):
    samples = tone(SAMPLE_RATE)
    noise = sound_changes.with_noise(samples, snr) - samples
    assert 20 * math.log10(rms(samples) / rms(noise)) == pytest.approx(snr, abs=1e-5)
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.02  # white: 3 / sqrt(32,000) is 0.017
    np.testing.assert_array_equal(sound_changes.with_noise(samples, np.inf), samples)


def test_first_echo_of_a_room_by_hand():
    """The nearest wall's image, from the law of mirrors; the high-pass leaves a click's height alone to 2%."""
    side = 4.0
    source, listener = (np.array(place) * side for place in (sound_changes.SOURCE, sound_changes.LISTENER))
    images = []
    for axis in range(3):
        for wall in (0.0, side):
            mirrored = source.copy()
            mirrored[axis] = 2 * wall - source[axis]
            images.append(np.linalg.norm(mirrored - listener))
    direct = np.linalg.norm(source - listener)
    response = sound_changes.room_response(side)
    assert response[0] == pytest.approx(1.0, rel=0.02)
    first = min(images)
    delay = round((first - direct) / 343 * SAMPLE_RATE)
    # What comes before it is only the tail of the high-pass, under 3% of a click.
    assert np.abs(response[1:delay]).max() < 0.03
    assert response[delay] == pytest.approx(math.sqrt(0.9) * direct / first, abs=0.03)


@pytest.mark.parametrize("side", [3.0, 7.0])
def test_room_decays_as_its_walls_say(side):
    """Schroeder's backward integral, -5 to -25 dB, against Eyring's formula; a cube rings up to a fifth longer."""
    energy = np.cumsum(sound_changes.room_response(side)[::-1] ** 2)[::-1]
    decibels = 10 * np.log10(energy / energy[0])
    seconds = 3 * (np.argmax(decibels < -25) - np.argmax(decibels < -5)) / SAMPLE_RATE
    eyring = 0.161 * side**3 / (-6 * side**2 * math.log(1 - 0.1))
    assert eyring <= seconds <= 1.2 * eyring


def test_reverberation_is_a_convolution_at_equal_level():
    samples = tone(SAMPLE_RATE)
    heard = sound_changes.reverberated(samples, 3.0)
    expected = fftconvolve(samples, sound_changes.room_response(3.0))[: len(heard)]
    assert len(heard) == len(samples) + SAMPLE_RATE // 2
    assert np.corrcoef(heard, expected)[0, 1] == pytest.approx(1.0, abs=1e-9)
    assert rms(heard[: len(samples)]) == pytest.approx(rms(samples), rel=1e-6)
    assert sound_changes.reverberated(samples, 0) is samples
    with pytest.raises(UserError, match="A room of 90 m"):
        sound_changes.reverberated(samples, 90.0)


def test_published_grids():
    grids = {name: each.published for name, each in PROPERTIES.items()}
    assert len(grids["pitch"]) == 21 and grids["pitch"][:2] == (-5.0, -4.5)
    assert len(grids["tempo"]) == 19 and grids["tempo"][0] == 0.55 and grids["tempo"][-1] == 1.45
    assert grids["noise"][1:] == (40, 20, 10, 7.5, 5, 4, 3, 2, 1, 0.5, 0.1)
    assert grids["reverberation"][1] == 3 and grids["reverberation"][-1] == 7
    for name, each in PROPERTIES.items():
        for grid in (each.coarse, each.published):
            assert name == "flat F0" or grid.count(each.reference) == 1
            assert len(grid) == len(set(grid))


# The technique

QUICK = {"random_seeds": (0,), "transcript": "ab cd", "language": "en"}


@pytest.fixture(scope="module")
def tiny(clip, tiny_model):
    return paralinguistics.analyse(clip, tiny_model, properties=("loudness", "noise"), **QUICK)


def test_identity_changes_nothing(tiny):
    assert tiny.reference.sum() == 2
    np.testing.assert_array_equal(tiny.changes()[tiny.reference], 0.0)
    np.testing.assert_array_equal(tiny.random_changes()[:, tiny.reference], 0.0)
    np.testing.assert_array_equal(tiny.kept()[tiny.reference], 1.0)


def test_each_point_is_that_of_its_recording(tiny, tiny_model):
    for point in tiny.points("noise"):
        sound = tiny.sound(point)
        if sound.notes:  # beyond full scale: the recording to be heard is softer than the one the model got
            continue
        text = models.transcribe(sound, tiny_model, text="ab cd", language="en")
        assert tiny.scores[point, 0] == pytest.approx(text.logprobs.sum(), abs=ROUNDING)


def test_importance_is_the_mean_loss(tiny):
    points = [p for p in tiny.points("noise") if np.isfinite(tiny.degrees[p])]
    expected = tiny.base - tiny.scores[points].mean(0)
    np.testing.assert_allclose(tiny.importance("noise"), expected, atol=1e-12)
    assert (np.abs(tiny.changes("probability")) <= 1).all()


def test_whisper_is_told_how_loud_it_is(clip, tiny_model):
    """Its features are cut 8 decades of power under their maximum and then only shifted: (log10 + 4) / 4."""
    one = whisper.features(tiny_model, clip.samples)
    other = whisper.features(tiny_model, sound_changes.louder(clip.samples, -20).astype(np.float32))
    # 20 dB are two decades of power, a quarter of that each: half a unit, in every cell; float32 logarithms.
    np.testing.assert_allclose((one - other).numpy(), 0.5, atol=1e-4)


def test_a_front_end_that_normalises_is_not():
    config = tiny_config("wav2vec2", num_labels=3, id2label={0: "yes", 1: "no", 2: "stop"})
    network = tiny_network(config, Wav2Vec2ForSequenceClassification, seed=3)
    model = SpeechModel("tiny", "wav2vec2", network, Wav2Vec2FeatureExtractor(do_normalize=True), None, "2" * 64)
    clip = clip_from_samples(tone(SAMPLE_RATE), SAMPLE_RATE)
    result = paralinguistics.analyse(clip, model, properties=("loudness",), random_seeds=())
    np.testing.assert_allclose(result.changes(), 0.0, atol=1e-4)  # float32; the front end adds 1e-7 to the variance


def test_read_only_table_and_plot(tiny):
    for field in dataclasses.fields(tiny):
        value = getattr(tiny, field.name)
        assert not isinstance(value, np.ndarray) or not value.flags.writeable
    table = tiny.table()
    assert len(table) == tiny.scores.size
    np.testing.assert_array_equal(table["random_0_change_nats"], tiny.random_changes()[0].ravel())
    figure = paralinguistics.plot(tiny)
    drawn = next(line for line in figure.axes[0].lines if line.get_label() == "trained")
    np.testing.assert_array_equal(drawn.get_ydata(), tiny.changes()[tiny.points("loudness"), 0])


def test_a_run_that_was_stopped_can_be_drawn(clip, tiny_model):
    steps = paralinguistics.analyse.in_steps(clip, tiny_model, properties=("loudness", "noise"), **QUICK)
    partials = [step.partial for step in steps if step.partial is not None]
    first = len(partials[0].points("loudness"))
    assert np.isnan(partials[0].importance("loudness")).all()  # no mean of a part of the degrees
    whole = partials[first - 1]
    assert np.isfinite(whole.importance("loudness")).all() and np.isnan(whole.importance("noise")).all()
    values = {"unit": "nats", "listen": "99", "target": "44", "what": "all five"}
    for partial in partials[:first]:
        paralinguistics.plot(partial)
        fitted = paralinguistics_tab.fitted(partial, values)
        assert (fitted["listen"], fitted["target"]) == (str(len(partial.properties)), "0")
        paralinguistics_tab.drawn(partial, fitted)
        assert not partial.complete and paralinguistics_tab.status_line(partial, fitted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"properties": ("smell",)}, "no “smell” for “properties”"),
        ({"properties": ("F1",)}, "choose which"),
        ({"properties": ()}, "No property was chosen"),
    ],
)
def test_what_cannot_be_done_is_said(clip, tiny_model, options, message):
    with pytest.raises(UserError, match=message):
        paralinguistics.analyse(clip, tiny_model, **{**QUICK, **options})


def test_no_voice_means_no_pitch(tiny_model):
    pytest.importorskip("parselmouth")
    noise = clip_from_samples(0.1 * np.random.default_rng(0).normal(size=16_000), SAMPLE_RATE)
    with pytest.raises(UserError, match="no pitch to change"):
        paralinguistics.analyse(noise, tiny_model, properties=("pitch",), **QUICK)
    found = paralinguistics.analyse(
        noise, tiny_model, properties=("pitch", "loudness"), **{**QUICK, "random_seeds": ()}
    )
    assert found.names == ("pitch", "loudness") and len(found.left_out) == 4


def test_phonetic_edits_of_one_vowel():
    """hama, a phone recogniser: moving F2 of /i/ down by 30% hurts it more than moving it up or stretching it."""
    pytest.importorskip("parselmouth")
    clip, model = load_clip(WEASELS), load_model("hama-ctc")
    # A list, as JSON has it.
    options = {"properties": ("F2", "length"), "interval": ["IY", IY.start, IY.end], "random_seeds": ()}
    result = paralinguistics.analyse(clip, model, **options)
    assert result.interval == ("IY", 0.27, 0.42) and "resynthesised" in result.properties
    curve = dict(zip(result.degrees[result.points("F2")], result.changes()[result.points("F2"), 0], strict=True))
    # Measured: -9.8 nats at 0.7, -0.7 at 1.3, 0 at 1.
    assert curve[0.7] < -5 and curve[1.0] == 0 and curve[1.3] > -3
    for point in result.points("length"):
        ratio = result.degrees[point]
        assert result.sound(point).seconds == pytest.approx(clip.seconds + 0.15 * (ratio - 1), abs=1e-3)


def test_noise_hurts_a_trained_model():
    result = paralinguistics.analyse(
        load_clip(WEASELS), load_model("hama-ctc"), properties=("noise",), random_seeds=()
    )
    points = result.points("noise")
    curve = dict(zip(result.degrees[points], result.changes()[points, 0], strict=True))
    assert curve[0.1] < -30 and abs(curve[40.0]) < 3 and curve[np.inf] == 0  # measured: -54.6 and -0.5 nats
    kept = dict(zip(result.degrees[points], result.kept()[points], strict=True))
    assert kept[0.1] < 0.5 and kept[40.0] > 0.9
