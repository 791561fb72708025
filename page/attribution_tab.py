"""The tab of attribution: the map on the clip's time axis, what is left of the answer, and the tests below it."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np

from methods import attribution
from methods.core import ctc_words, evidence, models, perturb, targets
from methods.core.attribution_result import Attribution
from methods.core.cue import text_words
from methods.core.errors import UserError
from methods.core.gradients import GRADIENT_METHODS
from methods.core.network import SpeechModel
from methods.core.results import Steps
from methods.core.targets import Kind
from page.attribution_parts import drawn
from page.session import Session
from page.sound_plot import SoundPlot
from page.technique_tab import Recipe, Shell, Tab, Values, technique_tab

MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
LONGEST_WORD = "0"
LONGEST_TEXT = 60  # characters of the rival word
KINDS: dict[Kind, str] = {
    "word": "a word",
    "token": "its longest token",
    "transcript": "the whole transcript",
    "contrast": "a word rather than another",
    "language": "the language",
    "ctc": "symbols or a word (CTC)",
    "class": "the class",
}
LEVELS = [("log-mel", "log-mel"), ("waveform", "waveform"), ("convolutions' output", "embedding")]
CUTS = [("words or phones, as above", "segments"), ("windows of 70 ms", "windows")]
WINDOWS = [("the clip only: ten times quicker, not the usual input", "clip"), ("exact 30 s", "full")]
TESTS = [("with all tests", "yes"), ("the map only", "no"), ("the map, and heads of our own", "heads")]
HEADS = 5
PAGE_LIMIT = 180.0  # s, for one attribution on a page that others wait for
RULES = (  # control -> its values, the default first
    ("kind", tuple(KINDS)),
    ("method", evidence.METHODS),
    ("level", tuple(value for _, value in LEVELS)),
    ("aggregate", tuple(evidence.AGGREGATES)),
    ("replacement", tuple(perturb.MODES)),
    ("cut", tuple(value for _, value in CUTS)),
    ("window", tuple(value for _, value in WINDOWS)),
    ("tests", tuple(value for _, value in TESTS)),
)


def attribution_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; the list of words follows the clip."""
    made: dict[str, gr.components.Component] = {}

    def controls() -> dict[str, gr.components.Component]:
        made.update(_controls())
        return made

    recipe = Recipe(
        module=attribution,
        controls=controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        fitted=lambda _result, values: fitted(values),
        rerun=("kind", "word", "method", "level", "aggregate", "replacement", "cut", "window", "tests"),
    )
    tab = technique_tab(recipe, shell)
    shell.follow(_word_list, [made["word"]])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    kinds = [(name, kind) for kind, name in KINDS.items()]
    with gr.Row(elem_classes="controls"):
        kind = gr.Dropdown(kinds, value="word", label="What is explained", interactive=True, min_width=200)
        word = gr.Dropdown(_places(()), value=LONGEST_WORD, label="Word", interactive=True, min_width=160)
        against = gr.Textbox(
            "", label="Rather than (word, language or class)", max_lines=1, max_length=LONGEST_TEXT, interactive=True,
            min_width=200,
        )  # fmt: skip
        method = gr.Dropdown(
            list(evidence.METHODS), value="leave one out", label="Method", interactive=True, min_width=200
        )
    with gr.Row(elem_classes="controls"):
        window = gr.Radio(WINDOWS, value="clip", label="What Whisper is given", interactive=True, min_width=320)
        tests = gr.Radio(TESTS, value="yes", label="Run", interactive=True, min_width=220)
    with gr.Accordion("More: pieces, what stands in, level and aggregation", open=False), gr.Row():
        cut = gr.Radio(CUTS, value="segments", label="Pieces", interactive=True, min_width=260)
        replacement = gr.Dropdown(
            list(perturb.MODES), value="silence", label="In place of a piece", interactive=True, min_width=160
        )
        level = gr.Radio(LEVELS, value="log-mel", label="Gradients to", interactive=True, min_width=260)
        aggregate = gr.Dropdown(
            list(evidence.AGGREGATES), value="sum", label="Brought together by", interactive=True, min_width=160
        )
    return {
        "kind": kind, "word": word, "against": against, "method": method, "level": level, "aggregate": aggregate,
        "replacement": replacement, "cut": cut, "window": window, "tests": tests,
    }  # fmt: skip


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-attribution")
    players = gr.HTML(elem_id="texts-attribution")
    gr.Markdown("#### Does the answer follow the map? Against 20 random orders and the loudest first")
    with gr.Row():
        deletion, insertion = gr.HTML(elem_id="deletion-attribution"), gr.HTML(elem_id="insertion-attribution")
    table = gr.HTML(elem_id="table-attribution")
    gr.Markdown("#### Do methods agree, and does the map stay when the sound changes a little?")
    with gr.Row():
        agreement, steady = gr.HTML(elem_id="agreement-attribution"), gr.HTML(elem_id="steady-attribution")
    gr.Markdown("#### How much of the map is what stands in for the sound?")
    modes = gr.HTML(elem_id="modes-attribution")
    gr.Markdown("#### Do five heads trained on other halves of the recordings agree?")
    heads = gr.HTML(elem_id="heads-attribution")
    return [plot, players, deletion, insertion, table, agreement, steady, modes, heads]


def _places(words: tuple) -> list[tuple[str, str]]:
    named = [(f"{number}. {word.label}", str(number)) for number, word in enumerate(words, start=1)]
    unnamed = [(str(number), str(number)) for number in range(1, MOST_WORDS + 1)]
    return [("the longest (CTC: all)", LONGEST_WORD), *(named or unnamed)]


def _word_list(session: Session | None, _units: str, word: str) -> list[dict]:
    """The words of the clip with their numbers; what was chosen stays chosen while it exists."""
    words = (session.words or ())[:MOST_WORDS] if session else ()
    kept = word if word and word.isdigit() and (not words or int(word) <= len(words)) else LONGEST_WORD
    return [gr.update(choices=_places(words), value=kept)]


def fitted(values: Values) -> Values:
    """The values that a link brought, within what there is."""
    known = {name: values.get(name) if values.get(name) in allowed else allowed[0] for name, allowed in RULES}
    word = str(values.get("word") or "")
    known["word"] = word if word.isdigit() and int(word) <= MOST_WORDS else LONGEST_WORD
    known["against"] = str(values.get("against") or "").strip()[:LONGEST_TEXT]
    return known


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    values = fitted(values)
    possible = targets.kinds(model)
    kind = values["kind"] if values["kind"] in possible or not possible else possible[0]
    windows, with_heads = values["cut"] == "windows", values["tests"] == "heads"
    segments = session.words if windows else session.segments(units)
    return attribution.analyse_in_steps(
        session.clip,
        model,
        segments=segments or (() if windows and not model.writes_text else None),
        target=kind,
        **_chosen_word(session, model, kind, values["word"]),
        against=values["against"] or None,
        transcript=session.text if model.writes_text else None,
        window=values["window"],
        pieces="windows" if windows else units,
        method=values["method"],
        level=values["level"],
        aggregate=values["aggregate"],
        replacement=values["replacement"],
        checks=values["tests"] == "yes",
        heads=HEADS if with_heads else 0,
        phones=session.phones or None if with_heads else None,
        time_limit=PAGE_LIMIT,
    )


def _chosen_word(session: Session, model: SpeechModel, kind: str, number: str) -> Values:
    """The word with this number: in the text that the model writes (or is given), or by its time for CTC models."""
    place = int(number) - 1
    if place < 0 or kind not in ("word", "contrast", "ctc"):
        return {}
    if not model.writes_text:
        words = session.words or ctc_words.heard(session.clip, model)
        wanted, occurrence = ctc_words.at(session.clip, model, _numbered(words, place, "This clip has"))
        return {"wanted": wanted, "occurrence": occurrence}
    words = text_words(models.transcribe(session.clip, model, text=session.text))
    chosen = _numbered(words, place, f"{model.id} writes").label
    same = [index for index, word in enumerate(words) if word.label.casefold() == chosen.casefold()]
    return {"wanted": chosen, "occurrence": same.index(place) + 1}


def _numbered(words: Sequence[Any], place: int, who: str) -> Any:
    if place >= len(words):
        raise UserError(
            f"{who} {len(words)} words for this clip ({', '.join(word.label for word in words[:12])}), so there is no "
            f"number {place + 1}; choose another word."
        )
    return words[place]


def status_line(result: Attribution, _values: Values) -> str:
    """What is on screen, in one line, and what is not the usual input."""
    options, own = result.provenance["options"], result.own
    parts = [f"**{result.provenance['model']}**, {result.target}: {result.whole:.2f} {result.unit}", own.method]
    if own.method in GRADIENT_METHODS:
        parts.append(f"to the {own.level}, {options['aggregate']}")
    parts.append(f"{options['replacement']} in place of what is gone")
    if result.provenance["decoder"]:
        exact = options["window"] == "full"
        parts.append("exact 30 s window" if exact else "**clip-only window: not the input Whisper was trained on**")
    if np.isfinite(own.gap):
        parts.append(f"the parts add up to {own.total:.2f}, {own.gap:.1%} off")
    if np.isfinite(own.fit):
        parts.append(f"local fit R² {own.fit:.2f}")
    if own.outside:
        parts.append(f"{own.outside:.2f} falls on the silence behind the clip")
    orders = len(result.verdict.random) if result.verdict else 0
    if result.others and orders < options["orders"]:
        parts.append(f"{orders} of {options['orders']} random orders: more would take too long")
    if options["checks"] and len(result.modes) < len(options["modes"]):
        parts.append("tests are being computed …")
    if options["heads"] and "heads" not in result.refused and (result.heads is None or not result.heads.complete):
        parts.append("heads are being trained and explained …")
    return " · ".join(parts)
