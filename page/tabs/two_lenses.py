"""The tab of both lenses: symbols and words of every layer over the clip's time axis, linked to its sound."""

from collections.abc import Iterable

import gradio as gr
import numpy as np

from methods import two_lenses
from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.lenses import ctc_layers
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.two_lenses import TwoLenses
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

UNITS = [("phones", "phones"), ("letters", "characters")]
SHOWN = [("both", "both"), ("symbols", "symbols"), ("words", "words")]
AGREES = {"unit": "1: as in the last layer", "vmin": 0.0, "vmax": 1.6}  # so that the ink stays readable on it


def two_lenses_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=two_lenses,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        rerun=("unit",),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    with gr.Row(elem_classes="controls"):
        shown = gr.Radio(SHOWN, value="both", label="Show", interactive=True, min_width=240)
        unit = gr.Radio(UNITS, value="phones", label="Our heads read", interactive=True, min_width=180)
    return {"shown": shown, "unit": unit}


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-two_lenses")
    gr.Markdown("#### Is this real? Edits per symbol and per word of the last layer, against random encoders")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{kind}-two_lenses") for kind in two_lenses.LENSES]
    return [plot, *curves]


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    unit = values["unit"] if values["unit"] in ctc_layers.units(model) else None
    said = session.segments(units) or None
    return two_lenses.analyse.in_steps(session.clip, model, segments=said, unit=unit)


def drawn(result: TwoLenses, values: Values) -> tuple[Values, str, str]:
    """A value for each output; a lens that the model does not have leaves its curve empty."""
    pictures = []
    for kind, name in two_lenses.LENSES.items():
        if kind not in result.lenses:
            pictures.append("")
            continue
        curves = two_lenses.error_curves(result, kind)
        numbers = ", ".join(f"{value:.2f}" for value in curves[0].values)
        pictures.append(
            inline_svg(
                lambda ax, ink, c=curves, k=kind: curve_figures.layer_curves(
                    ax, result.layers, c, f"errors per {k.removesuffix('s')}", ink
                ),
                f"{name}, errors by layer: {numbers}.",
            )
        )
    return sound_view(result, values), *pictures


def chosen(result: TwoLenses, values: Values) -> tuple[two_lenses.Lens, ...]:
    """The lenses to show: those asked for, or what this model has."""
    asked = tuple(kind for kind in result.lenses if values["shown"] in ("both", kind))
    return asked or result.lenses


def sound_view(result: TwoLenses, values: Values) -> Values:
    """What is said, then every layer from the last to the first, then the random encoder's last layer."""
    rows = []
    if result.spoken:
        spans = zip(result.spoken, result.starts.tolist(), result.ends.tolist(), strict=True)
        rows.append(sound_plot.segments_row(list(spans), "spoken"))
    for layer in reversed(range(len(result.layers))):
        name = result.layers[layer].split(" ")[0]
        rows += [_row(result, kind, layer, f"layer {name}, {kind}") for kind in chosen(result, values)]
    if result.random:
        top = len(result.layers) - 1
        rows += [_row(result.random[0], kind, top, f"random, {kind}") for kind in chosen(result, values)]
    texts = [
        f"layer {result.layers[layer].split(' ')[0]}: "
        + " ".join(segment.label for segment in result.found(result.lenses[-1], layer)[0])
        for layer in range(len(result.layers))
    ]
    summary = f"{two_lenses.LENSES[result.lenses[-1]]}. {'; '.join(texts)}."
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _row(result: TwoLenses, kind: two_lenses.Lens, layer: int, label: str) -> Values:
    segments, right = result.found(kind, layer)
    return sound_plot.segments_row(segments, label, scores=right.astype(np.float64), **AGREES)


def _names(result: TwoLenses, layers: Iterable[int]) -> str:
    return ", ".join(result.layers[layer].split(" ")[0] for layer in layers)


def status_line(result: TwoLenses, values: Values) -> str:
    """What is on screen, and what was left out."""
    parts = [f"**{result.provenance['model']}**, {len(result.layers)} layers"]
    if "symbols" in result.lenses:
        parts.append(f"symbols by {result.head}")
    else:
        parts.append("no CTC head for this model: words alone")
    if "words" not in result.lenses:
        parts.append("no decoder in this model: symbols alone")
    else:
        with_words = set(result.layer[result.lens == "words"].tolist())
        nothing = [n for n, many in enumerate(result.unplaced) if n not in with_words and not many]
        parts += [f"no words at layer {_names(result, nothing)}"] if nothing else []
        if result.unplaced.any():
            loops = _names(result, np.flatnonzero(result.unplaced))
            parts.append(f"more words than have a place in the clip at layer {loops}: counted as errors, not drawn")
    parts.append("time stamps that the decoder writes are left out")
    if result.random:
        parts.append(f"random rows: the first of {counted(len(result.random), 'seed')}, last layer")
    return " · ".join(parts)
