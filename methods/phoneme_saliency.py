"""**Which phones carry the decision, and does an explanation in whole phones explain more than one in loose pixels?**

A saliency map says how much each cell of the spectrogram matters. Listeners think in speech sounds, so here the map is
gathered over phones: each phone gets one score, and the first few of them are the explanation. Whether it is true is
tested by taking these phones out of the spectrogram and seeing what the model's answer loses (FF).

*What is explained.* The whole answer, one word of it, a word rather than another, the language (multilingual Whisper
models) or the class (classifiers). A contrast leaves out what speaks for both words alike, such as that there is
speech at all. A CTC model's word is found by its time, since it may spell other words than the page names.

*How to read it.* A good explanation loses much with little sound. Compare its curve only at equal size: with the most
salient single cells of the same area, with the most salient moments of the same duration, with the loudest phones, and
with random phones of the same total duration (the band). If random phones lose as much, duration explains the
loss and the map explains nothing. The random-weights curve keeps the method and throws away what was learnt.

*What it cannot show.* What takes a phone's place is a sound of its own: silence is rarely met inside a word. Phone
boundaries are right to some 20 ms, and sound of a phone lies in its neighbours too. The published study found phones
better than raw maps for detectors of synthetic speech; for other questions single cells may well lose more.

*Source.* Gupta, Ravanelli, Germain & Subakan, Phoneme Discretized Saliency Maps for Explainable Detection of
AI-Generated Voice, Interspeech 2024 (arXiv 2406.10422).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import draw, faithfulness, gradients, perturb, phone_cells, signed, targets
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.gradients import GradientMap, GradientMethod
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.phone_cells import Instead, Pooling, Scene
from methods.core.results import Step, Steps, finish, provenance, read_only, within
from methods.core.stages import Window
from methods.core.targets import Kind, Target

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the phones that are kept as the explanation
DRAWS = 20  # random sets of phones
SILENCES = {"", "sil", "sp", "spn", "<eps>", "_", "pau", "(pause)"}
RIVALS = ("phones", "cells", "moments", "loudest phones")  # sets of equal size, in the order of `losses`
SENSE = {"draws": (0, math.inf), "occurrence": (1, math.inf)}
NAMES = ("most salient phones", "most salient cells, equal area", "most salient moments, equal time", "loudest phones")


@dataclass(frozen=True, eq=False)
class PhonemeSaliency:
    """Phones by saliency, and what the answer loses without the first k of them or without rivals of equal size."""

    phones: tuple[str, ...]  # (phones,) without silences
    starts: np.ndarray  # (phones,) s
    ends: np.ndarray  # (phones,) s
    scores: np.ndarray  # (phones,) saliency gathered over each phone's cells, 0 or more
    random_scores: np.ndarray  # (seeds, phones) the same with random weights
    saliency: np.ndarray  # (bins, frames) float32, size of the attribution of each cell, 0 or more
    entering: np.ndarray  # (bins, frames) float32, what the network reads there
    base: float  # the target of the unchanged clip, nats (or a logit)
    kept: np.ndarray  # (steps,) int, k
    seconds: np.ndarray  # (steps,) duration of the first k phones
    losses: np.ndarray  # (rivals, steps) what the target loses: phones, cells, moments, loudest phones; NaN: not yet
    random_losses: np.ndarray  # (draws, steps) without random phones of equal duration
    random_weights: np.ndarray  # (seeds, steps) without the first phones of a network with random weights
    seeds: tuple[int, ...]  # of the networks with random weights, in the order of their rows
    refused: tuple[int, ...]  # seeds whose integrated gradients did not add up, so that there is no map
    answers: tuple[tuple[str, str], ...]  # (steps,) what the model says without, and with nothing but, the first k
    samples: np.ndarray  # (n,) float32, the clip
    provenance: dict[str, Any]

    @property
    def order(self) -> np.ndarray:
        """(phones,) from the most salient to the least."""
        return faithfulness.ranking(self.scores)

    def z(self) -> np.ndarray:
        """(steps,) how many standard deviations the phones lose more than random ones; NaN where these do not vary."""
        if len(self.random_losses) < 2:
            return np.full(len(self.kept), np.nan)
        spread = self.random_losses.std(0, ddof=1)
        varies = spread > 1e-9 * max(1.0, float(np.abs(self.random_losses).max()))
        difference = self.losses[0] - self.random_losses.mean(0)
        return np.divide(difference, spread, out=np.full_like(spread, np.nan), where=varies)

    def first(self, step: int) -> tuple[Segment, ...]:
        """The phones that are the explanation at a step, in the order of time."""
        chosen = sorted(self.order[: self.kept[step]])
        return tuple(Segment(self.phones[i], self.starts[i], self.ends[i]) for i in chosen)

    def sounds(self, step: int) -> tuple[Clip, Clip]:
        """The recording without these phones, and with nothing else; silent if it would be inaudible."""
        name, chosen = self.provenance["clip"], self.first(step)
        made = (perturb.replaced(self.samples, chosen), perturb.only(self.samples, chosen))
        return tuple(
            Clip(samples, f"{name} {what} {len(chosen)} phones")
            if np.abs(samples).max() < 1e-3
            else clip_from_samples(samples, SAMPLE_RATE, f"{name} {what} {len(chosen)} phones")
            for samples, what in zip(made, ("without", "only"), strict=True)
        )

    def table(self) -> pd.DataFrame:
        """Phones with their scores, then the losses at each k."""
        rank = np.argsort(self.order)
        phones = pd.DataFrame({"part": "phone", "phone": self.phones, "start_s": self.starts, "end_s": self.ends})
        phones = phones.assign(score=self.scores, rank=rank + 1)
        for seed, values in zip(self.seeds, self.random_scores, strict=True):
            phones[f"random_{seed}_score"] = values
        steps = {"part": "test", "k": self.kept, "seconds": self.seconds, "z": self.z()}
        steps |= {f"loss_{name.replace(' ', '_')}": row for name, row in zip(RIVALS, self.losses, strict=True)}
        for number, row in enumerate(self.random_losses, 1):
            steps[f"loss_random_phones_{number}"] = row
        for seed, row in zip(self.seeds, self.random_weights, strict=True):
            steps[f"loss_random_weights_{seed}"] = row
        return pd.concat([phones, pd.DataFrame(steps)], ignore_index=True)


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment],
    kind: Kind | None = None,
    wanted: str | None = None,
    occurrence: int | None = None,
    against: str | None = None,
    transcript: str | None = None,
    language: str | None = None,
    method: GradientMethod = "integrated gradients",
    pooling: Pooling = "mean",
    instead: Instead = "silence",
    window: Window = "full",
    random_seeds: Sequence[int] = (0, 1, 2),
    draws: int = DRAWS,
    seed: int = 0,
) -> PhonemeSaliency:
    """Which phones (`segments`) carry a target, and what does the model's answer lose without them?

    `kind`, `wanted`, `occurrence`, `against`, `transcript` and `language` choose the target as in `targets.build`;
    `method` makes the map; `pooling` gathers it ("sum" favours long phones); `instead` is what takes the place of a
    cell: silence, or the mean of its band. Raises UserError where there are fewer than two phones, for a name that
    there is not, and for a number that makes no sense.
    """
    options = {"kind": kind, "wanted": wanted, "occurrence": occurrence, "against": against, "transcript": transcript}
    options |= {"language": language, "method": method, "pooling": pooling, "instead": instead, "window": window}
    options |= {"segments": segments, "random_seeds": random_seeds, "draws": draws, "seed": seed}
    return finish(analyse_in_steps(clip, model, **options))


def analyse_in_steps(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment],
    random_seeds: Sequence[int] = (0, 1, 2),
    draws: int = DRAWS,
    **options: Any,
) -> Steps[PhonemeSaliency]:
    """`analyse`, with progress, for a page that can stop."""
    check_options(analyse, {**options, "segments": segments, "random_seeds": random_seeds, "draws": draws}, SENSE)
    yield Step(0.0, "what the model says of the unchanged clip")
    perturb.check_audible(clip.samples)
    phones = _phones(clip, segments)
    target = _target(clip, model, options)
    scene = phone_cells.scene(target, phones, options.get("instead") or "silence")
    method, pooling = options.get("method") or "integrated gradients", options.get("pooling") or "mean"
    saliency = yield from _saliency(scene, method, 0.05)
    result = _empty(scene, phones, saliency, pooling, {**options, "random_seeds": list(random_seeds), "draws": draws})
    result = yield from _test(scene, result)
    result = yield from _test_random(scene, result, draws, options.get("seed") or 0)
    for number, seed in enumerate(random_seeds):
        yield Step(0.8 + 0.15 * number / len(random_seeds), f"random weights, seed {seed}", partial=result)
        result = yield from _test_twin(scene, result, method, pooling, seed)
    yield Step(0.95, "what the model says without, and with nothing but, the first phones", partial=result)
    usual = replace(target, window="full")  # fed only the clip's frames, Whisper writes loops
    said = [tuple(usual.answer(sound.samples) for sound in result.sounds(i)) for i in range(len(result.kept))]
    return replace(result, answers=tuple(said))


def _phones(clip: Clip, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    phones = [s for s in perturb.without_overlap(segments) if s.label.casefold() not in SILENCES]
    phones = [phone for phone in phones if phone.start < clip.seconds]
    if len(phones) < 2:
        raise UserError(
            f"This clip has {len(phones)} phone(s) with times and ranking needs at least two; give its English "
            "transcript and press “Align”, or upload a TextGrid with a tier of phones."
        )
    return tuple(phones)


def _target(clip: Clip, model: SpeechModel, options: dict[str, Any]) -> Target:
    possible = targets.kinds(model)
    kind = options.get("kind") or (possible[0] if possible else "class")
    names = ("wanted", "occurrence", "against", "transcript", "language")
    window = options.get("window") or "full"
    return targets.build(clip, model, kind, window=window, **{name: options.get(name) for name in names})


def _saliency(scene: Scene, method: str, start: float) -> Steps[np.ndarray]:
    """(bins, own) the size of each cell's attribution."""
    steps: Any = gradients.gradient_map(scene.target, scene.level, method)
    found: GradientMap = yield from within(steps, start, start + 0.1)
    return np.abs(found.values[:, : scene.own])  # noqa: PD011  its field, not pandas


def _empty(
    scene: Scene, phones: Sequence[Segment], saliency: np.ndarray, pooling: Pooling, options: dict[str, Any]
) -> PhonemeSaliency:
    scores = phone_cells.pooled(saliency, scene.spans, pooling)
    count, clip = len(phones), scene.target.clip
    kept = np.unique([max(1, round(share * count)) for share in SHARES])
    lengths = np.array([phone.end - phone.start for phone in phones])
    kept_options = {name: value for name, value in options.items() if name != "segments"}
    kept_options |= {"target": scene.target.label, "unit": scene.target.unit, "level": scene.level}
    kept_options |= {"segments": [[p.label, p.start, p.end] for p in phones]}
    kept_options["transcript_given"] = bool(options.get("transcript"))
    return PhonemeSaliency(
        phones=tuple(phone.label for phone in phones),
        starts=read_only([phone.start for phone in phones]),
        ends=read_only([phone.end for phone in phones]),
        scores=read_only(scores),
        random_scores=read_only(np.zeros((0, count))),
        saliency=read_only(saliency, np.float32),
        entering=read_only(scene.entering[:, : scene.own], np.float32),
        base=scene.target.base,
        kept=read_only(kept, np.int64),
        seconds=read_only(np.cumsum(lengths[faithfulness.ranking(scores)])[kept - 1]),
        losses=read_only(np.full((len(RIVALS), len(kept)), np.nan)),
        random_losses=read_only(np.zeros((0, len(kept)))),
        random_weights=read_only(np.zeros((0, len(kept)))),
        seeds=(),
        refused=(),
        answers=(),
        samples=read_only(clip.samples, np.float32),
        provenance=provenance("phoneme saliency", clip, scene.target.model, **kept_options),
    )


def _size(scene: Scene, result: PhonemeSaliency, k: int) -> int:
    """How many frames the first k phones have: what every rival may take."""
    return sum(len(scene.spans[phone]) for phone in result.order[:k])


def _test(scene: Scene, result: PhonemeSaliency) -> Steps[PhonemeSaliency]:
    """What is lost without the first phones, and without rivals of the same size."""
    losses = np.array(result.losses)
    by_cell = np.argsort(-result.saliency, axis=None, kind="stable")
    by_moment = faithfulness.ranking(result.saliency.sum(0))
    pieces = [Segment(*each) for each in zip(result.phones, result.starts, result.ends, strict=True)]
    by_loudness = faithfulness.ranking(perturb.energies(result.samples, pieces))
    for step, k in enumerate(result.kept):
        yield Step(0.15 + 0.2 * step / len(result.kept), f"without the first {k} phones", partial=result)
        frames = _size(scene, result, k)
        cells, moments = np.zeros_like(result.saliency, bool), np.zeros_like(result.saliency, bool)
        cells.ravel()[by_cell[: frames * len(cells)]] = True
        moments[:, by_moment[:frames]] = True
        sets = (scene.frames(result.order[:k]), cells, moments, scene.frames(by_loudness, frames))
        losses[:, step] = [result.base - scene.score(gone) for gone in sets]
        result = replace(result, losses=read_only(losses))
    return result


def _test_random(scene: Scene, result: PhonemeSaliency, draws: int, seed: int) -> Steps[PhonemeSaliency]:
    random = np.random.default_rng(seed)
    for number in range(draws):
        yield Step(0.35 + 0.45 * number / draws, f"random phones {number + 1} of {draws}", partial=result)
        order = random.permutation(len(result.phones))
        row = [result.base - scene.score(scene.frames(order, _size(scene, result, k))) for k in result.kept]
        result = replace(result, random_losses=read_only([*result.random_losses, row]))
    return result


def _test_twin(scene: Scene, result: PhonemeSaliency, method: str, pooling: Pooling, seed: int) -> Steps:
    """The phones that a network with random weights would name, tried on the trained one."""
    try:
        map_ = yield from _saliency(replace(scene, target=scene.target.twin(seed)), method, 0.8)
    except UserError:  # integrated gradients that do not add up: there is no map, and the page says so
        return replace(result, refused=(*result.refused, seed))
    scores = phone_cells.pooled(map_, scene.spans, pooling)
    order = faithfulness.ranking(scores)
    losses = [result.base - scene.score(scene.frames(order, _size(scene, result, k))) for k in result.kept]
    return replace(
        result,
        seeds=(*result.seeds, seed),
        random_scores=read_only([*result.random_scores, scores]),
        random_weights=read_only([*result.random_weights, losses]),
    )


def plot(result: PhonemeSaliency) -> Figure:
    """The map with the phones that are kept at 20 %, each phone's score, and the losses against those of rivals."""
    figure = draw.new_figure(11.0, 7.0)
    axes = figure.subplots(2, 2)
    edges = (0, result.provenance["seconds"], 0, len(result.saliency))
    axes[0, 0].imshow(result.entering, origin="lower", aspect="auto", extent=edges, cmap="Greys")
    axes[0, 0].set(title=f"{result.provenance['options']['level']}", xlabel="time (s)", ylabel="bin")
    top = float(np.quantile(result.saliency, 0.99)) or 1.0
    axes[0, 1].imshow(result.saliency, origin="lower", aspect="auto", extent=edges, cmap="magma", vmax=top)
    axes[0, 1].set(title="saliency; lines: its first phones", xlabel="time (s)", ylabel="bin")
    for phone in result.first(min(2, len(result.kept) - 1)):
        for ax in axes[0]:
            ax.axvspan(phone.start, phone.end, color=draw.TRAINED, alpha=0.25, lw=0)
    score_bars(axes[1, 0], result)
    loss_curves(axes[1, 1], result)
    return figure


def score_bars(ax: Axes, result: PhonemeSaliency, ink: str = draw.INK) -> None:
    """Each phone's score beside the mean of its random-weights controls, as shares of their sums."""
    places = np.arange(len(result.phones))
    ax.bar(places - 0.2, result.scores / (result.scores.sum() or 1.0), 0.4, color=draw.TRAINED, label="trained")
    if len(result.random_scores):
        sums = result.random_scores.sum(1, keepdims=True)
        shares = np.divide(result.random_scores, sums, out=np.zeros_like(result.random_scores), where=sums > 0).mean(0)
        name = f"random weights, mean of {len(result.random_scores)} seeds"
        ax.bar(places + 0.2, shares, 0.4, color=draw.RANDOM, label=name)
    if len(places) <= draw.LARGEST_LABELLED:
        ax.set_xticks(places, [phone.replace("$", r"\$") for phone in result.phones], rotation=60)
    ax.set_ylabel("share of all saliency")
    ax.legend(fontsize=7, frameon=False, labelcolor=ink, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    signed.inked(ax, ink)


def loss_curves(ax: Axes, result: PhonemeSaliency, ink: str = draw.INK) -> None:
    """What is lost without the first phones, and without rivals of the same size, against their duration."""
    shares = np.tile(result.seconds, (len(RIVALS) + len(result.random_losses), 1)) / result.seconds[-1]
    if len(result.random_weights):
        ax.plot(shares[0], result.random_weights.mean(0), "-.", color=draw.RANDOM, label="a random network's phones")
    signed.order_curves(ax, shares, np.concatenate((result.losses, result.random_losses)), NAMES, ink)
    ax.set_xlabel("share of all phones' time that is taken away")
    ax.set_ylabel(f"lost of {result.provenance['options']['target']} ({result.provenance['options']['unit']})")
    signed.inked(ax, ink)
