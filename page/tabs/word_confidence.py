"""The tab of word confidence: the text shaded by doubt, its words over time, the evidence, and a table of pieces."""

import html

import gradio as gr
import numpy as np

from methods import word_confidence
from methods.core import models
from methods.core.errors import counted
from methods.core.figures import signed
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.word_confidence import BASELINES, WordConfidence
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.shaded_words import alternatives, percent, shaded_text, shown
from page.widgets.sound_plot import SoundPlot
from page.widgets.tables import html_table

NARROWEST = 5.0  # nats at the ends of the colour scale: what hardly speaks for a word must not look strong
AGAINST = [("silence", "silence"), ("the clip's own average", "mean")]


def word_confidence_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=word_confidence,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    with gr.Row(elem_classes="controls"):
        label = "Evidence of words, against"
        return {"against": gr.Radio(AGAINST, value="silence", label=label, interactive=True, min_width=260)}


def _outputs() -> tuple[gr.components.Component, ...]:
    return (
        gr.HTML(elem_id="words-word_confidence", elem_classes="sure-box", padding=False),
        SoundPlot(elem_id="plot-word_confidence"),
        gr.HTML(elem_id="table-word_confidence"),
    )


def _steps(session: Session, model: SpeechModel, _units: str, _values: Values) -> Steps:
    """The visitor's text, where the model could write it; its times where they are of that text."""
    text = session.text if spells_text(model) else None
    segments = session.words if text is not None and model.writes_text else None
    return word_confidence.analyse.in_steps(session.clip, model, segments=segments, transcript=text)


def spells_text(model: SpeechModel) -> bool:
    """Whether a text in letters can be asked of it: a recogniser of phones has no letters."""
    vocabulary = models.ctc_vocabulary(model)
    return model.writes_text or (vocabulary is not None and vocabulary.joint == "")


def drawn(result: WordConfidence, values: Values) -> tuple[str, Values, str]:
    """A value for each output."""
    return shaded_text(result), sound_view(result, values), piece_table(result)


def sound_view(result: WordConfidence, values: Values) -> Values:
    """The words over time by certainty and by evidence, then the evidence of every piece beside its control."""
    rows = []
    timed = [number for number, word in enumerate(result.words) if np.isfinite(word.start)]
    if timed:
        words = [Segment(result.words[n].label, result.words[n].start, result.words[n].end) for n in timed]
        evidence = result.word_evidence(values["against"])[timed]
        limit = max(signed.limit_of(evidence), NARROWEST)
        rows.append(sound_plot.segments_row(words, "certainty", scores=result.certainty()[timed], unit="probability"))
        scale = {"vmin": -limit, "vmax": limit, "scale": "rdbu", "unit": "nats"}
        rows.append(sound_plot.segments_row(words, "evidence", scores=evidence, **scale))
    names, cells = _evidence_rows(result)
    limit = max(signed.limit_of(cells), NARROWEST)
    options = {"vmin": -limit, "vmax": limit, "scale": "rdbu", "unit": "nats", "decimals": 1}
    options["sentence"] = (
        "Against *{row}*, the sound adds {value} nats to *{column}*",
        "Against *{row}*, the sound takes {value} nats from *{column}*",
    )
    random = result.random_evidence()
    control = "" if random is None else f", and with random weights, mean of {counted(len(random), 'seed')}"
    title = f"What the sound adds to each piece of text (nats), against two baselines{control}"
    pieces = [shown(result, piece) for piece in result.pieces]
    rows.append(
        sound_plot.grid_row(cells, names, pieces, title=title, row_name="what hearing is compared with",
                             column_name="piece of text", **options)
    )  # fmt: skip
    told = zip((word.label for word in result.words), result.certainty(), strict=True)
    summary = f"Certainty by word: {', '.join(f'{label} {percent(p)}' for label, p in told) or 'no words'}."
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _evidence_rows(result: WordConfidence) -> tuple[list[str], np.ndarray]:
    """Names and (rows, pieces) nats: both baselines, then the mean of the random twins for each."""
    short = {"silence": "silence", "mean": "average"}
    names, rows = [short[name] for name in BASELINES], [result.evidence(name) for name in BASELINES]
    for name in BASELINES:
        random = result.random_evidence(name)
        if random is not None:
            names.append(f"random: {short[name]}")
            rows.append(random.mean(0))
    return names, np.stack(rows)


def piece_table(result: WordConfidence) -> str:
    """Every piece with its probability, the width of the choice, the others, and what the sound adds."""
    silence, mean, random = result.evidence("silence"), result.evidence("mean"), result.random_evidence("silence")
    rows = [
        (
            html.escape(shown(result, piece)),
            html.escape(percent(float(np.exp(result.logprobs[place])))),
            f"{result.entropy[place]:.1f}",
            html.escape(alternatives(result, place, most=5)),
            _signed(silence[place]),
            _signed(mean[place]),
            "…" if random is None else _signed(random[:, place].mean()),
        )
        for place, piece in enumerate(result.pieces)
    ]
    names = (
        "piece", "probability", "entropy (bits)", "else", "evidence against silence (nats)",
        "against its own average (nats)", "against silence, random weights",
    )  # fmt: skip
    return html_table(names, rows)


def _signed(nats: float) -> str:
    return f"{nats:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0").replace("-", "−")


def status_line(result: WordConfidence, _values: Values) -> str:
    """What is on screen, in one line."""
    text = "the text you gave" if result.provenance["options"]["transcript_given"] else "what the model writes"
    parts = [f"**{result.provenance['model']}**: {text}", f"log-probability of the whole: {result.total:.1f} nats"]
    if result.no_speech is not None:
        quiet = result.silence_no_speech
        parts.append(f"no-speech probability {percent(result.no_speech)} (digital silence: {percent(quiet)})")
    count = int(result.unheard().sum())
    parts.append(f"{count} of {counted(len(result.words), 'word')} with hardly any evidence from the sound")
    if result.by_paths:
        parts.append("a CTC head: each symbol at its own frames, over all paths; words are shaded by symbol")
    if result.words and not np.isfinite(result.words[0].start):
        parts.append("its words could not be placed in time")
    return " · ".join(parts)
