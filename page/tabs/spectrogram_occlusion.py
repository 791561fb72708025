"""The tab of spectrogram occlusion: the spectrogram, a word's map over it, and whether the map can be trusted."""

import html

import gradio as gr
import numpy as np

from methods import spectrogram_occlusion
from methods.core.explain.rereading import SHORT
from methods.core.figures.mel_axis import mel_ticks
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import TIME_LIMIT, Steps
from methods.spectrogram_occlusion import SpectrogramOcclusion, figure
from methods.spectrogram_occlusion.masks import compactness
from page import space
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players as sound_players
from page.widgets import sound_plot, tables
from page.widgets.pictures import inline_svg
from page.widgets.sound_plot import SoundPlot

MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
SENTENCE = "sentence"
WORDS = [("the whole sentence", SENTENCE), *((f"word {n}", str(n)) for n in range(1, MOST_WORDS + 1))]
WINDOWS = [(f"{SHORT} of silence (quick)", "clip"), ("30 s, as in training (slow)", "full")]
NEUTRALS = [("the clip's mean", "mean"), ("digital silence", "padding")]
FEWEST, MOST, STEP = 50, 1000, 50
CHANCE = (5, 20)  # maps of chance: a z-score from 5 draws is rough, and each takes as long as the map's own trial
FRAME = 0.01  # s, of the spectrogram
ROUNDING = 1e-12  # a spread below it is none
LATER = "<p class='quiet'>{} after the masks.</p>"  # what is to be there
PLAYED = """A spectrogram is no sound. Here the hidden cells of the clip are turned down to silence and its own phase
is kept: a sound that the test never gave to the model (there they have a neutral value). Under each player is what
the model writes of exactly that sound."""
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "share": (0.01, 0.99),
    "masks": (24, 1000),
    "patches_per_second": (1, 100),
    "points": (2, 20),
    "random_maps": (1, 20),
}


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
        rerun=("masks", "chance", "neutral", "window"),
    )
    return technique_tab(recipe, shell)


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["what"] = gr.Dropdown(WORDS, value=SENTENCE, label="Map for", interactive=True, min_width=200)
        made["top"] = gr.Slider(5, 50, value=20, step=5, label="Best cells shown alone, %", interactive=True)
        made["masks"] = gr.Slider(FEWEST, MOST, value=300, step=STEP, label="Masks", interactive=True)
        made["chance"] = gr.Slider(*CHANCE, value=CHANCE[0], step=CHANCE[0], label="Maps of chance", interactive=True)
    with gr.Row(elem_classes="controls"):
        made["neutral"] = gr.Radio(NEUTRALS, value="mean", label="Painted over with", interactive=True, min_width=220)
        made["window"] = gr.Radio(WINDOWS, value="clip", label="The model reads", interactive=True, min_width=260)
    return made


def _outputs() -> list[gr.components.Component]:
    plot = SoundPlot(elem_id="plot-spectrogram_occlusion")
    gr.Markdown("#### Is this real? Agreement of two halves of the masks; the text without, and with only, the best")
    with gr.Row():
        curves = [gr.HTML(elem_id=f"{name}-spectrogram_occlusion") for name in ("halves", "deletion", "insertion")]
    checks = gr.HTML(elem_id="checks-spectrogram_occlusion")
    gr.Markdown(
        "#### Listen, and read what the model now writes: without, and with only, the sentence map's best cells"
    )
    return [plot, *curves, checks, *(gr.HTML(elem_id=f"{name}-spectrogram_occlusion") for name in ("sound", "texts"))]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    return spectrogram_occlusion.analyse.in_steps(
        session.clip,
        model,
        segments=session.words or (),
        transcript=session.text,
        masks=int(np.clip(values["masks"], FEWEST, MOST)),
        random_maps=int(np.clip(values["chance"], *CHANCE)),
        time_limit=min(space.longest_run(), TIME_LIMIT),
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


def drawn(result: SpectrogramOcclusion, values: Values) -> list[Values | str]:
    """A value for each output."""
    chosen = plot_options(result, values)
    convergence = result.convergence(**chosen)
    halves = f"Split-half correlation {convergence[1][-1]:.2f} with {len(result.impacts)} masks."
    pictures = [inline_svg(lambda ax, ink: figure.draw_convergence(ax, convergence, ink), halves)]
    for side in ("deletion", "insertion"):
        pictures.append(_trials(result, side))
    return [
        rows(result, values),
        *pictures,
        checks(result, values),
        *(made(result, values) for made in (heard, texts)),
    ]


def _trials(result: SpectrogramOcclusion, side: str) -> str:
    if not result.trials:
        return LATER.format(f"The {side} curve comes")
    areas = [getattr(made.trial, f"{side}_area") for made in result.trials]
    names = ("this map", "the loudest first", *(f"chance {n}" for n in range(1, len(areas) - 1)))
    good = "low" if side == "deletion" else "high"
    told = ", ".join(f"{name} {area:.2f}" for name, area in zip(names, areas, strict=False))
    summary = f"Area under the {side} curve of the sentence map, {good} is good: {told}."
    return inline_svg(lambda ax, ink: figure.draw_trials(ax, result.trials, side, ink), summary)


def checks(result: SpectrogramOcclusion, values: Values) -> str:
    """The size of the map on screen, and the areas of the sentence map, beside loudness and chance."""
    chosen = plot_options(result, values)
    own, chance = result.size(**chosen)
    lines = [_line(f"size (share of cells) of the map for {_name(result, chosen)}", "low", own, chance,
                   compactness(result.log_mel))]  # fmt: skip
    verdict = result.verdict
    for side, good in (("deletion", "low"), ("insertion", "high")) if verdict else ():
        measure = f"{side}_area"
        drawn_ = np.array([getattr(each, measure) for each in verdict.random])
        name = f"area under the {side} curve, sentence"
        lines.append(_line(name, good, getattr(verdict.own, measure), drawn_, getattr(verdict.energy, measure)))
    heads = ["measure, 0 to 1", "this map", "the loudest first", "maps of chance, mean ± sd", "z", "good is"]
    return tables.table(heads, lines, "Is the map sharp, and does the text follow it?")


def _line(name: str, good: str, own: float, chance: np.ndarray, loudest: float) -> list[str]:
    """One row of the table; z counts standard deviations better than chance."""
    spread = float(chance.std(ddof=1)) if len(chance) > 1 else float("nan")
    gain = (own - float(chance.mean()) if len(chance) else float("nan")) * (1 if good == "high" else -1)
    drawn_ = f"{chance.mean():.2f} ± {spread:.2f} ({len(chance)} maps)" if len(chance) > 1 else "not drawn"
    z = f"{gain / spread:.1f}" if spread > ROUNDING else "–"
    return [html.escape(name), _number(own), _number(loudest), drawn_, z, good]


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _step(result: SpectrogramOcclusion, values: Values) -> int:
    """The step of the deletion curve that is nearest to the share of cells that is shown; never none of them."""
    share = result.trials[0].trial.share
    return 1 + int(np.abs(share[1:] - values["top"] / 100).argmin())


def heard(result: SpectrogramOcclusion, values: Values) -> str:
    """The clip without, and with only, the best cells as sounds, and what the model hears in exactly these."""
    if not (result.trials and result.heard_sounds):
        return LATER.format("The sounds come")
    step = _step(result, values)
    share = f"{result.trials[0].trial.share[step]:.0%} of the cells"
    names = (f"Without the sentence map's best {share}", f"Only its best {share}")
    players = (
        sound_players.player(sound, name, text)
        for sound, name, text in zip(result.sounds(step), names, result.heard_sounds[step], strict=True)
    )
    return f"<p class='quiet'>{PLAYED}</p>" + "".join(players)


def texts(result: SpectrogramOcclusion, _values: Values) -> str:
    """What the model wrote at each step of the deletion and insertion curves, marked where it differs."""
    if not result.trials:
        return LATER.format("What the model writes comes")
    first = result.trials[0]
    lines = [
        [f"{100 * share:.0f}%", *(sound_players.compared(result.heard, text) for text in pair)]
        for share, *pair in zip(first.trial.share, *first.texts, strict=True)
    ]
    heads = ["cells of the log-mel", "without these best cells", "only these best cells"]
    return tables.table(heads, lines, "What the model writes of the masked spectrograms themselves")


def rows(result: SpectrogramOcclusion, values: Values) -> Values:
    """Spectrogram, map, the best cells alone, words, relevance over time, and what earlier tokens do."""
    chosen, seconds = plot_options(result, values), result.provenance["seconds"]
    columns = max(int(seconds / FRAME + 1e-6), 1)  # the last frame may reach beyond the clip
    level, values_map = result.log_mel[:, :columns], result.map(**chosen)[:, :columns]
    most = float(np.abs(values_map).max()) or 1.0
    best = values_map >= np.quantile(values_map, 1 - values["top"] / 100)
    bands = len(level)
    ticks = [(at / bands, text) for at, text in mel_ticks(bands)]
    common = {"y_ticks": ticks, "t0": 0.0, "t1": columns * FRAME, "height": 110}
    limits = {"vmin": float(level.min()), "vmax": float(level.max())}
    name = _name(result, chosen)
    made = [
        sound_plot.image_row(level, "log-mel", alt="Log-mel spectrogram as the model reads it", **limits, **common),
        sound_plot.image_row(values_map, "relevance", alt=f"Relevance of each cell for {name}, red is high",
                             scale="rdbu", vmin=-most, vmax=most,
                             unit="SD of the harm: red above the average cell", **common),
        sound_plot.image_row(np.where(best, level, level.min()), "best cells", **limits, **common,
                             alt=f"The best {values['top']:g}% of cells alone"),
    ]  # fmt: skip
    made += [sound_plot.segments_row(result.spoken, "words")] if result.spoken else []
    made.append(sound_plot.line_row({name: values_map.mean(0)}, "mean over bands", unit="SD", height=70))
    made += _token_row(result)
    return sound_plot.plot_value(seconds, made, summary(result, values), clip=result.provenance["clip_sha256"])


def _token_row(result: SpectrogramOcclusion) -> list[Values]:
    if result.text_impacts is None or not np.isfinite(result.text_impacts).any():
        return []
    title = "Harm (nats) to each token when an earlier one is hidden; last column: when half of the sound is hidden"
    values = np.column_stack([result.text_impacts, result.impacts.mean(0)])
    columns = [*result.tokens[:-1], "½ sound"]
    options = {"title": title, "unit": "nats", "row_name": "token that is written", "column_name": "what is hidden",
               "sentence": "With *{column}* hidden, the choice at *{row}* moves away by {value} nats"}  # fmt: skip
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
        f"{frame * FRAME:.2f} s; over all bands the most relevant moment is {moment:.2f} s."
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
        parts.append(f"random weights: map correlation {agreement}, mean harm {_small(harm)} against {own:.1f} nats")
    verdict = result.verdict
    if len(result.trials) < 2 + options["random_maps"]:
        return " · ".join(parts)
    z = {side: verdict.z(f"{side}_area") for side in ("deletion", "insertion")}
    chance = f"against {len(verdict.random)} chance maps"
    told = [f"{side} z {value:.1f} {chance}" for side, value in z.items() if np.isfinite(value)]
    return " · ".join(parts + told)


def _small(nats: float) -> str:
    """A harm that may be next to nothing, without an exponent."""
    return f"{nats:.2f}" if nats >= 0.01 else "under 0.01"
