"""**Which phones carry the decision, and does an explanation in whole phones explain more than one in loose pixels?**

A saliency map says how much each cell of the spectrogram matters. Listeners think in speech sounds, so here the map is
gathered over phones: each phone gets one score, and the first few of them are the explanation. Whether it is true is
tested twice: by taking these phones out of the spectrogram and seeing what the model's answer loses (FF), and by
leaving nothing but them.

*What is explained.* The whole answer, one word of it, a word rather than another, the language (multilingual Whisper
models) or the class (classifiers). A contrast leaves out what speaks for both words alike, such as that there is
speech at all. A CTC model's word is found by its time, since it may spell other words than the page names.

*How to read it.* Without a good explanation much is lost; with nothing but it, little. Compare its curves only at
equal size: with the most salient single cells of the same area, with the most salient moments of the same duration,
with the loudest phones, and with random phones of the same total duration (the band). If random phones do as well,
duration explains the loss and the map explains nothing. The random-weights curve keeps the method and throws away what
was learnt.

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
from matplotlib.figure import Figure

from methods.core import draw, faithfulness, gradients, perturb, phone_cells, phone_figure, targets
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
from methods.core.time_needed import TIME_LIMIT

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the phones that are kept as the explanation
DRAWS = 20  # random sets of phones
RIVALS = ("phones", "cells", "moments", "loudest phones")  # sets of equal size, in the order of `losses`
SENSE = {"draws": (0, math.inf), "occurrence": (1, math.inf), "steps": (1, math.inf), "time_limit": (0, math.inf)}


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
    kept_losses: np.ndarray  # (rivals, steps) what it loses with nothing else of the clip left; NaN: not yet
    random_losses: np.ndarray  # (draws, steps) without random phones of equal duration
    random_kept_losses: np.ndarray  # (draws, steps) with nothing but them
    random_weights: np.ndarray  # (seeds, steps) without the first phones of a network with random weights
    random_weights_kept: np.ndarray  # (seeds, steps) with nothing but them
    seeds: tuple[int, ...]  # of the networks with random weights, in the order of their rows
    refused: tuple[int, ...]  # seeds whose integrated gradients did not add up, so that there is no map
    answers: tuple[tuple[str, str], ...]  # (steps,) what the model says of the sounds without, and with only, these
    sound_losses: np.ndarray  # (2, steps) what the target loses in these very sounds; NaN: not yet
    samples: np.ndarray  # (n,) float32, the clip
    provenance: dict[str, Any]

    @property
    def order(self) -> np.ndarray:
        """(phones,) from the most salient to the least."""
        return faithfulness.ranking(self.scores)

    def z(self, *, kept: bool = False) -> np.ndarray:
        """(steps,) standard deviations by which the phones do better than random ones; NaN where these do not vary.

        Better is to lose more without them or, if `kept`, less with nothing but them.
        """
        drawn, own = (self.random_kept_losses, self.kept_losses) if kept else (self.random_losses, self.losses)
        if len(drawn) < 2:
            return np.full(len(self.kept), np.nan)
        spread = drawn.std(0, ddof=1)
        varies = spread > 1e-9 * max(1.0, float(np.abs(drawn).max()))
        gain = (drawn.mean(0) - own[0]) * (1 if kept else -1)
        return np.divide(gain, spread, out=np.full_like(spread, np.nan), where=varies)

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
        steps = {"part": "test", "k": self.kept, "seconds": self.seconds, "z": self.z(), "z_only": self.z(kept=True)}
        for start, own, drawn, twins in (
            ("loss", self.losses, self.random_losses, self.random_weights),
            ("loss_only", self.kept_losses, self.random_kept_losses, self.random_weights_kept),
        ):
            steps |= {f"{start}_{name.replace(' ', '_')}": row for name, row in zip(RIVALS, own, strict=True)}
            steps |= {f"{start}_random_phones_{number}": row for number, row in enumerate(drawn, 1)}
            steps |= {f"{start}_random_weights_{seed}": row for seed, row in zip(self.seeds, twins, strict=True)}
        steps |= dict(zip(("loss_of_the_sound", "loss_only_of_the_sound"), self.sound_losses, strict=True))
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
    steps: int = gradients.MOST_STEPS,
    pooling: Pooling = "mean",
    instead: Instead = "silence",
    window: Window = "full",
    random_seeds: Sequence[int] = (0, 1, 2),
    draws: int = DRAWS,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
) -> PhonemeSaliency:
    """Which phones (`segments`) carry a target, and what does the model's answer lose without them?

    `kind`, `wanted`, `occurrence`, `against`, `transcript` and `language` choose the target as in `targets.build`;
    `method` makes the map, integrated gradients with up to `steps` gradients; `pooling` gathers it ("sum" favours long
    phones); `instead` is what takes the place of a cell: silence, or the mean of its band. Raises UserError where
    there are fewer than two phones, for a name that there is not, for a number that makes no sense, and where it
    would take longer than `time_limit` seconds.
    """
    options = {"kind": kind, "wanted": wanted, "occurrence": occurrence, "against": against, "transcript": transcript}
    options |= {"language": language, "method": method, "pooling": pooling, "instead": instead, "window": window}
    options |= {"segments": segments, "random_seeds": random_seeds, "draws": draws, "seed": seed}
    options |= {"steps": steps, "time_limit": time_limit}
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
    phones = phone_cells.phones_of(clip, segments)
    target = _target(clip, model, options)
    scene = phone_cells.scene(target, phones, options.get("instead") or "silence")
    method, pooling = options.get("method") or "integrated gradients", options.get("pooling") or "mean"
    kept = {**options, "random_seeds": list(random_seeds), "draws": draws}
    kept["steps"] = options.get("steps") or gradients.MOST_STEPS
    sets = len(_sizes(len(phones))) * (len(RIVALS) + draws + len(random_seeds))
    phone_cells.check_affordable(
        scene, method, kept["steps"], sets, random_seeds, options.get("time_limit", TIME_LIMIT)
    )
    saliency = yield from _saliency(scene, method, kept["steps"], 0.05)
    result = _empty(scene, phones, saliency, pooling, kept)
    result = yield from _test(scene, result)
    result = yield from _test_random(scene, result, draws, options.get("seed") or 0)
    for number, seed in enumerate(random_seeds):
        yield Step(0.8 + 0.15 * number / len(random_seeds), f"random weights, seed {seed}", partial=result)
        result = yield from _test_twin(scene, result, method, pooling, seed)
    return (yield from _heard(result, target))


def _heard(result: PhonemeSaliency, target: Target) -> Steps[PhonemeSaliency]:
    """What the model makes of the sounds that can be played."""
    usual, said, losses = replace(target, window="full"), [], []  # fed only the clip's frames, Whisper writes loops
    for step in range(len(result.kept)):
        shown = None if step else result
        yield Step(0.95, "what the model says without, and with nothing but, the first phones", partial=shown)
        pair = [sound.samples for sound in result.sounds(step)]
        said.append(tuple(map(usual.answer, pair)))
        losses.append([result.base - target.score(samples) for samples in pair])
    return replace(result, answers=tuple(said), sound_losses=read_only(np.array(losses).T))


def _target(clip: Clip, model: SpeechModel, options: dict[str, Any]) -> Target:
    possible = targets.kinds(model)
    kind = options.get("kind") or (possible[0] if possible else "class")
    names = ("wanted", "occurrence", "against", "transcript", "language")
    window = options.get("window") or "full"
    return targets.build(clip, model, kind, window=window, **{name: options.get(name) for name in names})


def _saliency(scene: Scene, method: str, most: int, start: float) -> Steps[np.ndarray]:
    """(bins, own) the size of each cell's attribution."""
    steps: Any = gradients.gradient_map(scene.target, scene.level, method, steps=most)
    found: GradientMap = yield from within(steps, start, start + 0.1)
    return np.abs(found.values[:, : scene.own])  # noqa: PD011  its field, not pandas


def _empty(
    scene: Scene, phones: Sequence[Segment], saliency: np.ndarray, pooling: Pooling, options: dict[str, Any]
) -> PhonemeSaliency:
    scores = phone_cells.pooled(saliency, scene.spans, pooling)
    count, clip = len(phones), scene.target.clip
    kept = _sizes(count)
    lengths = np.array([phone.end - phone.start for phone in phones])
    kept_options = {name: value for name, value in options.items() if name != "segments"}
    kept_options |= {"target": scene.target.label, "unit": scene.target.unit, "level": scene.level}
    kept_options |= {"segments": [[p.label, p.start, p.end] for p in phones]}
    kept_options["transcript_given"] = bool(options.get("transcript"))
    unknown, nothing = read_only(np.full((len(RIVALS), len(kept)), np.nan)), read_only(np.zeros((0, len(kept))))
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
        losses=unknown,
        kept_losses=unknown,
        random_losses=nothing,
        random_kept_losses=nothing,
        random_weights=nothing,
        random_weights_kept=nothing,
        seeds=(),
        refused=(),
        answers=(),
        sound_losses=unknown[:2],
        samples=read_only(clip.samples, np.float32),
        provenance=provenance("phoneme saliency", clip, scene.target.model, **kept_options),
    )


def _sizes(phones: int) -> np.ndarray:
    """(steps,) how many phones are kept: the shares of all, each number once."""
    return np.unique([max(1, round(share * phones)) for share in SHARES])


def _size(scene: Scene, result: PhonemeSaliency, k: int) -> int:
    """How many frames the first k phones have: what every rival may take."""
    return sum(len(scene.spans[phone]) for phone in result.order[:k])


def _test(scene: Scene, result: PhonemeSaliency) -> Steps[PhonemeSaliency]:
    """What is lost without, and with nothing but, the first phones, and rivals of the same size."""
    losses = np.array([result.losses, result.kept_losses])
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
        losses[:, :, step] = scene.lost(sets)
        result = replace(result, losses=read_only(losses[0]), kept_losses=read_only(losses[1]))
    return result


def _by_size(scene: Scene, result: PhonemeSaliency, order: np.ndarray) -> np.ndarray:
    """(2, steps) what is lost without, and with nothing but, the first frames of another order of the phones."""
    return scene.lost([scene.frames(order, _size(scene, result, k)) for k in result.kept])


def _test_random(scene: Scene, result: PhonemeSaliency, draws: int, seed: int) -> Steps[PhonemeSaliency]:
    random = np.random.default_rng(seed)
    for number in range(draws):
        yield Step(0.35 + 0.45 * number / draws, f"random phones {number + 1} of {draws}", partial=result)
        without, only = _by_size(scene, result, random.permutation(len(result.phones)))
        result = replace(
            result,
            random_losses=read_only([*result.random_losses, without]),
            random_kept_losses=read_only([*result.random_kept_losses, only]),
        )
    return result


def _test_twin(scene: Scene, result: PhonemeSaliency, method: str, pooling: Pooling, seed: int) -> Steps:
    """The phones that a network with random weights would name, tried on the trained one."""
    twin, most = replace(scene, target=scene.target.twin(seed)), result.provenance["options"]["steps"]
    try:
        map_ = yield from _saliency(twin, method, most, 0.8)
    except UserError:  # integrated gradients that do not add up: there is no map, and the page says so
        return replace(result, refused=(*result.refused, seed))
    scores = phone_cells.pooled(map_, scene.spans, pooling)
    without, only = _by_size(scene, result, faithfulness.ranking(scores))
    return replace(
        result,
        seeds=(*result.seeds, seed),
        random_scores=read_only([*result.random_scores, scores]),
        random_weights=read_only([*result.random_weights, without]),
        random_weights_kept=read_only([*result.random_weights_kept, only]),
    )


def plot(result: PhonemeSaliency) -> Figure:
    """The map with the phones that are kept at 20 %, each phone's score, and the losses against those of rivals."""
    figure = draw.new_figure(14.0, 7.0)
    axes = figure.subplots(2, 3)
    edges = (0, result.provenance["seconds"], 0, len(result.saliency))
    axes[0, 0].imshow(result.entering, origin="lower", aspect="auto", extent=edges, cmap="Greys")
    axes[0, 0].set(title=f"{result.provenance['options']['level']}", xlabel="time (s)", ylabel="bin")
    top = float(np.quantile(result.saliency, 0.99)) or 1.0
    axes[0, 1].imshow(result.saliency, origin="lower", aspect="auto", extent=edges, cmap="magma", vmax=top)
    axes[0, 1].set(title="saliency; lines: its first phones", xlabel="time (s)", ylabel="bin")
    for phone in result.first(min(2, len(result.kept) - 1)):
        for ax in axes[0, :2]:
            ax.axvspan(phone.start, phone.end, color=draw.TRAINED, alpha=0.25, lw=0)
    phone_figure.score_bars(axes[0, 2], result)
    phone_figure.loss_curves(axes[1, 0], result)
    phone_figure.loss_curves(axes[1, 1], result, kept=True)
    axes[1, 2].set_axis_off()
    return figure
