"""The tab of the continuum: a bundled experiment, sounds of the clip, or a visitor's own steps; hear and compare."""

import base64
import html
from pathlib import Path
from typing import Any

import gradio as gr
from matplotlib.axes import Axes

from methods import continuum
from methods.continuum import MEASURES, Continuum, series
from methods.core.audio import Clip, load_clip, to_wav
from methods.core.corpus import Corpus, Utterance
from methods.core.corpus.files import reading_order
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.core.speech.phonology import CONSONANTS, VOWELS
from page.controls import MOST_LAYERS
from page.errors import toast
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets.pictures import inline_svg
from page.widgets.told import Told

MOST_SEGMENTS = 200
OWN = "own"
PLACES = [(str(number), str(number)) for number in range(1, MOST_SEGMENTS + 1)]
KINDS = [
    *((made.title, name) for name, made in series.EXPERIMENTS.items()),
    ("the clip above: one sound into another", "morph"),
    *((f"the clip above: the {what} of a sound", name) for name, what in series.EDITS.items()),
    ("your own steps (upload them below)", OWN),
]
SOUNDS = [("its label", ""), *((phone, phone) for phone in (*CONSONANTS, *VOWELS))]
HELD = 0.01  # probability under which both sounds may as well be absent
HOW = """Sound files in order of their names from A to B, 2 before 10. For several contexts begin each name with the
context and a line below: `as_1.wav`, `as_2.wav`, …, `the_1.wav`, … Name both sounds in the lists above. All of a
recording counts as the sound, so cut them short; or upload a zip as your own corpus, a folder per context, with a
tier named `sound` in each TextGrid. They take the place of your own corpus for this visit, and are never part of a
link."""
PLAY = """let playing;
element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-sound]');
    if (!button) return;
    playing?.pause();
    playing = new Audio('data:audio/wav;base64,' + button.dataset.sound);
    playing.play();
});"""
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "first": (1, 1000),
    "second": (1, 1000),
    "amount": (0.5, 2),
    "count": (2, 11),
}
AT_A_STEP = "*{on}*, layer *{row}*, step {column_number} of {columns}: *{first_column}* has {value}."  # a cell


def continuum_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; the lists of sounds follow the clip."""
    made: dict[str, Any] = {}

    def controls() -> dict[str, gr.components.Component]:
        made.update(_controls())
        with gr.Accordion("Your own steps", open=False):
            gr.Markdown(HOW, elem_classes="quiet")
            made["files"] = gr.File(
                label="Steps", file_count="multiple", file_types=["audio"], type="filepath", elem_id="steps"
            )
            made["told"] = Told(elem_id="steps-told", elem_classes="quiet")
        return {name: made[name] for name in made if name not in ("files", "told")}

    recipe = Recipe(
        module=continuum,
        controls=controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, values: {"layer": int(values["layer"])},
        fitted=lambda result, values: dict(values, layer=min(int(values["layer"]), len(result.layers) - 1)),
        ranges=lambda result, values: {"layer": gr.Slider(maximum=len(result.layers) - 1, value=values["layer"])},
        rerun=("experiment", "first", "second", "amount", "count", "a", "b"),
    )
    tab = technique_tab(recipe, shell)
    shell.follow(_segment_lists, [made["first"], made["second"]])
    made["files"].upload(
        toast(own_steps),
        [made["files"]],
        [shell.corpus, made["experiment"], made["told"]],
        concurrency_id="compute",
        concurrency_limit=1,
        api_visibility="private",
    )
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["experiment"] = gr.Dropdown(KINDS, value="l-r", label="Continuum", interactive=True, min_width=320)
        made["count"] = gr.Slider(3, 11, value=7, step=1, label="Steps", interactive=True, min_width=140)
        made["layer"] = gr.Slider(0, MOST_LAYERS, value=4, step=1, label="Layer", interactive=True, min_width=140)
    with gr.Row(elem_classes="controls"):
        made["first"] = gr.Dropdown(
            PLACES, value="1", label="First sound of the clip", interactive=True, min_width=150
        )
        made["second"] = gr.Dropdown(PLACES, value="2", label="Second sound", interactive=True, min_width=150)
        made["amount"] = gr.Slider(
            50,
            200,
            value=150,
            step=5,
            label="Changed up to (% of F1, F2, F3 or length)",
            interactive=True,
            min_width=200,
        )
        made["a"] = gr.Dropdown(SOUNDS, value="", label="A is", interactive=True, min_width=110)
        made["b"] = gr.Dropdown(SOUNDS, value="", label="B is", interactive=True, min_width=110)
    return made


def _outputs() -> list[gr.components.Component]:
    gr.Markdown("#### Listen to the steps, A to B")
    players = gr.HTML(elem_id="players-continuum", js_on_load=PLAY)
    gr.Markdown("#### How much of A does a layer find? Dashed: random weights")
    pictures = gr.HTML(elem_id="pictures-continuum")
    return [players, pictures]


def _segment_lists(session: Session | None, units: str, first: str, second: str) -> list[dict]:
    """The words or phones of the clip with their numbers; what was chosen stays chosen while it exists."""
    found = (session.phones if units == "phones" else session.words or ())[:MOST_SEGMENTS] if session else ()
    if not found:
        return [gr.update(choices=PLACES)] * 2
    choices = [(f"{number}. {segment.label}", str(number)) for number, segment in enumerate(found, start=1)]

    def kept(value: str | None, default: int) -> str:
        return value if value in {number for _, number in choices} else str(min(default, len(found)))

    return [gr.update(choices=choices, value=kept(*pair)) for pair in ((first, 1), (second, 2))]


def own_steps(files: list[str] | None) -> tuple[Corpus | Any, Any, str]:
    """The uploaded recordings as a corpus with a speaker per context, and a line that says what was found."""
    if not files:
        return gr.skip(), gr.skip(), ""
    if len(files) > series.MOST * series.MOST_CONTEXTS:
        raise UserError(f"There are {len(files)} files; give at most {series.MOST} steps in a context.")
    clips = [load_clip(path) for path in sorted(files, key=lambda path: reading_order(Path(path).name))]
    corpus = Corpus("steps", tuple(Utterance(clip, _context(clip)) for clip in clips))
    found = series.checked(series.of_corpus(corpus))
    told = "; ".join(f"{html.escape(one.context)} {len(one.clips)} steps ({_order(one)})" for one in found)
    return corpus, gr.Dropdown(value=OWN), f"{told}. Now press **Run**."


def _order(one: series.Series) -> str:
    """The recordings from A to B: names decide, so a visitor should see what they decided."""
    return ", ".join(html.escape(clip.name) for clip in one.clips)


def _context(clip: Clip) -> str:
    """What the file's name says before its last line: `as_1` is step 1 in the context `as`."""
    return clip.name.rsplit(".", 1)[0].rpartition("_")[0] or "steps"


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    kind, names = values["experiment"], {"a": values["a"], "b": values["b"]}
    if kind == OWN:
        if session.corpus is None:
            raise UserError("You have not given any steps yet; open “Your own steps” and upload them.")
        return continuum.analyse.in_steps(session.corpus, model, experiment=OWN, **names)
    options: Values = {"experiment": kind, "count": int(values["count"])}
    if kind not in series.EXPERIMENTS:
        options |= names | {"segments": session.segments(units), "amount": values["amount"] / 100}
        options |= {role: int(values[role]) for role in ("first", "second")}
    return continuum.analyse.in_steps(session.clip, model, **options)


def drawn(result: Continuum, values: Values) -> tuple[str, str]:
    """The buttons that play the steps, and a picture for each measure."""
    return players(result), pictures(result, int(values["layer"]))


def players(result: Continuum) -> str:
    """A row of buttons per context; contexts come from file names and transcripts and are escaped."""
    rows = []
    for context, name in enumerate(result.contexts):
        said = html.escape(name)
        cells = [_button(result, context, step, said) for step in range(len(result.steps))]
        rows.append(
            "<div style='display:flex;flex-wrap:wrap;gap:6px;align-items:center;margin:4px 0'>"
            f"<span style='min-width:9em'>{said}</span>{''.join(cells)}</div>"
        )
    return "".join(rows)


def _button(result: Continuum, context: int, step: int, said: str) -> str:
    sound = base64.b64encode(to_wav(result.clip(context, step))).decode("ascii")
    last = len(result.steps) - 1
    face = {0: html.escape(f"▶ {result.a}"), last: html.escape(f"▶ {result.b}")}.get(step, f"▶ {step + 1}")
    return (
        f"<button type='button' data-sound='{sound}' aria-label='play {said}, step {step + 1} of {last + 1}' "
        "style='padding:4px 10px;border:1px solid var(--border-color-primary);border-radius:6px;cursor:pointer'>"
        f"{face}</button>"
    )


def pictures(result: Continuum, layer: int) -> str:
    """One picture per measure, side by side where there is room."""
    made = []
    for measure in result.measures:

        def whole(ax: Axes, ink: str, measure: continuum.Measure = measure) -> None:
            figure = ax.figure
            figure.clear()
            continuum.draw_measure(figure, result, measure, layer, ink)

        picture = inline_svg(
            whole, summary(result, measure, layer), (3.6, continuum.picture_height(result)), cell=AT_A_STEP
        )
        title = f"<h5 style='margin:0'>{MEASURES[measure]}</h5>"
        made.append(f"<div style='flex:1 1 280px;max-width:420px'>{title}{picture}</div>")
    return f"<div style='display:flex;flex-wrap:wrap;gap:12px'>{''.join(made)}</div>"


def summary(result: Continuum, measure: continuum.Measure, layer: int) -> str:
    """The numbers of one layer, and the context effect, for readers who cannot see the picture."""
    parts = []
    for context, curve in zip(result.contexts, getattr(result, measure)[:, layer], strict=True):
        parts.append(f"{context}: {', '.join(f'{value:.2f}' for value in curve)}")
    text = f"{MEASURES[measure]}, share of {result.a} by step, layer {result.layers[layer]}. {'; '.join(parts)}."
    if len(result.contexts) > 1:
        effects = ", ".join(f"{value:+.2f}" for value in result.context_effect(measure))
        text += f" Context effect by layer: {effects}."
    return text


def status_line(result: Continuum, values: Values) -> str:
    """What is on screen, and what was left out."""
    layer, origin = int(values["layer"]), result.provenance
    parts = [f"**{origin['model']}**, layer {result.layers[layer]}, {len(result.steps)} steps"]
    parts.append("contexts: " + " and ".join(html.escape(name) for name in result.contexts))
    if result.lens is None:
        parts.append("no CTC lens: no head here knows both sounds")
    else:
        low = float(result.evidence[:, layer].min())
        weak = " (too low to tell)" if low < HELD else ""
        parts.append(f"{origin['options']['head']}; the better of both sounds has at least {low:.2g}{weak}")
    if result.probe is None:
        parts.append("no probe: fewer than 5 examples of a sound in the bundled prompts")
    else:
        window = "; Whisper was fed the clips alone for it" if origin["family"] == "whisper" else ""
        parts.append(f"probe right on {result.probe_accuracy[layer]:.0%} of unseen phones{window}")
    if len(result.contexts) > 1:
        effects = [f"{MEASURES[m]} {result.context_effect(m)[layer]:+.2f}" for m in result.measures]
        parts.append(f"context effect: {', '.join(effects)}")
    return " · ".join(parts)
