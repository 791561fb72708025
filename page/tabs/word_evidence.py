"""The tab of word evidence: answers by words over time, what is heard without each word, and whether it is real."""

import html
from collections.abc import Mapping

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import word_evidence
from methods.core.errors import counted
from methods.core.explain import answers as model_answers
from methods.core.explain import perturb
from methods.core.figures import signed
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech import edits
from methods.word_evidence import WordEvidence
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
PLACES = [str(number) for number in range(1, MOST_WORDS + 1)]
TARGETS = [("the whole answer", "0"), *((f"answer {number}", number) for number in PLACES)]
MODES = [(f"{mode}: {text}", mode) for mode, text in perturb.MODES.items()]
MARGINS = [("none", "none"), ("100 ms before, 40 ms after (published code)", "published")]
SENTENCES = {  # what a cell means, at and above zero and below it
    "nats": (
        "Without *{column}*, *{row}* loses {value} nats",
        "Without *{column}*, *{row}* gains {value} nats",
    ),
    "probability": (
        "Without *{column}*, *{row}* loses {value} in probability",
        "Without *{column}*, *{row}* gains {value} in probability",
    ),
}
UNITS = [("nats (natural logarithms)", "nats"), ("probability", "probability")]
WINDOWS = [("exact (30 s)", "full"), ("clip only: quicker, another input", "clip")]
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "random_orders": (3, 50),
}
AGREE = "*{row}* and *{column}* agree by {value} (a rank correlation)."  # what a cell of that map means


def word_evidence_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=word_evidence,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: {"unit": fitted(result, values)["unit"]},
        fitted=fitted,
        ranges=ranges,
        rerun=("mode", "margins", "window", "target"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["mode"] = gr.Dropdown(MODES, value="silence", label="In its place", interactive=True, min_width=220)
        made["unit"] = gr.Radio(UNITS, value="nats", label="Show the loss in", interactive=True, min_width=240)
        made["listen"] = gr.Dropdown(PLACES, value="1", label="Listen without word", interactive=True, min_width=160)
    with gr.Row(elem_classes="controls"):
        made["target"] = gr.Dropdown(TARGETS, value="0", label="Test orders on", interactive=True, min_width=200)
        made["margins"] = gr.Radio(MARGINS, value="none", label="Margins", interactive=True, min_width=260)
        made["window"] = gr.Radio(WINDOWS, value="full", label="Whisper's window", interactive=True, min_width=240)
    return made


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-word_evidence")
    gr.Markdown("#### Listen: the recording without a word, and what the model makes of it")
    sound = gr.HTML(elem_id="sound-word_evidence")
    table = gr.HTML(elem_id="table-word_evidence")
    gr.Markdown("#### Is this real? Words taken away one after the other; agreement between replacements")
    with gr.Row():
        curves = [gr.HTML(elem_id="curve-word_evidence"), gr.HTML(elem_id="errors-word_evidence")]
    return [plot, sound, table, *curves]


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    labels = model_answers.build(session.clip, model, transcript=session.text, window=values["window"]).labels
    number = int(values["target"])
    return word_evidence.analyse.in_steps(
        session.clip,
        model,
        segments=session.segments(units) or None,
        transcript=session.text,
        mode=values["mode"],
        margins=values["margins"],
        window=values["window"],
        target=labels[number] if number < len(labels) else None,
    )


def fitted(result: WordEvidence, values: Values) -> Values:
    """The control values, within what this clip has."""
    listen = min(max(int(values["listen"]), 1), len(result.words))
    return dict(values, listen=str(listen), target=str(result.main), mode=result.modes[0])


def ranges(result: WordEvidence, values: Values) -> Updates:
    """The words and answers of this clip by name."""
    words = [(f"{number}. {word}", str(number)) for number, word in enumerate(result.words, 1)]
    targets = [(label, str(number)) for number, label in enumerate(result.targets)]
    return {
        "listen": gr.Dropdown(words, value=values["listen"]),
        "target": gr.Dropdown(targets, value=values["target"]),
    }


def drawn(result: WordEvidence, values: Values) -> tuple[Values, str, str, str, str]:
    """A value for each output."""
    word = int(values["listen"]) - 1
    said = result.answers[0][word] if asked(result)[0, word] else "…"
    caption = f"Without “{result.words[word]}” ({result.modes[0]})"
    sound = players.player(result.sound(word), caption, said)
    return maps(result, values), sound, answers(result), _curves(result), _agreement(result)


def asked(result: WordEvidence) -> np.ndarray:
    """(modes, words) bool: whether the model has been asked without this word."""
    return np.isfinite(result.without).all(-1)


def maps(result: WordEvidence, values: Values) -> Values:
    """Answers by words at the words' own times, trained and with random weights, on one scale."""
    unit = values["unit"]
    effects = result.effects(unit=unit).T
    limit = signed.limit_of(effects)
    columns = list(zip(result.words, result.starts.tolist(), result.ends.tolist(), strict=True))
    common = {"unit": unit, "vmin": -limit, "vmax": limit, "scale": "rdbu", "decimals": 2}
    common |= {"row_name": "answer", "column_name": "word taken away from the sound"}
    common["sentence"] = SENTENCES[unit]
    title = f"Lost without the word ({result.modes[0]} in its place); red: needed, blue: likelier without"
    rows = [sound_plot.matrix_row(effects, list(result.targets), columns, title=title, **common)]
    control = result.random_effects(unit)
    if control is not None:
        title = f"Control: random weights, mean of {counted(len(control), 'seed')}"
        rows.append(sound_plot.matrix_row(control.mean(0).T, list(result.targets), columns, title=title, **common))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary(result), clip=origin["clip_sha256"])


def summary(result: WordEvidence) -> str:
    """For each answer the word that it needs most, of those that have been taken away so far."""
    effects = np.where(asked(result)[0][:, None], result.effects(), -np.inf)
    best = effects.argmax(0)
    parts = [
        f"{target} needs “{result.words[word]}” most ({effects[word, number]:.1f} nats)"
        for number, (target, word) in enumerate(zip(result.targets, best, strict=True))
    ]
    return "; ".join(parts) + "."


def answers(result: WordEvidence) -> str:
    """What the model says without each word, by replacement; a reader may compare them word by word."""
    known = asked(result)
    done = [number for number, words in enumerate(known) if number == 0 or words.all()]
    rows = [
        [
            html.escape(word),
            f"{result.effects()[number, result.main]:.2f}",
            f"{edits.error_rate(edits.plain_words(result.heard), edits.plain_words(result.answers[0][number])):.2f}",
            *(players.compared(result.heard, result.answers[mode][number]) for mode in done),
        ]
        for number, word in enumerate(result.words)
        if known[0, number]
    ]
    heads = ["without", f"loss of {result.targets[result.main]}, nats", "WER", *(result.modes[mode] for mode in done)]
    caption = f"The model hears “{result.heard}” in the unchanged clip; without each word it hears:"
    return tables.table(heads, rows, caption)


def _curves(result: WordEvidence) -> str:
    if not result.tested:
        return "<p class='quiet'>No order has been tested yet.</p>"

    def draw(ax: Axes, ink: str) -> None:
        word_evidence.deletion_curves(ax, result, ink)

    return inline_svg(draw, verdict_text(result) or "The target as words are taken away.", (4.8, 3.4))


def _agreement(result: WordEvidence) -> str:
    values = result.mode_agreement()

    def draw(ax: Axes, ink: str) -> None:
        signed.signed_map(ax, values, result.modes, result.modes, 1.0, cells=True)
        ax.tick_params(colors=ink)
        ax.set_title("Spearman, −1 to 1", fontsize=9, color=ink)

    first = ", ".join(f"{mode} {value:.2f}" for mode, value in zip(result.modes[1:], values[0, 1:], strict=True))
    return inline_svg(draw, f"Rank agreement of {result.modes[0]} with: {first}.", (4.4, 3.4), cell=AGREE)


def verdict_text(result: WordEvidence) -> str:
    """The test in one sentence; empty where there is no random order to compare with."""
    verdict, longest = result.verdict(), result.longest()
    if verdict is None or longest is None:
        return ""
    parts = []
    for name in ("comprehensiveness", "sufficiency"):
        found = verdict.summary()[name]
        parts.append(
            f"{name} {found['own']:.1f} nats (random orders {_chance(found)}; "
            f"loudest first {found['energy']:.1f}; longest first {getattr(longest, name):.1f})"
        )
    tried = counted(len(verdict.random), "random order")
    return "; ".join(parts) + f"; {tried}, {counted(len(result.controls.taken) - 1, 'step')}"


def _chance(found: Mapping[str, float]) -> str:
    """What random orders reach; one of them has no spread yet, and those of a single word never have one."""
    told = f"{found['random_mean']:.1f}"
    if np.isfinite(found["random_sd"]):
        told += f" ± {found['random_sd']:.1f}"
    return told + (f", z = {found['z']:.1f}" if np.isfinite(found["z"]) else "")


def status_line(result: WordEvidence, values: Values) -> str:
    """What is on screen, in one line."""
    options = result.provenance["options"]
    parts = [f"**{result.provenance['model']}**", f"{len(result.words)} pieces by {len(result.targets)} answers"]
    if options["transcript_given"]:
        parts.append("the decoder reads the text you gave")
    if options["window"] == "clip":
        parts.append("clip-only window: another input than Whisper was trained on (its answers are of the exact one)")
    if options["margins"] == "published":
        parts.append("each word widened by 100 ms before and 40 ms after")
    return " · ".join(filter(None, [*parts, verdict_text(result)]))
