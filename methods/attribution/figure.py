"""An attribution as pictures: map, bars, deletion and insertion curves, agreement. `ink` is the text colour."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.attribution.result import Attribution
from methods.attribution.seed_agreement import METHODS
from methods.core.figures import draw
from methods.core.figures.draw import INK, QUIET, RANDOM, TRAINED


def plot(result: Attribution) -> Figure:
    """The map over time, the scores of the pieces, the deletion and insertion curves, and the agreement of methods."""
    return figure(result)


DIVERGING = "RdBu_r"  # red speaks for the target, blue against it, white says nothing
AGAINST = "#b45309"  # the energy order
LENGTH = "#7c3aed"  # the longest first
AREAS = {"deletion": "deletion_area", "insertion": "insertion_area"}  # by time, as the axes are: length gains nothing
MEL_STEP = 0.01  # s
PALE = "#93c5fd"
SIZES = ("#dbeafe", "#93c5fd", "#60a5fa", "#2563eb")  # from frames to words


def figure(result: Attribution) -> Figure:
    """All panels that the result can fill."""
    known = result.controls
    panels = [panel for panel, there in (
        (map_panel, True), (bars_panel, True), (deletion_panel, known.verdict), (insertion_panel, known.verdict),
        (agreement_panel, len(result.vectors) > 2), (steady_panel, known.steady), (modes_panel, known.modes),
        (heads_panel, known.heads),
    ) if there]  # fmt: skip
    rows = (len(panels) + 1) // 2
    made = draw.new_figure(13.0, 3.6 * rows)
    axes = made.subplots(rows, 2, squeeze=False).ravel()
    for ax, panel in zip(axes, panels, strict=False):
        panel(ax, result)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    made.suptitle(f"{title(result)}\n{result.own.method}", fontsize=11, color=INK)
    return made


def title(result: Attribution) -> str:
    """What is explained, and how large it is."""
    target = draw.written(result.target, draw.LONG)
    return f"{target}: {result.whole:.2f} {result.unit} ({result.nothing:.2f} with every piece replaced)"


def map_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """The attribution over time, or over time and mel band where it has one."""
    own = result.own
    if own.map is not None:
        limit = float(np.abs(own.map).max()) or 1.0
        ends = np.arange(own.map.shape[1] + 1) * MEL_STEP - MEL_STEP / 2
        mesh = ax.pcolormesh(
            ends, np.arange(own.map.shape[0] + 1), own.map, cmap=DIVERGING, vmin=-limit, vmax=limit, rasterized=True
        )
        ax.figure.colorbar(mesh, ax=ax, label=f"{result.unit} per cell")
        ax.set_ylabel("mel band")
    else:
        ax.axhline(0, color=QUIET, lw=0.6)
        ax.plot(own.times, own.curve, color=TRAINED, lw=1, drawstyle="steps-mid")
        ax.set_ylabel(f"attribution ({result.unit})")
    for word in result.words:
        ax.axvspan(word.start, word.end, color=RANDOM, alpha=0.15, lw=0)
    ax.set(xlabel="time (s)", xlim=(0, float(result.ends[-1])))
    _quiet(ax, ink, f"{own.method}, {own.level}; the explained word is shaded" if result.words else own.method)


def bars_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """Each piece's score, with the same method on random weights, and with other random numbers where it draws any."""
    places = np.arange(len(result.labels))
    ax.axhline(0, color=QUIET, lw=0.6)
    ax.bar(places, result.own.scores, color=[TRAINED if s >= 0 else "#94a3b8" for s in result.own.scores], width=0.75)
    twins, repeats = (
        () if rows is None else rows for rows in (result.controls.random_weights, result.controls.repeats)
    )
    for number, scores in enumerate(twins):
        name = "random weights" if number == 0 else None
        ax.plot(places, scores, ls="", marker="x", color=RANDOM, ms=5, label=name)
    for number, scores in enumerate(repeats):
        name = "other random numbers" if number == 0 else None
        ax.plot(places, scores, ls="", marker="_", color=AGAINST, ms=9, mew=1.5, label=name)
    if len(places) <= draw.LARGEST_LABELLED // 2:
        labels = [draw.written(label) for label in result.labels]
        ax.set_xticks(places, labels, rotation=60, ha="right", rotation_mode="anchor")
    else:
        ax.set_xlabel("piece, in the order of time")
    ax.set_ylabel(f"score ({result.unit})")
    if len(twins) or len(repeats):
        ax.legend(fontsize=8, frameon=False, labelcolor=ink)
    _quiet(ax, ink, "Score of each piece")


def deletion_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """The target while the best pieces go, beside random orders, the loudest and the longest first."""
    _curves(ax, result, "deletion", "taken away", ink)


def insertion_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """The target while the best pieces come back, beside random orders, the loudest and the longest first."""
    _curves(ax, result, "insertion", "present", ink)


def _curves(ax: Axes, result: Attribution, name: str, what: str, ink: str) -> None:
    known, verdict = result.controls, result.controls.verdict
    if len(verdict.random) > 1:
        grid = np.linspace(0, 1, 41)
        band = np.array([np.interp(grid, trial.share, getattr(trial, name)) for trial in verdict.random])
        mean, spread = band.mean(0), band.std(0, ddof=1)
        label = f"{len(verdict.random)} random orders"
        ax.fill_between(100 * grid, mean - spread, mean + spread, color=QUIET, alpha=0.3, lw=0, label=label)
    if verdict.energy is not None:
        ax.plot(
            100 * verdict.energy.share, getattr(verdict.energy, name), color=AGAINST, ls="--", label="loudest first"
        )
    for trial, style, label in (
        (known.longest, {"color": LENGTH, "ls": ":"}, "longest first"),
        (
            known.crossed and known.crossed.own,
            {"color": TRAINED, "ls": "-.", "lw": 1},
            f"{known.crossed_with} instead",
        ),
        (verdict.own, {"color": TRAINED, "marker": "o", "ms": 3}, "this map"),
    ):
        if trial is not None:
            ax.plot(100 * trial.share, getattr(trial, name), label=label, **style)
    ax.set(xlabel=f"% of the clip's time {what}", ylabel=f"target ({result.unit})")
    draw.legend_above(ax, ink, 3)
    _quiet(ax, ink, f"{name.capitalize()} by time: {judgement(result, name).replace('; ', chr(10), 1)}", pad=34.0)


def judgement(result: Attribution, name: str) -> str:
    """How much better than chance the area under a curve over time is, and how much better the longest first are."""
    known, area = result.controls, AREAS[name]
    verdict = known.verdict
    said = [f"z {text_of(verdict.z(area))}" + (f", {verdict.beaten(area):.0%} beaten" if verdict.random else "")]
    if known.longest is not None:
        said.append(f"longest first z {text_of(verdict.z(area, known.longest))}")
    if known.crossed is not None:
        said.append(f"{known.crossed_with} instead z {text_of(known.crossed.z(area))}")
    return "; ".join(said)


def agreement_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """Spearman correlation of every pair of methods and rivals over the pieces; grey where it is not defined."""
    names, values = result.agreement()
    ax.pcolormesh(np.ma.masked_invalid(values), cmap=DIVERGING, vmin=-1, vmax=1)
    ax.set_facecolor("#e5e7eb")
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        dark = np.isfinite(value) and abs(value) > 0.6
        ax.text(
            column + 0.5, row + 0.5, text_of(value), ha="center", va="center", fontsize=7,
            color="white" if dark else "#111827",
        )  # fmt: skip
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(len(names)) + 0.5, names)
    ax.invert_yaxis()
    ax.tick_params(length=0)
    _quiet(ax, ink, "Agreement (rank correlation over the pieces)")


def steady_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """Agreement with the map of the same clip, slightly changed, beside loudness and random maps."""
    steady = result.controls.steady
    places = np.arange(len(steady.variants))
    ax.axhline(0, color=QUIET, lw=0.6)
    for shift, values, colour, name in (
        (-0.17, steady.spearman, TRAINED, "rank correlation"), (0.17, steady.pearson, PALE, "linear correlation")
    ):  # fmt: skip
        ax.bar(places + shift, np.nan_to_num(values), 0.32, color=colour, label=name)
        _missing(ax, places + shift, values, ink)
    ax.plot(places - 0.17, steady.loudness_spearman, ls="", marker="D", color=AGAINST, ms=5, label="loudness (ranks)")
    if np.isfinite(steady.sure):
        ax.axhline(steady.sure, color=QUIET, ls="--", lw=1, label="95% of random maps lie below (ranks)")
    ax.set_xticks(places, [name.replace(" dB", " dB\n").replace(" ms ", " ms\n") for name in steady.variants])
    ax.set(ylim=(min(-0.05, *np.nan_to_num(steady.pearson), *np.nan_to_num(steady.spearman)) - 0.05, 1.08),
           ylabel="agreement with the map")  # fmt: skip
    draw.legend_above(ax, ink)
    _quiet(ax, ink, "The same map of the clip, slightly changed", pad=36.0)


def heads_panel(ax: Axes, result: Attribution, ink: str = INK, methods: Sequence[str] = METHODS) -> None:
    """Mean rank correlation between the maps of several heads, by method and size, with its controls."""
    heads, rows = result.controls.heads, [METHODS.index(method) for method in methods]
    places, width = np.arange(len(rows)), 0.8 / len(heads.cuts)
    ax.axhline(0, color=QUIET, lw=0.6)
    marks = (  # number -> its name, marker, and colours that show on every bar and in both themes
        ("given_loudness_and_length", "beyond loudness and length", {"marker": "o", "mfc": "white", "mec": "#111827"}),
        ("shuffled_heads", "heads with shuffled labels", {"marker": "x", "color": RANDOM}),
        ("random_maps_95", "95% of random maps lie below", {"marker": "_", "color": AGAINST, "ms": 9, "mew": 2}),
    )
    for column, cut in enumerate(heads.cuts):
        where, values = places - 0.4 + width * (column + 0.5), heads.numbers["spearman"][rows, column]
        ax.bar(where, np.nan_to_num(values), 0.9 * width, color=SIZES[column], label=cut)
        _missing(ax, where, values, ink)
        for name, label, style in marks:
            named = label if column == 0 else None
            ax.plot(where, heads.numbers[name][rows, column], ls="", label=named, **{"ms": 5, **style})
    ax.set_xticks(places, [name.replace(" ", "\n", 1) for name in methods])
    shown = np.array([heads.numbers[name][rows] for name in ("spearman", *(mark[0] for mark in marks))])
    lowest = min(-0.3, float(np.nan_to_num(shown).min()) - 0.05)
    ax.set(ylabel="mean rank correlation of two heads", ylim=(lowest, 1.05))
    draw.legend_above(ax, ink, 3)
    _quiet(ax, ink, f"{len(heads.scores)} heads: do their maps agree?", pad=46.0)


def _missing(ax: Axes, places: np.ndarray, values: np.ndarray, ink: str) -> None:
    """What is not known is named, lest it look like 0."""
    for place in places[~np.isfinite(values)]:
        ax.text(place, 0.02, "n/a", ha="center", va="bottom", fontsize=7, color=ink, rotation=90)


def modes_panel(ax: Axes, result: Attribution, ink: str = INK) -> None:
    """The scores with each replacement: how much of the map is the replacement's?"""
    places, modes, by = np.arange(len(result.labels)), result.controls.modes, result.controls.modes_method
    width = 0.8 / len(modes)
    colours = ("#2563eb", "#d97706", "#059669", "#7c3aed", "#6b7280")
    ax.axhline(0, color=QUIET, lw=0.6)
    for number, (mode, scores) in enumerate(modes.items()):
        ax.bar(places - 0.4 + width * (number + 0.5), scores, width, color=colours[number % 5], label=mode)
    if len(places) <= draw.LARGEST_LABELLED // 2:
        labels = [draw.written(label) for label in result.labels]
        ax.set_xticks(places, labels, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_ylabel(f"score ({result.unit})")
    ax.legend(fontsize=7, frameon=False, labelcolor=ink, ncols=2)
    _quiet(ax, ink, f"{by[0].upper()}{by[1:]}, by what stands in")


def text_of(value: float) -> str:
    """A number for the eye; a missing one is said to be missing, not 0."""
    return f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "n/a"


def _quiet(ax: Axes, ink: str, name: str, pad: float = 6.0) -> None:
    ax.set_title(name, fontsize=9, color=ink, pad=pad)
    ax.spines[["top", "right"]].set_visible(False)
    for spine in ax.spines.values():
        spine.set_edgecolor(ink)
    ax.tick_params(colors=ink, labelsize=8)
    ax.xaxis.label.set_color(ink)
    ax.yaxis.label.set_color(ink)
