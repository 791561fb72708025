"""Many sentences at once: cue contribution averaged over a set, or the number probe; bundled sets or a visitor's zip.

Nothing of it stays on the server's disk but the zip itself, in Gradio's own upload cache: its sound is held in memory
while it runs, and what was measured before a stop is kept for a while, so that a second run goes on from there.
"""

import contextlib
import html
import math
import time
from collections.abc import AsyncGenerator, Hashable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from matplotlib.axes import Axes

from methods.core.errors import UserError
from methods.core.figures import draw
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps, Work
from methods.cue_contribution import figure as cue_figure
from methods.cue_contribution import number_probe, sentences
from methods.cue_contribution import sentence_set as homophones
from methods.cue_contribution.cue import SCORES
from methods.cue_contribution.number_probe import NumberProbe
from methods.cue_contribution.sentence_set import PUBLISHED, SetResult
from page.errors import toast
from page.export.downloads import download
from page.own_corpus import uploaded
from page.recipe import Shell
from page.run_events import result_of, run_and_stop
from page.runs.machine import MACHINE, Held, Visitor
from page.runs.question import named
from page.widgets.pictures import inline_svg
from page.widgets.told import Told

MOST = 120  # examples: a quarter of an hour with the smallest model and one random twin
OWN = "own"
CHOICES = [*((f"{name}: {what}", name) for name, what in sentences.BUNDLED.items()), ("your own zip", OWN)]
MEASURES = [("cue contribution, averaged", "shares"), ("number probe: is the target singular or plural?", "number")]
SEEDS = [("one (quicker)", "1"), ("three", "3")]
FILES = ("csv", "npz", "svg")
STOPPED = "stopped; “Run the set” goes on from what was measured"
BREATH = 0.8  # s between pictures: each costs the browser a tenth of a second, a phone more
DRAWS = 5  # random stretches per sentence; a set has many sentences
HOW = f"""A zip (20 MB, up to {MOST} examples, 15 minutes of sound in all, up to 30 s each) of recordings and an
`index.csv` with the columns `file`, `transcript`, `cue`, `target`; if you have them also `second_target`, `language`,
`template`, `number` (singular or plural, of the target; the probe needs 10 of each) and `group` (sentences that belong
together count as one). Word times come from a **TextGrid** of the recording's name with a tier `words`, or
else from the model. Cue and target must occur once in their sentence. Your recordings are held in memory for this
visit only."""
READING = f"""Each line is a mean over sentences, each band its 95% interval over sentences, if there are five or
more (for the probe, sentences leave before it is trained). Above the dashed line of random weights *and* the dotted
line of random stretches, as long as the cue, it is more than architecture and a word's length. The table says how
likely the target's spelling is without its cue. The published French set (Mohebbi et al., EMNLP 2023, table 1) has
{PUBLISHED["det_noun"]} sentences with determiner and noun, {PUBLISHED["pronoun_verb"]} with pronoun and verb, and
{PUBLISHED["det_noun_verb"]} with both, which are used twice."""


@dataclass(frozen=True)
class _Parts:
    """The components of the accordion."""

    measure: gr.Radio
    chosen: gr.Dropdown
    seeds: gr.Radio
    file: gr.File
    told: gr.Markdown
    outputs: list[gr.HTML]
    result: gr.State  # `Held`, or None
    run: gr.Button
    stop: gr.Button
    files: list[gr.Button]


def sentence_set(shell: Shell) -> None:
    """Lay out the accordion and connect it."""
    with gr.Accordion("Many sentences at once: averages with intervals, trained against random", open=False):
        parts = _laid_out()
    _connect(parts, shell)


def _laid_out() -> _Parts:
    with gr.Row(elem_classes="controls"):
        measure = gr.Radio(MEASURES, value="shares", label="Measure", interactive=True, min_width=280)
        chosen = gr.Dropdown(CHOICES, value="english", label="Sentences", interactive=True, min_width=280)
        seeds = gr.Radio(SEEDS, value="1", label="Random-weights twins", interactive=True, min_width=180)
    file = gr.File(label="Your own zip", file_types=[".zip"], type="filepath", elem_id="set-file", height=110)
    gr.Markdown(HOW, elem_classes="quiet")
    with gr.Row(elem_classes="run-row"):
        run = gr.Button("Run the set", variant="primary", elem_id="run-set", scale=0, min_width=140)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-set", scale=0, min_width=120)
    told = Told(elem_id="status-set", elem_classes="status")
    with gr.Row():
        outputs = [gr.HTML(elem_id=f"set-curves-{number}", min_width=280) for number in range(3)]
    outputs.append(gr.HTML(elem_id="table-set"))
    gr.Markdown(READING, elem_classes="reading")
    with gr.Row(elem_classes="files"):
        files = [gr.Button(kind.upper(), size="sm", elem_id=f"{kind}-set", min_width=60) for kind in FILES]
    return _Parts(measure, chosen, seeds, file, told, outputs, gr.State(None, time_to_live=3600), run, stop, files)


def _connect(parts: _Parts, shell: Shell) -> None:
    shown = [parts.result, *parts.outputs, parts.told]
    event = parts.run.click(
        toast(work),
        [shell.model, parts.measure, parts.chosen, parts.seeds, parts.file],
        [*shown, parts.run, parts.stop],
        concurrency_id="runs",
        concurrency_limit=None,
        show_progress_on=[parts.told],
        api_visibility="private",
    )
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    event.failure(lambda: run_and_stop(False), None, [parts.run, parts.stop], **quiet)
    parts.stop.click(_stopped, [parts.told], [parts.stop, parts.told], cancels=[event], **quiet)
    parts.file.upload(lambda: OWN, None, [parts.chosen], **quiet)
    saved = gr.on([button.click for button in parts.files], toast(_save), [parts.result], [shell.saved], **quiet)
    saved.success(None, [shell.saved], None, js="(file) => window.ism.save(file)")


def _stopped(told: str | None) -> tuple[gr.Button, str]:
    """Stop hides itself, and says so below what there is, or alone where there is nothing yet."""
    before = (told or "").removesuffix(STOPPED).removesuffix(" · ")
    return gr.Button(visible=False), " · ".join(filter(None, [before, STOPPED]))


async def work(model_id: str, request: gr.Request, *asked: Any, progress: Any = gr.Progress()) -> AsyncGenerator:
    """The run, with a picture of all that is done so far whenever a sentence is done."""
    measure, chosen, seeds, path = asked
    visitor = Visitor(str(request.session_hash), lambda text: progress(0, desc=text))
    nothing = (gr.skip(),) * 6
    yield *nothing, *run_and_stop(True)
    model = await visitor.model(model_id)
    examples, source = await MACHINE.drawings.looked_up(_examples, chosen, path)
    key, job = await visitor.asked(lambda: set_work(examples, source, model, measure, chosen, int(seeds)))
    said = -math.inf
    async with contextlib.aclosing(visitor.follows(key, job)) as run:
        async for seen in run:
            progress(seen.news.step.done, desc=seen.text)
            if seen.new and (seen.news.ended or time.monotonic() - said > BREATH):
                said = time.monotonic()
                shown = await MACHINE.drawings.alone(_shown, seen.news.shown, seen.news.step.done)
                yield Held(key), *shown, *run_and_stop(not seen.news.ended)


def _shown(result: SetResult | NumberProbe, done: float) -> tuple[str, ...]:
    return *drawn(result), status(result, done)


def set_work(
    examples: tuple[sentences.CueSentence, ...], source: str, model: SpeechModel, measure: str, name: str, seeds: int
) -> Work[SetResult | NumberProbe]:
    """The work on these sentences, which goes on from what was measured of them before it was stopped."""
    journal = MACHINE.store.find(journal_of(source, model)) or {}
    steps = _noted(set_steps(examples, model, measure, name, seeds, journal), journal_of(source, model), journal)
    asked = {"source": source, "model": model, "measure": measure, "name": name, "seeds": seeds}
    return Work("sentence set", asked, steps)


def journal_of(source: str, model: SpeechModel) -> Hashable:
    """Where it is kept what was measured of these sentences with this model."""
    return ("journal", source, named(model))


def _noted(
    steps: Steps[SetResult | NumberProbe], place: Hashable, journal: dict[str, Any]
) -> Steps[SetResult | NumberProbe]:
    """The same steps; what they measured is kept, however they end."""
    try:
        return (yield from steps)
    finally:
        MACHINE.store.put(place, journal)


def _examples(chosen: str, path: str | None) -> tuple[tuple[sentences.CueSentence, ...], str]:
    """The sentences, and what they are known by: two visitors may bring the same zip."""
    if chosen != OWN:
        return sentences.bundled(chosen), chosen
    if path is None:
        raise UserError("There is no zip yet; upload one under “Your own zip”, or choose a bundled set.")
    return sentences.read_zip(path, MOST), uploaded(path).sha256


def set_steps(
    examples: tuple[sentences.CueSentence, ...],
    model: SpeechModel,
    measure: str,
    name: str,
    seeds: int,
    journal: dict[str, Any],
) -> Steps[SetResult | NumberProbe]:
    """The work on these sentences."""
    spoken = {example.language for example in examples}
    if model.writes_text and not model.decoding.languages and not spoken <= {"en", None}:
        raise UserError(
            f"These sentences are not in English and {model.id} writes nothing else; choose openai/whisper-base."
        )
    if measure == "number":
        return number_probe.number_probe_in_steps(examples, model, random_seeds=tuple(range(seeds)), name=name)
    options = {"random_seeds": tuple(range(seeds)), "draws": DRAWS, "silenced": 0, "name": name}
    return homophones.analyse_set_in_steps(examples, model, journal=journal, **options)


def drawn(result: SetResult | NumberProbe) -> tuple[str, ...]:
    """Up to three pictures, one for each attention, and the table."""
    if isinstance(result, NumberProbe):
        spoken = ", ".join(f"{value:.0%}" for value in result.accuracy)
        text = f"How often the target's number is told, by layer: {spoken}."
        return inline_svg(lambda ax, ink: cue_figure.probe_curve(ax, result, ink), text), "", "", ""
    pictures = [_curves(result, stack) for stack in result.shares]
    return *pictures, *("",) * (3 - len(pictures)), likely(result)


def _curves(result: SetResult, stack: str) -> str:
    def whole(ax: Axes, ink: str) -> None:
        ax.figure.clear()
        cue_figure.set_curves(ax.figure, result, stack, ink)

    means = zip(SCORES, result.mean(stack), strict=True)
    spoken = "; ".join(f"{score} {', '.join(f'{value:.0%}' for value in values)}" for score, values in means)
    return inline_svg(whole, f"{stack}: mean share of the target from its cue by layer. {spoken}.", (4.4, 5.6))


def likely(result: SetResult) -> str:
    """What happens to the target's probability without the cue; and which sentences could not be measured, and why."""
    body = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{mean:.3f} <small>{_ends(low, high)}</small></td></tr>"
        for name, (mean, low, high) in zip(result.conditions, result.likely(), strict=True)
    )
    caption = f"Mean probability of the targets' tokens, {len(result.names)} sentences, with 95% intervals"
    table = (
        f"<table class='prose'><caption>{caption}</caption><tr><th>condition</th><th>target</th></tr>{body}</table>"
    )
    reasons = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in result.refused)
    left = f"<p>Left out, {len(result.refused)}:</p><ul>{reasons}</ul>" if reasons else ""
    return (table if body else "") + left


def _ends(low: float, high: float) -> str:
    return "(too few sentences for an interval)" if math.isnan(low) else f"({low:.3f} to {high:.3f})"


def status(result: SetResult | NumberProbe, done: float) -> str:
    """What is on screen, in one line."""
    origin, parts = result.provenance, []
    parts.append(f"**{origin['model']}**, {origin['corpus']}")
    if isinstance(result, NumberProbe):
        parts.append(f"{result.examples} targets, {result.majority:.0%} of the commoner number")
    else:
        parts.append(f"{len(result.names)} sentences of {len(set(result.groups))} groups")
        counts = {name: number for name, number in result.counts().items() if name}
        parts += [f"{number} of template {html.escape(name[:40])}" for name, number in counts.items()]
        if result.refused:
            parts.append(f"{len(result.refused)} left out, with reasons below")
        if done < 1:
            parts.append(f"so far ({done:.0%}); “Stop” keeps them, and another run goes on from there")
    return " · ".join(parts)


async def _save(pressed: gr.EventData, held: Held | None) -> dict[str, str]:
    kind = pressed.target.elem_id.split("-", maxsplit=1)[0]
    if held is None:
        raise UserError("There is nothing to download yet; press “Run the set” first.")
    return await MACHINE.drawings.alone(_file, kind, result_of(held))


def _file(kind: str, result: SetResult | NumberProbe) -> dict[str, str]:
    return download(kind, "cue_contribution_set", result, _figure(result) if kind == "svg" else None)


def _figure(result: SetResult | NumberProbe) -> Any:
    if isinstance(result, SetResult):
        return cue_figure.set_figure(result)
    figure = draw.new_figure(6, 4)
    cue_figure.probe_curve(figure.subplots(), result)
    return figure
