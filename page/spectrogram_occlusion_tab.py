"""The tab of spectrogram occlusion: the spectrogram, a word's map over it, and whether the map can be trusted."""

from typing import Any

import gradio as gr
import numpy as np

from methods import spectrogram_occlusion
from methods.core import occlusion_figure
from methods.core.network import SpeechModel
from methods.core.rereading import SHORT
from methods.core.results import Steps
from methods.core.spectrogram_masks import compactness
from methods.spectrogram_occlusion import SpectrogramOcclusion
from page import sound_plot
from page.pictures import inline_svg
from page.session import Session
from page.sound_plot import SoundPlot
from page.technique_tab import Recipe, Shell, Tab, Values, technique_tab

MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
SENTENCE = "sentence"
WORDS = [("the whole sentence", SENTENCE), *((f"word {n}", str(n)) for n in range(1, MOST_WORDS + 1))]
WINDOWS = [(f"{SHORT} of silence (quick)", "clip"), ("30 s, as in training (slow)", "full")]
NEUTRALS = [("the clip's mean", "mean"), ("digital silence", "padding")]
FEWEST, MOST, STEP = 50, 1000, 50
FRAME = 0.01  # s, of the spectrogram


def spectrogram_occlusion_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it."""
    recipe = Recipe(
        module=spectrogram_occlusion,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=plot_options,
        fitted=fitted,
        ranges=lambda result, values: {"what": gr.Dropdown(_choices(result), value=values["what"])},
        rerun=("masks", "neutral", "window"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    with gr.Row(elem_classes="controls"):
        return {
            "what": gr.Dropdown(WORDS, value=SENTENCE, label="Map for", interactive=True, min_width=200),
            "top": gr.Slider(5, 50, value=20, step=5, label="Show the best … % of cells alone", interactive=True),
            "masks": gr.Slider(FEWEST, MOST, value=300, step=STEP, label="Masks", interactive=True),
            "neutral": gr.Radio(NEUTRALS, value="mean", label="Painted over with", interactive=True, min_width=220),
            "window": gr.Radio(WINDOWS, value="clip", label="The model reads", interactive=True, min_width=260),
        }


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-spectrogram_occlusion")
    gr.Markdown("#### Is this real? Agreement of two halves of the masks; the text without, and with only, the best")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{name}-spectrogram_occlusion") for name in ("halves", "deletion", "insertion")]
    return [plot, *curves]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return spectrogram_occlusion.analyse_in_steps(
        session.clip,
        model,
        segments=session.words or (),
        transcript=session.text,
        masks=int(np.clip(values["masks"], FEWEST, MOST)),
        neutral="padding" if values["neutral"] == "padding" else "mean",
        window="full" if values["window"] == "full" else "clip",
    )


def fitted(result: SpectrogramOcclusion, values: Values) -> Values:
    """Another clip has other words: what is not there becomes the sentence."""
    known = {value for _, value in _choices(result)}
    return {**values, "what": values["what"] if values["what"] in known else SENTENCE,
            "top": float(np.clip(values["top"], 1, 100))}  # fmt: skip


def _choices(result: SpectrogramOcclusion) -> list[tuple[str, str]]:
    named = [(f"{number}. {word}", str(number)) for number, word in enumerate(result.words, start=1)]
    return [WORDS[0], *named[:MOST_WORDS]]


def plot_options(result: SpectrogramOcclusion, values: Values) -> Values:
    """What the figure shows: the sentence, or one word."""
    what = fitted(result, values)["what"]
    return {"level": "sentence"} if what == SENTENCE else {"level": "word", "number": int(what) - 1}


def drawn(result: SpectrogramOcclusion, values: Values) -> list[Any]:
    """A value for each output."""
    chosen = plot_options(result, values)
    convergence = result.convergence(**chosen)
    halves = f"Split-half correlation {convergence[1][-1]:.2f} with {len(result.impacts)} masks."
    pictures = [inline_svg(lambda ax, ink: occlusion_figure.draw_convergence(ax, convergence, ink), halves)]
    for side in ("deletion", "insertion"):
        pictures.append(_trials(result, side))
    return [rows(result, values), *pictures]


def _trials(result: SpectrogramOcclusion, side: str) -> str:
    if not result.trials:
        return "<p class='quiet'>Comes after the masks.</p>"
    areas = [getattr(made.trial, f"{side}_area") for made in result.trials]
    names = ("this map", "the loudest first", *(f"chance {n}" for n in range(1, len(areas) - 1)))
    good = "low" if side == "deletion" else "high"
    told = ", ".join(f"{name} {area:.2f}" for name, area in zip(names, areas, strict=False))
    summary = f"Area under the {side} curve of the sentence map, {good} is good: {told}."
    return inline_svg(lambda ax, ink: occlusion_figure.draw_trials(ax, result.trials, side, ink), summary)


def rows(result: SpectrogramOcclusion, values: Values) -> Values:
    """Spectrogram, map, the best cells alone, words, relevance over time, and what earlier tokens do."""
    chosen, seconds = plot_options(result, values), result.provenance["seconds"]
    columns = max(int(seconds / FRAME + 1e-6), 1)  # the last frame may reach beyond the clip
    level, values_map = result.log_mel[:, :columns], result.map(**chosen)[:, :columns]
    most = float(np.abs(values_map).max()) or 1.0
    best = values_map >= np.quantile(values_map, 1 - values["top"] / 100)
    bands = len(level)
    ticks = [(at / bands, text) for at, text in occlusion_figure.mel_ticks(bands)]
    common = {"y_ticks": ticks, "t0": 0.0, "t1": columns * FRAME, "height": 110}
    limits = {"vmin": float(level.min()), "vmax": float(level.max())}
    name = _name(result, chosen)
    made = [
        sound_plot.image_row(level, "log-mel", alt="Log-mel spectrogram as the model reads it", **limits, **common),
        sound_plot.image_row(values_map, "relevance", alt=f"Relevance of each cell for {name}, red is high",
                             scale="rdbu", vmin=-most, vmax=most, **common),
        sound_plot.image_row(np.where(best, level, level.min()), "best cells", **limits, **common,
                             alt=f"The best {values['top']:g} % of cells alone"),
    ]  # fmt: skip
    made += [sound_plot.segments_row(result.spoken, "words")] if result.spoken else []
    made.append(sound_plot.line_row({name: values_map.mean(0)}, "mean over bands", unit="SD", height=70))
    made += _token_row(result)
    return sound_plot.plot_value(seconds, made, summary(result, values), clip=result.provenance["clip_sha256"])


def _token_row(result: SpectrogramOcclusion) -> list[Values]:
    if not len(result.text_impacts) or not np.isfinite(result.text_impacts).any():
        return []
    title = "Harm (nats) to each token when an earlier one is hidden; last column: when half of the sound is hidden"
    values = np.column_stack([result.text_impacts, result.impacts.mean(0)])
    columns = [*result.tokens[:-1], "½ sound"]
    options = {"title": title, "unit": "nats", "row_name": "token", "column_name": "hidden"}
    return [sound_plot.grid_row(values, list(result.tokens), columns, **options)]


def _name(result: SpectrogramOcclusion, chosen: Values) -> str:
    return "the sentence" if chosen["level"] == "sentence" else f"“{result.words[chosen['number']]}”"


def summary(result: SpectrogramOcclusion, values: Values) -> str:
    """Where the relevant cells are, for readers who cannot see the map."""
    chosen = plot_options(result, values)
    values_map = result.map(**chosen)
    band, frame = np.unravel_index(int(values_map.argmax()), values_map.shape)
    high = [float(frame_mean) for frame_mean in values_map.mean(0)]
    moment = int(np.argmax(high)) * FRAME
    return (
        f"Relevance for {_name(result, chosen)}: the best cell is mel band {band + 1} of {len(values_map)} at "
        f"{frame * FRAME:.2f} s; over all bands the most relevant moment is {moment:.2f} s. Compactness "
        f"{compactness(values_map):.2f}."
    )


def status_line(result: SpectrogramOcclusion, values: Values) -> str:
    """What is on screen, and how far it can be trusted, in one line."""
    options, chosen = result.provenance["options"], plot_options(result, values)
    parts = [f"**{result.provenance['model']}**", f"“{result.text}”"]
    patches = ", ".join(str(count) for count in options["patches"])
    parts.append(f"{len(result.impacts)} of {options['masks']} masks, {patches} patches")
    parts.append(f"map for {_name(result, chosen)}, split-half r {result.split_half(**chosen):.2f}")
    parts.append("window: 30 s" if options["window"] == "full" else f"window: {SHORT} of silence, not the exact 30 s")
    if result.heard.strip() != result.text.strip():
        parts.append(f"in this window the model writes “{result.heard}”")
    if len(result.random):
        agreement = ", ".join(f"{value:.2f}" for value in result.random_agreement())
        harm, own = (float(np.mean(each)) for each in (result.random[0].impacts, result.impacts))
        parts.append(f"random weights: map correlation {agreement}, mean harm {harm:.2g} against {own:.2g} nats")
    verdict = result.verdict
    if len(result.trials) < 2 + options["random_maps"]:
        return " · ".join([*parts, "controls are being computed …"])
    z = {side: verdict.z(f"{side}_area") for side in ("deletion", "insertion")}
    told = [f"{side} z {value:.1f} against chance" for side, value in z.items() if np.isfinite(value)]
    return " · ".join(parts + told)
