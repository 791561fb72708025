"""The tab of CCA: what each layer shares with layer 0, sounds, phones and words, scored on recordings not fitted."""

import gradio as gr
import numpy as np

from methods import cca
from methods.cca import Cca, canonical, figure
from methods.core.errors import counted
from methods.core.figures import curves
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.controls import MOST_LAYERS, RAW_FIRST, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.tabs.cka import corpus_choice, material
from page.technique_tab import technique_tab
from page.widgets.pictures import inline_svg

VIEWS = [(name, view) for view, name in cca.NAMES.items()]
MEASURES = [(name, measure) for measure, name in canonical.MEASURES.items()]
SCORINGS = [("on recordings that were not fitted", "held-out"), ("in sample (an illusion, mostly)", "in-sample")]
RERUN = ("corpus", "measure", "scoring", "states", "window")
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "most": (60, 8000),
}


def cca_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=cca,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"view": values["view"], "layer": _one(values)},
        fitted=fitted,
        ranges=ranges,
        rerun=RERUN,
    )
    return technique_tab(recipe, shell)


def _one(values: Values) -> int | None:
    """The layer of the spectrum; None for all of them."""
    return None if values["layer"] < 0 else values["layer"]


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["view"] = gr.Dropdown(VIEWS, value="mel", label="With its controls", interactive=True, min_width=220)
        made["corpus"] = corpus_choice()
        made["layer"] = gr.Slider(
            -1, MOST_LAYERS, value=-1, step=1, label="Spectrum of layer (−1: all)", interactive=True
        )
    with gr.Accordion("Measure, scoring, states", open=False), gr.Row(elem_classes="controls"):
        made["measure"] = gr.Radio(MEASURES, value="pwcca", label="Measure", interactive=True, min_width=240)
        made["scoring"] = gr.Radio(SCORINGS, value="held-out", label="Scored", interactive=True, min_width=300)
        made["states"] = gr.Radio(RAW_FIRST, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    with gr.Row():
        everything = gr.HTML(elem_id="scores-cca")
        one = gr.HTML(elem_id="view-cca")
    return everything, one, gr.HTML(elem_id="spectrum-cca")


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return cca.analyse.in_steps(
        material(session, values["corpus"]),
        model,
        measure=values["measure"],
        scoring=values["scoring"],
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def fitted(result: Cca, values: Values) -> Values:
    """The control values, within what this result has."""
    layer = -1 if values["layer"] is None else int(values["layer"])
    view = values["view"] if values["view"] in result.views else result.views[0]
    return values | {"view": view, "layer": min(max(layer, -1), len(result.layers) - 1)}


def ranges(result: Cca, values: Values) -> Values:
    """What the controls may be set to for this result."""
    return {
        "view": gr.Dropdown(choices=[(cca.NAMES[view], view) for view in result.views], value=values["view"]),
        "layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"]),
    }


def drawn(result: Cca, values: Values) -> tuple[str, str, str]:
    """A value for each output."""
    number, layer = result.views.index(values["view"]), _one(values)
    words = view_told(result, number)
    return (
        inline_svg(lambda ax, ink: figure.draw_views(ax, result, ink), told(result), (4.8, 3.8)),
        inline_svg(lambda ax, ink: figure.draw_view(ax, result, number, ink), words, (4.8, 3.8)),
        inline_svg(
            lambda ax, ink: figure.draw_spectrum(ax, result, number, layer, ink),
            spectrum_told(result, number),
            (6.0, 3.2),
        ),
    )


def _line(values: np.ndarray) -> str:
    return ", ".join("not computed" if np.isnan(value) else f"{value:.2f}" for value in values)


def told(result: Cca) -> str:
    """The curves in words, for screen readers."""
    computed = zip(result.views, result.score, strict=False)  # the first of them, until all are
    lines = (f"{cca.NAMES[view]} {_line(row)}" for view, row in computed)
    return f"{canonical.MEASURES[result.measure]}, {result.scoring}, by layer: {'; '.join(lines)}."


def view_told(result: Cca, number: int) -> str:
    """One view with its controls, in words."""
    name = cca.NAMES[result.views[number]]
    if not result.has(number):
        return f"{name} is not computed yet."
    untrained = "" if result.random is None else f"; random weights {_line(result.random[:, number].mean(0))}"
    shuffled = f"shuffled pairs {_line(result.shuffled[number])}"
    return f"{name} by layer: {_line(result.score[number])}; {shuffled}{untrained}."


def spectrum_told(result: Cca, number: int) -> str:
    """How many directions carry over, in words."""
    if not result.has(number):
        return "The spectrum is not computed yet."
    counts = (result.spectrum[number] > 0.5).sum(1)
    return f"Canonical directions that correlate above 0.5, by layer: {', '.join(map(str, counts))}."


def status_line(result: Cca, values: Values) -> str:
    """What is on screen, in one line."""
    origin, number = result.provenance, result.views.index(values["view"])
    dims = result.dims[number]
    parts = [
        f"**{origin['model']}** on {origin['corpus']} ({counted(origin['utterances'], 'recording')})",
        f"{cca.NAMES[values['view']]}: n = {result.items[number]:,}, p = {dims[0]}, q = {dims[-1]}",
        f"{canonical.MEASURES[result.measure]}, {result.scoring}",
    ]
    if result.has(number) and np.isfinite(result.score[number]).all():
        best = int(result.score[number].argmax())
        parts.append(f"highest at layer {curves.short(result.layers)[best]}: {result.score[number, best]:.2f}")
    parts += [f"left out: {'; '.join(result.left_out)}"] if result.left_out else []
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
