"""A small page of plots tied to one sound, for tests of what a visitor does with them."""

import wave

import gradio as gr
import numpy as np

from page.widgets.sound_plot import (
    SoundPlot,
    grid_row,
    image_row,
    line_row,
    matrix_row,
    plot_value,
    segments_row,
    wave_row,
)

SECONDS = 2.0
WORDS = [("weasels", 0.1, 0.5), ("have", 0.5, 0.8), ("eaten", 0.8, 1.9)]
SHARES = np.array([[0.1, 0.9, 0.0], [0.12, 0.76, 0.12], [0.1, np.nan, 0.9]])
TOLD = {  # what any map of words by words says of itself
    "row_name": "affected word",
    "column_name": "word that was zeroed",
    "sentence": "{percent} of what *{row}* takes comes from *{column}*",
}
HOSTILE = ["<img src=x onerror=window.hacked=1>", "${window.hacked=1}{{value}}", "long" * 75]


def tone(path):
    """Two seconds of 220 Hz: the clip of every plot here."""
    samples = (8000 * np.sin(2 * np.pi * 220 * np.arange(int(16_000 * SECONDS)) / 16_000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


def clip_view(path):
    ramp = np.linspace(0, 1, 200)
    rows = [
        wave_row(-ramp, ramp),
        image_row(np.outer(np.arange(40), ramp), alt="Rising ramp"),
        segments_row(WORDS),
    ]
    return plot_value(SECONDS, rows, "Three words, getting louder.", audio=path)


def shares(words=WORDS, clip=None):
    matrix = matrix_row(SHARES, words, words, title="Shares", unit="share of row", vmax=1.0, **TOLD)
    curve = line_row({"model": [0, 1, np.nan, 2], "chance": [1, 1, 1, 1]}, "curve", dashed=["chance"])
    labels = [label for label, *_ in words]
    grid = grid_row(SHARES, labels, labels, title="Tokens", unit="nats", scale="rdbu", vmin=-1, **TOLD)
    return plot_value(SECONDS, [segments_row(words), matrix, curve, grid], "Most keep to themselves.", clip=clip)


def frames():
    spans = [("frame", i * SECONDS / 250, (i + 1) * SECONDS / 250) for i in range(250)]
    return plot_value(SECONDS, [matrix_row(np.eye(250), spans, spans, title="Frames", **TOLD)], "The diagonal.")


def build(path):
    with gr.Blocks() as demo:
        SoundPlot(clip_view(path), elem_id="clip")
        with gr.Tabs():
            with gr.Tab("First"):
                plot = SoundPlot(shares(), elem_id="shares")
                other = gr.Button("Other", elem_id="other")
                stale = gr.Button("Stale", elem_id="stale")
                said = gr.Textbox(elem_id="said")
            with gr.Tab("Second"):
                SoundPlot(
                    shares([(label, *times) for label, (_, *times) in zip(HOSTILE, WORDS, strict=True)]),
                    elem_id="hostile",
                )
                SoundPlot(frames(), elem_id="frames")
                SoundPlot(None, elem_id="empty")
        other.click(lambda: shares([("we", 0.0, 0.4), ("are", 0.4, 0.9), ("here", 0.9, 2.0)]), None, plot)
        stale.click(lambda: shares(clip="another"), None, plot)

        def select(event: gr.EventData):
            return str(event._data)

        plot.select(select, None, said, show_progress="hidden")
    return demo
