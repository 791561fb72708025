"""How phoneme saliency is computed: a saliency map summed over phones, and its tests."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import faithfulness, gradients, perturb, targets
from methods.core.explain.gradients import GradientMap, GradientMethod
from methods.core.explain.targets import Kind, Target
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import analysis
from methods.core.progress import TIME_LIMIT, Step, Steps, within
from methods.core.results import listed, provenance, read_only
from methods.phoneme_saliency import cells as phone_cells
from methods.phoneme_saliency.cells import Instead, Pooling, Scene
from methods.phoneme_saliency.result import RIVALS, PhonemeSaliency, SaliencyControls

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the phones that are kept as the explanation
DRAWS = 20  # random sets of phones
SENSE = {"draws": (0, math.inf), "occurrence": (1, math.inf), "steps": (1, math.inf), "time_limit": (0, math.inf)}


@analysis(SENSE)
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
) -> Steps[PhonemeSaliency]:
    """Which phones (`segments`) carry a target, and what does the model's answer lose without them?

    `kind`, `wanted`, `occurrence`, `against`, `transcript` and `language` choose the target as in `targets.build`;
    `method` makes the map, integrated gradients with up to `steps` gradients; `pooling` gathers it ("sum" favours long
    phones); `instead` is what takes the place of a cell: silence, or the mean of its band. Raises UserError where
    there are fewer than two phones, for a name that there is not, for a number that makes no sense, and where it
    would take longer than `time_limit` seconds.
    """
    yield Step(0.0, "what the model says of the unchanged clip")
    perturb.check_audible(clip.samples)
    asked = _Asked(
        kind=kind, wanted=wanted, occurrence=occurrence, against=against, transcript=transcript, language=language,
        method=method, steps=steps, pooling=pooling, instead=instead, window=window, random_seeds=tuple(random_seeds),
        draws=draws, seed=seed, time_limit=time_limit,
    )  # fmt: skip
    phones = phone_cells.phones_of(clip, segments)
    target = _target(clip, model, asked)
    scene = phone_cells.scene(target, phones, instead)
    sets = len(_sizes(len(phones))) * (len(RIVALS) + draws + len(random_seeds))
    phone_cells.check_affordable(scene, method, steps, sets, random_seeds, time_limit)
    saliency = yield from _saliency(scene, asked, 0.05, lambda rough: _result(scene, phones, rough, asked))
    result = yield from _test(scene, _result(scene, phones, saliency, asked))
    result = yield from _test_random(scene, result, asked)
    for number, twin_seed in enumerate(random_seeds):
        yield Step(0.8 + 0.15 * number / len(random_seeds), f"random weights, seed {twin_seed}", partial=result)
        result = yield from _test_twin(scene, result, asked, twin_seed)
    return (yield from _heard(result, target))


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse` but the phones."""

    kind: Kind | None
    wanted: str | None
    occurrence: int | None
    against: str | None
    transcript: str | None
    language: str | None
    method: GradientMethod
    steps: int
    pooling: Pooling
    instead: Instead
    window: Window
    random_seeds: tuple[int, ...]
    draws: int
    seed: int
    time_limit: float


def _heard(result: PhonemeSaliency, target: Target) -> Steps[PhonemeSaliency]:
    """What the model makes of the sounds that can be played."""
    usual, said, losses = replace(target, window="full"), [], []  # fed only the clip's frames, Whisper writes loops
    for step in range(len(result.kept)):
        shown = None if step else result
        pair, texts = [sound.samples for sound in result.sounds(step)], []
        for samples in pair:
            text = "what the model says without, and with nothing but, the first phones"
            yield Step(0.95, text, partial=None if texts else shown)
            texts.append(usual.answer(samples))
        yield Step(0.95, "how likely it still is")
        said.append(tuple(texts))
        losses.append([result.base - target.score(samples) for samples in pair])
    return _with(result, answers=tuple(said), sound_losses=read_only(np.array(losses).T))


def _with(result: PhonemeSaliency, **found: np.ndarray | tuple) -> PhonemeSaliency:
    return replace(result, controls=replace(result.controls or SaliencyControls(), **found))


def _joined(rows: np.ndarray | None, row: np.ndarray) -> np.ndarray:
    return read_only([row] if rows is None else [*rows, row])


def _target(clip: Clip, model: SpeechModel, asked: _Asked) -> Target:
    possible = targets.kinds(model)
    return targets.build(
        clip, model, asked.kind or (possible[0] if possible else "class"), window=asked.window, wanted=asked.wanted,
        occurrence=asked.occurrence, against=asked.against, transcript=asked.transcript, language=asked.language,
    )  # fmt: skip


def _saliency(
    scene: Scene, asked: _Asked, start: float, show: Callable[[np.ndarray], PhonemeSaliency] | None = None
) -> Steps[np.ndarray]:
    """(bins, own) the size of each cell's attribution; `show` makes a result of what is known before it is exact."""
    steps = gradients.gradient_map(scene.target, scene.level, asked.method, steps=asked.steps)

    def sizes(found: GradientMap) -> np.ndarray:
        return np.abs(found.values[:, : scene.own])

    return sizes((yield from within(steps, start, start + 0.1, show=show and (lambda found: show(sizes(found))))))


def _result(scene: Scene, phones: Sequence[Segment], saliency: np.ndarray, asked: _Asked) -> PhonemeSaliency:
    """The map, gathered over phones; nothing is tested yet."""
    target, scores, kept = scene.target, phone_cells.pooled(saliency, scene.spans, asked.pooling), _sizes(len(phones))
    lengths = np.array([phone.end - phone.start for phone in phones])
    origin = provenance(
        "phoneme saliency", target.clip, target.model, **listed(asked), target=target.label, unit=target.unit,
        level=scene.level, segments=[[p.label, p.start, p.end] for p in phones],
        transcript_given=bool(asked.transcript),
    )  # fmt: skip
    return PhonemeSaliency(
        phones=tuple(phone.label for phone in phones),
        starts=read_only([phone.start for phone in phones]),
        ends=read_only([phone.end for phone in phones]),
        scores=read_only(scores),
        saliency=read_only(saliency, np.float32),
        entering=read_only(scene.entering[:, : scene.own], np.float32),
        base=target.base,
        kept=read_only(kept, np.int64),
        seconds=read_only(np.cumsum(lengths[faithfulness.ranking(scores)])[kept - 1]),
        samples=read_only(target.clip.samples, np.float32),
        provenance=origin,
    )


def _sizes(phones: int) -> np.ndarray:
    """(steps,) how many phones are kept: the shares of all, each number once."""
    return np.unique([max(1, round(share * phones)) for share in SHARES])


def _size(scene: Scene, result: PhonemeSaliency, k: int) -> int:
    """How many frames the first k phones have: what every rival may take."""
    return len({frame for phone in result.order[:k] for frame in scene.spans[phone]})


def _test(scene: Scene, result: PhonemeSaliency) -> Steps[PhonemeSaliency]:
    """What is lost without, and with nothing but, the first phones, and rivals of the same size."""
    losses = np.full((2, len(RIVALS), len(result.kept)), np.nan)
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
        result = _with(result, losses=read_only(losses[0]), kept_losses=read_only(losses[1]))
    return result


def _by_size(scene: Scene, result: PhonemeSaliency, order: np.ndarray) -> np.ndarray:
    """(2, steps) what is lost without, and with nothing but, the first frames of another order of the phones."""
    return scene.lost([scene.frames(order, _size(scene, result, k)) for k in result.kept])


def _test_random(scene: Scene, result: PhonemeSaliency, asked: _Asked) -> Steps[PhonemeSaliency]:
    random, draws = np.random.default_rng(asked.seed), asked.draws
    for number in range(draws):
        yield Step(0.35 + 0.45 * number / draws, f"random phones {number + 1} of {draws}", partial=result)
        without, only = _by_size(scene, result, random.permutation(len(result.phones)))
        known = result.losses(), result.losses(kept=True)
        result = _with(
            result,
            random_losses=_joined(known[0].random, without),
            random_kept_losses=_joined(known[1].random, only),
        )
    return result


def _test_twin(scene: Scene, result: PhonemeSaliency, asked: _Asked, seed: int) -> Steps[PhonemeSaliency]:
    """The phones that a network with random weights would name, tried on the trained one."""
    known = result.controls
    try:
        map_ = yield from _saliency(replace(scene, target=scene.target.twin(seed)), asked, 0.8)
    except UserError:  # integrated gradients that do not add up: there is no map, and the page says so
        return _with(result, refused=(*known.refused, seed))
    scores = phone_cells.pooled(map_, scene.spans, asked.pooling)
    without, only = _by_size(scene, result, faithfulness.ranking(scores))
    return _with(
        result,
        seeds=(*known.seeds, seed),
        random_scores=_joined(known.random_scores, scores),
        random_weights=_joined(known.random_weights, without),
        random_weights_kept=_joined(known.random_weights_kept, only),
    )
