"""Pictures of phone arithmetic: what is found by layer, how consistent offsets are, and four points in a plane."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core.errors import counted
from methods.core.figures import draw
from methods.core.figures.curves import Curve, layer_curves
from methods.phone_arithmetic.result import ArithmeticControls, PhoneArithmetic

ANSWER = "#059669"


def plot(result: PhoneArithmetic, *, layer: int | None = None, number: int | None = None) -> Figure:
    """Both curves with their controls, and one sum (default: d - t + p = b) in one layer (default: the best)."""
    figure = draw.new_figure(14, 4.4)
    left, middle, right = figure.subplots(1, 3)
    found_curves(left, result)
    consistency_curves(middle, result)
    plane_plot(right, result, int(result.found.argmax()) if layer is None else layer, number)
    return figure


def found_curves(ax: Axes, result: PhoneArithmetic, ink: str = draw.INK) -> None:
    """Share of sums whose answer is the nearest phone, with its interval and every control."""
    places, known = np.arange(len(result.layers)), result.controls or ArithmeticControls()
    ax.fill_between(places, result.low, result.high, color=draw.TRAINED, alpha=0.15, lw=0)
    curves = [Curve("trained", result.found)]
    if known.random_found is not None:
        curves.append(Curve(f"random weights, {counted(len(known.random_found), 'seed')}", known.random_found, True))
    curves += [Curve("the given phone alone", result.alone), Curve("names dealt anew", result.shuffled.mean(0), True)]
    layer_curves(ax, result.layers, curves, "share of sums that come out", ink)
    _level(ax, known.mfcc_found, "MFCC", ink)
    _level(ax, result.chance, "chance", ink)
    ax.set_ylim(0, 1)


def consistency_curves(ax: Axes, result: PhoneArithmetic, ink: str = draw.INK) -> None:
    """Are offsets that should be alike more alike than re-paired ones?"""
    known = result.controls or ArithmeticControls()
    curves = [Curve("trained", result.consistency)]
    if known.random_consistency is not None:
        curves.append(
            Curve(f"random weights, {counted(len(known.random_consistency), 'seed')}", known.random_consistency, True)
        )
    layer_curves(ax, result.layers, curves, "consistency of offsets", ink)
    _level(ax, known.mfcc_consistency, "MFCC", ink)
    _level(ax, 0.5, "chance", ink)
    ax.set_ylim(0.35, 1.02)


def _level(ax: Axes, value: float, name: str, ink: str) -> None:
    """A control that has no layers, named at its right end."""
    if np.isfinite(value):
        ax.axhline(value, color=draw.QUIET, lw=1, ls=":")
        ax.text(1.0, value, f" {name}", color=ink, fontsize=8, va="center", transform=ax.get_yaxis_transform())


def plane_plot(ax: Axes, result: PhoneArithmetic, layer: int, number: int | None = None, ink: str = draw.INK) -> None:
    """The four phones of a sum as arrows in the plane that holds most of them; other phones small, the sum a cross."""
    number = result.first() if number is None else number
    points, (plus, minus, given, answer) = result.planes[layer, number], result.analogies[number]
    for place, name in enumerate(result.phones):
        mine = place in (plus, minus, given, answer)
        colour = ANSWER if place == answer else (ink if mine else draw.QUIET)
        ax.text(*points[place], name, color=colour, fontsize=13 if mine else 8, ha="center", va="center",
                weight="bold" if mine else "normal")  # fmt: skip
    for start, stop, colour in ((minus, plus, draw.TRAINED), (given, -1, draw.RANDOM)):
        style = {"arrowstyle": "->", "color": colour, "shrinkA": 9, "shrinkB": 9 if stop == plus else 0}
        ax.annotate("", points[stop], points[start], arrowprops=style)
    ax.plot(*points[-1], "x", color=draw.RANDOM, ms=8)
    reach = np.abs(points).max() * 1.1 or 1.0
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    title = f"{result.written(number)}, layer {result.layers[layer].split(' ')[0]}"
    ax.set_title(f"{title}: this plane holds {result.shown[layer, number]:.0%} of the four", color=ink, fontsize=9)
    draw.inked(ax, ink)
