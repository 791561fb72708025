"""The part of the attribution tab in which heads of our own are explained: a text, a picture, a table."""

import html
from collections.abc import Callable
from functools import partial

from matplotlib.axes import Axes

from methods.attribution import figure, seed_agreement
from methods.attribution.result import Attribution
from methods.attribution.seed_agreement import SeedAgreement
from page.widgets.pictures import inline_svg

SCROLLED = "display:grid;grid-template-columns:minmax(0,1fr)"  # a wide table scrolls and widens nothing around it
OFFER = (
    "Choose “the map, and heads of our own” under <em>Run</em> to train small classifiers on this model’s states and "
    "to see whether explanations of equally good ones agree. Whisper only; it takes one to three minutes, and can be "
    "stopped."
)


def shown(result: Attribution) -> str:
    """The experiment, or how to have it, or why it could not be had."""
    heads = result.controls.heads
    if heads is not None:
        return told(heads) + _pictures(result) + table(heads) + _left_out(heads)
    reason = result.controls.refused.get("heads")
    return f"<p class='quiet'>{html.escape(reason) if reason else OFFER}</p>"


def told(heads: SeedAgreement) -> str:
    """What was trained, how well it does, and what it says of this clip."""
    low, high = heads.accuracy.min(), heads.accuracy.max()
    scores = ", ".join(f"{score:.1f}" for score in heads.scores)
    return (
        f"<p>{len(heads.scores)} linear heads on the last encoder layer tell <strong>vowels from consonants</strong>. "
        f"Each has learnt from another random half of {html.escape(heads.corpus)} ({heads.items} phones; this clip is "
        f"not among them) and is right on {low:.1%} to {high:.1%} of the other half, where always naming the more "
        f"frequent class would be right on {heads.majority:.1%}. The cosine between the weights of two heads is "
        f"{heads.likeness:.2f}. What is explained is their log-odds for this whole clip ({scores} nats), in the "
        "clip-only window.</p>"
    )


def _pictures(result: Attribution) -> str:
    """Removal beside gradients; one above the other on a phone."""
    heads, text, drawn = result.controls.heads, figure.text_of, []
    for methods in (seed_agreement.REMOVAL, seed_agreement.GRADIENTS):
        rows = [heads.methods.index(method) for method in methods]
        means = "; ".join(
            f"{method}: " + ", ".join(f"{cut} {text(value)}" for cut, value in zip(heads.cuts, values, strict=True))
            for method, values in zip(methods, heads.numbers["spearman"][rows], strict=True)
        )
        panel = partial(figure.heads_panel, methods=methods)
        summary = f"Mean rank correlation between the maps of two heads. {means}."
        drawn.append(inline_svg(_drawing(panel, result), summary, (4.8, 3.9)))
    cells = "".join(f"<div style='flex:1 1 280px'>{picture}</div>" for picture in drawn)
    return f"<div style='display:flex;flex-wrap:wrap'>{cells}</div>"


def _drawing(panel: Callable, result: Attribution) -> Callable[[Axes, str], None]:
    return lambda ax, ink: panel(ax, result, ink)


def table(heads: SeedAgreement) -> str:
    """Every number of the picture, and the linear correlations."""
    text = figure.text_of
    names = ("method", "size", "pieces", "rank correlation", "linear", "beyond loudness and length", "with loudness",
             "random maps (95% below)", "shuffled labels")  # fmt: skip
    head = "".join(f"<th scope='col'>{name}</th>" for name in names)
    lines = [
        (row.method, row.size, str(row.pieces), text(row.spearman), text(row.pearson),
         text(row.given_loudness_and_length), text(row.with_loudness),
         f"{text(row.random_maps)} ({text(row.random_maps_95)})", text(row.shuffled_heads))
        for row in heads.table().itertuples(index=False, name="Row")
    ]  # fmt: skip
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    caption = "Agreement between the maps of two heads, mean over all pairs: 1 the same, 0 none"
    return (
        f"<details><summary>All numbers</summary><div style='{SCROLLED}'><div style='overflow-x:auto'>"
        f"<table class='prose'><caption>{caption}</caption><tr>{head}</tr>{body}</table></div></div></details>"
    )


def _left_out(heads: SeedAgreement) -> str:
    lines = ["Shuffled labels are not tried with integrated gradients: they would take as long again as all the rest."]
    lines += [f"n/a, {html.escape(name)}: {html.escape(reason)}" for name, reason in heads.refused.items()]
    return "".join(f"<p class='quiet'>{line}</p>" for line in lines)
