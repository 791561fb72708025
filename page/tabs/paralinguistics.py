"""The tab of paralinguistics: response curves of one property or all, every changed recording to be heard."""

import html

import gradio as gr
import numpy as np

from methods import paralinguistics
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.paralinguistics import PROPERTIES, WHOLE_CLIP, Paralinguistics
from page.recipe import Recipe, Shell, Tab, Updates, Values
from page.session import Session
from page.technique_tab import technique_tab
from page.widgets import players, tables
from page.widgets.pictures import inline_svg

MOST = 200  # phones of a clip, or changed recordings of a run; links name both by number
PLACES = [(str(number), str(number)) for number in range(1, MOST + 1)]
EVERY = "all five"
WHAT = [
    ("all five of the whole clip", EVERY),
    *((f"{PROPERTIES[name].label} ({PROPERTIES[name].unit})", name) for name in WHOLE_CLIP),
    *((f"one interval: {each.label} ({each.unit})", name) for name, each in PROPERTIES.items() if each.local),
]
TARGETS = [("the whole answer", "0"), *((f"answer {number}", number) for number in PLACES)]
UNITS = [("nats (natural logarithms)", "nats"), ("probability", "probability")]
GRIDS = [("few", "coarse"), ("as published", "published")]
WINDOWS = [("exact (30 s)", "full"), ("clip only: quicker, another input", "clip")]
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "interval": (0, 30),  # s
}


def paralinguistics_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; the list of intervals follows the clip."""
    recipe = Recipe(
        module=paralinguistics,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda result, values: _options(fitted(result, values)),
        fitted=fitted,
        ranges=ranges,
        rerun=("what", "interval", "grid", "window"),
    )
    tab = technique_tab(recipe, shell)
    shell.follow(_intervals, [tab.controls["interval"]])
    return tab


def _controls() -> dict[str, gr.components.Component]:
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="controls"):
        made["what"] = gr.Dropdown(WHAT, value="tempo", label="Change", interactive=True, min_width=260)
        made["interval"] = gr.Dropdown(
            PLACES, value="1", label="Interval (phone or word), if one", interactive=True, min_width=200
        )
        made["grid"] = gr.Radio(GRIDS, value="coarse", label="Steps", interactive=True, min_width=180)
        made["window"] = gr.Radio(WINDOWS, value="full", label="Whisper's window", interactive=True, min_width=240)
    with gr.Row(elem_classes="controls"):
        made["target"] = gr.Dropdown(TARGETS, value="0", label="Answer", interactive=True, min_width=200)
        made["unit"] = gr.Radio(UNITS, value="nats", label="Show the change in", interactive=True, min_width=240)
        made["listen"] = gr.Dropdown(PLACES, value="1", label="Listen to", interactive=True, min_width=200)
    return made


def _outputs() -> list[gr.components.Component]:
    gr.Markdown("#### How the answer changes. Upright line: the unchanged recording; thin: random weights")
    curves = gr.HTML(elem_id="shares-paralinguistics")
    gr.Markdown("#### Listen: the changed recording, and what the model makes of it")
    sound = gr.HTML(elem_id="sound-paralinguistics")
    return [curves, sound, gr.HTML(elem_id="table-paralinguistics")]


def _pieces(session: Session | None) -> tuple[Segment, ...]:
    """Phones where there are any, else words: what Praat may change."""
    return (session.phones or session.words or ())[:MOST] if session else ()


def _intervals(session: Session | None, _units: str, value: str) -> list[dict]:
    pieces = _pieces(session)
    if not pieces:
        return [gr.update(choices=PLACES)]
    named = [(f"{n}. {piece.label} ({piece.start:.2f} s)", str(n)) for n, piece in enumerate(pieces, 1)]
    return [gr.update(choices=named, value=value if value in {number for _, number in named} else "1")]


def _steps(session: Session, model: SpeechModel, _units: str, values: Values) -> Steps:
    names = WHOLE_CLIP if values["what"] == EVERY else (values["what"],)
    interval = None
    if any(PROPERTIES[name].local for name in names):
        pieces = _pieces(session)
        if not pieces:
            raise UserError("This clip has no words or phones yet; give its transcript and press “Align”.")
        interval = pieces[min(int(values["interval"]), len(pieces)) - 1]
    return paralinguistics.analyse.in_steps(
        session.clip,
        model,
        properties=names,
        interval=interval,
        transcript=session.text,
        grid=values["grid"],
        window=values["window"],
    )


def fitted(result: Paralinguistics, values: Values) -> Values:
    """The control values, within what this result has."""
    listen = min(max(int(values["listen"]), 1), len(result.properties))
    target = int(values["target"])
    return dict(values, listen=str(listen), target=str(target if target < len(result.targets) else 0))


def ranges(result: Paralinguistics, values: Values) -> Updates:
    """The changed recordings and the answers by name."""
    sounds = [(f"{n}. {_named(result, n - 1)}", str(n)) for n in range(1, len(result.properties) + 1)]
    targets = [(label, str(number)) for number, label in enumerate(result.targets)]
    return {
        "listen": gr.Dropdown(sounds, value=values["listen"]),
        "target": gr.Dropdown(targets, value=values["target"]),
    }


def _named(result: Paralinguistics, point: int) -> str:
    name, degree = result.properties[point], result.degrees[point]
    if name not in PROPERTIES:
        return "resynthesised, nothing changed"
    if result.reference[point]:
        return f"{PROPERTIES[name].label}: unchanged"
    return f"{PROPERTIES[name].label} {degree:g} {PROPERTIES[name].unit}"


def _options(values: Values) -> Values:
    return {"target": int(values["target"]), "unit": values["unit"]}


def drawn(result: Paralinguistics, values: Values) -> tuple[str, str, str]:
    """A value for each output."""
    point = int(values["listen"]) - 1
    said = result.answers[point] if np.isfinite(result.scores[point, 0]) else "…"
    sound = players.player(result.sound(point), _named(result, point), said)
    return _curves(result, values), sound, answers(result, int(values["target"]))


def _curves(result: Paralinguistics, values: Values) -> str:
    """Two pictures for each property; the properties stand side by side, and below each other on a phone."""
    boxes = "".join(
        f"<div style='flex:1 1 280px;max-width:380px'>{_pair(result, name, _options(values))}</div>"
        for name in result.names
    )
    return f"<div style='display:flex;flex-wrap:wrap;gap:8px;width:0;min-width:100%'>{boxes}</div>"


def _pair(result: Paralinguistics, name: str, options: Values) -> str:
    """The change of the answer over the degrees of a property, and what stays of the answer."""
    points, label = result.points(name), PROPERTIES[name].label
    changes, kept = result.changes(options["unit"])[:, options["target"]], result.kept()
    known = [point for point in points if np.isfinite(changes[point])]
    told = [", ".join(f"{result.degrees[p]:g}: {row[p]:.2f}" for p in known) for row in (changes, kept)]
    response = inline_svg(
        lambda ax, ink: paralinguistics.response_curve(ax, result, name, **options, ink=ink),
        f"Change of {result.targets[options['target']]} by {label}: {told[0]}.",
        (4.2, 3.0),
    )
    share = inline_svg(
        lambda ax, ink: paralinguistics.kept_curve(ax, result, name, ink),
        f"Share of the answer that stays, by {label}: {told[1]}.",
        (4.2, 2.4),
    )
    return response + share


def answers(result: Paralinguistics, target: int) -> str:
    """What the model says of each changed recording."""
    rows = [
        [
            html.escape(_named(result, point)),
            f"{result.changes()[point, target]:.2f}",
            f"{result.kept()[point]:.2f}",
            players.compared(result.heard, result.answers[point]),
        ]
        for point in range(len(result.properties))
        if np.isfinite(result.scores[point, 0])
    ]
    heads = ["recording", f"change of {result.targets[target]}, nats", "1 − error rate", "the model hears"]
    return tables.table(heads, rows, f"The model hears “{result.heard}” in the unchanged clip.")


def status_line(result: Paralinguistics, values: Values) -> str:
    """What is on screen, in one line."""
    options, target = result.provenance["options"], int(values["target"])
    parts = [f"**{result.provenance['model']}**", f"answer: {result.targets[target]}"]
    means = [(PROPERTIES[name].label, result.importance(name)[target]) for name in result.names]
    known = [f"{label} {mean:.2f} nats" for label, mean in means if np.isfinite(mean)]
    parts += [f"mean loss: {', '.join(known)}"] if known else []
    if result.interval:
        label, start, end = result.interval
        parts.append(f"interval {label}, {start:.2f} to {end:.2f} s")
    if options["window"] == "clip":
        parts.append("clip-only window: another input than Whisper was trained on (its answers are of the exact one)")
    parts += [f"left out: {html.escape(reason)}" for reason in result.left_out]
    return " · ".join(parts)
