"""The tab of phone focus: curves over the layers by group of recordings, and where one layer's gradient lies."""

import html

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import phone_focus
from methods.core.corpus import Corpus
from methods.core.corpus.articulation import Articulation
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech.phone_alphabets import listed
from methods.phone_focus import OWN_GROUPS, REACH, PhoneFocus
from page.controls import MOST_LAYERS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets import tables
from page.widgets.pictures import inline_svg

GROUPS = [("speaker", "speaker"), ("sex", "sex"), ("language", "language")]
MATCHED = [("the same kinds of phone from each", "yes"), ("whatever they say", "no")]
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "most": (2, 60),
}


def phone_focus_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=phone_focus,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        fitted=fitted,
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
        rerun=("corpus", "group_by", "matched", "most"),
    )
    tab = technique_tab(recipe, shell)
    gr.on(
        [shell.corpus.change, tab.controls["corpus"].change],
        _offered,
        [shell.corpus, tab.controls["group_by"]],
        [tab.controls["group_by"]],
        show_progress="hidden",
        api_visibility="private",
    )
    return tab


def _offered(own: Corpus | Articulation | None, group_by: str) -> dict:
    """Accents and groups can be compared where the tables of the visitor's own corpus have them.

    They stay on offer beside other recordings: a choice that vanished while a run starts would be refused by Gradio.
    """
    corpus = getattr(own, "corpus", own)
    there = [] if corpus is None else [name for name in OWN_GROUPS if _has(corpus, name)]
    choices = [*GROUPS, *((name, name) for name in there)]
    return gr.update(choices=choices, value=group_by if group_by in dict(choices) else "speaker")


def _has(corpus: Corpus, group_by: str) -> bool:
    return any(getattr(utterance, group_by) for utterance in corpus.utterances)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["corpus"] = corpus_area.corpus_control("voices")
        made["group_by"] = gr.Radio(GROUPS, value="speaker", label="Compare by", interactive=True, min_width=220)
        made["matched"] = gr.Radio(MATCHED, value="yes", label="Phones", interactive=True, min_width=260)
    with gr.Row(elem_classes="controls"):
        made["most"] = gr.Slider(
            5, 60, value=15, step=5, label="Phones of each group", interactive=True, min_width=180
        )
        made["layer"] = gr.Slider(0, MOST_LAYERS, value=2, step=1, label="Layer", interactive=True, min_width=180)
    return made


def _outputs() -> list[gr.components.Component]:
    gr.Markdown("#### Focus by layer, with random weights and an even spread")
    with gr.Row():
        curves = [gr.HTML(elem_id="curve-phone_focus"), gr.HTML(elem_id="errors-phone_focus")]
    gr.Markdown("#### One layer: the phone itself, its neighbours, and elsewhere")
    return [*curves, gr.HTML(elem_id="blanks-phone_focus"), gr.HTML(elem_id="table-phone_focus")]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return phone_focus.analyse.in_steps(
        corpus_area.chosen(session, values["corpus"]),
        model,
        group_by=values["group_by"],
        most=int(values["most"]),
        matched=values["matched"] == "yes",
    )


def fitted(result: PhoneFocus, values: Values) -> Values:
    """The control values, within what this model has."""
    return dict(values, layer=min(max(int(values["layer"]), 0), len(result.layers) - 1))


def drawn(result: PhoneFocus, values: Values) -> tuple[str, str, str, str]:
    """A value for each output."""
    layer = int(values["layer"])

    def focus(ax: Axes, ink: str) -> None:
        phone_focus.focus_curves(ax, result, ink=ink)

    def distance(ax: Axes, ink: str) -> None:
        phone_focus.focus_curves(ax, result, distance=True, ink=ink)

    def bars(ax: Axes, ink: str) -> None:
        phone_focus.neighbour_bars(ax, result, layer, ink)

    size = (4.8, 3.6)
    return (
        inline_svg(focus, summary(result, result.focus, ""), size),
        inline_svg(distance, summary(result, 1000 * result.distances, " ms"), size),
        inline_svg(bars, f"Shares at layer {result.layers[layer]}; the table has the numbers.", (4.8, 3.2)),
        table(result, layer),
    )


def summary(result: PhoneFocus, values: np.ndarray, unit: str) -> str:
    """The means of each group at each layer."""
    parts = []
    for number, name in enumerate(result.groups):
        means = ", ".join(f"{mean:.2f}{unit}" for mean in result.mean(values, number)[0])
        parts.append(f"{name}: {means}")
    return f"By layer, from the first: {'; '.join(parts)}."


def table(result: PhoneFocus, layer: int) -> str:
    """Where the gradient of one layer lies, by group, beside random weights."""
    rows = [_row(name, result.shares[:, result.group == number], layer) for number, name in enumerate(result.groups)]
    if result.random_shares is not None:
        rows.append(_row("random weights, all groups", result.random_shares.mean(0), layer))
    names = [f"{place:+d}" if place else "itself (focus)" for place in range(-REACH, REACH + 1)]
    caption = f"Mean share of the gradient at layer {result.layers[layer]}, by distance in phones"
    return tables.table(["group", *names, "elsewhere"], rows, caption)


def _row(name: str, shares: np.ndarray, layer: int) -> list[str]:
    known = shares[layer][np.isfinite(shares[layer]).all(1)]
    means = known.mean(0) if len(known) else np.full(shares.shape[-1], np.nan)
    return [html.escape(name), *(f"{value:.3f}" for value in (*means, 1 - means.sum()))]


def status_line(result: PhoneFocus, _values: Values) -> str:
    """What is on screen, in one line."""
    origin = result.provenance
    options = origin["options"]
    parts = [f"**{origin['model']}**", result.head, f"recordings: {html.escape(origin['corpus'])}"]
    parts.append(f"compared by {options['group_by']}")
    seconds = [np.mean(result.seconds[result.group == number]) for number in range(len(result.groups))]
    lengths = ", ".join(f"{name} {mean:.1f} s" for name, mean in zip(result.groups, seconds, strict=True))
    parts.append(f"mean length of a recording: {lengths}")
    parts.append("same kinds of phone from each group" if options["matched"] else "phones not matched")
    if options["unmapped"]:
        parts.append(f"phones without a counterpart in ARPAbet left out: {html.escape(listed(options['unmapped']))}")
    if len(result.groups) < 2:
        parts.append("one group only: choose recordings of several, or upload your own")
    if origin["family"] == "whisper":
        parts.append("clip-only window: another input than Whisper was trained on")
    lost = int(np.isnan(result.focus).any(0).sum())
    if lost:
        parts.append(f"{counted(lost, 'phone')} left out: no gradient")
    return " · ".join(parts)
