"""The tab of causal tracing: layers by places over the sound, what a cell makes the model write, and its controls."""

import html
from typing import Any

import gradio as gr
import numpy as np

from methods import causal_tracing
from methods.causal_tracing import CausalTracing
from methods.causal_tracing.figure import limit_of, verb
from methods.core import models
from methods.core.errors import counted
from methods.core.explain import perturb
from methods.core.figures import signed
from methods.core.interventions import wanted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech.words import plain_word, text_words
from page.controls import MOST_LAYERS
from page.examples import EXAMPLES
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

WIDTH = 0.1  # s
MOST_PLACES = 300  # windows of 100 ms in 30 s
MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
LONGEST, WHOLE, ASKED_FOR = "longest", "whole", "asked"
NUMBERS = [(f"word {number}", str(number)) for number in range(1, MOST_WORDS + 1)]
ANSWERS = [("the longest word", LONGEST), ("the whole transcript", WHOLE)]
CHANGES = [(text, name) for name, text in causal_tracing.CORRUPTIONS.items()]
CHANGED = [("the word asked about", ASKED_FOR)]
CLOSED = -1  # no place is opened
PLACES = [("none", CLOSED), *((str(number + 1), number) for number in range(MOST_PLACES))]
TWIN = "en_f_weasels_noisy_5dB"
SITES = [
    (f"{side}: {text}", f"{side} {site}")
    for side, sites in (
        ("encoder", ("residual", "attention", "feed-forward")),
        ("decoder", ("residual", "attention", "cross-attention", "feed-forward")),
    )
    for site, text in (
        ("residual", "stream after a layer"),
        ("attention", "self-attention's output"),
        ("cross-attention", "cross-attention's output"),
        ("feed-forward", "feed-forward's output"),
    )
    if site in sites
]
DIRECTIONS = [("clean states into the spoilt run", "restore"), ("spoilt states into the clean run", "disturb")]
COLUMNS = {"restore": "place that gets its clean states back", "disturb": "place that gets spoilt states"}
SENTENCES = {  # what a cell means, at and above zero and below it
    "restore": (
        "Clean states of *{column}* in layer *{row}* bring back {percent} of what was lost",
        "Clean states of *{column}* in layer *{row}* make it worse by {percent} of what was lost",
    ),
    "disturb": (
        "Spoilt states of *{column}* in layer *{row}* take away {percent} of what can be lost",
        "Spoilt states of *{column}* in layer *{row}* make it better by {percent} of what can be lost",
    ),
}
CUTS = [("words or phones (as at the side)", "units"), ("windows of 100 ms", "windows")]
WINDOWS = [("exact (30 s)", "full"), ("clip only: quicker, another input", "clip")]
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "snr": (-60, 60),
    "width": (0.04, 30),  # s
    "opened": (0, 1500),
    "changed_occurrence": (1, 1000),
    "places": (0, 50),
    "noise_seeds": (0, 2**31 - 1),
}


def causal_tracing_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; a click on a cell opens it."""
    recipe = Recipe(
        module=causal_tracing,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"layer": int(result.layers[fitted(result, values)["row"]])},
        fitted=fitted,
        ranges=ranges,
        picked=("row", "column"),
        covers=covers,
        rerun=("answer", "corruption", "changed", "other", "site", "direction", "cut", "window", "crossed"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["answer"] = gr.Dropdown([*ANSWERS, *NUMBERS], value=LONGEST, label="Asked about", min_width=180)
        made["corruption"] = gr.Dropdown(CHANGES, value="noise", label="How the sound is spoilt", min_width=220)
        made["snr"] = gr.Slider(-20, 30, value=0, step=1, label="Noise: signal-to-noise ratio, dB", min_width=200)
    with gr.Row(elem_classes="controls"):
        made["site"] = gr.Dropdown(SITES, value="encoder residual", label="What is exchanged", min_width=220)
        made["direction"] = gr.Radio(DIRECTIONS, value="restore", label="Direction", min_width=260)
        made["cut"] = gr.Radio(CUTS, value="units", label="Places in the sound", min_width=240)
    with gr.Accordion("More: which word is spoilt, another recording, quick preview, layers into layers", open=False):
        made["changed"] = gr.Dropdown([*CHANGED, *NUMBERS], value=ASKED_FOR, label="Word silenced or replaced")
        recordings = [(example.title, key) for key, example in EXAMPLES.items()]
        made["other"] = gr.Dropdown(recordings, value=TWIN, label="Another recording of equal length")
        made["window"] = gr.Radio(WINDOWS, value="full", label="Whisper's window")
        made["crossed"] = gr.Checkbox(False, label="Also put the states of every layer into every other")
    with gr.Row(elem_classes="controls"):
        made["row"] = gr.Slider(0, MOST_LAYERS, value=0, step=1, label="Opened row, from 0 at the top", min_width=160)
        made["column"] = gr.Dropdown(PLACES, value=CLOSED, label="Opened place", min_width=160)
    for control in made.values():
        control.interactive = True
    return made


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-causal_tracing")
    gr.Markdown("#### What the model writes: press a cell above to open it")
    said = gr.HTML(elem_id="said-causal_tracing")
    gr.Markdown("#### Is this real? Random places of the same lengths, other noise, random weights")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{name}-causal_tracing") for name in ("layers", "places")]
    return [plot, said, *curves, gr.HTML(elem_id="crossed-causal_tracing")]


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    side, site = values["site"].split(" ")
    windows = values["cut"] == "windows"
    recording = EXAMPLES[values["other"]].clip() if values["corruption"] == "recording" else None
    changed, which = _numbered([s.label for s in session.words or ()], values["changed"])
    return causal_tracing.analyse.in_steps(
        session.clip,
        model,
        segments=session.words,
        phones=session.segments("phones") if units == "phones" and not windows else None,
        transcript=session.text,
        **_asked(session, model, values["answer"]),
        corruption=values["corruption"],
        snr=float(values["snr"]),
        changed=changed,
        changed_occurrence=which,
        recording=recording,
        side=side,
        site=site,
        direction=values["direction"],
        columns="windows" if windows else units,
        width=WIDTH,
        window=values["window"],
        crossed=values["crossed"] and values["site"] == "encoder residual",
        opened=_opened(session, model, units, values),
    )


def _asked(session: Session, model: SpeechModel, answer: str) -> Values:
    """The options that say whose probability is asked for."""
    if answer in (LONGEST, WHOLE) or not model.writes_text:
        return {"target": "transcript" if answer == WHOLE else "word"}
    words = text_words(models.transcribe(session.clip, model, text=session.text))
    word, which = _numbered([word.label for word in words], answer)
    return {"target": "word", "word": word, "occurrence": which}


def _numbered(labels: list[str], number: str) -> tuple[str | None, int | None]:
    """The label of this number (from 1) and which of several equal ones it is; nothing where there is none."""
    if not number.isdigit() or int(number) > len(labels):
        return None, None
    plain = [plain_word(label) for label in labels]
    at = int(number) - 1
    return labels[at], plain[: at + 1].count(plain[at])


def _opened(session: Session, model: SpeechModel, units: str, values: Values) -> tuple[int, int] | None:
    """Layer and place of the opened cell; None where this model or clip has no such cell."""
    (side, site), row, column = values["site"].split(" "), int(values["row"]), int(values["column"])
    if not model.writes_text or column == CLOSED:
        return None
    config = model.network.config
    layers = config.encoder_layers if side == "encoder" else config.decoder_layers
    layer = row + (site != "residual")
    there = layer <= layers and column < _count(session, model, units, values)
    return (layer, column) if there else None


def _count(session: Session, model: SpeechModel, units: str, values: Values) -> int:
    """How many places there are."""
    if values["site"].startswith("decoder"):
        text = models.transcribe(session.clip, model, text=session.text)
        asked = _asked(session, model, values["answer"])
        whole = asked.pop("target") == "transcript"
        return len((wanted.whole(model, text) if whole else wanted.of_word(text, **({"word": None} | asked))).read)
    if values["cut"] == "windows":
        return len(perturb.windows(session.clip.seconds, WIDTH))
    return len(session.segments(units))


def covers(result: CausalTracing, values: Values) -> bool:
    """Whether the opened cell is in the result, or none is to be opened."""
    row, column = int(values["row"]), int(values["column"])
    if not result.complete or column == CLOSED or column >= len(result.places) or row >= len(result.layers):
        return True
    return result.opened == (result.layers[row], column)


def fitted(result: CausalTracing, values: Values) -> Values:
    """The control values, within what this model and clip have; the best layer where no cell is opened."""
    if int(values["column"]) == CLOSED:
        return dict(values, row=result.best()[0])
    row = min(int(values["row"]), len(result.layers) - 1)
    return dict(values, row=row, column=min(int(values["column"]), len(result.places) - 1))


def ranges(result: CausalTracing, values: Values) -> Updates:
    """The words and places of this clip by name."""
    answers = [*ANSWERS, *((f"{number}. {word}", str(number)) for number, word in enumerate(result.words, 1))]
    said = [label for label, _, _ in result.provenance["options"]["segments"]]
    changed = [*CHANGED, *((f"{number}. {word}", str(number)) for number, word in enumerate(said, 1))]
    places = [PLACES[0], *((f"{number + 1}. {place}", number) for number, place in enumerate(result.places))]
    return {
        "answer": gr.Dropdown(answers),
        "changed": gr.Dropdown(changed),
        "column": gr.Dropdown(places),
        "row": gr.Slider(maximum=len(result.layers) - 1, value=values["row"]),
    }


def drawn(result: CausalTracing, values: Values) -> tuple[Values, str, str, str, str]:
    """A value for each output."""
    layer = int(result.layers[int(values["row"])])
    best, place = result.best()
    by_layer = ", ".join(f"{share:.2f}" for share in result.recovered.max(1))
    curve = inline_svg(
        lambda ax, ink: causal_tracing.layer_curves(ax, result, ink),
        f"Share of the gap {verb(result)} by the best place, by layer: {by_layer}.",
    )
    shares = zip(result.places, result.recovered[int(values["row"])], strict=True)
    bars = inline_svg(
        lambda ax, ink: causal_tracing.place_bars(ax, result, layer, ink),
        f"Layer {layer}: " + ", ".join(f"{name} {share:.2f}" for name, share in shares),
        (min(max(4.6, 0.3 * len(result.places)), 12.0), 2.8),
    )
    summary = f"“{result.places[place]}” in layer {result.layers[best]} alone: {result.recovered[best, place]:.2f}."
    return maps(result, summary), said(result), curve, bars, crossed(result)


def maps(result: CausalTracing, summary: str) -> Values:
    """Layers by places at the places' own times, trained and with random weights, on one scale."""
    names = [str(number) if number else "0 (input)" for number in result.layers.tolist()]
    limit = limit_of(result)
    common = {"unit": "of the gap", "vmin": -limit, "vmax": limit, "scale": "rdbu", "decimals": 2,
              "row_name": "layer", "column_name": COLUMNS[result.direction],
              "sentence": SENTENCES[result.direction]}  # fmt: skip
    title = f"{result.label}: share {verb(result)}, {result.side}, {result.site}"
    rows = [_row(result, result.recovered, names, title=title, **common)] if np.isfinite(result.patched).any() else []
    random = None if result.controls is None else result.controls.random
    if random is not None:
        title = f"Control: random weights, mean of {counted(len(random), 'seed')}, in the trained network's nats"
        rows.append(_row(result, random.mean(0), names, title=title, **common))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _row(result: CausalTracing, shares: np.ndarray, names: list[str], **options: Any) -> Values:
    if result.side == "decoder":
        return sound_plot.grid_row(shares, names, list(result.places), **options)
    columns = list(zip(result.places, result.starts.tolist(), result.ends.tolist(), strict=True))
    return sound_plot.matrix_row(shares, names, columns, **options)


def said(result: CausalTracing) -> str:
    """Both sounds to be heard, and what is written of them and with the opened place exchanged."""
    heard = [
        players.player(result.sound(False), "The clip", result.clean_text),
        players.player(result.sound(True), "Spoilt", result.corrupted_text),
    ]
    if result.opened is None:
        return "".join(heard)
    layer, place = result.opened
    start = result.corrupted_text if result.direction == "restore" else result.clean_text
    row = list(result.layers).index(layer)
    told = players.compared(start, result.opened_text) if result.side == "encoder" else html.escape(result.opened_text)
    line = [
        html.escape(f"layer {layer}, “{result.places[place]}”"),
        f"{result.recovered[row, place]:.2f}",
        told,
    ]
    what = "what is now written" if result.side == "encoder" else "likeliest tokens at the word's place"
    caption = f"One place exchanged: {verb(result)} of {result.label}"
    return "".join(heard) + tables.table(["exchanged", "share", what], [line], caption)


def crossed(result: CausalTracing) -> str:
    """States of each layer put into each other, where that was asked for."""
    found = None if result.controls is None else result.controls.crossed
    if found is None:
        return ""
    own, off = np.diag(found).mean(), found[~np.eye(len(found), dtype=bool)].mean()
    names = [str(number) for number in range(len(found))]

    def draw(ax: Any, ink: str) -> None:
        signed.signed_map(ax, found, names, names, 1.0, cells=True)
        ax.tick_params(colors=ink)
        ax.set_xlabel("put into layer", color=ink)
        ax.set_ylabel("states of layer", color=ink)
        ax.set_title("all of the clip's frames exchanged", fontsize=9, color=ink)

    return inline_svg(
        draw,
        f"Into the same layer {own:.2f} of the gap on average, into another {off:.2f}.",
        (4.6, 3.4),
        cell="States of layer *{row}* put into layer *{column}* bring back {value} of the gap.",
    )


def status_line(result: CausalTracing, _values: Values) -> str:
    """What is on screen, in one line."""
    options, row = result.provenance["options"], result.best()
    parts = [f"**{result.provenance['model']}**"]
    parts.append(f"{result.label}: {result.clean:.2f} nats clean, {result.corrupted:.2f} spoilt, gap {result.gap:.2f}")
    if np.isfinite(result.patched).any():
        best = f"most by “{result.places[row[1]]}” in layer {result.layers[row[0]]}: {result.recovered[row]:.2f}"
        beaten = result.beaten()
        places = "" if beaten is None else "all" if beaten[row] == 1 else f"{beaten[row]:.0%} of"
        cells = counted(int(np.isfinite(result.recovered).sum()), "cell")
        parts.append(best + (f" (the best of {cells}; more than {places} random places)" if places else ""))
    controls = result.controls
    if controls is not None and controls.random_gaps is not None:
        gaps = ", ".join(f"{gap:.2f}" for gap in controls.random_gaps)
        parts.append(f"with random weights the same change costs {gaps} nats")
    if controls is not None and controls.noise_gaps is not None:
        lost = int((controls.noise_gaps < causal_tracing.LEAST_GAP).sum())
        parts += [f"{counted(lost, 'other noise')} cost too little to be traced"] if lost else []
    if options["window"] == "clip":
        parts.append("clip-only window: a quick preview of another input than Whisper was trained on")
    if options["transcript_given"]:
        parts.append("the decoder reads the text you gave")
    return " · ".join(parts)
