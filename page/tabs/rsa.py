"""The tab of RSA: similarities in the layers against those of phones, labels, trees and sounds, with pairs to hear."""

from typing import Any

import gradio as gr
import numpy as np

from methods import rsa
from methods.core.corpus import Corpus
from methods.core.figures import curves
from methods.core.models import menu
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.rsa import Rsa, figure, similarity
from methods.rsa import items as rsa_items
from page import listening
from page.controls import MOST_LAYERS, RAW_FIRST, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.tabs.cka import NOBODY
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.top.corpus_area import corpus_control
from page.widgets import players, sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

UNITS = [(what, name) for name, what in rsa_items.UNITS.items()]
REFERENCES = [(what, name) for name, what in rsa_items.REFERENCES.items()]
METHODS = [(what, name) for name, what in similarity.METHODS.items()]
KINDS = [
    ("as it is", "whole"),
    ("partial: duration, speaker and sound out of the pairs, as a line", "partial"),
    ("residual: duration and speaker out of the items", "residual"),
]
CENTRED = [("less their mean", "yes"), ("as they are", "no")]
COUNTS = [("60", "60"), ("150", "150"), ("300 (slower)", "300")]
MOST_SHOWN = 24  # items of the matrices that can be pressed
HINT = "Press a cell of either matrix to hear both items of the pair."
TREES = """One bracketed parse per recording, found by its words, such as
`(S (NP (PRP you)) (VP (VBP are) (VP (VBN muted))))`. The bundled prompts have theirs already (written by hand)."""
RERUN = ("unit", "corpus", "other", "method", "most", "centred", "states", "window")  # parses wait for “Run”
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "most": (10, 300),  # each item more is a pair more with every other one
    "shuffles": (20, 2000),
}
BETWEEN = "Similarities of pairs in layer *{row}* and in layer *{column}* correlate by {value}."  # a cell


def rsa_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    heard: dict[str, Any] = {}
    recipe = Recipe(
        module=rsa,
        controls=_controls,
        outputs=lambda: _outputs(heard),
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {name: values[name] for name in ("reference", "layer", "kind")},
        fitted=fitted,
        ranges=ranges,
        rerun=RERUN,
    )
    tab = technique_tab(recipe, shell)
    listening.connect(tab, shell, heard["plots"], hear, ["first"], heard["players"])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["unit"] = gr.Radio(UNITS, value="words", label="Pairs of", interactive=True, min_width=260)
        made["reference"] = gr.Dropdown(REFERENCES, value="string", label="Alike in", interactive=True, min_width=260)
        made["corpus"] = corpus_control()
    with gr.Row(elem_classes="controls"):
        made["kind"] = gr.Radio(KINDS, value="whole", label="Correlation", interactive=True, min_width=300)
        made["layer"] = gr.Slider(
            -1, MOST_LAYERS, value=-1, step=1, label="Matrix of layer (−1: the best)", interactive=True
        )
        made["first"] = gr.Slider(0, 300, value=0, step=10, label="Matrices begin at item", interactive=True)
    with gr.Accordion("Correlation, items, states, another model, your own parses", open=False):
        _more(made)
    return made


def _more(made: dict[str, gr.components.Component]) -> None:
    others = [("the same model", NOBODY), *((name, name) for name in menu.MODELS)]
    with gr.Row(elem_classes="controls"):
        made["method"] = gr.Radio(METHODS, value="pearson", label="Coefficient", interactive=True, min_width=220)
        made["most"] = gr.Dropdown(COUNTS, value="150", label="Items, at most", interactive=True, min_width=120)
        made["other"] = gr.Dropdown(others, value=NOBODY, label="Layers against", interactive=True, min_width=220)
    with gr.Row(elem_classes="controls"):
        made["states"] = gr.Radio(RAW_FIRST, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["centred"] = gr.Radio(CENTRED, value="yes", label="… and", interactive=True, min_width=200)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
    gr.Markdown(TREES, elem_classes="quiet")
    made["parses"] = gr.Textbox("", label="Parses", lines=3, max_length=20_000, interactive=True)


def _outputs(heard: dict[str, Any]) -> tuple[gr.components.Component, ...]:
    with gr.Row():
        curve = gr.HTML(elem_id="scores-rsa")
        everything = gr.HTML(elem_id="all-rsa")
        between = gr.HTML(elem_id="between-rsa")
    heard["players"] = gr.HTML(HINT, elem_id="heard-rsa")
    with gr.Row():
        heard["plots"] = (SoundPlot(elem_id="plot-rsa"), SoundPlot(elem_id="reference-rsa"))
    return curve, everything, between, *heard["plots"]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return rsa.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        unit=values["unit"],
        method=values["method"],
        other=None if values["other"] in (None, NOBODY) else values["other"],
        parses=values["parses"] or "",
        centred=values["centred"] == "yes",
        most=int(values["most"]),
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def fitted(result: Rsa, values: Values) -> Values:
    """The control values, within what this result has."""
    reference = values["reference"] if values["reference"] in result.references else result.references[0]
    kind = values["kind"] if values["kind"] in rsa.KINDS else "whole"
    layer = -1 if values["layer"] is None else int(values["layer"])
    best = result.best(result.references.index(reference), kind)
    return values | {
        "reference": reference,
        "kind": kind,
        "layer": best if layer < 0 else min(layer, len(result.layers) - 1),
        "first": min(max(int(values["first"] or 0), 0), last_page(result)),
    }


def last_page(result: Rsa) -> int:
    """The last item that the matrices may begin at."""
    return max(0, -(-(result.items - MOST_SHOWN) // 10) * 10)


def ranges(result: Rsa, values: Values) -> Values:
    """What the controls may be set to for this result."""
    offered = [(rsa_items.REFERENCES[name], name) for name in result.references]
    return {
        "layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"]),
        "reference": gr.Dropdown(choices=offered, value=values["reference"]),
        "first": gr.Slider(maximum=max(last_page(result), 10), value=values["first"]),
    }


def drawn(result: Rsa, values: Values) -> tuple[str, str, str, Values, Values]:
    """A value for each output."""
    number, kind = result.references.index(values["reference"]), values["kind"]
    return (
        inline_svg(
            lambda ax, ink: figure.draw_curve(ax, result, number, kind, ink),
            told(result, number, kind),
            (4.8, 3.8),
        ),
        inline_svg(lambda ax, ink: figure.draw_all(ax, result, kind, ink), all_told(result, kind), (4.8, 3.8)),
        inline_svg(
            lambda ax, ink: figure.draw_between(ax, result, ink), between_told(result), (3.6, 3.8), cell=BETWEEN
        ),
        *matrices(result, number, values["layer"], values["first"]),
    )


def shown_items(result: Rsa, first: int) -> np.ndarray:
    """(at most MOST_SHOWN,) which items the matrices show, in their order."""
    return result.order[first : first + MOST_SHOWN]


def matrices(result: Rsa, number: int, layer: int, first: int) -> tuple[Values, Values]:
    """Both similarity matrices as grids whose cells can be pressed."""
    items = shown_items(result, first)
    names = [result.label[item] for item in items]
    reference = result.references[number]
    sides = (
        (result.matrices[layer], f"layer {result.layers[layer]}", "cosine"),
        (result.reference_matrices[number], rsa_items.REFERENCES[reference], reference),
    )
    return tuple(_grid(matrix, items, names, title, unit) for matrix, title, unit in sides)


def _grid(matrix: np.ndarray, items: np.ndarray, names: list[str], title: str, unit: str) -> Values:
    cells = matrix[np.ix_(items, items)].astype(float)
    top, low = figure.scale(matrix), float(matrix.min())
    signed = low < 0 < float(matrix[~np.eye(len(matrix), dtype=bool)].max())
    row = sound_plot.grid_row(
        cells, names, names, title=title, unit=unit, scale="rdbu" if signed else "blues",
        vmin=-top if signed else low, vmax=top, decimals=2, row_name="one item", column_name="the other item",
        row_height=14, sentence="*{row}* and *{column}* have a similarity of {value} here",
    )  # fmt: skip
    pairs = np.where(np.eye(len(items), dtype=bool), -np.inf, cells)
    a, b = np.unravel_index(int(pairs.argmax()), pairs.shape)
    summary = (
        f"Similarities of {len(items)} items, {title}. Most alike: {names[a]} and {names[b]} ({cells[a, b]:.2f})."
    )
    return sound_plot.plot_value(1.0, [row], summary)


def hear(
    result: Rsa | None, session: Session, own: Corpus | None, corpus: str, first: int, event: gr.EventData
) -> str:
    """Both items of the pressed cell, to listen to."""
    detail = event._data or {}
    if result is None or detail.get("row") is None or detail.get("column") is None:
        return HINT
    sounds = listening.recordings(result, session, own, corpus)
    items = shown_items(result, min(max(int(first or 0), 0), last_page(result)))
    return pair(result, sounds, items, int(detail["row"]), int(detail["column"]))


def pair(result: Rsa, sounds: Corpus, items: np.ndarray, row: int, column: int) -> str:
    """Players for two items, by their places in the matrices."""
    if not (0 <= row < len(items) and 0 <= column < len(items)):
        return HINT
    chosen = [int(items[row]), int(items[column])]
    tokens = [
        (result.label[i], int(result.utterance[i]), float(result.start[i]), float(result.end[i]))
        for i in dict.fromkeys(chosen)
    ]
    return players.players(sounds, tokens, at_once=True)


def told(result: Rsa, number: int, kind: str) -> str:
    """The curve in words, for screen readers."""
    values = getattr(result, kind)[number]
    layers = ", ".join(f"layer {name} {v:.2f}" for name, v in zip(curves.short(result.layers), values, strict=True))
    untrained = ""
    if result.controls is not None and result.controls.random is not None:
        seeds = result.controls.random[:, list(rsa.KINDS).index(kind), number]
        untrained = f"; random weights {', '.join(f'{v:.2f}' for v in seeds.mean(0))}"
    return f"Agreement of the layers with “{result.references[number]}”: {layers}{untrained}."


def all_told(result: Rsa, kind: str) -> str:
    """All curves in words."""
    pairs = zip(result.references, getattr(result, kind), strict=True)
    return "Agreement by layer. " + "; ".join(f"{name}: {', '.join(f'{v:.2f}' for v in row)}" for name, row in pairs)


def between_told(result: Rsa) -> str:
    """Layers against layers in words."""
    first = ", ".join(f"{value:.2f}" for value in result.between[0])
    return f"Agreement of layers with layers; layer 0 with each: {first}."


def shuffled(result: Rsa, number: int, kind: str) -> str:
    """What was shuffled for chance: recordings, or where these are few their items too; and how often."""
    place = list(rsa.KINDS).index(kind), number
    moved = result.controls.moved_along[place]
    how = "moving items along in their recordings" if moved else "shuffling recordings"
    among = " within speakers" if result.within_speakers(number, kind) and not moved else ""
    return f"{how}{among} ({result.controls.shuffles[place]:,} times)"


def status_line(result: Rsa, values: Values) -> str:
    """What is on screen, in one line."""
    origin = result.provenance
    number, layer = result.references.index(values["reference"]), values["layer"]
    kind = values["kind"]
    score, sure = getattr(result, kind)[number, layer], ""
    said = "not defined, too few items for what is taken out" if np.isnan(score) else f"{score:.2f}"
    if result.controls is not None and not np.isnan(p := getattr(result.controls, f"{kind}_p")[number, layer]):
        sure = f", p = {p:.3f} by {shuffled(result, number, kind)}"
    elif result.controls is not None and not result.controls.shuffles[list(rsa.KINDS).index(kind), number]:
        sure = ", no p: each speaker has one recording, and nothing can change places within speakers"
    first = min(values["first"], result.items - 1)
    parts = [
        f"**{origin['model']}** on {origin['corpus']}",
        f"{result.items} {rsa_items.UNITS[result.unit]}, {result.items * (result.items - 1) // 2:,} pairs",
        f"“{values['reference']}” at layer {result.layers[layer]}: {said}{sure}",
        f"matrices of items {first + 1} to {min(first + MOST_SHOWN, result.items)}",
    ]
    lacking = [name for name in rsa_items.REFERENCES if name not in result.references]
    parts += [f"the same for all items, or not there: {', '.join(lacking)}"] if lacking else []
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
