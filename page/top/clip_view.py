"""The clip itself: waveform, spectrogram, words and phones over time, and the sound that every plot plays."""

import itertools
import tempfile
from pathlib import Path

from gradio import processing_utils

from methods.core.audio import Clip, envelope, to_wav
from methods.core.results import Json
from page.runs.machine import MACHINE
from page.session import Session
from page.top.spectrogram import Look, curves_over, spectrogram_row
from page.widgets import sound_plot
from page.widgets.sound_plot import SoundPlot

_drawings = itertools.count()
COLUMNS = 900  # of the envelope: about one per pixel of a wide screen


async def clip_plot(session: Session, look: Look, plot: SoundPlot) -> dict[str, Json]:
    """The value of the plot above every view; drawn once for all who see the same, each with a sound of his own."""
    clip, said = session.clip, summary(session)
    rows = [*await _pictures(clip, look), *tiers(session)]
    audio = await MACHINE.drawings.looked_up(sound_path, clip, plot)
    undo = len(session.steps) if session.words or session.phones else None
    value = sound_plot.plot_value(clip.seconds, rows, said, audio=audio, clip=clip.sha256, undo=undo)
    # A boundary that was moved and moved back: Gradio would see no new value, and leave the picture as it was dragged.
    return value | {"drawn": next(_drawings)}


def summary(session: Session) -> str:
    """The clip in words, for screen readers."""
    said = ", ".join(segment.label for segment in session.words or ())
    return f"{session.clip.name}, {session.clip.seconds:.2f} s. Words: {said or 'not known yet'}."


async def _pictures(clip: Clip, look: Look) -> list[sound_plot.Row]:
    """Waveform and spectrogram; neither is drawn again for another word, nor Praat asked again for another window."""
    asked = (clip.sha256, look.over, look.ceiling, look.highest)
    shared = MACHINE.drawings.shared
    over = await shared(("over the clip", *asked), lambda: curves_over(clip, look)) if look.over else []
    return await shared(("clip", clip.sha256, look), lambda: [wave(clip), spectrogram_row(clip, look, over)])


def wave(clip: Clip) -> sound_plot.Row:
    """The waveform's envelope."""
    low, high = envelope(clip, min(COLUMNS, len(clip.samples))).T
    return sound_plot.wave_row(low, high)


def tiers(session: Session) -> list[sound_plot.Row]:
    """Words and phones, as far as they are known."""
    known = (("words", session.words), ("phones", session.phones))
    return [sound_plot.segments_row(segments, name) for name, segments in known if segments]


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
