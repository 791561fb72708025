"""The tab of discrete units: scores per layer with their nulls, units under the clip, phones by units, their tree."""

import gradio as gr
import numpy as np

from methods import discrete_units
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.discrete_units import SCORES, DiscreteUnits
from methods.discrete_units import figure as figures
from page.controls import MOST_LAYERS, STATES, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

UNITS = [(str(count), count) for count in (20, 50, 100)]
SCORE = [(f"{name} (bits)" if number == 0 else name, number) for number, name in enumerate(SCORES)]
RECIPES = [
    ("every dimension to unit variance, mini-batches (default)", "scaled"),
    ("HuBERT's own: states as they are, all frames at once", "HuBERT"),
]
RECIPE_NAMES = {"scaled": "scaled, the default", "HuBERT": "HuBERT's recipe"}
RERUN = ("corpus", "units", "recipe", "states", "window")
OF_A_UNIT = "{percent} of this unit's frames are *{row}*."  # what a cell means
SHARED = "*{row}* and *{column}*: 1 − divergence is {value} (1: the same units, 0: none in common)."


def discrete_units_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=discrete_units,
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
        made["units"] = gr.Dropdown(UNITS, value=50, label="Units", interactive=True, min_width=100)
        made["corpus"] = corpus_area.corpus_control()
        made["score"] = gr.Radio(SCORE, value=1, label="Score", interactive=True, min_width=320)
        made["layer"] = gr.Slider(-1, MOST_LAYERS, value=-1, step=1, label="Layer (−1: the best)", interactive=True)
    with gr.Accordion("What the units are made of", open=False), gr.Row(elem_classes="controls"):
        made["recipe"] = gr.Radio(RECIPES, value="scaled", label="K-means", interactive=True, min_width=280)
        made["states"] = gr.Radio(STATES, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id="plot-discrete_units")
    with gr.Row():
        scores, tree = gr.HTML(elem_id="scores-discrete_units"), gr.HTML(elem_id="tree-discrete_units")
    with gr.Row():
        counts, pairs = gr.HTML(elem_id="grid-discrete_units"), gr.HTML(elem_id="pairs-discrete_units")
    return plot, scores, tree, counts, pairs


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return discrete_units.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        units=int(values["units"]),
        recipe=values["recipe"],
        clip=session.clip,
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def fitted(result: DiscreteUnits, values: Values) -> Values:
    """The control values, within what this result has."""
    layer = int(values["layer"] if values["layer"] is not None else -1)
    layer = result.best if layer < 0 else min(layer, len(result.layers) - 1)
    score = int(values["score"]) if str(values["score"]) in "0123" else 1
    return values | {"layer": layer, "score": score}


def drawn(result: DiscreteUnits, values: Values) -> tuple[Values, str, str, str, str]:
    """A value for each output."""
    layer, score = values["layer"], values["score"]
    return (
        sound_view(result, values),
        inline_svg(lambda ax, ink: figures.draw_scores(ax, result, score, ink), summary(result, score), (4.8, 3.6)),
        inline_svg(lambda ax, ink: figures.draw_tree(ax, result, layer, ink), nearest(result, layer), (7.0, 3.8)),
        inline_svg(
            lambda ax, ink: figures.draw_counts(ax, result, layer, ink),
            purest(result, layer),
            (7.0, 6.4),
            cell=OF_A_UNIT,
        ),
        inline_svg(
            lambda ax, ink: figures.draw_divergence(ax, result, layer, ink),
            nearest(result, layer),
            (7.0, 6.6),
            cell=SHARED,
        ),
    )


def commonest(result: DiscreteUnits, layer: int) -> list[str]:
    """For each unit the phone that it holds most often; empty for a unit that never occurred in what was counted."""
    table = result.counts[layer]
    return [result.phones[column.argmax()] if column.any() else "" for column in table.T]


def tier(result: DiscreteUnits, layer: int) -> list[tuple[str, float, float]]:
    """Runs of the same unit in the clip: its number with its commonest phone, start and end (s)."""
    phone, units = commonest(result, layer), result.clip_units[layer]
    edges = np.flatnonzero(np.diff(units)) + 1
    starts, half = np.concatenate([[0], edges]), result.clip_step / 2
    ends = np.concatenate([edges, [len(units)]]) - 1
    return [
        (f"{units[a]}" + (f" {phone[units[a]]}" if phone[units[a]] else ""),
         max(float(result.clip_times[a]) - half, 0.0), float(result.clip_times[b]) + half)
        for a, b in zip(starts, ends, strict=True)
    ]  # fmt: skip


def purity(result: DiscreteUnits, layer: int) -> list[float]:
    """Of each run of a tier: the share of its unit that is its commonest phone; NaN where it never occurred."""
    table, units = result.counts[layer], result.clip_units[layer]
    share = table.max(0) / np.where(table.any(0), table.sum(0), np.nan)
    return share[units[np.concatenate([[0], np.flatnonzero(np.diff(units)) + 1])]].tolist()


def _tier_row(result: DiscreteUnits, layer: int, which: str = "") -> Values:
    label = f"layer {result.layers[layer].split(' ')[0]}{which}"
    return sound_plot.segments_row(
        tier(result, layer), label, scores=purity(result, layer), unit="share of the unit that is its commonest phone"
    )


def sound_view(result: DiscreteUnits, values: Values) -> Values:
    """The units of the shown layer under the clip, and those of all layers as one row each."""
    runs = tier(result, values["layer"])
    seconds = runs[-1][2]
    rows = [_tier_row(result, values["layer"], ", chosen")]
    rows += [_tier_row(result, layer) for layer in range(len(result.layers)) if layer != values["layer"]]
    told = ", ".join(label for label, _, _ in runs[:40])
    summary = f"The clip in units of layer {result.layers[values['layer']]}, each with its commonest phone: {told}."
    return sound_plot.plot_value(seconds, rows, summary, clip=result.provenance["options"]["clip_sha256"])


def summary(result: DiscreteUnits, score: int) -> str:
    """The curve in words, for screen readers."""
    triples = zip(result.layers, result.scores[:, score], result.shuffled[:, score], strict=True)
    told = ", ".join(f"layer {name} {value:.2f} (shuffled {null:.2f})" for name, value, null in triples)
    controls = result.controls
    pairs = zip(controls.baselines, controls.baseline_scores[:, score], strict=True) if controls else ()
    return f"{SCORES[score]}: {told}" + "".join(f"; {name} {value:.2f}" for name, value in pairs) + "."


def nearest(result: DiscreteUnits, layer: int) -> str:
    """The phones that share their units most, in words."""
    values = np.where(np.triu(np.ones_like(result.divergence[layer]), 1) > 0, result.divergence[layer], np.inf)
    values = np.nan_to_num(values, nan=np.inf, posinf=np.inf)
    places = [np.unravel_index(place, values.shape) for place in np.argsort(values, axis=None)[:3]]
    known = [(a, b) for a, b in places if np.isfinite(values[a, b])]
    told = ", ".join(f"{result.phones[a]} and {result.phones[b]} ({values[a, b]:.2f} bits)" for a, b in known)
    return f"Phones with the most similar units at layer {result.layers[layer]}: {told or 'none to compare'}."


def purest(result: DiscreteUnits, layer: int) -> str:
    """The purest units in words."""
    table = result.counts[layer]
    sums = table.sum(0)
    share = np.where(sums > 20, table.max(0) / np.maximum(sums, 1), 0)
    best = np.argsort(-share)[:3]
    told = [f"unit {unit} is {result.phones[table[:, unit].argmax()]} in {share[unit]:.0%}" for unit in best]
    return f"Phones by units at layer {result.layers[layer]}. Purest: {', '.join(told)}."


def status_line(result: DiscreteUnits, values: Values) -> str:
    """What is on screen, in one line."""
    origin, layer = result.provenance, values["layer"]
    told, null = result.scores[layer], result.shuffled[layer]
    parts = [
        f"**{origin['model']}** on {origin['corpus']} "
        f"({counted(origin['utterances'], 'recording')}, {origin['seconds']:.0f} s)",
        f"{result.units} units learnt from {result.train_frames:,} frames "
        f"({RECIPE_NAMES[origin['options']['recipe']]}), counted on {result.frames:,} others",
        f"layer {result.layers[layer]}: {told[0]:.2f} of {result.entropy:.2f} bits (shuffled {null[0]:.2f}), PNMI "
        f"{told[1]:.2f} (shuffled {null[1]:.2f}), phone purity {told[2]:.2f}, cluster purity {told[3]:.2f}",
    ]
    if result.few(layer):
        parts.append(
            f"**few phones for {result.units} units**: chance makes a visible part of these numbers, so compare with "
            "the shuffled line, not with zero; fewer units or more recordings bring it down"
        )
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
