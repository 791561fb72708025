"""The clip's spectrogram as it is set: every number that the page draws, against closed forms and Praat itself."""

import base64

import numpy as np
import parselmouth
import pytest

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples, log_spectrogram
from page.top.spectrogram import INTENSITY_LIMITS, Look, curves_over, look_of, spectrogram_row

SECONDS = 1.2
TIME = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
CHIRP = Clip(0.5 * np.sin(2 * np.pi * (500 * TIME + 1250 * TIME**2)), "500 Hz + 2500 Hz/s")


def pixels(row):
    """(bins, frames) in dB, as the browser reads them."""
    steps = np.frombuffer(base64.b64decode(row["data"]), np.uint8).reshape(row["shape"])
    low, high = row["reads"]["low"], row["reads"]["high"]
    return low + steps / 255 * (high - low)


@pytest.mark.parametrize("window", [5, 25])
@pytest.mark.parametrize("highest", [5, 8])
def test_a_chirp_is_drawn_at_its_frequency_and_its_time(window, highest):
    """The loudest bin of each column is the nearest one to the chirp's frequency at the time where it is drawn."""
    row = spectrogram_row(CHIRP, Look(window=window, highest=highest))
    bins, frames = row["shape"]
    times = row["t0"] + (np.arange(frames) + 0.5) / frames * (row["t1"] - row["t0"])
    step = 1000 * highest / (bins - 1)  # Hz
    inside = (times > 0.1) & (times < 1.1)
    found = pixels(row).argmax(0)[inside] * step
    # Half a bin; a sweep of 2500 Hz/s is symmetrical about the middle of a window. Ties of 256 steps of colour: a bin.
    assert np.abs(found - (500 + 2500 * times[inside])).max() <= 1.5 * step
    assert row["t0"] == pytest.approx(-row["t1"] + (frames - 1) * (row["t1"] - row["t0"]) / frames)
    assert [tick for _, tick in row["y_ticks"]] == [f"{khz} kHz" for khz in ((1, 2, 3, 4), (2, 4, 6))[highest == 8]]


def test_a_short_window_tells_beats_apart_and_a_long_one_harmonics():
    slow, fast = np.zeros(SAMPLE_RATE), np.zeros(SAMPLE_RATE)
    slow[::160] = fast[::80] = 0.5  # 100 Hz, every 10 ms; 200 Hz
    short = log_spectrogram(Clip(slow, "100 Hz"), window=0.005, hop=0.001).decibels[100:900]
    assert np.ptp(short[:, 32]) == 70  # at 2000 Hz: between two beats there is nothing in the window
    long = log_spectrogram(Clip(fast, "200 Hz")).decibels[50:150]
    assert np.ptp(long[:, 64]) < 1  # five beats are always in it
    # 1406 Hz is 6 Hz from a harmonic; 1500 Hz is 100 Hz from two, beyond the window's main lobe of 80 Hz to each side,
    # where a Hann window is at most -31 dB.
    assert (long[:, 45] - long[:, 48]).min() > 25


def test_emphasis_lifts_6_db_for_each_octave():
    clip = Clip(0.3 * np.sin(2 * np.pi * 1000 * TIME) + 0.3 * np.sin(2 * np.pi * 2000 * TIME), "an octave")
    for emphasis, step in ((False, 0.0), (True, 20 * np.log10(2))):
        level = log_spectrogram(clip, emphasis=emphasis).decibels[120]
        assert level[64] - level[32] == pytest.approx(step, abs=0.01)  # 2000 and 1000 Hz; side lobes below -60 dB


def test_the_dynamic_range_is_the_span_of_colours():
    for decibels in (40, 80):
        shown = pixels(spectrogram_row(CHIRP, Look(decibels=decibels)))
        assert (shown.min(), shown.max()) == (-decibels, 0)


@pytest.fixture(scope="module")
def vowel():
    """120 Hz pulses through resonators at 600, 1400, 2500 and 3500 Hz, 80 Hz wide, and one at 4500 Hz."""
    from scipy.signal import lfilter

    sound = lfilter([1.0], [1.0, -0.95], np.diff(np.floor(120 * (TIME + 1 / SAMPLE_RATE)), prepend=0.0))
    radius = np.exp(-np.pi * 80 / SAMPLE_RATE)
    for centre in (600, 1400, 2500, 3500, 4500):
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * centre / SAMPLE_RATE), radius**2], sound)
    return clip_from_samples(0.5 * sound / np.abs(sound).max(), SAMPLE_RATE, "vowel")


def test_what_is_drawn_over_a_vowel_is_its_voice_and_its_resonances(vowel):
    curves = {curve["name"]: curve for curve in curves_over(vowel, Look(over=("F0", "formants", "intensity")))}
    assert list(curves) == ["F0", "F1", "F2", "F3", "F4", "intensity"]
    middle = {name: curve["values"][120] for name, curve in curves.items()}  # 0.6 s
    assert middle["F0"] == pytest.approx(120, rel=0.005)  # whole samples: see test_praat.py
    for name, hertz in {"F1": 600, "F2": 1400, "F3": 2500, "F4": 3500}.items():
        assert middle[name] == pytest.approx(hertz, abs=30)  # drawn towards a harmonic by a quarter of 120 Hz at most
    assert (curves["F2"]["low"], curves["F2"]["high"]) == (0, 8000)  # on the picture's own scale
    assert (curves["intensity"]["low"], curves["intensity"]["high"]) == INTENSITY_LIMITS


def test_the_curves_are_praats_own_at_their_times(vowel):
    """Asked of parselmouth itself at five moments; four digits travel."""
    curves = {curve["name"]: curve for curve in curves_over(vowel, Look(over=("formants", "intensity"), ceiling=5000))}
    sound = parselmouth.Sound(vowel.samples.astype(float), sampling_frequency=SAMPLE_RATE)
    burg, level = sound.to_formant_burg(maximum_formant=5000.0), sound.to_intensity(minimum_pitch=100.0)
    for number in (40, 80, 120, 160, 200):
        time = number * 0.005
        for k in (1, 2, 3, 4):
            assert curves[f"F{k}"]["values"][number] == pytest.approx(burg.get_value_at_time(k, time), rel=5e-4)
        assert curves["intensity"]["values"][number] == pytest.approx(level.get_value(time), rel=5e-4)


def test_a_sine_at_full_scale_has_praats_91_db():
    sine = Clip(np.sin(2 * np.pi * 440 * TIME), "full scale")
    (curve,) = curves_over(sine, Look(over=("intensity",)))
    # 1 / sqrt(2) "pascal" over 20 µPa.
    assert curve["values"][100] == pytest.approx(20 * np.log10(1 / np.sqrt(2) / 2e-5), abs=0.05)


def test_settings_are_a_view_that_is_drawn_once(vowel):
    assert look_of(5, 5, 50.0, True, ["intensity", "F0"], 5000) == Look(5, 5, 50, True, ("F0", "intensity"), 5000)
    assert look_of(25, 8, 70, False, [], 5500) == Look()
    assert hash(Look(over=("F0",))) != hash(Look())  # a part of the key of what is drawn
    long = Clip(np.tile(vowel.samples, 25), "30 s")
    size = [len(row["data"]) for row in (spectrogram_row(long, Look(window=ms)) for ms in (5, 25))]
    assert max(size) < 3e6
