"""**What does each layer hear at this moment? Ready-made probes read phone, manner, voicing, F0 and loudness live.**

For the bundled models the app brings linear probes that were trained beforehand, one per layer. They are applied to
every frame of your clip: one tier per layer says what that layer shows most plainly, and the map below gives the
probabilities of one layer. The lowest tier, MFCC, is a probe of the sound itself, without any model.

*How to read it.* Play the clip and watch where the tiers agree with the phones above them. The tables give how often
each probe was right on recordings that it was not trained on, on other speakers, and with random weights; where this
clip has phones of its own, how often it is right here, silent frames included; the dotted line is what always saying
the most frequent class (of numbers: the mean) would get. Phones take shape over the layers; F0 and loudness fade.

*What it cannot show.* The probes were trained on three minutes of English, most of it one woman: with other voices,
languages or noise they err. Probabilities of one frame are not those of a listener, and what can be read off a layer
need not be used by the model. The bundled clips share the prompts' speaker, so their scores are kind.

*Source.* Alain & Bengio 2016 (arXiv 1610.01644); probes and their card: `methods/core/probes/README.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import acoustics, draw, lens, live_probe_set, models, phonology, praat
from methods.core.audio import Clip
from methods.core.corpus import SILENCES
from methods.core.frames import FrameGrid, Segment
from methods.core.lens import Curve
from methods.core.live_probe_set import CLASSIFIED, MEASURED, RANDOM_SEED, SILENCE, ProbeSet
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.results import Step, Steps, finish, provenance, read_only

TARGETS = (*CLASSIFIED, *MEASURED)
# R² drawn at least: a probe of one woman's F0 is far worse than the mean on men, and the card has the number.
LOWEST = -0.5
SIDES = {
    "trained": "held-out recordings",
    "other": "other speakers, trained on the prompts alone",
    "random": "random weights, held out",
}


@dataclass(frozen=True, eq=False)
class LiveProbes:
    """What ready-made probes say at every frame. Layer 0 here is MFCC, then come the model's own layers."""

    layers: tuple[str, ...]  # "MFCC", then the model's own
    times: np.ndarray  # (frames,) s, centres
    step: float  # s between frames
    phones: tuple[str, ...]  # classes of each classifying probe
    manners: tuple[str, ...]
    voicings: tuple[str, ...]
    phone: np.ndarray  # (layers, frames, phones) probabilities
    manner: np.ndarray  # (layers, frames, manners)
    voicing: np.ndarray  # (layers, frames, voicings)
    f0: np.ndarray  # (layers, frames) semitones re 100 Hz
    intensity: np.ndarray  # (layers, frames) dB re full scale
    measured_f0: np.ndarray  # (frames,) Praat's, NaN where there is no voice
    measured_intensity: np.ndarray  # (frames,) Praat's, NaN at the ends and in digital silence
    random_phone: np.ndarray  # (layers, frames, phones) an untrained twin's states read by probes trained on them
    labels: tuple[str, ...]  # (frames,) the clip's own phones in lower case, "sil" between them; empty: none known
    card: dict[str, Any]  # scores from the training of the probes
    provenance: dict[str, Any]

    def classes(self, target: str) -> tuple[str, ...]:
        """The classes of a classifying target."""
        return {"phone": self.phones, "manner": self.manners, "voicing": self.voicings}[target]

    def best(self, target: str) -> np.ndarray:
        """(layers, frames) int, the most likely class."""
        return getattr(self, target).argmax(-1)

    def right(self, target: str) -> np.ndarray | None:
        """(layers,) share of the labelled frames whose most likely class is the clip's own; None without labels."""
        truth, known = self._truth(target)
        if not known.any():
            return None
        said = np.array(self.classes(target))[self.best(target)]
        return (said[:, known] == truth[known]).mean(1)

    def counted(self, target: str) -> tuple[int, int]:
        """How many frames of the clip have a label, and how many of these are silence."""
        truth, known = self._truth(target)
        return int(known.sum()), int((truth[known] == SILENCE).sum())

    def majority(self, target: str) -> tuple[str, float] | None:
        """The most frequent class among the labelled frames, silence included, and its share; None without labels."""
        truth, known = self._truth(target)
        if not known.any():
            return None
        names, counts = np.unique(truth[known], return_counts=True)
        return str(names[counts.argmax()]), float(counts.max() / counts.sum())

    def _truth(self, target: str) -> tuple[np.ndarray, np.ndarray]:
        """(frames,) the clip's own class of each frame, and whether the probes know that class."""
        truth = np.array([_class_of(label, target) for label in self.labels], dtype=str)
        return truth, np.isin(truth, self.classes(target))

    def table(self) -> pd.DataFrame:
        """One row per target, layer, frame and class (or number); then the shares of frames right, without a time."""
        parts = [self._classified(target) for target in CLASSIFIED]
        for target in MEASURED:
            lines = [*zip(self.layers, getattr(self, target), strict=True)]
            lines.append(("Praat", getattr(self, f"measured_{target}")))
            parts += [
                pd.DataFrame({"target": target, "layer": name, "time": self.times, "class": "", "value": values})
                for name, values in lines
            ]
        parts += [self._shares(target) for target in CLASSIFIED if self.right(target) is not None]
        return pd.concat(parts, ignore_index=True)

    def _shares(self, target: str) -> pd.DataFrame:
        """The share of labelled frames that each layer gets right, and that of the most frequent class."""
        name, share = self.majority(target)
        scored = zip(self.layers, self.right(target), strict=True)
        rows = [(target, layer, np.nan, "(right)", value) for layer, value in scored]
        rows.append((target, "most frequent class", np.nan, name, share))
        return pd.DataFrame(rows, columns=["target", "layer", "time", "class", "value"])

    def _classified(self, target: str) -> pd.DataFrame:
        values, names = getattr(self, target), self.classes(target)
        index = pd.MultiIndex.from_product([self.layers, self.times, names], names=["layer", "time", "class"])
        frame = pd.DataFrame({"value": values.ravel()}, index=index).reset_index()
        return frame.assign(target=target)[["target", "layer", "time", "class", "value"]]


def _class_of(label: str, target: str) -> str:
    if target == "phone" or label == SILENCE:
        return label
    return phonology.feature(label, target)


def analyse(clip: Clip, model: SpeechModel, *, phones: Sequence[Segment] = ()) -> LiveProbes:
    """What do ready-made probes read off every layer at every frame?

    `phones` are the clip's own, if they are known (ARPAbet), to count how often the probes are right. Raises
    UserError if there are no ready-made probes for this model.
    """
    return finish(analyse_in_steps(clip, model, phones=phones))


def analyse_in_steps(clip: Clip, model: SpeechModel, *, phones: Sequence[Segment] = ()) -> Steps[LiveProbes]:
    """The same with progress."""
    check_options(analyse, {"phones": phones})
    probes = live_probe_set.probes_for(model)
    yield Step(0.1, "reading every layer")
    states = _states(clip, model)
    read = {target: _apply(probes, target, states) for target in TARGETS}
    yield Step(0.5, "the same with random weights")
    twin = _states(clip, models.random_twin(model, RANDOM_SEED))
    grid = models.frame_grid(clip, model)
    said = {name: probes.classes[name] for name in CLASSIFIED}
    spoken = [[phone.label, phone.start, phone.end] for phone in phones]
    return LiveProbes(
        layers=probes.layers,
        times=read_only(grid.times),
        step=grid.step,
        phones=said["phone"],
        manners=said["manner"],
        voicings=said["voicing"],
        **{target: read_only(values) for target, values in read.items()},
        measured_f0=read_only(12 * np.log2(praat.f0(clip, grid.times) / 100)),
        measured_intensity=read_only(praat.intensity(clip, grid.times)),
        random_phone=read_only(_apply(probes, "phone", twin, random=True)),
        labels=_labels(grid, phones),
        card=probes.card,
        provenance=provenance("live probes", clip, model, phones=spoken, random_seed=RANDOM_SEED),
    )


def _states(clip: Clip, model: SpeechModel) -> list[np.ndarray]:
    """(frames, dim) of MFCC and of every layer."""
    return [acoustics.mfcc(clip, models.frame_grid(clip, model)), *models.encode(clip, model).hidden]


def _apply(probes: ProbeSet, target: str, states: list[np.ndarray], random: bool = False) -> np.ndarray:
    return np.stack([probes.apply(target, layer, values, random=random) for layer, values in enumerate(states)])


def _labels(grid: FrameGrid, phones: Sequence[Segment]) -> tuple[str, ...]:
    """The phone at each frame's centre; nothing if the clip's phones are not known or not all ARPAbet."""
    spoken = [phone for phone in phones if phone.label.strip().lower() not in SILENCES]
    known = phonology.arpabet_of_all({phone.label for phone in spoken})
    if not known:
        return ()
    labels = [SILENCE] * grid.frames
    for phone in spoken:
        for frame in grid.span(phone):
            labels[frame] = known[phone.label]
    return tuple(labels)


def runs(result: LiveProbes, target: str, layer: int) -> list[tuple[str, float, float, float]]:
    """Stretches of one class at one layer: (class, start s, end s, mean probability of that class)."""
    codes, values = result.best(target)[layer], getattr(result, target)[layer]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)]])
    half, end = result.step / 2, result.provenance["seconds"]
    return [
        (
            result.classes(target)[codes[a]],
            float(np.clip(result.times[a] - half, 0, end)),
            float(np.clip(result.times[b - 1] + half, 0, end)),
            float(values[a:b, codes[a]].mean()),
        )
        for a, b in pairwise(edges)
        if np.clip(result.times[a] - half, 0, end) < np.clip(result.times[b - 1] + half, 0, end)
    ]


def curves(result: LiveProbes, target: str) -> list[Curve]:
    """What the probes scored in training, layer by layer, and on this clip if its phones are known."""
    lines = []
    here = result.right(target) if target in CLASSIFIED and result.labels else None
    if here is not None:
        lines.append(Curve("this clip", here))
    for side, name in SIDES.items():
        values = [score for asked, _, score in result.card[side] if asked == target]
        lines.append(Curve(name, np.maximum(values, LOWEST), control=side == "random"))
    return lines


def draw_curves(ax: Axes, result: LiveProbes, target: str, names: Sequence[str], ink: str = draw.INK) -> None:
    """The scores over the layers, and dotted what knowing nothing gets, where that is known."""
    lens.layer_curves(ax, names, curves(result, target), unit(target), ink)
    chance = result.majority(target) if target in CLASSIFIED else ("the mean", 0.0)
    if chance is not None:
        said = f"always {chance[0]}" + (", this clip" if target in CLASSIFIED else "")
        ax.axhline(chance[1], color=draw.QUIET, ls=":", label=said)
        draw.plain_axes(ax, ink)
    ax.set_ylim(min(0, ax.get_ylim()[0]), 1)


def unit(target: str) -> str:
    """What the scores of a target's probes are counted in."""
    return "R²" if target in MEASURED else "share of frames right"


def plot(result: LiveProbes, *, target: str = "phone", layer: int = -1) -> Figure:
    """The probabilities (or numbers) of one layer over time, and the probes' scores layer by layer."""
    figure = draw.new_figure(11.0, 4.5 if target in MEASURED else 7.0)
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    if target in MEASURED:
        left.plot(result.times, getattr(result, f"measured_{target}"), color=draw.QUIET, lw=2, label="Praat")
        left.plot(
            result.times, getattr(result, target)[layer], color=draw.TRAINED, label=f"layer {result.layers[layer]}"
        )
        left.plot(result.times, getattr(result, target)[0], color=draw.RANDOM, ls="--", label="MFCC")
        left.set(ylabel=MEASURED[target])
        draw.plain_axes(left, columns=3)
    else:
        names = result.classes(target)
        edges = np.append(result.times - result.step / 2, result.times[-1] + result.step / 2)
        mesh = left.pcolormesh(
            edges, np.arange(len(names) + 1), getattr(result, target)[layer].T, cmap=draw.SEQUENTIAL, vmin=0, vmax=1
        )
        left.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
        left.set_title(f"layer {result.layers[layer]}", fontsize=9)
        figure.colorbar(mesh, ax=left, label="probability", shrink=0.8)
    left.set_xlabel("seconds")
    draw_curves(right, result, target, result.layers)
    return figure
