"""What the attribution tab draws: the map over time, the sounds and the answers to them, the tests."""

import html
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes

from methods.attribution import figure
from methods.attribution.result import Attribution, Played
from methods.core.explain.removal import REMOVAL_METHODS
from page.recipe import Values
from page.tabs import attribution_heads
from page.widgets import players as sound_players
from page.widgets import sound_plot
from page.widgets.pictures import inline_svg

UNTESTED = "<p class='quiet'>Not run: choose “with all tests”.</p>"
MEASURED = {  # measure -> what the table calls it
    "deletion_area": "deletion, mean over time (low is good)",
    "insertion_area": "insertion, mean over time (high is good)",
    "comprehensiveness": "comprehensiveness, by number of pieces (high is good)",
    "sufficiency": "sufficiency, by number of pieces (low is good)",
}
BY_COUNT = (
    "<p class='quiet'>The last two count pieces, and long pieces and short pauses count alike: they favour whatever "
    "takes the longest pieces first. Judge by the first two.</p>"
)
CLEAREST = 0.995  # quantile of the map's magnitudes at which its colours end
AGREE = "*{row}* and *{column}* order the pieces alike by {value} (a rank correlation)."  # what a cell means


def drawn(result: Attribution, _values: Values) -> tuple[Values | str, ...]:
    """A value for each output; empty until it is measured."""
    known, untested = result.controls, "" if result.provenance["options"]["checks"] else UNTESTED
    judged = known.verdict is not None
    return (
        over_time(result),
        "" if known.played is None else players(result, known.played),
        inline_svg(_panel(figure.deletion_panel, result), _told(result, "deletion")) if judged else "",
        inline_svg(_panel(figure.insertion_panel, result), _told(result, "insertion")) if judged else "",
        verdict_table(result) if judged else untested,
        _agreement(result) if known.others else untested,
        _steadiness(result) if known.steady else "",
        _modes(result) if known.modes else untested,
        attribution_heads.shown(result),
    )


def _panel(draw: Callable[[Axes, Attribution, str], None], result: Attribution) -> Callable[[Axes, str], None]:
    return lambda ax, ink: draw(ax, result, ink)


def over_time(result: Attribution) -> Values:
    """Map, curve, pieces in colour, and every method beside the word's row of value zeroing, over the clip's time."""
    own, pieces, rows = result.own, result.pieces, []
    if own.map is not None:
        limit = float(np.quantile(np.abs(own.map), CLEAREST)) or 1.0  # single cells may be many times larger
        rows.append(
            sound_plot.image_row(
                own.map, "mel", alt=f"Attribution by mel band and time; colours end at ± {limit:.2g} {result.unit}",
                vmin=-limit, vmax=limit, scale="rdbu", t0=0.0, t1=own.map.shape[1] * 0.01, height=110,
                unit=result.unit,
            )
        )  # fmt: skip
    clear = float(np.abs(own.curve).max()) or 1.0
    rows.append(sound_plot.line_row(own.curve, own.method, vmin=min(-0.1 * clear, own.curve.min()), vmax=clear,
                                    unit=result.unit, decimals=3))  # fmt: skip
    limit = float(np.abs(own.scores).max()) or 1.0
    rows.append(
        sound_plot.segments_row(pieces, "pieces", scores=own.scores, vmin=-limit, vmax=limit, scale="rdbu",
                                unit=result.unit)
    )  # fmt: skip
    vectors = result.vectors
    if len(vectors) > 1:
        rows.append(_side_by_side(result, vectors))
    best = np.argsort(-own.scores)[:3]
    named = ", ".join(f"“{result.labels[i]}” {own.scores[i]:.2f}" for i in best)
    summary = f"{result.target}: {result.whole:.2f} {result.unit}. {own.method}: highest {named} {result.unit}."
    origin = result.provenance
    return sound_plot.plot_value(origin["seconds"], rows, summary, clip=origin["clip_sha256"])


def _side_by_side(result: Attribution, vectors: dict[str, np.ndarray]) -> Values:
    """Each method's row, scaled to its own largest score, so that methods of other units can be compared."""
    tops = {name: float(np.nanmax(np.abs(values))) or 1.0 for name, values in vectors.items()}
    scaled = np.array([values / tops[name] for name, values in vectors.items()])
    return sound_plot.matrix_row(
        scaled, list(vectors), result.pieces, vmin=-1.0, vmax=1.0, scale="rdbu", row_name="method",
        column_name="piece of the sound", sentence="By *{row}*, *{column}* has {percent} of the largest score",
        unit="of the row's largest", title="Methods, loudness and context mixing of the same word, each scaled to its "
        "own largest score",
    )  # fmt: skip


def players(result: Attribution, played: Played) -> str:
    """The sounds and what the model makes of each."""
    sounds = (
        (f"only the strongest {played.share:.0%} of the time", played.only, played.answer_only, played.score_only),
        (f"all but that {played.share:.0%}", played.without, played.answer_without, played.score_without),
        (
            f"for comparison, only the loudest {played.share_loudest:.0%}",
            played.loudest,
            played.answer_loudest,
            played.score_loudest,
        ),
    )
    target = html.escape(f"{result.target}, {result.unit}")
    cards = "".join(
        f"<div style='flex:1 1 250px'>{sound_players.player(clip, name, answer or 'nothing')}"
        f"<div class='quiet'>{target}: {score:.2f}</div></div>"
        for name, clip, answer, score in sounds
    )
    whole = (
        f"Play only the top {played.share:.0%}, play without it, play as much of what is loudest. "
        f"In the whole clip the model hears “{html.escape(played.answer) or 'nothing'}” "
        f"({target}: {result.whole:.2f})."
    )
    if result.provenance["family"] == "whisper":
        whole += " What it hears here is always that of the exact 30 s."
    return f"<p>{whole}</p><div style='display:flex;flex-wrap:wrap;gap:12px'>{cards}</div>"


def verdict_table(result: Attribution) -> str:
    """The areas over time, then the means over pieces, beside chance, the loudest and the longest first."""
    text, measured = figure.text_of, result.measured()
    lines = [
        (said, text(v["own"]), text(v["energy"]), text(v["longest"]),
         f"{text(v['random_mean'])} ± {text(v['random_sd'])}", text(v["z"]), text(v["energy_z"]), text(v["longest_z"]),
         f"{v['beaten']:.0%}" if np.isfinite(v["beaten"]) else "n/a", text(v["crossed_z"]))
        for said, v in ((said, measured[name]) for name, said in MEASURED.items())
    ]  # fmt: skip
    known = result.controls
    other = f"z with {known.crossed_with} instead" if known.crossed else "z with another sound instead"
    names = ("measure", "this map", "loudest first", "longest first", "random orders", "z", "z of loudest first",
             "z of longest first", "orders beaten", other)  # fmt: skip
    head = "".join(f"<th scope='col'>{name}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
    steps = len(known.verdict.own.taken) - 1
    caption = f"Faithfulness, in {result.unit}; {steps} steps; z: standard deviations better than chance"
    table = f"<table class='prose'><caption>{caption}</caption><tr>{head}</tr>{body}</table>"
    scrolled = f"<div style='{attribution_heads.SCROLLED}'><div style='overflow-x:auto'>{table}</div></div>"
    return scrolled + BY_COUNT + _controls_told(result)


def _controls_told(result: Attribution) -> str:
    lines = []
    if result.controls.random_weights is not None:
        values = ", ".join(map(figure.text_of, result.forgets()))
        lines.append(f"Rank correlation with the same method on random weights (should be near 0): {values}.")
    if result.controls.repeats is not None:
        values = ", ".join(map(figure.text_of, result.stability()))
        lines.append(f"Rank correlation with other random numbers (should be near 1): {values}.")
    refused = result.controls.refused.items()
    lines += [f"Left out: {html.escape(name)}. {html.escape(reason)}" for name, reason in refused]
    return "".join(f"<p class='quiet'>{line}</p>" for line in lines)


def _agreement(result: Attribution) -> str:
    names, values = result.agreement()
    firsts = ", ".join(f"{name} {figure.text_of(value)}" for name, value in zip(names[1:], values[0, 1:], strict=True))
    size = (1.6 + 0.5 * len(names), 1.4 + 0.38 * len(names))
    return inline_svg(
        _panel(figure.agreement_panel, result), f"Rank correlation of {names[0]} with {firsts}.", size, cell=AGREE
    )


def _steadiness(result: Attribution) -> str:
    steady, text = result.controls.steady, figure.text_of
    values = zip(steady.variants, steady.spearman, steady.pearson, steady.loudness_spearman, strict=True)
    told = "; ".join(f"{name} {text(rho)} (linear {text(r)}, loudness {text(loud)})" for name, rho, r, loud in values)
    summary = f"Rank correlation of the map with that of the changed clip: {told}. Random maps: 95% lie below "
    picture = inline_svg(_panel(figure.steady_panel, result), f"{summary}{text(steady.sure)}.", (4.8, 3.6))
    if not steady.lacking:
        return picture
    return picture + (
        f"<p class='quiet'>n/a ({', '.join(steady.lacking)}): one of the two maps is constant, or there are fewer "
        "than three pieces, and then no correlation is defined.</p>"
    )


def _told(result: Attribution, name: str) -> str:
    trial = result.controls.verdict.own
    values = ", ".join(f"{value:.2f}" for value in getattr(trial, name))
    said = figure.judgement(result, name)
    return f"{name.capitalize()} curve of {result.own.method}: {values} {result.unit}. By time: {said}."


def _modes(result: Attribution) -> str:
    """The scores by what stands in, and of which method they are."""
    own, shown = result.own.method, result.controls.modes_method
    why = "takes too long to be run with each" if own in REMOVAL_METHODS else "takes nothing away"
    lead = f"<p>Shown for <strong>{html.escape(shown)}</strong>"
    lead += ".</p>" if shown == own else f", not for the map above: {html.escape(own)} {why}.</p>"
    return lead + inline_svg(_panel(figure.modes_panel, result), _modes_told(result))


def _modes_told(result: Attribution) -> str:
    tops = [f"{mode}: “{result.labels[int(np.argmax(v))]}”" for mode, v in result.controls.modes.items()]
    name = result.controls.modes_method
    return f"{name[0].upper()}{name[1:]}, highest piece by what stands in. {'; '.join(tops)}."
