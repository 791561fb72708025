"""The clip's spectrogram as a phonetician sets it: window, range, emphasis, and F0, formants and intensity over it.

All of it is a view of the sound: no model runs when it changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from methods.core.audio import Clip, log_spectrogram
from methods.core.speech import praat
from page.widgets import sound_plot

STEP = 0.005  # s, between the values of a curve
LONG = 10.0  # s; of longer clips a short window is moved by 2 ms, so that the picture stays under 2 MB
CURVES = ("F0", "formants", "intensity")
FORMANTS_SHOWN = 4
INTENSITY_LIMITS = (50.0, 100.0)  # dB, as Praat's own window shows it
CEILINGS = [("5000 Hz: a deep voice", 5000), ("5500 Hz: a high voice", 5500)]
NOTE = f"""F0 from {praat.FLOOR:g} to {praat.CEILING:g} Hz, formants (Burg, five below their ceiling, windows of 25
ms) and intensity are Praat's own, by parselmouth. Intensity is in dB as Praat counts them: full scale is
{praat.FULL_SCALE_DB:.0f} dB. Pre-emphasis lifts levels by 6 dB for each octave. Point at the picture to read it.

Ctrl (⌘) with the wheel, or two fingers, zoom in time; then one finger moves what is seen. Zoomed in, the wave shows
its samples; every other row keeps its own steps: the spectrogram its windows, a technique its model's frames (20 ms
in Whisper) or its words. The link keeps the part that is seen and these settings. Keys where the picture has the
focus: + and − zoom, 0 shows all, Z the selection, arrows move, Shift and arrows select, Space plays, L loops, H
halves the speed."""


@dataclass(frozen=True)
class Look:
    """How the spectrogram is drawn, and what over it."""

    window: int = 25  # ms
    highest: int = 8  # kHz
    decibels: int = 70  # dynamic range, dB
    emphasis: bool = False
    over: tuple[str, ...] = ()  # of CURVES
    ceiling: int = 5500  # Hz, below which five formants are looked for


USUAL = Look()
WINDOWS, HIGHEST = (5, 25), (5, 8)  # ms, kHz
DYNAMIC = range(40, 81, 5)  # dB
EMPHASIS = "pre-emphasis"


def settings() -> list[gr.components.Component]:
    """Lay out what can be set, folded; in the order of `look_of`."""
    with gr.Accordion("Spectrogram settings", open=False, elem_id="look"):
        with gr.Row():
            window = gr.Radio([(f"{ms} ms", ms) for ms in WINDOWS], value=USUAL.window, label="Window", min_width=120)
            ranges = [(f"0–{khz} kHz", khz) for khz in HIGHEST]
            highest = gr.Radio(ranges, value=USUAL.highest, label="Frequencies", min_width=120)
            lowest, most, step = DYNAMIC.start, DYNAMIC[-1], DYNAMIC.step
            decibels = gr.Slider(
                lowest, most, value=USUAL.decibels, step=step, label="Dynamic range, dB", min_width=160
            )
        with gr.Row():
            over = gr.CheckboxGroup(list(CURVES), value=[], label="Draw over it", min_width=220)
            ceiling = gr.Radio(CEILINGS, value=USUAL.ceiling, label="Formants below", min_width=220)
            emphasis = gr.Checkbox(USUAL.emphasis, label="Pre-emphasis", min_width=120)
        gr.Markdown(NOTE, elem_classes="quiet")
    made = [window, highest, decibels, emphasis, over, ceiling]
    for component in made:
        component.interactive = True
    return made


def look_of(window: int, highest: int, decibels: float, emphasis: bool, over: list[str], ceiling: int) -> Look:
    """The settings as the page holds them."""
    curves = tuple(name for name in CURVES if name in (over or ()))  # whatever the order of the clicks
    return Look(window, highest, int(decibels), emphasis, curves, ceiling)


def settings_of(look: Look) -> list[Any]:
    """The page's settings for a look; the other way round from `look_of`."""
    return [look.window, look.highest, look.decibels, look.emphasis, list(look.over), look.ceiling]


def written(look: Look) -> str:
    """A look as a link carries it: what is not as usual, such as "5ms,5kHz,F0"; nothing where all is."""
    told = [
        (f"{look.window}ms", look.window != USUAL.window),
        (f"{look.highest}kHz", look.highest != USUAL.highest),
        (f"{look.decibels}dB", look.decibels != USUAL.decibels),
        (EMPHASIS, look.emphasis),
        *((curve, True) for curve in look.over),
        (f"{look.ceiling}Hz", look.ceiling != USUAL.ceiling),
    ]
    return ",".join(text for text, unusual in told if unusual)


def read_look(text: str) -> Look | None:
    """What a link asks for; None where a part of it is nothing that can be set."""
    known = {f"{ms}ms": {"window": ms} for ms in WINDOWS} | {f"{khz}kHz": {"highest": khz} for khz in HIGHEST}
    known |= {f"{decibels}dB": {"decibels": decibels} for decibels in DYNAMIC}
    known |= {f"{hertz}Hz": {"ceiling": hertz} for _, hertz in CEILINGS} | {EMPHASIS: {"emphasis": True}}
    parts = [part for part in text.split(",") if part]
    if not set(parts) <= set(known) | set(CURVES):
        return None
    given = {name: value for part in parts for name, value in known.get(part, {}).items()}
    return Look(**given, over=tuple(curve for curve in CURVES if curve in parts))


def spectrogram_row(clip: Clip, look: Look, over: Sequence[sound_plot.Row] = ()) -> sound_plot.Row:
    """The picture, with a scale in kHz, what the pointer reads of it, and the curves that are drawn over it."""
    hop = look.window / 5000 if clip.seconds <= LONG or look.window > 5 else 0.002  # s
    top, floor = 1000.0 * look.highest, -float(look.decibels)
    shown = log_spectrogram(clip, window=look.window / 1000, hop=hop, highest=top, floor=floor, emphasis=look.emphasis)
    return sound_plot.image_row(
        shown.decibels.T,
        "frequency",
        alt=f"Spectrogram, 0 to {look.highest} kHz, {look.decibels} dB range",
        vmin=floor,
        vmax=0.0,
        t0=-hop / 2,  # each column stands for the time around its window's centre
        t1=(len(shown.times) - 0.5) * hop,
        y_ticks=[
            (khz / look.highest, f"{khz} kHz") for khz in range(look.highest // 4, look.highest, look.highest // 4)
        ],
        height=140,
        scale="greys" if look.over else "magma",  # colours over colours could not be told apart
        reads={"top": top, "unit": "Hz", "level": "dB"},
        over=over,
    )


def curves_over(clip: Clip, look: Look) -> list[sound_plot.Row]:
    """F0, formants and intensity, as far as they are asked for, every 5 ms."""
    times, made = np.arange(0.0, clip.seconds, STEP), []
    if "F0" in look.over:
        limits = (praat.FLOOR, praat.CEILING)
        made.append(_curve(praat.f0(clip, times), "F0", limits, "Hz", "pitch", 1))
    if "formants" in look.over:
        found = praat.formants(clip, times, highest=look.ceiling, count=FORMANTS_SHOWN)
        limits = (0.0, 1000.0 * look.highest)
        made += [_curve(found[:, k], f"F{k + 1}", limits, "Hz", "formant") for k in range(FORMANTS_SHOWN)]
    if "intensity" in look.over:
        level = praat.intensity(clip, times) + praat.FULL_SCALE_DB
        made.append(_curve(level, "intensity", INTENSITY_LIMITS, "dB", "intensity", 1))
    return made


def _curve(
    values: np.ndarray, name: str, limits: tuple[float, float], unit: str, look: str, decimals: int = 0
) -> sound_plot.Row:
    return sound_plot.over_image(values, name, step=STEP, limits=limits, unit=unit, look=look, decimals=decimals)
