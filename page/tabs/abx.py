"""The tab of ABX: choose what is told apart and how, see errors with their controls, press a pair to hear a triple."""

from functools import partial

import gradio as gr
import numpy as np

from methods import abx
from methods.abx import Abx, triples
from methods.abx import figure as figures
from methods.core.corpus import Corpus
from methods.core.errors import counted
from methods.core.figures import matrix
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page import listening
from page.controls import MOST_LAYERS, STATES, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets import players, sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

MOST_SHOWN = 48  # categories in the table; of more, those with the largest errors
ON = [("phones", "phone"), ("words", "word"), ("speakers", "speaker")]
MODES = [(f"{name}: {what}", name) for name, what in triples.MODES.items()]
HELD = [("phone before", "previous"), ("phone after", "next"), ("phone", "phone"), ("word", "word"), ("sex", "sex")]
WHO = [("speaker", "speaker"), ("word", "word"), ("phone", "phone"), ("recording", "utterance"), ("sex", "sex")]
COMPARE = [
    ("states, angle", "angular"),
    ("states, 1 − cosine", "cosine"),
    ("states, Euclidean", "euclidean"),
    ("CTC posteriors, divergence", "kl"),
    ("k-means units, equal or not", "identical"),
]
REPRESENTATION = {"kl": "posteriors", "identical": "units"}  # all others: states
POOLING = [("mean of its frames", "mean"), ("its centre frame", "centre"), ("all frames, aligned (slower)", "dtw")]
CENTRED = [("centred on their mean", "yes"), ("not centred", "no")]
APART = [("always another recording", "yes"), ("any recording", "no")]
UNITS = [(str(count), count) for count in (20, 50, 100)]
RERUN = (
    "corpus", "on", "modes", "by", "across", "compare", "pooling", "states", "centred", "apart", "window", "units",
    "most",
)  # fmt: skip
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "most": (2, 30),
}


def abx_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    heard: dict[str, gr.components.Component] = {}
    recipe = Recipe(
        module=abx,
        controls=_controls,
        outputs=partial(_outputs, heard),
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"mode": values["shown"], "layer": values["layer"]},
        fitted=fitted,
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
        rerun=RERUN,
    )
    tab = technique_tab(recipe, shell)
    listening.connect(tab, shell, [heard["table"]], hear, ["shown"], heard["players"])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["on"] = gr.Dropdown(
            ON, value="phone", label="Tell apart", info="or type tier:NAME for a tier of your TextGrids",
            allow_custom_value=True, interactive=True, min_width=200,
        )  # fmt: skip
        made["corpus"] = corpus_area.corpus_control(both=True)
        made["modes"] = gr.CheckboxGroup(
            MODES, value=["within", "across"], label="Whose are A, B and X?", interactive=True, min_width=320
        )
    with gr.Row(elem_classes="controls"):
        made["layer"] = gr.Slider(
            -1, MOST_LAYERS, value=-1, step=1, label="Table of layer (−1: the best)", interactive=True
        )
        made["shown"] = gr.Radio(list(triples.MODES), value="within", label="Table of", interactive=True)
    with gr.Accordion("What is equal, what is compared, and how", open=False):
        _more(made)
    return made


def _more(made: dict[str, gr.components.Component]) -> None:
    with gr.Row(elem_classes="controls"):
        made["by"] = gr.CheckboxGroup(HELD, value=[], label="Equal for A, B and X", interactive=True, min_width=320)
        made["across"] = gr.Dropdown(WHO, value="speaker", label="“Whose” means", interactive=True, min_width=160)
        made["apart"] = gr.Radio(APART, value="yes", label="X is from", interactive=True, min_width=240)
    with gr.Row(elem_classes="controls"):
        made["compare"] = gr.Dropdown(COMPARE, value="angular", label="Compare", interactive=True, min_width=220)
        made["pooling"] = gr.Radio(POOLING, value="mean", label="One token is", interactive=True, min_width=300)
        made["units"] = gr.Dropdown(UNITS, value=50, label="Units", interactive=True, min_width=100)
        made["most"] = gr.Slider(
            2, 30, value=triples.MOST, step=1, label="Tokens of a category, at most", interactive=True
        )
    with gr.Row(elem_classes="controls"):
        made["states"] = gr.Radio(STATES, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["centred"] = gr.Radio(CENTRED, value="yes", label="… and", interactive=True, min_width=240)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)


def _outputs(heard: dict[str, gr.components.Component]) -> tuple[gr.components.Component, ...]:
    with gr.Row():
        errors = gr.HTML(elem_id="errors-abx")
        pairs = gr.HTML(elem_id="pairs-abx")
    heard["players"] = gr.HTML("Press a cell of the table to hear A, B and X.", elem_id="heard-abx")
    heard["table"] = SoundPlot(elem_id="plot-abx")
    return errors, pairs, heard["table"]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return abx.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        on=values["on"],
        by=tuple(name for name in values["by"] or () if name != values["on"]),
        across=values["across"],
        modes=tuple(values["modes"] or ()),
        pooling=values["pooling"],
        metric=values["compare"],
        representation=REPRESENTATION.get(values["compare"], "states"),
        units=int(values["units"]),
        centred=values["centred"] == "yes",
        most=int(values["most"]),
        apart=values["apart"] == "yes",
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def fitted(result: Abx, values: Values) -> Values:
    """The control values, within what this result has."""
    layer = int(values["layer"] if values["layer"] is not None else -1)
    layer = result.best if layer < 0 else min(layer, len(result.layers) - 1)
    shown = values["shown"] if values["shown"] in result.modes else result.modes[0]
    return values | {"layer": layer, "shown": shown}


def drawn(result: Abx, values: Values) -> tuple[str, str, Values]:
    """A value for each output."""
    return (
        inline_svg(lambda ax, ink: figures.draw_errors(ax, result, ink), summary(result), (4.8, 3.8)),
        inline_svg(lambda ax, ink: figures.draw_pairs(ax, result, ink), pair_summary(result), (4.8, 3.8)),
        table(result, values),
    )


def shown_classes(result: Abx, mode: str) -> list[int]:
    """The categories of the table, sounds in the order of a table of sounds."""
    order = matrix.in_order(result.classes)
    if len(order) <= MOST_SHOWN:
        return order
    values = np.nan_to_num(result.matrix[result.modes.index(mode)])
    kept = set(np.argsort(-values.sum((0, 2)), kind="stable")[:MOST_SHOWN].tolist())
    return [number for number in order if number in kept]


def table(result: Abx, values: Values) -> Values:
    """The error of every pair as a grid whose cells can be pressed."""
    mode, layer = values["shown"], values["layer"]
    order = shown_classes(result, mode)
    cells = result.matrix[result.modes.index(mode), layer][np.ix_(order, order)] * 100
    names = [result.classes[number] for number in order]
    every = len(order) == len(result.classes)
    which = "every pair" if every else f"the {len(order)} most confused of {len(result.classes)} categories"
    title = f"Layer {result.layers[layer]}, {mode}: ABX error of {which}; press a cell to hear A, B and X"
    row = sound_plot.grid_row(
        cells, names, names, title=title, unit="% error", vmax=50.0, decimals=0, row_height=18,
        row_name="category of A and X", column_name="category of B",
        sentence="In {value}% of the trials, a *{row}* lies nearer to a *{column}* than to another *{row}*",
    )  # fmt: skip
    told = worst(result, mode, layer)
    return sound_plot.plot_value(1.0, [row], f"{told[0].upper()}{told[1:]}.")


def hear(
    result: Abx | None, session: Session, own: Corpus | None, corpus: str, shown: str, event: gr.EventData
) -> str:
    """The triple of the pressed cell, to listen to."""
    detail = event._data or {}
    if result is None or detail.get("row") is None or detail.get("column") is None:
        return "Press a cell of the table to hear A, B and X."
    sounds = listening.recordings(result, session, own, corpus)
    mode = shown if shown in result.modes else result.modes[0]
    return triple(result, sounds, mode, int(detail["row"]), int(detail["column"]))


def triple(result: Abx, sounds: Corpus, mode: str, row: int, column: int) -> str:
    """Players for A, B and X of two categories, by their places in the table."""
    order = shown_classes(result, mode)
    if not (0 <= row < len(order) and 0 <= column < len(order)):
        return "Press a cell of the table to hear A, B and X."
    tokens = result.examples[result.modes.index(mode), order[row], order[column]]
    if tokens[0] < 0:
        return "There is no triple of these two categories in these recordings."
    return players.players(
        sounds,
        [
            (
                f"{name}: {result.label[t]} ({result.speaker[t]})",
                int(result.utterance[t]),
                float(result.start[t]),
                float(result.end[t]),
            )
            for name, t in zip("ABX", tokens, strict=True)
        ],
        at_once=True,
    )


def summary(result: Abx) -> str:
    """The curves in words, for screen readers."""
    lines = []
    for mode, line in zip(result.modes, result.error, strict=True):
        values = ", ".join(f"layer {name} {value:.1%}" for name, value in zip(result.layers, line, strict=True))
        lines.append(f"ABX error, {mode}: {values}.")
    for number, name in enumerate(result.baselines):
        lines.append(f"{name} {result.controls.baseline_error[number, 0]:.1%}.")
    return " ".join([*lines, "Chance 50%."])


def pair_summary(result: Abx) -> str:
    """Same against different pairs in words."""
    means = ", ".join(
        f"{name} {value:.3f}" for name, value in zip(result.pair_names, result.pair_distance[result.best], strict=True)
    )
    return (
        f"Average precision of finding pairs of the same {result.on}, best layer: "
        f"{result.precision[result.best]:.2f}, chance {result.precision_chance:.2f}. Mean distances: {means}."
    )


def worst(result: Abx, mode: str, layer: int) -> str:
    """The pairs that are confused most, in words."""
    values = np.nan_to_num(np.triu(result.matrix[result.modes.index(mode), layer], 1))
    places = np.argsort(-values, axis=None)[:3]
    pairs = [np.unravel_index(place, values.shape) for place in places]
    told = [f"{result.classes[a]} and {result.classes[b]} ({values[a, b]:.0%})" for a, b in pairs if values[a, b]]
    return f"most confused at layer {result.layers[layer]}: {', '.join(told) or 'none'}"


def status_line(result: Abx, values: Values) -> str:
    """What is on screen, in one line."""
    origin, best = result.provenance, result.best
    span = f" [{result.low[0, best]:.1%}–{result.high[0, best]:.1%}]" if not np.isnan(result.low[0, best]) else ""
    parts = [
        f"**{origin['model']}** on {origin['corpus']} "
        f"({counted(origin['utterances'], 'recording')}, {origin['seconds']:.0f} s)",
        f"{result.tokens} tokens of {len(result.classes)} categories, {result.triples.sum():,} triples",
        f"best: layer {result.layers[best]}, {result.error[0, best]:.1%} error{span} {result.modes[0]}",
        worst(result, values["shown"], values["layer"]),
    ]
    parts += [f"left out: {why}" for why in result.left_out]
    if result.complete and not result.baselines:
        parts.append("without MFCC and log-mel: they are compared as states only, not as posteriors or units")
    if origin["utterances"] == 1:
        parts.append("one recording: A, B and X are all from it, which makes it easier")
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
