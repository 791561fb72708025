"""Pictures of head ablation: losses by layer and head, the worst first against random orders, loss against CAD."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import draw, signed
from methods.core.models.sites import Stack
from methods.head_ablation.result import TITLES, HeadAblation

ORDERS = ("the worst first", "the most harmless first")


def plot(result: HeadAblation) -> Figure:
    """Losses of every head, trained and with random weights on one scale, and three controls."""
    stacks = list(result.losses)
    layers = max(len(values) for values in result.losses.values())
    figure = draw.new_figure(3.6 * max(len(stacks), 3) + 1.0, 0.7 * layers + 5.5)
    axes = figure.subplots(3, max(len(stacks), 3), height_ratios=(layers, layers, 8))
    limit = limit_of(result)
    for column, ax in enumerate(axes[:2].T):
        for row, part in enumerate(ax):
            if column >= len(stacks):
                part.set_axis_off()
                continue
            mesh = _map(part, result, stacks[column], limit, random=bool(row))
    figure.colorbar(mesh, ax=axes[:2].ravel().tolist(), label="nats lost without the head", shrink=0.8)
    order_curves(axes[2, 0], result)
    diagonality_points(axes[2, 1], result)
    filling_points(axes[2, 2], result)
    return figure


def limit_of(result: HeadAblation) -> float:
    """Both ends of the colour scale, nats: a tenth of the largest loss may be all that the others cost."""
    return signed.limit_of(np.concatenate([result.total(stack).ravel() for stack in result.losses]))


def _map(ax: Axes, result: HeadAblation, stack: Stack, limit: float, random: bool) -> object:
    shown, name = result.total(stack), TITLES[stack]
    if random:
        twins = None if result.controls is None else result.controls.twins
        shown = np.full_like(shown, np.nan) if twins is None else twins[stack].mean(0)
        name = f"random weights, {counted(0 if twins is None else len(twins[stack]), 'seed')}"
    layers, heads = (_numbers(size) for size in shown.shape)
    mesh = signed.signed_map(ax, shown, layers, heads, limit, cells=shown.size <= 64)
    ax.set_title(name, fontsize=9)
    ax.set(xlabel="head", ylabel="layer")
    return mesh


def _numbers(count: int) -> Sequence[str]:
    return [str(number + 1) for number in range(count)]


def order_curves(ax: Axes, result: HeadAblation, ink: str = draw.INK) -> None:
    """Nats lost as more heads are off: by this ranking, by its reverse, and at random."""
    controls = result.controls
    if controls is not None and controls.orders is not None:
        curves = controls.orders
        for number, curve in enumerate(curves[2:]):
            label = counted(len(curves) - 2, "random order") if number == 0 else "_"
            ax.plot(controls.taken, curve, color=draw.RANDOM, lw=0.8, label=label)
        for name, curve, style in zip(ORDERS, curves, ("-", "--"), strict=False):
            ax.plot(controls.taken, curve, style, color=draw.TRAINED, marker="o", ms=3, label=name)
        ax.set_xscale("symlog", linthresh=1)
        apart = [count for count in controls.taken[:-1] if 1.5 * count <= controls.taken[-1]]  # or labels overlap
        ax.set_xticks([*apart, controls.taken[-1]], [str(count) for count in (*apart, controls.taken[-1])])
        ax.minorticks_off()
    ax.set(xlabel="heads that are off", ylabel="nats lost")
    draw.plain_axes(ax, ink)


def diagonality_points(ax: Axes, result: HeadAblation, ink: str = draw.INK) -> None:
    """Every encoder head: how near to itself it looks (CAD), and what it costs."""
    agreement = result.agreement()
    if agreement is not None:
        ax.plot(result.controls.cad.ravel(), result.total("encoder").ravel(), "o", ms=4, color=draw.TRAINED)
        low, high = np.nanpercentile(result.controls.cad_null, (2.5, 97.5))
        name = f"rank correlation {agreement[0]:.2f}; heads shuffled in their layers {low:.2f} to {high:.2f}"
        ax.plot([], [], color="none", label=name)
    ax.axhline(0, color=draw.QUIET, lw=0.5)
    ax.set(xlabel="CAD of the encoder's heads", ylabel="nats lost")
    draw.plain_axes(ax, ink)


def filling_points(ax: Axes, result: HeadAblation, ink: str = draw.INK) -> None:
    """Every head: what it costs at zero, and what it costs at its mean."""
    controls = result.controls
    if controls is not None and controls.other is not None:
        for stack, marker in zip(result.losses, ("o", "s", "^"), strict=False):
            own, other = result.total(stack).ravel(), controls.other[stack].ravel()
            pair = (own, other) if result.fill == "zero" else (other, own)
            ax.plot(*pair, marker, ms=4, color=draw.TRAINED, alpha=0.7, label=TITLES[stack])
    ax.axline((0, 0), slope=1, color=draw.QUIET, lw=0.5)
    ax.set(xlabel="nats lost, head at zero", ylabel="nats lost, head at its mean")
    draw.plain_axes(ax, ink)
