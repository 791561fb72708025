"""How phoneme saliency is computed: a saliency map summed over phones, and its tests."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import faithfulness, gradients, perturb, targets
from methods.core.explain.gradients import GradientMap, GradientMethod
from methods.core.explain.targets import Kind, Target
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import check_options
from methods.core.progress import TIME_LIMIT, Step, Steps, finish, within
from methods.core.results import provenance, read_only
from methods.phoneme_saliency import cells as phone_cells
from methods.phoneme_saliency.cells import Instead, Pooling, Scene
from methods.phoneme_saliency.result import RIVALS, PhonemeSaliency

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the phones that are kept as the explanation
DRAWS = 20  # random sets of phones
SENSE = {"draws": (0, math.inf), "occurrence": (1, math.inf), "steps": (1, math.inf), "time_limit": (0, math.inf)}


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
    return np.abs(found.values[:, : scene.own])


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
