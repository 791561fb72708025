"""The clip itself: waveform, spectrogram, words and phones over time, and the sound that every plot plays."""

import itertools

from gradio import processing_utils

from methods.core.audio import Clip, envelope, to_wav
from methods.core.results import Json
from page.runs.machine import MACHINE
from page.runs.question import named
from page.session import Session
from page.top.spectrogram import Look, spectrogram_row
from page.widgets import sound_plot
from page.widgets.sound_plot import SoundPlot

_drawings = itertools.count()
COLUMNS = 900  # of the envelope: about one per pixel of a wide screen


async def clip_plot(session: Session, look: Look, plot: SoundPlot) -> dict[str, Json]:
    """The value of the plot above every view; drawn once for all who see the same, each with a sound of his own."""
    clip, said = session.clip, summary(session)
    seen = ("clip", clip.sha256, said, look, named(session.words), named(session.phones))
    rows = await MACHINE.drawings.shared(seen, lambda: drawn_rows(session, look))
    audio = await MACHINE.drawings.looked_up(_sound, clip, plot)
    undo = len(session.steps) if session.words or session.phones else None
    value = sound_plot.plot_value(clip.seconds, rows, said, audio=audio, clip=clip.sha256, undo=undo)
    # A boundary that was moved and moved back: Gradio would see no new value, and leave the picture as it was dragged.
    return value | {"drawn": next(_drawings)}


def summary(session: Session) -> str:
    """The clip in words, for screen readers."""
    said = ", ".join(segment.label for segment in session.words or ())
    return f"{session.clip.name}, {session.clip.seconds:.2f} s. Words: {said or 'not known yet'}."


def drawn_rows(session: Session, look: Look) -> list[sound_plot.Row]:
    """Waveform, spectrogram, words and phones."""
    clip = session.clip
    low, high = envelope(clip, min(COLUMNS, len(clip.samples))).T
    rows = [sound_plot.wave_row(low, high), spectrogram_row(clip, look)]
    if session.words:
        rows.append(sound_plot.segments_row(session.words, "words"))
    if session.phones:
        rows.append(sound_plot.segments_row(session.phones, "phones"))
    return rows


def _sound(clip: Clip, plot: SoundPlot) -> str:
    """The clip as models hear it, in Gradio's own cache, which forgets files after some hours."""
    path = processing_utils.save_bytes_to_cache(to_wav(clip), "clip.wav", plot.GRADIO_CACHE)
    plot.temp_files.add(path)
    return path
