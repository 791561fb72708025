"""**Where does each layer look to recognise a phone, and is that the same for every voice?**

For each phone, the gradient of its log-probability, read off a layer at the phone's own frames, is followed back to
the spectrogram. Focus is the share of that gradient which lies inside the phone's own interval; the rest lies in its
neighbours, by their distance, or further away. Speakers, accents or any other groups of recordings are compared layer
by layer, on the same phones; accents and groups are those that a column of that name in your own corpus's `index.csv`
tells.

*How to read it.* At the convolutions nearly all must lie in the phone itself: they hear no further than some tens of
milliseconds. Higher up, a falling focus means that context is used. Dotted is an even spread over the recording, which
long phones in short recordings raise; orange is the same network with random weights, which shows how far the
architecture alone spreads a gradient. A group whose focus differs is heard with more, or less, context. Bars are
standard errors over phones; phones of one speaker are no independent sample, so read differences with care.

*What it cannot show.* Two speakers are two voices, two microphones and two accents at once: with one speaker in a
group, an accent cannot be told from a person. In a longer recording a gradient has more places to lie elsewhere, so
compare groups of equally long ones (the status line has their lengths). A gradient is the effect of a tiny change,
not of taking the phone away. Heads on lower layers read what is linearly there; where they recognise little, their
gradient explains little.

*Source.* Prasad & Jyothi, How Accents Confound: Probing for Accent Information in End-to-End Speech Recognition
Systems, ACL 2020. There the network was DeepSpeech 2 and the groups were seven accents of English.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import draw, models, phone_readout, signed
from methods.core.corpus import Corpus
from methods.core.errors import UserError
from methods.core.frames import FrameGrid
from methods.core.items import Items, phone_items
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.phone_readout import PhoneReadout
from methods.core.results import Step, Steps, corpus_provenance, finish, read_only
from methods.core.stages import at, stages

STEP = 0.01  # s between frames of the spectrogram
REACH = 3  # neighbours on either side that are told apart
COLOURS = ("#2563eb", "#059669", "#7c3aed", "#db2777", "#0891b2", "#65a30d")
MARKS = "os^Dvx"
OWN_GROUPS = ("accent", "group")  # columns of one's own tables, which the bundled corpora lack
SENSE = {"group_by": ("speaker", "sex", "language", *OWN_GROUPS), "most": (1, math.inf)}


@dataclass(frozen=True, eq=False)
class PhoneFocus:
    """Where each phone's gradient lies, layer by layer."""

    layers: tuple[str, ...]  # (layers,)
    groups: tuple[str, ...]  # what is compared: speakers, sexes, …
    group: np.ndarray  # (phones,) int, which group
    phone: tuple[str, ...]  # (phones,)
    utterance: np.ndarray  # (phones,) int, which recording of the corpus
    starts: np.ndarray  # (phones,) s
    ends: np.ndarray  # (phones,) s
    seconds: np.ndarray  # (phones,) s, how long the recording is
    even: np.ndarray  # (phones,) focus of an even spread over the recording, 0 to 1
    even_distance: np.ndarray  # (phones,) its earth mover's distance, s
    shares: np.ndarray  # (layers, phones, 2 · REACH + 1) share in the phone (middle) and its neighbours; NaN: not yet
    distances: np.ndarray  # (layers, phones) s, earth mover's distance to an even spread over the phone itself
    random_shares: np.ndarray  # (seeds, layers, phones, 2 · REACH + 1) with random weights
    random_distances: np.ndarray  # (seeds, layers, phones) s
    head: str  # whose head reads the phones
    provenance: dict[str, Any]

    @property
    def focus(self) -> np.ndarray:
        """(layers, phones) share of the gradient inside the phone's own interval, 0 to 1."""
        return self.shares[:, :, REACH]

    @property
    def elsewhere(self) -> np.ndarray:
        """(layers, phones) share outside the phone and the neighbours that are told apart: pauses, and further off."""
        return 1 - self.shares.sum(-1)

    def mean(self, values: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
        """(layers,) mean and standard error over the phones of a group that are known, of (layers, phones) values."""
        chosen = values[:, (self.group == group) & np.isfinite(values).all(0)]
        if chosen.shape[1] == 0:
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        spread = chosen.std(1, ddof=1) if chosen.shape[1] > 1 else np.full(len(values), np.nan)
        return chosen.mean(1), spread / np.sqrt(chosen.shape[1])

    def table(self) -> pd.DataFrame:
        """One line per layer and phone."""
        layer, phone = np.indices(self.focus.shape).reshape(2, -1)
        groups = np.array(self.groups, object)[self.group]
        columns = {"layer": np.array(self.layers, object)[layer], "group": groups[phone]}
        columns |= {"phone": np.array(self.phone, object)[phone], "utterance": self.utterance[phone]}
        columns |= {"start_s": self.starts[phone], "end_s": self.ends[phone], "even_spread": self.even[phone]}
        for place in range(-REACH, REACH + 1):
            columns[f"share_{place:+d}" if place else "focus"] = self.shares[:, :, REACH + place].ravel()
        columns |= {"elsewhere": self.elsewhere.ravel(), "distance_s": self.distances.ravel()}
        for seed, values in zip(self.provenance["options"]["random_seeds"], self.random_shares, strict=False):
            columns[f"random_{seed}_focus"] = values[:, :, REACH].ravel()
        return pd.DataFrame(columns)


def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    group_by: str = "speaker",
    most: int = 20,
    matched: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> PhoneFocus:
    """Where does the gradient of each phone lie, for each group of recordings and each layer?

    `group_by` is a column of the corpus: "speaker", "sex", "language" or, where its tables have them, "accent" and
    "group"; `most` phones of each group are drawn with `seed`. `matched` takes each kind of phone equally often from
    every group, lest groups differ by what they say. Whisper is fed the clip's own frames only. Raises UserError for a
    model without a phone head, where there are no phones, and for a column that these recordings lack.
    """
    options = {"group_by": group_by, "most": most, "matched": matched, "seed": seed}
    return finish(analyse_in_steps(corpus, model, random_seeds=random_seeds, **options))


def analyse_in_steps(
    corpus: Corpus,
    model: SpeechModel,
    *,
    group_by: str = "speaker",
    most: int = 20,
    matched: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[PhoneFocus]:
    """`analyse`, recording by recording, for a page that shows progress and can stop."""
    kept = {"group_by": group_by, "most": most, "matched": matched, "seed": seed}
    check_options(analyse, {**kept, "random_seeds": random_seeds}, SENSE)
    kept["random_seeds"] = list(random_seeds)
    readout = phone_readout.phone_readout(model)
    items = chosen_items(corpus, readout, group_by, most, matched, seed)
    result = _empty(corpus, model, readout, items, kept)
    total = 1 + len(random_seeds)
    shares, distances = yield from _measured(corpus, model, readout, items, (0.0, 1 / total))
    result = replace(result, shares=read_only(shares), distances=read_only(distances))
    for number, each in enumerate(random_seeds, 1):
        twin = models.random_twin(model, each)
        yield Step(number / total, f"random weights, seed {each}", partial=result)
        shares, distances = yield from _measured(corpus, twin, readout, items, (number / total, 1 / total))
        result = replace(
            result,
            random_shares=read_only([*result.random_shares, shares]),
            random_distances=read_only([*result.random_distances, distances]),
        )
    return result


def chosen_items(
    corpus: Corpus, readout: PhoneReadout, group_by: str, most: int, matched: bool, seed: int = 0
) -> Items:
    """The phones that are looked at, grouped: labels are the groups."""
    items = phone_items(corpus)
    items = items.only(np.isin(items.label, list(readout.symbols)))
    if not len(items):
        raise UserError(
            "These recordings have no phones with times that this model knows (ARPAbet, such as “iy”); choose a "
            "bundled corpus, or align the clip first."
        )
    if group_by not in items.columns:
        raise UserError(
            f"These recordings have no “{group_by}”; write it into a column of that name in the index.csv or "
            "segments.csv of a corpus of your own, or compare by speaker, sex or language."
        )
    groups = items.columns[group_by]
    random, names = np.random.default_rng(seed), np.unique(groups)
    order = random.permutation(len(items))
    wanted: dict[str, int] = {}
    for phone in np.unique(items.label):
        counts = [int(((items.label == phone) & (groups == name)).sum()) for name in names]
        wanted[str(phone)] = min(counts) if matched else max(counts)
    kept: list[int] = []
    for name in names:
        mine = [i for i in order if groups[i] == name]
        left = dict(wanted)
        # The same kinds of phone for every group: the first `most` of one shuffled list of kinds.
        plan = np.random.default_rng(seed).permutation([p for p, count in left.items() for _ in range(count)])[:most]
        for phone in plan:
            found = next((i for i in mine if items.label[i] == phone and i not in kept), None)
            kept += [] if found is None else [found]
    if not kept:
        raise UserError("The groups have no kind of phone in common; choose other recordings, or do not match phones.")
    return items.only(np.array(sorted(kept)))


def _empty(
    corpus: Corpus, model: SpeechModel, readout: PhoneReadout, items: Items, kept: dict[str, Any]
) -> PhoneFocus:
    names = items.columns[kept["group_by"]]
    groups = tuple(str(name) for name in np.unique(names))
    shape = (len(readout.names), len(items), 2 * REACH + 1)
    seconds = np.array([corpus.utterances[number].clip.seconds for number in items.utterance])
    even = []
    for number, segment in zip(items.utterance, items.segments, strict=True):
        grid = mel_grid(corpus.utterances[number].clip.seconds)
        spread = np.full(grid.frames, 1 / grid.frames)
        even.append(phone_readout.earth_mover(spread, grid.span(segment), STEP))
    return PhoneFocus(
        layers=readout.names,
        groups=tuple(name or "(not known)" for name in groups),
        group=read_only([groups.index(str(name)) for name in names], np.int64),
        phone=tuple(str(label) for label in items.label),
        utterance=read_only(items.utterance, np.int64),
        starts=read_only(items.start),
        ends=read_only(items.end),
        seconds=read_only(seconds),
        even=read_only((items.end - items.start) / seconds),
        even_distance=read_only(even),
        shares=read_only(np.full(shape, np.nan)),
        distances=read_only(np.full(shape[:2], np.nan)),
        random_shares=read_only(np.zeros((0, *shape))),
        random_distances=read_only(np.zeros((0, *shape[:2]))),
        head=readout.label,
        provenance=corpus_provenance("phone focus", corpus, model, **kept, window="clip"),
    )


def mel_grid(seconds: float) -> FrameGrid:
    """Where the spectrogram's frames of 10 ms are."""
    return FrameGrid(0.0, STEP, max(int(np.ceil(seconds / STEP)), 1), seconds)


def _measured(
    corpus: Corpus, model: SpeechModel, readout: PhoneReadout, items: Items, part: tuple[float, float]
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """(layers, phones, 2 · REACH + 1) shares and (layers, phones) distances."""
    shares = np.full((len(readout.names), len(items), 2 * REACH + 1), np.nan)
    distances = np.full(shares.shape[:2], np.nan)
    numbers = np.unique(items.utterance)
    what = "trained" if model.trained else f"random weights, seed {model.seed}"
    for place, number in enumerate(numbers):
        yield Step(part[0] + part[1] * place / len(numbers), f"{what}, recording {place + 1} of {len(numbers)}")
        mine = np.flatnonzero(items.utterance == number)
        shares[:, mine], distances[:, mine] = _of_one(corpus.utterances[number], model, readout, items.only(mine))
    return shares, distances


def _of_one(utterance: Any, model: SpeechModel, readout: PhoneReadout, items: Items) -> tuple[np.ndarray, np.ndarray]:
    clip = utterance.clip
    steps = stages(clip, model, window="clip")
    own, grid = models.frame_grid(clip, model), mel_grid(clip.seconds)
    columns = [readout.symbols[str(label)] for label in items.label]
    spans = grid.spans(items.segments)
    around = [_neighbours(utterance.phones, segment, grid) for segment in items.segments]
    with model.lock, torch.enable_grad():
        samples = torch.tensor(np.array(clip.samples))[None]
        entering = at(steps, "log-mel", samples).detach().requires_grad_()
        shares, distances = [], []
        for scores in readout.layers(model.network, entering, own.frames):
            found = phone_readout.gradient_shares(scores, entering, own.spans(items.segments), columns)
            gathered = [[row[list(f)].sum() for f in each] for row, each in zip(found, around, strict=True)]
            shares.append(gathered)
            distances.append([phone_readout.earth_mover(row, s, STEP) for row, s in zip(found, spans, strict=True)])
    return np.array(shares), np.array(distances)


def _neighbours(phones: Sequence[Any], segment: Any, grid: FrameGrid) -> list[range]:
    """Frames of the phones REACH before to REACH after; none where there is no such phone."""
    place = min(range(len(phones)), key=lambda i: abs(phones[i].start - segment.start))
    found = []
    for other in range(place - REACH, place + REACH + 1):
        inside = 0 <= other < len(phones)
        found.append(grid.span(phones[other]) if inside else range(0))
    return found


def plot(result: PhoneFocus) -> Figure:
    """Focus and distance over the layers, by group, and where the gradient of the last layer lies."""
    figure = draw.new_figure(13.0, 4.2)
    axes = figure.subplots(1, 3)
    focus_curves(axes[0], result)
    focus_curves(axes[1], result, distance=True)
    neighbour_bars(axes[2], result, len(result.layers) - 1)
    return figure


def focus_curves(ax: Axes, result: PhoneFocus, *, distance: bool = False, ink: str = draw.INK) -> None:
    """Mean focus (or earth mover's distance) of each group over the layers, with random weights and an even spread."""
    places = np.arange(len(result.layers))
    values = 1000 * result.distances if distance else result.focus
    for number, name in enumerate(result.groups):
        mean, error = result.mean(values, number)
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKS[number % len(MARKS)], "ms": 4}
        count = int((result.group == number).sum())
        ax.errorbar(places, mean, error, label=f"{name}, {count} phones".replace("$", r"\$"), capsize=2, **style)
    control = 1000 * result.random_distances if distance else result.random_shares[..., REACH]
    if len(control):
        name = f"random weights, {len(control)} seeds"
        ax.plot(places, np.nanmean(control, (0, 2)), "--", color=draw.RANDOM, label=name)
    even = 1000 * result.even_distance if distance else result.even
    ax.axhline(even.mean(), color=draw.QUIET, ls=":", label="even spread")
    ax.set_xticks(places, [layer.split(" ")[0] for layer in result.layers])
    ax.set_ylim(0, None if distance else 1.02)
    ax.set_xlabel("layer")
    ax.set_ylabel("earth mover's distance (ms)" if distance else "focus: share inside the phone")
    ax.legend(fontsize=7, frameon=False, labelcolor=ink, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    signed.inked(ax, ink)


def neighbour_bars(ax: Axes, result: PhoneFocus, layer: int, ink: str = draw.INK) -> None:
    """The share of the gradient in the phone, in each neighbour and elsewhere, by group, at one layer."""
    parts = np.concatenate((result.shares[layer], result.elsewhere[layer][:, None]), 1)
    width = 0.8 / len(result.groups)
    for number, name in enumerate(result.groups):
        chosen = parts[(result.group == number) & np.isfinite(parts).all(1)]
        heights = chosen.mean(0) if len(chosen) else np.zeros(parts.shape[1])
        places = np.arange(parts.shape[1]) + width * (number - (len(result.groups) - 1) / 2)
        ax.bar(places, heights, width, color=COLOURS[number % len(COLOURS)], label=name.replace("$", r"\$"))
    names = [f"{place:+d}" if place else "itself" for place in range(-REACH, REACH + 1)]
    ax.set_xticks(range(parts.shape[1]), [*names, "else-\nwhere"])
    ax.set_ylabel(f"share of the gradient, layer {result.layers[layer]}")
    ax.legend(fontsize=7, frameon=False, labelcolor=ink, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    signed.inked(ax, ink)
