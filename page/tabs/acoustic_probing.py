"""The tab of regression probes: F0, formants, intensity, duration or articulation, read off every layer."""

import base64
import html

import gradio as gr
import numpy as np

from methods import acoustic_probing
from methods.acoustic_probing import AcousticProbing, regression
from methods.acoustic_probing import figure as figures
from methods.core import corpus as corpora
from methods.core.audio import Clip, to_wav
from methods.core.corpus import Corpus, articulation
from methods.core.corpus.articulation import Articulation
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.controls import MOST_LAYERS, RAW_FIRST, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.top.corpus_area import corpus_control
from page.widgets.pictures import inline_svg

TARGETS = [(what, name) for name, what in regression.TARGETS.items()]
MOST_RECORDINGS, MOST_CHANNELS = 400, 12
NOTE = """Articulation is probed on the synthetic vocal tract that comes with the app, or on your own EMA recordings
(upload a zip of HPRC's `.mat` files as your own corpus and choose it here)."""


def acoustic_probing_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=acoustic_probing,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=plot_options,
        fitted=fitted,
        ranges=_ranges,
        rerun=("target", "corpus", "states", "window"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["target"] = gr.Dropdown(TARGETS, value="f0", label="Can a probe tell …", interactive=True, min_width=240)
        made["corpus"] = corpus_control()
        made["layer"] = gr.Slider(
            -1, MOST_LAYERS, value=-1, step=1, label="Layer of the course below (−1: the best)", interactive=True
        )
        made["recording"] = gr.Slider(
            0, MOST_RECORDINGS - 1, value=0, step=1, label="Recording drawn below", interactive=True
        )
        made["channel"] = gr.Slider(
            0, MOST_CHANNELS - 1, value=0, step=1, label="Articulator's coordinate", interactive=True, visible=False
        )
    with gr.Accordion("Features", open=False), gr.Row(elem_classes="controls"):
        made["states"] = gr.Radio(RAW_FIRST, value="raw", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
    gr.Markdown(NOTE, elem_classes="quiet")
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    with gr.Row():
        scores = gr.HTML(elem_id="scores-acoustic_probing")
        channels = gr.HTML(elem_id="channels-acoustic_probing")
    gr.Markdown("#### One recording that the probes were not trained on")
    return scores, channels, gr.HTML(elem_id="course-acoustic_probing")


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return acoustic_probing.analyse.in_steps(
        material(session, values["target"], values["corpus"]),
        model,
        target=values["target"],
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def material(session: Session, target: str, corpus: str) -> Corpus | Articulation:
    """The recordings that a target is measured on."""
    if target != "articulation":
        return corpus_area.chosen(session, corpus)
    return corpus_area.own_articulation(session) if corpus == "own" else articulation.bundled()


def fitted(result: AcousticProbing, values: Values) -> Values:
    """The control values, within what this result has; recordings that could not be measured are skipped."""
    layer = -1 if values["layer"] is None else int(values["layer"])
    measured = np.unique(result.recording)
    wanted = int(values["recording"] or 0)
    nearest = int(measured[np.abs(measured - wanted).argmin()])
    return values | {
        "layer": result.best if layer < 0 else min(layer, len(result.layers) - 1),
        "recording": nearest,
        "channel": min(max(int(values["channel"] or 0), 0), len(result.channels) - 1),
    }


def _ranges(result: AcousticProbing, values: Values) -> Values:
    many = len(result.channels) > 1
    return {
        "layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"]),
        "recording": gr.Slider(maximum=max(len(result.recordings) - 1, 1), value=values["recording"]),
        "channel": gr.Slider(maximum=max(len(result.channels) - 1, 1), value=values["channel"], visible=many),
    }


def plot_options(_result: AcousticProbing, values: Values) -> Values:
    """Keyword arguments of the technique's `plot`."""
    return {name: values[name] for name in ("layer", "recording", "channel")}


def drawn(result: AcousticProbing, values: Values) -> tuple[str, str, str]:
    """A value for each output."""
    layer, recording, channel = values["layer"], values["recording"], values["channel"]
    channels = ", ".join(f"{name} {r:.2f}" for name, r in zip(result.channels, result.r[layer], strict=True))
    course = inline_svg(
        lambda ax, ink: figures.draw_course(ax, result, layer, recording, channel, ink),
        f"{result.channels[channel]} over {result.recordings[recording]}, measured, and as layer "
        f"{result.layers[layer]} and MFCC give it; r of the layer over all recordings {result.r[layer, channel]:.2f}.",
        (9.0, 2.8),
    )
    return (
        inline_svg(lambda ax, ink: figures.draw_scores(ax, result, ink), summary(result), (4.8, 3.3)),
        inline_svg(
            lambda ax, ink: figures.draw_channels(ax, result, ink),
            f"Pearson's r at layer {result.layers[layer]}: {channels}.",
            (4.8, 3.3),
        ),
        _player(result, recording) + course,
    )


def _player(result: AcousticProbing, recording: int) -> str:
    """The recording's name and sound; one's own recordings are not kept for playing."""
    name = result.recordings[recording]
    clip = _clip(result.provenance["corpus"], name)
    title = f"<p class='quiet'>{html.escape(name)}</p>"
    if clip is None:
        return title
    sound = base64.b64encode(to_wav(clip)).decode("ascii")
    return f"{title}<audio controls preload='none' src='data:audio/wav;base64,{sound}'></audio>"


def _clip(corpus: str, name: str) -> Clip | None:
    known = articulation.bundled().corpus if corpus == articulation.SYNTHETIC else None
    if corpus in corpora.CORPORA:
        known = corpora.bundled(corpus)
    return next((u.clip for u in known.utterances if u.clip.name == name), None) if known else None


def summary(result: AcousticProbing) -> str:
    """The curve in words."""
    means = ", ".join(f"layer {name} {r:.2f}" for name, r in zip(result.layers, result.mean_r, strict=True))
    known = "".join(f"; {n} {np.mean(r):.2f}" for n, r in zip(result.baselines, result.baseline_r, strict=True))
    return f"Pearson's r for {regression.TARGETS[result.target]}: {means}{known}."


def status_line(result: AcousticProbing, values: Values) -> str:
    """What is on screen, in one line."""
    origin, best = result.provenance, result.best
    where = f"{origin['corpus']} ({counted(origin['utterances'], 'recording')}, {origin['seconds']:.0f} s)"
    span = f" [{result.low[best]:.2f}, {result.high[best]:.2f}]" if np.isfinite(result.low[best]) else ""
    parts = [
        f"**{origin['model']}** on {where}",
        f"{len(result.truth):,} measurements, {result.units}",
        f"best: layer {result.layers[best]}, r {result.mean_r[best]:.2f}{span}, R² {result.r2[best].mean():.2f}",
        result.interval_note,
        f"below: layer {result.layers[values['layer']]}",
    ]
    parts += [articulation.SYNTHETIC_NOTE] if origin["corpus"] == articulation.SYNTHETIC else []
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
