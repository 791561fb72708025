"""Phonetics measured and edited with Praat: F0, formants and intensity; PSOLA and source-filter resynthesis.

The only home of parselmouth (praat-parselmouth 0.4.7), which is Praat in Python and licensed under the GPL, version 3
or later. Nothing else of the app needs it. Boersma & Weenink, Praat: doing phonetics by computer; Jadoul, Thompson &
de Boer 2018 (doi 10.1016/j.wocn.2018.07.001); PSOLA: Moulines & Charpentier 1990.

Edits give a new `Clip` at the same sample rate. Those of one interval put back only that interval, with short
cross-fades inside its edges, so that every sample outside is the recording's own. PSOLA changes a sound a little even
when nothing is asked of it, so `resynthesised` is the right thing to compare an edit with.
"""

import threading
from collections.abc import Callable

import numpy as np
import parselmouth
from parselmouth.praat import call

from methods.core.audio import MAX_SECONDS, SAMPLE_RATE, Clip, clip_from_samples
from methods.core.errors import UserError
from methods.core.frames import Segment

FLOOR, CEILING = 75.0, 500.0  # Hz, where F0 is looked for; men to women and children
HIGHEST_FORMANT = 5500.0  # Hz, below which five formants are looked for; Praat advises 5500 for women, 5000 for men
FORMANTS = 5
FULL_SCALE_DB = 20 * np.log10(1 / 2e-5)  # Praat takes samples for pascals and counts from 20 µPa
QUIETEST = -100.0  # dB re full scale; below it is no sound but digital silence, which Praat puts at about -390 dB
INTENSITY_FLOOR = 100.0  # Hz; its windows last 3.2 periods of that, 32 ms
FADE = 80  # samples, 5 ms: too short to hear, long enough not to click
MARGIN = 0.03  # s on either side of an interval that a filter needs to settle: more than a window of 25 ms
FASTEST, SLOWEST = 0.25, 4.0  # ratios of durations between which PSOLA still sounds like speech
FARTHEST = 24.0  # semitones
_one_at_a_time = threading.Lock()  # Praat has one source of random numbers for all


def f0(clip: Clip, times: np.ndarray, *, floor: float = FLOOR, ceiling: float = CEILING) -> np.ndarray:
    """How high is the voice at these times (s)? (n,) Hz, NaN where there is no voice."""
    pitch = _pitch(_sound(clip), floor, ceiling)
    return np.array([pitch.get_value_at_time(float(time)) for time in times])


def formants(clip: Clip, times: np.ndarray, *, highest: float = HIGHEST_FORMANT, count: int = 3) -> np.ndarray:
    """Where are the first `count` resonances of the mouth at these times (s)? (n, count) Hz, NaN where none is found.

    Five are looked for below `highest` (Hz), so there are at most five.
    """
    found = _sound(clip).to_formant_burg(max_number_of_formants=FORMANTS, maximum_formant=highest)
    numbers = range(1, count + 1)
    return np.array([[found.get_value_at_time(number, float(time)) for number in numbers] for time in times])


def intensity(clip: Clip, times: np.ndarray) -> np.ndarray:
    """How loud is it at these times (s)? (n,) dB relative to full scale (RMS 1).

    NaN within 32 ms of the ends, and in digital silence (below -100 dB), which has no level.
    """
    found = _sound(clip).to_intensity(minimum_pitch=INTENSITY_FLOOR, subtract_mean=True)
    level = np.array([found.get_value(float(time)) for time in times]) - FULL_SCALE_DB
    return np.where(level < QUIETEST, np.nan, level)


def median_f0(clip: Clip, segment: Segment, *, floor: float = FLOOR, ceiling: float = CEILING) -> float:
    """How high is the voice in this stretch, in Hz? NaN if it holds no voice."""
    found = f0(clip, np.arange(segment.start, segment.end, 0.005), floor=floor, ceiling=ceiling)
    return float(np.median(found[np.isfinite(found)])) if np.isfinite(found).any() else float("nan")


# Edits of the whole clip


def resynthesised(clip: Clip) -> Clip:
    """The clip through PSOLA with nothing changed: what the method itself does to the sound."""
    return _clip(clip, _psola(clip, lambda manipulation: None), "resynthesised")


def change_pitch(clip: Clip, semitones: float) -> Clip:
    """The same words at the same pace, with F0 moved up or down. 0 gives the clip itself.

    Raises UserError for more than 24 semitones, or where there is no voice to move.
    """
    if not abs(semitones) <= FARTHEST:
        raise UserError(f"A change by {semitones:g} semitones is beyond two octaves; choose -24 to 24 semitones.")
    if semitones == 0:
        return clip

    def shift(manipulation: parselmouth.Data) -> None:
        tier = _tier(manipulation, "pitch", clip)
        call(tier, "Shift frequencies", 0, clip.seconds, float(semitones), "semitones")
        call([tier, manipulation], "Replace pitch tier")

    return _clip(clip, _psola(clip, shift), f"pitch {semitones:+g} st")


def change_tempo(clip: Clip, ratio: float) -> Clip:
    """The same voice with every duration multiplied by `ratio`: above 1 is slower. 1 gives the clip itself.

    Raises UserError for a ratio outside 0.25 to 4, or where the clip would become longer than 30 s.
    """
    _check_ratio(ratio)
    if ratio == 1:
        return clip
    _check_length(clip.seconds * ratio)
    edit = _durations([(0.0, ratio)])
    return _clip(clip, _psola(clip, edit), f"durations × {ratio:g}")


# Edits of one interval


def flatten_f0(clip: Clip, segment: Segment, *, hz: float | None = None) -> Clip:
    """The clip with a monotone voice in this interval, at its median F0 or at `hz`.

    Raises UserError where the interval holds no voice, or for an F0 that no voice has.
    """
    usual = median_f0(clip, segment)
    if np.isnan(usual):
        raise UserError(f"No voice is found in “{segment.label}”, so it has no melody to flatten; choose a vowel.")
    level = usual if hz is None else hz
    if not FLOOR <= level <= CEILING:
        raise UserError(f"A voice at {level:g} Hz is out of reach; choose {FLOOR:g} to {CEILING:g} Hz.")

    def flatten(manipulation: parselmouth.Data) -> None:
        tier = _tier(manipulation, "pitch", clip)
        call(tier, "Remove points between", segment.start, segment.end)
        for time in (segment.start, segment.end):
            call(tier, "Add point", time, level)
        call([tier, manipulation], "Replace pitch tier")

    return _spliced(clip, segment, _psola(clip, flatten), 1.0, f"“{segment.label}” flat at {level:.0f} Hz")


def lengthen(clip: Clip, segment: Segment, ratio: float) -> Clip:
    """The clip with this interval's duration multiplied by `ratio` (below 1: shortened); what follows comes later.

    Raises UserError for a ratio outside 0.25 to 4, or where the clip would become longer than 30 s.
    """
    _check_ratio(ratio)
    if ratio == 1:
        return clip
    _check_length(clip.seconds + (ratio - 1) * (segment.end - segment.start))
    # Praat joins the points of a duration tier by lines: two points 20 µs apart make a step.
    points = [(segment.start - 2e-5, 1.0), (segment.start, ratio), (segment.end, ratio), (segment.end + 2e-5, 1.0)]
    changed = _psola(clip, _durations([(max(time, 0.0), value) for time, value in points]))
    return _spliced(clip, segment, changed, ratio, f"“{segment.label}” × {ratio:g}")


def shift_formant(
    clip: Clip, segment: Segment, number: int, ratio: float, *, highest: float = HIGHEST_FORMANT
) -> Clip:
    """The clip with one formant (1 to 3) multiplied by `ratio` in this interval, at the same level and F0.

    The sound below `highest` is taken apart into source and filter (linear prediction), the formant moved, and both
    put together again; what lies above stays. Raises UserError for a formant or ratio out of reach.
    """
    if number not in (1, 2, 3) or not 0.5 <= ratio <= 2.0:
        raise UserError(f"Formant {number} × {ratio:g} is out of reach; choose formant 1, 2 or 3 and a ratio .5 to 2.")
    if ratio == 1:
        return clip
    first = max(segment.start - MARGIN, 0.0)
    part = Clip(clip.samples[_sample(first) : _sample(segment.end + MARGIN)], "part")
    shifted = clip.samples.astype(np.float64)
    shifted[_sample(first) : _sample(first) + len(part.samples)] = _refiltered(part, number, ratio, highest)
    inside = slice(_sample(segment.start), _sample(segment.end))
    powers = [np.mean(np.square(samples[inside], dtype=np.float64)) for samples in (clip.samples, shifted)]
    if powers[1] > 0:  # another filter is louder or softer, which would be a second edit
        shifted[inside] *= np.sqrt(powers[0] / powers[1])
    return _spliced(clip, segment, shifted, 1.0, f"F{number} of “{segment.label}” × {ratio:g}")


def _refiltered(part: Clip, number: int, ratio: float, highest: float) -> np.ndarray:
    sound = _sound(part)
    low = call(sound, "Resample", 2 * highest, 50)
    lpc = call(low, "To LPC (burg)", 2 * FORMANTS, 0.025, 0.005, 50.0)
    source = call([lpc, low], "Filter (inverse)")
    moved = call(lpc, "To Formant")
    call(moved, "Formula (frequencies)", f"if row = {number} then self * {ratio} else self fi")
    filtered = call([moved, source], "Filter (no scale)")
    return part.samples + _at_full_rate(filtered, len(part.samples)) - _at_full_rate(low, len(part.samples))


def _at_full_rate(low: parselmouth.Sound, samples: int) -> np.ndarray:
    back = call(low, "Resample", SAMPLE_RATE, 50).values[0]
    return np.pad(back[:samples], (0, max(samples - len(back), 0)))


# What they share


def _sound(clip: Clip) -> parselmouth.Sound:
    return parselmouth.Sound(clip.samples.astype(np.float64), sampling_frequency=SAMPLE_RATE)


def _pitch(sound: parselmouth.Sound, floor: float, ceiling: float) -> parselmouth.Pitch:
    return sound.to_pitch(time_step=0.005, pitch_floor=floor, pitch_ceiling=ceiling)


def _psola(clip: Clip, edit: Callable[[parselmouth.Data], None]) -> np.ndarray:
    """(n,) samples after overlap-add of pitch-synchronous pieces, once `edit` has changed the plan."""
    manipulation = call(_sound(clip), "To Manipulation", 0.005, FLOOR, CEILING)
    edit(manipulation)
    with _one_at_a_time:
        # Where there is no voice, Praat draws its pieces at random; equal questions must have equal answers.
        parselmouth.praat.run("random_initializeWithSeedUnsafelyButPredictably (1)")
        return call(manipulation, "Get resynthesis (overlap-add)").values[0]


def _tier(manipulation: parselmouth.Data, kind: str, clip: Clip) -> parselmouth.Data:
    tier = call(manipulation, f"Extract {kind} tier")
    if kind == "pitch" and not call(tier, "Get number of points"):
        raise UserError(f"No voice is found in “{clip.name}”, so there is no pitch to change; choose voiced speech.")
    return tier


def _durations(points: list[tuple[float, float]]) -> Callable[[parselmouth.Data], None]:
    def edit(manipulation: parselmouth.Data) -> None:
        tier = call(manipulation, "Extract duration tier")
        for time, ratio in points:
            call(tier, "Add point", time, float(ratio))
        call([tier, manipulation], "Replace duration tier")

    return edit


def _spliced(clip: Clip, segment: Segment, changed: np.ndarray, ratio: float, what: str) -> Clip:
    """The clip with this interval taken from `changed`, where it lasts `ratio` times as long."""
    old = clip.samples.astype(np.float64)
    first, stop = _sample(segment.start), min(_sample(segment.end), len(old))
    piece = changed[first : first + round((stop - first) * ratio)].copy()
    if min(len(piece), stop - first) < 2 * FADE:
        short = min(len(piece), stop - first) / SAMPLE_RATE
        raise UserError(f"“{segment.label}” would last {short:.3f} s, too short to edit; choose a longer stretch.")
    rise = (np.arange(FADE) + 0.5) / FADE
    piece[:FADE] = rise * piece[:FADE] + (1 - rise) * old[first : first + FADE]
    piece[-FADE:] = rise[::-1] * piece[-FADE:] + (1 - rise[::-1]) * old[stop - FADE : stop]
    return _clip(clip, np.concatenate([old[:first], piece, old[stop:]]), what)


def _sample(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _clip(clip: Clip, samples: np.ndarray, what: str) -> Clip:
    return clip_from_samples(samples, SAMPLE_RATE, f"{clip.name} {what}")


def _check_ratio(ratio: float) -> None:
    if not FASTEST <= ratio <= SLOWEST:
        raise UserError(f"Durations × {ratio:g} are out of reach; choose a ratio from {FASTEST:g} to {SLOWEST:g}.")


def _check_length(seconds: float) -> None:
    if seconds > MAX_SECONDS:
        raise UserError(
            f"This would last {seconds:.1f} s, and Whisper hears {MAX_SECONDS:g} s at a time; "
            "choose a smaller ratio or a shorter clip."
        )
