"""The clip itself: waveform, spectrogram, words and phones over time, and the sound that every plot plays."""

from gradio import processing_utils

from methods.core.audio import Clip, envelope, log_spectrogram, to_wav
from methods.core.results import Json
from page.session import Session
from page.widgets import sound_plot
from page.widgets.sound_plot import SoundPlot

COLUMNS = 900  # of the envelope: about one per pixel of a wide screen
HIGHEST_HZ = 8000


def clip_plot(session: Session, plot: SoundPlot) -> dict[str, Json]:
    """The value of the plot above the tabs."""
    clip = session.clip
    low, high = envelope(clip, min(COLUMNS, len(clip.samples))).T
    spectrum = log_spectrogram(clip)
    ticks = [(hertz / HIGHEST_HZ, f"{hertz // 1000} kHz") for hertz in (2000, 4000, 6000)]
    rows = [
        sound_plot.wave_row(low, high),
        sound_plot.image_row(
            spectrum.decibels.T, "frequency", alt="Spectrogram, 0 to 8 kHz, 70 dB range", y_ticks=ticks, height=110
        ),
    ]
    if session.words:
        rows.append(sound_plot.segments_row(session.words, "words"))
    if session.phones:
        rows.append(sound_plot.segments_row(session.phones, "phones"))
    said = ", ".join(segment.label for segment in session.words or ())
    summary = f"{clip.name}, {clip.seconds:.2f} s. Words: {said or 'not known yet'}."
    return sound_plot.plot_value(clip.seconds, rows, summary, audio=_sound(clip, plot), clip=clip.sha256)


def _sound(clip: Clip, plot: SoundPlot) -> str:
    """The clip as models hear it, in Gradio's own cache, which forgets files after some hours."""
    path = processing_utils.save_bytes_to_cache(to_wav(clip), "clip.wav", plot.GRADIO_CACHE)
    plot.temp_files.add(path)
    return path
