"""The tab of phoneme saliency: phones coloured by saliency over time, and what is lost without the first of them."""

import html

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import phoneme_saliency
from methods.core import models
from methods.core.errors import counted
from methods.core.explain import gradients, perturb
from methods.core.figures.mel_axis import mel_ticks
from methods.core.frames import Segment
from methods.core.lenses import ctc_words
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import TIME_LIMIT, Steps
from methods.phoneme_saliency import PhonemeSaliency, figure
from page import space
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

WHOLE = "0"
WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
KINDS = [
    ("the answer, or the word", "answer"),
    ("the word rather than another", "contrast"),
    ("the language", "language"),
    ("the class", "class"),
]
LONGEST_TEXT = 60  # characters of the rival
METHODS = [(name, name) for name in reversed(gradients.GRADIENT_METHODS)]
POOLING = [("mean (long phones do not win by length)", "mean"), ("sum", "sum")]
INSTEAD = [("silence", "silence"), ("mean of the band", "mean")]
WINDOWS = [("exact (30 s)", "full"), ("clip only: ten times quicker, another input", "clip")]
MOST_STEPS = len(phoneme_saliency.SHARES)


def phoneme_saliency_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=phoneme_saliency,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        fitted=fitted,
        ranges=ranges,
        rerun=("kind", "target", "method", "pooling", "instead", "window"),
    )
    tab = technique_tab(recipe, shell)
    shell.follow(_word_list, [tab.controls["target"]])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["kind"] = gr.Dropdown(KINDS, value="answer", label="What is explained", interactive=True, min_width=200)
        made["target"] = gr.Dropdown(_places(()), value=WHOLE, label="Word", interactive=True, min_width=160)
        made["against"] = gr.Textbox(
            "", label="Rather than (word, language or class)", max_lines=1, max_length=LONGEST_TEXT, interactive=True,
            min_width=200,
        )  # fmt: skip
    with gr.Row(elem_classes="controls"):
        made["method"] = gr.Dropdown(
            METHODS, value="integrated gradients", label="Saliency by", interactive=True, min_width=200
        )
        made["step"] = gr.Slider(
            1, MOST_STEPS, value=3, step=1, label="Kept phones, step", interactive=True, min_width=180
        )
    with gr.Row(elem_classes="controls"):
        made["pooling"] = gr.Radio(POOLING, value="mean", label="Gather over a phone", interactive=True, min_width=240)
        made["instead"] = gr.Radio(INSTEAD, value="silence", label="In its place", interactive=True, min_width=200)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="Whisper's window", interactive=True, min_width=240)
    return made


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-phoneme_saliency")
    gr.Markdown("#### Is this real? What the answer loses without the first phones, and with nothing but them")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{name}-phoneme_saliency") for name in ("curve", "kept")]
    gr.Markdown("#### Each phone's score; and listen: without these phones, and with nothing else")
    with gr.Row():
        return [plot, *curves, *(gr.HTML(elem_id=f"{name}-phoneme_saliency") for name in ("errors", "sound"))]


def _places(words: tuple[Segment, ...]) -> list[tuple[str, str]]:
    named = [(f"{number}. {word.label}", str(number)) for number, word in enumerate(words, start=1)]
    unnamed = [(f"word {number}", str(number)) for number in range(1, WORDS + 1)]
    return [("all of the answer", WHOLE), *(named or unnamed)]


def _word_list(session: Session | None, _units: str, word: str) -> list[dict]:
    """The words of the clip with their numbers; what was chosen stays chosen while it exists."""
    words = (session.words or ())[:WORDS] if session else ()
    known = str(word).isdigit() and int(word) <= (len(words) or WORDS)
    return [gr.update(choices=_places(words), value=str(word) if known else WHOLE)]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return phoneme_saliency.analyse.in_steps(
        session.clip,
        model,
        segments=session.segments("phones"),
        method=values["method"],
        pooling=values["pooling"],
        instead=values["instead"],
        window=values["window"],
        time_limit=min(space.longest_run(), TIME_LIMIT),
        **_explained(session, model, values),
    )


def _explained(session: Session, model: SpeechModel, values: Values) -> Values:
    """The target that the controls name, as `targets.build` takes it."""
    kind, against = values.get("kind", "answer"), str(values.get("against") or "").strip()[:LONGEST_TEXT] or None
    if kind in ("language", "class"):
        return {"kind": kind, "against": against}
    wanted = _word(session, model, int(values["target"]))
    if kind == "contrast":
        return {**wanted, "kind": "contrast", "against": against}
    if model.writes_text:
        return {"kind": "word" if "wanted" in wanted else "transcript", "transcript": session.text, **wanted}
    return wanted


def _word(session: Session, model: SpeechModel, number: int) -> Values:
    """The word with this number; CTC models may spell it otherwise, so there it is found by its time."""
    words = session.words or ()
    if not 0 < number <= len(words):
        return {"transcript": session.text} if model.writes_text else {}
    if models.ctc_vocabulary(model) is not None:
        wanted, occurrence = ctc_words.at(session.clip, model, words[number - 1])
        return {"kind": "ctc", "wanted": wanted, "occurrence": occurrence}
    if not model.writes_text:
        return {}
    label = words[number - 1].label
    earlier = [word for word in words[:number] if word.label.casefold() == label.casefold()]
    # The words on the page are those of the given or known text, which the model may spell otherwise.
    transcript = session.text or " ".join(word.label for word in words)
    return {"wanted": label, "occurrence": len(earlier), "transcript": transcript}


def fitted(result: PhonemeSaliency, values: Values) -> Values:
    """The control values, within what this clip has."""
    return dict(values, step=min(max(int(values["step"]), 1), len(result.kept)))


def ranges(result: PhonemeSaliency, values: Values) -> Updates:
    """As many steps as there are different numbers of phones."""
    return {"step": gr.Slider(maximum=len(result.kept), value=values["step"])}


def drawn(result: PhonemeSaliency, values: Values) -> tuple[Values, str, str, str, str]:
    """A value for each output."""
    step = int(values["step"]) - 1

    def losses(ax: Axes, ink: str) -> None:
        figure.loss_curves(ax, result, ink)

    def kept(ax: Axes, ink: str) -> None:
        figure.loss_curves(ax, result, ink, kept=True)

    def bars(ax: Axes, ink: str) -> None:
        figure.score_bars(ax, result, ink)

    curves = [inline_svg(losses, loss_text(result), (5.4, 4.0)), inline_svg(kept, loss_text(result, True), (5.4, 4.0))]
    return maps(result, step), *curves, inline_svg(bars, best_text(result), (5.6, 3.4)), _sounds(result, step)


def maps(result: PhonemeSaliency, step: int) -> Values:
    """The map itself, its sum over frequency, and phones coloured by their scores; the kept ones in a row."""
    named = list(zip(result.phones, result.starts.tolist(), result.ends.tolist(), strict=True))
    top = float(result.scores.max()) or 1.0
    ceiling = float(np.quantile(result.saliency, 0.99)) or 1.0
    kept = [(phone.label, phone.start, phone.end) for phone in result.first(step)]
    shares = result.scores / (result.scores.sum() or 1.0)
    common = {"vmin": 0.0, "vmax": top / (result.scores.sum() or 1.0), "scale": "blues", "unit": "share of saliency"}
    read, bands = result.provenance["options"]["level"], len(result.entering)
    ticks = [(at / bands, text) for at, text in mel_ticks(bands)] if read == "log-mel" else []
    rows = [
        sound_plot.image_row(result.entering, read, alt="what the network reads", scale="greys", y_ticks=ticks),
        sound_plot.image_row(
            result.saliency / ceiling, "saliency", alt="size of each cell's attribution", vmin=0.0, vmax=1.0,
            scale="magma", y_ticks=ticks, unit="size of each cell's attribution (1: of a hundred cells the largest)",
        ),
        sound_plot.segments_row(named, "phones", scores=shares, **common),
        sound_plot.segments_row(kept, "kept", scores=[shares[i] for i in sorted(result.order[: result.kept[step]])],
                                **common),
    ]  # fmt: skip
    random = result.controls and result.controls.random_scores
    if random is not None:
        control = (random / np.maximum(random.sum(1, keepdims=True), np.finfo(float).tiny)).mean(0)
        rows.append(sound_plot.segments_row(named, "random weights", scores=control, **{**common, "scale": "oranges"}))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, best_text(result), clip=origin["clip_sha256"])


def best_text(result: PhonemeSaliency) -> str:
    """The most salient phones in words."""
    shares = result.scores / (result.scores.sum() or 1.0)
    best = [f"{result.phones[i]} at {result.starts[i]:.2f} s ({shares[i]:.0%})" for i in result.order[:5]]
    return f"Most salient phones, with their shares of all saliency: {', '.join(best)}."


def loss_text(result: PhonemeSaliency, kept: bool = False) -> str:
    """The losses in words, at every k that has been tried."""
    found, parts = result.losses(kept=kept), []
    for step, k in enumerate(result.kept if found.own is not None else ()):
        if np.isfinite(found.own[0, step]):
            pairs = zip(phoneme_saliency.RIVALS[1:], found.own[1:, step], strict=True)
            rivals = ", ".join(f"{name} {loss:.1f}" for name, loss in pairs)
            chance = "" if found.random is None else f", random phones {found.random[:, step].mean():.1f}"
            phones = counted(int(k), "phone")
            lose = f"nothing but {phones} loses" if kept else f"{phones} {'loses' if k == 1 else 'lose'}"
            parts.append(f"{lose} {found.own[0, step]:.1f} ({rivals}{chance})")
    return "; ".join(parts) + "."


def _sounds(result: PhonemeSaliency, step: int) -> str:
    answers = result.controls and result.controls.answers
    said = answers[step] if answers else (None, None)
    labels = " ".join(phone.label for phone in result.first(step))
    without, only = result.sounds(step)
    return (
        f"<p class='quiet'>{html.escape(_sounds_text(result, step))}</p>"
        + players.player(without, f"Without {labels}", said[0])
        + players.player(only, f"Nothing but {labels}", said[1])
    )


def _sounds_text(result: PhonemeSaliency, step: int) -> str:
    """How far what is played is what was tested."""
    options = result.provenance["options"]
    instead = "the mean of its band" if options.get("instead") == "mean" else "silence"
    parts = [
        f"What you hear has digital silence, with fades of {1000 * perturb.FADE:.0f} ms, in place of what is gone; "
        f"the curves replace whole cells of the {options['level']} by {instead}, which no recording does exactly."
    ]
    known = result.controls
    if known is not None and known.sound_losses is not None:
        losses = [*known.sound_losses[:, step], known.losses[0, step], known.kept_losses[0, step]]
        parts.append(
            f"These very sounds lose {losses[0]:.1f} and {losses[1]:.1f} {options['unit']}; the cells, "
            f"{losses[2]:.1f} and {losses[3]:.1f}."
        )
    return " ".join(parts)


def status_line(result: PhonemeSaliency, values: Values) -> str:
    """What is on screen, in one line."""
    options, step = result.provenance["options"], int(values["step"]) - 1
    parts = [f"**{result.provenance['model']}**", html.escape(options["target"])]
    parts.append(f"{result.kept[step]} of {len(result.phones)} phones ({result.seconds[step]:.2f} s) are kept")
    without, only = result.losses(), result.losses(kept=True)
    if without.own is not None and np.isfinite(without.own[0, step]):
        loss = f"without them {without.own[0, step]:.1f} {options['unit']} are lost"
        parts.append(loss + _against_chance(without.random, step, result.z()[step], "all phones are gone"))
        kept = f"with nothing but them, {only.own[0, step]:.1f}"
        parts.append(kept + _against_chance(only.random, step, result.z(kept=True)[step], "all phones are there"))
    if options.get("window") == "clip" and result.provenance["family"] == "whisper":
        parts.append("clip-only window: another input than Whisper was trained on")
    if result.controls and result.controls.refused:
        refused = result.controls.refused
        parts.append(f"with random weights integrated gradients did not add up (seeds {refused}): no map")
    return " · ".join(parts)


def _against_chance(random: np.ndarray | None, step: int, z: float, otherwise: str) -> str:
    if random is None or len(random) < 2:
        return ""
    losses = random[:, step]
    told = f" ({len(losses)} random sets of equal time {losses.mean():.1f} ± {losses.std(ddof=1):.1f}"
    return told + (f", z = {z:.1f})" if np.isfinite(z) else f": {otherwise})")
