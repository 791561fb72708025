"""The tab of ASR explanations: the frames that are enough, over the waveform and to listen to; and how few."""

import html

import gradio as gr
import numpy as np

from methods import asr_explanation
from methods.asr_explanation import AsrExplanation, Explanation, figure
from methods.asr_explanation.sufficient_frames import FORMULAS
from methods.core.audio import envelope
from methods.core.explain.rereading import SHORT
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

RANKINGS = [
    ("SFL (statistics of random versions)", "SFL"),
    ("LIME (linear model of them)", "LIME"),
    ("causal responsibility", "causal"),
    ("control: the loudest first", "energy"),
]
WINDOWS = [(f"{SHORT} of silence (quick)", "clip"), ("30 s, as in training (slow)", "full")]
NARROWEST, WIDEST = 20, 70  # ms
FEWEST, MOST = 100, 1000
COLUMNS = 900  # of the envelope
FEW = 0.1  # of the random versions: with fewer that pass, statistics of them say little
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "frame": (0.02, 0.07),  # s
    "threshold": (0.01, 1),
    "mutants": (20, 1000),
    "causal_budget": (0, 1000),
}


def asr_explanation_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=asr_explanation,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {},
        rerun=("formula", "frame", "threshold", "mutants", "window"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["ranking"] = gr.Dropdown(RANKINGS, value="SFL", label="Listen to the set of", interactive=True)
        made["formula"] = gr.Dropdown(list(FORMULAS), value="Ochiai", label="SFL formula", interactive=True)
        made["threshold"] = gr.Slider(0.5, 1, value=1, step=0.05, label="Right words that pass", interactive=True)
    with gr.Row(elem_classes="controls"):
        made["frame"] = gr.Slider(NARROWEST, WIDEST, value=50, step=5, label="Frame, ms", interactive=True)
        made["mutants"] = gr.Slider(FEWEST, MOST, value=200, step=50, label="Random versions", interactive=True)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper reads", interactive=True, min_width=260)
    return made


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-asr_explanation")
    gr.Markdown("#### Listen: is this enough for you?")
    sounds = gr.HTML(elem_id="sounds-asr_explanation")
    gr.Markdown("#### Is this good? Frames added by each ranking; sizes beside chance and loudness")
    with gr.Row():
        curve, table = gr.HTML(elem_id="curve-asr_explanation"), gr.HTML(elem_id="table-asr_explanation")
    return [plot, sounds, curve, table]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return asr_explanation.analyse.in_steps(
        session.clip,
        model,
        frame=float(np.clip(values["frame"], NARROWEST, WIDEST)) / 1000,
        threshold=float(np.clip(values["threshold"], 0.05, 1.0)),
        formula=values["formula"] if values["formula"] in FORMULAS else FORMULAS[0],
        mutants=int(np.clip(values["mutants"], FEWEST, MOST)),
        window="full" if values["window"] == "full" else "clip",
    )


def _chosen(result: AsrExplanation, values: Values) -> Explanation | None:
    """The ranking that is asked for; the first one while that is not there yet."""
    return result.named(values["ranking"]) or next(iter(result.explanations), None)


def drawn(result: AsrExplanation, values: Values) -> list[Values | str]:
    """A value for each output."""
    if not result.explanations:
        waiting = "<p class='quiet'>Comes after the random versions.</p>"
        return [rows(result, values), waiting, waiting, waiting]
    sizes = ", ".join(f"{each.name} {each.size:.0%}" for each in result.explanations)
    curve = inline_svg(lambda ax, ink: figure.draw_growth(ax, result, ink), f"Frames until it passes: {sizes}.")
    return [rows(result, values), listen(result, values), curve, sizes_table(result)]


def rows(result: AsrExplanation, values: Values) -> Values:
    """Waveform, the sets over time, the scores, and how often it passed with each frame."""
    low, high = envelope(result.clip, min(COLUMNS, len(result.clip.samples))).T
    made, chosen = [sound_plot.wave_row(low, high)], _chosen(result, values)
    for each in result.explanations:
        if not each.name.startswith("random") and _set(each).any():
            kept = [("kept", *span) for span in figure.spans(result.frames, _set(each))]
            made.append(sound_plot.segments_row(kept, each.name, scores=np.ones(len(kept)), unit="kept", height=26))
    if chosen is not None:
        scores = chosen.scores.astype(float)
        made.append(
            _frame_row(result, scores / (np.abs(scores).max() or 1.0), f"score, {chosen.name}", "of the highest")
        )
    passed = result.counts[0] + result.counts[1]
    share = np.divide(result.counts[0], passed, out=np.full(len(passed), np.nan), where=passed > 0)
    if np.isfinite(share).any():
        made.append(_frame_row(result, share, "passed when kept", "share"))
    return sound_plot.plot_value(result.clip.seconds, made, summary(result, values), clip=result.clip.sha256)


def _frame_row(result: AsrExplanation, values: np.ndarray, label: str, unit: str) -> Values:
    """One value per frame as a curve of steps."""
    centres = np.linspace(0, result.clip.seconds, COLUMNS, endpoint=False)
    starts = np.array([frame.start for frame in result.frames])
    return sound_plot.line_row(
        {label: values[np.searchsorted(starts, centres, "right") - 1]}, label, unit=unit, height=70
    )


def _set(each: Explanation) -> np.ndarray:
    """The minimal set; the first one that passes while that is not there."""
    return each.enough if each.minimal is None else each.minimal


def summary(result: AsrExplanation, values: Values) -> str:
    """The chosen set in words, for readers who cannot see it."""
    chosen = _chosen(result, values)
    if chosen is None:
        return f"{len(result.mutants)} random versions heard; no set yet."
    spans = figure.spans(result.frames, _set(chosen))
    told = ", ".join(f"{start:.2f} to {end:.2f} s" for start, end in spans[:20])
    return f"Enough for {chosen.name}: {_set(chosen).mean():.0%} of the frames, {told}."


def listen(result: AsrExplanation, values: Values) -> str:
    """Players: the whole clip, the chosen set alone, and all but it; with what the model hears."""
    chosen = _chosen(result, values)
    kept = _set(chosen)
    name = "What passes first" if chosen.minimal is None else "Only what is needed"
    sounds = [
        (result.clip, "The whole clip", _said(result, result.heard, result.text)),
        (result.sound(kept), f"{name} ({chosen.name}: {kept.mean():.0%} of the frames)",
         chosen.heard if chosen.minimal is None else _said(result, chosen.heard_minimal, chosen.exact_minimal)),
    ]  # fmt: skip
    if chosen.heard_without is not None:
        said = _said(result, chosen.heard_without, chosen.exact_without)
        sounds.append((result.sound(~kept), "All but that", said))
    return "".join(players.player(clip, caption, said or "(nothing)") for clip, caption, said in sounds)


def _said(result: AsrExplanation, heard: str, exact: str | None) -> str:
    """What is heard in the window that was used, and in the exact one where that is another."""
    if not _quick(result):
        return heard
    exactly = "…" if exact is None else exact or "(nothing)"
    return f"{heard or '(nothing)'}”; in 30 s: “{exactly}"  # the player writes the first and the last quotation mark


def _quick(result: AsrExplanation) -> bool:
    """Whether Whisper heard less than its exact window."""
    return result.provenance["family"] == "whisper" and result.provenance["options"]["window"] != "full"


def sizes_table(result: AsrExplanation) -> str:
    """Sizes and redundancy of each ranking's set, chance pooled."""
    lines = []
    for each in result.explanations:
        if not each.name.startswith("random"):
            cells = [_share(each.size), _share(each.minimal_size), _share(each.exact_similarity)]
            cells += [_share(each.redundancy), _overlap(result, each)]
            lines.append((each.name, [*cells, f"{each.halves:.2f}" if np.isfinite(each.halves) else ""]))
    random = [each for each in result.explanations if each.name.startswith("random")]
    if random:
        sizes = [each.size for each in random]
        pruned = next((each for each in random if each.minimal is not None), random[0])
        cells = [f"{np.mean(sizes):.0%}", _share(pruned.minimal_size), _share(pruned.exact_similarity)]
        cells += [_share(pruned.redundancy), "", ""]
        lines.append((f"random order ({len(random)}; the first one pruned)", cells))
    right = f"{result.unit} right in it" + (", heard in 30 s" if result.provenance["family"] == "whisper" else "")
    head = ("ranking", "until it passes", "minimal", right, "redundancy", "overlap with SFL", "halves agree")
    table = tables.table(head, [(html.escape(name), *cells) for name, cells in lines], "Share of the frames")
    return f"<div style='overflow-x:auto'>{table}</div>"


def _share(value: float) -> str:
    return f"{value:.0%}" if np.isfinite(value) else "…"


def _overlap(result: AsrExplanation, each: Explanation) -> str:
    value = result.overlaps()[0, result.explanations.index(each)]
    return f"{value:.2f}" if np.isfinite(value) else "n/a"


def status_line(result: AsrExplanation, values: Values) -> str:
    """What is on screen, and what was left out, in one line."""
    options = result.provenance["options"]
    parts = [f"**{result.provenance['model']}**", f"“{result.text}”"]
    parts.append(f"{len(result.frames)} frames of {1000 * options['frame']:.0f} ms")
    passed = np.mean(result.similarity >= result.threshold) if len(result.similarity) else 0.0
    parts.append(f"{len(result.mutants)} of {options['mutants']} random versions, {passed:.0%} passed")
    parts.append(f"passes with {result.threshold:.0%} of the {result.unit} right")
    if result.provenance["family"] == "whisper":
        window = "30 s" if options["window"] == "full" else f"{SHORT} of silence, not the exact 30 s"
        parts.append(f"window: {window}")
    if result.heard != result.text:
        parts.append(f"in this window the model writes “{result.heard}”, so a version passes with as much right")
    passing, heard = result.exact_passes()
    if heard and _quick(result):
        parts.append(f"{passing} of {heard} minimal sets pass in the exact window of 30 s")
    if len(result.mutants) == options["mutants"] and passed < FEW:
        found = "no random version passed: SFL says nothing" if not passed else "few passed: SFL has little to go on"
        parts.append(f"{found}; more do with a lower share of right words")
    if result.settled is not None:
        parts.append(f"causal search: {result.settled:.0%} of the frames looked at singly")
    return " · ".join([*parts, f"{result.asked} versions heard"])
