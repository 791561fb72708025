"""The tab of attention or value zeroing: a map of words by words, its random-weights control, and a layer curve."""

from types import ModuleType
from typing import Any

import gradio as gr

from methods.core import mixing, models
from methods.core.errors import counted
from methods.core.mixing import STACK_TITLES, MixingMap, View, figure
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.controls import MOST_HEADS, MOST_LAYERS
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

MOST_NAMED = 150  # columns: single frames have no names
MEAN = "mean over heads"
SHARES, RAW = "shares of the row", "raw values"
LEVELS = [("words or phones", "segments"), ("single frames, this layer", "frames")]
PROMPT = [("leave out", "no"), ("show", "yes")]
# What "how much of a column" means: value -> label, per technique; the first is the default.
GATHER = {
    "attention": [("per frame (intensity)", "frame"), ("total (mass)", "mass")],
    "attention_norm": [("per frame (intensity)", "frame"), ("total (mass)", "mass")],
    "value_zeroing": [("whole segment", "segment"), ("per zeroed frame", "frame")],
}
ABLATIONS = [("zero", "zero"), ("the clip's mean", "mean")]
VARIANTS = [("weighted values", "norm"), ("with residual", "residual"), ("and LayerNorm", "layernorm")]
# What a cell means: technique -> way to gather -> as a share of the row, and as a raw value.
SENTENCES = {
    "attention": {
        "frame": (
            "Frame for frame, {percent} of what *{row}* looks at here is *{column}*",
            "*{row}* gives {percent} of its attention to each frame of *{column}*, on average",
        ),
        "mass": (
            "{percent} of what *{row}* looks at here is *{column}*",
            "{percent} of all attention of *{row}* goes to *{column}*",
        ),
    },
    "attention_norm": {
        "frame": (
            "Frame for frame, {percent} of what reaches *{row}* comes from *{column}*",
            "What reaches *{row}* from each frame of *{column}* has a length of {value}, on average",
        ),
        "mass": (
            "{percent} of what reaches *{row}* comes from *{column}*",
            "What reaches *{row}* from *{column}* has a length of {value} in all",
        ),
    },
    "value_zeroing": {
        "segment": (
            "{percent} of what *{row}* takes comes from *{column}*",
            "Without *{column}*, *{row}* turns by a cosine distance of {value}",
        ),
        "frame": (
            "Frame for frame, {percent} of what *{row}* takes comes from *{column}*",
            "Without *{column}*, *{row}* turns by a cosine distance of {value} for each of its frames",
        ),
    },
}
STACKS = [(title, stack) for stack, title in STACK_TITLES.items()]


def mixing_tab(module: ModuleType, shell: Shell, *, by_head: bool) -> Tab:
    """Lay out the tab of one context-mixing technique and connect it."""
    name = module.__name__.rsplit(".", 1)[-1]
    recipe = Recipe(
        module=module,
        controls=lambda: _controls(name, by_head),
        outputs=lambda: _outputs(name),
        steps=lambda session, model, units, values: _steps(module, session, model, units, values),
        drawn=lambda result, values: _drawn(module, result, values),
        status=status_line,
        plot_options=lambda _result, values: plot_options(values),
        fitted=fitted,
        ranges=ranges,
        covers=covers,
        rerun=("ablation",) if name == "value_zeroing" else (),
    )
    return technique_tab(recipe, shell)


def _controls(name: str, by_head: bool) -> dict[str, gr.components.Component]:
    controls: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        controls["stack"] = gr.Radio(
            STACKS, value="encoder", label="Which attention", interactive=True, min_width=260, scale=2
        )
        controls["layer"] = gr.Slider(1, MOST_LAYERS, value=3, step=1, label="Layer", interactive=True, min_width=160)
        if by_head:
            heads = [MEAN, *(str(head) for head in range(1, MOST_HEADS + 1))]
            controls["head"] = gr.Dropdown(heads, value=MEAN, label="Head", interactive=True, min_width=160)
    with gr.Row(elem_classes="controls"):
        controls["show"] = gr.Radio([SHARES, RAW], value=SHARES, label="Show", interactive=True, min_width=220)
        gather = GATHER[name]
        controls["per"] = gr.Radio(gather, value=gather[0][1], label="Gather by", interactive=True, min_width=260)
        controls["level"] = gr.Radio(LEVELS, value="segments", label="Level", interactive=True, min_width=260)
        if name == "attention_norm":
            controls["variant"] = gr.Radio(VARIANTS, value="norm", label="Measure", interactive=True, min_width=260)
        if name == "value_zeroing":
            controls["ablation"] = gr.Radio(
                ABLATIONS, value="zero", label="Removed values become", interactive=True, min_width=220
            )
        controls["prompt"] = gr.Radio(PROMPT, value="no", label="Prompt tokens", interactive=True, min_width=180)
    return controls


def _outputs(name: str) -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id=f"plot-{name}")
    gr.Markdown("#### Is this real? Trained against random weights, layer by layer")
    return plot, gr.HTML(elem_id=f"curve-{name}")


def _steps(module: ModuleType, session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    options: Values = {"segments": session.segments(units) or None}
    if values.get("level") == "frames":
        layer = min(int(values["layer"]), models.layer_count(model))
        segments = mixing.single_frames(session.clip, model)
        options = {"segments": segments, "layers": (layer,), "stacks": (values["stack"],)}
    if "ablation" in values:
        options["ablation"] = values["ablation"]
    return module.analyse.in_steps(session.clip, model, transcript=session.text, **options)


def _drawn(module: ModuleType, result: MixingMap, values: Values) -> tuple[Values, str]:
    view = module.view(result, **plot_options(values))
    curve = inline_svg(lambda ax, ink: figure.layer_curve(ax, view, ink=ink), view.summary)
    return mixing_plot(view, result, _sentence(module.__name__.rsplit(".", 1)[-1], values)), curve


def _sentence(name: str, values: Values) -> str:
    """What a cell means; a decoder's tokens have no frames to share anything out to."""
    sentences = SENTENCES[name]
    per = values["per"] if values["stack"] != "decoder" else next(way for way in sentences if way != "frame")
    return sentences[per][values["show"] != SHARES]


def plot_options(values: Values) -> Values:
    """Control values -> keyword arguments of the technique's `view` and `plot`."""
    options = {"stack": values["stack"], "layer": int(values["layer"]), "shares": values["show"] == SHARES}
    options |= {"prompt": values["prompt"] == "yes", "per": values["per"]}
    if "variant" in values:
        options["variant"] = values["variant"]
    if "head" in values:
        options["head"] = None if values["head"] == MEAN else int(values["head"])
    return options


def _shape(result: MixingMap) -> tuple[int, ...]:
    return next(m.shape for m in (result.encoder, result.decoder, result.cross) if m is not None)


def _head_count(result: MixingMap) -> int:
    """How many heads the result has maps of; 0 where they are not told apart."""
    kept = [getattr(result, f"{stack}_heads", getattr(result, stack)) for _, stack in STACKS]
    return next((maps.shape[1] for maps in kept if maps is not None and maps.ndim == 4), 0)


def fitted(result: MixingMap, values: Values) -> Values:
    """The control values, within what this model has."""
    values = dict(values, layer=min(int(values["layer"]), _shape(result)[0]))
    if not result.provenance["decoder"]:
        values["stack"] = "encoder"
    if "head" in values and values["head"] != MEAN and int(values["head"]) > _head_count(result):
        values["head"] = MEAN
    return values


def ranges(result: MixingMap, values: Values) -> Updates:
    """The layers and attentions that this model has."""
    stacks = STACKS if result.provenance["decoder"] else STACKS[:1]
    return {
        "layer": gr.Slider(maximum=_shape(result)[0], value=values["layer"]),
        "stack": gr.Radio(stacks, value=values["stack"]),
    }


def covers(result: MixingMap, values: Values) -> bool:
    """Whether a result already holds what the controls ask for; single frames are kept for one layer only."""
    single = result.provenance["options"].get("layers")
    if (values.get("level") == "frames") != (single is not None):
        return False
    return single is None or (single == [int(values["layer"])] and getattr(result, values["stack"]) is not None)


def mixing_plot(view: View, result: MixingMap, sentence: str) -> Values:
    """The map and its control as rows over the clip's time axis, or as grids where columns are tokens."""
    row = sound_plot.grid_row if view.columns[0].start is None else sound_plot.matrix_row
    rows_read = [_named(place) for place in view.rows]
    columns = [_named(place) for place in view.columns]
    common = {"unit": view.unit, "vmax": view.top, "decimals": 3 if view.top > 0.01 else 6, "sentence": sentence}
    common |= {"row_name": view.row_name, "column_name": view.column_name}
    rows = [row(view.values, rows_read, columns, title=f"Trained, layer {view.layer}: {view.title}", **common)]
    if view.control is not None:
        title = f"Control, layer {view.layer}: random weights, mean of {counted(view.seeds, 'seed')}"
        rows.append(row(view.control, rows_read, columns, title=title, scale="oranges", **common))
    if view.columns[0].start is not None and len(columns) <= MOST_NAMED:  # which stretch of sound is which column
        rows.insert(0, sound_plot.segments_row(columns))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, view.summary, clip=origin["clip_sha256"])


def _named(place: Any) -> Any:
    return place.label if place.start is None else (place.label, place.start, place.end)


def status_line(result: MixingMap, values: Values) -> str:
    """What is on screen, in one line: model, layer, and what was left out."""
    stack, layer, origin = values["stack"], int(values["layer"]), result.provenance
    parts = [f"**{origin['model']}**, layer {layer}"]
    padding = getattr(result, f"{stack}_padding", getattr(result, f"{stack}_padding_share", None))
    if padding is not None and padding.any():
        of_layer = padding[layer - 1]
        single = of_layer.ndim == 2 and values["head"] != MEAN  # attention keeps it for each head
        chosen = of_layer[int(values["head"]) - 1] if single else of_layer
        shown = mixing.first_writer(result.prompt) if stack == "cross" and values["prompt"] != "yes" else 0
        share = chosen[..., shown:].mean()
        parts.append(f"padding mass {share:.0%} (what falls on the silence after the clip)")
    if not result.random:
        parts.append("the random-weights control is being computed …")
    if stack != "encoder":
        given = "the text you gave" if origin["options"]["transcript_given"] else "what the model wrote"
        parts.append(f"decoder reads {given}; the state at a token writes the next one")
    return " · ".join(parts)
