"""The tab of attribution: the map on the clip's time axis, what is left of the answer, and the tests below it."""

from collections.abc import Sequence
from typing import TypeVar

import gradio as gr
import numpy as np

from methods import attribution
from methods.attribution import target_places
from methods.attribution.figure import judgement
from methods.attribution.result import Attribution
from methods.core import models
from methods.core.errors import UserError
from methods.core.explain import attribution_map, perturb, targets
from methods.core.explain.gradients import GRADIENT_METHODS
from methods.core.explain.targets import Kind
from methods.core.frames import Segment
from methods.core.lenses import ctc_words
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.tabs.attribution_output import drawn
from page.technique_tab import technique_tab
from page.widgets.sound_plot import SoundPlot

Named = TypeVar("Named", Segment, target_places.Choice)
MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
MOST_PLACES = {"token": 200, "language": 100, "class": 200}  # kind -> numbers that a link may hold, as “class:7”
LONGEST_WORD = "0"
TELLING = {"token": "the longest", "language": "what it hears", "class": "the likeliest"}  # kind -> without a number
LONGEST_TEXT = 60  # characters of the rival word
KINDS: dict[Kind, str] = {
    "word": "a word",
    "token": "a token",
    "transcript": "the whole transcript",
    "contrast": "a word rather than another",
    "language": "a language",
    "ctc": "symbols or a word (CTC)",
    "class": "a class",
}
LEVELS = [("log-mel", "log-mel"), ("waveform", "waveform"), ("convolutions' output", "embedding")]
CUTS = [("words or phones, as at the side", "segments"), ("windows of 70 ms", "windows")]
WINDOWS = [("the clip only: ten times quicker, not the usual input", "clip"), ("exact 30 s", "full")]
TESTS = [("with all tests", "yes"), ("the map only", "no"), ("the map, and heads of our own", "heads")]
HEADS = 5
NUMBERED = {f"{kind}:{number}": kind for kind, most in MOST_PLACES.items() for number in range(1, most + 1)}
PAGE_LIMIT = 180.0  # s, for one attribution on a page that others wait for
RULES = (  # control -> its values, the default first
    ("kind", tuple(KINDS)),
    ("method", attribution_map.METHODS),
    ("level", tuple(value for _, value in LEVELS)),
    ("aggregate", tuple(attribution_map.AGGREGATES)),
    ("replacement", tuple(perturb.MODES)),
    ("cut", tuple(value for _, value in CUTS)),
    ("window", tuple(value for _, value in WINDOWS)),
    ("tests", tuple(value for _, value in TESTS)),
)
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "samples": (2, 512),
    "share": (0.01, 1),
    "orders": (3, 50),
    "heads": (0, 9),
}


def attribution_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; the list of words follows the clip."""
    recipe = Recipe(
        module=attribution,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        fitted=lambda _result, values: fitted(values),
        ranges=ranges,
        rerun=("kind", "word", "method", "level", "aggregate", "replacement", "cut", "window", "tests"),
    )
    tab = technique_tab(recipe, shell)
    shell.follow(_word_list, [tab.controls["kind"], tab.controls["word"]])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    kinds = [(name, kind) for kind, name in KINDS.items()]
    with gr.Row(elem_classes="controls"):
        kind = gr.Dropdown(kinds, value="word", label="What is explained", interactive=True, min_width=200)
        word = gr.Dropdown(
            [*_places(()), *((value, value) for value in sorted(NUMBERED))], value=LONGEST_WORD,
            label="Which word, token, language or class", interactive=True, min_width=200,
        )  # fmt: skip
        against = gr.Textbox(
            "", label="Rather than (word, language or class)", max_lines=1, max_length=LONGEST_TEXT, interactive=True,
            min_width=200,
        )  # fmt: skip
        method = gr.Dropdown(
            list(attribution_map.METHODS), value="leave one out", label="Method", interactive=True, min_width=200
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
            list(attribution_map.AGGREGATES), value="sum", label="Brought together by", interactive=True, min_width=160
        )
    return {
        "kind": kind, "word": word, "against": against, "method": method, "level": level, "aggregate": aggregate,
        "replacement": replacement, "cut": cut, "window": window, "tests": tests,
    }  # fmt: skip


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-attribution")
    players = gr.HTML(elem_id="texts-attribution")
    gr.Markdown("#### Does the answer follow the map? Against random orders, the loudest and the longest first")
    with gr.Row():
        deletion, insertion = gr.HTML(elem_id="deletion-attribution"), gr.HTML(elem_id="insertion-attribution")
    table = gr.HTML(elem_id="table-attribution")
    gr.Markdown("#### Do methods agree, and does the map stay when the sound changes a little?")
    with gr.Row():
        agreement, steady = gr.HTML(elem_id="agreement-attribution"), gr.HTML(elem_id="steady-attribution")
    gr.Markdown("#### How much of the scores is what stands in for the sound?")
    modes = gr.HTML(elem_id="modes-attribution")
    gr.Markdown("#### Do five heads trained on other halves of the recordings agree?")
    heads = gr.HTML(elem_id="heads-attribution")
    return [plot, players, deletion, insertion, table, agreement, steady, modes, heads]


def _places(words: tuple) -> list[tuple[str, str]]:
    named = [(f"{number}. {word.label}", str(number)) for number, word in enumerate(words, start=1)]
    unnamed = [(str(number), str(number)) for number in range(1, MOST_WORDS + 1)]
    return [_unchosen("word"), *(named or unnamed)]


def _unchosen(kind: str) -> tuple[str, str]:
    return TELLING.get(kind, "the longest (CTC: all)"), LONGEST_WORD


def _word_list(session: Session | None, _units: str, kind: str, word: str) -> list[dict]:
    """The words of the clip with their numbers; what was chosen stays chosen while it exists.

    Tokens and classes have numbers only, until a run has named them: they are the model's.
    """
    words = (session.words or ())[:MOST_WORDS] if session else ()
    kept = chosen(kind, word)
    if kept.isdigit() and words and int(kept) > len(words):
        kept = LONGEST_WORD
    named = [_unchosen(kind), *([(kept.replace(":", " "), kept)] if kept in NUMBERED else [])]
    return [gr.skip(), gr.update(choices=named if kind in MOST_PLACES else _places(words), value=kept)]


def chosen(kind: str, word: str) -> str:
    """The value of the list of words, for what is explained now; a number that was meant for another kind is gone."""
    word = str(word or "")
    if kind in MOST_PLACES:
        return word if NUMBERED.get(word) == kind else LONGEST_WORD
    return word if word.isascii() and word.isdigit() and int(word) <= MOST_WORDS else LONGEST_WORD


def ranges(result: Attribution, values: Values) -> Updates:
    """The words, tokens, languages or classes that this model has, by name."""
    kind = result.provenance["options"]["target"] or values["kind"]
    if not result.choices:
        return {}
    most, before = MOST_PLACES.get(kind, MOST_WORDS), f"{kind}:" if kind in MOST_PLACES else ""
    listed = [(f"{n}. {name}", f"{before}{n}") for n, name in enumerate(result.choices[:most], start=1)]
    return {"word": gr.update(choices=[_unchosen(kind), *listed], value=chosen(kind, values["word"]))}


def fitted(values: Values) -> Values:
    """The values that a link brought, within what there is."""
    known = {name: values.get(name) if values.get(name) in allowed else allowed[0] for name, allowed in RULES}
    known["word"] = chosen(known["kind"], values.get("word"))
    known["against"] = str(values.get("against") or "").strip()[:LONGEST_TEXT]
    return known


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    values = fitted(values)
    possible = targets.kinds(model)
    kind = values["kind"] if values["kind"] in possible or not possible else possible[0]
    windows, with_heads = values["cut"] == "windows", values["tests"] == "heads"
    segments = session.words if windows else session.segments(units)
    return attribution.analyse.in_steps(
        session.clip,
        model,
        segments=segments or (() if windows and not model.writes_text else None),
        target=kind,
        **_chosen_word(session, model, kind, chosen(kind, values["word"])),
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
    """What has this number: in the model's text (or that it is given), by its time for CTC models, or a class."""
    place = int(number.rsplit(":", 1)[-1]) - 1
    if place < 0 or kind == "transcript" or kind not in targets.kinds(model):
        return {}
    if kind in ("ctc", "contrast") and not model.writes_text:
        words = session.words or ctc_words.heard(session.clip, model)
        wanted, occurrence = ctc_words.at(session.clip, model, _numbered(words, place, "words", "This clip has"))
        return {"wanted": wanted, "occurrence": occurrence}
    text = models.transcribe(session.clip, model, text=session.text) if model.writes_text else None
    found = target_places.choices(session.clip, model, kind, text)
    named = {"token": "tokens", "language": "languages", "class": "classes"}.get(kind, "words")
    choice = _numbered(found, place, named, f"{model.id} {'writes' if text and kind != 'language' else 'has'}")
    return {"wanted": choice.wanted, "occurrence": choice.occurrence, "head": choice.head}


def _numbered(found: Sequence[Named], place: int, what: str, who: str) -> Named:
    if place >= len(found):
        names = ", ".join(each.label if hasattr(each, "label") else each.name for each in found[:12])
        raise UserError(
            f"{who} {len(found)} {what} for this clip ({names}), so there is no number {place + 1}; choose another."
        )
    return found[place]


def status_line(result: Attribution, _values: Values) -> str:
    """What is on screen, in one line, and what is not the usual input."""
    options, own = result.provenance["options"], result.own
    parts = [f"**{result.provenance['model']}**, {result.target}: {result.whole:.2f} {result.unit}", own.method]
    if own.method in GRADIENT_METHODS:
        parts.append(f"to the {own.level}, {options['aggregate']}")
    parts.append(replacements(result))
    if result.provenance["decoder"]:
        exact = options["window"] == "full"
        parts.append("exact 30 s window" if exact else "**clip-only window: not the input Whisper was trained on**")
    if np.isfinite(own.gap):
        parts.append(f"the parts add up to {own.total:.2f}, {own.gap:.1%} off")
    if np.isfinite(own.fit):
        parts.append(f"local fit R² {own.fit:.2f}")
    if own.outside:
        parts.append(f"{own.outside:.2f} falls on the silence behind the clip")
    return " · ".join([*parts, *_tests_told(result)])


def _tests_told(result: Attribution) -> list[str]:
    """What the tests say in short."""
    options, verdict, parts = result.provenance["options"], result.controls.verdict, []
    orders = len(verdict.random) if verdict else 0
    if result.controls.others and orders < options["orders"]:
        parts.append(f"{orders} of {options['orders']} random orders: more would take too long")
    if verdict is not None:
        parts.append(f"deletion by time, {orders} random orders: {judgement(result, 'deletion')}")
    return parts


def replacements(result: Attribution) -> str:
    """What stands in for the sound: for the map itself, and for its tests."""
    instead, own = result.provenance["options"]["replacement"], result.own
    if own.method not in GRADIENT_METHODS:
        return f"{instead} in place of what is gone"
    if not own.start:
        return f"the tests put {instead} in place of what is gone"
    if own.start == instead:
        return f"starts from {instead}, which the tests put in place of what is gone"
    return f"**starts from {own.start}: a {instead} leaves nothing to start from**; the tests {instead} pieces out"
