"""**Which of two sounds does each layer hear when one turns into the other, and does the context tip the scale?**

A sound is changed step by step into another one, and every step is heard in two contexts. Three measures say how
much of sound A a layer still finds in it. The *CTC lens* takes P(A) / (P(A) + P(B)), each at its highest within the
sound, as a CTC head reads the layer. The *probe* is the probability of A by logistic regression on the layer's state,
trained on phones of the bundled prompts, never on the recordings from which the steps are made. *Nearness* is
1 − d(A) / (d(A) + d(B)), cosine distances of the state to the two ends of its own series: no head, no training.

*How to read it.* A layer that sorts sounds into categories has a steep curve; acoustics change evenly. Where a context
favours A, its whole curve lies higher: the *context effect* is the area between the two curves, positive if the first
context favours A. Listen to the steps: yours is the ear to compare with. Dashed: the same with random weights.

*What it cannot show.* A morph of spectra is a rough continuum, and a change of one formant is not how mouths go from
one vowel to another. Two contexts differ in more than the neighbouring sound: words, position, loudness. One series
has no error bar; repeat it with other recordings before you believe a small effect. A head that never gives either
sound any probability still has a share of A: look at the highest probability in the status line.

*Source.* de Heer Kloots & Zuidema, Human-like Linguistic Biases in Neural Speech Models: Phonetic Categorization and
Phonotactic Constraints in Wav2Vec2.0, Interspeech 2024 (arXiv 2407.03005); words tipping the scale: Ganong 1980
(doi 10.1037/0096-1523.6.1.110).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import continuum, ctc_layers, draw, lens, models, two_sounds
from methods.core.audio import Clip
from methods.core.continuum import EXPERIMENTS, Series
from methods.core.corpus import Corpus
from methods.core.ctc_layers import Head
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.items import Items
from methods.core.lens import Curve
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.results import Step, Steps, corpus_provenance, finish, provenance, read_only, within

Measure = Literal["lens", "tuned", "probe", "nearness"]
MEASURES: dict[Measure, str] = {
    "lens": "CTC lens",
    "tuned": "CTC lens, a head per layer",
    "probe": "Probe",
    "nearness": "Nearness to A",
}
REACH = 0.03  # s on either side of a sound in which a head may name it: CTC's peaks often come a frame late
SENSE = continuum.SENSE


@dataclass(frozen=True, eq=False)
class Continuum:
    """How much of sound A each layer finds in each step, in each context: 0 to 1, None where it cannot be said."""

    lens: np.ndarray | None  # (contexts, layers, steps) share of A in P(A) + P(B); the last layer's head on all
    tuned: np.ndarray | None  # (contexts, layers, steps) the same by each layer's own head
    evidence: np.ndarray | None  # (contexts, layers, steps) the larger of P(A) and P(B), raw lens
    probe: np.ndarray | None  # (contexts, layers, steps) P(A)
    probe_accuracy: np.ndarray | None  # (layers,) of the probe on recordings that it has not seen; chance is 0.5
    nearness: np.ndarray  # (contexts, layers, steps) 1 at A's end, 0 at B's
    random: tuple["Continuum", ...]  # the same with random weights, one per seed
    a: str
    b: str
    contexts: tuple[str, ...]
    layers: tuple[str, ...]
    starts: np.ndarray  # (contexts, steps) s, where the sound is in its clip
    ends: np.ndarray  # (contexts, steps) s
    samples: np.ndarray  # (all,) float32, every clip after the other, 16 kHz
    offsets: np.ndarray  # (contexts × steps + 1,) int, where each begins and the last ends
    provenance: dict[str, Any]

    @property
    def steps(self) -> np.ndarray:
        """(steps,) place between A (0) and B (1)."""
        return np.linspace(0.0, 1.0, self.nearness.shape[-1])

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those that this result has."""
        return tuple(name for name in MEASURES if getattr(self, name) is not None)

    def clip(self, context: int, step: int) -> Clip:
        """One step as it sounds."""
        number = context * len(self.steps) + step
        return Clip(self.samples[self.offsets[number] : self.offsets[number + 1]], f"{self.contexts[context]} {step}")

    def context_effect(self, measure: Measure) -> np.ndarray:
        """(layers,) area between the curves of the first two contexts, -1 to 1: positive if the first favours A.

        Raises UserError where there is only one context.
        """
        if len(self.contexts) < 2:
            raise UserError("There is only one context here, so there is no effect of context; give two.")
        values = _of(self, measure)
        return np.trapezoid(values[0] - values[1], self.steps, axis=-1)

    def table(self) -> pd.DataFrame:
        """One line per context, layer and step: every measure, and the same with random weights."""
        context, layer, step = np.indices(self.nearness.shape).reshape(3, -1)
        columns = {"context": np.array(self.contexts, object)[context], "layer": layer, "step": self.steps[step]}
        columns |= {"a": self.a, "b": self.b}
        columns |= {name: _of(self, name).ravel() for name in self.measures}
        if self.evidence is not None:
            columns["highest_probability"] = self.evidence.ravel()
        if self.probe_accuracy is not None:
            columns["probe_accuracy"] = self.probe_accuracy[layer]
        for twin in self.random:
            seed = twin.provenance["options"]["seed"]
            columns |= {f"random_{seed}_{name}": _of(twin, name).ravel() for name in twin.measures}
        return pd.DataFrame(columns)


def _of(result: Continuum, measure: Measure) -> np.ndarray:
    values = getattr(result, measure)
    if values is None:
        raise UserError(f"There is no {MEASURES[measure]} here; choose one of {', '.join(result.measures)}.")
    return values


def analyse(
    clip: Clip | Corpus,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    experiment: str = "l-r",
    first: int = 1,
    second: int = 2,
    amount: float = 1.5,
    count: int = 7,
    a: str = "",
    b: str = "",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Continuum:
    """How much of one sound does each layer hear in each step on the way to another one?

    `experiment` is one of the bundled ones (`EXPERIMENTS`); "morph" for the `first` of the clip's `segments` (counting
    from 1) into the `second`; or "F1", "F2", "F3", "length": that property of both is multiplied by up to `amount`.
    `a` and `b` name the ends in ARPAbet (default: those of the experiment, or the segments' labels); a head or probe
    that does not know them is left out. A corpus in place of the clip holds the steps themselves (see `of_corpus`).
    """
    places = {"segments": segments, "first": first, "second": second, "amount": amount, "count": count}
    return finish(analyse_in_steps(clip, model, random_seeds=random_seeds, experiment=experiment, a=a, b=b, **places))


def analyse_in_steps(
    clip: Clip | Corpus, model: SpeechModel, *, random_seeds: Sequence[int] = (0, 1, 2), **options: Any
) -> Steps[Continuum]:
    """`analyse`, one network after the other, for a page that shows progress and can stop."""
    check_options(analyse, {**options, "random_seeds": random_seeds}, SENSE)
    if not isinstance(clip, Corpus):  # whose steps are there already, whatever the experiment is called
        continuum.check_experiment(options.get("experiment", "l-r"))
    yield Step(0.0, "making the steps")
    asked = {**analyse.__kwdefaults__, **options, "random_seeds": list(random_seeds)}
    task, part = _task(clip, model, asked), 1 / (len(random_seeds) + 1)
    result, twins = (yield from within(_measured(task, model), 0.0, part)), []
    for number, seed in enumerate(random_seeds, start=1):
        twin = _measured(task, models.random_twin(model, seed))
        twins.append((yield from within(twin, number * part, (number + 1) * part, result)))
    return replace(result, random=tuple(twins))


@dataclass(frozen=True, eq=False)
class _Task:
    """What is asked of every network."""

    clip: Clip | Corpus
    series: tuple[Series, ...]
    a: str
    b: str
    head: Head | None  # of the trained model; None where there is none, or it does not know both sounds
    columns: tuple[int, ...]  # of the two sounds in that head
    learnt: Items | None  # what the probe learns from
    options: dict[str, Any]  # for provenance

    @property
    def sounds(self) -> list[tuple[Clip, Segment]]:
        return [pair for one in self.series for pair in zip(one.clips, one.places, strict=True)]


def _task(clip: Clip | Corpus, model: SpeechModel, asked: dict[str, Any]) -> _Task:
    series, a, b, sources = continuum.asked_for(clip, asked)
    head = ctc_layers.head_of(model) if ctc_layers.units(model) else None
    columns = tuple(ctc_layers.phone_column(head, sound) for sound in (a, b)) if head else (None,)
    if None in columns or len(set(columns)) < 2:
        head, columns = None, ()
    kept = {**asked, "a": a, "b": b, "head": head and head.label}
    kept["segments"] = [[s.label, s.start, s.end] for s in asked["segments"] or ()]
    kept["steps_sha256"] = [[step.sha256 for step in part.clips] for part in series]
    return _Task(clip, series, a, b, head, columns, two_sounds.examples(a, b, sources), kept)


def _measured(task: _Task, model: SpeechModel) -> Steps[Continuum]:
    """Everything about one network."""
    readings, sounds = [], task.sounds
    who = model.id if model.trained else f"random weights, seed {model.seed}"
    for number, (clip, place) in enumerate(sounds):
        yield Step(0.6 * number / len(sounds), f"{who}: step {number + 1} of {len(sounds)}")
        readings.append(_reading(clip, place, model, task))
    shape = (len(task.series), len(sounds) // len(task.series))
    found = {name: _arranged([reading[name] for reading in readings], shape) for name in readings[0]}
    states = found.pop("states")
    yield Step(0.6, f"{who}: training the probe")
    probe = None
    if task.learnt is not None:
        probe = yield from within(two_sounds.ask(task.learnt, task.a, sounds, model), 0.6, 1.0)
    return Continuum(
        **found,
        probe=None if probe is None else _arranged(list(probe.share.T), shape),
        probe_accuracy=None if probe is None else read_only(probe.accuracy),
        nearness=read_only([two_sounds.nearness(of_context) for of_context in states]),
        random=(),
        a=task.a or "A",
        b=task.b or "B",
        contexts=tuple(one.context for one in task.series),
        layers=models.encode(sounds[0][0], model).layer_names,
        starts=read_only([[place.start for place in one.places] for one in task.series]),
        ends=read_only([[place.end for place in one.places] for one in task.series]),
        samples=read_only(np.concatenate([clip.samples for clip, _ in sounds]), np.float32),
        offsets=read_only(np.cumsum([0, *(len(clip.samples) for clip, _ in sounds)]), np.int64),
        provenance=_origin(task, model),
    )


def _origin(task: _Task, model: SpeechModel) -> dict[str, Any]:
    make = corpus_provenance if isinstance(task.clip, Corpus) else provenance
    origin = make("continuum", task.clip, model, seed=model.seed, **task.options)
    name = task.options["experiment"]
    # The clip has no part in a bundled experiment; its hash stays, for the lines of Python that make this again.
    return origin | ({"clip": f"bundled {name}"} if name in EXPERIMENTS else {})


def _reading(clip: Clip, place: Segment, model: SpeechModel, task: _Task) -> dict[str, np.ndarray | None]:
    """One step: (layers,) shares and evidence of the lenses, and (layers, dim) the mean state of the sound."""
    grid = models.frame_grid(clip, model)
    span = grid.span(place)
    raw, normed = ctc_layers.lens_states(clip, model)
    found: dict[str, np.ndarray | None] = dict.fromkeys(("lens", "tuned", "evidence"))
    found["states"] = raw[:, span.start : span.stop].double().mean(1).numpy()
    if task.head is None:
        return found
    wide = grid.span(Segment(place.label, max(place.start - REACH, 0.0), place.end + REACH))
    near, columns = slice(wide.start, wide.stop), list(task.columns)
    scores = np.stack([task.head.top(states)[near][:, columns] for states in normed])
    found["lens"], found["evidence"] = two_sounds.share_of_first(scores), np.exp(scores.max((1, 2)))
    if task.head.own is not None and model.trained:
        own = [task.head.own(states, layer)[near][:, columns] for layer, states in enumerate(raw)]
        found["tuned"] = two_sounds.share_of_first(np.stack(own))
    return found


def _arranged(values: list[np.ndarray | None], shape: tuple[int, int]) -> np.ndarray | None:
    """One (layers,) per sound -> (contexts, layers, steps); (layers, dim) -> (contexts, steps, layers, dim)."""
    if values[0] is None:
        return None
    stacked = np.stack(values).reshape(*shape, *values[0].shape)
    return read_only(np.moveaxis(stacked, 1, 2) if stacked.ndim == 3 else stacked)


# Pictures

COLOURS = (draw.TRAINED, draw.RANDOM, "#059669", "#7c3aed")


def draw_curves(ax: Axes, result: Continuum, measure: Measure, layer: int, ink: str = draw.INK) -> None:
    """P(A) against the step in one layer: a colour per context, dashed with random weights."""
    values = _of(result, measure)
    for number, (context, colour) in enumerate(zip(result.contexts, COLOURS, strict=False)):
        twins = [_of(twin, measure)[number, layer] for twin in result.random if measure in twin.measures]
        if twins:
            ax.plot(result.steps, np.mean(twins, 0), color=colour, ls="--", lw=1)
        ax.plot(result.steps, values[number, layer], color=colour, marker="o", ms=4, label=_text(context))
    ax.axhline(0.5, color=draw.QUIET, ls=":", lw=0.8)
    ax.set(ylim=(-0.03, 1.03), xlabel=_text(f"step, {result.a} to {result.b}"), ylabel=_text(MEASURES[measure]))
    draw.plain_axes(ax, ink, columns=1)


def draw_map(ax: Axes, result: Continuum, measure: Measure, context: int, ink: str = draw.INK) -> object:
    """P(A) in every layer (rows) and step (columns) of one context. Returns the mesh."""
    values = _of(result, measure)[context]
    mesh = ax.pcolormesh(values, cmap="RdBu", vmin=0, vmax=1)
    ax.set(xticks=[0.5, values.shape[1] - 0.5], yticks=np.arange(len(values)) + 0.5)
    ax.set_xticklabels([_text(result.a), _text(result.b)], color=ink)
    ax.set_yticklabels([name.split(" ")[0] for name in result.layers], color=ink, fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return mesh


def effect_curves(result: Continuum, measure: Measure) -> list[Curve]:
    """The context effect of a measure over the layers, with its control."""
    twins = [twin.context_effect(measure) for twin in result.random if measure in twin.measures]
    control = [Curve(f"random weights, {len(twins)} seeds", np.array(twins), True)] if twins else []
    return [Curve("trained", result.context_effect(measure)), *control]


def draw_measure(figure: Figure, result: Continuum, measure: Measure, layer: int, ink: str = draw.INK) -> None:
    """One measure: its curves in one layer, its maps of all layers, and its context effect over the layers."""
    contexts = len(result.contexts)
    heights = [2.0, *[0.2 * len(result.layers) + 0.2] * contexts, *[1.6] * (contexts > 1)]
    axes = figure.subplots(len(heights), 1, height_ratios=heights)
    draw_curves(axes[0], result, measure, layer, ink)
    for context, ax in enumerate(axes[1 : 1 + contexts]):
        mesh = draw_map(ax, result, measure, context, ink)
        ax.set_title(_text(result.contexts[context]), fontsize=8, color=ink)
    bar = figure.colorbar(mesh, ax=axes[1 : 1 + contexts].tolist(), shrink=0.8)
    bar.ax.tick_params(colors=ink)
    if contexts > 1:
        lens.layer_curves(axes[-1], result.layers, effect_curves(result, measure), "context effect", ink)
        axes[-1].axhline(0, color=draw.QUIET, ls=":", lw=0.8)


def picture_height(result: Continuum) -> float:
    """Inches that `draw_measure` wants."""
    contexts = len(result.contexts)
    return 3.0 + contexts * (0.2 * len(result.layers) + 0.6) + 2.4 * (contexts > 1)


def plot(result: Continuum, *, layer: int | None = None) -> Figure:
    """A column per measure: curves of one layer (from 0; default: the last), maps of all, and the context effect."""
    layer = len(result.layers) - 1 if layer is None else layer
    figure = draw.new_figure(3.4 * len(result.measures), picture_height(result))
    columns = figure.subfigures(1, len(result.measures), squeeze=False)[0]
    for column, measure in zip(columns, result.measures, strict=True):
        draw_measure(column, result, measure, layer)
    return figure


def _text(label: str) -> str:
    return label.replace("$", r"\$")  # a dollar sign would start matplotlib's mathematics
