"""The tab of head roles: thumbnails of all heads, one opened beside its sound, scores against random weights."""

import base64
import io
import itertools

import gradio as gr
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import imsave

from methods import head_roles
from methods.core import models
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.head_roles import figure as head_figure
from methods.head_roles.result import HeadRoles
from page.controls import MOST_HEADS, MOST_LAYERS
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

MOMENTS = {
    "row_name": "moment that looks",
    "column_name": "moment that is looked at",
    "sentence": "At *{row}* the head gives {percent} of its attention to a frame at *{column}*",
}
SCORES = [
    ("CAD", "cad"), ("mean distance, ms", "distance_ms"), ("90% band, ms", "band_ms"),
    ("globalness, nats", "globalness"), ("verticality, nats", "verticality"), ("diagonality", "diagonality"),
]  # fmt: skip
COLOURS = {"diagonal": "#2563eb", "vertical": "#d97706", "global": "#6b7280"}
PICK = """element.addEventListener('click', (event) => {
    const cell = event.target.closest('button[data-head]');
    if (cell) trigger('select', {layer: Number(cell.dataset.layer), head: Number(cell.dataset.head)});
});"""
SHOWN = ["attention", "layer", "head", "kind", "cad", "distance_ms", "band_ms", "globalness", "verticality",
         "padding", "random_min_cad", "random_max_cad", "listed", "monotonicity"]  # fmt: skip
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "opened": (1, 48),
}


def head_roles_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; a click on a thumbnail opens that head."""
    return technique_tab(
        Recipe(
            module=head_roles,
            controls=_controls,
            outputs=_outputs,
            steps=_steps,
            drawn=drawn,
            status=status_line,
            plot_options=lambda _result, values: _options(values),
            fitted=fitted,
            ranges=ranges,
            picked=("layer", "head"),
            covers=lambda result, values: result.opened == _opened(values),
        ),
        shell,
    )


def _controls() -> dict[str, gr.components.Component]:
    with gr.Row(elem_classes="controls"):
        layer = gr.Slider(1, MOST_LAYERS, value=1, step=1, label="Opened layer", interactive=True, min_width=160)
        head = gr.Slider(1, MOST_HEADS, value=1, step=1, label="Opened head", interactive=True, min_width=160)
        score = gr.Dropdown(SCORES, value="cad", label="Score by layer", interactive=True, min_width=200)
    return {"layer": layer, "head": head, "score": score}


def _outputs() -> list[gr.components.Component]:
    gr.Markdown("#### All heads: press one to open it; d: diagonal, g: global, v: vertical, with its CAD")
    grid = gr.HTML(elem_id="grid-head_roles", js_on_load=PICK)
    plot = SoundPlot(elem_id="plot-head_roles")
    gr.Markdown("#### Is this real? Trained against random weights")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{name}-head_roles") for name in ("score", "radius", "similarity")]
    gr.Markdown("#### How alike are the heads of the opened layer, pair by pair?")
    squares = gr.HTML(elem_id="squares-head_roles")
    gr.Markdown("Looking is not using: [what the model loses without each head](?technique=head_ablation).")
    with gr.Accordion("Scores of every head", open=False):
        table = gr.Dataframe(elem_id="table-head_roles", interactive=False)
    return [grid, plot, *curves, squares, table]


def _opened(values: Values) -> tuple[int, int]:
    return int(values["layer"]), int(values["head"])


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    sites = models.encoder_states(session.clip, model).sites
    layer, head = _opened(values)
    opened = min(layer, len(sites)), min(head, len(sites[0].query))
    phones = session.phones or None
    return head_roles.analyse.in_steps(session.clip, model, segments=phones, transcript=session.text, opened=opened)


def _options(values: Values) -> Values:
    return {"layer": int(values["layer"]), "head": int(values["head"]), "score": values["score"]}


def fitted(result: HeadRoles, values: Values) -> Values:
    """The control values, within what this model has."""
    layers, heads = result.cad.shape
    return dict(values, layer=min(int(values["layer"]), layers), head=min(int(values["head"]), heads))


def ranges(result: HeadRoles, values: Values) -> Updates:
    """The layers and heads that this model has."""
    layers, heads = result.cad.shape
    return {
        "layer": gr.Slider(maximum=layers, value=values["layer"]),
        "head": gr.Slider(maximum=heads, value=values["head"]),
    }


def drawn(result: HeadRoles, values: Values) -> tuple:
    """Thumbnails, the opened head, three curves and the table."""
    options = _options(values)
    layer, head, score = options["layer"], options["head"], options["score"]
    kind = result.kinds[layer - 1, head - 1]
    alike = result.layer_similarity()
    means = ", ".join(f"{value:.3g}" for value in getattr(result, score).mean(1))
    curves = (
        inline_svg(lambda ax, ink: head_roles.score_curve(ax, result, score, ink), f"{score} by layer: {means}"),
        inline_svg(
            lambda ax, ink: head_roles.radius_curve(ax, result, layer, head, ink),
            f"D(r) of layer {layer}, head {head}, a {kind} head, beside an even spread",
        ),
        inline_svg(
            lambda ax, ink: head_roles.similarity_curve(ax, result, ink),
            "How alike the heads of a layer are; sums over layers: "
            + ", ".join(
                f"{name} {sum(by_layer):.2f}" for name, by_layer in zip(head_roles.OBJECTS, alike, strict=True)
            ),
        ),
    )
    table = result.table()
    shown = table[[name for name in SHOWN if name in table]].round(3)
    return grid_html(result, layer, head), opened_plot(result, layer, head), *curves, likeness(result, layer), shown


def likeness(result: HeadRoles, layer: int) -> str:
    """Heads by heads: the cosines of what two heads of this layer compute, trained and with random weights."""
    trained = result.similarity[:, layer - 1]
    control = np.mean([twin.similarity[:, layer - 1] for twin in result.random], 0) if result.random else None

    def whole(ax: Axes, ink: str) -> None:
        figure = ax.figure
        figure.clear()
        head_figure.likeness(figure, head_roles.OBJECTS, trained, control, ink)

    pairs = ~np.eye(trained.shape[-1], dtype=bool)
    parts = [
        f"{name}: mean {square[pairs].mean():.2f}, highest {square[pairs].max():.2f}"
        for name, square in zip(head_roles.OBJECTS, trained, strict=True)
        if pairs.any()
    ]
    text = f"How alike two heads of layer {layer} are. {'; '.join(parts)}."
    return inline_svg(whole, text, (9.0, 3.6 if result.random else 2.0))


def opened_plot(result: HeadRoles, layer: int, head: int) -> Values:
    """One head's map over the clip's time axis and, with phones, from which phone to which it looks."""
    weights, origin = result.opened_map, result.provenance
    frames = [(f"{start:.2f} s", start, stop) for start, stop in itertools.pairwise(result.opened_edges.tolist())]
    title = f"Layer {layer}, head {head}: rows look, columns are looked at"
    rows = [sound_plot.matrix_row(weights, frames, frames, title=title, unit="weight", decimals=3, **MOMENTS)]
    if result.phones is not None and np.isfinite(result.phones[layer - 1, head - 1]).any():
        names = list(result.classes)
        title = "Mean weight from phone (row) to phone (column); a phone's own run is left out"
        mean = result.phones[layer - 1, head - 1]
        rows.append(sound_plot.grid_row(
            mean, names, names, title=title, unit="mean weight", decimals=4,
            row_name="phone that looks", column_name="phone that is looked at",
            sentence="A frame of *{row}* gives {percent} of its attention to each frame of *{column}*, on average",
        ))  # fmt: skip
    cad, kind = result.cad[layer - 1, head - 1], result.kinds[layer - 1, head - 1]
    summary = f"{title.split(':')[0]}: CAD {cad:.3f} (even spread {result.uniform:.3f}), named {kind}."
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def grid_html(result: HeadRoles, layer: int, head: int) -> str:
    """A button per head, one row per layer; numbers and our own words only, so there is nothing to escape."""
    rows = []
    for row, kinds in enumerate(result.kinds, start=1):
        cells = [
            _cell(result, row, column, kind, (row, column) == (layer, head)) for column, kind in enumerate(kinds, 1)
        ]
        rows.append(f"<div style='display:flex;gap:6px;align-items:center'><b>{row}</b>{''.join(cells)}</div>")
    return f"<div style='display:flex;flex-direction:column;gap:6px;padding:4px;overflow-x:auto'>{''.join(rows)}</div>"


def _cell(result: HeadRoles, layer: int, head: int, kind: str, chosen: bool) -> str:
    cad, milliseconds = result.cad[layer - 1, head - 1], result.distance_ms[layer - 1, head - 1]
    name = f"layer {layer}, head {head}: {kind}, CAD {cad:.2f}, mean distance {milliseconds:.0f} ms"
    ring = f"outline:{3 if chosen else 1}px solid {COLOURS[kind]};"
    picture = _png(result.thumbnails[layer - 1, head - 1])
    return (
        f"<button type='button' data-layer='{layer}' data-head='{head}' title='{name}' aria-label='{name}' "
        f"aria-pressed='{str(chosen).lower()}' style='{ring}padding:0;border:0;flex:none;cursor:pointer'>"
        f"<img src='data:image/png;base64,{picture}' alt='' width='72' height='72' "
        "style='display:block;image-rendering:pixelated;margin:0'>"
        f"<span style='font-size:11px'>{head} {kind[0]} {cad:.2f}</span></button>"
    )


def _png(weights: np.ndarray) -> str:
    """The root of the weights, so that a faint stripe shows beside a bright diagonal; each to its own top."""
    shown = np.sqrt(weights / (weights.max() or 1.0))
    buffer = io.BytesIO()
    imsave(buffer, matplotlib.colormaps["Blues"](shown), format="png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def status_line(result: HeadRoles, values: Values) -> str:
    """What is on screen, in one line."""
    parts = [
        f"**{result.provenance['model']}**",
        f"{result.cad.size} heads, CAD of an even spread {result.uniform:.3f}",
    ]
    parts.append("thumbnails are means over blocks of frames, at most 64 × 64")
    if result.padding.any():
        parts.append(f"padding mass {result.padding.mean():.0%} left out")
    if result.monotonicity is not None and result.alignment_heads:
        listed = [result.monotonicity[layer - 1, head - 1] for layer, head in result.alignment_heads]
        if np.isfinite(listed).any():
            parts.append(f"{len(listed)} published alignment heads follow the tokens: {np.nanmean(listed):.2f}")
    if result.phones is None:
        parts.append("no phones for this clip, so no phoneme relation")
    if not result.random:
        parts.append("the random-weights control is being computed …")
    return " · ".join(parts)
