"""**Does the model only hear the words, or also how they are said, and where?**

The recording is changed in ways that leave its words alone: its pitch, its tempo, its level, noise, a room. After each
change the model is asked how likely it still finds what it wrote of the unchanged clip, and what it writes now. Or one
phone or word is changed by Praat: its melody flattened, its length stretched, a formant moved. Every changed recording
can be heard.

*How to read it.* The curve is the change of the log-probability against the unchanged recording, which is marked at 0.
A flat curve means that the property does not matter over that range. Loudness is a check: wav2vec 2.0's input is
scaled to one level, so its curve must be 0. Whisper's is not (20 dB shift every cell of its log-mel by half a unit),
so a flat curve is not forced by its input; look whether random weights give one too. Beside it are the share of words
that stay (1 − error rate), and the same network with random weights.

*What it cannot show.* PSOLA and linear prediction leave traces of their own: “resynthesised” shows what the method
does when it changes nothing. A steep curve says that a property matters to this sentence in this voice, not that the
model uses it to decide. Pitch that is moved by five semitones with fixed formants is a voice that nobody has. The
log-probability of a CTC string also depends on how many frames there are: with random weights that is all there is.

*Source.* Pastor, Koudounas, Attanasio, Hovy & Baralis, EACL 2024 (arXiv 2309.07733), with its grids; loudness is our
own addition. PSOLA: Moulines & Charpentier 1990, in Praat; rooms: Allen & Berkley 1979.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import draw, lens, perturb, praat, signed, sound_changes
from methods.core import panel as panels
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.panel import Panel
from methods.core.results import Step, Steps, finish, provenance, read_only
from methods.core.stages import Window

Unit = Literal["nats", "probability"]
Grid = Literal["coarse", "published"]
Change = Callable[[Clip, float, Segment | None], np.ndarray]
NONE = 50.0  # dB, where curves draw “no noise”


@dataclass(frozen=True)
class Property:
    """One thing about a recording that can be changed by degrees."""

    label: str
    unit: str
    reference: float  # the degree that changes nothing
    coarse: tuple[float, ...]
    published: tuple[float, ...]
    change: Change  # clip, degree, interval -> samples
    local: bool = False  # of one interval, through Praat


def _span(first: float, last: float, step: float) -> tuple[float, ...]:
    return tuple(np.round(np.arange(first, last + step / 2, step), 3).tolist())


def _formant(number: int) -> Change:
    return lambda clip, ratio, part: praat.shift_formant(clip, part, number, ratio).samples


def _flat(clip: Clip, semitones: float, part: Segment) -> np.ndarray:
    return praat.flatten_f0(clip, part, hz=praat.median_f0(clip, part) * 2 ** (semitones / 12)).samples


_SNRS = (40.0, 20.0, 10.0, 7.5, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.1)
_RATIOS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
_FLAT = (-4.0, -2.0, 0.0, 2.0, 4.0)
_LENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
PROPERTIES: dict[str, Property] = {
    "pitch": Property("pitch", "semitones", 0.0, _span(-5, 5, 2.5), _span(-5, 5, 0.5),
                      lambda clip, x, _: praat.change_pitch(clip, x).samples),
    "tempo": Property("tempo", "duration ratio", 1.0, (*_span(0.55, 0.85, 0.15), *_span(1.0, 1.45, 0.15)),
                      _span(0.55, 1.45, 0.05), lambda clip, x, _: praat.change_tempo(clip, x).samples),
    "loudness": Property("loudness", "dB", 0.0, _span(-30, 20, 10), _span(-30, 20, 5),
                         lambda clip, x, _: sound_changes.louder(clip.samples, x)),
    "noise": Property("white noise", "dB SNR", np.inf, (np.inf, 40.0, 20.0, 10.0, 5.0, 2.0, 0.1), (np.inf, *_SNRS),
                      lambda clip, x, _: sound_changes.with_noise(clip.samples, x)),
    "reverberation": Property("reverberation", "m room side", 0.0, (0.0, *_span(3, 7, 2)), (0.0, *_span(3, 7, 0.5)),
                              lambda clip, x, _: sound_changes.reverberated(clip.samples, x)),
    "flat F0": Property("flat melody", "semitones from its median F0", np.nan, _FLAT, _FLAT, _flat, True),
    "length": Property("length of the interval", "duration ratio", 1.0, _LENGTHS, _LENGTHS,
                       lambda clip, x, part: praat.lengthen(clip, part, x).samples, True),
    **{f"F{n}": Property(f"F{n} of the interval", "frequency ratio", 1.0, _RATIOS, _RATIOS, _formant(n), True)
       for n in (1, 2, 3)},
}  # fmt: skip
SENSE = {"properties": tuple(PROPERTIES)}
WHOLE_CLIP = tuple(name for name, each in PROPERTIES.items() if not each.local)


@dataclass(frozen=True, eq=False)
class Paralinguistics:
    """What the model says of each changed recording; one point is one recording. Scores are natural logarithms."""

    targets: tuple[str, ...]  # (targets,) answers that were asked about
    odds: np.ndarray  # (targets,) bool, True where the score is a log-odds, False where it is a log-probability
    properties: tuple[str, ...]  # (points,) what was changed; "resynthesised" for Praat's own traces
    degrees: np.ndarray  # (points,) how much, in the property's unit; infinity for no noise
    reference: np.ndarray  # (points,) bool, True where nothing was changed
    base: np.ndarray  # (targets,) nats, of the unchanged clip
    scores: np.ndarray  # (points, targets) nats; NaN where not run yet
    heard: str  # what the model says of the unchanged clip
    answers: tuple[str, ...]  # (points,) what it says now; "" where not run yet
    random_base: np.ndarray  # (seeds, targets) nats, random weights
    random_scores: np.ndarray  # (seeds, points, targets) nats
    left_out: tuple[str, ...]  # changes that cannot be made to this clip, and why
    interval: tuple[str, float, float] | None  # label, start and end (s) of what Praat changed
    samples: np.ndarray  # (n,) float32, the clip, so that its changed versions can be heard
    provenance: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The properties in their order."""
        return tuple(dict.fromkeys(name for name in self.properties if name in PROPERTIES))

    def points(self, name: str) -> np.ndarray:
        """Which points belong to a property, in the order of degree."""
        found = np.flatnonzero([each == name for each in self.properties])
        return found[np.argsort(self.degrees[found], kind="stable")]

    def changes(self, unit: Unit = "nats") -> np.ndarray:
        """(points, targets) how the answers change; 0 at the reference, negative where less likely."""
        return self._change(self.scores, self.base, unit)

    def random_changes(self, unit: Unit = "nats") -> np.ndarray:
        """(seeds, points, targets) the same with random weights."""
        return self._change(self.random_scores, self.random_base[:, None], unit)

    def _change(self, scores: np.ndarray, base: np.ndarray, unit: Unit) -> np.ndarray:
        if unit == "nats":
            return scores - base
        return panels.probability(scores, self.odds) - panels.probability(base, self.odds)

    def importance(self, name: str, unit: Unit = "nats") -> np.ndarray:
        """(targets,) mean loss over the degrees of a property but the reference: Pastor et al.'s r."""
        changed = [point for point in self.points(name) if not self.reference[point]]
        return -self.changes(unit)[changed].mean(0)

    def kept(self) -> np.ndarray:
        """(points,) 1 − word error rate of the new answer against the old, cut at 0; NaN where not run yet."""
        meant = lens.plain_words(self.heard)
        rates = [lens.error_rate(meant, lens.plain_words(answer)) for answer in self.answers]
        return np.where(np.isnan(self.scores[:, 0]), np.nan, 1 - np.minimum(rates, 1.0))

    def sound(self, point: int) -> Clip:
        """The changed recording, as the model heard it but for its level beyond full scale."""
        clip, part = Clip(self.samples, self.provenance["clip"]), self.interval and Segment(*self.interval)
        name, degree = self.properties[point], float(self.degrees[point])
        return clip_from_samples(changed(clip, name, degree, part), SAMPLE_RATE, f"{clip.name} {name} {degree:g}")

    def table(self) -> pd.DataFrame:
        """One line per changed recording and answer."""
        point, target = np.indices(self.scores.shape).reshape(2, -1)
        columns = {"property": np.array(self.properties, object)[point], "degree": self.degrees[point]}
        columns |= {"reference": self.reference[point], "target": np.array(self.targets, object)[target]}
        columns |= {"score_nats": self.scores.ravel(), "change_nats": self.changes().ravel()}
        columns |= {"change_probability": self.changes("probability").ravel(), "one_minus_wer": self.kept()[point]}
        for seed, values in zip(self.provenance["options"]["random_seeds"], self.random_changes(), strict=False):
            columns[f"random_{seed}_change_nats"] = values.ravel()
        return pd.DataFrame({**columns, "heard": np.array(self.answers, object)[point]})


def changed(clip: Clip, name: str, degree: float, part: Segment | None = None) -> np.ndarray:
    """(n,) the samples of a recording with one property changed. Raises UserError where that cannot be."""
    if name == "resynthesised":
        return praat.resynthesised(clip).samples
    known = PROPERTIES[name]
    return clip.samples if degree == known.reference else known.change(clip, degree, part)


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    properties: Sequence[str] = WHOLE_CLIP,
    interval: Segment | tuple[str, float, float] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    grid: Grid = "coarse",
    window: Window = "full",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Paralinguistics:
    """How does every answer of the model change with how, and where, the words are said?

    `properties` are names of `PROPERTIES`; those of one `interval` need one. `grid="published"` takes the finer steps
    of Pastor et al. `window="clip"` feeds Whisper only the clip's own frames, which is quicker and not what it was
    trained on. A degree that this clip cannot take (a voiceless clip's pitch, over 30 s) is left out and named; raises
    UserError where nothing is left, and for names that are not there.
    """
    options = {"properties": properties, "interval": interval, "transcript": transcript, "language": language}
    return finish(analyse_in_steps(clip, model, grid=grid, window=window, random_seeds=random_seeds, **options))


def analyse_in_steps(
    clip: Clip,
    model: SpeechModel,
    *,
    properties: Sequence[str] = WHOLE_CLIP,
    interval: Segment | tuple[str, float, float] | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
    **options: Any,
) -> Steps[Paralinguistics]:
    """`analyse`, sound by sound, for a page that shows progress and can stop."""
    given = {"properties": properties, "interval": interval, "random_seeds": random_seeds}
    check_options(analyse, {**options, **given}, SENSE)
    yield Step(0.0, "what the model says of the unchanged clip")
    perturb.check_audible(clip.samples)
    interval = Segment(*interval) if isinstance(interval, tuple) else interval
    _check(properties, interval)
    asked = {key: options.get(key) for key in ("transcript", "language")}
    # A whole recording that is louder is scaled anew by a wav2vec 2.0 model's front end, as it would be in use.
    panel = panels.build(clip, model, window=options.get("window") or "full", renormalise=True, **asked)
    kept = {**asked, "transcript_given": bool(asked["transcript"]), "window": panel.window}
    kept |= {"grid": options.get("grid") or "coarse", "random_seeds": list(random_seeds)}
    result, sounds = _planned(panel, list(properties), interval, kept)
    total = len(sounds) * (1 + len(random_seeds))
    for number, samples in enumerate(sounds):
        name, degree = result.properties[number], result.degrees[number]
        # The first property is shown point by point, another when it is whole: drawing takes a while.
        shown = number > 0 and (name == result.properties[0] or name != result.properties[number - 1])
        yield Step(number / total, f"{name} {degree:g}", partial=result if shown else None)
        found, answer = panel.heard(samples)
        scores, answers = np.array(result.scores), list(result.answers)
        scores[number], answers[number] = found, answer
        result = replace(result, scores=read_only(scores), answers=tuple(answers))
    for number, seed in enumerate(random_seeds):
        yield Step((number + 1) / (1 + len(random_seeds)), f"random weights, seed {seed}", partial=result)
        twin = panel.twin(seed)
        result = replace(
            result,
            random_base=read_only([*result.random_base, twin.scores(clip.samples)]),
            random_scores=read_only([*result.random_scores, [twin.scores(samples) for samples in sounds]]),
        )
    return result


def _check(properties: Sequence[str], interval: Segment | None) -> None:
    if not properties:
        raise UserError(f"No property was chosen, so nothing would change; choose some of {', '.join(PROPERTIES)}.")
    if interval is None and any(PROPERTIES[name].local for name in properties):
        raise UserError("This change is made to one word or phone; choose which (an interval).")


def _planned(
    panel: Panel, names: list[str], interval: Segment | None, kept: dict[str, Any]
) -> tuple[Paralinguistics, list[np.ndarray]]:
    """A result with nothing asked yet, and the sounds to ask about; what cannot be made is left out."""
    plan = [(name, degree) for name in names for degree in getattr(PROPERTIES[name], kept["grid"])]
    plan += [("resynthesised", 0.0)] if {"pitch", "tempo", "flat F0", "length"} & set(names) else []
    made, sounds, left_out = [], [], []
    for name, degree in plan:
        try:
            sounds.append(changed(panel.clip, name, degree, interval))
            made.append((name, degree))
        except UserError as problem:
            left_out.append(f"{name} {degree:g}: {problem}")
    if not any(degree != PROPERTIES[name].reference for name, degree in made if name in PROPERTIES):
        raise UserError(left_out[0].partition(": ")[2])
    part = interval and (interval.label, interval.start, interval.end)
    origin = provenance("paralinguistics", panel.clip, panel.model, properties=names, interval=part, **kept)
    return _empty(panel, made, tuple(left_out), origin), sounds


def _empty(
    panel: Panel, made: list[tuple[str, float]], left_out: tuple[str, ...], origin: dict[str, Any]
) -> Paralinguistics:
    base, heard = panel.heard(panel.clip.samples)
    shape = (len(made), len(panel.labels))
    known = [name in PROPERTIES and degree == PROPERTIES[name].reference for name, degree in made]
    return Paralinguistics(
        targets=panel.labels,
        odds=read_only([scale == "log-odds" for scale in panel.scales], bool),
        properties=tuple(name for name, _ in made),
        degrees=read_only([degree for _, degree in made]),
        reference=read_only(known, bool),
        base=read_only(base),
        scores=read_only(np.full(shape, np.nan)),
        heard=heard,
        answers=("",) * shape[0],
        random_base=read_only(np.zeros((0, shape[1]))),
        random_scores=read_only(np.zeros((0, *shape))),
        left_out=left_out,
        interval=origin["options"]["interval"],
        samples=read_only(panel.clip.samples, np.float32),
        provenance=origin,
    )


def plot(result: Paralinguistics, *, target: int = 0, unit: Unit = "nats") -> Figure:
    """For each property: the change of one answer with its random-weights control, and the share of words kept."""
    names = result.names
    figure = draw.new_figure(2.9 * len(names) + 1.0, 5.4)
    axes = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        response_curve(axes[0, column], result, name, target=target, unit=unit)
        kept_curve(axes[1, column], result, name)
    return figure


def response_curve(
    ax: Axes, result: Paralinguistics, name: str, *, target: int = 0, unit: Unit = "nats", ink: str = draw.INK
) -> None:
    """The change of one answer over the degrees of a property; random weights are thin, the reference is marked."""
    points = result.points(name)
    for curve in result.random_changes(unit)[:, points, target]:
        ax.plot(_places(result, points), curve, color=draw.RANDOM, lw=0.8, alpha=0.7)
    values = result.changes(unit)[points, target]
    signed.limited(ax, values, result.random_changes(unit)[:, points, target])
    ax.plot(_places(result, points), values, color=draw.TRAINED, marker="o", ms=3, label="trained")
    ax.axhline(0, color=draw.QUIET, lw=0.6, ls=":")
    again = result.points("resynthesised")
    if len(again) and name in ("pitch", "tempo", "flat F0", "length"):
        traces = result.changes(unit)[again[0], target]
        ax.axhline(traces, color=draw.QUIET, lw=0.8, ls="--", label="resynthesised only")
    _finished(ax, result, name, points, ink)
    ax.set_ylabel(f"change of {result.targets[target]} ({unit})".replace("$", r"\$"), color=ink, fontsize=8)
    ax.legend(fontsize=7, frameon=False, labelcolor=ink, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def kept_curve(ax: Axes, result: Paralinguistics, name: str, ink: str = draw.INK) -> None:
    """The share of the words that stay in the model's new transcript."""
    points = result.points(name)
    ax.plot(_places(result, points), result.kept()[points], color=draw.TRAINED, marker="o", ms=3)
    _finished(ax, result, name, points, ink)
    ax.set_ylim(-0.03, 1.03)
    ax.set_ylabel("1 − error rate of the new answer", color=ink, fontsize=8)


def _places(result: Paralinguistics, points: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(result.degrees[points]), NONE, result.degrees[points])


def _finished(ax: Axes, result: Paralinguistics, name: str, points: np.ndarray, ink: str) -> None:
    for point in points[result.reference[points]]:
        ax.axvline(_places(result, np.array([point]))[0], color=draw.QUIET, lw=0.8)
    if name == "noise":
        ax.invert_xaxis()
    ax.set_xlabel(f"{PROPERTIES[name].label}, {PROPERTIES[name].unit}" + (", 50: none" if name == "noise" else ""))
    signed.inked(ax, ink)
