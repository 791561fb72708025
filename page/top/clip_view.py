"""The clip itself: waveform, spectrogram, words and phones over time, and the sound that every plot plays."""

import tempfile
from pathlib import Path

from gradio import processing_utils

from methods.core.audio import Clip, envelope, log_spectrogram, to_wav
from methods.core.results import Json
from page.runs.machine import MACHINE
from page.runs.question import named
from page.session import Session
from page.widgets import sound_plot
from page.widgets.sound_plot import SoundPlot

COLUMNS = 900  # of the envelope: about one per pixel of a wide screen
HIGHEST_HZ = 8000


async def clip_plot(session: Session, plot: SoundPlot) -> dict[str, Json]:
    """The value of the plot above every view; drawn once for all who see the same, each with a sound of his own."""
    clip, said = session.clip, summary(session)
    seen = ("clip", clip.sha256, said, named(session.words), named(session.phones))
    rows = await MACHINE.drawings.shared(seen, lambda: drawn_rows(session))
    audio = await MACHINE.drawings.looked_up(sound_path, clip, plot)
    return sound_plot.plot_value(clip.seconds, rows, said, audio=audio, clip=clip.sha256)


def summary(session: Session) -> str:
    """The clip in words, for screen readers."""
    said = ", ".join(segment.label for segment in session.words or ())
    return f"{session.clip.name}, {session.clip.seconds:.2f} s. Words: {said or 'not known yet'}."


def drawn_rows(session: Session) -> list[sound_plot.Row]:
    """Waveform, spectrogram, words and phones."""
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
    return rows


def sound_of(clip: Clip, plot: SoundPlot) -> Json:
    """A clip's sound for a plot that is not of the clip above it: as the browser asks for it."""
    return sound_plot.sound_file(sound_path(clip, plot))


def sound_path(clip: Clip, plot: SoundPlot) -> str:
    """The clip as models hear it, in Gradio's own cache, which forgets files after some hours.

    Gradio would write into the file that another visitor's browser is just reading: it is exchanged instead.
    """
    content = to_wav(clip)
    folder = Path(plot.GRADIO_CACHE) / processing_utils.hash_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
        file.write(content)
    path = Path(file.name).replace(folder / "clip.wav").resolve()
    plot.temp_files.add(str(path))
    return str(path)
