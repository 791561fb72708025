"""The tab of the CTC lens: symbols by time for one layer, the string of every layer, errors, blanks, and evidence."""

import html

import gradio as gr
import numpy as np

from methods import ctc_lens
from methods.core import models
from methods.core.alignment.tiers import is_silence
from methods.core.figures import curves as curve_figures
from methods.core.lenses import ctc_layers
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech.phone_alphabets import listed
from methods.ctc_lens import CtcLens
from page.controls import MOST_LAYERS
from page.examples import EXAMPLES
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot
from page.widgets.tables import html_table

UNITS = [("phones", "phones"), ("letters", "characters")]
LENSES = [("raw (the last layer's head)", "raw"), ("tuned (a head per layer)", "tuned")]
AGAINST = [("the last layer's string", "top"), ("what was said", "reference")]
BLANKS = [("as they are", "keep"), ("without the blank", "drop")]


def ctc_lens_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=ctc_lens,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=plot_options,
        fitted=fitted,
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
        covers=lambda result, values: result.unit in ("symbols", values["unit"]),
        rerun=("unit",),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    controls: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        controls["layer"] = gr.Slider(0, MOST_LAYERS, value=4, step=1, label="Layer", interactive=True, min_width=160)
        controls["lens"] = gr.Radio(LENSES, value="raw", label="Lens", interactive=True, min_width=280)
        controls["unit"] = gr.Radio(UNITS, value="phones", label="Our heads read", interactive=True, min_width=180)
    with gr.Row(elem_classes="controls"):
        controls["symbol"] = gr.Textbox(
            "",
            label="Follow a symbol",
            placeholder="the most likely one",
            max_length=16,
            interactive=True,
            min_width=160,
        )
        controls["blank"] = gr.Radio(BLANKS, value="keep", label="Probabilities", interactive=True, min_width=240)
        controls["against"] = gr.Radio(AGAINST, value="top", label="Errors against", interactive=True, min_width=260)
    return controls


def _outputs() -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id="plot-ctc_lens")
    texts = gr.HTML(elem_id="texts-ctc_lens")
    gr.Markdown("#### Is this real? Errors and blanks against random encoders and shuffled labels")
    with gr.Row():
        curves = gr.HTML(elem_id="curve-ctc_lens"), gr.HTML(elem_id="blanks-ctc_lens")
    return plot, texts, *curves


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    unit = values["unit"] if len(ctc_layers.units(model)) > 1 else None
    segments = session.phones if units == "phones" else session.words
    said = _reference(session, model, unit)
    return ctc_lens.analyse.in_steps(
        session.clip, model, segments=segments, transcript=session.text, unit=unit, reference=said
    )


def _reference(session: Session, model: SpeechModel, unit: str | None) -> str | tuple[str, ...] | None:
    """What was said, in letters or in phones, as far as it is known."""
    own = models.ctc_vocabulary(model)
    if unit == "characters" or (own is not None and own.joint == ""):
        return session.text or (EXAMPLES[session.example].transcript if session.example else None)
    return tuple(s.label for s in session.phones if not is_silence(s.label)) or None


def fitted(result: CtcLens, values: Values) -> Values:
    """The control values, within what this result has."""
    shown = result.shown()
    asked = values["symbol"].strip()
    symbol = next((s for s in result.symbols if s.casefold() == asked.casefold()), None)
    return values | {
        "absent": asked if asked and symbol is None else "",
        "untuned": values["lens"] == "tuned" and result.tuned_log_probabilities is None,
        "layer": min(int(values["layer"]), len(result.layers) - 1),
        "lens": "raw" if result.tuned_log_probabilities is None else values["lens"],
        "against": "top" if result.reference is None else values["against"],
        "symbol": symbol or result.symbols[shown[0] if shown else result.blank],
    }


def plot_options(_result: CtcLens, values: Values) -> Values:
    """Keyword arguments of the technique's `plot`."""
    return {"layer": values["layer"], "tuned": values["lens"] == "tuned", "against": values["against"]}


def drawn(result: CtcLens, values: Values) -> tuple[Values, str, str, str]:
    """A value for each output."""
    errors = ctc_lens.error_curves(result, values["against"])
    blanks = ctc_lens.blank_curves(result)
    pictures = [
        inline_svg(
            lambda ax, ink, c=curves, u=unit: curve_figures.layer_curves(ax, result.layers, c, u, ink),
            f"{unit} of the raw lens by layer: {', '.join(f'{value:.2f}' for value in curves[0].values)}.",
        )
        for curves, unit in ((errors, "error rate"), (blanks, "share of blanks"))
    ]
    return sound_view(result, values), text_table(result, values), *pictures


def sound_view(result: CtcLens, values: Values) -> Values:
    """One layer's probabilities over time, the words or phones above, and one symbol's evidence in every layer."""
    tuned, layer, seconds = values["lens"] == "tuned", values["layer"], result.provenance["seconds"]
    spans = np.clip(np.stack([result.times - result.step / 2, result.times + result.step / 2]), 0, seconds)
    columns = [(f"{time:.2f} s", *span) for time, span in zip(result.times, spans.T.tolist(), strict=True)]
    rows = []
    if result.labels:
        rows.append(
            sound_plot.segments_row(
                list(zip(result.labels, result.starts.tolist(), result.ends.tolist(), strict=True)), "spoken"
            )
        )
    drop, shown = values["blank"] == "drop", result.shown()
    if shown:
        names = [result.symbols[i] for i in shown]
        cells = np.stack([result.curve(name, tuned=tuned, without_blank=drop)[layer] for name in names])
        title = f"Layer {result.layers[layer]}, {values['lens']} lens: symbols over {ctc_lens.SHOWN:.0%} in any layer"
        options = {"unit": "probability", "vmax": 1.0, "row_name": "symbol", "column_name": "moment (one frame)"}
        options["sentence"] = "At *{column}* this layer's reading gives *{row}* a probability of {percent}"
        rows.append(sound_plot.matrix_row(cells, names, columns, title=title, **options))
    evidence = result.curve(values["symbol"], tuned=tuned, without_blank=drop)
    curves = {f"layer {name}": curve for name, curve in zip(result.layers, evidence, strict=True)}
    label = f"P({values['symbol']})"
    rows.append(sound_plot.line_row(curves, label, vmin=0.0, vmax=1.0, dashed=list(curves)[:-1], height=90))
    summary = f"Layer {result.layers[layer]} spells: {result.texts(tuned)[layer] or 'nothing but blanks'}."
    return sound_plot.plot_value(seconds, rows, summary, clip=result.provenance["clip_sha256"])


def text_table(result: CtcLens, values: Values) -> str:
    """Each layer's string as HTML, top layer first."""
    tuned = values["lens"] == "tuned"
    texts, blanks = result.texts(tuned), result.blank_share(tuned)
    errors = result.error_rates(values["against"], tuned=tuned)
    rows = []
    for layer in reversed(range(len(result.layers))):
        written = html.escape(texts[layer]) or "<i>nothing but blanks</i>"
        rows.append((html.escape(result.layers[layer]), written, f"{errors[layer]:.2f}", f"{blanks[layer]:.0%}"))
    return html_table(("layer", "what it spells", "errors", "blanks"), rows)


def lowered(result: CtcLens) -> set[str]:
    """The head's symbols as references are written."""
    return {symbol.casefold() for symbol in result.symbols}


def status_line(result: CtcLens, values: Values) -> str:
    """What is on screen, in one line."""
    shown, all_symbols = len(result.shown()), len(result.symbols) - 1
    parts = [f"**{result.provenance['model']}**, layer {result.layers[values['layer']]}", f"read by {result.head}"]
    parts.append(
        f"{shown} of {all_symbols} symbols drawn: those over {ctc_lens.SHOWN:.0%} in some frame of some layer"
    )
    parts += (
        [] if result.reference is not None else ["what was said is not known: errors count against the last layer"]
    )
    strange = [phone for phone in dict.fromkeys(result.reference or ()) if phone not in lowered(result)]
    if strange:
        parts.append(f"this head was never taught {html.escape(listed(strange))}: each counts as an error")
    if values["absent"]:
        parts.append(f"“{html.escape(values['absent'])}” is no symbol of this head: {values['symbol']} is followed")
    parts += ["no head per layer here: the raw lens is shown"] if values["untuned"] else []
    parts += [] if result.labels else ["its words or phones are not known: none are drawn above"]
    return " · ".join(parts)
