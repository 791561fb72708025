"""Pictures of discrete units: scores over the layers, phones by units, divergences between phones and their tree."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from methods.core.errors import counted
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw, matrix
from methods.core.figures.curves import Curve
from methods.core.speech import phonology
from methods.discrete_units.result import DiscreteUnits

UNITS = ("bits", "share of the phones' entropy", "share of frames", "share of frames")
NAMES = ("mutual information", "PNMI", "phone purity", "cluster purity")
MANNERS = {
    "vowel": "#2563eb", "approximant": "#0891b2", "nasal": "#059669", "plosive": "#d97706", "fricative": "#dc2626",
    "affricate": "#9333ea",
}  # fmt: skip


def draw_scores(ax: Axes, result: DiscreteUnits, score: int, ink: str = draw.INK) -> None:
    """One score over the layers, with random weights, acoustic features, and whole phones shuffled."""
    level = np.ones(len(result.layers))
    band = result.shuffled_range[:, :, score].T
    ax.fill_between(np.arange(len(level)), *band, color=draw.QUIET, alpha=0.3, lw=0, label="range of 20 shuffles")
    curves = [Curve("trained", result.scores[:, score])]
    controls = result.controls
    if controls is not None:
        if controls.random is not None:
            curves.append(
                Curve(
                    f"random weights, {counted(len(controls.random), 'seed')}",
                    controls.random[:, :, score],
                    control=True,
                )
            )
        pairs = zip(controls.baselines, controls.baseline_scores[:, score], strict=True)
        curves += [Curve(name, value * level, control=True) for name, value in pairs]
    curves.append(Curve("trained, phones shuffled", result.shuffled[:, score], control=True))
    curve_figures.layer_curves(ax, result.layers, curves, f"{NAMES[score]} ({UNITS[score]})", ink)
    ax.set_ylim(0, None)


def draw_counts(ax: Axes, result: DiscreteUnits, layer: int, ink: str = draw.INK) -> None:
    """P(phone | unit), units in the order of their commonest phone."""
    order = matrix.in_order(result.phones)
    table = result.counts[layer][order].astype(float)
    table = table[:, table.any(0)]
    share = table / table.sum(0)
    share = share[:, np.lexsort((-share.max(0), share.argmax(0)))]
    ax.pcolormesh(share, cmap=draw.SEQUENTIAL, vmin=0, vmax=1)
    ax.invert_yaxis()
    _names(ax.set_yticks, [result.phones[number] for number in order])
    ax.set(xlabel=f"{share.shape[1]} units, by their commonest phone", ylabel="share of each unit's frames")
    draw.plain_axes(ax, ink)


def draw_divergence(ax: Axes, result: DiscreteUnits, layer: int, ink: str = draw.INK) -> None:
    """Jensen-Shannon divergence of every pair of phones; dark: they use the same units."""
    order = matrix.in_order(result.phones)
    values = result.divergence[layer][np.ix_(order, order)]
    ax.pcolormesh(np.ma.masked_invalid(1 - values), cmap=draw.SEQUENTIAL, vmin=0, vmax=1)
    ax.invert_yaxis()
    names = [result.phones[number] for number in order]
    _names(ax.set_yticks, names)
    _names(ax.set_xticks, names, rotation=90)
    ax.set(xlabel="1 − divergence (bits): dark uses the same units")
    draw.plain_axes(ax, ink)


def _names(place: object, names: list[str], **style: object) -> None:
    draw.name_cells(place, [draw.written(name) for name in names], fontsize=7, **style)


def draw_tree(ax: Axes, result: DiscreteUnits, layer: int, ink: str = draw.INK) -> None:
    """Phones joined by the square root of their divergence (a metric), average linkage; colour is manner."""
    kept = np.flatnonzero(~np.isnan(result.unit_entropy[layer]))
    if len(kept) < 3:
        return
    distance = np.sqrt(result.divergence[layer][np.ix_(kept, kept)])
    joined = linkage(squareform(distance, checks=False), "average")
    labels = [draw.written(result.phones[number]) for number in kept]
    dendrogram(joined, ax=ax, labels=labels, link_color_func=lambda _: ink, leaf_font_size=8)
    for text in ax.get_xticklabels():
        text.set_rotation(90)
    ax.set(ylabel="√ divergence")
    draw.plain_axes(ax, ink)
    for text in ax.get_xticklabels():  # after plain_axes, which inks them all
        manner = phonology.feature(text.get_text(), "manner") if text.get_text() in phonology.PHONES else ""
        text.set_color(MANNERS.get(manner, ink))


def plot(result: DiscreteUnits, *, score: int = 1, layer: int | None = None) -> Figure:
    """One score over the layers with its controls, and phones by units, divergences and tree of one layer."""
    layer = result.best if layer is None else layer
    figure = draw.new_figure(12.0, 11.0)
    axes = figure.subplot_mosaic([["scores", "tree"], ["counts", "divergence"]], height_ratios=(1, 1.5))
    draw_scores(axes["scores"], result, score)
    draw_tree(axes["tree"], result, layer)
    draw_counts(axes["counts"], result, layer)
    draw_divergence(axes["divergence"], result, layer)
    return figure
