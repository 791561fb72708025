"""The tab of a phone check: phones and their rivals over time, each beside native ones, and one to listen to."""

import html

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import phone_check
from methods.core import corpus as corpora
from methods.core.errors import counted
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech.phone_alphabets import IPA, listed
from methods.phone_check import FEWEST, NOTHING, PhoneCheck
from page.controls import MOST_LAYERS
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

FORMS = [("the whole string, without times", "free"), ("the phone's own frames", "aligned")]
MOST_PHONES = 400  # what one run takes
SHOWN = 0.2  # a phone that is more probable than this in some frame of the layer has a row in the map
EXAMPLES = 2  # native phones of each kind to listen to


def phone_check_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=phone_check,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, values: {"layer": values["layer"], "form": values["form"]},
        fitted=fitted,
        ranges=ranges,
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["form"] = gr.Radio(FORMS, value="free", label="Compare", interactive=True, min_width=280)
        made["layer"] = gr.Slider(0, MOST_LAYERS, value=4, step=1, label="Layer", interactive=True, min_width=180)
        made["phone"] = gr.Slider(
            0, MOST_PHONES, value=0, step=1, label="Listen to phone (0: the one that fits worst)", interactive=True,
            min_width=240,
        )  # fmt: skip
    return made


def _outputs() -> tuple[gr.components.Component, ...]:
    plot = SoundPlot(elem_id="plot-phone_check")
    gr.Markdown("#### One phone: listen to it above, and to native ones of its kind and of its rival's here")
    heard = gr.HTML(elem_id="sound-phone_check")
    gr.Markdown("#### Each phone among native ones, and how many are found in each layer")
    with gr.Row():
        pictures = gr.HTML(elem_id="curve-phone_check"), gr.HTML(elem_id="errors-phone_check")
    return plot, heard, *pictures, gr.HTML(elem_id="table-phone_check")


def _steps(session: Session, model: SpeechModel, _units: str, _values: Values) -> Steps:
    """The clip's own phones; where it has none, those of its text, or of the words that are heard."""
    if session.phones:
        return phone_check.analyse.in_steps(
            session.clip, model, segments=session.phones, words=session.words, transcript=session.text
        )
    text = session.text or " ".join(word.label for word in session.words or ()) or None
    return phone_check.analyse.in_steps(session.clip, model, transcript=text)


def fitted(result: PhoneCheck, values: Values) -> Values:
    """The control values, within what this result has; `shown` is the place of the phone to listen to."""
    layer = min(max(int(values["layer"]), 0), len(result.layers) - 1)
    number = min(max(int(values["phone"]), 0), len(result.phones))
    return values | {
        "layer": layer,
        "phone": number,
        "shown": number - 1 if number else result.worst(values["form"], layer),
    }


def ranges(result: PhoneCheck, values: Values) -> Updates:
    """As many layers and phones as there are."""
    return {
        "layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"]),
        "phone": gr.Slider(maximum=len(result.phones), value=values["phone"]),
    }


def drawn(result: PhoneCheck, values: Values) -> tuple[Values, str, str, str, str]:
    """A value for each output."""
    layer, form = values["layer"], values["form"]

    def marks(ax: Axes, ink: str) -> None:
        phone_check.phone_marks(ax, result, layer, form, ink)

    def curves(ax: Axes, ink: str) -> None:
        phone_check.found_curves(ax, result, form, ink)

    width = min(max(0.22 * len(result.phones) + 1.5, 5.4), 14.0)
    found = ", ".join(f"{share:.2f}" for share in result.found(form))
    return (
        sound_view(result, values),
        _sounds(result, values),
        inline_svg(marks, f"{doubts(result, values)} The table has the numbers.", (width, 3.4)),
        inline_svg(curves, f"Share of phones that no rival beats, by layer: {found}.", (5.0, 3.4)),
        phone_table(result, values),
    )


def sound_view(result: PhoneCheck, values: Values) -> Values:
    """Phones by how many native ones fit better, rivals where they win, and one layer's probabilities over time."""
    layer, form, place = values["layer"], values["form"], values["shown"]
    margins, rivals = result.margins(form)[layer], result.rivals(form)[layer]
    spans = list(zip(result.starts.tolist(), result.ends.tolist(), strict=True))
    doubt = {"vmin": 0.0, "vmax": 100.0, "scale": "oranges", "unit": "% of native ones fit better"}
    better = 100 - result.percentiles(form)[layer]
    said = [(_written(name), *span) for name, span in zip(result.phones, spans, strict=True)]
    rows = [sound_plot.segments_row(said, "phones", scores=better, **doubt)]
    instead = [(_written(rivals[i]), *spans[i]) for i in range(len(spans)) if margins[i] < 0]
    if instead:
        scores = [-margins[i] for i in range(len(spans)) if margins[i] < 0]
        limit = {"vmin": 0.0, "vmax": max(*scores, 5.0), "scale": "blues", "unit": "nats better"}
        rows.append(sound_plot.segments_row(instead, "heard instead", scores=scores, **limit))
    rows.append(_probabilities(result, layer))
    own, rival = result.kinds[result.own[place]], str(rivals[place])
    lines = {name: result.posteriors[layer, :, result.kinds.index(name)] for name in (own, rival) if name != NOTHING}
    named = {_written(name): line for name, line in lines.items()}
    rows.append(sound_plot.line_row(named, f"P({own.upper()})", vmin=0.0, vmax=1.0, dashed=[_written(rival)]))
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, doubts(result, values), clip=origin["clip_sha256"])


def _probabilities(result: PhoneCheck, layer: int) -> Values:
    """The phones that are claimed or are likely somewhere, frame by frame."""
    values, half = result.posteriors[layer], (result.times[1] - result.times[0]) / 2 if len(result.times) > 1 else 0.01
    shown = [k for k in range(len(result.kinds)) if k in result.own or values[:, k].max() >= SHOWN]
    shown.sort(key=lambda k: int(values[:, k].argmax()))
    edges = np.clip(np.stack([result.times - half, result.times + half]), 0, result.provenance["seconds"]).T.tolist()
    columns = [(f"{time:.2f} s", *span) for time, span in zip(result.times, edges, strict=True)]
    title = f"Layer {result.layers[layer]}: what the head reads, frame by frame"
    options = {"unit": "probability", "vmax": 1.0, "row_name": "phone", "column_name": "moment (one frame)",
               "sentence": "At *{column}* the head gives *{row}* a probability of {percent}"}  # fmt: skip
    return sound_plot.matrix_row(values[:, shown].T, [_written(result.kinds[k]) for k in shown], columns, title=title,
                                 **options)  # fmt: skip


def _written(label: str) -> str:
    """A phone as it is labelled, ARPAbet in capitals."""
    return label.upper() if label.upper() in IPA else label


def _both(kind: str) -> str:
    """A kind of phone in both alphabets."""
    return f"{kind.upper()} [{IPA[kind.upper()]}]" if kind.upper() in IPA else kind


def doubts(result: PhoneCheck, values: Values) -> str:
    """The phones that are doubted, in words."""
    layer, form = values["layer"], values["form"]
    if result.native is None:
        return "Phones of native speakers are still being read."
    rivals, ranks = result.rivals(form)[layer], result.percentiles(form)[layer]
    found = [
        f"{_written(result.phones[i])} at {result.starts[i]:.2f} s (rather {_written(rivals[i])}, percentile "
        f"{ranks[i]:.0f})"
        for i in np.flatnonzero(result.doubted(form)[layer])
    ]
    return f"Doubted phones: {', '.join(found) or 'none'}."


def _sounds(result: PhoneCheck, values: Values) -> str:
    """What is said of one phone, and native phones of its kind and its rival's to listen to."""
    place, layer, form = values["shown"], values["layer"], values["form"]
    own, rival = result.kinds[result.own[place]], str(result.rivals(form)[layer, place])
    margin = result.margins(form)[layer, place]
    where = f" in “{html.escape(result.words[place])}”" if result.words[place] else ""
    told = (
        f"<p><b>{place + 1}. {_both(own)}</b>{where}, {result.starts[place]:.2f}–{result.ends[place]:.2f} s: margin "
        f"{_signed(margin)} nats over {_both(rival)}; {_rank(result, values, place)}.</p>"
    )
    corpus = corpora.bundled("prompts").joined(corpora.bundled("voices"))
    tokens = [token for kind in (own, rival) for token in _native(corpus, kind)]
    return told + players.players(corpus, tokens)


def _native(corpus: corpora.Corpus, kind: str) -> list[tuple[str, int, float, float]]:
    """The longest native phones of a kind, of different speakers where there are such: caption, recording, times."""
    there = [
        (phone.end - phone.start, number, phone)
        for number, each in enumerate(corpus.utterances)
        for phone in each.phones
        if phone.label == kind
    ]
    there.sort(key=lambda found: -found[0])
    chosen: list[tuple[str, int, float, float]] = []
    for _, number, phone in there:
        heard = {corpus.utterances[other].speaker for _, other, _, _ in chosen}
        if corpus.utterances[number].speaker not in heard and len(chosen) < EXAMPLES:
            chosen.append((f"native {_both(kind)}", number, phone.start, phone.end))
    return chosen


def _rank(result: PhoneCheck, values: Values, place: int) -> str:
    """Where a phone stands among native ones of its kind, in words."""
    if result.native is None:
        return "native phones are still being read"
    count, rank = result.native_counts()[place], result.percentiles(values["form"])[values["layer"], place]
    if count < FEWEST:
        return f"only {count} native ones to compare with: no percentile"
    return f"percentile {rank:.0f} of {count} native ones"


def _signed(nats: float) -> str:
    return f"{nats:+.1f}".replace("-", "−") if np.isfinite(nats) else "no number"


def phone_table(result: PhoneCheck, values: Values) -> str:
    """Every phone with its best rival, its margin, and its place among native ones."""
    layer, form = values["layer"], values["form"]
    margins, rivals = result.margins(form)[layer], result.rivals(form)[layer]
    doubted = result.doubted(form)[layer]
    random = None if result.controls is None else result.controls.of(form)[:, layer].mean(0)
    rows = [
        (
            str(place + 1),
            html.escape(_written(name)),
            html.escape(result.words[place]),
            f"{result.starts[place]:.2f}",
            _both(str(rivals[place])),
            _signed(margins[place]),
            ("<b>doubted:</b> " if doubted[place] else "") + _rank(result, values, place),
            "…" if random is None else _signed(random[place]),
        )
        for place, name in enumerate(result.phones)
    ]
    names = ("", "phone", "word", "at (s)", "best rival", "margin (nats)", "among native speakers", "random weights")
    caption = f"Layer {result.layers[layer]}, {phone_check.FORMS[form]}"
    return tables.table(names, rows, caption)


def status_line(result: PhoneCheck, values: Values) -> str:
    """What is on screen, in one line."""
    layer, form = values["layer"], values["form"]
    parts = [f"**{result.provenance['model']}**, layer {result.layers[layer]}", f"read by {result.head}"]
    parts.append(f"{int((result.margins(form)[layer] > 0).sum())} of {len(result.phones)} phones beat every rival")
    if result.native is not None:
        known, doubted = int((result.native_counts() >= FEWEST).sum()), int(result.doubted(form)[layer].sum())
        parts.append(
            f"{doubted} of {known} doubted; compared with {len(result.native.kind)} phones of "
            f"{result.native.speakers} native speakers in {counted(result.native.recordings, 'recording')}"
        )
        parts.append("in native speech one in twenty is doubted; this is no assessment of a person")
    if result.unmapped:
        parts.append(f"left out, for this head has no such phone: {html.escape(listed(result.unmapped))}")
    return " · ".join(parts)
