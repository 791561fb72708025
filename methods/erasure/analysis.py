"""How erasure is computed: a probe, the label erased, the probe again, and what the model says of what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.core.audio import Clip
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features
from methods.core.errors import UserError
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import analysis
from methods.core.progress import Step, Steps, of_the_whole, within
from methods.core.results import Provenance, corpus_provenance, listed, read_only
from methods.core.statistics import intervals
from methods.erasure import frames, probes
from methods.erasure.layers import layered
from methods.erasure.leace import Eraser
from methods.erasure.result import Erasure, ErasureControls
from methods.erasure.work import Work

SENSE = {"draws": (0, 1000)}
KINDS = {"shuffled": "labels of other recordings", "random": "random directions"}


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    target: str = "phone",
    clip: Clip | None = None,
    transcript: str | None = None,
    language: str | None = None,
    layers: Sequence[int] | None = None,
    window: Window = "full",
    draws: int = 10,
    random_seeds: Sequence[int] = (0,),
    seed: int = 0,
) -> Steps[Erasure]:
    """Does the model use what a probe can read?

    `target` is one of `frames.TARGETS` or "tier:NAME". Erasers are fitted on half of the recordings (dealt with
    `seed`) and judged on the others; the loss is that of `clip` (None: the first judged recording) and `transcript`
    (None: what the model hears). `window`: whether Whisper reads its exact 30 s or the clip alone, in the corpus and
    in the clip alike. `draws` of labels of other recordings and of random directions stand beside it. Raises
    UserError for a target or a layer that is not there, fewer than two classes, too few recordings, and a model that
    says nothing.
    """
    layers = None if layers is None else tuple(layers)
    asked = _Asked(target, clip, transcript, language, layers, window, draws, tuple(random_seeds), seed)
    yield Step(0.0, "what the model hears")
    known = yield from within(_states(corpus, model, asked), 0.0, 0.25)
    split = frames.labelled(corpus, known, target, clip, seed)
    clip = corpus.utterances[split.judged_recording()].clip if clip is None else clip
    network = layered(clip, model, transcript, language, window)
    yield Step(0.25, "the unchanged network")
    work = Work(split, known, _chosen(layers, known), network)
    result = _empty(work, _origin(corpus, work, asked))
    result = yield from within(_erased(result, work), 0.25, 0.4, show=of_the_whole)
    result = yield from within(_with_draws(result, work, asked), 0.4, 0.7, show=of_the_whole)
    result = yield from within(_with_seen(result, work), 0.7, 0.75, result)
    return (yield from within(_with_twins(result, work, corpus, asked), 0.75, 1.0, show=of_the_whole))


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse`."""

    target: str
    clip: Clip | None
    transcript: str | None
    language: str | None
    layers: tuple[int, ...] | None
    window: Window
    draws: int
    random_seeds: tuple[int, ...]
    seed: int


def _states(corpus: Corpus, model: SpeechModel, asked: _Asked) -> Steps[Features]:
    """What the network itself reads: nothing is subtracted."""
    return features.of_model(corpus, model, window=asked.window, subtract_silence=False)


def _chosen(layers: Sequence[int] | None, states: Features) -> tuple[int, ...]:
    count = len(states.names) - states.layer_0
    wrong = [layer for layer in layers or () if not 0 <= layer < count]
    if wrong or (layers is not None and not len(layers)):
        raise UserError(
            f"There is no layer {wrong[0] if wrong else '(none was given)'} to erase from; this model has layers 0 to "
            f"{count - 1}. Give their numbers, or leave the choice empty for all."
        )
    return tuple(range(count)) if layers is None else tuple(layers)


def _origin(corpus: Corpus, work: Work, asked: _Asked) -> Provenance:
    clip, network, given = work.network.clip, work.network, asked.clip
    said = {"transcript": asked.transcript or network.heard, "transcript_given": bool(asked.transcript)}
    sound = {"clip": given and given.name, "clip_sha256": given and given.sha256}
    heard = {"heard": clip.name, "heard_sha256": clip.sha256, "features_note": work.states.note}
    return corpus_provenance("erasure", corpus, network.model, **listed(asked) | said | sound | heard)


def _empty(work: Work, origin: Provenance) -> Erasure:
    nothing, split = read_only(np.full(len(work.layers), np.nan)), work.split
    halves = [split.half(fitted) for fitted in (True, False)]
    names = ("before", "before_low", "before_high", "after", "left", "left_low", "left_high", "change", "loss")
    return Erasure(
        target=origin["options"]["target"], classes=split.classes, dropped=split.dropped,
        frames=(len(halves[0][0]), len(halves[1][0])),
        recordings=(len(np.unique(halves[0][2])), len(np.unique(halves[1][2]))),
        layers=tuple(work.name(layer) for layer in work.layers), rank=read_only(np.zeros(len(work.layers)), np.int64),
        **dict.fromkeys(names, nothing), majority=split.majority, heard=work.network.heard,
        base=work.network.base, written=("",) * len(work.layers), seen_before=(),
        seen_after=(), provenance=origin,
    )  # fmt: skip


def _erased(result: Erasure, work: Work) -> Steps[Erasure]:
    """Layer by layer: the probe, the eraser, the probe again, the loss, the text."""
    for number, layer in enumerate(work.layers):
        begin, share = number / len(work.layers), 1 / len(work.layers)
        name = f"layer {work.name(layer)}"
        yield Step(begin, f"{name}: the probe before")
        result = _put(result, number, **_before(work, layer))
        yield Step(begin + 0.3 * share, f"{name}: erasing {result.target}", result if not number else None)
        eraser = work.eraser(layer)
        result = _put(result, number, rank=eraser.rank, change=eraser.change, after=work.accuracy(layer, eraser))
        yield Step(begin + 0.5 * share, f"{name}: the probe after")
        result = _put(result, number, **_left(work, layer, eraser))
        yield Step(begin + 0.7 * share, f"{name}: what the model says now")
        read = work.network.read(layer, eraser)
        result = _put(result, number, loss=work.losses(read)[0])
        yield Step(begin + 0.8 * share, f"{name}: what the model says now")
        said = work.network.said(read)
        result = replace(result, written=(*result.written[:number], said, *result.written[number + 1 :]))
        yield Step(begin + share, f"{name} is done", result)
    return result


def _put(result: Erasure, place: int, **found: float) -> Erasure:
    """The same with these numbers at one layer."""
    changed = {}
    for name, value in found.items():
        line = getattr(result, name).copy()
        line[place] = value
        changed[name] = read_only(line, line.dtype)
    return replace(result, **changed)


def _before(work: Work, layer: int) -> dict[str, float]:
    (known, codes, _), (asked, truth, recording) = work.half(layer, True), work.half(layer, False)
    right = probes.carried(known, codes, asked, work.classes) == truth
    low, high = intervals.of_mean_share(right, recording)
    return {"before": float(right.mean()), "before_low": low, "before_high": high}


def _left(work: Work, layer: int, eraser: Eraser) -> dict[str, float]:
    asked, truth, recording = work.half(layer, False)
    right = probes.within(eraser(asked), truth, recording, work.classes) == truth
    low, high = intervals.of_mean_share(right, recording)
    return {"left": float(right.mean()), "left_low": low, "left_high": high}


def _with(result: Erasure, **found: np.ndarray) -> Erasure:
    return replace(result, controls=replace(result.controls or ErasureControls(), **found))


def _with_draws(result: Erasure, work: Work, asked: _Asked) -> Steps[Erasure]:
    """Labels of other recordings, and random directions, as many as the labels took; draw by draw, all layers."""
    losses = np.full((len(KINDS), asked.draws, len(work.layers)), np.nan)
    for number in range(asked.draws):
        for place in range(len(work.layers)):
            begin, share = (number + place / len(work.layers)) / asked.draws, 1 / len(work.layers) / asked.draws
            drawn = _one_draw(result, work, (asked.seed, number, place))
            result, losses[:, number, place] = yield from within(drawn, begin, begin + share)
        known = {kind: read_only(found[: number + 1]) for kind, found in zip(KINDS, losses, strict=True)}
        result = _with(result, **known)
        yield Step((number + 1) / asked.draws, "controls", result if number in (0, asked.draws - 1) else None)
    return result


def _one_draw(result: Erasure, work: Work, which: tuple[int, int, int]) -> Steps[tuple[Erasure, np.ndarray]]:
    """One layer's draw (seed, number, place) of both kinds: (kinds,) nats lost; of the first a probe after it too."""
    (seed, number, place), reads, layer = which, [], work.layers[which[2]]
    for part, kind in enumerate(KINDS):
        name = f"{KINDS[kind]} {number + 1}, layer {work.name(layer)}"
        yield Step(part / len(KINDS), name)
        draw = np.random.default_rng([seed, number, layer, part])  # the same whatever layers are asked
        eraser = _meaningless(work, layer, kind, int(result.rank[place]), draw)
        reads.append(work.network.read(layer, eraser))
        if not number:
            yield Step(part / len(KINDS), f"{name}: a probe after it")
            result = _with_after(result, place, kind, work.accuracy(layer, eraser), eraser.change)
    return result, work.losses(*reads)


def _meaningless(work: Work, layer: int, kind: str, rank: int, draw: np.random.Generator) -> Eraser:
    """An eraser of labels of other recordings, or of directions drawn at random."""
    if kind == "random":
        return work.space(layer).at_random(rank, draw)
    known, codes, recording = work.half(layer, True)
    return work.space(layer).without(known, frames.shuffled(codes, recording, draw), work.classes)


def _with_after(result: Erasure, place: int, kind: str, accuracy: float, change: float) -> Erasure:
    controls = result.controls or ErasureControls()
    found = {}
    for name, value in ((f"{kind}_after", accuracy), (f"{kind}_change", change)):
        line = getattr(controls, name)
        line = np.full(len(result.layers), np.nan) if line is None else line.copy()
        line[place] = value
        found[name] = read_only(line)
    return _with(result, **found)


def _with_seen(result: Erasure, work: Work) -> Steps[Erasure]:
    """What the output part says when it reads each layer at once, before and after."""
    for place, layer in enumerate(work.layers):
        for number, change in enumerate((None, work.eraser(layer))):
            yield Step((place + number / 2) / len(work.layers), f"layer {work.name(layer)} read at once")
            said = work.network.seen(layer) if change is None else work.network.seen(layer, change)
            name = "seen_after" if number else "seen_before"
            result = replace(result, **{name: (*getattr(result, name), said)})
    return result


def _with_twins(result: Erasure, work: Work, corpus: Corpus, asked: _Asked) -> Steps[Erasure]:
    """The same architecture with random weights: its own states, its own erasers, the same text."""
    found: dict[str, list[np.ndarray]] = {"twin_before": [], "twin_after": [], "twin_loss": []}
    for number, seed in enumerate(asked.random_seeds):
        begin, end = number / len(asked.random_seeds), (number + 1) / len(asked.random_seeds)
        yield Step(begin, f"random weights, seed {seed}", result)
        network = work.network.twin(seed)
        middle = begin + 0.6 * (end - begin)
        states = yield from within(_states(corpus, network.model, asked), begin, middle)
        twin = replace(work, states=states, network=network)
        lines = yield from within(_twin_lines(twin), middle, end, name=f"random weights, seed {seed}")
        for name, line in zip(found, lines, strict=True):
            found[name].append(line)
        result = _with(result, **{name: read_only(rows) for name, rows in found.items()})
    return result


def _twin_lines(work: Work) -> Steps[tuple[np.ndarray, ...]]:
    """Accuracy before, what is left, and nats lost: (layers,) each."""
    yield Step(0.0, "the unchanged network")
    rows, _ = [], work.network.base
    for place, layer in enumerate(work.layers):
        yield Step(place / len(work.layers), f"layer {work.name(layer)}")
        before = _before(work, layer)["before"]
        yield Step((place + 0.3) / len(work.layers), f"layer {work.name(layer)}")
        eraser = work.eraser(layer)
        yield Step((place + 0.6) / len(work.layers), f"layer {work.name(layer)}")
        left = _left(work, layer, eraser)["left"]
        rows.append((before, left, work.losses(work.network.read(layer, eraser))[0]))
    return tuple(np.array(rows).T)
