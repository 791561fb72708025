"""The tab of head ablation: what every head costs, what is written without it, and whether the ranking is real."""

import html
from typing import Any

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import head_ablation
from methods.core import models
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.head_ablation import TITLES, HeadAblation
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

STACKS = list(TITLES)
# Heads that can be ticked: those of Whisper tiny and base, and of encoders of 12 layers with 12 heads.
SIZES = {"encoder": (12, 12), "decoder": (6, 8), "cross": (6, 8)}
HEADS = [f"{stack} {layer}.{head}" for stack, (layers, heads) in SIZES.items()
         for layer in range(1, layers + 1) for head in range(1, heads + 1)]  # fmt: skip
FILLS = [("nothing (zero)", "zero"), ("its mean over the clip or the text", "mean")]
WHICH = {  # the axes of each map, and what a cell means
    "row_name": "layer",
    "column_name": "head that is switched off",
    "sentence": (
        "Without head *{column}* of *{row}*, the text loses {value} nats",
        "Without head *{column}* of *{row}*, the text gains {value} nats",
    ),
}
CLOSED = -1
MOST_LAYERS, MOST_HEADS, MOST_TOKENS = 48, 32, 230
WHOLE = -1
TOKENS = [("all of it", WHOLE), *((str(number + 1), number) for number in range(MOST_TOKENS))]
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "draws": (0, 50),
    "orders": (0, 20),
}


def head_ablation_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; a click on a head opens it."""
    recipe = Recipe(
        module=head_ablation,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        ranges=ranges,
        picked=("of", "row", "column"),
        covers=lambda result, values: not result.complete or result.opened == _opened(values, result),
        rerun=("fill", "off"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["fill"] = gr.Radio(FILLS, value="zero", label="A head that is off writes", min_width=240)
        made["off"] = gr.Dropdown(HEADS, value=[], multiselect=True, label="Off together", min_width=260)
        made["token"] = gr.Dropdown(TOKENS, value=WHOLE, label="Loss of", min_width=160)
    with gr.Row(elem_classes="controls"):
        stacks = [(TITLES[stack], number) for number, stack in enumerate(STACKS)]
        layers = [("none", CLOSED), *((str(number + 1), number) for number in range(MOST_LAYERS))]
        made["of"] = gr.Dropdown(stacks, value=0, label="Opened: attention", min_width=160)
        made["row"] = gr.Dropdown(layers, value=CLOSED, label="layer", min_width=100)
        heads = [(str(number + 1), number) for number in range(MOST_HEADS)]
        made["column"] = gr.Dropdown(heads, value=0, label="head", min_width=100)
    for control in made.values():
        control.interactive = True
    return made


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-head_ablation")
    gr.Markdown("#### What the model says without them: press a head above to switch it off")
    said = gr.HTML(elem_id="said-head_ablation")
    gr.Markdown("#### Is this real? The ranking against random orders, the pattern of a head, the other filling")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{name}-head_ablation") for name in ("orders", "cad", "fillings")]
    random = SoundPlot(elem_id="random-head_ablation")
    gr.Markdown("Beside this: [what each head looks at](?technique=head_roles).")
    return [plot, said, *curves, random]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return head_ablation.analyse.in_steps(
        session.clip,
        model,
        transcript=session.text,
        fill=values["fill"],
        off=tuple(values["off"]),
        opened=_named(values) if _has(session, model, values) else None,
    )


def _named(values: Values) -> str:
    return f"{STACKS[int(values['of'])]} {int(values['row']) + 1}.{int(values['column']) + 1}"


def _has(session: Session, model: SpeechModel, values: Values) -> bool:
    """Whether a head is opened that this model has: a link may name one of a larger model, or of a decoder."""
    sites = models.encoder_states(session.clip, model).sites  # decoders of this app's models are as wide
    layers = len(sites) if int(values["of"]) == 0 else _decoder_layers(model)
    return int(values["row"]) in range(layers) and int(values["column"]) < len(sites[0].query)


def _decoder_layers(model: SpeechModel) -> int:
    return model.network.config.decoder_layers if model.writes_text else 0


def _opened(values: Values, result: HeadAblation) -> str | None:
    """The opened head by name; what the result holds where none is opened, or none that this model has."""
    stack, layer, head = STACKS[int(values["of"])], int(values["row"]), int(values["column"])
    there = stack in result.losses and layer < len(result.losses[stack]) and head < result.losses[stack].shape[1]
    return _named(values) if there and layer != CLOSED else result.opened


def ranges(result: HeadAblation, values: Values) -> Updates:
    """The tokens of this text, and the heads of this model, by name."""
    tokens = [TOKENS[0], *((f"{number + 1}. {token}", number) for number, token in enumerate(result.tokens))]
    names = [f"{stack} {layer + 1}.{head + 1}" for stack, losses in result.losses.items()
             for layer, head in np.ndindex(losses.shape[:2])]  # fmt: skip
    return {"token": gr.Dropdown(tokens), "off": gr.Dropdown([*dict.fromkeys([*names, *HEADS])])}


def drawn(result: HeadAblation, values: Values) -> tuple:
    """A value for each output."""
    token = int(values["token"])
    token = token if token < len(result.tokens) else WHOLE
    stack, layer, head = result.worst()
    summary = f"The head that costs most: {stack} {layer + 1}.{head + 1}, {result.total(stack)[layer, head]:.1f} nats."
    return maps(result, token, summary), said(result), *_curves(result), _random(result)


def _shown(result: HeadAblation, token: int) -> dict[str, np.ndarray]:
    return {
        stack: result.total(stack) if token == WHOLE else result.losses[stack][..., token] for stack in result.losses
    }


def maps(result: HeadAblation, token: int, summary: str) -> Values:
    """Layers by heads for each kind of attention, on one scale that ends at the 95th percentile."""
    shown = _shown(result, token)
    of = "the whole text" if token == WHOLE else f"“{result.tokens[token]}”"
    return _grids(result, shown, _limit(shown), f"nats that {of} loses", summary)


def _limit(shown: dict[str, np.ndarray]) -> float:
    """Where the colours end: one head that costs 30 nats would leave all others white."""
    found = np.abs(np.concatenate([values.ravel() for values in shown.values()]))
    found = found[np.isfinite(found)]
    return max(float(np.percentile(found, 95)), 0.5) if found.size else 1.0


def _grids(result: HeadAblation, shown: dict[str, np.ndarray], limit: float, title: str, summary: str) -> Values:
    rows = []
    for stack, values in shown.items():
        layers = [f"layer {number + 1}" for number in range(len(values))]
        heads = [str(number + 1) for number in range(values.shape[1])]
        if np.isfinite(values).any():
            rows.append(
                sound_plot.grid_row(
                    values, layers, heads, title=f"{TITLES[stack]}: {title}", unit="nats", vmin=-limit, vmax=limit,
                    scale="rdbu", decimals=2, **WHICH,
                )
            )  # fmt: skip
        else:
            rows.append(_waiting(layers, heads, stack))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _waiting(layers: list[str], heads: list[str], stack: str) -> Values:
    """An empty grid keeps its place: a click tells which row of the plot it was on."""
    values = np.full((len(layers), len(heads)), np.nan)
    values[0, 0] = 0.0
    return sound_plot.grid_row(values, layers, heads, title=f"{TITLES[stack]}: being computed …", **WHICH)


def said(result: HeadAblation) -> str:
    """What is written with all heads, without the opened one, and without those that are off together."""
    lines = [["every head on", "0.00", html.escape(result.heard)]]
    if result.opened is not None:
        stack, _, place = result.opened.partition(" ")
        layer, head = (int(number) - 1 for number in place.split("."))
        loss = f"{result.total(stack)[layer, head]:.2f}"
        lines.append([f"without {result.opened}", loss, players.compared(result.heard, result.opened_text)])
    if result.off_losses is not None:
        loss = f"{result.off_losses.sum():.2f}"
        lines.append([f"without {', '.join(result.off)}", loss, players.compared(result.heard, result.off_text)])
    return tables.table(["heads", "nats lost", "what the model says"], lines, "The same clip with heads switched off")


def _curves(result: HeadAblation) -> list[str]:
    agreement, fillings = result.agreement(), result.fillings()
    pictures = (
        (head_ablation.order_curves, "Nats lost as heads go, the worst first, the most harmless first, at random."),
        (
            head_ablation.diagonality_points,
            "" if agreement is None else f"Rank correlation of loss and CAD: {agreement[0]:.2f}.",
        ),
        (
            head_ablation.filling_points,
            "" if fillings is None else f"Zero against mean: rank correlation {fillings:.2f}.",
        ),
    )
    return [
        inline_svg(lambda ax, ink, d=draw: _drawn_by(d, ax, result, ink), text, (4.4, 3.0)) for draw, text in pictures
    ]


def _drawn_by(draw: Any, ax: Axes, result: HeadAblation, ink: str) -> None:
    draw(ax, result, ink)


def _random(result: HeadAblation) -> Values:
    twins = None if result.controls is None else result.controls.twins
    shown = {stack: np.full_like(result.total(stack), np.nan) for stack in result.losses}
    if twins is None:
        return _grids(result, shown, 1.0, "random weights", "The control with random weights is not there yet.")
    shown = {stack: values.mean(0) for stack, values in twins.items()}
    title = f"control, random weights, mean of {counted(len(next(iter(twins.values()))), 'seed')}, same colours"
    largest = max(float(np.abs(values).max()) for values in shown.values())
    return _grids(
        result, shown, _limit(_shown(result, WHOLE)), title, f"With random weights at most {largest:.2f} nats."
    )


def status_line(result: HeadAblation, _values: Values) -> str:
    """What is on screen, in one line."""
    parts = [f"**{result.provenance['model']}**", f"{result.base.sum():.2f} nats with every head on"]
    stack, layer, head = result.worst()
    total = np.concatenate([result.total(each).ravel() for each in result.losses])
    if np.isfinite(total).any():
        parts.append(
            f"{stack} {layer + 1}.{head + 1} costs most: {np.nanmax(total):.1f} nats; median {np.nanmedian(total):.2f}"
        )
    agreement, fillings = result.agreement(), result.fillings()
    if agreement is not None:
        parts.append(
            f"loss and CAD: rank correlation {agreement[0]:.2f}, p = {agreement[1]:.3f} by shuffling within layers"
        )
    if fillings is not None:
        parts.append(f"zero and mean agree by {fillings:.2f}")
    if result.off_losses is not None and result.controls is not None and result.controls.off_null is not None:
        beaten = (result.controls.off_null < result.off_losses.sum()).mean()
        parts.append(f"the heads off together cost more than {beaten:.0%} of random sets in the same layers")
    if result.provenance["options"]["transcript_given"]:
        parts.append("of the text you gave")
    return " · ".join(parts)
