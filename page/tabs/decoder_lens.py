"""The tab of the decoder lens: what is written from each layer, word by word in colour, and how likely the text is."""

import html
from collections.abc import Iterator

import gradio as gr

from methods import decoder_lens
from methods.core import alignment
from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.frames import AlignmentError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech import edits as text_edits
from methods.decoder_lens import DecoderLens
from page.examples import EXAMPLES
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot
from page.widgets.tables import html_table

NORM = [("as the decoder is used to (final LayerNorm)", "yes"), ("raw", "no")]
READ = "From encoder layer *{row}*, the decoder gives *{column}* a log-probability of {value}"
READ_OUT = "Read out of decoder layer *{row}*, *{column}* has a log-probability of {value}"
AGAINST = [("the final transcript", "final"), ("what was said", "reference")]
# Never by colour alone: each kind has a line or a slant too. Tints that text can be read on, light or dark.
STYLES = {
    "correct": "background:rgba(16,185,129,.28)",
    "substituted": "background:rgba(217,119,6,.30);text-decoration:underline dotted",
    "inserted": "background:rgba(124,58,237,.25);font-style:italic",
    "deleted": "opacity:.6;text-decoration:line-through",
}


def decoder_lens_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=decoder_lens,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        covers=lambda result, values: result.provenance["options"]["norm"] == (values["norm"] == "yes"),
        rerun=("norm",),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    with gr.Row(elem_classes="controls"):
        return {
            "against": gr.Radio(AGAINST, value="final", label="Colour words against", interactive=True, min_width=260),
            "norm": gr.Radio(NORM, value="yes", label="Earlier layers", interactive=True, min_width=240),
        }


def _outputs() -> tuple[gr.components.Component, ...]:
    texts = gr.HTML(elem_id="texts-decoder_lens")
    gr.Markdown("#### Is this real? Log-probability of the text against its controls; errors")
    with gr.Row():
        curves = gr.HTML(elem_id="curve-decoder_lens"), gr.HTML(elem_id="errors-decoder_lens")
    return texts, *curves, SoundPlot(elem_id="plot-decoder_lens")


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    reference = session.text or (EXAMPLES[session.example].transcript if session.example else None)
    return decoder_lens.analyse.in_steps(
        session.clip,
        model,
        segments=_words(session, model),
        transcript=session.text,
        reference=reference,
        norm=values["norm"] == "yes",
    )


def _words(session: Session, model: SpeechModel) -> tuple:
    """The words of the text that is forced upon the decoder; none where it cannot be said when they are spoken."""
    if session.text is not None or not model.writes_text:
        return session.words or ()
    try:
        return alignment.words(session.clip, model)
    except AlignmentError:
        return ()


def drawn(result: DecoderLens, values: Values) -> tuple[str, str, str, Values]:
    """A value for each output."""
    means = ", ".join(f"{value:.1f}" for value in result.logprobs.mean(-1))
    errors = ", ".join(f"{value:.2f}" for value in result.error_rates())
    curves = (
        (decoder_lens.logprob_curves(result), "log-probability per token", f"Log-probability by layer: {means}."),
        (decoder_lens.error_curves(result), "error rate (capped at 1)", f"Word error rate by layer: {errors}."),
    )
    pictures = [
        inline_svg(lambda ax, ink, c=c, u=unit: curve_figures.layer_curves(ax, result.layers, c, u, ink), summary)
        for c, unit, summary in curves
    ]
    return text_table(result, values), *pictures, maps(result)


def text_table(result: DecoderLens, values: Values) -> str:
    """Each layer's text as HTML, top layer first, its words marked by their alignment."""
    against = "reference" if values["against"] == "reference" and result.reference is not None else "final"
    words, characters = result.error_rates(against), result.error_rates(against, characters=True)
    rows = []
    for layer in reversed(range(len(result.layers))):
        rows.append(
            (
                html.escape(result.layers[layer]),
                " ".join(_marked(result, layer, against)),
                f"{words[layer]:.2f}",
                f"{characters[layer]:.2f}",
                f"{result.logprobs[layer].mean():.1f}",
                html.escape("; ".join(result.alarms(layer))),
            )
        )
    names = ("layer", "what the decoder writes", "WER", "CER", "log-prob. of the text, per token", "beware")
    key = " ".join(f"<span style='{style}'>{kind}</span>" for kind, style in STYLES.items())
    return f"{html_table(names, rows)}<p class='quiet'>{key}</p>"


def _marked(result: DecoderLens, layer: int, against: decoder_lens.Against) -> Iterator[str]:
    """The text as it was written, each stretch between spaces marked, with what was left out in its place."""
    edits = list(result.edits(layer, against))
    for chunk in result.texts[layer].split():
        said = len(text_edits.plain_words(chunk))
        kinds = []
        while edits and (len(kinds) < said or edits[0].kind == "deleted"):
            edit = edits.pop(0)
            if edit.kind == "deleted":
                yield _span("deleted", edit.meant)
            else:
                kinds.append(edit.kind)
        worst = next((kind for kind in ("substituted", "inserted", "correct") if kind in kinds), None)
        yield _span(worst, chunk) if worst else html.escape(chunk)
    yield from (_span("deleted", edit.meant) for edit in edits)


def _span(kind: str, text: str) -> str:
    return f"<span style='{STYLES[kind]}' title='{kind}'>{html.escape(text)}</span>"


def maps(result: DecoderLens) -> Values:
    """Layers by words over time where the times are known, then layers by tokens for encoder and decoder."""
    names = [name.split(" ")[0] for name in result.layers]
    common = {"unit": "log-probability", "vmin": decoder_lens.FLOOR, "vmax": 0.0, "decimals": 1}
    rows = []
    if result.words:
        columns = list(zip(result.words, result.starts.tolist(), result.ends.tolist(), strict=True))
        title = "Each word of the text, encoder layer by encoder layer (sum over its tokens)"
        rows.append(
            sound_plot.matrix_row(
                result.word_logprobs(), names, columns, title=title, row_name="encoder layer", column_name="word",
                sentence=READ, **common,
            )
        )  # fmt: skip
    tokens = list(result.tokens)
    depth = [str(layer) for layer in range(len(result.decoder_logprobs))]
    read = "Decoder reading each encoder layer: log-probability of each token"
    depths = "Each decoder layer read out (logit lens): log-probability of each token"
    for values, layers, title, stack, sentence in (
        (result.logprobs, names, read, "encoder layer", READ),
        (result.decoder_logprobs, depth, depths, "decoder layer", READ_OUT),
    ):
        rows.append(
            sound_plot.grid_row(
                values, layers, tokens, title=title, row_name=stack, column_name="token",
                sentence=sentence, **common,
            )
        )  # fmt: skip
    known = [
        f"{token} {layer if layer >= 0 else 'never'}"
        for token, layer in zip(tokens, result.decoder_first, strict=True)
    ]
    summary = f"The decoder layer from which each token is the most likely one: {', '.join(known)}."
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def status_line(result: DecoderLens, _values: Values) -> str:
    """What is on screen, in one line."""
    options = result.provenance["options"]
    text = "the text you gave" if options["transcript_given"] else "the model's own transcript"
    blocks = f"the input and {len(result.layers) - 1} encoder blocks"  # layer 0 is what block 1 reads
    parts = [f"**{result.provenance['model']}**, {blocks}", f"forced text: {text}"]
    parts.append(f"at most {options['most_tokens']} tokens are written per layer")
    parts += [] if options["norm"] else ["without the final LayerNorm: not what the decoder was trained to read"]
    if not result.words:
        timed, written = len(options["segments"]), len(result.text.split())
        have = f"{counted(timed, 'word')} {'has' if timed == 1 else 'have'} times"
        why = f"{have} and the text has {written}" if timed else "its words could not be placed"
        parts.append(f"no map over time: {why}")
    return " · ".join(parts)
