"""The properties of a sound that are changed, by which amounts, and how a stretch of it is changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.speech import praat
from methods.paralinguistics import sound_changes

Unit = Literal["nats", "probability"]
Grid = Literal["coarse", "published"]
Change = Callable[[Clip, float, Segment | None], np.ndarray]


@dataclass(frozen=True)
class Property:
    """One thing about a recording that can be changed by degrees."""

    label: str
    unit: str
    reference: float  # the degree that changes nothing
    coarse: tuple[float, ...]
    published: tuple[float, ...]
    change: Change  # clip, degree, interval -> samples
    local: bool = False  # of one interval, through Praat


def _span(first: float, last: float, step: float) -> tuple[float, ...]:
    return tuple(np.round(np.arange(first, last + step / 2, step), 3).tolist())


def _formant(number: int) -> Change:
    return lambda clip, ratio, part: praat.shift_formant(clip, part, number, ratio).samples


def _flat(clip: Clip, semitones: float, part: Segment) -> np.ndarray:
    return praat.flatten_f0(clip, part, hz=praat.median_f0(clip, part) * 2 ** (semitones / 12)).samples


_SNRS = (40.0, 20.0, 10.0, 7.5, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.1)
_RATIOS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
_FLAT = (-4.0, -2.0, 0.0, 2.0, 4.0)
_LENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
PROPERTIES: dict[str, Property] = {
    "pitch": Property("pitch", "semitones", 0.0, _span(-5, 5, 2.5), _span(-5, 5, 0.5),
                      lambda clip, x, _: praat.change_pitch(clip, x).samples),
    "tempo": Property("tempo", "duration ratio", 1.0, (*_span(0.55, 0.85, 0.15), *_span(1.0, 1.45, 0.15)),
                      _span(0.55, 1.45, 0.05), lambda clip, x, _: praat.change_tempo(clip, x).samples),
    "loudness": Property("loudness", "dB", 0.0, _span(-30, 20, 10), _span(-30, 20, 5),
                         lambda clip, x, _: sound_changes.louder(clip.samples, x)),
    "noise": Property("white noise", "dB SNR", np.inf, (np.inf, 40.0, 20.0, 10.0, 5.0, 2.0, 0.1), (np.inf, *_SNRS),
                      lambda clip, x, _: sound_changes.with_noise(clip.samples, x)),
    "reverberation": Property("reverberation", "m room side", 0.0, (0.0, *_span(3, 7, 2)), (0.0, *_span(3, 7, 0.5)),
                              lambda clip, x, _: sound_changes.reverberated(clip.samples, x)),
    "flat F0": Property("flat melody", "semitones from its median F0", np.nan, _FLAT, _FLAT, _flat, True),
    "length": Property("length of the interval", "duration ratio", 1.0, _LENGTHS, _LENGTHS,
                       lambda clip, x, part: praat.lengthen(clip, part, x).samples, True),
    **{f"F{n}": Property(f"F{n} of the interval", "frequency ratio", 1.0, _RATIOS, _RATIOS, _formant(n), True)
       for n in (1, 2, 3)},
}  # fmt: skip


def changed(clip: Clip, name: str, degree: float, part: Segment | None = None) -> np.ndarray:
    """(n,) the samples of a recording with one property changed. Raises UserError where that cannot be."""
    if name == "resynthesised":
        return praat.resynthesised(clip).samples
    known = PROPERTIES[name]
    return clip.samples if degree == known.reference else known.change(clip, degree, part)
