"""The tab that sets attention, attention norm and value zeroing side by side: three maps, their controls, curves."""

from typing import Any

import gradio as gr
from matplotlib.axes import Axes

from methods import context_mixing
from methods.context_mixing import ContextMixing, WholeModel, three_scores
from methods.core.errors import counted
from methods.core.mixing import View
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.controls import MOST_LAYERS
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

STACKS = [(title, stack) for stack, title in context_mixing.TITLES.items()]
ROLLED = [("each layer by itself", "no"), ("rolled out to this layer", "yes")]
PER = [("as published", "published"), ("all per frame", "frame"), ("all by whole words", "mass")]
PROMPT = [("leave out", "no"), ("show", "yes")]
SOURCES = [("the sound", "sound"), ("earlier tokens", "text")]
KEPT = [
    ("one half, by convention", "0.5"), ("as much as measured", "measured"), ("a quarter", "0.25"),
    ("three quarters", "0.75"),
]  # fmt: skip


def context_mixing_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    return technique_tab(RECIPE, shell)


def _controls() -> dict[str, gr.components.Component]:
    controls: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        controls["stack"] = gr.Radio(
            STACKS, value="encoder", label="Which attention (runs again)", interactive=True, min_width=260, scale=2
        )
        controls["layer"] = gr.Slider(1, MOST_LAYERS, value=3, step=1, label="Layer", interactive=True, min_width=160)
    with gr.Row(elem_classes="controls"):
        controls["rolled"] = gr.Radio(ROLLED, value="no", label="Maps", interactive=True, min_width=260)
        controls["per"] = gr.Radio(PER, value="published", label="Gather by", interactive=True, min_width=300)
        controls["prompt"] = gr.Radio(PROMPT, value="no", label="Prompt tokens", interactive=True, min_width=180)
    with gr.Row(elem_classes="controls"):
        controls["kept"] = gr.Dropdown(
            KEPT, value="0.5", label="In a rollout, the residual stream keeps", interactive=True, min_width=240
        )
        controls["source"] = gr.Radio(
            SOURCES, value="sound", label="The whole model: what comes from", interactive=True, min_width=240
        )
    return controls


def _outputs() -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id="plot-context_mixing")
    gr.Markdown("#### Do they agree, and how far do they look? Dashed: random weights")
    names, curves = context_mixing.PANELS, []
    for pair in (names[:2], names[2:]):  # four in a row would be too small to read
        with gr.Row():
            curves += [gr.HTML(elem_id=f"{name}-context_mixing", min_width=300) for name in pair]
    return plot, *curves


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    stack = values["stack"] if model.writes_text else "encoder"
    segments = session.segments(units) or None
    return context_mixing.analyse.in_steps(
        session.clip, model, segments=segments, transcript=session.text, stack=stack
    )


def plot_options(result: ContextMixing | WholeModel, values: Values) -> Values:
    """Control values -> keyword arguments of `views` and `plot`."""
    rolled = values["rolled"] == "yes" and result.stack in ("encoder", "decoder")
    options = {"layer": int(values["layer"]), "per": values["per"], "prompt": values["prompt"] == "yes"}
    if result.stack == "whole":
        options["source"] = values["source"]
    if rolled:
        options["rolled"] = True
    if rolled or result.stack == "whole":
        options["kept"] = _kept(values)
    return options


def _kept(values: Values) -> float | str:
    return values["kept"] if values["kept"] == "measured" else float(values["kept"])


def fitted(result: ContextMixing | WholeModel, values: Values) -> Values:
    """The control values, within what this model has."""
    return dict(values, layer=min(int(values["layer"]), result.layers), stack=result.stack)


def ranges(result: ContextMixing | WholeModel, values: Values) -> Updates:
    """The layers and attentions that this model has; cross-attention has no rollout, the whole model nothing else."""
    stacks = STACKS if result.tokens else STACKS[:1]
    return {
        "layer": gr.Slider(maximum=result.layers, value=values["layer"]),
        "stack": gr.Radio(stacks, value=result.stack),
        "rolled": gr.Radio(interactive=result.stack in ("encoder", "decoder")),
        "kept": gr.Dropdown(interactive=result.stack != "cross"),
        "source": gr.Radio(interactive=result.stack == "whole"),
    }


def _drawn(result: ContextMixing | WholeModel, values: Values) -> tuple[Any, ...]:
    views = context_mixing.views(result, **plot_options(result, values))
    shown = context_mixing.panels(result)
    missing = [f'<p class="quiet">{three_scores.NO_DISTANCE}</p>', ""]  # cross-attention has no places in time
    panels = shown if len(shown) == len(context_mixing.PANELS) else (shown[0], None, shown[1], None)
    curves = [_curve(result, what, values) if what else missing.pop(0) for what in panels]
    return maps_plot(views, result), *curves


def _curve(result: ContextMixing | WholeModel, what: str, values: Values) -> str:
    asked = {"per": values["per"], "kept": _kept(values)}

    def draw(ax: Axes, ink: str) -> None:
        context_mixing.draw_curves(ax, result, what, layer=int(values["layer"]), ink=ink, **asked)

    return inline_svg(draw, _spoken(result, what, asked))


def _spoken(result: ContextMixing | WholeModel, what: str, asked: Values) -> str:
    """A panel's numbers in words, for readers who cannot see it."""
    if what == "heads":
        near, far = result.attention_reach.min(), result.attention_reach.max()
        unit = "ms" if result.stack == "encoder" else "tokens"
        return f"How far each head looks, by layer: from {near:.3g} to {far:.3g} {unit} on average over positions."
    lines = context_mixing.curve_values(result, what, **asked)
    spoken = "; ".join(f"{name}: {', '.join(f'{value:.3g}' for value in line)}" for name, line in lines.items())
    return f"{context_mixing.curve_name(result, what)} by layer. {spoken}."


def maps_plot(views: dict[str, View], result: ContextMixing | WholeModel) -> Values:
    """Three maps, then their three controls, all on one colour scale, over the clip's time where columns have one."""
    shown = list(views.values())
    row = sound_plot.grid_row if shown[0].columns[0].start is None else sound_plot.matrix_row
    rows = [row(view.values, *_named(view), **_look(view, "Trained", view.title)) for view in shown]
    if result.random:
        control = f"random weights, mean of {counted(shown[0].seeds, 'seed')}"
        rows += [
            row(view.control, *_named(view), scale="oranges", **_look(view, "Control", f"{view.title}, {control}"))
            for view in shown
        ]
    if shown[0].columns[0].start is not None:  # which stretch of sound is which column
        rows.insert(0, sound_plot.segments_row(_named(shown[0])[1]))
    origin = result.provenance
    summary = " ".join(view.summary for view in shown)
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _look(view: View, which: str, title: str) -> Values:
    return {
        "title": f"{which}, layer {view.layer}: {title}", "unit": view.unit, "vmax": view.top, "decimals": 3,
        "row_name": view.row_name, "column_name": view.column_name,
        "sentence": "By this score, {percent} of what *{row}* takes comes from *{column}*",
    }  # fmt: skip


def _named(view: View) -> tuple[list[Any], list[Any]]:
    return tuple(
        [place.label if place.start is None else (place.label, place.start, place.end) for place in places]
        for places in (view.rows, view.columns)
    )


def status_line(result: ContextMixing | WholeModel, values: Values) -> str:
    """What is on screen, in one line: model, layer, the scores' agreement there, and what stands beside it."""
    layer, origin, asked = int(values["layer"]), result.provenance, {"per": values["per"], "kept": _kept(values)}
    parts = [f"**{origin['model']}**, layer {layer}, {context_mixing.TITLES[result.stack].lower()}"]
    lines = context_mixing.curve_values(result, "agreement", **asked)
    parts.append("rank correlation " + ", ".join(f"{name} {line[layer - 1]:.2f}" for name, line in lines.items()))
    if "distance" in context_mixing.panels(result):
        unit = "ms" if result.stack == "encoder" else "tokens"
        parts.append(f"an even spread would look {result.even_distance():.3g} {unit} far")
    if result.stack == "whole":
        parts.append(_heard_line(result, values, layer, asked))
    if values["rolled"] == "yes" and result.stack == "cross":
        parts.append(three_scores.NO_ROLLOUT)
    if not result.random:
        parts.append("the random-weights controls are being computed …")
    return " · ".join(parts)


def _heard_line(result: ContextMixing | WholeModel, values: Values, layer: int, asked: Values) -> str:
    heard = context_mixing.curve_values(result, "heard", **asked)
    parts = ", ".join(f"{name} {line[layer - 1]:.0%}" for name, line in heard.items())
    rule = "" if values["kept"] == "measured" else " (the same for any model: choose “as much as measured”)"
    hidden = "" if values["prompt"] == "yes" or values["source"] == "sound" else "; shares of the prompt are left out"
    return f"of a row, from the sound: {parts}{rule}; the colours end at this layer's largest share{hidden}"


RECIPE = Recipe(
    module=context_mixing,
    controls=_controls,
    outputs=_outputs,
    steps=_steps,
    drawn=_drawn,
    status=status_line,
    plot_options=plot_options,
    fitted=fitted,
    ranges=ranges,
    covers=lambda result, values: result.stack == values["stack"] or not result.tokens,
    rerun=("stack",),
)
