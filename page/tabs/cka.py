"""The tab of CKA: layers by layers, another model's layers, and layers by what was heard, said or moved."""

import gradio as gr
import numpy as np

from methods import cka
from methods.cka import Cka, figure, kernels
from methods.core.corpus import Corpus, articulation, spaces
from methods.core.corpus.articulation import Articulation
from methods.core.errors import counted
from methods.core.figures import curves, layer_maps
from methods.core.models import menu
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.controls import RAW_FIRST, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets.pictures import inline_svg

NOBODY = "itself"
UNITS = [(what, name) for name, what in spaces.UNITS.items()]
KERNELS = [(what, name) for name, what in kernels.KERNELS.items()]
WIDTHS = [("0.2", "0.2"), ("0.4", "0.4"), ("0.8", "0.8"), ("1", "1")]
COUNTS = [("300", "300"), ("1,000", "1000"), ("2,000", "2000"), ("4,000", "4000")]
ESTIMATORS = [("debiased", "debiased"), ("biased, with its floor", "biased")]
VOCAL_TRACT = ("synthetic vocal tract with its movements, 88 s", "vocal_tract")
RERUN = ("corpus", "other", "unit", "kernel", "tau", "most", "states", "window")
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "most": (20, 2000),
    "tau": (0.01, 100),
}
ALIKE = "*{on}*: the CKA of layer *{row}* with layer *{column}* is {value}."  # what a cell means


def cka_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=cka,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"estimator": values["estimator"]},
        fitted=fitted,
        rerun=RERUN,
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        others = [("the same model", NOBODY), *((name, name) for name in menu.MODELS)]
        made["other"] = gr.Dropdown(others, value=NOBODY, label="Compare with", interactive=True, min_width=220)
        made["corpus"] = corpus_choice()
        made["estimator"] = gr.Radio(ESTIMATORS, value="debiased", label="Estimator", interactive=True, min_width=240)
    with gr.Accordion("Items, kernel, states", open=False), gr.Row(elem_classes="controls"):
        made["unit"] = gr.Radio(UNITS, value="frames", label="One item is", interactive=True, min_width=240)
        made["most"] = gr.Dropdown(COUNTS, value="1000", label="At most", interactive=True, min_width=120)
        made["kernel"] = gr.Radio(KERNELS, value="linear", label="Kernel", interactive=True, min_width=200)
        made["tau"] = gr.Dropdown(
            WIDTHS, value="1", label="Width of the Gaussian (root median distances)", interactive=True, min_width=200
        )
        made["states"] = gr.Radio(RAW_FIRST, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
    return made


def corpus_choice() -> gr.Dropdown:
    """The recordings, the synthetic vocal tract among them."""
    choices = [*corpus_area.CHOICES[:-2], VOCAL_TRACT, *corpus_area.CHOICES[-2:]]
    return gr.Dropdown(choices, value="prompts", label="Recordings", interactive=True, min_width=240)


def material(session: Session, value: str) -> Corpus | Articulation:
    """The recordings that were chosen, with movements where there are any."""
    if value == "vocal_tract":
        return articulation.bundled()
    if value == "own" and isinstance(session.corpus, Articulation):
        return session.corpus
    return corpus_area.chosen(session, value)


def _outputs() -> tuple[gr.components.Component, ...]:
    maps = gr.HTML(elem_id="grid-cka")
    with gr.Row():
        targets = gr.HTML(elem_id="scores-cka")
        same = gr.HTML(elem_id="same-cka")
    return maps, targets, same


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return cka.analyse.in_steps(
        material(session, values["corpus"]),
        model,
        other=None if values["other"] in (None, NOBODY) else values["other"],
        unit=values["unit"],
        kernel=values["kernel"],
        tau=float(values["tau"]),
        most=int(values["most"]),
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def fitted(_result: Cka, values: Values) -> Values:
    """The control values, within what there is."""
    return values | {"estimator": values["estimator"] if values["estimator"] in cka.ESTIMATORS else "debiased"}


def drawn(result: Cka, values: Values) -> tuple[str, str, str]:
    """A value for each output."""
    estimator = values["estimator"]
    pictures = [
        inline_svg(lambda ax, ink, m=m: layer_maps.draw_map(ax, m, ink), told(m), _size(m), cell=ALIKE)
        for m in figure.maps(result, estimator)
    ]
    maps = "".join(f"<div style='flex:1 1 240px;max-width:420px'>{picture}</div>" for picture in pictures)
    return (
        f"<div style='display:flex;flex-wrap:wrap;gap:8px'>{maps}</div>",
        inline_svg(
            lambda ax, ink: figure.draw_targets(ax, result, estimator, ink),
            targets_told(result, estimator),
            (4.8, 3.6),
        ),
        inline_svg(lambda ax, ink: figure.draw_same(ax, result, ink), same_told(result), (4.8, 3.6)),
    )


def _size(shown: layer_maps.Map) -> tuple[float, float]:
    side = min(max(0.32 * max(shown.values.shape) + 1.0, 2.8), 6.0)
    return side, side


def told(shown: layer_maps.Map) -> str:
    """A map in words, for screen readers."""
    rows = (
        f"layer {name}: " + ", ".join("not defined" if np.isnan(v) else f"{v:.2f}" for v in row)
        for name, row in zip(curves.short(shown.rows), shown.values, strict=True)
    )
    return f"CKA of layers by layers, {shown.title}. {'; '.join(rows)}."


def targets_told(result: Cka, estimator: str) -> str:
    """The curves in words."""
    if not result.targets:
        return "There is nothing to compare the layers with here."
    values = getattr(result, f"target_{estimator}")
    lines = (f"{t}: {', '.join(f'{v:.2f}' for v in row)}" for t, row in zip(result.targets, values, strict=True))
    return f"CKA of the layers with {'; '.join(lines)}."


def same_told(result: Cka) -> str:
    """The first layer of the columns against all, in words."""
    first = ", ".join(f"{value:.2f}" for value in result.debiased[:, 0])
    twins = None if result.controls is None else result.controls.random_same
    untrained = "" if twins is None else ", ".join(f"{value:.2f}" for value in twins.mean(0))
    return f"Each layer with {figure.first_column(result)}: {first}." + (
        f" With itself untrained: {untrained}." if untrained else ""
    )


def status_line(result: Cka, _values: Values) -> str:
    """What is on screen, in one line."""
    origin = result.provenance
    dims = sorted(set(result.dims.tolist()))
    columns = f"**{result.other}**" if result.against_another else "itself"
    parts = [
        f"**{origin['model']}** with {columns} on {origin['corpus']}",
        f"n = {result.items:,} {result.unit} of {counted(result.recordings, 'recording')}, "
        f"d = {', '.join(map(str, dims))}",
        f"{kernels.KERNELS[result.kernel]} kernel",
        f"floor of the biased value {np.min(result.floor):.2f} to {np.max(result.floor):.2f}",
    ]
    left = [name for name in origin["options"]["targets"] if name not in result.targets]
    parts += [f"not in these recordings: {', '.join(left)}"] if left else []
    parts += ["no intervals with fewer than 3 recordings"] if result.recordings < 3 else []
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
