"""Pictures of cue contribution: a map of one pair, layers by scores; and curves of many sentences with intervals."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from methods.core.errors import counted
from methods.core.figures import draw
from methods.core.mixing import STACK_TITLES
from methods.core.models.sites import Stack
from methods.cue_contribution.cue import SCORES
from methods.cue_contribution.number_probe import NumberProbe
from methods.cue_contribution.result import CueContribution, shown_stacks
from methods.cue_contribution.sentence_set import SetResult

KINDS = (("shares", "trained", draw.TRAINED, "-"), ("random", "random weights", draw.RANDOM, "--"),
         ("stretches", "random stretches", draw.QUIET, ":"))  # fmt: skip


def share_map(
    ax: Axes, shares: np.ndarray, top: float, marked: np.ndarray | None = None, ink: str = draw.INK
) -> object:
    """Layers by scores in percent; a dot where a share is `marked`. Returns the mesh."""
    mesh = ax.pcolormesh(shares.T, cmap=draw.SEQUENTIAL, vmin=0, vmax=top, edgecolors="white", linewidth=1)
    for (score, layer), share in np.ndenumerate(shares):
        dot = " •" if marked is not None and marked[score, layer] else ""
        text = f"{100 * share:.0f}{dot}" if np.isfinite(share) else "–"
        colour = "white" if share > 0.6 * top else "#1f2937"  # the cells are light in both of the page's themes
        ax.text(score + 0.5, layer + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    ax.set(xticks=np.arange(3) + 0.5, yticks=np.arange(shares.shape[1]) + 0.5, ylabel="layer")
    ax.set_xticklabels(("attention", "norm", "value\nzeroing"), color=ink, fontsize=8)
    ax.set_yticklabels(range(1, shares.shape[1] + 1), color=ink, fontsize=8)
    ax.invert_yaxis()
    ax.yaxis.label.set_color(ink)
    ax.tick_params(length=0, colors=ink)
    ax.spines[:].set_visible(False)
    return mesh


def _top_share(result: CueContribution) -> float:
    """The upper end of the one colour scale: the largest share, trained or random, in any stack."""
    maps = [part.contribution(stack) for part in (result, *result.random) for stack in shown_stacks(result)]
    return max(float(np.nanmax(values)) for values in maps) or 1.0


def draw_shares(figure: Figure, result: CueContribution, ink: str = draw.INK) -> None:
    """Every stack with trained weights above, and the mean of the random-weights seeds below, on one colour scale."""
    stacks, top, rows = shown_stacks(result), _top_share(result), 2 if result.random else 1
    axes = figure.subplots(rows, len(stacks), squeeze=False)
    for column, stack in enumerate(stacks):
        mesh = share_map(axes[0, column], result.contribution(stack), top, result.marked(stack), ink)
        axes[0, column].set_title(f"{STACK_TITLES[stack]}\ntrained{_dots(result, stack)}", fontsize=8, color=ink)
        if result.random:
            share_map(axes[1, column], result.control(stack).mean(0), top, None, ink)
            axes[1, column].set_title(
                f"random weights, mean of {counted(len(result.random), 'seed')}", fontsize=8, color=ink
            )
    bar = figure.colorbar(mesh, ax=axes, shrink=0.7, format=PercentFormatter(1, decimals=0))
    bar.set_label(f"share of “{draw.written(result.target)}”\nfrom “{draw.written(result.cue)}”", color=ink)
    bar.ax.tick_params(colors=ink)


def _dots(result: CueContribution, stack: Stack) -> str:
    """How many cells are marked, beside how many chance marks; or why none can be."""
    if not result.null_places:
        return ""
    if result.marked(stack) is None:
        return f"\n(random stretches {result.distinct(stack)}: no •)"
    found, _, expected = result.dots(stack)
    return f": {found} •, by chance {expected:.1f}"


def set_curves(figure: Figure, result: SetResult, stack: str, ink: str = draw.INK) -> None:
    """One panel for each score: the mean share of the target from its cue by layer, in %, with 95% intervals."""
    axes = figure.subplots(3, 1, sharex=True, sharey=True)
    for number, (ax, score) in enumerate(zip(axes, SCORES, strict=True)):
        for of, name, colour, style in KINDS:
            if stack not in getattr(result, of):
                continue
            mean, ends = 100 * result.mean(stack, of=of)[number], 100 * result.interval(stack, of=of)[number]
            layers = np.arange(1, len(mean) + 1)
            ax.plot(
                layers, mean, style, color=colour, lw=1.6, marker="o" if of == "shares" else None, ms=3, label=name
            )
            ax.fill_between(layers, *ends.T, color=colour, alpha=0.15, lw=0)
        ax.set(ylabel=f"{score}, %", xticks=layers)
        draw.plain_axes(ax, ink, columns=3)
        if number:
            ax.get_legend().remove()
    axes[0].set_ylim(0, None)  # after all three are drawn: they share it
    axes[-1].set_xlabel("layer")
    axes[0].set_title(STACK_TITLES[stack], fontsize=9, color=ink, pad=22)


def probe_curve(ax: Axes, probe: NumberProbe, ink: str = draw.INK) -> None:
    """How often a linear probe tells the target's number, by layer, with random weights and the majority's share."""
    layers = np.arange(len(probe.accuracy))
    for values in probe.random:
        ax.plot(layers, 100 * values, color=draw.RANDOM, lw=0.8, alpha=0.5)
    if len(probe.random):
        name = f"random weights, {counted(len(probe.random), 'seed')}"
        ax.plot(layers, 100 * probe.random.mean(0), color=draw.RANDOM, ls="--", label=name)
    ax.plot(layers, 100 * probe.accuracy, color=draw.TRAINED, marker="o", ms=3, label="trained")
    ax.fill_between(layers, *(100 * probe.interval).T, color=draw.TRAINED, alpha=0.15, lw=0)
    ax.axhline(100 * probe.majority, color=draw.QUIET, ls=":", label="always the commoner")
    ax.set(xlabel="layer (0: before the first)", ylabel="number told, %", xticks=layers, ylim=(0, 102))
    draw.plain_axes(ax, ink)


def set_figure(result: SetResult) -> Figure:
    """All attentions of a set side by side."""
    figure = draw.new_figure(4.2 * len(result.shares), 6.5)
    for part, stack in zip(np.atleast_1d(figure.subfigures(1, len(result.shares))), result.shares, strict=True):
        set_curves(part, result, stack)
    return figure


def plot(result: CueContribution) -> Figure:
    """Shares from the cue by layer and score, in percent, for every stack, trained and random, on one scale."""
    layers = result.contribution(shown_stacks(result)[0]).shape[1]
    figure = draw.new_figure(3.0 * len(shown_stacks(result)) + 1.0, 2 * (0.28 * layers + 1.1))
    draw_shares(figure, result)
    return figure
