"""The tab of erasure: what a probe reads before and after, what the text loses, and what the model now writes."""

import html

import gradio as gr
import numpy as np

from methods import erasure
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.erasure import TARGETS, Erasure
from page.controls import WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.tabs.probing import chosen_layers
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets import players, tables
from page.widgets.pictures import inline_svg

LABELS = [(f"{name}: {what}", name) for name, what in TARGETS.items()]
SIZE = (4.8, 3.6)
RERUN = ("target", "corpus", "window", "layers")


def erasure_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=erasure,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        rerun=RERUN,
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["target"] = gr.Dropdown(
            LABELS,
            value="phone",
            label="Erase …",
            info="or type tier:NAME for a tier of your TextGrids",
            allow_custom_value=True,
            interactive=True,
            min_width=240,
        )
        made["corpus"] = corpus_area.corpus_control(both=True)
        made["window"] = gr.Radio(WINDOWS, value="full", label="Whisper hears", interactive=True, min_width=280)
        made["layers"] = gr.Textbox(
            "", label="Layers", placeholder="all, or e.g. 0, 2, 4", max_length=60, interactive=True, min_width=140
        )
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    with gr.Row():
        probes, losses = gr.HTML(elem_id="probes-erasure"), gr.HTML(elem_id="losses-erasure")
        change = gr.HTML(elem_id="change-erasure")
    gr.Markdown("#### What the model writes when the erased layer goes on")
    written = gr.HTML(elem_id="written-erasure")
    gr.Markdown("Beside this: [what a probe can read](?technique=probing), and how far to trust it.")
    return probes, losses, change, written


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return erasure.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        target=(values["target"] or "").strip(),
        clip=session.clip,
        transcript=session.text,
        layers=chosen_layers(values["layers"]),
        window=values["window"],
    )


def drawn(result: Erasure, _values: Values) -> tuple[str, str, str, str]:
    """A value for each output."""
    return (
        inline_svg(lambda ax, ink: erasure.draw_probes(ax, result, ink), probes_said(result), SIZE),
        inline_svg(lambda ax, ink: erasure.draw_losses(ax, result, ink), losses_said(result), SIZE),
        inline_svg(lambda ax, ink: erasure.draw_change(ax, result, ink), change_said(result), SIZE),
        written(result),
    )


def _short(result: Erasure) -> list[str]:
    return [name.split(" ")[0] for name in result.layers]


def _along(result: Erasure, line: np.ndarray, digits: int) -> str:
    pairs = zip(_short(result), line, strict=True)
    return ", ".join(f"layer {name} {value:.{digits}f}" for name, value in pairs if np.isfinite(value))


def probes_said(result: Erasure) -> str:
    """The probes in words, for screen readers."""
    return (
        f"Accuracy of telling {result.target} before: {_along(result, result.before, 2)}; after: "
        f"{_along(result, result.after, 2)}; after, trained where nothing was fitted: "
        f"{_along(result, result.left, 2)}; most frequent class {result.majority:.2f}."
    )


def losses_said(result: Erasure) -> str:
    """The losses and their controls in words."""
    told = f"Nats that the text loses without {result.target}: {_along(result, result.loss, 1)}"
    for name, found in _draws(result):
        told += f"; {name}, the most of {len(found)} draws: {_along(result, found.max(0), 1)}"
    return f"{told}."


def _draws(result: Erasure) -> list[tuple[str, np.ndarray]]:
    if result.controls is None:
        return []
    pairs = (("labels of other recordings", result.controls.shuffled), ("random directions", result.controls.random))
    return [(name, found) for name, found in pairs if found is not None]


def change_said(result: Erasure) -> str:
    """How large the changes were, in words."""
    return f"Size of the change as a share of the states' variance: {_along(result, result.change, 2)}."


def written(result: Erasure) -> str:
    """The text with every layer as it is, and with each erased; and what each layer says when it is read at once."""
    lines = [["none", "0.0", "", html.escape(result.heard), "", ""]]
    seen = zip(result.seen_before, result.seen_after, strict=False)
    at_once = [(html.escape(before), html.escape(after)) for before, after in seen]
    at_once += [("", "")] * (len(result.layers) - len(at_once))
    for number, name in enumerate(_short(result)):
        if np.isfinite(result.loss[number]):
            controls = " / ".join(f"{found[:, number].max():.1f}" for _, found in _draws(result))
            text = players.compared(result.heard, result.written[number])
            lines.append([name, f"{result.loss[number]:.1f}", controls, text, *at_once[number]])
    heads = ["erased from layer", "nats lost", "controls at most: other labels / random", "what the model says",
             "that layer read at once, before", "and after"]  # fmt: skip
    return tables.table(heads, lines, f"The same clip with {result.target} erased from one layer at a time")


def status_line(result: Erasure, _values: Values) -> str:
    """What is on screen, in one line."""
    origin, worst = result.provenance, result.worst
    parts = [
        f"**{origin['model']}** on {origin['corpus']}: fitted on {counted(result.recordings[0], 'recording')} "
        f"({result.frames[0]:,} frames), judged on {result.recordings[1]} others ({result.frames[1]:,} frames)",
        f"{len(result.classes)} classes of {result.target}",
        f"{result.base:.2f} nats with nothing erased",
    ]
    if worst is not None:
        beyond, name = result.beyond(worst), _short(result)[worst]
        share = "all" if beyond == 1 else f"{beyond or 0:.0%} of"
        than = "" if beyond is None else f", more than {share} the controls"
        parts.append(f"most is lost at layer {name}: {result.loss[worst]:.1f} nats{than}")
        parts.append(
            f"a probe there: {result.before[worst]:.0%} before, {result.after[worst]:.0%} after, "
            f"{result.left[worst]:.0%} where nothing was fitted"
        )
    if result.dropped:
        shown = ", ".join(result.dropped[:6]) + (" …" if len(result.dropped) > 6 else "")
        parts.append(f"{len(result.dropped)} classes left out for having too few items ({shown})")
    if origin["options"]["features_note"]:
        parts.append(origin["options"]["features_note"])
    if origin["options"]["transcript_given"]:
        parts.append("of the text you gave")
    return " · ".join(parts)
