"""The tab of phone arithmetic: what comes out by layer, contrasts to press and to hear, and four points in a plane."""

import html
from functools import partial

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import phone_arithmetic
from methods.core.corpus import Corpus
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.phone_arithmetic import PhoneArithmetic
from page import listening
from page.controls import MOST_LAYERS, STATES, WINDOWS
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets import players, sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

KINDS = [(name, name) for name in phone_arithmetic.KINDS]
SHORT = 4  # letters of a name of a class beside the map: on a phone there is room for nine
MOST_SUMS = 2000  # of the numbers that a link may name; 24 consonants allow fewer
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "fewest": (2, 1000),
    "splits": (1, 40),
    "shuffles": (1, 100),
}
PRESS = "Press a contrast in the map to hear its phones and to see its four points at that layer."


def phone_arithmetic_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    heard: dict[str, gr.components.Component] = {}
    recipe = Recipe(
        module=phone_arithmetic,
        controls=_controls,
        outputs=partial(_outputs, heard),
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, values: {"layer": values["layer"], "number": values["number"] - 1},
        fitted=fitted,
        ranges=ranges,
        rerun=("corpus", "kinds", "fewest", "states", "window"),
    )
    tab = technique_tab(recipe, shell)
    listening.connect(tab, shell, [heard["map"]], hear, [], heard["players"])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["corpus"] = corpus_area.corpus_control(both=True)
        made["kinds"] = gr.Radio(KINDS, value="consonants", label="Phones", interactive=True, min_width=260)
        made["fewest"] = gr.Slider(
            2, 50, value=10, step=1, label="Tokens of a phone at least", interactive=True, min_width=180
        )
    with gr.Row(elem_classes="controls"):
        made["states"] = gr.Radio(STATES, value="silence", label="States", interactive=True, min_width=260)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=260)
    with gr.Row(elem_classes="controls"):
        made["layer"] = gr.Slider(0, MOST_LAYERS, value=1, step=1, label="Layer", interactive=True, min_width=180)
        made["number"] = gr.Slider(
            0, MOST_SUMS, value=0, step=1, label="Sum in the plane (0: d − t + p = b)", interactive=True,
            min_width=240,
        )  # fmt: skip
    return made


def _outputs(heard: dict[str, gr.components.Component]) -> list[gr.components.Component]:
    gr.Markdown("#### How many sums come out, and are offsets consistent?")
    with gr.Row():
        curves = [gr.HTML(elem_id="curve-phone_arithmetic"), gr.HTML(elem_id="errors-phone_arithmetic")]
    gr.Markdown("#### Contrasts by layer: press one to hear it")
    heard["map"] = SoundPlot(elem_id="plot-phone_arithmetic")
    heard["players"] = gr.HTML(PRESS, elem_id="sound-phone_arithmetic")
    gr.Markdown("#### One sum: four points, and every sum of its contrast")
    with gr.Row():
        plane = gr.HTML(elem_id="plane-phone_arithmetic")
        table = gr.HTML(elem_id="table-phone_arithmetic")
    return [*curves, heard["map"], plane, table]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return phone_arithmetic.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        kinds=values["kinds"],
        fewest=int(values["fewest"]),
        subtract_silence=values["states"] == "silence",
        window=values["window"],
    )


def fitted(result: PhoneArithmetic, values: Values) -> Values:
    """The control values, within what this result has."""
    number = min(max(int(values["number"]), 0), len(result.analogies)) or result.first() + 1
    return values | {"layer": min(max(int(values["layer"]), 0), len(result.layers) - 1), "number": number}


def ranges(result: PhoneArithmetic, values: Values) -> Updates:
    """As many layers and sums as there are."""
    return {
        "layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"]),
        "number": gr.Slider(maximum=len(result.analogies), value=values["number"]),
    }


def drawn(result: PhoneArithmetic, values: Values) -> tuple[str, str, Values, str, str]:
    """A value for each output."""
    layer, number = values["layer"], values["number"] - 1

    def found(ax: Axes, ink: str) -> None:
        phone_arithmetic.found_curves(ax, result, ink)

    def consistent(ax: Axes, ink: str) -> None:
        phone_arithmetic.consistency_curves(ax, result, ink)

    return (
        inline_svg(found, summary(result), (4.8, 3.6)),
        inline_svg(consistent, f"Consistency of offsets by layer: {_listed(result.consistency)}.", (4.8, 3.6)),
        contrast_map(result),
        plane(result, layer, number),
        sum_table(result, layer, number),
    )


def contrast_map(result: PhoneArithmetic) -> Values:
    """Contrasts by layers: which share of their sums comes out."""
    names = [_short(kind) for kind in result.kinds]
    layers = [name.split(" ", maxsplit=1)[0] for name in result.layers]
    row = sound_plot.grid_row(
        result.by_contrast(), names, layers, title="Share of the sums of each contrast that come out",
        unit="share", vmax=1.0, row_name="contrast of two phones", column_name="layer", row_height=24,
        sentence="In layer *{column}*, {percent} of the sums of *{row}* come out",
    )  # fmt: skip
    return sound_plot.plot_value(1.0, [row], summary(result))


def _short(contrast: str) -> str:
    """A contrast as there is room for it beside a map: "fric/plos", "voicing"."""
    name, values = contrast.split(": ")
    parts = [value[:SHORT] for value in values.split(" / ")]
    return name if len(set(parts)) == 1 else "/".join(parts)


def plane(result: PhoneArithmetic, layer: int, number: int) -> str:
    """The four points of a sum."""

    def points(ax: Axes, ink: str) -> None:
        phone_arithmetic.plane_plot(ax, result, layer, number, ink)

    return inline_svg(points, f"{_told(result, layer, number)}.", (5.0, 4.4))


def _told(result: PhoneArithmetic, layer: int, number: int) -> str:
    nearest = result.phones[result.nearest[layer, number]]
    return (
        f"{result.written(number)} comes out in {result.right[layer, number]:.0%} of the halves; nearest is mostly "
        f"{nearest}, and the answer has place {result.ranks[layer, number]:.1f} of {result.candidates}"
    )


def sum_table(result: PhoneArithmetic, layer: int, number: int) -> str:
    """Every sum of the contrast that the chosen one belongs to."""
    contrast = result.contrasts[number]
    rows = [
        (
            str(each + 1),
            f"<span style='white-space:nowrap{';font-weight:bold' if each == number else ''}'>"
            f"{result.written(each)}</span>",
            f"{result.right[layer, each]:.2f}",
            f"{result.ranks[layer, each]:.1f}",
            result.phones[result.nearest[layer, each]],
        )
        for each in result.of_contrast(contrast)
    ]
    names = ("number", "sum", "share of halves", "mean place", "mostly nearest")
    whole = tables.table(names, rows, f"{contrast}, layer {result.layers[layer]}")
    return (
        f"<div style='max-height:460px;overflow-y:auto' tabindex='0'>{whole}</div>"  # as high as the plane beside it
    )


def hear(
    result: PhoneArithmetic | None, session: Session, own: Corpus | None, corpus: str, event: gr.EventData
) -> str:
    """The phones of the pressed contrast, to listen to, and its sums in the plane of the pressed layer."""
    detail = event._data or {}
    if result is None or detail.get("row") is None or detail.get("column") is None:
        return PRESS
    contrast, layer = int(detail["row"]), int(detail["column"])
    if not (0 <= contrast < len(result.kinds) and 0 <= layer < len(result.layers)):
        return PRESS
    return pressed(result, listening.recordings(result, session, own, corpus), contrast, layer)


def pressed(result: PhoneArithmetic, sounds: Corpus, contrast: int, layer: int) -> str:
    """The sum of a contrast that comes out best in a layer: in words, as players, and in its plane."""
    mine = result.of_contrast(result.kinds[contrast])
    number = int(mine[np.lexsort((result.ranks[layer, mine], -result.right[layer, mine]))[0]])
    roles = zip(("", "− ", "+ ", "= "), result.analogies[number], strict=True)
    tokens = [
        (f"{sign}{result.phones[phone]}", int(result.utterance[phone, 0]), float(result.start[phone, 0]),
         float(result.end[phone, 0]))
        for sign, phone in roles
    ]  # fmt: skip
    told = html.escape(f"{result.kinds[contrast]}, layer {result.layers[layer]}: {_told(result, layer, number)}.")
    return f"<p>{number + 1}. {told}</p>" + players.players(sounds, tokens) + plane(result, layer, number)


def summary(result: PhoneArithmetic) -> str:
    """The curve in words, for screen readers."""
    return f"Share of sums that come out, by layer: {_listed(result.found)}; chance {result.chance:.2f}."


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def status_line(result: PhoneArithmetic, values: Values) -> str:
    """What is on screen, in one line."""
    origin, layer = result.provenance, values["layer"]
    span = "" if np.isnan(result.low[layer]) else f" [{result.low[layer]:.2f}–{result.high[layer]:.2f}]"
    parts = [f"**{origin['model']}** on {html.escape(origin['corpus'])}, layer {result.layers[layer]}"]
    parts.append(f"{len(result.analogies)} sums of {len(result.phones)} phones, {result.splits} halvings")
    parts.append(f"{result.found[layer]:.2f}{span} come out, {result.alone[layer]:.2f} by the given phone alone")
    known = result.controls
    if known is not None:
        parts.append(f"MFCC {known.mfcc_found:.2f}")
        if known.random_found is not None:
            parts.append(f"random weights {known.random_found[:, layer].mean():.2f}")
    parts.append(f"names dealt anew {result.shuffled[:, layer].mean():.2f}, chance {result.chance:.2f}")
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
