"""The tab that sets attention, attention norm and value zeroing side by side: three maps, their controls, curves."""

from typing import Any

import gradio as gr
from matplotlib.axes import Axes

from methods import context_mixing
from methods.core.mixing import STACK_TITLES, View
from methods.core.network import SpeechModel
from methods.core.results import Steps
from page import sound_plot
from page.pictures import inline_svg
from page.session import Session
from page.sound_plot import SoundPlot
from page.technique_tab import Recipe, Shell, Tab, Values, technique_tab

MOST_LAYERS = 48  # as in mixing_tab: the server checks calls against it
STACKS = [(title, stack) for stack, title in STACK_TITLES.items()]
ROLLED = [("each layer by itself", "no"), ("rolled out to this layer", "yes")]
PER = [("as published", "published"), ("all per frame", "frame"), ("all by whole words", "mass")]
PROMPT = [("leave out", "no"), ("show", "yes")]
HEADS = "heads"  # the panel of single heads, beside context_mixing.PANELS


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
    return controls


def _outputs() -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id="plot-context_mixing")
    gr.Markdown("#### Do they agree, and how far do they look? Dashed: random weights")
    names, curves = (*context_mixing.PANELS, HEADS), []
    for pair in (names[:2], names[2:]):  # four in a row would be too small to read
        with gr.Row():
            curves += [gr.HTML(elem_id=f"{name}-context_mixing", min_width=300) for name in pair]
    return plot, *curves


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    stack = values["stack"] if model.writes_text else "encoder"
    segments = session.segments(units) or None
    return context_mixing.analyse_in_steps(
        session.clip, model, segments=segments, transcript=session.text, stack=stack
    )


def plot_options(result: Any, values: Values) -> Values:
    """Control values -> keyword arguments of `views` and `plot`."""
    rolled = values["rolled"] == "yes" and result.stack != "cross"
    return {
        "layer": int(values["layer"]),
        "per": values["per"],
        "rolled": rolled,
        "prompt": values["prompt"] == "yes",
    }


def fitted(result: Any, values: Values) -> Values:
    """The control values, within what this model has."""
    return dict(values, layer=min(int(values["layer"]), len(result.attention)), stack=result.stack)


def ranges(result: Any, values: Values) -> dict[str, Any]:
    """The layers and attentions that this model has; cross-attention has no rollout."""
    stacks = STACKS if result.tokens else STACKS[:1]
    return {
        "layer": gr.Slider(maximum=len(result.attention), value=values["layer"]),
        "stack": gr.Radio(stacks, value=result.stack),
        "rolled": gr.Radio(interactive=result.stack != "cross"),
    }


def _drawn(result: Any, values: Values) -> tuple[Any, ...]:
    options = plot_options(result, values)
    views = context_mixing.views(result, **options)
    curves = [_curve(result, what, options) for what in context_mixing.PANELS]
    return maps_plot(views, result), *curves, _heads(result, options["layer"])


def _curve(result: Any, what: str, options: Values) -> str:
    if what not in context_mixing.panels(result):
        return f'<p class="quiet">{context_mixing.NO_DISTANCE}</p>'

    def draw(ax: Axes, ink: str) -> None:
        context_mixing.draw_curves(ax, result, what, layer=options["layer"], per=options["per"], ink=ink)

    lines = context_mixing.curve_values(result, what, options["per"])
    spoken = "; ".join(f"{name}: {', '.join(f'{value:.3g}' for value in line)}" for name, line in lines.items())
    return inline_svg(draw, f"{context_mixing.curve_name(result, what)} by layer. {spoken}.")


def _heads(result: Any, layer: int) -> str:
    if result.attention_reach is None:
        return ""
    near, far = result.attention_reach.min(), result.attention_reach.max()
    unit = "ms" if result.stack == "encoder" else "tokens"
    summary = f"How far each head looks, by layer: from {near:.3g} to {far:.3g} {unit} on average over positions."
    return inline_svg(lambda ax, ink: context_mixing.draw_heads(ax, result, layer=layer, ink=ink), summary)


def maps_plot(views: dict[str, View], result: Any) -> Values:
    """Three maps, then their three controls, all on one colour scale, over the clip's time where columns have one."""
    shown = list(views.values())
    row = sound_plot.grid_row if shown[0].columns[0].start is None else sound_plot.matrix_row
    rows = [row(view.values, *_named(view), **_look(view, "Trained", view.title)) for view in shown]
    if result.random:
        control = f"random weights, mean of {shown[0].seeds} seeds"
        rows += [
            row(view.control, *_named(view), scale="oranges", **_look(view, "Control", f"{view.title}, {control}"))
            for view in shown
        ]
    origin = result.provenance
    summary = " ".join(view.summary for view in shown)
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _look(view: View, which: str, title: str) -> Values:
    return {"title": f"{which}, layer {view.layer}: {title}", "unit": view.unit, "vmax": view.top, "decimals": 3}


def _named(view: View) -> tuple[list[Any], list[Any]]:
    return tuple(
        [place.label if place.start is None else (place.label, place.start, place.end) for place in places]
        for places in (view.rows, view.columns)
    )


def status_line(result: Any, values: Values) -> str:
    """What is on screen, in one line: model, layer, the scores' agreement there, and what stands beside it."""
    layer, origin = int(values["layer"]), result.provenance
    parts = [f"**{origin['model']}**, layer {layer}, {STACK_TITLES[result.stack].lower()}"]
    lines = context_mixing.curve_values(result, "agreement", values["per"])
    parts.append("rank correlation " + ", ".join(f"{name} {line[layer - 1]:.2f}" for name, line in lines.items()))
    if "distance" in context_mixing.panels(result):
        unit = "ms" if result.stack == "encoder" else "tokens"
        parts.append(f"an even spread would look {result.even_distance():.3g} {unit} far")
    if values["rolled"] == "yes" and result.stack == "cross":
        parts.append(context_mixing.NO_ROLLOUT)
    if not result.random:
        parts.append("the random-weights controls are being computed …")
    return " · ".join(parts)


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
