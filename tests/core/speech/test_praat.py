"""Praat's measurements on sounds of known pitch and resonances, and its edits measured by other means."""

import numpy as np
import pytest

pytest.importorskip("parselmouth")

from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.speech import praat

FORMANTS = (600.0, 1400.0, 2500.0)  # Hz, an open central vowel
BANDWIDTH = 80.0  # Hz
MIDDLE = Segment("vowel", 0.4, 0.8)


def vowel(f0=120.0, formants=FORMANTS, seconds=1.2):
    """Pulses at `f0` Hz (a number, or one per sample) through resonators: a vowel whose every property is known."""
    samples = round(seconds * SAMPLE_RATE)
    phase = np.cumsum(np.broadcast_to(f0, samples) / SAMPLE_RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    sound = lfilter([1.0], [1.0, -0.95], pulses)  # a voice falls off towards the treble
    for centre in (*formants, 3500.0, 4500.0):
        radius = np.exp(-np.pi * BANDWIDTH / SAMPLE_RATE)
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * centre / SAMPLE_RATE), radius**2], sound)
    return clip_from_samples(0.5 * sound / np.abs(sound).max(), SAMPLE_RATE, "vowel")


def period_hz(samples):
    """F0 from the highest peak of the autocorrelation between 75 and 400 Hz, to a fraction of a sample."""
    centred = samples.astype(float) - samples.mean()
    lags = np.arange(SAMPLE_RATE // 400, SAMPLE_RATE // 75)
    length = len(centred) - lags[-1] - 1
    values = [centred[:length] @ centred[lag : lag + length] / np.linalg.norm(centred[lag : lag + length])
              for lag in lags]  # fmt: skip
    best = int(np.argmax(values[1:-1])) + 1
    before, at, after = values[best - 1 : best + 2]
    return SAMPLE_RATE / (lags[best] + (before - after) / (2 * (before - 2 * at + after)))


def resonances(samples):
    """Formants in Hz from linear prediction in NumPy (autocorrelation method), not Praat's Burg."""
    emphasised = np.diff(samples.astype(float)) * np.hamming(len(samples) - 1)
    order = 12
    correlation = [emphasised[: len(emphasised) - lag] @ emphasised[lag:] for lag in range(order + 1)]
    roots = np.roots([1.0, *-solve_toeplitz(correlation[:-1], correlation[1:])])
    found = np.angle(roots[roots.imag > 0]) * SAMPLE_RATE / (2 * np.pi)
    narrow = -np.log(np.abs(roots[roots.imag > 0])) * SAMPLE_RATE / np.pi < 400
    return np.sort(found[narrow & (found > 200)])[:3]


def part(clip, start, end):
    return clip.samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]


TIMES = np.array([0.3, 0.5, 0.7])


def test_f0_of_known_vowels():
    for hertz in (90.0, 120.0, 210.0):
        # Pulses fall on whole samples: the period is off by at most 1 in 76 samples, and less on average.
        np.testing.assert_allclose(praat.f0(vowel(hertz), TIMES), hertz, rtol=0.005)


def test_formants_of_a_known_vowel():
    found = praat.formants(vowel(), TIMES)
    assert found.shape == (3, 3)
    # Harmonics are 120 Hz apart; a formant is drawn towards the nearest one by at most a quarter of that.
    np.testing.assert_allclose(found, np.tile(FORMANTS, (3, 1)), atol=30)


def test_intensity_of_a_sine_is_its_level():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    clip = clip_from_samples(0.1 * np.sin(2 * np.pi * 440 * time), SAMPLE_RATE)
    # RMS of a sine is its amplitude over the square root of 2: -20 - 3.01 dB.
    np.testing.assert_allclose(praat.intensity(clip, TIMES), -23.01, atol=0.05)


def test_what_is_not_there_is_nan():
    noise = clip_from_samples(0.1 * np.random.default_rng(0).normal(size=SAMPLE_RATE), SAMPLE_RATE)
    assert np.isnan(praat.f0(noise, TIMES)).all()
    assert np.isnan(praat.f0(vowel(), np.array([-1.0, 9.0]))).all()
    assert np.isnan(praat.formants(vowel(), np.array([9.0]))).all()
    assert np.isnan(praat.intensity(vowel(), np.array([9.0]))).all()
    assert np.isnan(praat.median_f0(noise, MIDDLE))
    assert praat.f0(vowel(), np.array([])).shape == (0,)


def test_digital_silence_has_no_level_and_the_faintest_sound_has():
    silence = Clip(np.zeros(16_000, dtype=np.float32), "nothing")
    assert np.isnan(praat.intensity(silence, TIMES)).all()
    # One step of 16 bits up and down: 20 log10(1/32768) = -90.3 dB.
    faint = Clip((np.where(np.arange(16_000) // 40 % 2, 1, -1) / 32_768).astype(np.float32), "faint")
    np.testing.assert_allclose(praat.intensity(faint, TIMES), -90.3, atol=0.1)


def test_shortest_legal_clip():
    clip = vowel(seconds=0.1)
    assert praat.f0(clip, np.array([0.05]))[0] == pytest.approx(120, rel=0.01)
    assert np.isfinite(praat.formants(clip, np.array([0.05]))).all()
    assert praat.change_tempo(clip, 1.5).seconds == pytest.approx(0.15, abs=1e-3)


@pytest.mark.parametrize("semitones", [-5, -2, 3, 5])
def test_pitch_moves_and_nothing_else(semitones):
    clip = vowel()
    changed = praat.change_pitch(clip, semitones)
    assert len(changed.samples) == len(clip.samples)
    # Overlap-add sets pulses on whole samples: 1 in 100 of a period, less on average.
    assert period_hz(part(changed, 0.3, 0.9)) == pytest.approx(120 * 2 ** (semitones / 12), rel=0.005)
    # The harmonics that draw the formants (30 Hz, above) have moved too, so twice as much.
    np.testing.assert_allclose(resonances(part(changed, 0.5, 0.6)), FORMANTS, atol=70)


@pytest.mark.parametrize("ratio", [0.55, 0.8, 1.45])
def test_tempo_changes_and_pitch_does_not(ratio):
    changed = praat.change_tempo(vowel(), ratio)
    assert changed.seconds == pytest.approx(1.2 * ratio, abs=1e-3)
    assert period_hz(part(changed, 0.2 * ratio, ratio)) == pytest.approx(120, rel=0.005)


def test_identity_is_the_clip_itself():
    clip = vowel()
    assert praat.change_pitch(clip, 0) is clip
    assert praat.change_tempo(clip, 1) is clip
    assert praat.lengthen(clip, MIDDLE, 1) is clip
    assert praat.shift_formant(clip, MIDDLE, 2, 1) is clip
    again = praat.resynthesised(clip)
    assert len(again.samples) == len(clip.samples)
    assert period_hz(part(again, 0.3, 0.9)) == pytest.approx(120, rel=0.005)


def test_equal_edits_are_equal():
    """Praat draws voiceless pieces at random; here there is noise before and after the vowel."""
    noise = 0.05 * np.random.default_rng(0).normal(size=8_000)
    clip = clip_from_samples(np.concatenate([noise, vowel().samples, noise]), SAMPLE_RATE)
    for edit in (lambda: praat.change_tempo(clip, 1.3), lambda: praat.change_pitch(clip, 3)):
        np.testing.assert_array_equal(edit().samples, edit().samples)


def unchanged_outside(clip, changed, later=0):
    first, stop = (round(time * SAMPLE_RATE) for time in (MIDDLE.start, MIDDLE.end))
    np.testing.assert_array_equal(changed.samples[:first], clip.samples[:first])
    np.testing.assert_array_equal(changed.samples[stop + later :], clip.samples[stop:])


def test_flattened_interval():
    glide = np.geomspace(100, 180, round(1.2 * SAMPLE_RATE))
    clip = vowel(glide)
    changed = praat.flatten_f0(clip, MIDDLE)
    unchanged_outside(clip, changed)
    middle = 100 * 1.8**0.5  # the glide's F0 at 0.6 s, half-way in logarithms
    for start in (0.45, 0.6, 0.68):
        assert period_hz(part(changed, start, start + 0.1)) == pytest.approx(middle, rel=0.01)
    chosen = praat.flatten_f0(clip, MIDDLE, hz=150.0)
    assert period_hz(part(chosen, 0.5, 0.7)) == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize("ratio", [0.5, 1.5, 2.0])
def test_lengthened_interval(ratio):
    clip = vowel()
    changed = praat.lengthen(clip, MIDDLE, ratio)
    unchanged_outside(clip, changed, later=round(0.4 * (ratio - 1) * SAMPLE_RATE))
    assert changed.seconds == pytest.approx(1.2 + 0.4 * (ratio - 1), abs=1e-4)
    assert period_hz(part(changed, 0.42, 0.4 + 0.38 * ratio)) == pytest.approx(120, rel=0.01)


@pytest.mark.parametrize(("number", "ratio"), [(1, 1.3), (2, 0.8), (2, 1.2), (3, 1.1)])
def test_shifted_formant(number, ratio):
    clip = vowel()
    changed = praat.shift_formant(clip, MIDDLE, number, ratio)
    unchanged_outside(clip, changed)
    wanted = np.array(FORMANTS)
    wanted[number - 1] *= ratio
    # A formant is drawn towards a harmonic by up to 30 Hz, before the shift and after it.
    np.testing.assert_allclose(resonances(part(changed, 0.5, 0.6)), wanted, atol=70)
    assert period_hz(part(changed, 0.45, 0.75)) == pytest.approx(120, rel=0.005)
    levels = [np.sqrt(np.mean(part(c, 0.41, 0.79).astype(float) ** 2)) for c in (clip, changed)]
    # Equal over the whole interval; the cross-fades at its ends blend two waves that differ.
    assert levels[0] == pytest.approx(levels[1], rel=0.05)


def test_edits_do_not_click():
    """No step between samples is much larger than those inside the edited stretch."""
    clip = vowel()
    for changed in (praat.lengthen(clip, MIDDLE, 1.5), praat.shift_formant(clip, MIDDLE, 2, 1.2)):
        edges = [part(changed, time - 0.02, time + 0.02) for time in (0.4, changed.seconds - 0.4)]
        inside = np.abs(np.diff(part(changed, 0.45, 0.75))).max()
        assert max(np.abs(np.diff(edge)).max() for edge in edges) < 1.3 * inside


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda clip: praat.change_pitch(clip, 30), "beyond two octaves"),
        (lambda clip: praat.change_tempo(clip, 0.1), "out of reach; choose a ratio"),
        (lambda clip: praat.lengthen(clip, MIDDLE, 9), "out of reach; choose a ratio"),
        (lambda clip: praat.shift_formant(clip, MIDDLE, 4, 1.1), "choose formant 1, 2 or 3"),
        (lambda clip: praat.flatten_f0(clip, MIDDLE, hz=900), "A voice at 900 Hz is out of reach"),
        (lambda clip: praat.lengthen(clip, Segment("t", 0.4, 0.405), 2), "too short to edit"),
    ],
)
def test_what_cannot_be_done_is_said(edit, message):
    with pytest.raises(UserError, match=message):
        edit(vowel())


def test_no_voice_to_change():
    noise = clip_from_samples(0.1 * np.random.default_rng(0).normal(size=SAMPLE_RATE), SAMPLE_RATE)
    with pytest.raises(UserError, match="no pitch to change"):
        praat.change_pitch(noise, 2)
    with pytest.raises(UserError, match="no melody to flatten"):
        praat.flatten_f0(noise, MIDDLE)


def test_longer_than_whisper_hears():
    clip = clip_from_samples(np.tile(vowel().samples, 20), SAMPLE_RATE)
    with pytest.raises(UserError, match=r"would last 34\.8 s"):
        praat.change_tempo(clip, 1.45)
