"""The tab of encoding probes: what each layer can be predicted from, block by block."""

import gradio as gr
import numpy as np

from methods import encoding_probe
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.encoding_probe import EncodingProbe, blocks
from methods.encoding_probe import figure as figures
from page.controls import STATES, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.top.corpus_area import corpus_control
from page.widgets.pictures import inline_svg

BLOCKS = [(f"{name}: {what}", name) for name, what in blocks.BLOCKS.items()]
NOTE = """One phone is one item. What each block explains alone, and all permuted and random shares, are in the files
below (CSV, NPZ)."""
UNIQUE = "{percent} of the variance of layer *{column}* is explained by *{row}* and by nothing else."  # a cell


def encoding_probe_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=encoding_probe,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"block": values["block"]},
        fitted=fitted,
        rerun=("corpus", "states", "window"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["corpus"] = corpus_control(corpus_area.BOTH, both=True)
        made["block"] = gr.Dropdown(BLOCKS, value="phone", label="Block drawn with its controls", interactive=True)
    with gr.Accordion("Features", open=False), gr.Row(elem_classes="controls"):
        made["states"] = gr.Radio(STATES, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
    gr.Markdown(NOTE, elem_classes="quiet")
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    with gr.Row():
        stack = gr.HTML(elem_id="stack-encoding_probe")
        block = gr.HTML(elem_id="block-encoding_probe")
    with gr.Row():
        trained = gr.HTML(elem_id="trained-encoding_probe")
        random = gr.HTML(elem_id="random-encoding_probe")
    return stack, block, trained, random


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return encoding_probe.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def fitted(result: EncodingProbe, values: Values) -> Values:
    """The control values, within what this result has."""
    return values | {"block": result.blocks[figures.chosen(result, values["block"])]}


def drawn(result: EncodingProbe, values: Values) -> tuple[str, str, str, str]:
    """A value for each output."""
    block = figures.chosen(result, values["block"])
    size = (4.8, 3.4)
    return (
        inline_svg(lambda ax, ink: figures.draw_stack(ax, result, ink), summary(result), (4.8, 3.8)),
        inline_svg(lambda ax, ink: figures.draw_block(ax, result, block, ink), of_block(result, block), (4.8, 3.8)),
        inline_svg(
            lambda ax, ink: figures.draw_map(ax, result, ink), "Unique shares: " + shares(result), size, cell=UNIQUE
        ),
        _random(result, size),
    )


def _random(result: EncodingProbe, size: tuple[float, float]) -> str:
    values = figures.random_unique(result)
    if values is None:
        return ""
    told = f"Unique shares with random weights, at most {values.max():.2f} at any layer."
    return inline_svg(lambda ax, ink: figures.draw_map(ax, result, ink, random=True), told, size, cell=UNIQUE)


def summary(result: EncodingProbe) -> str:
    """The bars in words."""
    pairs = zip(result.layers, result.r2, result.shared, strict=True)
    each = "; ".join(f"layer {name} {r2:.2f}, of it shared {shared:.2f}" for name, r2, shared in pairs)
    return f"Share of variance that all blocks explain: {each}."


def shares(result: EncodingProbe) -> str:
    """The unique shares in words, the three largest of each layer."""
    said = []
    for name, line in zip(result.layers, result.unique, strict=True):
        largest = [f"{result.blocks[n]} {line[n]:.2f}" for n in np.argsort(-line)[:3]]
        said.append(f"layer {name} {', '.join(largest)}")
    return "; ".join(said) + "."


def of_block(result: EncodingProbe, block: int) -> str:
    """One block's curve in words."""
    pairs = zip(result.layers, result.unique[:, block], strict=True)
    return f"Unique share of {result.blocks[block]}: " + ", ".join(f"layer {name} {v:.3f}" for name, v in pairs) + "."


def status_line(result: EncodingProbe, values: Values) -> str:
    """What is on screen, in one line."""
    origin, block = result.provenance, figures.chosen(result, values["block"])
    top = int(result.unique[:, block].argmax())
    span = result.low[top, block], result.high[top, block]
    sure = f" [{span[0]:.3f}, {span[1]:.3f}]" if np.isfinite(span).all() else ""
    where = f"{origin['corpus']} ({counted(origin['utterances'], 'recording')}, {origin['seconds']:.0f} s)"
    judged = f", judged on {result.held_out} of them so far" if result.held_out < result.items else ""
    parts = [
        f"**{origin['model']}** on {where}",
        f"{result.items:,} phones{judged}, {result.features.sum()} features",
        f"{result.blocks[block]}: most at layer {result.layers[top]}, {result.unique[top, block]:.3f}{sure}",
        result.interval_note,
    ]
    parts += [f"left out: {', '.join(result.left_out)}"] if result.left_out else []
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
