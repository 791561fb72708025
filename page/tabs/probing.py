"""The tab of classification probes: choose target, layers and features, train, see scores with their controls."""

import gradio as gr
import numpy as np

from methods import probing
from methods.core.corpus import labels as item_labels
from methods.core.errors import UserError, counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.probing import Probing, figure
from methods.probing import result as probing_result
from page.controls import MOST_LAYERS, RAW_FIRST, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.top.corpus_area import corpus_control
from page.widgets.pictures import inline_svg

TARGETS = [(f"{name}: {what}", name) for name, what in item_labels.TARGETS.items()]
UNITS = [("mean over each segment", "segments"), ("its centre frame", "centre"), ("every frame", "frames")]
KINDS = [("ridge (closed form)", "ridge"), ("logistic regression (slower)", "logistic")]
GROUPS = [
    ("recording; for sex and language speaker, if there are enough", "auto"),
    ("recording", "utterance"),
    ("speaker", "speaker"),
]
TRANSFER = [("the bundled other speakers", "voices"), ("the bundled prompts", "prompts"), ("nobody else", "none")]
SCORES = [(name, score) for score, name in probing_result.SCORES.items()]
RERUN = ("corpus", "target", "unit", "probe", "groups", "transfer", "states", "window", "layers")
BETWEEN = "Trained on *{row}*, tested on *{column}*: {percent} right."  # what a cell means
SAID = "Of what is *{row}*, {percent} are said to be *{column}*."


def probing_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=probing,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"score": values["score"], "layer": values["layer"]},
        fitted=fitted,
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
        rerun=RERUN,
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["target"] = gr.Dropdown(
            TARGETS,
            value="phone",
            label="Can a probe tell …",
            info="or type tier:NAME for a tier of your TextGrids",
            allow_custom_value=True,
            interactive=True,
            min_width=240,
        )
        made["corpus"] = corpus_control()
        made["score"] = gr.Radio(SCORES, value="accuracy", label="Score", interactive=True, min_width=240)
        made["layer"] = gr.Slider(
            -1, MOST_LAYERS, value=-1, step=1, label="Confusions of layer (−1: the best)", interactive=True
        )
    with gr.Accordion("Train your own: layers, features, splits", open=False), gr.Row(elem_classes="controls"):
        made["unit"] = gr.Radio(UNITS, value="segments", label="One item is", interactive=True, min_width=260)
        made["probe"] = gr.Radio(KINDS, value="ridge", label="Probe", interactive=True, min_width=240)
        made["groups"] = gr.Radio(GROUPS, value="auto", label="Never on both sides: one", interactive=True)
        made["transfer"] = gr.Dropdown(TRANSFER, value="voices", label="Also test on", interactive=True, min_width=200)
        made["states"] = gr.Radio(RAW_FIRST, value="raw", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
        made["layers"] = gr.Textbox(
            "", label="Layers", placeholder="all, or e.g. 0, 2, 4", max_length=60, interactive=True, min_width=140
        )
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    with gr.Row():
        scores = gr.HTML(elem_id="scores-probing")
        selectivity = gr.HTML(elem_id="selectivity-probing")
    with gr.Row():
        learning = gr.HTML(elem_id="learning-probing")
        speakers = gr.HTML(elem_id="speakers-probing")
    confusion = gr.HTML(elem_id="confusion-probing")
    gr.Markdown("Reading is not using: [what the model loses when this is erased](?technique=erasure).")
    return scores, selectivity, learning, speakers, confusion


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return probing.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        target=values["target"],
        unit=values["unit"],
        probe=values["probe"],
        groups=values["groups"],
        transfer=None if values["transfer"] == "none" else values["transfer"],
        layers=chosen_layers(values["layers"]),
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def chosen_layers(text: str | None) -> tuple[int, ...] | None:
    """The layers that a visitor typed; None for all."""
    text = (text or "").strip()
    if text.lower() in ("", "all"):
        return None
    try:
        return tuple(dict.fromkeys(int(part) for part in text.replace(",", " ").split()))
    except ValueError as problem:
        raise UserError(f"“{text[:40]}” is not a list of layers; write their numbers, such as 0, 2, 4.") from problem


def fitted(result: Probing, values: Values) -> Values:
    """The control values, within what this result has."""
    layer = int(values["layer"] if values["layer"] is not None else -1)
    layer = result.best if layer < 0 else min(layer, len(result.layers) - 1)
    score = values["score"] if values["score"] in probing_result.SCORES else "accuracy"
    return values | {"layer": layer, "score": score}


def drawn(result: Probing, values: Values) -> tuple[str, str, str, str, str]:
    """A value for each output."""
    score, layer = values["score"], values["layer"]
    return (
        inline_svg(lambda ax, ink: figure.draw_scores(ax, result, score, ink), summary(result), (4.8, 3.2)),
        inline_svg(lambda ax, ink: figure.draw_selectivity(ax, result, ink), selectivity(result), (4.8, 3.2)),
        _learning(result),
        _speakers(result),
        _confusion(result, layer),
    )


def _learning(result: Probing) -> str:
    if not figure.has_learning(result):
        return ""
    pairs = zip(result.controls.learning_sizes, result.controls.learning[0], strict=True)
    told = "Accuracy by training recordings: " + ", ".join(f"{size}: {value:.2f}" for size, value in pairs) + "."
    return inline_svg(lambda ax, ink: figure.draw_learning(ax, result, ink), told, (4.8, 2.8))


def _speakers(result: Probing) -> str:
    if not figure.has_speakers(result):
        return ""
    names = ", ".join(result.controls.speakers)
    told = f"Accuracy from speaker to speaker, best layer; trained on and tested on {names}."
    return inline_svg(lambda ax, ink: figure.draw_speakers(ax, result, ink), told, (4.8, 2.8), cell=BETWEEN)


def _confusion(result: Probing, layer: int) -> str:
    size = min(max(0.2 * len(result.classes) + 1.2, 3.0), 8.0)
    return inline_svg(
        lambda ax, ink: figure.draw_confusion(ax, result, layer, ink), worst(result, layer), (size, size), cell=SAID
    )


def summary(result: Probing) -> str:
    """The curve in words, for screen readers."""
    means = ", ".join(f"layer {name} {value:.2f}" for name, value in zip(result.layers, result.accuracy, strict=True))
    controls = result.controls
    pairs = zip(controls.baselines, controls.baseline_scores[:, 0], strict=True) if controls else ()
    known = "".join(f"; {name} {value:.2f}" for name, value in pairs)
    return f"Accuracy of telling {result.target}: {means}{known}; most frequent class {result.majority:.2f}."


def selectivity(result: Probing) -> str:
    """Selectivity in words."""
    if not len(result.control):
        return f"There is {figure.lack_of_control(result)}."
    values = ", ".join(f"{value:.2f}" for value in result.selectivity.mean(0))
    return f"Selectivity by layer, of {result.learnable} of {result.items} items: {values}."


def worst(result: Probing, layer: int) -> str:
    """The commonest confusions in words."""
    shares = figure.shares(result, layer).copy()
    np.fill_diagonal(shares, 0)
    places = np.argsort(shares, axis=None)[::-1][:3]
    pairs = [np.unravel_index(place, shares.shape) for place in places]
    told = [f"{result.classes[was]} called {result.classes[said]} ({shares[was, said]:.0%})" for was, said in pairs]
    return f"Commonest confusions at layer {result.layers[layer]}: {', '.join(told)}."


def status_line(result: Probing, values: Values) -> str:
    """What is on screen, in one line."""
    origin, best = result.provenance, result.best
    span = f" [{result.low[best]:.1%}–{result.high[best]:.1%}]" if np.isfinite(result.low[best]) else ""
    parts = [
        f"**{origin['model']}** on {origin['corpus']} "
        f"({counted(origin['utterances'], 'recording')}, {origin['seconds']:.0f} s)",
        f"{result.items:,} items of {len(result.classes)} classes",
        f"best: layer {result.layers[best]}, {result.accuracy[best]:.1%}{span}",
        result.interval_note,
        f"confusions of layer {result.layers[values['layer']]}",
    ]
    if result.dropped:
        shown = ", ".join(result.dropped[:6]) + (" …" if len(result.dropped) > 6 else "")
        parts.append(f"{len(result.dropped)} classes left out for having too few items ({shown})")
    parts.append(_control(result) if len(result.control) else figure.lack_of_control(result))
    notes = ("split_note", "transfer_note", "features_note")
    parts += [note for note in map(origin["options"].get, notes) if note]
    return " · ".join(parts)


def _control(result: Probing) -> str:
    share = f"{result.learnable} of {result.items} items ({result.learnable / result.items:.0%})"
    return f"control task by {result.control_types}, counted on {share}: those whose type is in training too"
