"""Pictures of an encoding probe: what each layer is made of, one block with its controls, and all unique shares."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw, signed
from methods.core.figures.curves import Curve
from methods.encoding_probe.result import EncodingProbe

COLOURS = {
    "shared": "#cbd5e1",
    "acoustics": "#2563eb",
    "phone": "#d97706",
    "neighbours": "#059669",
    "word": "#7c3aed",
    "place": "#c084fc",
    "stress": "#db2777",
    "speaker": "#0891b2",
    "duration": "#84cc16",
    "time": "#78716c",
}
WIDTH = 0.38  # of a bar, where layers are 1 apart
MOST_WRITTEN = 13  # layers whose numbers fit into the cells


def plot(result: EncodingProbe, *, block: str | None = None) -> Figure:
    """Bars of shares per layer, one block's unique share with its controls, and all unique shares beside random."""
    figure = draw.new_figure(11.0, 8.0)
    axes = figure.subplot_mosaic([["stack", "block"], ["trained", "random"]])
    draw_stack(axes["stack"], result)
    draw_block(axes["block"], result, chosen(result, block))
    draw_map(axes["trained"], result)
    draw_map(axes["random"], result, random=True)
    return figure


def chosen(result: EncodingProbe, block: str | None) -> int:
    """Which block is drawn: the one asked for if it is there, else the phone, else the first."""
    wanted = [name for name in (block, "phone") if name in result.blocks]
    return result.blocks.index(wanted[0]) if wanted else 0


def random_unique(result: EncodingProbe) -> np.ndarray | None:
    """(layers, blocks) unique shares with random weights, the mean over the seeds; None while there are none."""
    known = result.controls.random_unique if result.controls else None
    return None if known is None else known.mean(0)


def draw_stack(ax: Axes, result: EncodingProbe, ink: str = draw.INK) -> None:
    """Two bars per layer, trained and hatched with random weights: shared, and on it what each block has alone.

    Negative parts hang down from 0; what is above less what is below is R².
    """
    places, random = np.arange(len(result.layers)), random_unique(result)
    trained = {"shared": result.shared, **dict(zip(result.blocks, result.unique.T, strict=True))}
    _bars(ax, places - (WIDTH / 2 if random is not None else 0), trained, hatched=False)
    if random is not None:
        shared = result.controls.random_r2.mean(0) - random.sum(1)
        drawn = {"shared": shared, **dict(zip(result.blocks, random.T, strict=True))}
        _bars(ax, places + WIDTH / 2, drawn, hatched=True)
    ax.axhline(0, color=draw.QUIET, lw=0.8)
    ax.set_xticks(places, curve_figures.short(result.layers))
    right = "; right, hatched: random weights" if random is not None else ""
    ax.set(xlabel=f"layer{right}", ylabel="share of variance (R²)")
    draw.plain_axes(ax, ink, columns=4)


def _bars(ax: Axes, places: np.ndarray, parts: Mapping[str, np.ndarray], *, hatched: bool) -> None:
    """Stacked bars of parts, (layers,) each, named in the legend unless they are hatched."""
    style = {"hatch": "////", "alpha": 0.6, "edgecolor": "white", "linewidth": 0} if hatched else {}
    ends = {sign: np.zeros(len(places)) for sign in (True, False)}
    for name, values in parts.items():
        up = values > 0
        bottom, label = np.where(up, ends[True], ends[False]), None if hatched else name
        ax.bar(places, values, WIDTH, bottom=bottom, color=COLOURS[name], label=label, **style)
        ends = {sign: end + np.where(up == sign, values, 0) for sign, end in ends.items()}


def curves(result: EncodingProbe, block: int) -> list[Curve]:
    """A block's unique share over the layers and its controls."""
    lines, known = [Curve("unique share", result.unique[:, block])], result.controls
    if known is None:
        return lines
    if known.random_unique is not None:
        seeds = f"random weights, {counted(len(known.random_unique), 'seed')}"
        lines.append(Curve(seeds, known.random_unique[:, :, block], control=True))
    if known.permuted is not None:
        lines.append(Curve("block in random order", known.permuted[:, block], control=True))
    level = np.ones(len(result.layers))
    pairs = zip(known.baselines, known.baseline_unique[:, block], strict=True)
    return lines + [Curve(f"{name} for states", value * level, control=True) for name, value in pairs]


def draw_block(ax: Axes, result: EncodingProbe, block: int, ink: str = draw.INK) -> None:
    """One block's unique share with its interval and controls."""
    curve_figures.layer_curves(ax, result.layers, curves(result, block), f"unique share: {result.blocks[block]}", ink)
    band = "95% interval" if np.isfinite(result.low[:, block]).any() else None
    ends = result.low[:, block], result.high[:, block]
    ax.fill_between(range(len(result.layers)), *ends, color=draw.TRAINED, alpha=0.2, lw=0, label=band)
    ax.axhline(0, color=draw.QUIET, ls=":")
    draw.plain_axes(ax, ink)


def draw_map(ax: Axes, result: EncodingProbe, ink: str = draw.INK, *, random: bool = False) -> None:
    """Unique shares of all blocks at all layers, trained or with random weights, on one scale of colours."""
    drawn = random_unique(result)
    both = [result.unique] if drawn is None else [result.unique, drawn]
    values = (np.full_like(result.unique, np.nan) if drawn is None else drawn) if random else result.unique
    limit = signed.limit_of(np.array(both))
    names, written = curve_figures.short(result.layers), len(result.layers) <= MOST_WRITTEN
    signed.signed_map(ax, values.T, result.blocks, names, limit, cells=written)
    title = "random weights" if drawn is not None else "random weights: not there"
    ax.set_title(title if random else "unique shares, trained", fontsize=9, color=ink)
    ax.set_xlabel("layer")
    draw.inked(ax, ink)
