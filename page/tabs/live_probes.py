"""The tab of ready-made probes: a tier per layer over the clip, one layer's probabilities, and the probes' scores."""

import html

import gradio as gr
import numpy as np

from methods import live_probes
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech.phone_alphabets import listed
from methods.live_probes import LiveProbes
from methods.live_probes.probe_set import CLASSIFIED, MEASURED
from page.controls import MOST_LAYERS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

NAMES = {"phone": "phone", "manner": "manner", "voicing": "voicing", "f0": "F0", "intensity": "intensity"}
SHOWN = 0.05  # a class that reaches this probability in some frame of the layer has a row in the map


def live_probes_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=live_probes,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"target": values["target"], "layer": values["layer"]},
        fitted=fitted,
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        choices = [(name, target) for target, name in NAMES.items()]
        made["target"] = gr.Radio(choices, value="phone", label="Read", interactive=True, min_width=280)
        made["layer"] = gr.Slider(
            0,
            MOST_LAYERS + 1,
            value=4,
            step=1,
            label="Map below: row (0: MFCC, 1: layer 0, 2: layer 1 …)",
            interactive=True,
        )
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id="plot-live_probes")
    gr.Markdown("#### How far can it be trusted? Held-out recordings, other speakers, random weights")
    return plot, gr.HTML(elem_id="curve-live_probes")


def _steps(session: Session, model: SpeechModel, _units: str, _values: Values) -> Steps:
    return live_probes.analyse.in_steps(session.clip, model, phones=session.phones)


def fitted(result: LiveProbes, values: Values) -> Values:
    """The control values, within what this result has."""
    target = values["target"] if values["target"] in NAMES else "phone"
    return values | {"target": target, "layer": min(max(int(values["layer"] or 0), 0), len(result.layers) - 1)}


def drawn(result: LiveProbes, values: Values) -> tuple[Values, str]:
    """A value for each output."""
    target = values["target"]
    lines = live_probes.curves(result, target)
    told = "; ".join(f"{line.name}: {', '.join(f'{value:.2f}' for value in line.values)}" for line in lines)
    names = [_short(name) for name in result.layers]
    picture = inline_svg(
        lambda ax, ink: live_probes.draw_curves(ax, result, target, names, ink),
        f"{live_probes.unit(target)} by row, from MFCC to the last layer. {told}.{_chance(result, target)}",
        (4.8, 3.2),
    )
    return sound_view(result, values), picture


def _chance(result: LiveProbes, target: str) -> str:
    if target in MEASURED:
        return " Always saying the mean gets 0."
    chance = result.majority(target)
    return "" if chance is None else f" Always saying {chance[0]} is right in {chance[1]:.2f} of this clip's frames."


def _short(name: str) -> str:
    return name.split(" ", maxsplit=1)[0]


def _tier_name(name: str) -> str:
    """As `_short`, where no axis says that it is a layer."""
    short = _short(name)
    return f"layer {short}" if short.isdigit() else short


def sound_view(result: LiveProbes, values: Values) -> Values:
    """A tier per layer, top layer first, and the chosen layer's probabilities; or curves for a number."""
    target, layer, seconds = values["target"], values["layer"], result.provenance["seconds"]
    rows = _number_rows(result, target) if target in MEASURED else _class_rows(result, target, layer)
    told = _told(result, target, layer)
    return sound_plot.plot_value(seconds, rows, told, clip=result.provenance["clip_sha256"])


def _class_rows(result: LiveProbes, target: str, layer: int) -> list:
    rows = []
    spoken = result.provenance["options"]["phones"]
    if spoken:
        rows.append(sound_plot.segments_row([tuple(phone) for phone in spoken], "phones"))
    for number in reversed(range(len(result.layers))):
        stretches = live_probes.runs(result, target, number)
        tier = [(name if name != "sil" else "", start, end) for name, start, end, _ in stretches]
        scores = [np.nan if name == "sil" else p for name, _, _, p in stretches]
        rows.append(
            sound_plot.segments_row(
                tier, _tier_name(result.layers[number]), scores=scores, unit="probability", height=24
            )
        )
    values = getattr(result, target)[layer]
    shown = [i for i in np.argsort(values.argmax(0)) if values[:, i].max() >= SHOWN]
    names = [result.classes(target)[i] for i in shown]
    half, seconds = result.step / 2, result.provenance["seconds"]
    spans = np.clip(np.stack([result.times - half, result.times + half]), 0, seconds).T.tolist()
    columns = [(f"{time:.2f} s", *span) for time, span in zip(result.times, spans, strict=True)]
    name = _row_name(result, layer)
    title = f"{name[0].upper()}{name[1:]}: probability of each {NAMES[target]}, those over {SHOWN:.0%} somewhere"
    options = {"unit": "probability", "vmax": 1.0, "row_name": NAMES[target], "column_name": "moment (one frame)",
               "sentence": "At *{column}* the probe gives *{row}* a probability of {percent}"}  # fmt: skip
    return [*rows, sound_plot.matrix_row(values[:, shown].T, names, columns, title=title, **options)]


def _number_rows(result: LiveProbes, target: str) -> list:
    measured = getattr(result, f"measured_{target}")
    rows = []
    for number in reversed(range(len(result.layers))):
        lines = {_tier_name(result.layers[number]): getattr(result, target)[number]}
        if np.isfinite(measured).any():
            lines["Praat"] = measured
        finite = np.concatenate([values[np.isfinite(values)] for values in lines.values()])
        limits = {"vmin": float(finite.min()), "vmax": float(finite.max())}
        label = _tier_name(result.layers[number])
        rows.append(
            sound_plot.line_row(lines, label, dashed=["Praat"], unit=MEASURED[target], decimals=1, height=56, **limits)
        )
    return rows


def _row_name(result: LiveProbes, layer: int) -> str:
    return "MFCC" if layer == 0 else f"layer {result.layers[layer]}"


def _told(result: LiveProbes, target: str, layer: int) -> str:
    if target in MEASURED:
        return f"{NAMES[target]} as read off each layer, against Praat's measurement; scores are in the table below."
    heard = " ".join(name for name, *_ in live_probes.runs(result, target, layer) if name != "sil")
    return f"{_row_name(result, layer)} reads: {heard}."


def _about_labels(result: LiveProbes) -> list[str]:
    """How the clip's own phones were read, where that is not plain."""
    read = [f"its phones were read from {result.alphabet}"] if result.alphabet != "ARPAbet" else []
    strange = f"no counterpart in ARPAbet, so not counted: {html.escape(listed(result.unmapped))}"
    return [*read, *([strange] if result.unmapped else [])]


def status_line(result: LiveProbes, values: Values) -> str:
    """What is on screen, in one line."""
    target, layer = values["target"], values["layer"]
    parts = [f"**{result.provenance['model']}**, {_row_name(result, layer)}, {len(result.times)} frames"]
    right = result.right(target) if target in CLASSIFIED and result.labels else None
    if right is not None:
        (frames, silent), (name, share) = result.counted(target), result.majority(target)
        parts.append(
            f"right in {right[layer]:.0%} of this clip's {frames} labelled frames, {silent} of silence counted "
            f"(MFCC {right[0]:.0%}, best {right.max():.0%}, always “{name}” {share:.0%})"
        )
        parts += _about_labels(result)
    elif target in CLASSIFIED and result.unmapped:
        parts.append(f"none of the clip's phones has a counterpart in ARPAbet: {html.escape(listed(result.unmapped))}")
    elif target in CLASSIFIED:
        parts.append(
            "the clip's own phones are not known: align it, or bring a TextGrid, to count how often it is right"
        )
    return " · ".join(parts)
