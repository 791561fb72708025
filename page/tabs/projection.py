"""The tab of projections: maps of phones, vowels, words or frames per layer, whose points can be heard."""

from functools import partial

import gradio as gr
import numpy as np

from methods import projection
from methods.core.corpus import Corpus, items
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.projection import Projection, embedding
from methods.projection import figure as figures
from methods.projection.embedding import QUALITY
from page import listening
from page.controls import MOST_LAYERS, STATES, WINDOWS
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.top import corpus_area
from page.widgets import players, point_cloud
from page.widgets.pictures import inline_svg
from page.widgets.point_cloud import PointCloud

METHODS = [(what, name) for name, what in embedding.METHODS.items()]
UNITS = [("phones", "phones"), ("vowels, with F1 and F2", "vowels"), ("words", "words"), ("frames", "frames")]
LEAST_SHARE = 0.1  # R²: what tells less of a formant is no direction of it
CLASS = "class"  # a few colours that a student can name, where there are any
LABELS = [
    ("manner of phones, words themselves", CLASS), ("what they are", "own"),
    ("manner", "manner"), ("place", "place"), ("voicing", "voicing"), ("height", "height"),
    ("backness", "backness"), ("phone", "phone"), ("word", "word"), ("speaker", "speaker"), ("sex", "sex"),
]  # fmt: skip
SPACES = [("trained", "trained"), ("random weights", "random"), ("MFCC", "MFCC"), ("log-mel", "log-mel")]
SCALED = [("brought to unit variance", "yes"), ("as they are", "no")]
METRICS = [("Euclidean", "euclidean"), ("1 − cosine", "cosine")]
RERUN = (
    "corpus", "method", "unit", "label", "states", "window", "scaled", "metric", "perplexity", "neighbours", "most",
)  # fmt: skip
PRESS = "Press a point to hear it."
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "perplexity": (2, 100),
    "neighbours": (2, 100),
    "most": (24, 3000),
}


def projection_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    heard: dict[str, gr.components.Component] = {}
    recipe = Recipe(
        module=projection,
        controls=_controls,
        outputs=partial(_outputs, heard),
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"space": space_of(result, values)},
        fitted=fitted,
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
        rerun=RERUN,
    )
    tab = technique_tab(recipe, shell)
    listening.connect(tab, shell, [heard["map"]], hear, [], heard["players"])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["method"] = gr.Dropdown(METHODS, value="pca", label="Projection", interactive=True, min_width=200)
        made["unit"] = gr.Dropdown(UNITS, value="phones", label="Points are", interactive=True, min_width=160)
        made["label"] = gr.Dropdown(LABELS, value=CLASS, label="Coloured by", interactive=True, min_width=160)
        made["corpus"] = corpus_area.corpus_control(both=True)
    with gr.Row(elem_classes="controls"):
        made["layer"] = gr.Slider(-1, MOST_LAYERS, value=-1, step=1, label="Layer (−1: the best)", interactive=True)
        made["of"] = gr.Radio(SPACES, value="trained", label="Map of", interactive=True, min_width=320)
    with gr.Accordion("How the map is made", open=False):
        _more(made)
    return made


def _more(made: dict[str, gr.components.Component]) -> None:
    with gr.Row(elem_classes="controls"):
        made["states"] = gr.Radio(STATES, value="silence", label="Hidden states", interactive=True, min_width=280)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper hears", interactive=True, min_width=280)
        made["scaled"] = gr.Radio(SCALED, value="yes", label="Dimensions", interactive=True, min_width=200)
    with gr.Row(elem_classes="controls"):
        made["metric"] = gr.Radio(METRICS, value="euclidean", label="Distance (MDS, UMAP)", interactive=True)
        made["perplexity"] = gr.Slider(5, 100, value=30, step=5, label="Perplexity (t-SNE)", interactive=True)
        made["neighbours"] = gr.Slider(5, 50, value=15, step=5, label="Neighbours (UMAP)", interactive=True)
        made["most"] = gr.Slider(100, 3000, value=600, step=100, label="Points, at most", interactive=True)


def _outputs(heard: dict[str, gr.components.Component]) -> tuple[gr.components.Component, ...]:
    heard["players"] = gr.HTML(PRESS, elem_id="heard-projection")
    heard["map"] = PointCloud(elem_id="plot-projection")
    gr.Markdown("#### Can it be believed? Neighbours on the map, in the full space, and in the controls")
    with gr.Row():
        near, trust = gr.HTML(elem_id="near-projection"), gr.HTML(elem_id="trust-projection")
    return heard["map"], near, trust


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    corpus = corpus_area.chosen(session, values["corpus"])
    return projection.analyse.in_steps(
        corpus,
        model,
        method=values["method"],
        unit=values["unit"],
        label=label_of(values, corpus),
        standardise=values["scaled"] == "yes",
        metric=values["metric"],
        perplexity=float(values["perplexity"]),
        neighbours=int(values["neighbours"]),
        most=int(values["most"]),
        window=values["window"],
        subtract_silence=values["states"] == "silence",
    )


def label_of(values: Values, corpus: Corpus) -> str:
    """What colours the points: six manners say more than 38 phones, where the phones are known to be English ones."""
    if values["label"] != CLASS:
        return values["label"]
    if values["unit"] in ("vowels", "words"):
        return "own"
    known = items.phone_reading(corpus)
    return "manner" if any(known.of(str(phone)) for phone in set(items.phone_items(corpus).label)) else "own"


def fitted(result: Projection, values: Values) -> Values:
    """The control values, within what this result has."""
    layer = int(values["layer"] if values["layer"] is not None else -1)
    layer = result.best if layer < 0 else min(layer, len(result.layers) - 1)
    there = {"trained": True, "random": result.has_random}
    known = values["of"] in result.baselines or there.get(values["of"], False)
    return values | {"layer": layer, "of": values["of"] if known else "trained", "wanted": values["of"]}


def space_of(result: Projection, values: Values) -> int:
    """Which of the result's maps is asked for."""
    layer, layers = values["layer"], len(result.layers)
    if values["of"] in result.baselines:
        return layers + result.baselines.index(values["of"])
    return layer + (layers + len(result.baselines) if values["of"] == "random" else 0)


def drawn(result: Projection, values: Values) -> tuple[Values, str, str]:
    """A value for each output."""
    return (
        cloud(result, values),
        inline_svg(lambda ax, ink: figures.draw_neighbours(ax, result, ink), summary(result), (4.8, 3.6)),
        inline_svg(lambda ax, ink: figures.draw_trust(ax, result, ink), trust_summary(result), (4.8, 3.6)),
    )


def cloud(result: Projection, values: Values) -> Values:
    """The map for the browser."""
    places = zip(result.speaker, result.start, strict=True)
    titles = list(result.spaces)
    for number, share in enumerate(result.explained):
        titles[number] += f", {share:.0%} of the variance" if not np.isnan(share) else ""
    arrows = [
        [(x, y, f"{name} R² {share:.2f}") for name, (x, y, share) in zip(("F1", "F2"), of, strict=True)
         if share >= LEAST_SHARE]
        for of in result.directions
    ]  # fmt: skip
    origin = result.provenance
    return point_cloud.cloud(
        result.all_points, titles, space=space_of(result, values), layers=len(result.layers), label=result.label,
        colours=figures.colours(result.label), speaker=result.speaker, names=result.name,
        where=[f"{speaker}, {start:.2f} s" for speaker, start in places],
        arrows=arrows + [[]] * (len(titles) - len(arrows)), summary=map_summary(result, values),
        key=f"{origin['corpus_sha256']} {origin['model']} {sorted(origin['options'].items(), key=str)}",
    )  # fmt: skip


def hear(result: Projection | None, session: Session, own: Corpus | None, corpus: str, event: gr.EventData) -> str:
    """The pressed point, to listen to."""
    point = (event._data or {}).get("point")
    if result is None or point is None or not 0 <= int(point) < len(result.label):
        return PRESS
    sounds = listening.recordings(result, session, own, corpus)
    i = int(point)
    caption = f"{result.name[i]} ({result.speaker[i]})"
    place = (caption, int(result.utterance[i]), float(result.start[i]), float(result.end[i]))
    return players.players(sounds, [place], at_once=True)


def map_summary(result: Projection, values: Values) -> str:
    """What is on the map, in words."""
    layer = values["layer"]
    told = f"{embedding.METHODS[result.method]} of {len(result.label)} points, {len(set(result.label))} labels."
    near = result.quality[layer]
    return (
        f"{told} Layer {result.layers[layer]}: {near[1]:.0%} of ten neighbours share the label, {near[2]:.0%} in full."
    )


def summary(result: Projection) -> str:
    """The curve of neighbours in words, for screen readers."""
    pairs = zip(result.layers, result.quality, strict=True)
    told = ", ".join(f"layer {name} {scores[2]:.2f} ({scores[1]:.2f} on the map)" for name, scores in pairs)
    controls = result.controls
    acoustic = zip(controls.baselines, controls.baseline_quality, strict=True) if controls else ()
    known = "".join(f"; {name} {scores[2]:.2f}" for name, scores in acoustic)
    chance = [f"{value:.2f}" for value in result.chance[:, 1]]
    alike = chance[0] if len(set(chance)) == 1 else f"{', '.join(chance)}, in the order of the layers"
    return f"Neighbours of the same label in the full space: {told}{known}; {by_chance(result)} {alike}."


def by_chance(result: Projection) -> str:
    """What chance is here, in words: a phone's frames are each other's neighbours."""
    return "with whole phones' labels shuffled" if result.provenance["options"]["unit"] == "frames" else "by chance"


def trust_summary(result: Projection) -> str:
    """Trustworthiness in words."""
    pairs = zip(result.layers, result.quality[:, 0], strict=True)
    return f"{QUALITY[0].capitalize()}: " + ", ".join(f"layer {name} {value:.2f}" for name, value in pairs) + "."


def status_line(result: Projection, values: Values) -> str:
    """What is on screen, in one line."""
    origin, layer = result.provenance, values["layer"]
    scores, chance = result.quality[layer], dict.fromkeys(f"{value:.0%}" for value in result.chance[layer])
    parts = [
        f"**{origin['model']}** on {origin['corpus']} "
        f"({counted(origin['utterances'], 'recording')}, {origin['seconds']:.0f} s)",
        f"{embedding.METHODS[result.method]}: {len(result.label)} points of {len(set(result.label))} labels",
        f"layer {result.layers[layer]}: trustworthiness {scores[0]:.2f}, neighbours with the same label "
        f"{scores[1]:.0%} on the map, {scores[2]:.0%} in the full space, {' and '.join(chance)} {by_chance(result)}",
    ]
    if not np.isnan(result.accuracy[layer, 0]):
        right, wrong = result.accuracy[layer]
        parts.append(
            f"LDA is right on {right:.0%} of the points in recordings it has not learnt from (of labels it has), "
            f"{wrong:.0%} with shuffled labels"
        )
    parts += result.notes
    if values["wanted"] != values["of"]:
        parts.append("the map that was asked for is not there (yet): this is the trained model's")
    if result.left_out:
        parts.append(f"{result.left_out} left out at random, fewest of rare labels")
    parts += [origin["options"]["features_note"]] if origin["options"]["features_note"] else []
    return " · ".join(parts)
